"""What breaks the symmetry, and must be rejected."""

from collections.abc import Iterator
from typing import Any

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array

from .. import nn
from ..actions import mirrored_axes, skewed_axes
from ..groups import Group
from ._case import Case, by, channels, few, large, normal, options, side
from ._fields import of_field, vectors_of


def controls(group: Group) -> Iterator[Case]:
    """Layers that look as if they commuted with a group of more than one element."""
    c, n, short, made = channels(group), side(group), few(group), options()
    plain = nnx.Conv(c, c, (3,) * group.dim, **made)
    yield Case("nnx.Conv", plain, n, False, control=True)
    separate = _BatchNormOfEachSlot(group, c, made["rngs"])
    yield Case("BatchNorm of each slot", separate, short, True, integer=False, control=True)
    vectors = vectors_of(group)
    if not vectors.is_permutation:
        of_vectors = of_field(vectors, vectors, c)
        subtracts = nnx.BatchNorm(c, rngs=made["rngs"])
        yield Case(
            "nnx.BatchNorm of vectors",
            subtracts,
            short,
            False,
            integer=False,
            control=True,
            **of_vectors,
        )
        yield Case("relu of vectors", nnx.relu, short, False, control=True, **of_vectors)
    if not large(group):
        heads: dict[str, Any] = {"num_heads": 2, "qkv_features": 2, "encoding_init": normal}
        still = _Upright(group, c, c, 3, **heads, **made)
        yield Case("self-attention, upright", still, short, False, integer=False, control=True)
    if mirrored_axes(group) and not skewed_axes(group):
        broken = nn.LiftingConv(group, c, c, 3, 2, allow_inexact=True, **made)
        name = f"LiftingConv {by(group, 3)}, stride 2 on {n - 1}"
        yield Case(name, broken, n - 1, False, control=True)


class _BatchNormOfEachSlot(nnx.Module):
    """Statistics that are not pooled over the orbit: broken only if samples turn differently."""

    def __init__(self, group: Group, features: int, rngs: nnx.Rngs):
        self.norm = nnx.BatchNorm(group.order * features, rngs=rngs)

    def __call__(self, x: Array) -> Array:
        return self.norm(x.reshape(*x.shape[:-2], -1)).reshape(x.shape)


class _Upright(nn.LiftingSelfAttention):
    """Attention whose encoding of positions the group does not act upon."""

    def bank(self) -> Array:
        return jnp.stack([self.encoding[...]] * self.group.order, axis=-2)
