"""Errors of a trained classifier: on a set of images, and as a function of the angle."""

import math
from collections.abc import Callable

import jax
import numpy as np
import optax

from .data.rotation import TURN, rotate

Classifier = Callable[[np.ndarray], jax.Array]  # images [b, y, x] or [b, y, x, c] to logits [b, c]


def errors(
    classify: Classifier, images: np.ndarray, labels: np.ndarray, batch: int = 500
) -> np.ndarray:
    """Which images are classified wrongly.

    Args:
      classify: the network, with all that comes before it.
      images: uint8 `[n, y, x]`, or with channels `[n, y, x, c]`.
      labels: `[n]`.
      batch: images at a time.

    Returns:
      Booleans `[n]`.
    """
    return np.argmax(_in_batches(classify, images, batch), axis=-1) != labels


def held_out(classify: Classifier, images: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Error and cross-entropy on the validation images, for a line of metrics."""
    logits = _in_batches(classify, images)
    loss = optax.softmax_cross_entropy_with_integer_labels(logits, labels.astype(np.int32))
    wrong = np.argmax(logits, axis=-1) != labels
    return {"valid_error_percent": percent(wrong), "valid_loss": float(loss.mean())}


def errors_over_turns(
    classify: Classifier, images: np.ndarray, labels: np.ndarray, turns: int
) -> np.ndarray:
    """Which images are classified wrongly by the mean of the probabilities over turns of each.

    An image is turned by k · 90°/turns, k = 0 ... turns - 1: for a network that is invariant under
    quarter turns, this is the mean over 4 · turns angles all around.

    Args:
      classify: as in `errors`.
      images: uint8 `[n, 28, 28]`.
      labels: `[n]`.
      turns: how many.

    Returns:
      Booleans `[n]`.
    """
    total: np.ndarray | float = 0.0
    for k in range(turns):
        turned = rotate(images, np.full(len(images), k * TURN // (4 * turns))) if k else images
        total = total + np.asarray(jax.nn.softmax(_in_batches(classify, turned)))
    return np.argmax(total, axis=-1) != labels


def _in_batches(classify: Classifier, images: np.ndarray, batch: int = 500) -> np.ndarray:
    """Logits `[n, c]`; the last batch is filled up, so that one program serves all."""
    n = len(images)
    padded = np.concatenate([images, np.repeat(images[-1:], -n % batch, axis=0)])
    return np.concatenate(
        [np.asarray(classify(padded[i : i + batch])) for i in range(0, n, batch)]
    )[:n]


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
