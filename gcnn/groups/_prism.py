"""The point groups about the axis z of a lattice with hexagonal planes, by Schoenflies names.

Axes are (z, i, j): planes at any distance from each other, each in the axial coordinates of
`p6` (see `hexagonal_basis`). With those of the cubic lattice and of `c2`, `d4h`, ..., and with
`p1(3)`, these are the 32 crystal classes.
"""

import functools

from ._group import Group

_SIXTH = ((1, 0, 0), (0, 0, -1), (0, 1, 1))  # by 60° about z, r60 in each plane
_THIRD = ((1, 0, 0), (0, -1, -1), (0, 1, 0))  # by 120°
_HALF_ACROSS = ((-1, 0, 0), (0, 1, 0), (0, -1, -1))  # by 180° about a line within the planes
_INVERSION = ((-1, 0, 0), (0, -1, 0), (0, 0, -1))
_FLIP_X = ((1, 0, 0), (0, 1, 0), (0, -1, -1))  # that of p3m1 in each plane
_FLIP_Z = ((-1, 0, 0), (0, 1, 0), (0, 0, 1))


@functools.cache
def c3() -> Group:
    """C3, order 3: rotations by 120°, p3 in each plane."""
    return Group.from_generators([_THIRD], "C3")


@functools.cache
def s6() -> Group:
    """S6, order 6: those of C3, and each with the inversion."""
    return Group.from_generators([_THIRD, _INVERSION], "S6")


@functools.cache
def c3v() -> Group:
    """C3v, order 6: p3m1 in each plane."""
    return Group.from_generators([_THIRD, _FLIP_X], "C3v")


@functools.cache
def c3h() -> Group:
    """C3h, order 6: p3 in each plane, and the mirror z ↦ -z."""
    return Group.from_generators([_THIRD, _FLIP_Z], "C3h")


@functools.cache
def d3() -> Group:
    """D3, order 6: rotations by 120° about z, and by 180° across."""
    return Group.from_generators([_THIRD, _HALF_ACROSS], "D3")


@functools.cache
def d3d() -> Group:
    """D3d, order 12: those of D3, and each with the inversion."""
    return Group.from_generators([_THIRD, _HALF_ACROSS, _INVERSION], "D3d")


@functools.cache
def d3h() -> Group:
    """D3h, order 12: p3m1 in each plane, and the mirror z ↦ -z."""
    return Group.from_generators([_THIRD, _FLIP_X, _FLIP_Z], "D3h")


@functools.cache
def c6() -> Group:
    """C6, order 6: rotations by 60°, p6 in each plane."""
    return Group.from_generators([_SIXTH], "C6")


@functools.cache
def c6v() -> Group:
    """C6v, order 12: p6m in each plane."""
    return Group.from_generators([_SIXTH, _FLIP_X], "C6v")


@functools.cache
def c6h() -> Group:
    """C6h, order 12: p6 in each plane, and the mirror z ↦ -z."""
    return Group.from_generators([_SIXTH, _FLIP_Z], "C6h")


@functools.cache
def d6() -> Group:
    """D6, order 12: rotations by 60° about z, and by 180° across."""
    return Group.from_generators([_SIXTH, _HALF_ACROSS], "D6")


@functools.cache
def d6h() -> Group:
    """D6h, order 24: p6m in each plane, and the mirror z ↦ -z."""
    return Group.from_generators([_SIXTH, _FLIP_X, _FLIP_Z], "D6h")
