"""The block that every network here is made of."""

from flax import nnx
from jaxtyping import Array, Float

from ..nn import GroupConv, LiftingConv


class Block(nnx.Module):
    """Convolution, BatchNorm over the last axis (so pooled over the orbit), ReLU."""

    def __init__(self, conv: LiftingConv | GroupConv):
        """Put the rest behind a convolution."""
        self.conv = conv
        # momentum 0.9 is Chainer's; keys are not used, scale and bias start at 1 and 0
        self.norm = nnx.BatchNorm(conv.out_features, momentum=0.9, epsilon=2e-5, rngs=nnx.Rngs(0))

    def __call__(self, x: Float[Array, "b *field"]) -> Float[Array, "b *out"]:
        """Apply all three."""
        return nnx.relu(self.norm(self.conv(x)))
