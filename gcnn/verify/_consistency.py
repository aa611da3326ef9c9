"""What a classifier predicts under a set of transforms: how often the same, how often the truth."""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from ._batch import run_finite


@dataclasses.dataclass(frozen=True, eq=False)
class ConsistencyReport:
    """The predictions for b samples, each under the same t transforms.

    A constant classifier is perfectly consistent. So none of this should be read without the
    accuracy, or at least without the verdict.

    Attributes:
      samples: their number, b.
      transforms: their number, t.
      consistency: the probability that a sample is given the same class under two of the
        transforms, drawn independently: the mean over samples of Σ_c p_c², where p_c is the
        fraction of transforms under which it is given class c. All pairs are counted.
      agreement: the fraction of predictions, over samples and transforms, that are those for the
        untransformed samples.
      unanimous: the fraction of samples that are given one class under all transforms.
      ties: the fraction of predictions whose two largest outputs are equal, so that the order of
        the classes decides: the first one wins.
      classes: how many different classes are ever predicted.
      accuracy: for the untransformed samples; None without labels, like the next two.
      mean_accuracy: over all transforms.
      worst_accuracy: the fraction of samples that are right under every transform.
    """

    samples: int
    transforms: int
    consistency: float
    agreement: float
    unanimous: float
    ties: float
    classes: int
    accuracy: float | None
    mean_accuracy: float | None
    worst_accuracy: float | None

    @property
    def verdict(self) -> str:
        """Whether all samples are unanimous: "consistent", "not consistent" or "vacuous"."""
        if self.classes == 1:
            return "vacuous"
        return "consistent" if self.unanimous == 1 else "not consistent"

    @property
    def reason(self) -> str:
        """The verdict in words."""
        if self.classes == 1:
            return "one class is all that is ever predicted: a constant would do as well"
        if self.unanimous == 1:
            return "every sample keeps its class under all transforms"
        split = round((1 - self.unanimous) * self.samples)
        return f"{split} of {self.samples} samples change their class under some transform"

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON-ready values."""
        values = dataclasses.asdict(self)
        lists = {name: v.tolist() for name, v in values.items() if isinstance(v, np.ndarray)}
        return {**values, **lists, "verdict": self.verdict, "reason": self.reason}

    def _rows(self) -> list[tuple[str, str]]:
        """Measures and values for the table of a report."""
        rows = [
            ("consistency", self.consistency),
            ("agreement with the untransformed", self.agreement),
            ("one class under all transforms", self.unanimous),
            ("ties", self.ties or None),
            ("accuracy", self.accuracy),
            ("accuracy over all transforms", self.mean_accuracy),
            ("right under every transform", self.worst_accuracy),
        ]
        return [(name, f"{100 * value:.2f} %") for name, value in rows if value is not None]


class Poll:
    """Asks a classifier about the same samples under one transform after the other.

    Attributes:
      changes: for each transform, ‖f(x') - f(x)‖ / ‖f(x)‖ over the whole batch.
      probability_changes: for each, the mean of |p'_c - p_c| with c the class predicted for the
        untransformed sample, and p the softmax of f.
    """

    def __init__(self, f: Callable[[Any], Any], x: Any, labels: Any):
        """Begin with the untransformed samples.

        Args:
          f: maps a batch to logits `[b, classes]`.
          x: the untransformed batch.
          labels: `[b]`, or None.

        Raises:
          ValueError: f is no classifier, or the labels are not those of this batch.
        """
        self._f = f
        self._logits = _classify(f, x)
        self._labels = _checked_labels(labels, *self._logits.shape)
        self._predicted = self._logits.argmax(axis=1)
        self._predictions: list[np.ndarray] = []
        self._ties: list[float] = []
        self.changes: list[float] = []
        self.probability_changes: list[float] = []

    def ask(self, x: Any) -> None:
        """Ask about the transformed samples."""
        y = _classify(self._f, x)
        second, first = np.partition(y, (-2, -1), axis=1)[:, -2:].T
        self._predictions.append(y.argmax(axis=1))
        self._ties.append(float(np.mean(first == second)))
        self.changes.append(self._change(y))
        before = _probability(self._logits, self._predicted)
        moved = _probability(y, self._predicted)
        self.probability_changes.append(float(np.mean(np.abs(moved - before))))

    def change_at(self, x: Any) -> float:
        """‖f(x') - f(x)‖ / ‖f(x)‖ for samples that are not counted."""
        return self._change(_classify(self._f, x))

    def predictions(self) -> np.ndarray:
        """The classes `[b, t]`."""
        return np.stack(self._predictions, axis=1)

    def agreements(self) -> np.ndarray:
        """For each transform, the fraction of samples that keep their class."""
        return (self.predictions() == self._predicted[:, None]).mean(axis=0)

    def accuracies(self) -> np.ndarray | None:
        """For each transform, the fraction of samples that are right; None without labels."""
        right = self._right()
        return None if right is None else right.mean(axis=0)

    def counts(self) -> dict[str, Any]:
        """The fields of a `ConsistencyReport`."""
        predictions, labels, right = self.predictions(), self._labels, self._right()
        return {
            "samples": predictions.shape[0],
            "transforms": predictions.shape[1],
            "consistency": _consistency(predictions),
            "agreement": float(self.agreements().mean()),
            "unanimous": float((predictions == predictions[:, :1]).all(axis=1).mean()),
            "ties": float(np.mean(self._ties)),
            "classes": len(np.unique(predictions)),
            "accuracy": None if labels is None else float((self._predicted == labels).mean()),
            "mean_accuracy": None if right is None else float(right.mean()),
            "worst_accuracy": None if right is None else float(right.all(axis=1).mean()),
        }

    def _right(self) -> np.ndarray | None:
        return None if self._labels is None else self.predictions() == self._labels[:, None]

    def _change(self, y: np.ndarray) -> float:
        distance, norm = np.linalg.norm(y - self._logits), np.linalg.norm(self._logits)
        return float(distance / norm if norm > 0 else distance)


def _consistency(predictions: np.ndarray) -> float:
    """The mean of Σ_c p_c² over the rows of `[b, t]`: exactly 1 if each row holds one class."""
    votes = [np.unique(row, return_counts=True)[1] for row in predictions]
    same = sum(int(np.sum(count.astype(np.int64) ** 2)) for count in votes)
    return same / (predictions.shape[0] * predictions.shape[1] ** 2)


def _probability(logits: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """The softmax at one class for each sample."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.take_along_axis(powers, classes[:, None], axis=1)[:, 0] / powers.sum(axis=1)


def _classify(f: Callable[[Any], Any], x: Any) -> np.ndarray:
    y = run_finite(f, x)
    if y.ndim != 2 or y.shape[1] < 2:
        raise ValueError(
            f"f maps a batch of shape {x.shape} to shape {y.shape}: a classifier returns one "
            f"number for each of two classes or more, [b, classes]. Pool over space and group; "
            f"return (0, z) for a single logit z."
        )
    return y


def _checked_labels(labels: Any, samples: int, classes: int) -> np.ndarray | None:
    if labels is None:
        return None
    labels = np.asarray(labels)
    if labels.shape != (samples,) or not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(
            f"labels should be {samples} integers, one class for each sample, got {labels.dtype} "
            f"of shape {labels.shape}."
        )
    if labels.min() < 0 or labels.max() >= classes:
        raise ValueError(
            f"labels range from {labels.min()} to {labels.max()}, and f has {classes} classes, "
            f"from 0 to {classes - 1}."
        )
    return labels
