"""A small classifier to study shifts with: a function of the group and of its downsampling."""

from flax import nnx
from jaxtyping import Array, Float

from ..groups import Group
from ..nn import GroupConv, GroupPool, LiftingConv, global_avg_pool
from ._block import Block
from ._downsampling import Downsampling, check_padding, check_sides, polyphase_downsampling


class ShiftCNN(nnx.Module):
    """A classifier that is exactly invariant, to the group and to circular shifts, or fails to be.

    Convolutions of 3 x ... x 3 with BatchNorm and ReLU, the first one lifting; `depth` times one
    more and a downsampling by 2; a last convolution; pooling over the group and over all of
    space; logits. All that can break its invariance to shifts is the downsampling, and the
    padding if that is not periodic.

    Law, with polyphase downsampling and "CIRCULAR" padding: f(T g·x) = f(x) for every element g
    and every circular shift T, exactly. With max-pooling, for every g, and for shifts by
    multiples of 2^depth.

    With p4 and 8 channels it has about as many parameters as with p1 and 16.

    Example:
      >>> import jax.numpy as jnp
      >>> from flax import nnx
      >>> from gcnn import groups, models
      >>> net = models.ShiftCNN(groups.p4(), models.max_downsampling, rngs=nnx.Rngs(0))
      >>> net(jnp.ones((2, 28, 28, 1))).shape
      (2, 10)
    """

    def __init__(
        self,
        group: Group,
        downsampling: Downsampling = polyphase_downsampling,
        *,
        in_features: int = 1,
        channels: int = 8,
        classes: int = 10,
        depth: int = 2,
        padding: str = "CIRCULAR",
        rngs: nnx.Rngs,
    ):
        """Create the network.

        Args:
          group: the group.
          downsampling: what halves the sides, such as `max_downsampling`.
          in_features: channels of the images.
          channels: channels of every hidden layer, for each group element.
          classes: the number of logits.
          depth: how many times the sides are halved.
          padding: of the convolutions, "CIRCULAR" or "SAME".
          rngs: random keys.

        Raises:
          ValueError: another padding.
        """
        check_padding("ShiftCNN", padding)

        def conv() -> Block:
            return Block(GroupConv(group, channels, channels, 3, padding=padding, rngs=rngs))

        self.group = group
        self.lift = Block(LiftingConv(group, in_features, channels, 3, padding=padding, rngs=rngs))
        self.hidden = nnx.List(conv() for _ in range(depth))
        self.downsamplings = nnx.List(
            downsampling(group, channels, padding, rngs) for _ in range(depth)
        )
        self.last = conv()
        self.pool = GroupPool(group)
        self.top = nnx.Linear(channels, classes, rngs=rngs)

    def __call__(self, x: Float[Array, "b *space i"]) -> Float[Array, "b classes"]:
        """The logits of a batch of images.

        Args:
          x: images `[b, *space, i]`, with sides that are multiples of 2^depth.

        Raises:
          ValueError: the sides are not multiples of 2^depth.
        """
        check_sides("ShiftCNN", self.group, x, len(self.hidden))
        x = self.lift(x)
        for block, downsample in zip(self.hidden, self.downsamplings, strict=True):
            x = downsample(block(x))
        return self.top(global_avg_pool(self.group, self.pool(self.last(x))))
