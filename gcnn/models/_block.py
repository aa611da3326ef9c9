"""The block that the plain stacks here are made of, and the normalisation of all networks."""

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from ..actions import preserved_pixels, skewed_axes
from ..groups import Group
from ..nn import BatchNorm, GroupConv, LiftingConv
from ._halving import HalvingConv


class Block(nnx.Module):
    """Convolution, BatchNorm over the last axis (so pooled over the orbit), ReLU."""

    def __init__(self, conv: LiftingConv | GroupConv | HalvingConv):
        """Put the rest behind a convolution."""
        self.conv = conv
        self.norm = batch_norm(conv.out_features, conv.group)

    def __call__(self, x: Float[Array, "b *field"]) -> Float[Array, "b *out"]:
        """Apply all three."""
        return nnx.relu(self.norm(self.conv(x)))


def batch_norm(features: int, group: Group | None = None) -> BatchNorm:
    """BatchNorm with Chainer's momentum of 0.9, and the epsilon of the published networks.

    Args:
      features: channels.
      group: of the fields that it takes; not given, it takes no fields but vectors `[b, c]`.
    """
    # keys are not used: scale and bias start at 1 and 0
    if group is None or not skewed_axes(group):
        return BatchNorm(features, momentum=0.9, epsilon=2e-5, rngs=nnx.Rngs(0))
    return _PreservedBatchNorm(group, features)


class _PreservedBatchNorm(BatchNorm):
    """BatchNorm of the pixels that the group preserves: corners are 0, and would count as well."""

    def __init__(self, group: Group, features: int):
        super().__init__(features, momentum=0.9, epsilon=2e-5, rngs=nnx.Rngs(0))
        self.group = group

    def __call__(
        self,
        x: Float[Array, "b *field"],
        use_running_average: bool | None = None,
        *,
        mask: Array | None = None,
    ) -> Float[Array, "b *field"]:
        kept = preserved_pixels(self.group, x.shape[1 : 1 + self.group.dim])
        kept = kept.reshape(1, *kept.shape, *(1,) * (x.ndim - 1 - kept.ndim))
        return super().__call__(
            x, use_running_average, mask=jnp.asarray(kept) if mask is None else mask
        )
