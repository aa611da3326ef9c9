"""Contrast normalisation and ZCA whitening that commute with a group.

The preprocessing that Cohen & Welling 2016 have on CIFAR-10, by their published code. Whitening by
the covariance of the images alone breaks the symmetry before the network sees them: photographs
are not as likely upside down, and the matrix knows.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gcnn.actions import act_on_space
from gcnn.groups import Group

_CHUNK = 5_000  # images taken at a time: 61 MB of float32, at 32 x 32 x 3
_ROUNDING = 1e-10  # of the largest eigenvalue: on CIFAR-10 the least is 4e-8 of it, and noise 1e-15


@dataclass(frozen=True, eq=False)
class Whitening:
    """z = W(n(x) - m), with n the contrast normalisation.

    Law: z(g·x) = g·z(x), to rounding, for every element of the group that it was fitted with.

    Attributes:
        mean: m, float32 [y, x, c].
        matrix: W, float32 [y, x, c, y, x, c], symmetric.
    """

    mean: NDArray[np.float32]
    matrix: NDArray[np.float32]

    def __call__(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Whiten images.

        Args:
            images: uint8 [n, y, x, c], of the sides and channels that it was fitted with.

        Raises:
            ValueError: images of another type or size.
        """
        if images.dtype != np.uint8 or images.shape[1:] != self.mean.shape:
            raise ValueError(
                f"Whitening was fitted on uint8 images [n, {', '.join(map(str, self.mean.shape))}]"
                f", got {images.dtype}{list(images.shape)}. Fit it on images of that size."
            )
        size = self.mean.size
        matrix = self.matrix.reshape(size, size)
        whitened = np.empty(images.shape, np.float32)
        for start in range(0, len(images), _CHUNK):
            part = slice(start, start + _CHUNK)
            x = normalise_contrast(images[part]) - self.mean
            whitened[part] = (x.reshape(-1, size) @ matrix).reshape(x.shape)
        return whitened


def fit(images: NDArray[np.uint8], group: Group, epsilon: float = 1e-5) -> Whitening:
    """Fit the whitening of the orbit of the images: all of them, moved by all of the group.

    With mean m and covariance C = U diag(λ) Uᵀ of the normalised images in that orbit,

        W = U diag(1 / (√λ + ε)) Uᵀ

    and 0 in place of 1 / (√λ + ε) where there is nothing but rounding, such as the mean of an
    image, which normalisation took away. The orbit need not be made: with Σ = E[x xᵀ] and the
    permutation matrix P of an element, its second moment is the mean of P Σ Pᵀ over the group.

    Under the trivial group it is the ZCA of the published code. Fit it on training images alone.

    Args:
        images: uint8 [n, y, x, c], two or more.
        group: the group, of two dimensions.
        epsilon: ε.

    Raises:
        ValueError: images of another type, or too few; a group that turns them, and sides that
            differ.
    """
    if images.dtype != np.uint8 or images.ndim != 4 or len(images) < 2:
        raise ValueError(
            f"Whitening takes uint8 images [n, y, x, c], two or more, got "
            f"{images.dtype}{list(images.shape)}."
        )
    shape, size = images.shape[1:], images[0].size
    mean, second = np.zeros(size), np.zeros((size, size))
    for start in range(0, len(images), _CHUNK):
        x = normalise_contrast(images[start : start + _CHUNK]).reshape(-1, size).astype(np.float64)
        mean += x.sum(axis=0)
        second += x.T @ x
    mean = _averaged(group, mean.reshape(shape) / len(images), [0, 1])
    second = _averaged(group, second.reshape(*shape, *shape) / len(images), [0, 1], [3, 4])
    covariance = second.reshape(size, size) - np.outer(mean, mean)
    values, vectors = np.linalg.eigh(covariance)
    kept = values > _ROUNDING * values[-1]
    gains = np.where(kept, 1 / (np.sqrt(np.where(kept, values, 1)) + epsilon), 0)
    matrix = (vectors * gains) @ vectors.T
    return Whitening(mean.astype(np.float32), matrix.astype(np.float32).reshape(*shape, *shape))


def normalise_contrast(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Each image less its mean, over its standard deviation, of all pixels and channels.

    The sums are those of integers, so that an image that is turned gives the same bits, turned. An
    image of one value becomes 0.

    Args:
        images: uint8 [n, y, x, c].
    """
    flat = images.reshape(len(images), -1).astype(np.int64)
    size = flat.shape[1]
    total = flat.sum(axis=1, keepdims=True)
    squares = (flat**2).sum(axis=1, keepdims=True)
    deviation = np.sqrt((size * squares - total**2) / (size * (size - 1)))
    normalised = (flat - total / size) / np.where(deviation > 0, deviation, 1)
    return normalised.reshape(images.shape).astype(np.float32)


def _averaged(group: Group, array: NDArray[np.float64], *axes: list[int]) -> NDArray[np.float64]:
    """The mean over the group of an array whose pairs of axes it moves all alike."""
    total = np.zeros_like(array)
    for g in range(group.order):
        moved = array
        for pair in axes:
            moved = act_on_space(group, g, moved, pair)
        if moved.shape != array.shape:
            raise ValueError(
                f"Whitening under {group} needs images of equal sides, which {group.names[g]} "
                f"swaps, got {array.shape[0]} x {array.shape[1]} pixels."
            )
        total += moved
    return total / group.order
