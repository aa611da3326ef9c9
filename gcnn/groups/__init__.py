"""The algebra: a group G = Λ ⋊ H of lattice translations Λ = Z^d and a finite point group H.

Only NumPy. A point-group element is an integer matrix that acts on array-index offsets
(y, x, …), so that everything here is exact.
"""

from ._axioms import axiom_violations as axiom_violations
from ._cubic import full_octahedral as full_octahedral
from ._cubic import full_tetrahedral as full_tetrahedral
from ._cubic import octahedral as octahedral
from ._cubic import pyritohedral as pyritohedral
from ._cubic import tetrahedral as tetrahedral
from ._group import Group as Group
from ._hexagonal import hexagonal_basis as hexagonal_basis
from ._hexagonal import p3 as p3
from ._hexagonal import p3m1 as p3m1
from ._hexagonal import p6 as p6
from ._hexagonal import p6m as p6m
from ._hexagonal import p31m as p31m
from ._lattice import CUBIC as CUBIC
from ._lattice import HEXAGONAL as HEXAGONAL
from ._lattice import HEXAGONAL_PRISM as HEXAGONAL_PRISM
from ._lattice import ORTHORHOMBIC as ORTHORHOMBIC
from ._lattice import RECTANGULAR as RECTANGULAR
from ._lattice import SQUARE as SQUARE
from ._lattice import TETRAGONAL as TETRAGONAL
from ._lattice import check_lattice as check_lattice
from ._prism import c3 as c3
from ._prism import c3h as c3h
from ._prism import c3v as c3v
from ._prism import c6 as c6
from ._prism import c6h as c6h
from ._prism import c6v as c6v
from ._prism import d3 as d3
from ._prism import d3d as d3d
from ._prism import d3h as d3h
from ._prism import d6 as d6
from ._prism import d6h as d6h
from ._prism import s6 as s6
from ._product import direct_product as direct_product
from ._square import cm as cm
from ._square import cmm as cmm
from ._square import line_mirror as line_mirror
from ._square import p1 as p1
from ._square import p2 as p2
from ._square import p4 as p4
from ._square import p4m as p4m
from ._square import pm as pm
from ._square import pmm as pmm
from ._tetragonal import c2 as c2
from ._tetragonal import c2h as c2h
from ._tetragonal import c2v as c2v
from ._tetragonal import c4 as c4
from ._tetragonal import c4h as c4h
from ._tetragonal import c4v as c4v
from ._tetragonal import ci as ci
from ._tetragonal import cs as cs
from ._tetragonal import d2 as d2
from ._tetragonal import d2d as d2d
from ._tetragonal import d2h as d2h
from ._tetragonal import d4 as d4
from ._tetragonal import d4h as d4h
from ._tetragonal import s4 as s4
