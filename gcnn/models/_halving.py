"""The strided convolution of 3 x ... x 3 pixels that a published network has, made exact."""

from flax import nnx
from flax.typing import Initializer
from jaxtyping import Array, Float

from ..groups import Group
from ..nn import BlurPool, GroupConv


class HalvingConv(nnx.Module):
    """A group convolution of size 3 and stride 2, centred between the pixels of an even side.

    With y the same convolution of stride 1 and padding 1,

    z(p) = (1/2^d) Σ_v y(2p + v),  v ∈ {0, 1}^d

    The published layer takes y(2p): on an even number of pixels its grid begins at the first one
    and ends before the last, so that it commutes with no mirror, whatever the padding. The mean is
    y half a pixel further on, interpolated, which is where a centred grid lies. Parameters, sides
    and cost are those of the published layer: since convolutions commute, it is x that is
    interpolated, once, and convolved with stride 2.

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
