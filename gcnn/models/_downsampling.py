"""Ways to halve the sides of a field, to be an argument of a network.

The maximum takes any sides, from n to ⌈n/2⌉; the others those that their windows are centred on,
or multiples of 2. Blurs and polyphase sampling work along one axis at a time, and refuse a
lattice that the group skews.

Each is a function of the group, the channels, the padding of the network and random keys, and
returns a layer. A lambda of your own will do as well:

    lambda group, channels, padding, rngs: nn.BlurPool(group, 6, 2, padding=padding)
"""

from collections.abc import Callable

from flax import nnx
from jaxtyping import Array, Num

from ..actions import skewed_axes
from ..groups import Group
from ..nn import BlurPool, GroupConv, LearnedPolyphase, MaxBlurPool, PolyphasePool, max_pool

Downsampling = Callable[[Group, int, str, nnx.Rngs], Callable[[Array], Array]]


def max_downsampling(
    group: Group, channels: int, padding: str, rngs: nnx.Rngs
) -> Callable[[Array], Array]:
    """The maximum of 2 x ... x 2 pixels: exact for the group, and for shifts by even numbers.

    Along an axis of an odd number of pixels, of 3 about every other one, the first to the last;
    on a lattice that the group skews, of what there is of a window of 3 x ... x 3, a hexagon for
    p6. That is exact for the group alone.
    """
    del channels, padding, rngs
    return _MaxPool(group)


def strided_downsampling(group: Group, channels: int, padding: str, rngs: nnx.Rngs) -> GroupConv:
    """A convolution of 2 x ... x 2 pixels with stride 2: on even sides, exact where the maximum is.

    Of 3 x ... x 3, with zeros beyond the border, on a lattice that the group skews.
    """
    del padding
    if skewed_axes(group):
        return GroupConv(group, channels, channels, 3, 2, padding="SAME", rngs=rngs)
    return GroupConv(group, channels, channels, 2, 2, padding="VALID", rngs=rngs)


def blur_downsampling(group: Group, channels: int, padding: str, rngs: nnx.Rngs) -> BlurPool:
    """A binomial blur of 4 x ... x 4 pixels, sampled by 2: less aliasing, no exact shifts."""
    del channels, rngs
    return BlurPool(group, 4, 2, padding=padding)


def max_blur_downsampling(group: Group, channels: int, padding: str, rngs: nnx.Rngs) -> MaxBlurPool:
    """The dense maximum of 2 x ... x 2 pixels, a blur of 3 x ... x 3, sampled by 2."""
    del channels, rngs
    return MaxBlurPool(group, 3, 2, 2, padding=padding)


def polyphase_downsampling(
    group: Group, channels: int, padding: str, rngs: nnx.Rngs
) -> PolyphasePool:
    """Adaptive polyphase sampling by 2: exact for the group and for circular shifts."""
    del channels, padding, rngs
    return PolyphasePool(group)


def learned_downsampling(
    group: Group, channels: int, padding: str, rngs: nnx.Rngs
) -> LearnedPolyphase:
    """Polyphase sampling by 2 with a learned score: in evaluation as exact, in training mixed."""
    del padding
    return LearnedPolyphase(group, channels, rngs=rngs)


class _MaxPool(nnx.Module):
    """`max_halved` as a layer."""

    def __init__(self, group: Group):
        self.group = group

    def __call__(self, x: Num[Array, "b *field"]) -> Num[Array, "b *pooled"]:
        return max_halved(self.group, x)


def max_halved(group: Group, x: Num[Array, "b *field"]) -> Num[Array, "b *pooled"]:
    """The maximum of 2 pixels along axes of an even number, of 3 along those of an odd one."""
    size = [3 if n % 2 else 2 for n in x.shape[1 : 1 + group.dim]]
    # Exact all the same: the size is that of the side, and an element that swaps two axes
    # swaps both; while the check knows windows alone, of one size along such axes.
    return max_pool(group, x, size, 2, "SAME", allow_inexact=True)


def check_padding(model: str, padding: str) -> None:
    """Refuse what does not keep the size of an image."""
    if padding not in ("CIRCULAR", "SAME"):
        raise ValueError(f"{model}: padding {padding!r} is neither CIRCULAR nor SAME.")


def check_sides(model: str, group: Group, x: Array, depth: int) -> None:
    """Check that the sides can be halved `depth` times, to whole numbers."""
    space = x.shape[1 : 1 + group.dim]
    if any(n % 2**depth for n in space):
        whole = tuple(-(-n // 2**depth) * 2**depth for n in space)
        raise ValueError(
            f"{model} halves the sides of an image {depth} times, so that they must be multiples "
            f"of {2**depth}; got {space}. Pad the images to {whole}, or crop them."
        )


def check_centre(model: str, group: Group, x: Array, depth: int) -> None:
    """Check that n pixels, halved `depth` times to ⌈n/2⌉, keep one to turn about.

    That takes an odd number each time, along the axes that the group skews; along others, which
    are mirrored and exchanged alone, there is nothing to check.
    """
    space = x.shape[1 : 1 + group.dim]
    step = 2 ** (depth + 1)
    for axis, g in skewed_axes(group).items():
        if space[axis] % step != 1:
            whole = tuple(
                -(-(n - 1) // step) * step + 1 if a in skewed_axes(group) else n
                for a, n in enumerate(space)
            )
            raise ValueError(
                f"{model} halves the sides of an image {depth} times, and the element "
                f"{group.names[g]} of {group}, which skews axis {axis}, turns about a pixel every "
                f"time: the side must be 1 more than a multiple of {step}; got {space}. Pad the "
                f"images to {whole}, or crop them."
            )
