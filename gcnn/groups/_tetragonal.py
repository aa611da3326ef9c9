"""The point groups about the axis z, by their Schoenflies names: for volumes of unequal spacing.

Axes are (z, y, x), as in an array `[b, z, y, x, c]`. Elements exchange y and x at most, so that the
planes may lie at any distance from each other, as in microscopy or tomography. The first
generator's powers run fastest in the order of the elements.
"""

import functools

from ._group import Group

_QUARTER = ((1, 0, 0), (0, 0, -1), (0, 1, 0))  # by 90° about z, as `numpy.rot90` in each plane
_ROTOREFLECTION = ((-1, 0, 0), (0, 0, -1), (0, 1, 0))  # by 90° about z, and z ↦ -z
_HALF = ((1, 0, 0), (0, -1, 0), (0, 0, -1))  # by 180° about z
_HALF_ACROSS = ((-1, 0, 0), (0, 1, 0), (0, 0, -1))  # by 180° about y
_INVERSION = ((-1, 0, 0), (0, -1, 0), (0, 0, -1))
_FLIP_X = ((1, 0, 0), (0, 1, 0), (0, 0, -1))
_FLIP_Z = ((-1, 0, 0), (0, 1, 0), (0, 0, 1))


@functools.cache
def ci() -> Group:
    """Ci, order 2: the inversion."""
    return Group.from_generators([_INVERSION], "Ci")


@functools.cache
def cs() -> Group:
    """Cs, order 2: the mirror z ↦ -z."""
    return Group.from_generators([_FLIP_Z], "Cs")


@functools.cache
def c2() -> Group:
    """C2, order 2: the rotation by 180°, p2 in each plane."""
    return Group.from_generators([_HALF], "C2")


@functools.cache
def c2v() -> Group:
    """C2v, order 4: pmm in each plane."""
    return Group.from_generators([_HALF, _FLIP_X], "C2v")


@functools.cache
def c2h() -> Group:
    """C2h, order 4: the rotation by 180°, and the mirror z ↦ -z."""
    return Group.from_generators([_HALF, _FLIP_Z], "C2h")


@functools.cache
def d2() -> Group:
    """D2, order 4: rotations by 180° about each of the axes."""
    return Group.from_generators([_HALF, _HALF_ACROSS], "D2")


@functools.cache
def d2h() -> Group:
    """D2h, order 8: the mirrors of all three axes, the symmetries of a brick."""
    return Group.from_generators([_HALF, _FLIP_X, _FLIP_Z], "D2h")


@functools.cache
def c4() -> Group:
    """C4, order 4: rotations by 90°, p4 in each plane."""
    return Group.from_generators([_QUARTER], "C4")


@functools.cache
def s4() -> Group:
    """S4, order 4: rotations by 90° that turn z over."""
    return Group.from_generators([_ROTOREFLECTION], "S4")


@functools.cache
def c4v() -> Group:
    """C4v, order 8: p4m in each plane."""
    return Group.from_generators([_QUARTER, _FLIP_X], "C4v")


@functools.cache
def c4h() -> Group:
    """C4h, order 8: p4 in each plane, and the mirror z ↦ -z."""
    return Group.from_generators([_QUARTER, _FLIP_Z], "C4h")


@functools.cache
def d4() -> Group:
    """D4, order 8: rotations by 90° about z, and by 180° across."""
    return Group.from_generators([_QUARTER, _HALF_ACROSS], "D4")


@functools.cache
def d2d() -> Group:
    """D2d, order 8: those of S4, rotations by 180° about y and x, and diagonal mirrors."""
    return Group.from_generators([_ROTOREFLECTION, _HALF_ACROSS], "D2d")


@functools.cache
def d4h() -> Group:
    """D4h, order 16: p4m in each plane, and the mirror z ↦ -z."""
    return Group.from_generators([_QUARTER, _FLIP_X, _FLIP_Z], "D4h")
