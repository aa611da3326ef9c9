"""The groups under which the laws are tested: a new group is one new row."""

import numpy as np

from gcnn import groups
from gcnn.groups import Group

CYCLE = ((0, 1, 0), (0, 0, 1), (1, 0, 0))  # a turn by 120° about the diagonal of the cube
QUARTER = ((1, 0, 0), (0, 0, -1), (0, 1, 0))  # a turn by 90° about its first axis
R60 = ((0, -1), (1, 1))  # hexagonal lattice, axial coordinates
HEX_MIRROR = ((0, 1), (1, 0))
PRISM_TURN = ((1, 0, 0), (0, 0, -1), (0, 1, 1))  # R60 about the first axis
FCC = [((0, -1, 0), (1, 1, 1), (-1, 0, 0)), CYCLE]  # QUARTER, CYCLE: basis 011, 101, 110

# Those that permute and reverse the axes of an array, of any size.
GROUPS = {
    "p1": groups.p1(),
    "p2": groups.p2(),
    "pm": groups.pm(),
    "pmm": groups.pmm(),
    "cm": groups.cm(),
    "cmm": groups.cmm(),
    "p4": groups.p4(),
    "p4m": groups.p4m(),
    "line": groups.p1(1),
    "mirror": groups.line_mirror(),
    "space": groups.p1(3),
    "quarter": Group.from_generators([QUARTER], "quarter"),
    "T": groups.tetrahedral(),
    "S4": Group.from_generators([np.negative(QUARTER)], "S4"),
    "O": groups.octahedral(),
    "Oh": groups.full_octahedral(),
    "hypercube": Group.from_generators([np.roll(np.eye(4, dtype=int), 1, axis=0)], "C4 in 4D"),
}
# Those that skew the axes, and act on a part of an array of odd sides.
SKEWED = {
    "p3": groups.p3(),
    "p3m1": groups.p3m1(),
    "p31m": groups.p31m(),
    "p6": groups.p6(),
    "p6m": groups.p6m(),
    "sheared": Group.from_generators([((1, 1), (0, -1))], "sheared"),
    "D3h": groups.d3h(),
    "prism": Group.from_generators([PRISM_TURN, np.diag([-1, 1, 1])], "prism"),
    "fcc": Group.from_generators(FCC, "O of the fcc lattice"),
}


def beside(a, b) -> np.ndarray:
    """The matrix that acts by a on the first axes and by b on the others."""
    corner = np.zeros((len(a), len(b)), dtype=int)
    return np.block([[np.array(a), corner], [corner.T, np.array(b)]])


# For irreducible representations of every type: Q8 are the quaternions 1, i, j, k up to sign, 2T
# also (±1 ± i ± j ± k)/2, in the basis 1, i, j and one of these. Q8 x S3 has a quaternionic one
# of dimension 8, and Q8 x C3 one without eigenvectors but those of ±1.
_I = ((0, -1, 0, 0), (1, 0, 0, 0), (0, 0, 0, -1), (0, 0, 1, 0))
_J = ((0, 0, -1, 0), (0, 0, 0, 1), (1, 0, 0, 0), (0, -1, 0, 0))
_I_OF_2T = ((0, -1, 1, 0), (1, 0, -1, -1), (0, 0, -1, -1), (0, 0, 2, 1))
_W_OF_2T = ((0, -1, 0, -1), (0, 0, -1, 0), (0, 1, -1, 0), (1, -1, 1, -1))
_R120 = ((0, -1), (1, -1))
_Q8 = [beside(a, np.eye(2, dtype=int)) for a in (_I, _J)]
_S3 = [beside(np.eye(4, dtype=int), b) for b in (_R120, HEX_MIRROR)]
QUATERNIONS = {
    "C3": Group.from_generators([_R120], "C3"),
    "Q8": Group.from_generators([_I, _J], "Q8"),
    "2T": Group.from_generators([_I_OF_2T, _W_OF_2T], "2T"),
    "Q8 x C3": Group.from_generators([*_Q8, _S3[0]], "Q8 x C3", max_order=24),
    "Q8 x S3": Group.from_generators([*_Q8, *_S3], "Q8 x S3", max_order=48),
}


def chosen(*names: str) -> dict[str, Group]:
    """The rows of these names, in their order."""
    return {name: (GROUPS | SKEWED)[name] for name in names}
