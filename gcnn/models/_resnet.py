"""The residual network for CIFAR-10 of Cohen & Welling 2016, as a function of the group.

"Group equivariant convolutional networks", section 8.2, with the blocks of He et al. 2016,
"Identity mappings in deep residual networks": BatchNorm and ReLU come before each convolution.
"""

import itertools
from collections.abc import Sequence
from functools import partial

import jax.numpy as jnp
from flax import nnx
from flax.typing import Initializer
from jaxtyping import Array, Float

from .. import groups
from ..groups import Group
from ..kernels import folded
from ..nn import GroupConv, GroupPool, LiftingConv, global_avg_pool
from ._block import batch_norm
from ._downsampling import check_centre
from ._halving import HalvingConv, halved

_INIT = folded(nnx.initializers.he_normal())  # as published: of variance 2 / fan-in


class ResNet(nnx.Module):
    """The residual network of 6·blocks + 2 layers, if it has three stages; with p1 a plain one.

    A lifting convolution; a stage of `blocks` blocks for each entry of `channels`; BatchNorm and
    ReLU; the mean over space and group; logits. A block adds conv(ReLU(BN(conv(ReLU(BN(x)))))),
    with convolutions of 3 x ... x 3, to x. The first block of each stage but the first halves the
    sides and changes the width, and adds to a convolution of 1 x ... x 1 of x.

    Law: f(g·x) = f(x) for every element g.

    It takes images of every group and dimension: lines, volumes, and skewed lattices, whose sides
    are 1 more than a multiple of 2^stages (33, with three), so that there is a pixel to turn about
    at every resolution. Other sides are free: n pixels become ⌈n/2⌉.

    On CIFAR-10, with the test errors that are published, without and with augmentation:

        ResNet-44, blocks 7                      parameters  published    error
        p1   channels (32, 64, 128)               2 639 434      2.64M    9.45 %, 5.61 %
        p4m  channels (11, 23, 45)                2 619 728      2.62M    6.46 %, 4.94 %

        ResNet-26, blocks 4
        p1   channels (71, 142, 284)              7 236 046      7.24M    8.95 %, 5.27 %
        p4m  channels (25, 50, 100)               7 166 110      7.17M    5.74 %, 4.19 %

    All convolutions have biases: without, ResNet-26 would have 7.23M and 7.16M parameters.

    Two things differ from the published code, which is not invariant to p4m:

    - Its convolutions of stride 2 are not centred on 32 and on 16 pixels, as the downsampling law
      demands. Here the same convolution is taken half a pixel further on, between the pixels, as
      the mean of its values at the 2 x ... x 2 around, and likewise in the shortcut. That costs no
      parameter, and holds for p1 too, so that networks differ in their group alone. (On odd sides
      the published ones are centred, and are what is here.)
    - It gives the logits from all slots of the group axis, each with weights of its own, which see
      how an image is turned. Here the slots are pooled first. That leaves out 3150 weights of
      ResNet-44 and 7000 of ResNet-26, too few for the digits that are published.

    Example:
      >>> import jax.numpy as jnp
      >>> from flax import nnx
      >>> from gcnn import groups, models
      >>> net = models.ResNet(groups.p4(), channels=(2, 4), blocks=1, rngs=nnx.Rngs(0))
      >>> net(jnp.ones((2, 32, 32, 3))).shape
      (2, 10)
    """

    def __init__(
        self,
        group: Group | None = None,
        *,
        channels: Sequence[int] = (25, 50, 100),
        blocks: int = 4,
        in_features: int = 3,
        classes: int = 10,
        kernel_init: Initializer = _INIT,
        rngs: nnx.Rngs,
    ):
        """Create the network.

        Args:
          group: the group; p4m if not given.
          channels: channels of every stage, for each group element.
          blocks: blocks of every stage, of two convolutions each.
          in_features: channels of the images.
          classes: the number of logits.
          kernel_init: initialiser of all kernels; that of He et al. if not given.
          rngs: random keys.

        Raises:
          ValueError: no stage, or no block in a stage.
        """
        if not channels or blocks < 1:
            raise ValueError(
                f"ResNet needs the channels of one stage or more, and one block or more in each; "
                f"got channels {tuple(channels)} and {blocks} blocks."
            )
        self.group = groups.p4m() if group is None else group
        self.halvings = len(channels) - 1
        self.lift = LiftingConv(
            self.group, in_features, channels[0], 3, kernel_init=kernel_init, rngs=rngs
        )
        widths = [(channels[0], channels[0], False)] * blocks
        for i, o in itertools.pairwise(channels):
            widths += [(i, o, True)] + [(o, o, False)] * (blocks - 1)
        block = partial(_ResidualBlock, self.group, kernel_init=kernel_init, rngs=rngs)
        self.blocks = nnx.List(block(i, o, halve=halve) for i, o, halve in widths)
        self.norm = batch_norm(channels[-1], self.group)
        self.pool = GroupPool(self.group, jnp.mean)
        self.top = nnx.Linear(channels[-1], classes, kernel_init=kernel_init, rngs=rngs)

    def __call__(self, x: Float[Array, "b *space i"]) -> Float[Array, "b classes"]:
        """The logits of a batch of images.

        Args:
          x: images `[b, *space, i]`.

        Raises:
          ValueError: the group skews the lattice, and the images have no pixel to turn about when
            they are halved for every stage but one.
        """
        check_centre("ResNet", self.group, x, self.halvings)
        x = self.lift(x)
        for block in self.blocks:
            x = block(x)
        x = nnx.relu(self.norm(x))
        return self.top(self.pool(global_avg_pool(self.group, x)))


class _ResidualBlock(nnx.Module):
    """y = s(x) + conv(ReLU(BN(conv(ReLU(BN(x)))))), s the identity, or linear where sides halve."""

    def __init__(
        self,
        group: Group,
        in_features: int,
        out_features: int,
        *,
        halve: bool,
        kernel_init: Initializer,
        rngs: nnx.Rngs,
    ):
        conv = partial(GroupConv, group, kernel_init=kernel_init, rngs=rngs)
        halving = partial(HalvingConv, group, kernel_init=kernel_init, rngs=rngs)
        self.group = group
        self.norms = nnx.List(batch_norm(n, group) for n in (in_features, out_features))
        first = halving(in_features, out_features) if halve else conv(in_features, out_features, 3)
        self.convs = nnx.List([first, conv(out_features, out_features, 3)])
        self.shortcut = nnx.data(conv(in_features, out_features, 1) if halve else None)

    def __call__(self, x: Float[Array, "b *space h i"]) -> Float[Array, "b *space_out h o"]:
        y = x
        for norm, conv in zip(self.norms, self.convs, strict=True):
            y = conv(nnx.relu(norm(y)))
        if self.shortcut is None:
            return x + y
        # a convolution of one pixel commutes with the mean, which makes it four times as cheap
        return self.shortcut(halved(self.group, x)) + y
