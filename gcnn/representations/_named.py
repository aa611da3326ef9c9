"""The representations that fields have by name."""

import functools
from collections.abc import Sequence

import numpy as np

from ..groups import Group, real_irreps
from ._representation import Representation


@functools.cache
def trivial(group: Group) -> Representation:
    """ρ(g) = 1: scalar fields, images with an axis of length 1 before the channels."""
    return Representation(group, np.ones((group.order, 1, 1)), "trivial")


@functools.cache
def determinant(group: Group) -> Representation:
    """ρ(g) = det g, 1 or -1: pseudo-scalars, which mirrors reverse, such as a vorticity."""
    signs = np.round(np.linalg.det(group.matrices))
    return Representation(group, signs[:, None, None], "determinant")


@functools.cache
def standard(group: Group) -> Representation:
    """ρ(g) = g: vector fields, such as a gradient or a flow, with one component per space axis.

    Components are in the order of the array's axes, (y, x) in the plane, and in steps of the
    lattice along them.
    """
    return Representation(group, group.matrices, "standard")


def regular(group: Group) -> Representation:
    """(ρ(g) f)(h) = f(g⁻¹h): functions on H, the fields of `nn.GroupConv`."""
    rho = quotient(group, (group.identity,))
    return Representation(group, rho.matrices, "regular")


def quotient(group: Group, subgroup: Sequence[int]) -> Representation:
    """(ρ(g) f)(hK) = f(g⁻¹hK): functions on the cosets of a subgroup K.

    Slots are `group.left_cosets(subgroup)`, in this order. A field of it has |H|/|K| components,
    each with the symmetry of K or of a conjugate of it.

    Args:
      group: the group H.
      subgroup: the elements of K, by their indices.

    Raises:
      ValueError: the elements are not a subgroup.

    Example:
      >>> from gcnn import groups, representations
      >>> p4m = groups.p4m()
      >>> representations.quotient(p4m, p4m.generate([4]))
      Representation(functions on p4m/{e, m}: dimension 4, of p4m)
    """
    cosets = group.left_cosets(subgroup)
    coset_of = np.empty(group.order, dtype=np.int64)
    for i, coset in enumerate(cosets):
        coset_of[list(coset)] = i
    moved = coset_of[group.product[:, [coset[0] for coset in cosets]]]  # [g, i]: g·(coset i)
    matrices = (moved[:, None, :] == np.arange(len(cosets))[:, None]).astype(np.float64)
    names = ", ".join(group.names[k] for k in sorted(subgroup))
    return Representation(group, matrices, f"functions on {group.name}/{{{names}}}")


@functools.cache
def irreps(group: Group) -> tuple[Representation, ...]:
    """The irreducible representations over the reals, as `groups.real_irreps`, trivial first.

    Example:
      >>> from gcnn import groups, representations
      >>> representations.irreps(groups.p4())[-1]
      Representation(2C0: dimension 2, of p4)
    """
    return tuple(Representation(group, rho.matrices, rho.name) for rho in real_irreps(group))
