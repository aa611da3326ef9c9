"""Representations made of several of the same group."""

import numpy as np

from ._representation import Representation


def direct_sum(*representations: Representation) -> Representation:
    """ρ₁(g) ⊕ ρ₂(g) ⊕ …: the components of each, one after the other.

    Raises:
      ValueError: there are none, or their groups differ.

    Example:
      >>> from gcnn import groups, representations as r
      >>> p4 = groups.p4()
      >>> r.direct_sum(r.trivial(p4), r.standard(p4))
      Representation(trivial + standard: dimension 3, of p4)
    """
    _check_groups("direct_sum", representations)
    group = representations[0].group
    sizes = [rho.dim for rho in representations]
    matrices = np.zeros((group.order, sum(sizes), sum(sizes)))
    for rho, start in zip(representations, np.cumsum([0, *sizes])):
        matrices[:, start : start + rho.dim, start : start + rho.dim] = rho.matrices
    return Representation(group, matrices, " + ".join(rho.name for rho in representations))


def tensor_product(first: Representation, second: Representation) -> Representation:
    """ρ₁(g) ⊗ ρ₂(g): products of a component of each, (i, j) at index i·dim ρ₂ + j.

    Raises:
      ValueError: their groups differ.
    """
    _check_groups("tensor_product", (first, second))
    n, dim = first.group.order, first.dim * second.dim
    products = np.einsum("hik,hjl->hijkl", first.matrices, second.matrices)
    name = " · ".join(f"({r.name})" if " " in r.name else r.name for r in (first, second))
    return Representation(first.group, products.reshape(n, dim, dim), name)


def _check_groups(what: str, representations: tuple[Representation, ...]) -> None:
    if not representations:
        raise ValueError(f"{what} needs at least one representation.")
    first = representations[0]
    for rho in representations[1:]:
        if rho.group != first.group:
            raise ValueError(
                f"{what} takes representations of one group, got {first} and {rho}. Use "
                f"representations.restrict or representations.induce to bring them together."
            )
