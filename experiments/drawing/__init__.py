"""The figures of runs and studies: numbers in, a PNG out."""
