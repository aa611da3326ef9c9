"""Does a classifier keep its mind when the image turns? By any angle, beside what blurs alone."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from ._batch import compiled
from ._consistency import ConsistencyReport, Poll
from ._disc import ANGLES, checked_angles, checked_images, disc, distance, rotated
from ._table import table


@dataclasses.dataclass(frozen=True, eq=False)
class RotationReport(ConsistencyReport):
    """What rotations do to a classifier; the first attributes are those of `ConsistencyReport`.

    Attributes:
      method: of interpolation.
      angles: a, in degrees, counter-clockwise.
      change: for each angle, ‖f(R_a x) - f(x)‖ / ‖f(x)‖ over the whole batch.
      agreement_at: for each, the fraction of samples that keep their class.
      accuracy_at: for each, the fraction of samples that are right, or None without labels.
      round_trip: for each, ‖R_{-a} R_a x - x‖ / ‖x‖ on the disc, which is 0 for a rotation
        that is exact: the interpolation's own error, made twice.
      round_trip_change: for each, ‖f(R_{-a} R_a x) - f(x)‖ / ‖f(x)‖: what that error alone does
        to the output. A change that is not well above it says little about f.
    """

    method: str
    angles: tuple[float, ...]
    change: tuple[float, ...]
    agreement_at: tuple[float, ...]
    accuracy_at: tuple[float, ...] | None
    round_trip: tuple[float, ...]
    round_trip_change: tuple[float, ...]

    def __str__(self) -> str:
        """The report as two tables."""
        header = ["angle", "change", "round trip alone", "round trip of x", "agreement"]
        columns = [
            [f"{a:g}°" for a in self.angles],
            [f"{c:.1e}" for c in self.change],
            [f"{c:.1e}" for c in self.round_trip_change],
            [f"{c:.1e}" for c in self.round_trip],
            [f"{100 * p:.2f} %" for p in self.agreement_at],
        ]
        if self.accuracy_at is not None:
            header.append("accuracy")
            columns.append([f"{100 * p:.2f} %" for p in self.accuracy_at])
        return (
            f"rotations, {self.method} interpolation: {self.transforms} angles, {self.samples} "
            f"samples\n{table(header, zip(*columns, strict=True))}\n\n"
            f"{table(('measure', 'value'), self._rows())}\n{self.verdict}: {self.reason}"
        )


def rotation_consistency(
    f: Callable[[Any], Any],
    x: Any,
    labels: Any = None,
    *,
    angles: Sequence[float | int] = ANGLES,
    method: str = "linear",
    mask: bool = True,
) -> RotationReport:
    """How a classifier takes rotations by any angle: its output, its classes, its accuracy.

        change(a) = ‖f(R_a x) - f(x)‖ / ‖f(x)‖

    R_a interpolates (`actions.rotate_interpolated`), and a change of the output is partly that
    of the interpolation. The report holds beside it what a rotation by a and back does to x and
    to the output. At multiples of 90° on square images nothing is interpolated, and both are 0.

    A rotation turns corners out of the frame, and zeros into it. So f is shown the inscribed
    disc, of diameter min(N_y, N_x) pixels, and zeros around it, at every angle, 0 included.

    Args:
      f: a function that JAX can trace, or a module, from images to logits `[b, classes]`.
      x: images `[b, y, x, c]`.
      labels: `[b]` integers, for the accuracies.
      angles: in degrees, counter-clockwise.
      method: of interpolation, "linear" or "cubic".
      mask: whether f is shown the disc alone; if not, the corners come and go.

    Raises:
      ValueError: an empty batch, values that are not finite, a callable that changes the batch
        size or returns no `[b, classes]`, labels of another length or type, no images, or no
        angle.

    Example:
      >>> import jax
      >>> from gcnn import verify
      >>> x = jax.random.uniform(jax.random.key(0), (4, 9, 9, 2))
      >>> report = verify.rotation_consistency(lambda x: x.mean(axis=(1, 2)), x, angles=(0, 30, 90))
      >>> report.change[0], report.change[1] < 0.1, report.change[2] < 1e-6
      (0.0, True, True)
    """
    x, angles = checked_images(x), checked_angles(angles)
    inner = disc(x.shape, method)
    shown = disc(x.shape) if mask else np.True_

    def seen(image: Any) -> Any:
        return jnp.asarray(image) * shown

    poll = Poll(compiled(f), seen(x), labels)
    round_trip, round_trip_change = [], []
    for angle in angles:
        turned = rotated(x, angle, method)
        back = rotated(turned, -angle, method)
        poll.ask(seen(turned))
        round_trip.append(distance(back, x, inner))
        round_trip_change.append(poll.change_at(seen(back)))
    accuracies = poll.accuracies()
    return RotationReport(
        **poll.counts(),
        method=method,
        angles=angles,
        change=tuple(poll.changes),
        agreement_at=tuple(poll.agreements().tolist()),
        accuracy_at=None if accuracies is None else tuple(accuracies.tolist()),
        round_trip=tuple(round_trip),
        round_trip_change=tuple(round_trip_change),
    )
