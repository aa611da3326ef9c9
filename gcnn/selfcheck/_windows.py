"""Convolutions and pools: windows and images of every size that the lattice takes."""

from collections.abc import Iterator
from typing import Any

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array

from .. import nn
from ..actions import act_on_group_axis, skewed_axes
from ..groups import Group
from ._case import Case, by, channels, few, normal, options, side


def window_cases(group: Group) -> Iterator[Case]:
    """Every layer with a window, and those that change the size of the image."""
    skewed = bool(skewed_axes(group))
    yield from (_odd_cases if skewed or group.dim > 2 else _even_cases)(group, side(group))
    if not skewed:
        yield from _separable_cases(group)

    def act_out(group: Group, g: int, y: Any) -> Any:
        return act_on_group_axis(group, g, y, 1)

    def both(x: Array) -> Array:
        pooled = [nn.global_avg_pool(group, x), nn.global_max_pool(group, x)]
        return jnp.concatenate(pooled, axis=-1)

    name = "global_avg_pool, global_max_pool"
    yield Case(name, both, few(group), True, integer=False, act_out=act_out)


def _even_cases(group: Group, n: int) -> Iterator[Case]:
    """Windows and images of even and odd sizes."""
    c, three, four = channels(group), by(group, 3), by(group, 4)
    made = options()

    def lifting(kernel_size: int, **options: Any) -> nn.LiftingConv:
        return nn.LiftingConv(group, c, c, kernel_size, **made, **options)

    def conv(kernel_size: int, **options: Any) -> nn.GroupConv:
        return nn.GroupConv(group, c, c, kernel_size, **made, **options)

    even = n - 1
    yield Case(f"LiftingConv {three}", lifting(3), n, False)
    yield Case(f"LiftingConv {four}, valid", lifting(4, padding="VALID"), n, False, again=True)
    yield Case(f"LiftingConv {three}, stride 2", lifting(3, strides=2), n, False, again=True)
    yield Case(f"GroupConv {by(group, 1)}", conv(1), n, True)
    yield Case(f"GroupConv {three}", conv(3), n, True)
    yield Case(f"GroupConv {three}, circular", conv(3, padding="CIRCULAR"), even, True, again=True)
    yield Case(f"GroupConv {three}, dilation 2", conv(3, kernel_dilation=2), n, True, again=True)
    yield Case(f"GroupConv {four}, stride 2", conv(4, strides=2), even, True, again=True)
    yield Case(
        "max_pool 2, stride 2", lambda x: nn.max_pool(group, x, 2, 2), even, True, again=True
    )
    yield Case("max_pool 3, stride 2", lambda x: nn.max_pool(group, x, 3, 2), n, True)
    yield Case("avg_pool 2, stride 2", lambda x: nn.avg_pool(group, x, 2, 2), even, True)
    for f, on_group in ((nn.LiftingConvTranspose, False), (nn.GroupConvTranspose, True)):
        transposed = f(group, c, c, 4, 2, **made)
        yield Case(f"{f.__name__} 4, stride 2", transposed, 4, on_group)


def _odd_cases(group: Group, n: int) -> Iterator[Case]:
    """Windows and images of odd sizes alone, as skewed lattices need them."""
    c, three, short = channels(group), by(group, 3), few(group)
    made = options()
    lifting, strided = (nn.LiftingConv(group, c, c, 3, s, **made) for s in (1, 2))
    yield Case(f"LiftingConv {three}", lifting, n - 2, False)
    yield Case(f"LiftingConv {three}, stride 2", strided, n, False, again=True)
    yield Case(f"GroupConv {by(group, 1)}", nn.GroupConv(group, c, c, 1, **made), short, True)
    conv = nn.GroupConv(group, c, c, 3, padding="VALID", **made)
    yield Case(f"GroupConv {three}, valid", conv, n, True)
    dilated = nn.GroupConv(group, c, c, 3, kernel_dilation=2, **made)
    yield Case(f"GroupConv {three}, dilation 2", dilated, n - 2, True, again=True)
    yield Case("max_pool 3, stride 2", lambda x: nn.max_pool(group, x, 3, 2, "SAME"), n, True)
    yield Case("avg_pool 3", lambda x: nn.avg_pool(group, x, 3), n, True)
    for f, on_group in ((nn.LiftingConvTranspose, False), (nn.GroupConvTranspose, True)):
        transposed = f(group, c, c, 3, 2, padding="VALID", **made)
        yield Case(f"{f.__name__} 3, stride 2", transposed, short, on_group)


def _separable_cases(group: Group) -> Iterator[Case]:
    """What works along one axis at a time, which no skewed lattice has, on an even size."""
    n, c = (8 if group.dim < 3 else 4), channels(group)
    yield Case("BlurPool 4, stride 2", nn.BlurPool(group, 4, 2), n, True)
    yield Case("MaxBlurPool 2 and 3, stride 2", nn.MaxBlurPool(group, 3, 2, 2), n, True)
    yield Case("PolyphasePool, stride 2", nn.PolyphasePool(group), n, True)
    learned = nn.LearnedPolyphase(
        group, c, deterministic=True, kernel_init=normal, rngs=nnx.Rngs(0)
    )
    yield Case("LearnedPolyphase, stride 2", learned, n, True)
    yield Case("upsample 2, linear", lambda x: nn.upsample(group, x, 2, "linear"), n // 2, True)
