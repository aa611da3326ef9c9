"""The exact actions: they permute array entries, and round nothing."""

from collections.abc import Callable, Sequence
from typing import Any

from ..groups import Group
from ._axes import axis_moves, skewed_axes
from ._skewed import AnyArray, permute_axis, permute_pixels

Action = Callable[[Group, int, AnyArray], AnyArray]


def act_on_image(group: Group, g: int, x: AnyArray) -> AnyArray:
    """g on an image or scalar field: (g·x)(p) = x(g⁻¹p).

    For p4 this is `numpy.rot90(x, g, axes=(y, x))`. An element that swaps two axes of unequal
    length swaps their lengths.

    Args:
      group: the group.
      g: index of the element.
      x: `[b, *space, c]`, with `group.dim` space axes.
    """
    _check_rank(group, x, group.dim + 2, "an image is [b, *space, c]")
    return act_on_space(group, g, x, range(1, group.dim + 1))


def act_on_regular(group: Group, g: int, f: AnyArray) -> AnyArray:
    """g on a regular field, a function on the group: (g·f)(p, h) = f(g⁻¹p, g⁻¹h).

    Args:
      group: the group.
      g: index of the element.
      f: `[b, *space, h, c]`.
    """
    _check_rank(group, f, group.dim + 3, "a regular field is [b, *space, h, c]")
    return act_on_group_axis(group, g, act_on_space(group, g, f, range(1, group.dim + 1)), -2)


def act_on_orbit(group: Group, g: int, f: AnyArray) -> AnyArray:
    """g on a function on the point group alone, no space axes left: (g·f)(h) = f(g⁻¹h).

    Args:
      group: the group.
      g: index of the element.
      f: `[b, h, c]`.
    """
    _check_rank(group, f, 3, "a function on the point group is [b, h, c]")
    return act_on_group_axis(group, g, f, -2)


def act_on_invariant(group: Group, g: int, x: AnyArray) -> AnyArray:
    """g on what it leaves alone, such as the logits of a classifier: g·x = x."""
    del group, g
    return x


def act_on_space(group: Group, g: int, x: AnyArray, axes: Sequence[int]) -> AnyArray:
    """g on the axes `axes` of an array: y[p] = x[g⁻¹p], all other axes untouched.

    A transposition and flips, whose gradient is the same again: no gather and no scatter. Along
    axes that the group skews (`skewed_axes`), the element permutes the pixels that the group
    preserves (`preserved_pixels`, a hexagon for p6) by a gather, whose gradient is a gather, and
    leaves the others where they are.

    Args:
      group: the group, of dimension `len(axes)`.
      g: index of the element.
      x: an array.
      axes: the space axes of x, in the order of the rows of `group.matrices`.

    Raises:
      ValueError: the group skews axes of x of even or unequal lengths.
    """
    axes = [a % x.ndim for a in axes]
    source, reverse = axis_moves(group, g)
    order = list(range(x.ndim))
    for a, b in zip(axes, source, strict=True):
        order[a] = axes[b]
    y = x.transpose(order)
    flipped = tuple(a for a, r in zip(axes, reverse, strict=True) if r)
    y = y.__array_namespace__().flip(y, axis=flipped) if flipped else y
    return permute_pixels(group, g, y, axes) if skewed_axes(group) else y


def act_on_group_axis(group: Group, g: int, f: AnyArray, axis: int) -> AnyArray:
    """g on a group axis by left translation: y[h] = f[g⁻¹h].

    One gather, and so is its gradient; see `permute_axis`.

    Args:
      group: the group.
      g: index of the element.
      f: an array with `group.order` entries along `axis`.
      axis: the group axis.

    Raises:
      ValueError: the axis has another length.
    """
    if f.shape[axis] != group.order:
        raise ValueError(
            f"Axis {axis} of an array of shape {f.shape} should be the group axis of {group}, "
            f"of length {group.order}. Does the field come from a layer of another group?"
        )
    if g == group.identity:
        return f
    return permute_axis(f, group.product[group.inverse[g]], axis)


def _check_rank(group: Group, x: Any, rank: int, what: str) -> None:
    if x.ndim != rank:
        raise ValueError(f"Under {group}, {what}, of rank {rank}; got shape {x.shape}.")
