"""Ways to halve the sides of a field, to be an argument of a network.

Each is a function of the group, the channels, the padding of the network and random keys, and
returns a layer. A lambda of your own will do as well:

    lambda group, channels, padding, rngs: nn.BlurPool(group, 6, 2, padding=padding)
"""

from collections.abc import Callable

from flax import nnx
from jaxtyping import Array, Num

from ..groups import Group
from ..nn import BlurPool, GroupConv, LearnedPolyphase, MaxBlurPool, PolyphasePool, max_pool

Downsampling = Callable[[Group, int, str, nnx.Rngs], Callable[[Array], Array]]


def max_downsampling(
    group: Group, channels: int, padding: str, rngs: nnx.Rngs
) -> Callable[[Array], Array]:
    """The maximum of 2 x ... x 2 pixels: exact for the group, and for shifts by even numbers."""
    del channels, padding, rngs
    return _MaxPool(group)


def strided_downsampling(group: Group, channels: int, padding: str, rngs: nnx.Rngs) -> GroupConv:
    """A convolution of 2 x ... x 2 pixels with stride 2: exact where the maximum is."""
    del padding
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
    """`max_pool` as a layer."""

    def __init__(self, group: Group):
        self.group = group

    def __call__(self, x: Num[Array, "b *field"]) -> Num[Array, "b *pooled"]:
        return max_pool(self.group, x, 2, 2)


def check_padding(model: str, padding: str) -> None:
    """Refuse what does not keep the size of an image."""
    if padding not in ("CIRCULAR", "SAME"):
        raise ValueError(f"{model}: padding {padding!r} is neither CIRCULAR nor SAME.")


def check_sides(model: str, group: Group, x: Array, depth: int) -> None:
    """Check that the sides can be halved `depth` times."""
    space = x.shape[1 : 1 + group.dim]
    if any(n % 2**depth for n in space):
        whole = tuple(-(-n // 2**depth) * 2**depth for n in space)
        raise ValueError(
            f"{model} halves the sides of an image {depth} times, so that they must be multiples "
            f"of {2**depth}; got {space}. Pad the images to {whole}, or crop them."
        )
