"""Digits of 12 x 12 pixels, for the tutorials."""

import numpy as np

from experiments.data import mnist


def load(count):
    """The first `count` digits of MNIST at half the size: images `[b, y, x, 1]`, labels `[b]`.

    Ink is 1 and paper 0. The ink is in the middle, with a margin of about one pixel on each side.
    """
    images, labels = mnist.load()
    halved = images[:count].reshape(count, 14, 2, 14, 2).mean((2, 4), dtype=np.float32) / 255
    return halved[:, 1:-1, 1:-1, None], labels[:count].astype(np.int32)
