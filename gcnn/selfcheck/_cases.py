"""The layers to certify under a group, and the controls that it must reject."""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array

from .. import groups, nn
from ..actions import (
    Action,
    AnyArray,
    act_on_field,
    act_on_group_axis,
    act_on_quotient,
    act_on_space,
    mirrored_axes,
    skewed_axes,
)
from ..groups import Group
from ..representations import direct_sum, standard, trivial


@dataclasses.dataclass(frozen=True)
class Case:
    """One layer under one group.

    Attributes:
      name: of the layer and its settings.
      layer: the callable; its parameters, if it has any, are its pytree leaves.
      size: pixels along every axis of the input.
      on_group: whether the input is a regular field, rather than an image.
      integer: whether the layer maps integers to integers, so that the certificate applies.
      control: whether the layer breaks the symmetry, and must be rejected.
      act_in: how the group acts on the input, where its shape does not tell.
      act_out: likewise, on the output.
      field: components and channels of the input, if it is neither an image nor a regular field.
      under: the group whose elements act, if they are not those of the fields.
    """

    name: str
    layer: Callable[[Array], Array]
    size: int
    on_group: bool
    integer: bool = True
    control: bool = False
    act_in: Action | None = None
    act_out: Action | None = None
    field: tuple[int, int] | None = None
    under: Group | None = None


def cases(group: Group) -> Iterator[Case]:
    """The layers to certify under a group, then the controls that it must reject."""
    c = channels(group)
    made = _options()
    odd = bool(skewed_axes(group)) or group.dim > 2
    n, few = (9 if group.dim < 3 else 5), _few(group)
    yield from (_odd_cases if odd else _even_cases)(group, n)
    if group.dim < 3 or group.order <= 8:  # those with more are the same, and take longer
        blocks = nn.GroupConv(group, c, c, 3, evaluation="fourier", **made)
        whole = all((rho.matrices % 1 == 0).all() for rho in groups.real_irreps(group))
        yield Case(f"GroupConv {_by(group, 3)}, in blocks", blocks, n, True, integer=whole)
    separable = nn.SeparableGroupConv(group, c, c, 3, **made)
    yield Case(f"SeparableGroupConv {_by(group, 3)}", separable, few, True)
    heads = {"num_heads": 2, "qkv_features": 2, "encoding_init": _normal, **made}
    lifting, attention = (
        f(group, c, c, 3, **heads) for f in (nn.LiftingSelfAttention, nn.GroupSelfAttention)
    )
    yield Case(f"LiftingSelfAttention {_by(group, 3)}", lifting, few, False, integer=False)
    yield Case(f"GroupSelfAttention {_by(group, 3)}", attention, few, True, integer=False)
    differ = group.order <= 16  # the maximum of many small integers is the same everywhere
    yield Case("GroupPool", nn.GroupPool(group), few, True, integer=differ)
    if group.order > 1:
        yield from _coset_cases(group)
    yield Case(
        "nnx.BatchNorm, training", nnx.BatchNorm(c, rngs=made["rngs"]), few, True, integer=False
    )
    yield Case("nnx.LayerNorm", nnx.LayerNorm(c, rngs=made["rngs"]), few, True, integer=False)
    vectors = direct_sum(standard(group), trivial(group))
    act = act_on_field(vectors)
    of_vectors: dict[str, Any] = {
        "integer": False,
        "act_in": act,
        "act_out": act,
        "field": (vectors.dim, c),
    }
    norm = nn.FieldNorm(vectors, c, scale_init=_normal, bias_init=_normal, rngs=made["rngs"])
    yield Case("FieldNorm of vectors, training", norm, few, False, **of_vectors)
    network = nnx.Sequential(
        nn.LiftingConv(group, c, c, 3, **made),
        nnx.BatchNorm(c, rngs=made["rngs"]),
        nnx.relu,
        nn.GroupConv(group, c, c, 3, **made),
        nnx.relu,
        nn.GroupPool(group),
    )
    yield Case("network of these", network, n - 2, False, integer=False)
    if group.order == 1:
        return
    plain = nnx.Conv(c, c, (3,) * group.dim, **made)
    yield Case("nnx.Conv", plain, n, False, control=True)
    separate = _BatchNormOfEachSlot(group, c, made["rngs"])
    yield Case("BatchNorm of each slot", separate, few, True, integer=False, control=True)
    if not vectors.is_permutation:
        subtracts = nnx.BatchNorm(c, rngs=made["rngs"])
        yield Case("nnx.BatchNorm of vectors", subtracts, few, False, control=True, **of_vectors)
    still = _Upright(group, c, c, 3, **heads)
    yield Case("self-attention, upright", still, few, False, integer=False, control=True)
    if mirrored_axes(group) and not skewed_axes(group):
        broken = nn.LiftingConv(group, c, c, 3, 2, allow_inexact=True, **made)
        name = f"LiftingConv {_by(group, 3)}, stride 2 on {n - 1}"
        yield Case(name, broken, n - 1, False, control=True)


def _even_cases(group: Group, n: int) -> Iterator[Case]:
    """Windows and images of even and odd sizes."""
    c, three, four = channels(group), _by(group, 3), _by(group, 4)
    made = _options()

    def lifting(kernel_size: int, **options: Any) -> nn.LiftingConv:
        return nn.LiftingConv(group, c, c, kernel_size, **made, **options)

    def conv(kernel_size: int, **options: Any) -> nn.GroupConv:
        return nn.GroupConv(group, c, c, kernel_size, **made, **options)

    even = n - 1
    yield Case(f"LiftingConv {three}", lifting(3), n, False)
    yield Case(f"LiftingConv {four}, valid", lifting(4, padding="VALID"), n, False)
    yield Case(f"LiftingConv {three}, stride 2", lifting(3, strides=2), n, False)
    yield Case(f"GroupConv {_by(group, 1)}", conv(1), n, True)
    yield Case(f"GroupConv {three}", conv(3), n, True)
    yield Case(f"GroupConv {three}, circular", conv(3, padding="CIRCULAR"), even, True)
    yield Case(f"GroupConv {three}, dilation 2", conv(3, kernel_dilation=2), n, True)
    yield Case(f"GroupConv {four}, stride 2", conv(4, strides=2), even, True)
    yield Case("max_pool 2, stride 2", lambda x: nn.max_pool(group, x, 2, 2), even, True)
    yield Case("max_pool 3, stride 2", lambda x: nn.max_pool(group, x, 3, 2), n, True)
    yield Case("avg_pool 2, stride 2", lambda x: nn.avg_pool(group, x, 2, 2), even, True)
    yield Case("BlurPool 4, stride 2", nn.BlurPool(group, 4, 2), even, True)
    yield Case("MaxBlurPool 2 and 3, stride 2", nn.MaxBlurPool(group, 3, 2, 2), even, True)
    yield Case("PolyphasePool, stride 2", nn.PolyphasePool(group), even, True)
    transposed = nn.GroupConvTranspose(group, c, c, 4, 2, **made)
    yield Case("GroupConvTranspose 4, stride 2", transposed, 4, True)
    yield Case("upsample 2, linear", lambda x: nn.upsample(group, x, 2, "linear"), 4, True)


def _odd_cases(group: Group, n: int) -> Iterator[Case]:
    """Windows and images of odd sizes alone, as skewed lattices need them."""
    c, three, few = channels(group), _by(group, 3), _few(group)
    made = _options()
    lifting, strided = (nn.LiftingConv(group, c, c, 3, s, **made) for s in (1, 2))
    yield Case(f"LiftingConv {three}", lifting, n - 2, False)
    yield Case(f"LiftingConv {three}, stride 2", strided, n, False)
    conv = nn.GroupConv(group, c, c, 3, padding="VALID", **made)
    yield Case(f"GroupConv {three}, valid", conv, n, True)
    dilated = nn.GroupConv(group, c, c, 3, kernel_dilation=2, **made)
    yield Case(f"GroupConv {three}, dilation 2", dilated, n - 2, True)
    yield Case("max_pool 3, stride 2", lambda x: nn.max_pool(group, x, 3, 2, "SAME"), n, True)
    yield Case("avg_pool 3", lambda x: nn.avg_pool(group, x, 3), n, True)
    transposed = nn.GroupConvTranspose(group, c, c, 3, 2, padding="VALID", **made)
    yield Case("GroupConvTranspose 3, stride 2", transposed, few, True)


def _coset_cases(group: Group) -> Iterator[Case]:
    """Between the group and a subgroup, one that is not normal if there is any."""
    proper = group.subgroups[1:-1] or group.subgroups[1:]
    part = next((k for k in proper if not groups.is_normal(group, k)), proper[0])
    small, over = group.subgroup(part), f"{{{', '.join(group.names[k] for k in part)}}}"
    cosets, c, few = group.order // len(part), channels(group), _few(group)
    pool, quotient = nn.CosetPool(group, part), act_on_quotient(group, part)
    yield Case(f"CosetPool over {over}", pool, few, True, act_out=quotient)
    unpool = nn.CosetUnpool(group, part)
    yield Case("CosetUnpool", unpool, few, False, act_in=quotient, field=(cosets, c))

    def of_group(small: Group, k: int, f: AnyArray) -> AnyArray:
        # in space as an element of the subgroup, which may move pixels that the group leaves alone
        moved = act_on_space(small, k, f, range(1, 1 + group.dim))
        return act_on_group_axis(group, part[k], moved, -2)

    yield Case("Restrict", nn.Restrict(group, part), few, True, act_in=of_group, under=small)
    induce, fields = nn.Induce(group, part), (len(part), cosets * c)
    yield Case("Induce", induce, few, False, act_out=of_group, under=small, field=fields)


def _options() -> dict[str, Any]:
    """What every layer with weights is made of."""
    return {"kernel_init": _normal, "bias_init": _normal, "rngs": nnx.Rngs(0)}


def channels(group: Group) -> int:
    """Few, but more than one: channels that mix up would show."""
    return 3 if group.dim < 3 else 2


def _few(group: Group) -> int:
    """Pixels along an axis: every tap of a window of three meets one, and volumes stay small."""
    return 2 if group.dim > 2 and not skewed_axes(group) else 3


def _by(group: Group, k: int) -> str:
    """A kernel's sizes: "3x3"."""
    return "x".join([str(k)] * group.dim)


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


def _normal(key: Array, shape: Sequence[int], dtype: Any = jnp.float32) -> Array:
    """An initialiser that draws on the host, where no shape has to be compiled for."""
    seed = np.asarray(jax.random.key_data(key)).tolist()
    return jnp.asarray(np.random.default_rng(seed).normal(size=tuple(shape)).astype(dtype))
