"""How a group element mixes the components of a field: representations of the point group H.

Only NumPy. A field of the representation ρ with c channels is an array `[..., dim ρ, c]`: on the
axis before the channels, where a regular field has its group axis, an element acts by ρ(g). The
regular representation permutes |H| slots; others need fewer components for the same symmetry.
"""

from ._induced import induce as induce
from ._induced import restrict as restrict
from ._isotypic import isotypic_projections as isotypic_projections
from ._named import determinant as determinant
from ._named import irreps as irreps
from ._named import quotient as quotient
from ._named import regular as regular
from ._named import standard as standard
from ._named import trivial as trivial
from ._representation import Representation as Representation
from ._sums import direct_sum as direct_sum
from ._sums import tensor_product as tensor_product
