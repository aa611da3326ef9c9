"""The groups that are certified: some of each kind, or all that have names."""

import functools
from collections.abc import Callable

from .. import groups
from ..groups import Group

GROUPS: tuple[Callable[[], Group], ...] = (
    groups.p1, groups.line_mirror, groups.cm, groups.p4, groups.p4m, groups.p31m, groups.p6,
    groups.d2d,
)  # fmt: skip
ALL_GROUPS: tuple[Callable[[], Group], ...] = (
    groups.p1, groups.p2, groups.pm, groups.pmm, groups.cm, groups.cmm, groups.p4, groups.p4m,
    groups.p3, groups.p3m1, groups.p31m, groups.p6, groups.p6m,
    functools.partial(groups.p1, 1), groups.line_mirror, functools.partial(groups.p1, 3),
    groups.ci, groups.cs, groups.c2, groups.c2v, groups.c2h, groups.d2, groups.d2h,
    groups.c4, groups.s4, groups.c4v, groups.c4h, groups.d4, groups.d2d, groups.d4h,
    groups.c3, groups.s6, groups.c3v, groups.c3h, groups.d3, groups.d3d, groups.d3h,
    groups.c6, groups.c6v, groups.c6h, groups.d6, groups.d6h,
    groups.tetrahedral, groups.pyritohedral, groups.full_tetrahedral, groups.octahedral,
    groups.full_octahedral,
)  # fmt: skip
