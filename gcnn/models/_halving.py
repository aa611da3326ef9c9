"""The strided convolution of 3 x ... x 3 pixels that a published network has, made exact."""

from flax import nnx
from flax.typing import Initializer
from jaxtyping import Array, Float

from ..groups import Group
from ..nn import BlurPool, GroupConv


class HalvingConv(nnx.Module):
    """A group convolution of size 3 and stride 2, centred between the pixels of an even side.

    With y of stride 1 and padding 1, and the mean over the 2 x ... x 2 pixels around the point
    where a centred grid would sample it,

    z(p) = (1/2^d) Σ_v y(2p + v),  v ∈ {0, 1}^d

    The published layer takes y(2p). On an even number of pixels its grid begins at the first one
    and ends before the last, so that no padding makes it commute with a mirror. The mean over
    neighbours is y interpolated at half a pixel, which is where the centred grid lies. It has the
    parameters, the output's sides and (to the interpolation of x) the cost of the published layer:
    convolutions commute with each other, so that x is interpolated first.

    Law: maps g·x to g·z, exactly, for every element g, on even sides.
    """

    def __init__(
        self,
        group: Group,
        in_features: int,
        out_features: int,
        *,
        kernel_init: Initializer,
        rngs: nnx.Rngs,
    ):
        """Create the layer; arguments as in `GroupConv`."""
        self.out_features = out_features
        self.blur = BlurPool(group, 2, 1, padding=1)  # n pixels become the n + 1 points between
        self.conv = GroupConv(
            group,
            in_features,
            out_features,
            3,
            2,
            padding="VALID",
            kernel_init=kernel_init,
            rngs=rngs,
        )

    def __call__(self, x: Float[Array, "b *space k i"]) -> Float[Array, "b *space_out h o"]:
        """From `[b, *space, k, i]` to `[b, *space/2, h, o]`.

        Raises:
          ValueError: a side is odd, where the published layer would do.
        """
        return self.conv(self.blur(x))
