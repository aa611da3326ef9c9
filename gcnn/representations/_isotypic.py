"""The parts of a representation that hold one irreducible representation each."""

import functools

import numpy as np

from ..groups import real_irreps
from ._representation import Representation


@functools.cache
def isotypic_projections(representation: Representation) -> np.ndarray:
    """P_λ, the projection on all that ρ holds of the irreducible representation λ, `[n, dim, dim]`.

    P_λ = (m_λ/|H|) Σ_h χ_λ(h) ρ(h),  P_λ P_μ = δ_λμ P_λ,  Σ_λ P_λ = 1,  P_λ ρ(g) = ρ(g) P_λ

    Those that ρ does not hold are left out: the others are in the order of `groups.real_irreps`,
    so that the first one, if ρ leaves any vector alone, projects on those vectors. Unlike a basis
    of irreducible ones they are unique, and so are the lengths of what they leave.

    Args:
      representation: ρ.

    Returns:
      A read-only array; entries within rounding of a multiple of 1/|H| are that.

    Example:
      >>> from gcnn import groups, representations as r
      >>> p4m = groups.p4m()
      >>> rho = r.direct_sum(r.trivial(p4m), r.standard(p4m))
      >>> r.isotypic_projections(rho).trace(axis1=1, axis2=2)
      array([1., 2.])
    """
    group = representation.group
    found = []
    for rho, times in zip(real_irreps(group), representation.multiplicities, strict=True):
        if times:
            sums = rho.m * np.einsum("h,hij->ij", rho.character, representation.matrices)
            whole = np.round(sums)
            sums = np.where(np.abs(sums - whole) < 1e-9 * group.order, whole, sums)
            found.append(sums / group.order + 0.0)
    projections = np.stack(found)
    projections.setflags(write=False)
    return projections
