"""The strided convolution of 3 x ... x 3 pixels that a published network has, made exact."""

import jax
import jax.numpy as jnp
from flax import nnx
from flax.typing import Initializer
from jaxtyping import Array, Float

from ..actions import fill_outside
from ..groups import Group
from ..nn import GroupConv


class HalvingConv(nnx.Module):
    """A group convolution of size 3 and stride 2, centred on the image, from n pixels to ⌈n/2⌉.

    With y the same convolution of stride 1 and padding 1,

    z(p) = y(2p) along an axis of an odd number of pixels,

    z(p) = (y(2p) + y(2p + 1)) / 2 along one of an even number.

    The published layer takes y(2p) always. That is centred on an odd number of pixels, from the
    first to the last; on an even one its grid begins at the first pixel and ends before the last,
    so that it commutes with no mirror, whatever the padding. The mean is y half a pixel further
    on, interpolated, which is where a centred grid lies. Parameters, sides and cost are those of
    the published layer: since convolutions commute, it is x that is interpolated, once, and
    convolved with stride 2.

    Law: maps g·x to g·z, exactly, for every element g. Where the group skews the lattice, n - 1
    has to be a multiple of 4, so that there is a pixel to turn about before and after.
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
        self.group = group
        self.out_features = out_features
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
        """From `[b, *space, k, i]` to half the sides, rounded up.

        Raises:
          ValueError: the group skews the lattice, and there is no pixel to turn about.
        """
        space = range(1, 1 + self.group.dim)
        even = [axis for axis in space if x.shape[axis] % 2 == 0]
        x = fill_outside(self.group, x, space, 0)
        x = jnp.pad(x, [(1, 1) if axis in space else (0, 0) for axis in range(x.ndim)])
        for axis in even:  # to the n + 1 points between the pixels
            x = _mean_of_two(x, axis, 1)
        return self.conv(x)


def halved(group: Group, x: Float[Array, "b *field"]) -> Float[Array, "b *coarse"]:
    """What a `HalvingConv` of one pixel convolves: every other pixel, or means of two.

    Args:
      group: the group.
      x: image `[b, *space, c]` or regular field `[b, *space, h, c]`.
    """
    for axis in range(1, 1 + group.dim):
        if x.shape[axis] % 2:
            x = jax.lax.slice_in_dim(x, 0, None, 2, axis)
        else:
            x = _mean_of_two(x, axis, 2)
    return x


def _mean_of_two(x: Array, axis: int, stride: int) -> Array:
    """Of neighbours along an axis, at every stride-th place."""
    n = x.shape[axis]
    before, after = (jax.lax.slice_in_dim(x, i, n - 1 + i, stride, axis) for i in (0, 1))
    return 0.5 * (before + after)
