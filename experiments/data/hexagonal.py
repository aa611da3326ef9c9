"""Rotated MNIST on the hexagonal lattice: images of squares, resampled on hexagons.

Arrays are in axial coordinates (`gcnn.groups.hexagonal_basis`): a row is a row of pixels, and every
row stands half a pixel to the right of the one above. The pixels lie at

p(i, j) = s · (i a₀ + j a₁),  s = √(2/√3),

from the centre of the image, so that a hexagon has the area of a square.
"""

import functools
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gcnn import groups
from gcnn.actions import preserved_pixels

from . import rotated_mnist
from .rotated_mnist import Split

SIDE = 29  # 631 hexagons, which hold a disc of radius 13; a digit's image has 784 squares
SPACING = np.sqrt(2 / np.sqrt(3))
_ONE = 4096  # weights are integers over this: sums of products are exact in float32


def load(archive: Path | None = None) -> dict[str, Split]:
    """The splits of `rotated_mnist.load`, images uint8 [n, 29, 29], 0 in the corners.

    Args:
        archive: the original `mnist_rotation_new.zip` or the folder it lies in.

    Raises:
        FileNotFoundError, ValueError: see `rotated_mnist.load`.
    """
    return {
        name: Split(resample(split.images), split.labels, split.angles)
        for name, split in rotated_mnist.load(archive).items()
    }


def resample(images: NDArray[np.uint8], side: int = SIDE) -> NDArray[np.uint8]:
    """Images on the hexagonal lattice, by cubic convolution (Keys 1981, a = -1/2).

    Commutes with what both lattices have, the half turn and the mirrors of rows and columns. Turns
    by 60° and by 90° are exact on one of the lattices alone.

    Args:
        images: uint8 [n, y, x]; 0 beyond the border.
        side: of the arrays to make, an odd number.

    Returns:
        uint8 [n, side, side]: 0 in the corners that the hexagon does not fill.
    """
    weights = _weights(images.shape[1:], side)
    parts = [images[i : i + 5000].reshape(-1, len(weights)) for i in range(0, len(images), 5000)]
    sums = np.concatenate([part.astype(np.float32) @ weights for part in parts])
    rounded = np.floor((sums + _ONE // 2) / _ONE).clip(0, 255)
    return rounded.astype(np.uint8).reshape(-1, side, side)


@functools.lru_cache(maxsize=8)
def _weights(size: tuple[int, int], side: int) -> NDArray[np.float32]:
    """Whole numbers `[y·x, side·side]`: how much of each square makes up each hexagon."""
    offsets = np.moveaxis(np.indices((side, side)), 0, -1) - side // 2
    places = SPACING * offsets @ groups.hexagonal_basis()
    at = [
        _keys(places[..., axis, None] + (n - 1) / 2 - np.arange(n)) for axis, n in enumerate(size)
    ]
    weights = np.rint(_ONE * np.einsum("pqy,pqx->yxpq", *at))
    weights *= preserved_pixels(groups.p6(), (side, side))
    return weights.reshape(size[0] * size[1], side * side).astype(np.float32)


def _keys(t: NDArray[np.float64]) -> NDArray[np.float64]:
    """The weight of a pixel at a distance t."""
    t = np.abs(t)
    near = ((1.5 * t - 2.5) * t) * t + 1
    far = ((-0.5 * t + 2.5) * t - 4) * t + 2
    return np.where(t < 1, near, np.where(t < 2, far, 0))
