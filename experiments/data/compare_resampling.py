"""Pixel statistics of rotated MNIST by resampling: python -m experiments.data.compare_resampling.

Prints the rows of the table in README.md: mean and standard deviation of x / 255 over the first
12 000 examples (train and valid), turned in floating point by the angles of `rotated_mnist.draw`.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from . import mnist, rotated_mnist
from .rotation import radians, rotate

Floats = NDArray[np.float64]
Kernel = Callable[[Floats], Floats]  # the weight of a pixel at a distance, zero from 2 on

COUNT = 12_000


def nearest(distance: Floats) -> Floats:
    """The box of width 1."""
    return np.where(distance < 0.5, 1.0, 0.0)


def bilinear(distance: Floats) -> Floats:
    """The tent of width 2."""
    return np.maximum(1 - distance, 0)


def keys(a: float) -> Kernel:
    """The cubic convolution of Keys (1981) with slope a at distance 1; Catmull-Rom at -1/2."""

    def kernel(d: Floats) -> Floats:
        inner = (a + 2) * d**3 - (a + 3) * d**2 + 1
        outer = a * d**3 - 5 * a * d**2 + 8 * a * d - 4 * a
        return np.where(d < 1, inner, np.where(d < 2, outer, 0))

    return kernel


def cubic(b: float, c: float) -> Kernel:
    """The cubics of Mitchell and Netravali (1988); the B-spline at b = 1, c = 0."""

    def kernel(d: Floats) -> Floats:
        inner = (12 - 9 * b - 6 * c) * d**3 + (-18 + 12 * b + 6 * c) * d**2 + 6 - 2 * b
        outer = -(b + 6 * c) * d**3 + 6 * (b + 5 * c) * d**2 - 12 * (b + 4 * c) * d + 8 * b + 24 * c
        return np.where(d < 1, inner, np.where(d < 2, outer, 0)) / 6

    return kernel


def spline_coefficients(images: Floats) -> Floats:
    """Coefficients c [n, 28, 28] with (c[k - 1] + 4 c[k] + c[k + 1]) / 6 = image on both axes."""
    band = (4 * np.eye(28) + np.eye(28, k=1) + np.eye(28, k=-1)) / 6
    inverse = np.linalg.inv(band)
    return inverse @ images @ inverse.T


def resample(images: Floats, angles: Floats, kernel: Kernel, fine: int = 1) -> Floats:
    """Turns images [n, 28, 28] by angles [n] as `rotation.rotate` does, in floating point.

    The result is neither rounded nor clipped. With `fine` > 1 every pixel of it is the mean of
    fine x fine samples spread evenly over the pixel.
    """
    grid = (np.arange(28 * fine) + 0.5) / fine - 14  # distances to the centre
    padded = np.pad(images, ((0, 0), (8, 8), (8, 8)))
    out = np.zeros((len(images), 28 * fine, 28 * fine))
    for n, angle in enumerate(angles):
        x = np.cos(angle) * grid - np.sin(angle) * grid[:, None] + 13.5
        y = np.sin(angle) * grid + np.cos(angle) * grid[:, None] + 13.5
        for tap in range(-1, 3):
            row = np.floor(y).astype(int) + tap
            for other in range(-1, 3):
                column = np.floor(x).astype(int) + other
                weight = kernel(np.abs(y - row)) * kernel(np.abs(x - column))
                out[n] += weight * padded[n, row + 8, column + 8]
    return out.reshape(-1, 28, fine, 28, fine).mean((2, 4))


def statistics(images: NDArray[np.uint8]) -> tuple[float, float]:
    """Mean and standard deviation of x / 255 over all pixels of all images."""
    return float(np.mean(images) / 255), float(np.std(images, dtype=np.float64) / 255)


def compare() -> dict[str, tuple[float, float]]:
    """The statistics of the first 12 000 examples for every way of resampling."""
    source, turns = rotated_mnist.draw()
    digits = mnist.load()[0][source[:COUNT]]
    images, angles = digits.astype(np.float64), radians(turns[:COUNT])
    resampled = {
        "nearest": resample(images, angles, nearest),
        "bilinear": resample(images, angles, bilinear),
        "bilinear, mean of 3 x 3 samples": resample(images, angles, bilinear, fine=3),
        "Mitchell-Netravali": resample(images, angles, cubic(1 / 3, 1 / 3)),
        "cubic B-spline, prefiltered": resample(spline_coefficients(images), angles, cubic(1, 0)),
        "Keys, a = -1/4": resample(images, angles, keys(-1 / 4)),
        "Keys, a = -1/2 (Catmull-Rom)": resample(images, angles, keys(-1 / 2)),
        "Keys, a = -3/4": resample(images, angles, keys(-3 / 4)),
        "Keys, a = -1": resample(images, angles, keys(-1)),
    }
    table = {"not rotated": statistics(digits)}
    for name, values in resampled.items():
        table[name] = statistics(np.rint(values).clip(0, 255).astype(np.uint8))
    table["rotation.rotate"] = statistics(rotate(digits, turns[:COUNT]))
    return table


if __name__ == "__main__":
    for name, (mean, std) in compare().items():
        print(f"| {name} | {mean:.4f} | {std:.4f} |")
