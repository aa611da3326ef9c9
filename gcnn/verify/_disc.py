"""Rotations on the disc that they leave in the frame, in degrees."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..actions import rotate_interpolated
from ._batch import checked_batch
from ._verdict import ratio

ANGLES = tuple(range(0, 360, 15))
_REACH = {"linear": 2, "cubic": 3}  # from a position to the pixels it is interpolated from

_rotate = jax.jit(rotate_interpolated, static_argnums=2)


def checked_images(x: Any) -> np.ndarray:
    """The batch on the host, of the type that JAX computes in.

    Raises:
      ValueError: as `checked_batch`, or it does not hold images.
    """
    x = np.asarray(jnp.asarray(checked_batch(x)))
    if x.ndim != 4:
        raise ValueError(f"x should be images [b, y, x, c], which can turn; got shape {x.shape}.")
    return x


def checked_angles(angles: Sequence[float | int]) -> tuple[float, ...]:
    """The angles in degrees.

    Raises:
      ValueError: there is none, or one is NaN or infinite.
    """
    found = tuple(float(a) for a in angles)
    if not found or not np.isfinite(found).all():
        raise ValueError(f"angles should be one number of degrees or more, got {list(angles)}.")
    return found


def rotated(x: Any, degrees: float, method: str) -> jax.Array:
    """R_a x, by an angle in degrees."""
    return _rotate(jnp.asarray(x), np.deg2rad(degrees % 360), method)


def disc(shape: tuple[int, ...], method: str | None = None) -> np.ndarray:
    """Where images `[b, y, x, c]` hold their inscribed disc, `[1, y, x, 1]`.

    Args:
      shape: of the images.
      method: of interpolation, to leave out the rim that it mixes with what is outside.

    Raises:
      ValueError: no pixel is left, or there is no such method.
    """
    if method is not None and method not in _REACH:
        known = ", ".join(map(repr, _REACH))
        raise ValueError(f"The method {method!r} of interpolation is none of {known}.")
    reach = 0 if method is None else _REACH[method]
    radius = (min(shape[1:3]) - 1) / 2 - reach
    if radius < 0:
        raise ValueError(
            f"Images of {shape[1]} x {shape[2]} pixels hold no disc that {method} interpolation "
            f"leaves within the frame: it takes {2 * reach + 1} pixels along each axis."
        )
    v, u = (np.arange(n) - (n - 1) / 2 for n in shape[1:3])
    return (v[:, None] ** 2 + u**2 <= radius**2)[None, :, :, None]


def distance(a: Any, b: Any, where: np.ndarray, reference: Any = None) -> float:
    """‖a - b‖ / ‖reference‖ on the disc, in float64; the reference is b by default."""
    a, b = (np.where(where, np.asarray(v, np.float64), 0) for v in (a, b))
    norm = np.linalg.norm(b if reference is None else np.where(where, reference, 0))
    return ratio(np.linalg.norm(a - b), float(norm))
