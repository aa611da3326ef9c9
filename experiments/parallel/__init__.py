"""One computation on many devices, in many processes, for many seeds, and its batches."""
