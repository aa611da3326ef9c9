"""A U-Net as a function of a group: the mask moves exactly as the image does."""

import itertools

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from ..actions import skewed_axes
from ..groups import Group
from ..nn import (
    BlurPool,
    GroupConv,
    GroupPool,
    LearnedPolyphase,
    LiftingConv,
    PolyphasePool,
    polyphase_sample,
    polyphase_unsample,
)
from ._block import Block
from ._doubling import doubled
from ._downsampling import (
    Downsampling,
    check_centre,
    check_padding,
    check_sides,
    max_downsampling,
    polyphase_downsampling,
)


class UNet(nnx.Module):
    """A U-Net (Ronneberger et al. 2015) on group fields, from images to logits per pixel.

    On each level two convolutions of 3 x ... x 3 with BatchNorm and ReLU; the width doubles when
    the sides halve, `depth` times. On the way up a field is interpolated to the sides of the one
    above on the way down, joined to it, and convolved again. At the end the group axis is pooled,
    and a linear map gives the logits.

    Where polyphase sampling led down, the way up puts each value back on the pixel that it came
    from and blurs, which is linear interpolation on the grid that was chosen. Where anything
    else did, it is linear interpolation about the centre of the image.

    Law, with polyphase downsampling and "CIRCULAR" padding: f(T g·x) = T g·f(x) for every element
    g and every circular shift T, exactly. With max-pooling, for every g, and for shifts by
    multiples of 2^depth where these divide the sides. On a skewed lattice, for every g.

    Images may be lines, planes or volumes, as the group has it. Polyphase sampling takes sides that
    are multiples of 2^depth, and max-pooling any: n pixels become ⌈n/2⌉. On a skewed lattice they
    are 1 more than a multiple of 2^(depth + 1), so that there is a pixel to turn about on every
    level, and the pixels in the corners, which the group does not preserve, play no part: their
    logits are those of a field of zeros.

    With p1 it is the plain U-Net. A convolution of p4 from c to c channels has as many parameters
    as one of p1 from 2c to 2c, so that 8 channels with p4 compare to 16 with p1 (and to 32 at
    equal cost).

    Example:
      >>> import jax.numpy as jnp
      >>> from flax import nnx
      >>> from gcnn import groups, models
      >>> net = models.UNet(groups.p4(), 1, 2, channels=2, depth=1, rngs=nnx.Rngs(0))
      >>> net(jnp.ones((1, 24, 32, 1))).shape
      (1, 24, 32, 2)
    """

    def __init__(
        self,
        group: Group,
        in_features: int = 1,
        out_features: int = 1,
        *,
        channels: int = 8,
        depth: int = 3,
        downsampling: Downsampling | None = None,
        padding: str | None = None,
        rngs: nnx.Rngs,
    ):
        """Create the network.

        Args:
          group: the group.
          in_features: channels of the images.
          out_features: logits per pixel: 1 for a mask, or one for each class.
          channels: channels of the first level, for each group element.
          depth: how many times the sides are halved.
          downsampling: what halves them, such as `max_downsampling`; if not given,
            `polyphase_downsampling`, or the maximum on a lattice that the group skews.
          padding: of the convolutions and blurs, "CIRCULAR" or "SAME"; if not given, "CIRCULAR",
            or "SAME" on a lattice that the group skews.
          rngs: random keys.

        Raises:
          ValueError: another padding; or one, or a downsampling, that a skewed lattice lacks.
        """
        skewed = bool(skewed_axes(group))
        if downsampling is None:
            downsampling = max_downsampling if skewed else polyphase_downsampling
        if padding is None:
            padding = "SAME" if skewed else "CIRCULAR"
        check_padding("UNet", padding)

        def conv(i: int, o: int) -> Block:
            return Block(GroupConv(group, i, o, 3, padding=padding, rngs=rngs))

        widths = [channels * 2**level for level in range(depth + 1)]
        steps = list(itertools.pairwise(widths))
        lift = Block(LiftingConv(group, in_features, channels, 3, padding=padding, rngs=rngs))
        self.group = group
        self.padding = padding
        self.first = nnx.Sequential(lift, conv(channels, channels))
        self.downsamplings = nnx.List(downsampling(group, n, padding, rngs) for n in widths[:-1])
        self.down = nnx.List(nnx.Sequential(conv(n, m), conv(m, m)) for n, m in steps)
        self.up = nnx.List(nnx.Sequential(conv(m + n, n), conv(n, n)) for n, m in reversed(steps))
        self.pool = GroupPool(group)
        self.top = nnx.Linear(channels, out_features, rngs=rngs)

    def __call__(self, x: Float[Array, "b *space i"]) -> Float[Array, "b *space o"]:
        """The logits of every pixel.

        Args:
          x: images `[b, *space, i]`, of sides that can be halved `depth` times.

        Raises:
          ValueError: the sides cannot be halved as often; see the class.
        """
        depth, d = len(self.down), self.group.dim
        check_centre("UNet", self.group, x, depth)
        if any(isinstance(layer, PolyphasePool | LearnedPolyphase) for layer in self.downsamplings):
            check_sides("UNet", self.group, x, depth)
        x = self.first(x)
        seen = []
        for downsample, blocks in zip(self.downsamplings, self.down, strict=True):
            if isinstance(downsample, PolyphasePool | LearnedPolyphase):
                phase = downsample.phase(x)
                coarse = polyphase_sample(self.group, x, phase)
            else:
                phase, coarse = None, downsample(x)
            _check_halved(x.shape[1 : 1 + d], coarse.shape[1 : 1 + d])
            seen.append((x, phase))
            x = blocks(coarse)
        for (fine, phase), blocks in zip(reversed(seen), self.up, strict=True):
            enlarged = self._enlarged(x, phase, fine.shape[1 : 1 + d])
            x = blocks(jnp.concat([enlarged, fine], axis=-1))
        return self.top(self.pool(x))

    def _enlarged(self, x: Array, phase: Array | None, space: tuple[int, ...]) -> Array:
        if phase is None:
            around = "CIRCULAR" if self.padding == "CIRCULAR" else "EDGE"
            return doubled(self.group, x, space, around)
        blur = BlurPool(self.group, 3, 1, padding=self.padding)
        return blur(polyphase_unsample(self.group, x, phase)) * 2**self.group.dim


def _check_halved(fine: tuple[int, ...], coarse: tuple[int, ...]) -> None:
    half = tuple(-(-n // 2) for n in fine)
    if coarse != half:
        raise ValueError(
            f"UNet: downsampling made sides of {coarse} from {fine}, and the way up needs half of "
            f"them, rounded up: {half}. Use even sides, max_downsampling, or a window of odd size "
            f'with stride 2 and padding "SAME".'
        )
