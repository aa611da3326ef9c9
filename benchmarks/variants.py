"""Each case as modules that do the same thing in different ways, and the input of each.

The plain ones are given the weights of ours, wherever that makes them the same function: what is
timed then is one function of the same numbers, and whether it is can be checked.
"""

import dataclasses
import math
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from flax.typing import Initializer
from jaxtyping import Array, Float

from experiments.training import precision
from gcnn import export, groups, models
from gcnn.groups import Group
from gcnn.nn import GroupConv, LiftingConv

from .cases import Case


@dataclasses.dataclass(frozen=True)
class Variant:
    """One way to do it.

    Attributes:
      model: a module of one argument.
      x: its input; those of all variants are the same numbers, in other shapes.
    """

    model: nnx.Module
    x: Array


def build(case: Case) -> dict[str, Variant]:
    """The variants of a case by name, "plain" the first of them."""
    if case.kind in ("training step", "inference"):
        return _digits(case)
    d, h, n = case.group.dim, case.group.order, case.fields
    rng = np.random.default_rng(0)
    shape = (case.batch, *(case.side,) * d)
    x = jnp.asarray(rng.standard_normal((*shape, h, n)), jnp.float32)
    if case.kind == "layer":
        ours = GroupConv(
            case.group, n, n, case.kernel,
            kernel_init=_numbers, bias_init=_numbers, rngs=nnx.Rngs(0),
        )  # fmt: skip
        plain = nnx.Conv(
            case.channels, case.channels, (case.kernel,) * d, kernel_init=_zeros, rngs=nnx.Rngs(0)
        )
        share(ours, plain, ours.group)
        return {
            "plain": Variant(plain, x.reshape(*shape, case.channels)),
            "direct": Variant(_evaluated(ours, "direct"), x),
            "fourier": Variant(_evaluated(ours, "fourier"), x),
            "chosen": Variant(_evaluated(ours, None), x),
        }
    pair = ((case.group, n, _numbers), (groups.p1(d), case.channels, _zeros))
    block: nnx.Module
    other: nnx.Module
    if case.kind == "residual block":
        block, other = (
            models.ResNet(g, channels=(c,), blocks=1, kernel_init=init, rngs=nnx.Rngs(0)).blocks[0]
            for g, c, init in pair
        )
    else:
        block, other = (
            SpaceBlock(g, c, case.kernel, init, rngs=nnx.Rngs(0)) for g, c, init in pair
        )
    share(block, other, case.group)
    return {
        "plain": Variant(export.freeze(other), x.reshape(*shape, 1, case.channels)),
        "ours": Variant(block, x),
    }


def in_bfloat16(variant: Variant) -> Variant:
    """The same with parameters and input of bfloat16."""
    return Variant(precision.in_bfloat16(variant.model), variant.x.astype(jnp.bfloat16))


def _digits(case: Case) -> dict[str, Variant]:
    """P4CNN, and its bank computed once; the plain CNN of the same width is another function."""
    rng = np.random.default_rng(0)
    x = jnp.asarray(rng.standard_normal((case.batch, case.side, case.side, 1)), jnp.float32)
    plain = export.freeze(models.P4CNN(groups.p1(), channels=case.channels, rngs=nnx.Rngs(0)))
    ours = models.P4CNN(case.group, channels=case.fields, rngs=nnx.Rngs(0))
    found = {"plain": Variant(plain, x), "ours": Variant(ours, x)}
    if case.kind == "inference":
        found["frozen"] = Variant(export.freeze(ours), x)
    return found


def _evaluated(conv: GroupConv, name: str | None) -> GroupConv:
    """The same layer, told which evaluation to take; None leaves it to the layer."""
    copy = nnx.clone(conv)
    copy.evaluation = name
    return copy


def _numbers(key: Any, shape: Sequence[int], dtype: Any = jnp.float32, _: Any = None) -> Array:
    """Random numbers that keep the size of a field; from the host, which has nothing to compile."""
    drawn = np.random.default_rng(2016).standard_normal(shape, np.float32)
    return jnp.asarray(drawn * math.prod(shape[:-1]) ** -0.5, dtype)


def _zeros(key: Any, shape: Sequence[int], dtype: Any = jnp.float32, _: Any = None) -> Array:
    """For a kernel that is given its numbers by another layer."""
    return jnp.asarray(np.zeros(shape), dtype)


class SpaceBlock(nnx.Module):
    """y = relu(x + BN(conv(relu(BN(conv(x))))))."""

    def __init__(
        self, group: Group, features: int, kernel: int, init: Initializer, *, rngs: nnx.Rngs
    ):
        """Create both convolutions, of as many channels in as out."""
        self.convs = nnx.List(
            GroupConv(group, features, features, kernel, kernel_init=init, rngs=rngs)
            for _ in range(2)
        )
        self.norms = nnx.List(nnx.BatchNorm(features, rngs=rngs) for _ in range(2))

    def __call__(self, x: Float[Array, "b *space h i"]) -> Float[Array, "b *space h i"]:
        """Apply the block."""
        y = nnx.relu(self.norms[0](self.convs[0](x)))
        return nnx.relu(x + self.norms[1](self.convs[1](y)))


def share(ours: nnx.Module, plain: nnx.Module, group: Group) -> None:
    """Make `plain` the same function, where no statistics of a batch are taken.

    Its kernels become the banks of ours, `[*u, (1,) k·i, h·o]`, and its biases and scales those of
    ours, once for each element of the group.
    """
    a: Any
    b: Any
    for a, b in zip(_leaves(ours), _leaves(plain), strict=True):
        if isinstance(a, GroupConv | LiftingConv):
            b.kernel[...] = a.bank().reshape(b.kernel.shape)
        else:
            b.scale[...] = jnp.tile(a.scale[...], group.order)
        b.bias[...] = jnp.tile(a.bias[...], group.order)


def _leaves(model: nnx.Module) -> Iterator[Any]:
    """The convolutions and normalisations of a model, in its order."""
    for _, module in nnx.iter_modules(model):
        if isinstance(module, GroupConv | LiftingConv | nnx.Conv | nnx.BatchNorm):
            yield module


def apart(a: jax.Array, b: jax.Array) -> float:
    """max |a - b| / max |b|, of arrays that may differ in how their axes are grouped."""
    x, y = (np.asarray(v, np.float64).ravel() for v in (a, b))
    return float(np.max(np.abs(x - y)) / np.max(np.abs(y)))
