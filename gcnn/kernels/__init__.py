"""From weights to filter banks: what a kernel must obey, and the kernels that obey it.

A kernel expansion is an action of H on the filter's own little grid, so there is hardly any index
arithmetic here. The gradients of the banks contain no scatter-add, and are deterministic on every
device.
"""

from ._banks import check_kernel_size as check_kernel_size
from ._banks import group_bank as group_bank
from ._banks import lifting_bank as lifting_bank
from ._space import KernelSpace as KernelSpace
from ._space import kernel_bank as kernel_bank
