"""The symmorphic groups of the line and of the square lattice, by name."""

import functools

from ._group import Group
from ._matrices import identity

# Axes are (y, x), y downwards, as in an array.
_R90 = ((0, -1), (1, 0))  # numpy.rot90(image, 1, axes=(y, x))
_R180 = ((-1, 0), (0, -1))
_FLIP_X = ((1, 0), (0, -1))  # numpy.flip(image, axis=x)
_SWAP = ((0, 1), (1, 0))  # the mirror in the main diagonal


@functools.cache
def p1(dim: int = 2) -> Group:
    """Translations alone: its layers are the ordinary convolutions, in `dim` dimensions."""
    return Group.from_generators([identity(dim)], "p1")


@functools.cache
def line_mirror() -> Group:
    """The mirror of a line: (e, m), for signals `[b, x, c]`."""
    return Group.from_generators([[[-1]]], "mirror")


@functools.cache
def p2() -> Group:
    """Rotations by 180°: (e, r180)."""
    return Group.from_generators([_R180], "p2")


@functools.cache
def pm() -> Group:
    """The mirror of the x axis: (e, fliplr)."""
    return Group.from_generators([_FLIP_X], "pm")


@functools.cache
def pmm() -> Group:
    """Mirrors of both axes: element 2m + r is rot180^r ∘ fliplr^m."""
    return Group.from_generators([_R180, _FLIP_X], "pmm")


@functools.cache
def cm() -> Group:
    """The mirror in the main diagonal: (e, transpose)."""
    return Group.from_generators([_SWAP], "cm")


@functools.cache
def cmm() -> Group:
    """Mirrors in both diagonals: element 2m + r is rot180^r ∘ transpose^m."""
    return Group.from_generators([_R180, _SWAP], "cmm")


@functools.cache
def p4() -> Group:
    """Rotations by 90°: element r acts as `numpy.rot90(image, r, axes=(y, x))`."""
    return Group.from_generators([_R90], "p4")


@functools.cache
def p4m() -> Group:
    """Rotations by 90° and mirrors: element 4m + r is rot90^r ∘ fliplr^m."""
    return Group.from_generators([_R90, _FLIP_X], "p4m")
