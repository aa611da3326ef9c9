"""The filter bank of a convolution: slot h is the element h acting on the weights.

Banks are made of transpositions, flips, slices and one stack, or of gathers where the lattice is
skewed or the group large: their gradients contain no scatter, and are deterministic on every
device. On a skewed lattice the taps are those that the group preserves, a hexagon for p6, and the
weights beside them play no part.
"""

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Num

from ..actions import (
    AnyArray,
    act_on_group_axis,
    act_on_space,
    check_sides,
    fill_outside,
    permute_axis,
    preserved_pixels,
    skewed_axes,
    swapped_axes,
)
from ..groups import Group

_MANY_ELEMENTS = 16  # XLA takes minutes to compile the slices of 48 elements on a CPU


def lifting_bank(group: Group, weight: Num[Array, "*u i o"]) -> Num[Array, "*u i h o"]:
    """The bank of a lifting convolution (Cohen & Welling 2016, eq. 10).

    B[u, i, h, o] = W[h⁻¹u, i, o]

    Args:
      group: the group.
      weight: W, `[*u, i, o]`: kernel positions u, input channels, output channels.

    Raises:
      ValueError: the group does not preserve the kernel's shape.
    """
    space = range(group.dim)
    weight = checked_taps(group, weight, ("in", "out"))
    slots = [act_on_space(group, h, weight, space) for h in range(group.order)]
    return jnp.stack(slots, axis=-2)


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
    d = group.dim
    weight = checked_taps(group, weight, ("|H|", "in", "out"))
    if group.order < _MANY_ELEMENTS:
        slots = [_acted(group, h, weight) for h in range(group.order)]
        return jnp.stack(slots, axis=-2)
    weight = act_on_group_axis(group, group.identity, weight, d)  # which checks the axis
    flat = weight.reshape(-1, *weight.shape[-2:])  # [uk, i, o]
    copies = jnp.broadcast_to(flat, (group.order, *flat.shape)).reshape(-1, *flat.shape[1:])
    bank = permute_axis(copies, _bank_source(group, weight.shape[:d]), 0)
    return jnp.moveaxis(bank.reshape(group.order, *weight.shape), 0, -2)


def _acted(group: Group, h: int, weight: AnyArray) -> AnyArray:
    """h on a regular field on the kernel's grid, `[*u, k, ...]`."""
    d = group.dim
    return act_on_group_axis(group, h, act_on_space(group, h, weight, range(d)), d)


@functools.lru_cache(maxsize=64)
def _bank_source(group: Group, size: tuple[int, ...]) -> np.ndarray:
    """Where B[h, u, k] lies in |H| copies of the weights, as flat indices of `[h, u, k]`."""
    places = np.arange(math.prod(size) * group.order).reshape(*size, group.order)
    moved = [_acted(group, h, places).ravel() + h * places.size for h in range(group.order)]
    return np.concatenate(moved)


def initial_kernel(
    group: Group,
    initializer: Callable[..., Array],
    key: Array,
    shape: Sequence[int],
    dtype: Any,
) -> Array:
    """A kernel `shape` = `[*kernel_size, ...]` drawn by an initialiser of `nnx.initializers`.

    On a skewed lattice the initialiser is asked for `[taps, ...]`, so that the fan-in counts the
    taps that exist, and the weights beside them are 0.

    Args:
      group: the group.
      initializer: called as `initializer(key, shape, dtype)`.
      key: a random key.
      shape: the kernel sizes, then the other axes.
      dtype: the type of the kernel.
    """
    if not skewed_axes(group):
        return initializer(key, tuple(shape), dtype)
    size, rest = tuple(shape[: group.dim]), tuple(shape[group.dim :])
    taps = np.flatnonzero(preserved_pixels(group, size))
    drawn = initializer(key, (len(taps), *rest), dtype)
    empty = jnp.zeros((np.prod(size), *rest), dtype)
    return empty.at[taps].set(drawn, unique_indices=True).reshape(shape)


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
