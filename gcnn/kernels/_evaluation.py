"""Which evaluation of a group convolution is the faster one: a bank, or blocks."""

from typing import Literal

from ..groups import Group
from ._fourier import block_products

Evaluation = Literal["direct", "fourier"]

# On two cores of a Xeon, reading an entry of a twisted patch, summing it with those of the other
# slots and writing it costs as much as so many products (`python -m benchmarks.convolution`).
_PATCH = 300
_FEWEST_PIXELS = 1024  # below, starting a hundred small operations is what takes the time


def cheaper_evaluation(
    group: Group, out_features: int, pixels: int, platform: str, dtype: str = "float32"
) -> Evaluation:
    """The evaluation that is expected to be the faster one, forward and backward.

    For every pixel of the output, offset of the kernel and channel of the input, a bank takes
    |H|²·o products, with o channels of the output; blocks take b·o, with b = `block_products`, and
    the transform of |H| entries of a patch. So blocks are cheaper if

    (|H|² - b) · o > c · |H|

    where c, the price of an entry in products, was measured: from 46 channels on under p4m, 120
    under p4, 15 under the rotations of the cube. Kernel size and channels of the input do not
    matter.

    Args:
      group: the group.
      out_features: o, for each slot.
      pixels: of the output, of all images of the batch together.
      platform: as in `jax.default_backend()`. Only "cpu" has been measured; others get "direct".
      dtype: of the computation; 16-bit types get "direct", since blocks would work in float32.

    Example:
      >>> from gcnn import groups, kernels
      >>> [kernels.cheaper_evaluation(groups.p4m(), o, 4096, "cpu") for o in (32, 64)]
      ['direct', 'fourier']
    """
    if platform != "cpu" or pixels < _FEWEST_PIXELS or dtype not in ("float32", "float64"):
        return "direct"
    saved = group.order**2 - block_products(group)
    return "fourier" if saved * out_features > _PATCH * group.order else "direct"
