"""The point groups of the cubic lattice, by name: for volumes whose voxels are cubes.

Axes are (z, y, x), as in an array `[b, z, y, x, c]`. All three are exchanged by elements, so that
kernels are cubes. Names of single elements tell angle and axis, as "r120[1 1 1]".
"""

import functools

from ._group import Group

_CYCLE = ((0, 1, 0), (0, 0, 1), (1, 0, 0))  # by 120° about a diagonal
_QUARTER = ((1, 0, 0), (0, 0, -1), (0, 1, 0))  # by 90° about z
_HALF = ((1, 0, 0), (0, -1, 0), (0, 0, -1))  # by 180° about z
_INVERSION = ((-1, 0, 0), (0, -1, 0), (0, 0, -1))
_ROTOREFLECTION = ((-1, 0, 0), (0, 0, -1), (0, 1, 0))  # by 90° about z, and z ↦ -z


@functools.cache
def tetrahedral() -> Group:
    """T, order 12: the rotations of a tetrahedron."""
    return Group.from_generators([_CYCLE, _HALF], "T")


@functools.cache
def pyritohedral() -> Group:
    """Th, order 24: those of T, and each with the inversion; element 12i + r is r ∘ inversion^i."""
    return Group.from_generators([_CYCLE, _HALF, _INVERSION], "Th")


@functools.cache
def full_tetrahedral() -> Group:
    """Td, order 24: all symmetries of a tetrahedron, with six mirrors."""
    return Group.from_generators([_CYCLE, _HALF, _ROTOREFLECTION], "Td")


@functools.cache
def octahedral() -> Group:
    """O, order 24: the rotations of a cube.

    Example:
      >>> from gcnn import groups
      >>> groups.octahedral()
      Group(O: order 24, dimension 3)
    """
    return Group.from_generators([_QUARTER, _CYCLE], "O")


@functools.cache
def full_octahedral() -> Group:
    """Oh, order 48: all symmetries of a cube; element 24i + r is r ∘ inversion^i."""
    return Group.from_generators([_QUARTER, _CYCLE, _INVERSION], "Oh")
