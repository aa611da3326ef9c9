"""Times and ratios, measured side by side in one process."""
