"""The cat of the tutorials: drawn from a few shapes, and with no symmetry of its own.

Lengths are those of a picture of 32 x 32 pixels; a larger picture shows the same cat, larger.
"""

import numpy as np
from numpy.typing import NDArray

FINE = 4  # sub-pixels along each axis of a pixel, averaged in the end


def shape(size: int = 32) -> NDArray[np.float32]:
    """Where the cat is: `[y, x]`, 1 inside, 0 outside and in between at the edge."""
    return _pixels(_silhouette(*_grid(size)))


def picture(size: int = 32) -> NDArray[np.float32]:
    """The cat in grey, from 0 to 1, with stripes, eyes and a nose: `[y, x]`."""
    return _pixels(grey(*_grid(size)))


def grey(y: NDArray, x: NDArray) -> NDArray[np.float64]:
    """The cat in grey at any points, counted from the middle of the picture."""
    stripes = (np.sin(1.5 * y - 0.2 * x**2) > 0.4) & (y > 1) & (x < 3)
    eyes = _blob(y, x, -5, -5.6, 1.1, 0.8) | _blob(y, x, -5, -1.6, 1.1, 0.8)
    nose = _blob(y, x, -3, -3.6, 0.5, 0.8)
    return _silhouette(y, x) * (1 - 0.55 * stripes) * ~eyes * (1 - 0.7 * nose)


def _silhouette(y, x):
    """Head, two ears, a body, and a tail to the right."""
    head = _blob(y, x, -4, -3.5, 4, 5)
    ears = (y > -12) & (y < -4) & (np.abs(np.abs(x + 3.5) - 3) < 0.3 * (y + 12))
    body = _blob(y, x, 5, -1, 7, 5)
    tail = (np.abs(np.hypot(y - 5.5, x - 5) - 4.2) < 1.1) & (y > 5.5)
    tip = _blob(y, x, 2.5, 9, 4.2, 1.2)
    return head | ears | body | tail | tip


def _blob(y, x, cy, cx, ry, rx):
    """An ellipse."""
    return ((y - cy) / ry) ** 2 + ((x - cx) / rx) ** 2 < 1


def _grid(size):
    """Positions of the sub-pixels, counted from the middle of the picture."""
    p = 32 * ((np.arange(size * FINE) + 0.5) / (size * FINE) - 0.5)
    return p[:, None], p[None, :]


def _pixels(fine):
    n = len(fine) // FINE
    return fine.reshape(n, FINE, n, FINE).mean((1, 3)).astype(np.float32)
