"""The All-CNN-C for CIFAR-10, as a function of the group.

Springenberg et al. 2015, "Striving for simplicity: the all convolutional net", in the version of
Cohen & Welling 2016, "Group equivariant convolutional networks", section 8.2, and of their
published code.
"""

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
from ._block import Block
from ._downsampling import check_centre
from ._halving import HalvingConv

_INIT = folded(nnx.initializers.normal(0.035))  # as published, for p4 and p4m


class AllCNN(nnx.Module):
    """The All-CNN-C: nine convolutions, two of stride 2, and no pooling but at the end.

    To c channels, c, c (stride 2), 2c, 2c, 2c (stride 2), 2c, 2c and the classes; of 3 x ... x 3
    pixels, the last two of 1 x ... x 1. Each has a bias, BatchNorm and ReLU, the last one too; the
    logits are its mean over space and group.

    Law: f(g·x) = f(x) for every element g.

    On CIFAR-10, with the test errors that are published, without and with augmentation:

        group  channels  parameters  published    error
        p1           96   1 372 254      1.37M    9.44 %, 8.86 %
        p4           48   1 371 006      1.37M    8.84 %, 7.67 %
        p4m          32   1 219 678      1.22M    7.59 %, 7.04 %

    One thing differs from the published code, which is not invariant: its convolutions of stride 2
    are not centred on 32 and on 16 pixels, as the downsampling law demands. Here the same
    convolution is taken half a pixel further on, between the pixels, as the mean of its values at
    the 2 x ... x 2 around. That costs no parameter, and holds for p1 too, so that networks differ
    in their group alone. (Odd sides are centred as published.)

    Dropout is of single pixels, as published: an element of the group turns one draw into another,
    of equal probability, and so f(g·x) in training has the distribution of f(x). With `whole_maps`
    they are equal, draw by draw, which costs: a p4m network has 32 maps where the plain one has 96,
    and half of them are gone at a time.

    Example:
      >>> import jax.numpy as jnp
      >>> from flax import nnx
      >>> from gcnn import groups, models
      >>> net = models.AllCNN(groups.p4(), channels=2, rngs=nnx.Rngs(0))
      >>> net(jnp.ones((2, 32, 32, 3))).shape
      (2, 10)
    """

    def __init__(
        self,
        group: Group | None = None,
        *,
        channels: int = 32,
        in_features: int = 3,
        classes: int = 10,
        dropout_rates: Sequence[float] = (0.2, 0.5, 0.5),
        whole_maps: bool = False,
        kernel_init: Initializer = _INIT,
        rngs: nnx.Rngs,
    ):
        """Create the network.

        Args:
          group: the group; p4m if not given.
          channels: channels c of the first three layers, for each group element.
          in_features: channels of the images.
          classes: the number of logits.
          dropout_rates: dropout of the images, and after each convolution of stride 2; the
            published ones if not given.
          whole_maps: drop whole feature maps, with all their slots, and whole colours of an image,
            in place of single pixels.
          kernel_init: initialiser of all kernels; normal of deviation 0.035 if not given, where
            the plain network has 0.05.
          rngs: random keys, with a stream "dropout" if there is any.

        Raises:
          ValueError: not three rates.
        """
        if len(dropout_rates) != 3:
            raise ValueError(
                f"AllCNN drops in three places, the image and after each of two convolutions of "
                f"stride 2; got dropout_rates {tuple(dropout_rates)}. A rate of 0 drops nothing."
            )
        self.group = groups.p4m() if group is None else group
        lifting = partial(LiftingConv, self.group, kernel_init=kernel_init, rngs=rngs)
        group_conv = partial(GroupConv, self.group, kernel_init=kernel_init, rngs=rngs)
        halving = partial(HalvingConv, self.group, kernel_init=kernel_init, rngs=rngs)

        def dropout(rate: float, axes: int) -> nnx.Dropout:
            whole = tuple(range(1, axes + 1)) if whole_maps else ()
            return nnx.Dropout(rate, broadcast_dims=whole, rngs=rngs if rate else None)

        c, d = channels, self.group.dim
        self.layers = nnx.Sequential(
            dropout(dropout_rates[0], d),
            Block(lifting(in_features, c, 3)),
            Block(group_conv(c, c, 3)),
            Block(halving(c, c)),
            dropout(dropout_rates[1], d + 1),
            Block(group_conv(c, 2 * c, 3)),
            Block(group_conv(2 * c, 2 * c, 3)),
            Block(halving(2 * c, 2 * c)),
            dropout(dropout_rates[2], d + 1),
            Block(group_conv(2 * c, 2 * c, 3)),
            Block(group_conv(2 * c, 2 * c, 1)),
            Block(group_conv(2 * c, classes, 1)),
        )
        self.pool = GroupPool(self.group, jnp.mean)

    def __call__(self, x: Float[Array, "b *space i"]) -> Float[Array, "b classes"]:
        """The logits of a batch of images.

        Args:
          x: images `[b, *space, i]`.

        Raises:
          ValueError: the group skews the lattice, and the sides are not 1 more than a multiple
            of 8, so that there is no pixel to turn about when they are halved twice.
        """
        check_centre("AllCNN", self.group, x, 2)
        return self.pool(global_avg_pool(self.group, self.layers(x)))
