"""Moves of images that a mask should follow: exact ones, and interpolating ones with a way back.

A move takes and returns an array `[b, y, x, c]` on the host: images, logits or masks.
"""

import functools
import itertools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..actions import act_on_image, shift_interpolated, warp_interpolated
from ..groups import Group
from ._disc import checked_angles, rotated


class Move(NamedTuple):
    """A move by name; one that interpolates has a way back, which is not exact either."""

    name: str
    there: Callable[[np.ndarray], np.ndarray]
    back: Callable[[np.ndarray], np.ndarray] | None = None


class Family(NamedTuple):
    """Moves of one kind; where pixels leave the image, only its inscribed disc is looked at."""

    name: str
    moves: Sequence[Move]
    exact: bool = True
    on_disc: bool = False


def circular_shifts(shifts: Any, size: tuple[int, int]) -> Family:
    """Shifts by pairs of pixels, or "all" of an image of this size."""
    if isinstance(shifts, str):
        if shifts != "all":
            raise ValueError(f'shifts should be pairs of whole pixels or "all", got {shifts!r}.')
        shifts = list(itertools.product(*map(range, size)))
    pairs = _rows_of_two("shifts", shifts)
    if pairs.dtype.kind not in "iu":
        raise ValueError(
            f"shifts should be whole pixels, got type {pairs.dtype}. fractional_shifts "
            f"takes others."
        )
    return Family("circular shifts", [_circular(int(down), int(right)) for down, right in pairs])


def _circular(down: int, right: int) -> Move:
    return Move(f"({down}, {right})", lambda a: np.roll(a, (down, right), axis=(1, 2)))


def elements(group: Group) -> Family:
    """The elements of a group."""
    return Family(group.name, [_element(group, g) for g in range(group.order)])


def _element(group: Group, g: int) -> Move:
    return Move(group.names[g], functools.partial(act_on_image, group, g))


def composed(first: Family, second: Family) -> Family:
    """Each move of the second family after each of the first."""

    def after(a: Move, b: Move) -> Move:
        return Move(f"{b.name} after {a.name}", lambda x: b.there(a.there(x)))

    name = f"{first.name} × {second.name}"
    return Family(name, [after(a, b) for a in first.moves for b in second.moves])


def one_per_sample(family: Family, shape: tuple[int, ...]) -> Family:
    """The family, and a move that takes each sample of a batch its own way, where it can be."""
    probe = np.empty((1, *shape[1:]))
    own = [move for move in family.moves if move.there(probe).shape == probe.shape]
    if shape[0] < 2 or len(own) < 2:
        return family
    # spread over all of them: neighbouring shifts would share a stride
    order = np.resize(np.random.default_rng(0).permutation(len(own)), shape[0])

    def there(a: np.ndarray) -> np.ndarray:
        return np.concatenate([own[j].there(a[i : i + 1]) for i, j in enumerate(order)])

    return family._replace(moves=[*family.moves, Move("one per sample", there)])


def fractional_shifts(shifts: Any) -> Family:
    """Circular shifts by pairs of any numbers of pixels, by Fourier interpolation."""

    def move(down: float, right: float) -> Move:
        s = np.array([down, right])
        return Move(f"({down:g}, {right:g})", lambda a: _host(_shift, a, s),
                    lambda a: _host(_shift, a, -s))  # fmt: skip

    pairs = _rows_of_two("fractional_shifts", shifts)
    return Family("fractional shifts", [move(*map(float, s)) for s in pairs], exact=False)


def rotations(degrees: Any) -> Family:
    """Rotations about the centre, by bilinear interpolation."""

    def move(angle: float) -> Move:
        return Move(f"{angle:g}°", lambda a: np.asarray(rotated(a, angle, "linear")),
                    lambda a: np.asarray(rotated(a, -angle, "linear")))  # fmt: skip

    moves = [move(angle) for angle in checked_angles(degrees)] if len(degrees) else []
    return Family("rotations", moves, exact=False, on_disc=True)


def warps(displacements: Any) -> Family:
    """Warps along displacement fields, by bilinear interpolation.

    Raises:
      ValueError: they are not `[n, y, x, 2]` or `[n, b, y, x, 2]`.
    """
    fields = [np.asarray(d) for d in displacements]
    if any(d.ndim not in (3, 4) or d.shape[-1] != 2 for d in fields):
        raise ValueError(
            f"warps should be displacement fields [n, y, x, 2] or [n, b, y, x, 2], got n = "
            f"{len(fields)} of shape {fields[0].shape}."
        )

    def move(i: int, d: np.ndarray) -> Move:
        return Move(f"warp {i + 1}", lambda a: _host(_warp, a, d),
                    lambda a: _host(_warp, a, np.asarray(_inverse(jnp.asarray(d)))))  # fmt: skip

    return Family("warps", [move(i, d) for i, d in enumerate(fields)], exact=False)


_shift = jax.jit(shift_interpolated)
_warp = jax.jit(warp_interpolated)


@jax.jit
def _inverse(d: Float[Array, "*batch y x 2"]) -> Float[Array, "*batch y x 2"]:
    """The displacement e that undoes d: e(p) = -d(p - e(p)), by iteration from e = 0."""
    fields = d if d.ndim == 4 else d[None]
    e = jax.lax.fori_loop(0, 20, lambda _, e: -warp_interpolated(fields, e), jnp.zeros_like(fields))
    return e.reshape(d.shape)


def _host(move: Callable[..., Any], a: np.ndarray, by: Any) -> np.ndarray:
    """The move on the device; logits and masks, in float64 on the host, in its widest type."""
    return np.asarray(move(jnp.asarray(a), jnp.asarray(by, jnp.result_type(float))))


def _rows_of_two(name: str, values: Any) -> np.ndarray:
    pairs = np.asarray(values)
    if pairs.size and (pairs.ndim != 2 or pairs.shape[1] != 2):
        raise ValueError(
            f"{name} should be pairs (rows, columns) in pixels, got shape {pairs.shape}."
        )
    return pairs.reshape(-1, 2) if pairs.size else np.empty((0, 2), int)
