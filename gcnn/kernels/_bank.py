"""The filter bank of a convolution: slot h is the element h acting on the weights.

A bank is one gather of the weights, and its gradient another: without a scatter, deterministic on
every device, and compiled in the same time for any group. On a skewed lattice the taps are those
that the group preserves, a hexagon for p6, and the weights beside them play no part.
"""

import functools
import math
from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Num

from ..actions import (
    act_on_group_axis,
    act_on_space,
    check_sides,
    fill_outside,
    permute_axis,
    swapped_axes,
)
from ..groups import Group


def lifting_bank(group: Group, weight: Num[Array, "*u i o"]) -> Num[Array, "*u i h o"]:
    """The bank of a lifting convolution (Cohen & Welling 2016, eq. 10).

    B[u, i, h, o] = W[h⁻¹u, i, o]

    Args:
      group: the group.
      weight: W, `[*u, i, o]`: kernel positions u, input channels, output channels.

    Raises:
      ValueError: the group does not preserve the kernel's shape.
    """
    return _bank(group, checked_taps(group, weight, ("in", "out")), group.dim)


def group_bank(group: Group, weight: Num[Array, "*u k i o"]) -> Num[Array, "*u k i h o"]:
    """The bank of a group convolution (Cohen & Welling 2016, eq. 11).

    B[u, k, i, h, o] = W[h⁻¹u, h⁻¹k, i, o]

    Args:
      group: the group.
      weight: W, `[*u, k, i, o]`: kernel positions u, group elements k, input channels,
        output channels.

    Raises:
      ValueError: the group does not preserve the kernel's shape, or the axis k is not its own.
    """
    weight = checked_taps(group, weight, ("|H|", "in", "out"))
    weight = act_on_group_axis(group, group.identity, weight, group.dim)  # which checks the axis
    return _bank(group, weight, group.dim + 1)


def _bank(group: Group, weight: Array, axes: int) -> Array:
    """The bank from |H| copies of the weights, whose first `axes` axes the group acts upon."""
    if group.order == 1:
        return jnp.expand_dims(weight, -2)
    flat = weight.reshape(-1, *weight.shape[axes:])  # [uk, i, o]
    copies = jnp.broadcast_to(flat, (group.order, *flat.shape)).reshape(-1, *flat.shape[1:])
    bank = permute_axis(copies, _source(group, weight.shape[:axes]), 0)
    return jnp.moveaxis(bank.reshape(group.order, *weight.shape), 0, -2)


@functools.lru_cache(maxsize=64)
def _source(group: Group, grid: tuple[int, ...]) -> np.ndarray:
    """Where B[h, u, k] lies in |H| copies of the weights, as flat indices of `[h, u, k]`."""
    d = group.dim
    places = np.arange(math.prod(grid)).reshape(grid)
    moved = []
    for h in range(group.order):
        slot = act_on_space(group, h, places, range(d))
        slot = slot if len(grid) == d else act_on_group_axis(group, h, slot, d)
        moved.append(slot.ravel() + h * places.size)
    return np.concatenate(moved)


def check_kernel_size(group: Group, kernel_size: Sequence[int]) -> None:
    """Raise a ValueError if an element maps a kernel of this shape onto another shape."""
    check_sides(group, kernel_size, "A kernel")
    for (a, b), g in swapped_axes(group).items():
        if kernel_size[a] != kernel_size[b]:
            raise ValueError(
                f"A kernel of shape {tuple(kernel_size)} is not preserved by the element "
                f"{group.names[g]} of {group}, which swaps axes {a} and {b}: it becomes another "
                f"shape. Use equal sizes along these axes, or a group without this element."
            )


def checked_taps(group: Group, weight: Array, rest: tuple[str, ...]) -> Array:
    """The weight `[*kernel_size, *rest]`, with zeros where the group preserves no tap.

    Raises:
      ValueError: it has another rank, or a shape that the group does not preserve.
    """
    if weight.ndim != group.dim + len(rest):
        raise ValueError(
            f"Under {group}, the weight is [*kernel_size, {', '.join(rest)}], of rank "
            f"{group.dim + len(rest)}; got shape {weight.shape}."
        )
    check_kernel_size(group, weight.shape[: group.dim])
    return fill_outside(group, weight, range(group.dim), 0)
