"""The figures of runs and studies, numbers in, a PNG out; and of groups, on axes of a page."""
