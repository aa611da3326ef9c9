"""Training, results and figures: the only place that knows a path, a seed or a clock."""
