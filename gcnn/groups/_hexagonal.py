"""The symmorphic groups of the hexagonal lattice, by name, in axial coordinates.

Array axis 0 steps along a₀ and axis 1 along a₁, two neighbours of a pixel that are 60° apart. In
the plane, y downwards and x to the right as in an image, they are

    a₀ = (y, x) = (√3/2, 1/2),   a₁ = (0, 1),

so that a row of the array is a row of pixels, and every row stands half a pixel to the right of
the one above. Angles count counter-clockwise as one looks at the image. The pixel (i, j) has the
neighbours (i, j ± 1), (i ± 1, j), (i - 1, j + 1) and (i + 1, j - 1).
"""

import functools

import numpy as np

from ._group import Group

_R60 = ((0, -1), (1, 1))  # a₀ ↦ a₁ ↦ a₁ - a₀
_R120 = ((-1, -1), (1, 0))
_FLIP_X = ((1, 0), (-1, -1))  # the mirror x ↦ -x, across a line between neighbours
_FLIP_Y = ((-1, 0), (1, 1))  # the mirror y ↦ -y, across a row of pixels


def hexagonal_basis() -> np.ndarray:
    """The embedding in the plane: row i is the vector (y, x) that array axis i steps along.

    The pixel at offset p from the centre lies at p @ basis, and every element g of the groups
    here is an isometry: with M = basis basisᵀ, gᵀ M g = M.

    Example:
      >>> from gcnn import groups
      >>> groups.hexagonal_basis().round(3).tolist()
      [[0.866, 0.5], [0.0, 1.0]]
    """
    return np.array([[np.sqrt(3) / 2, 1 / 2], [0, 1]])


@functools.cache
def p3() -> Group:
    """Rotations by 120°: (e, r120, r240)."""
    return Group.from_generators([_R120], "p3")


@functools.cache
def p3m1() -> Group:
    """Rotations by 120° and mirrors between neighbours: element 3m + r is r120^r ∘ (x ↦ -x)^m.

    Every centre of a rotation lies on a mirror.
    """
    return Group.from_generators([_R120, _FLIP_X], "p3m1")


@functools.cache
def p31m() -> Group:
    """Rotations by 120° and mirrors along rows of pixels: element 3m + r is r120^r ∘ (y ↦ -y)^m.

    The centre of a triangle of pixels is one of a rotation, and lies on no mirror.
    """
    return Group.from_generators([_R120, _FLIP_Y], "p31m")


@functools.cache
def p6() -> Group:
    """Rotations by 60°: element r is r60^r, counter-clockwise."""
    return Group.from_generators([_R60], "p6")


@functools.cache
def p6m() -> Group:
    """Rotations by 60° and mirrors: element 6m + r is r60^r ∘ (x ↦ -x)^m.

    Example:
      >>> from gcnn import groups
      >>> groups.p6m().names[:8]
      ('e', 'r60', 'r120', 'r180', 'r240', 'r300', 'm', 'm·r300')
    """
    return Group.from_generators([_R60, _FLIP_X], "p6m")
