"""What a group does to the axes of an array: which it reverses, exchanges, or skews."""

import functools
from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from ..groups import Group


@functools.cache
def signed_permutation(group: Group, g: int) -> tuple[tuple[int, ...], tuple[bool, ...]]:
    """The element as array operations: axis a of g·x is axis `source[a]` of x, maybe reversed.

    Returns:
      `(source, reverse)`, both indexed by the space axis of the result.

    Raises:
      ValueError: the matrix has more than one entry in a row.
    """
    m = group.matrices[g]
    if (np.abs(m).sum(axis=1) != 1).any():
        raise ValueError(
            f"The element {group.names[g]} = {m.tolist()} of {group} skews the axes of an array: "
            f"only a signed permutation matrix is a transposition and flips."
        )
    source = np.abs(m).argmax(axis=1)
    return tuple(source.tolist()), tuple((m.sum(axis=1) < 0).tolist())


@functools.cache
def axis_moves(group: Group, g: int) -> tuple[tuple[int, ...], tuple[bool, ...]]:
    """As `signed_permutation`, of any element: axes that the group skews stay where they are."""
    if not skewed_axes(group):
        return signed_permutation(group, g)
    source, reverse = list(range(group.dim)), [False] * group.dim
    for a in range(group.dim):
        if a not in skewed_axes(group):
            source[a] = int(np.abs(group.matrices[g][a]).argmax())
            reverse[a] = bool(group.matrices[g][a].sum() < 0)
    return tuple(source), tuple(reverse)


@functools.cache
def skewed_axes(group: Group) -> Mapping[int, int]:
    """The space axes that some element skews, each with the first element that does.

    An axis is skewed if an element maps it to a sum of axes, or if the group mixes it with one
    that is. None is, if the elements are signed permutation matrices: then they transpose and
    flip arrays, and need no index tables.

    Example:
      >>> from gcnn import actions, groups
      >>> dict(actions.skewed_axes(groups.p4m())), dict(actions.skewed_axes(groups.p6m()))
      ({}, {0: 1, 1: 1})
    """
    mixed = (group.matrices != 0).any(axis=0)
    mixed |= mixed.T
    reached = np.linalg.matrix_power(mixed.astype(int), group.dim) > 0
    witness = {a: g for g, a in np.argwhere((group.matrices != 0).sum(axis=2) > 1).tolist()[::-1]}
    found = {
        a: min(witness[b] for b in witness if reached[a, b])
        for a in range(group.dim)
        if any(reached[a, b] for b in witness)
    }
    return MappingProxyType(found)


@functools.cache
def mirrored_axes(group: Group) -> Mapping[int, int]:
    """The space axes that some element reverses or skews, each with the first one that does."""
    found: dict[int, int] = {}
    for g in range(group.order):
        _, reverse = axis_moves(group, g)
        for axis in np.flatnonzero(reverse).tolist():
            found.setdefault(axis, g)
    return MappingProxyType({**found, **skewed_axes(group)})


@functools.cache
def swapped_axes(group: Group) -> Mapping[tuple[int, int], int]:
    """The pairs a < b of space axes that some element exchanges or mixes, with the first one."""
    found: dict[tuple[int, int], int] = {}
    for g, a, b in np.argwhere(group.matrices).tolist():
        if a != b:
            found.setdefault((min(a, b), max(a, b)), g)
    return MappingProxyType(found)
