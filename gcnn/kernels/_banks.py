"""From weights to filter banks: slot h of a bank is the element h acting on the weights.

A kernel expansion is an action of H on the filter's own little grid, so there is no index
arithmetic here. The banks are made of transpositions, flips, slices and one stack: their
gradients contain no scatter-add, and are deterministic on every device.
"""

from collections.abc import Sequence

import jax.numpy as jnp
from jaxtyping import Array, Num

from ..actions import act_on_group_axis, act_on_space, swapped_axes
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
    space = range(group.dim)
    _check_weight(group, weight, ("in", "out"))
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
    _check_weight(group, weight, ("|H|", "in", "out"))
    slots = [
        act_on_group_axis(group, h, act_on_space(group, h, weight, range(d)), d)
        for h in range(group.order)
    ]
    return jnp.stack(slots, axis=-2)


def check_kernel_size(group: Group, kernel_size: Sequence[int]) -> None:
    """Raise a ValueError if an element maps a kernel of this shape onto another shape."""
    for (a, b), g in swapped_axes(group).items():
        if kernel_size[a] != kernel_size[b]:
            raise ValueError(
                f"A kernel of shape {tuple(kernel_size)} is not preserved by the element "
                f"{group.names[g]} of {group}, which swaps axes {a} and {b}: it becomes another "
                f"shape. Use equal sizes along these axes, or a group without this element."
            )


def _check_weight(group: Group, weight: Array, rest: tuple[str, ...]) -> None:
    if weight.ndim != group.dim + len(rest):
        raise ValueError(
            f"Under {group}, the weight is [*kernel_size, {', '.join(rest)}], of rank "
            f"{group.dim + len(rest)}; got shape {weight.shape}."
        )
    check_kernel_size(group, weight.shape[: group.dim])
