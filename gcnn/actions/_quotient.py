"""The action on functions on cosets, and the reordering of an axis that layers use for it."""

import functools
from collections.abc import Sequence

import numpy as np

from ..groups import Group
from ._exact import Action, AnyArray, act_on_space
from ._skewed import permute_axis


def act_on_quotient(group: Group, subgroup: Sequence[int]) -> Action:
    """The action on fields over the cosets hK of a subgroup: (g·f)(p, hK) = f(g⁻¹p, g⁻¹hK).

    The field is `[b, *space, coset, c]`, with one slot for each of `group.left_cosets(subgroup)`,
    in that order, as `nn.CosetPool` returns it. With K = {e} it is a regular field, with K = H an
    image that has an axis of length 1 before its channels.

    Args:
      group: the group.
      subgroup: the elements of K, by their indices.

    Returns:
      An action: a function of the group, the index of g, and the field.

    Raises:
      ValueError: the elements are not a subgroup.

    Example:
      >>> import jax
      >>> from gcnn import actions, groups, nn, verify
      >>> p4, half_turn = groups.p4(), (0, 2)
      >>> f = jax.random.normal(jax.random.key(0), (2, 8, 8, 4, 3))
      >>> act_out = actions.act_on_quotient(p4, half_turn)
      >>> verify.equivariance(nn.CosetPool(p4, half_turn), p4, f, act_out=act_out).verdict
      'exact'
    """
    cosets = group.left_cosets(subgroup)
    coset_of = {h: i for i, coset in enumerate(cosets) for h in coset}

    def act(acting: Group, g: int, f: AnyArray) -> AnyArray:
        d = group.dim
        if acting != group:
            raise ValueError(f"This action on cosets is one of {group}, and not of {acting}.")
        if f.ndim != d + 3 or f.shape[-2] != len(cosets):
            raise ValueError(
                f"A field on the {len(cosets)} cosets of {[group.names[k] for k in subgroup]} in "
                f"{group} is [b, *space, {len(cosets)}, c] with {d} space axes; got shape "
                f"{f.shape}."
            )
        back = group.product[group.inverse[g]]  # h ↦ g⁻¹h
        moved = [coset_of[int(back[coset[0]])] for coset in cosets]
        return take_slots(act_on_space(group, g, f, range(1, d + 1)), moved, -2)

    return act


def take_slots(f: AnyArray, slots: Sequence[int], axis: int) -> AnyArray:
    """The entries `slots` of an axis, in that order: y[i] = f[slots[i]].

    All of them in another order are one gather (`permute_axis`); fewer are slices of runs. No
    gradient has a scatter-add.

    Args:
      f: an array.
      slots: indices along the axis.
      axis: the axis.
    """
    axis %= f.ndim
    whole = list(range(f.shape[axis]))
    if list(slots) == whole:
        return f
    if sorted(slots) == whole:
        return permute_axis(f, np.array(slots), axis)
    before = (slice(None),) * axis
    parts = [f[(*before, slice(lo, hi))] for lo, hi in _runs(tuple(slots))]
    return f.__array_namespace__().concat(parts, axis=axis)


@functools.cache
def _runs(indices: tuple[int, ...]) -> tuple[tuple[int, int], ...]:
    """The sequence as consecutive ranges: (3, 0, 1, 2) is (3, 4), (0, 3)."""
    starts = [i for i, j in enumerate(indices) if i == 0 or indices[i - 1] + 1 != j]
    ends = [*starts[1:], len(indices)]
    return tuple((indices[i], indices[i] + j - i) for i, j in zip(starts, ends, strict=True))
