"""Which groups a lattice has: an element must keep all lengths and angles."""

from typing import Any

import numpy as np

from ._group import Group
from ._matrices import show

Metric = tuple[tuple[float, ...], ...]

# Gram matrices M[i, j] = aᵢ·aⱼ of the steps aᵢ along the array axes. Where spacings differ, any
# others that differ have the same symmetries.
SQUARE: Metric = ((1, 0), (0, 1))
RECTANGULAR: Metric = ((2, 0), (0, 1))
HEXAGONAL: Metric = ((2, 1), (1, 2))
CUBIC: Metric = ((1, 0, 0), (0, 1, 0), (0, 0, 1))
TETRAGONAL: Metric = ((2, 0, 0), (0, 1, 0), (0, 0, 1))
ORTHORHOMBIC: Metric = ((3, 0, 0), (0, 2, 0), (0, 0, 1))
HEXAGONAL_PRISM: Metric = ((3, 0, 0), (0, 2, 1), (0, 1, 2))


def check_lattice(group: Group, metric: Any) -> None:
    """Check that every element is an isometry of a lattice: gᵀ M g = M.

    A group of integer matrices acts on arrays of any lattice, but only on some is it made of
    rotations and mirrors: r90 is none of an image whose pixels are twice as high as wide.

    Args:
      group: the group.
      metric: M, `[d, d]`: element `[i, j]` is the scalar product of the steps along the array axes
        i and j, such as `groups.HEXAGONAL`. With spacings s it is `numpy.diag(s) ** 2`, and with a
        basis as rows it is `basis @ basis.T`.

    Raises:
      ValueError: an element is no isometry, and is named; or M is the metric of no lattice of d
        dimensions.

    Example:
      >>> from gcnn import groups
      >>> groups.check_lattice(groups.p6m(), groups.HEXAGONAL)
      >>> import numpy as np
      >>> spacing = [2.5, 1, 1]  # of the voxels along z, y, x
      >>> groups.check_lattice(groups.d4h(), np.diag(spacing) ** 2)
    """
    m = np.asarray(metric, dtype=np.float64)
    if m.shape != (group.dim, group.dim):
        raise ValueError(
            f"The metric of a lattice that {group} acts on is {group.dim} x {group.dim}, got shape "
            f"{m.shape}."
        )
    if not np.isfinite(m).all() or (m != m.T).any() or (np.linalg.eigvalsh(m) <= 0).any():
        raise ValueError(
            f"The metric {m.tolist()} is no table of scalar products: it must be symmetric, with "
            f"positive eigenvalues. Of a basis, as rows, it is basis @ basis.T."
        )
    for g, a in enumerate(group.matrices):
        moved = a.T @ m @ a
        if not np.allclose(moved, m, rtol=0, atol=1e-9 * np.abs(m).max()):
            raise ValueError(
                f"The element {group.names[g]} = {show(group.elements[g])} of {group} is no "
                f"isometry of the lattice with metric {m.tolist()}: gᵀMg is {moved.tolist()}. Use "
                f"a subgroup without it, or resample to a lattice that has it."
            )
