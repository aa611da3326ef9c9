"""How the subgroups of a group lie: inside each other, conjugate to each other, normal."""

import functools
from collections.abc import Sequence

import numpy as np

from ._group import Group

Subgroup = tuple[int, ...]


@functools.cache
def subgroup_inclusions(group: Group) -> np.ndarray:
    """Which subgroups contain which: `[i, j]` is whether `subgroups[i]` ⊆ `subgroups[j]`."""
    member = np.zeros((len(group.subgroups), group.order), dtype=bool)
    for i, k in enumerate(group.subgroups):
        member[i, list(k)] = True
    inside = ~(member[:, None] & ~member[None, :]).any(axis=-1)
    inside.setflags(write=False)
    return inside


@functools.cache
def subgroup_covers(group: Group) -> np.ndarray:
    """The edges of the lattice of subgroups, `[i, j]`: `subgroups[i]` is maximal in `subgroups[j]`.

    Maximal: smaller, and no other subgroup lies between the two.

    Example:
      >>> from gcnn import groups
      >>> p4 = groups.p4()
      >>> p4.subgroups
      ((0,), (0, 2), (0, 1, 2, 3))
      >>> groups.subgroup_covers(p4).astype(int).tolist()
      [[0, 1, 0], [0, 0, 1], [0, 0, 0]]
    """
    below = (subgroup_inclusions(group) & ~np.eye(len(group.subgroups), dtype=bool)).astype(int)
    covers = (below > 0) & (below @ below == 0)
    covers.setflags(write=False)
    return covers


def maximal_subgroups(group: Group) -> tuple[Subgroup, ...]:
    """The subgroups, other than H itself, that no other one contains."""
    return tuple(k for k, top in zip(group.subgroups, subgroup_covers(group)[:, -1]) if top)


def conjugate_subgroup(group: Group, g: int, subgroup: Sequence[int]) -> Subgroup:
    """gKg⁻¹, its indices sorted.

    Args:
      group: the group.
      g: index of the element.
      subgroup: the elements of K, by their indices.
    """
    moved = group.product[group.product[g, list(subgroup)], group.inverse[g]]
    return tuple(sorted(moved.tolist()))


def are_conjugate(group: Group, first: Sequence[int], second: Sequence[int]) -> bool:
    """Whether gKg⁻¹ = L for some g: K and L are then the same, seen from another side.

    Example:
      >>> from gcnn import groups
      >>> p4m = groups.p4m()
      >>> mirror, same, diagonal = p4m.generate([4]), p4m.generate([6]), p4m.generate([5])
      >>> groups.are_conjugate(p4m, mirror, same), groups.are_conjugate(p4m, mirror, diagonal)
      (True, False)
    """
    wanted = tuple(sorted(second))
    return any(conjugate_subgroup(group, g, first) == wanted for g in range(group.order))


def subgroup_classes(group: Group) -> tuple[tuple[Subgroup, ...], ...]:
    """The subgroups, those that are conjugate together, in the order of `group.subgroups`."""
    classes: dict[Subgroup, list[Subgroup]] = {}
    for k in group.subgroups:
        classes.setdefault(
            min(conjugate_subgroup(group, g, k) for g in range(group.order)), []
        ).append(k)
    return tuple(map(tuple, classes.values()))


def is_normal(group: Group, subgroup: Sequence[int]) -> bool:
    """Whether gKg⁻¹ = K for all g: left and right cosets of K are the same."""
    k = tuple(sorted(subgroup))
    return all(conjugate_subgroup(group, g, k) == k for g in group.generators)


def normal_subgroups(group: Group) -> tuple[Subgroup, ...]:
    """The subgroups K with gKg⁻¹ = K for all g, smallest first: those of a `QuotientGroup`."""
    return tuple(k for k in group.subgroups if is_normal(group, k))
