"""Is it really equivariant? Laws and measurements for any callable, as values that print.

The judge does not know the accused: nothing here imports `gcnn.nn`.
"""

from ._certificate import integer_certificate as integer_certificate
from ._equivariance import EquivarianceReport as EquivarianceReport
from ._equivariance import equivariance as equivariance
from ._laws import LawReport as LawReport
from ._laws import group_laws as group_laws
