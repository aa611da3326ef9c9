"""Lattices whose group skews the axes of an array: the hexagon, and the permutation of its pixels.

The elements of p6 are no transpositions and flips. They preserve a part of a square array, the
largest one that they can: the pixels whose whole orbit stays within the array,

S = {p : gp lies in the array, for every g ∈ H},

counted from the centre. In axial coordinates that is a hexagon, in other coordinates or dimensions
whatever it has to be. An element permutes S, and leaves all other pixels where they are: again
y[p] = x[σ(p)] with a permutation σ of all pixels, so that whatever acts pointwise commutes with it.
"""

import functools
from collections.abc import Sequence
from typing import Any, TypeVar

import jax
import numpy as np

from ..groups import Group
from ._axes import skewed_axes

AnyArray = TypeVar("AnyArray", bound=Any)  # numpy.ndarray or jax.Array


def preserved_pixels(group: Group, space: Sequence[int]) -> np.ndarray:
    """The largest set of pixels that the group preserves, as a read-only mask.

    Element `[*p]` is True if gp lies within the array for every element g. All are, if the group
    skews no axis. `nnx.BatchNorm` takes the mask, with axes of length 1 for batch and channels,
    to leave the other pixels out of its statistics.

    Args:
      group: the group.
      space: the lengths of the space axes.

    Raises:
      ValueError: as `check_sides`.

    Example:
      >>> from gcnn import actions, groups
      >>> print(actions.preserved_pixels(groups.p6(), (5, 5)).astype(int))
      [[0 0 1 1 1]
       [0 1 1 1 1]
       [1 1 1 1 1]
       [1 1 1 1 0]
       [1 1 1 0 0]]
    """
    return _preserved(group, tuple(space))


def check_sides(group: Group, space: Sequence[int], what: str) -> None:
    """Raise a ValueError if an array of these sides has no pixel for the elements to turn about.

    Along the axes that the group skews, sides must be odd, and equal where the axes mix.

    Args:
      group: the group.
      space: the lengths of the space axes.
      what: "An image", to begin the message.
    """
    for axis, g in skewed_axes(group).items():
        mixed = [a for a in skewed_axes(group) if group.matrices[:, axis, a].any() or a == axis]
        sides = [space[a] for a in mixed]
        if len(set(sides)) > 1 or sides[0] % 2 == 0:
            good = max(sides) + 1 - max(sides) % 2
            raise ValueError(
                f"{what} of sides {tuple(space)} is not preserved by the element {group.names[g]} "
                f"of {group}, which skews axes {tuple(mixed)} and turns about a pixel. The sides "
                f"along these axes must be odd and equal: use {good} along each."
            )


def fill_outside(group: Group, x: AnyArray, axes: Sequence[int], value: Any) -> AnyArray:
    """The array with `value` in the pixels that the group does not preserve.

    y[p] = x[p] for p ∈ S, and `value` elsewhere

    So the array stands for a function on the whole lattice, constant beyond S, on which the group
    acts as on the array. If the group skews no axis, it is x itself.

    Args:
      group: the group.
      x: an array.
      axes: the space axes of x.
      value: what to put there.

    Raises:
      ValueError: as `check_sides`.
    """
    if not skewed_axes(group):
        return x
    axes = [a % x.ndim for a in axes]
    kept = preserved_pixels(group, [x.shape[a] for a in axes]).transpose(np.argsort(axes))
    kept = kept.reshape([n if a in axes else 1 for a, n in enumerate(x.shape)])
    xp = x.__array_namespace__()
    return xp.where(kept, x, xp.asarray(value, dtype=x.dtype))


def permute_pixels(group: Group, g: int, x: AnyArray, axes: Sequence[int]) -> AnyArray:
    """g on the axes that the group skews, among the space axes `axes` of x.

    One gather with unique indices. Its inverse is known, so that its gradient is one again, and
    no scatter.
    """
    skewed = sorted(skewed_axes(group))
    at = [axes[a] for a in skewed]
    check_sides(group, [x.shape[a] for a in axes], "An array")
    if g == group.identity:
        return x
    xp, first = x.__array_namespace__(), min(at)
    side_by_side = list(range(first, first + len(at)))
    x = xp.moveaxis(x, at, side_by_side)
    shape = x.shape
    x = x.reshape(*shape[:first], -1, *shape[first + len(at) :])
    sides = tuple(shape[a] for a in side_by_side)
    y = permute_axis(x, _source(group, g, sides), first)
    return xp.moveaxis(y.reshape(shape), side_by_side, at)


def permute_axis(x: AnyArray, source: np.ndarray, axis: int) -> AnyArray:
    """The entries of an axis in another order: y[i] = x[source[i]], all other axes untouched.

    One gather, and so is its gradient, since the inverse is known: neither is a scatter.

    Args:
      x: an array.
      source: a permutation of the indices along the axis.
      axis: the axis.
    """
    axis %= x.ndim
    if not isinstance(x, jax.Array):
        return x.take(source, axis)
    return _gather(x, source.astype(np.int32), np.argsort(source).astype(np.int32), axis)


@functools.partial(jax.jit, static_argnums=3)
def _gather(x: jax.Array, source: jax.Array, target: jax.Array, axis: int) -> jax.Array:
    """y[p] = x[source[p]]: the solution of y[target[p]] = x[p], which tells JAX the transpose."""

    def take(indices: jax.Array, x: jax.Array) -> jax.Array:
        at = (*(slice(None),) * axis, indices)
        return x.at[at].get(unique_indices=True, mode="promise_in_bounds")

    if not jax.numpy.issubdtype(x.dtype, jax.numpy.inexact):
        return take(source, x)
    return jax.lax.custom_linear_solve(
        functools.partial(take, target),
        x,
        lambda _, x: take(source, x),
        lambda _, y: take(target, y),
    )


@functools.lru_cache(maxsize=512)
def _source(group: Group, g: int, sides: tuple[int, ...]) -> np.ndarray:
    """Flat indices over the skewed axes: `[p]` is that of g⁻¹p, or p itself outside S."""
    images, radius = _images(group, sides)
    flat = np.ravel_multi_index(tuple(images[group.inverse[g]] + radius), sides, mode="clip")
    inside = (np.abs(images) <= radius).all(axis=(0, 1))
    return _frozen(np.where(inside, flat, np.arange(flat.size)).astype(np.int32))


@functools.lru_cache(maxsize=512)
def _preserved(group: Group, space: tuple[int, ...]) -> np.ndarray:
    check_sides(group, space, "An array")
    skewed = sorted(skewed_axes(group))
    if not skewed:
        return _frozen(np.ones(space, bool))
    images, radius = _images(group, tuple(space[a] for a in skewed))
    inside = (np.abs(images) <= radius).all(axis=(0, 1))
    inside = inside.reshape([n if a in skewed else 1 for a, n in enumerate(space)])
    return _frozen(np.broadcast_to(inside, space).copy())


def _images(group: Group, sides: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """gp from the centre, `[g, a, p]`, over the skewed axes a; and the reach of each axis."""
    skewed = sorted(skewed_axes(group))
    radius = np.array(sides)[:, None] // 2
    offsets = np.indices(sides).reshape(len(sides), -1) - radius
    return group.matrices[:, skewed][:, :, skewed] @ offsets, radius


def _frozen(table: np.ndarray) -> np.ndarray:
    table.setflags(write=False)
    return table
