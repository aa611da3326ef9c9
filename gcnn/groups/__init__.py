"""The algebra: a group G = Λ ⋊ H of lattice translations Λ = Z^d and a finite point group H.

Only NumPy. A point-group element is an integer matrix that acts on array-index offsets
(y, x, …), so that everything here is exact.
"""

from ._axioms import axiom_violations as axiom_violations
from ._characters import character_table as character_table
from ._characters import multiplicities as multiplicities
from ._group import Group as Group
from ._irreps import Irrep as Irrep
from ._irreps import fourier_matrix as fourier_matrix
from ._irreps import real_irreps as real_irreps
from ._quotient_group import QuotientGroup as QuotientGroup
from ._square import cm as cm
from ._square import cmm as cmm
from ._square import p1 as p1
from ._square import p2 as p2
from ._square import p4 as p4
from ._square import p4m as p4m
from ._square import pm as pm
from ._square import pmm as pmm
from ._subgroups import are_conjugate as are_conjugate
from ._subgroups import conjugate_subgroup as conjugate_subgroup
from ._subgroups import is_normal as is_normal
from ._subgroups import maximal_subgroups as maximal_subgroups
from ._subgroups import normal_subgroups as normal_subgroups
from ._subgroups import subgroup_classes as subgroup_classes
from ._subgroups import subgroup_covers as subgroup_covers
from ._subgroups import subgroup_inclusions as subgroup_inclusions
