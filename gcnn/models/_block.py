"""The block that the plain stacks here are made of, and the normalisation of all networks."""

from flax import nnx
from jaxtyping import Array, Float

from ..nn import GroupConv, LiftingConv
from ._halving import HalvingConv


class Block(nnx.Module):
    """Convolution, BatchNorm over the last axis (so pooled over the orbit), ReLU."""

    def __init__(self, conv: LiftingConv | GroupConv | HalvingConv):
        """Put the rest behind a convolution."""
        self.conv = conv
        self.norm = batch_norm(conv.out_features)

    def __call__(self, x: Float[Array, "b *field"]) -> Float[Array, "b *out"]:
        """Apply all three."""
        return nnx.relu(self.norm(self.conv(x)))


def batch_norm(features: int) -> nnx.BatchNorm:
    """BatchNorm with Chainer's momentum of 0.9, and the epsilon of the published networks."""
    # keys are not used: scale and bias start at 1 and 0
    return nnx.BatchNorm(features, momentum=0.9, epsilon=2e-5, rngs=nnx.Rngs(0))
