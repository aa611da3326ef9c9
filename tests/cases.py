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


def chosen(*names: str) -> dict[str, Group]:
    """The rows of these names, in their order."""
    return {name: (GROUPS | SKEWED)[name] for name in names}
