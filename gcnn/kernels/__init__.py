"""From weights to what slides over a field: pure functions of a group and arrays.

A kernel expansion is an action of H on the filter's own little grid, so there is no index
arithmetic here.
"""

from ._bank import check_kernel_size as check_kernel_size
from ._bank import group_bank as group_bank
from ._bank import lifting_bank as lifting_bank
from ._evaluation import cheaper_evaluation as cheaper_evaluation
from ._fourier import block_products as block_products
from ._fourier import fourier_convolution as fourier_convolution
from ._initial import folded as folded
from ._initial import initial_kernel as initial_kernel
from ._space import KernelSpace as KernelSpace
from ._space import kernel_bank as kernel_bank
