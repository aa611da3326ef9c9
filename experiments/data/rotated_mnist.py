"""Rotated MNIST by the protocol of Larochelle et al. (2007): 10 000 + 2 000 + 50 000 images.

H. Larochelle, D. Erhan, A. Courville, J. Bergstra, Y. Bengio, "An empirical evaluation of deep
architectures on problems with many factors of variation", ICML 2007.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import mnist, original
from .rotation import radians, rotate

SIZES = original.SIZES


@dataclass(frozen=True, eq=False)
class Split:
    """The examples of one split.

    Attributes:
        images: uint8 [n, y, x], ink (255) on paper (0) at row y, column x of example n; photographs
            uint8 [n, y, x, rgb], or float32 once they are whitened.
        labels: uint8 [n], the digit (or class) 0 ... 9 of example n.
        angles: float64 [n], the counter-clockwise angle in radians by which example n was turned,
            in [0, 2 pi); None if unknown, as in the original archive.
    """

    images: NDArray[Any]
    labels: NDArray[np.uint8]
    angles: NDArray[np.float64] | None


def load(archive: Path | None = None) -> dict[str, Split]:
    """The splits "train", "valid" and "test": generated, or the original ones if given.

    Args:
        archive: the original `mnist_rotation_new.zip` or the folder it lies in.

    Raises:
        FileNotFoundError, ValueError: see `mnist.load` and `original.read`.
    """
    if archive is None:
        return generate()
    return {name: Split(*arrays, angles=None) for name, arrays in original.read(archive).items()}


def generate() -> dict[str, Split]:
    """Rotated MNIST made anew, the same bytes on every machine.

    images[n] = rotate(digits[source[n]], turns[n]) with `source` without repetition over all
    three splits together, so that no digit is in two of them, and turns[n] uniform.
    """
    source, turns = draw()
    digits, labels = mnist.load()
    return _split(rotate(digits[source], turns), labels[source], turns)


def upright() -> dict[str, Split]:
    """The same digits as `generate` in the same order, not rotated: all angles are zero."""
    source, turns = draw()
    digits, labels = mnist.load()
    return _split(digits[source], labels[source], np.zeros_like(turns))


def draw() -> tuple[NDArray[np.intp], NDArray[np.int64]]:
    """The digits and angles of `generate`, for the three splits one after the other.

    The bits come from SHAKE-256, which is a standard: the random streams of libraries change.
    The 62 000 digits are those with the smallest of 70 000 independent 64-bit keys, in the order
    of their keys, which is a uniform shuffle.

    Returns:
        source, intp [62000]: the index of example n in `mnist.load()`, no index twice;
        turns, int64 [62000]: its angle in 65 536ths of a turn.
    """
    count = sum(SIZES.values())
    keys = np.frombuffer(_bits(b"rotated mnist 1: digits", 8 * mnist.COUNT), "<u8")
    turns = np.frombuffer(_bits(b"rotated mnist 1: angles", 2 * count), "<u2")
    return np.argsort(keys, kind="stable")[:count], turns.astype(np.int64)


def _bits(name: bytes, size: int) -> bytes:
    return hashlib.shake_256(name).digest(size)


def _split(
    images: NDArray[np.uint8], labels: NDArray[np.uint8], turns: NDArray[np.int64]
) -> dict[str, Split]:
    """Cuts the arrays of all examples into the three splits."""
    angles = radians(turns)
    splits, start = {}, 0
    for name, size in SIZES.items():
        part = slice(start, start + size)
        splits[name] = Split(images[part], labels[part], angles[part])
        start += size
    return splits
