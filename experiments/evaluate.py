"""Errors of a trained classifier: on a set of images, and as a function of the angle."""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from .data.rotation import TURN, rotate

Classifier = Callable[[np.ndarray], jax.Array]  # uint8 images [b, y, x] to logits [b, c]


def errors(
    classify: Classifier, images: np.ndarray, labels: np.ndarray, batch: int = 500
) -> np.ndarray:
    """Which images are classified wrongly.

    Args:
      classify: the network, with all that comes before it.
      images: uint8 `[n, 28, 28]`.
      labels: `[n]`.
      batch: images at a time; the last batch is filled up, so that one program serves all.

    Returns:
      Booleans `[n]`.
    """
    n = len(labels)
    padded = np.concatenate([images, np.repeat(images[-1:], -n % batch, axis=0)])
    predicted = [
        np.asarray(jnp.argmax(classify(padded[i : i + batch]), axis=-1)) for i in range(0, n, batch)
    ]
    return np.concatenate(predicted)[:n] != labels


def percent(wrong: np.ndarray) -> float:
    """The error rate in percent."""
    return 100 * float(wrong.mean())


def error_by_angle(
    classify: Classifier, images: np.ndarray, labels: np.ndarray, count: int = 24
) -> dict[str, list[float]]:
    """The error when every image is turned by the same angle, for angles all around.

    The images are turned as the data set's own are; between multiples of 90° this interpolates.
    Turns by 90° are exact, so that an invariant network has the same error at θ and θ + 90°.

    Args:
      classify: as in `errors`.
      images: uint8 `[n, 28, 28]`, upright or as they are.
      labels: `[n]`.
      count: how many angles, a multiple of 4.

    Returns:
      "degrees" and "error_percent", of length `count`.
    """
    curve = []
    for i in range(count):
        turned = rotate(images, np.full(len(images), i * TURN // count))
        curve.append(percent(errors(classify, turned, labels)))
    return {"degrees": [360 * i / count for i in range(count)], "error_percent": curve}


def standard_error(error_percent: float, n: int) -> float:
    """The sampling error sqrt(p(1 - p)/n) of an error rate p on n images, in percent points."""
    p = error_percent / 100
    return 100 * math.sqrt(p * (1 - p) / n)
