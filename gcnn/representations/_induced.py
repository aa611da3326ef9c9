"""From a group to a subgroup, and back: restriction and induction."""

from collections.abc import Sequence

import numpy as np

from ..groups import Group
from ._representation import Representation


def restrict(representation: Representation, subgroup: Sequence[int]) -> Representation:
    """The same matrices for the elements of a subgroup alone: a field with fewer symmetries.

    Args:
      representation: ρ, of a group H.
      subgroup: the elements of K, by their indices in H.

    Returns:
      A representation of `group.subgroup(subgroup)`.

    Raises:
      ValueError: the elements are not a subgroup.
    """
    group = representation.group.subgroup(subgroup)
    return Representation(group, representation.matrices[list(subgroup)], representation.name)


def induce(group: Group, subgroup: Sequence[int], representation: Representation) -> Representation:
    """Functions on H that know how K acts on their values: a block of σ for each coset hK.

    ρ(g)[(i, a), (j, b)] = σ(gᵢ⁻¹ g gⱼ)[a, b] if gᵢ⁻¹ g gⱼ ∈ K, and 0 if not

    Cosets are `group.left_cosets`, gᵢ is e in K itself and else the element of least index, and
    (i, a) is component i·dim σ + a. Induction from the trivial representation gives `quotient`,
    from that of {e} `regular`. It is the other half of `restrict`: a map from σ to the
    restriction of τ is a map from ρ to τ (Frobenius reciprocity).

    Args:
      group: the group H.
      subgroup: the elements of K, by their indices in H.
      representation: σ, of `group.subgroup(subgroup)`, its elements in that order.

    Raises:
      ValueError: the elements are not a subgroup, or σ is a representation of another group.

    Example:
      >>> from gcnn import groups, representations as r
      >>> p4m = groups.p4m()
      >>> mirror = p4m.generate([4])
      >>> r.induce(p4m, mirror, r.determinant(p4m.subgroup(mirror))).dim
      4
    """
    subgroup = tuple(subgroup)
    if representation.group != (own := group.subgroup(subgroup)):
        raise ValueError(
            f"induce takes a representation of the subgroup {own}, its elements in the order of "
            f"the indices {subgroup}, got {representation}."
        )
    own_index = np.full(group.order, -1)
    own_index[list(subgroup)] = np.arange(len(subgroup))
    cosets = group.left_cosets(subgroup)
    first = [group.identity if group.identity in coset else min(coset) for coset in cosets]
    # [g, i, j]: the element gᵢ⁻¹ g gⱼ as one of K, or -1
    inner = own_index[
        group.product[group.inverse[first][:, None], group.product[:, first][:, None]]
    ]
    blocks = representation.matrices[inner] * (inner >= 0)[..., None, None]  # [g, i, j, a, b]
    dim = len(first) * representation.dim
    matrices = blocks.swapaxes(2, 3).reshape(group.order, dim, dim)
    names = ", ".join(group.names[k] for k in subgroup)
    return Representation(group, matrices, f"{representation.name} of {{{names}}}, induced")
