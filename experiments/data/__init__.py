"""The data room: MNIST as committed bytes, rotated MNIST made from it, and the original archive."""
