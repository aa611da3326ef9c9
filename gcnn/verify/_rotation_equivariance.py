"""Does an output image turn with the input? By any angle, beside the error of interpolation."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from ._batch import compiled, run_finite
from ._disc import ANGLES, checked_angles, checked_images, disc, distance, rotated
from ._table import table


@dataclasses.dataclass(frozen=True)
class RotationEquivarianceReport:
    """How far an output image is from turning with the input.

    Attributes:
      method: of interpolation.
      angles: a, in degrees, counter-clockwise.
      relative: for each angle, ‖f(R_a x) - R_a f(x)‖ / ‖f(x)‖ on the disc, over the whole batch.
      round_trip: for each, ‖R_{-a} R_a x - x‖ / ‖x‖ on the disc: the interpolation's own error
        in the input, made twice.
      round_trip_out: likewise for f(x).
      round_trip_change: for each, ‖f(R_{-a} R_a x) - f(x)‖ / ‖f(x)‖ on the disc: what the error
        in the input alone does to the output.
      verdict: "measured", or "vacuous" where the errors prove nothing.
      reason: why, in words.
    """

    method: str
    angles: tuple[float, ...]
    relative: tuple[float, ...]
    round_trip: tuple[float, ...]
    round_trip_out: tuple[float, ...]
    round_trip_change: tuple[float, ...]
    verdict: str
    reason: str

    @property
    def error(self) -> float:
        """The mean of the relative errors over the angles."""
        return float(np.mean(self.relative))

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON-ready values."""
        return {**dataclasses.asdict(self), "error": self.error}

    def __str__(self) -> str:
        """The report as a table."""
        header = ("angle", "relative error", "round trip alone", "of x", "of f(x)")
        measures = (self.relative, self.round_trip_change, self.round_trip, self.round_trip_out)
        rows = [
            (f"{a:g}°", *(f"{value:.1e}" for value in values))
            for a, *values in zip(self.angles, *measures, strict=True)
        ]
        return (
            f"rotations, {self.method} interpolation\n{table(header, rows)}\n"
            f"{self.verdict}: {self.reason}"
        )


def rotation_equivariance(
    f: Callable[[Any], Any],
    x: Any,
    *,
    angles: Sequence[float | int] = ANGLES,
    method: str = "linear",
) -> RotationEquivarianceReport:
    """How far the output image is from turning with the input, for rotations by any angle.

        error(a) = ‖f(R_a x) - R_a f(x)‖ / ‖f(x)‖  on the disc

    Both rotations interpolate (`actions.rotate_interpolated`), with the same method. The report
    holds beside the error what a rotation by a and back does to x, to f(x), and, through f, to
    the output. For f(x) = x the error is 0 at every angle, and for a network that commutes with
    rotations by 90° it is rounding at the multiples of 90°, on square images.

    f is shown the inscribed disc, of diameter min(N_y, N_x) pixels, with zeros around it, as in
    `rotation_consistency`. The error is taken on the disc inscribed in the output, without the
    2 pixels at its rim (3 for "cubic") that interpolation mixes with what is outside.

    Args:
      f: a function that JAX can trace, or a module, from images to images `[b, y, x, c]`, of the
        size of x or of another one, with the same centre.
      x: images `[b, y, x, c]`.
      angles: in degrees, counter-clockwise.
      method: of interpolation, "linear" or "cubic".

    Raises:
      ValueError: an empty batch, values that are not finite, a callable that changes the batch
        size or returns no images, images too small for a disc, or no angle.

    Example:
      >>> import jax
      >>> from gcnn import verify
      >>> x = jax.random.uniform(jax.random.key(0), (4, 9, 9, 2))
      >>> verify.rotation_equivariance(lambda x: x**2, x, angles=(0, 90)).relative
      (0.0, 0.0)
    """
    x, angles = checked_images(x), checked_angles(angles)
    shown, inner = disc(x.shape), disc(x.shape, method)
    call = compiled(f)

    def output(image: Any) -> np.ndarray:
        return run_finite(call, jnp.asarray(image) * shown)

    y = output(x)
    if y.ndim != 4:
        raise ValueError(
            f"f maps images of shape {x.shape} to shape {y.shape}, where rotations of the output "
            f"need images [b, y, x, c]. For [b, classes] there is rotation_consistency."
        )
    inner_out = disc(y.shape, method)
    rows = []
    for angle in angles:
        turned, turned_out = rotated(x, angle, method), rotated(y, angle, method)
        back, back_out = rotated(turned, -angle, method), rotated(turned_out, -angle, method)
        rows.append(
            (
                distance(output(turned), turned_out, inner_out, y),
                distance(back, x, inner),
                distance(back_out, y, inner_out),
                distance(output(back), y, inner_out),
            )
        )
    relative, round_trip, round_trip_out, round_trip_change = zip(*rows, strict=True)
    verdict, reason = _judge(y * inner_out, relative, round_trip_change)
    return RotationEquivarianceReport(
        method, angles, relative, round_trip, round_trip_out, round_trip_change, verdict, reason
    )


def _judge(
    y: np.ndarray, relative: Sequence[float], round_trip_change: Sequence[float]
) -> tuple[str, str]:
    if not y.any():
        return "vacuous", "f(x) is 0, which every rotation leaves alone"
    if len(y) > 1 and (y == y[:1]).all():
        return "vacuous", "f(x) is the same for every sample: it does not depend on x"
    return "measured", (
        f"mean relative error {np.mean(relative):.1e}, where interpolating there and back alone "
        f"makes {np.mean(round_trip_change):.1e}"
    )
