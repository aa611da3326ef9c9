"""Which evaluation of a group convolution is the faster one: a bank, or blocks."""

import math
from collections.abc import Sequence
from typing import Literal

from ..groups import Group
from ._fourier import block_products

Evaluation = Literal["direct", "fourier"]

# What reading an entry of a twisted patch, summing it with those of the other slots and writing it
# costs, in products of a convolution with a bank (`python -m benchmarks.convolution`). In space
# XLA's convolutions are slow on a CPU; but a kernel of one pixel is a matrix product there, too.
_IN_THE_PLANE, _IN_SPACE, _PRODUCT_IN_SPACE = 75, 80, 200
_FEWEST_PIXELS = 1024  # below, starting a hundred small operations is what takes the time


def cheaper_evaluation(
    group: Group,
    kernel_size: Sequence[int],
    out_features: int,
    pixels: int,
    platform: str,
    dtype: str = "float32",
) -> Evaluation:
    """The evaluation that is expected to be the faster one, in training.

    For every pixel of the output, tap of the kernel and channel of the input, a bank takes |H|²·o
    products, with o channels of the output; blocks take b·o, with b = `block_products`, and the
    transform of |H| entries of a patch. So blocks are cheaper if

    (|H|² - b) · o > c · |H|

    where c, the price of an entry in products, was measured: in the plane, and in space, there
    apart for kernels of one pixel. Channels of the input do not matter.

    Args:
      group: the group.
      kernel_size: of every space axis.
      out_features: o, for each slot.
      pixels: of the output, of all images of the batch together.
      platform: as in `jax.default_backend()`. All but "cpu" get "direct": on an NVIDIA H200 blocks
        took longer in every case that was measured (`results/gpu/convolution`).
      dtype: of the computation; 16-bit types get "direct", since blocks would work in float32.

    Example:
      >>> from gcnn import groups, kernels
      >>> p4m = groups.p4m()
      >>> [kernels.cheaper_evaluation(p4m, (3, 3), o, 4096, "cpu") for o in (8, 16)]
      ['direct', 'fourier']
    """
    if platform != "cpu" or pixels < _FEWEST_PIXELS or dtype not in ("float32", "float64"):
        return "direct"
    in_space = _IN_SPACE if math.prod(kernel_size) > 1 else _PRODUCT_IN_SPACE
    price = _IN_THE_PLANE if group.dim < 3 else in_space
    saved = group.order**2 - block_products(group)
    return "fourier" if saved * out_features > price * group.order else "direct"
