"""A residual network for digits, made for training in minutes on two CPU cores."""

import itertools
from collections.abc import Sequence

from flax import nnx
from jaxtyping import Array, Float

from .. import groups
from ..groups import Group
from ..nn import GroupConv, GroupPool, LiftingConv, global_max_pool, max_pool
from ._block import Block, batch_norm
from ._downsampling import check_sides


class DigitResNet(nnx.Module):
    """Few channels where the image is large, residual blocks where it is small.

    A lifting convolution of 5 x 5 on all pixels, the only layer there; then, for every further
    entry of `channels`, the maximum of 2 x 2 pixels and residual blocks of two convolutions of
    3 x 3; a convolution of the size of what is left (7 x 7 of 28 pixels); the maximum over the
    group; a hidden layer, dropout, logits. BatchNorm and ReLU follow every convolution,
    in a block the last ReLU the sum.

    Law: f(g·x) = f(x) for every element g.

    With p4 and the defaults it has 376 130 parameters and takes 24 million
    multiply-accumulates an image, twice those of the P4CNN, most of them on 14 x 14 and on 7 x 7
    pixels.

    Example:
      >>> import jax.numpy as jnp
      >>> from flax import nnx
      >>> from gcnn import groups, models
      >>> net = models.DigitResNet(groups.p4(), rngs=nnx.Rngs(0))
      >>> net(jnp.ones((2, 28, 28, 1))).shape
      (2, 10)
    """

    def __init__(
        self,
        group: Group | None = None,
        *,
        channels: Sequence[int] = (8, 16, 32),
        blocks: int = 1,
        hidden: int = 48,
        side: int = 28,
        classes: int = 10,
        dropout_rate: float = 0.3,
        rngs: nnx.Rngs,
    ):
        """Create the network.

        Args:
          group: the group; p4 if not given.
          channels: of the lifting convolution and of every stage, for each group element.
          blocks: residual blocks of every stage.
          hidden: invariant channels, and neurons of the hidden layer.
          side: of the images, a multiple of 2 to the number of stages.
          classes: the number of logits.
          dropout_rate: of the hidden neurons.
          rngs: random keys, with a stream "dropout" if there is any.

        Raises:
          ValueError: the side cannot be halved as often.
        """
        self.group = groups.p4() if group is None else group
        self.stages = len(channels) - 1
        last = side // 2**self.stages
        if last * 2**self.stages != side or last == 0:
            raise ValueError(
                f"DigitResNet halves the side {side} of its images {self.stages} times; it must be "
                f"a multiple of {2**self.stages}. Pad the images, or give fewer channels."
            )
        self.lift = Block(LiftingConv(self.group, 1, channels[0], 5, use_bias=False, rngs=rngs))
        widths = itertools.pairwise(channels)
        self.blocks = nnx.List(
            _Residual(self.group, i if b == 0 else o, o, rngs)
            for i, o in widths
            for b in range(blocks)
        )
        self.per_stage = blocks
        self.top = Block(
            GroupConv(
                self.group, channels[-1], hidden, last, padding="VALID", use_bias=False, rngs=rngs
            )
        )
        self.pool = GroupPool(self.group)
        self.hidden = nnx.Linear(hidden, hidden, use_bias=False, rngs=rngs)
        self.norm = batch_norm(hidden)
        self.dropout = nnx.Dropout(dropout_rate, rngs=rngs if dropout_rate else None)
        self.out = nnx.Linear(hidden, classes, rngs=rngs)

    def __call__(self, x: Float[Array, "b y x 1"]) -> Float[Array, "b classes"]:
        """The logits of a batch of images.

        Args:
          x: images `[b, side, side, 1]`, standardised.

        Raises:
          ValueError: the sides cannot be halved as often.
        """
        check_sides("DigitResNet", self.group, x, self.stages)
        x = self.lift(x)
        for k, block in enumerate(self.blocks):
            if k % self.per_stage == 0:
                x = max_pool(self.group, x, 2, 2)
            x = block(x)
        x = global_max_pool(self.group, self.pool(self.top(x)))
        return self.out(self.dropout(nnx.relu(self.norm(self.hidden(x)))))


class _Residual(nnx.Module):
    """y = ReLU(s(x) + BN(conv(ReLU(BN(conv(x)))))), s the identity, or linear to other widths."""

    def __init__(self, group: Group, in_features: int, out_features: int, rngs: nnx.Rngs):
        def conv(i: int, size: int) -> GroupConv:
            return GroupConv(group, i, out_features, size, use_bias=False, rngs=rngs)

        self.first = Block(conv(in_features, 3))
        self.second = conv(out_features, 3)
        self.norm = batch_norm(out_features, group)
        self.shortcut = nnx.data(None if in_features == out_features else conv(in_features, 1))

    def __call__(self, x: Float[Array, "b *field"]) -> Float[Array, "b *out"]:
        y = self.norm(self.second(self.first(x)))
        return nnx.relu(y + (x if self.shortcut is None else self.shortcut(x)))
