"""The algebra: a group G = Λ ⋊ H of lattice translations Λ = Z^d and a finite point group H.

Only NumPy. A point-group element is an integer matrix that acts on array-index offsets
(y, x, …), so that everything here is exact.
"""

from ._axioms import axiom_violations as axiom_violations
from ._group import Group as Group
from ._hexagonal import hexagonal_basis as hexagonal_basis
from ._hexagonal import p3 as p3
from ._hexagonal import p3m1 as p3m1
from ._hexagonal import p6 as p6
from ._hexagonal import p6m as p6m
from ._hexagonal import p31m as p31m
from ._square import cm as cm
from ._square import cmm as cmm
from ._square import p1 as p1
from ._square import p2 as p2
from ._square import p4 as p4
from ._square import p4m as p4m
from ._square import pm as pm
from ._square import pmm as pmm
