"""What a step of training computes: augmentation, gradient, precision, recomputation, update."""
