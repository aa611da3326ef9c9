"""The layers to certify under a group, and the controls that it must reject."""

from collections.abc import Iterator
from typing import Any

from flax import nnx

from .. import groups, nn
from ..groups import Group
from ._case import Case, by, channels, few, large, normal, options, side
from ._controls import controls
from ._fields import coset_cases, vector_cases
from ._windows import window_cases


def cases(group: Group) -> Iterator[Case]:
    """The layers to certify under a group, then the controls that it must reject."""
    c, short, three, made = channels(group), few(group), by(group, 3), options()
    yield from window_cases(group)
    if not large(group):
        blocks = nn.GroupConv(group, c, c, 3, evaluation="fourier", **made)
        whole = all((rho.matrices % 1 == 0).all() for rho in groups.real_irreps(group))
        n = side(group) if group.dim < 3 else short
        yield Case(f"GroupConv {three}, in blocks", blocks, n, True, integer=whole)
    separable = nn.SeparableGroupConv(group, c, c, 3, **made)
    yield Case(f"SeparableGroupConv {three}", separable, short, True)
    heads: dict[str, Any] = {"num_heads": 2, "qkv_features": 2, "encoding_init": normal, **made}
    for f, on_group in ((nn.LiftingSelfAttention, False), (nn.GroupSelfAttention, True)):
        attention = f(group, c, c, 3, **heads)
        yield Case(f"{f.__name__} {three}", attention, short, on_group, integer=False)
    differ = group.order <= 16  # the maximum of many small integers is the same everywhere
    yield Case("GroupPool", nn.GroupPool(group), short, True, integer=differ)
    if group.order > 1:
        yield from coset_cases(group)
    for norm, name in ((nn.BatchNorm, "BatchNorm, training"), (nnx.LayerNorm, "nnx.LayerNorm")):
        yield Case(name, norm(c, rngs=made["rngs"]), short, True, integer=False)
    yield from vector_cases(group)
    network = nnx.Sequential(
        nn.LiftingConv(group, c, c, 3, **made),
        nnx.BatchNorm(c, rngs=made["rngs"]),
        nnx.relu,
        nn.GroupConv(group, c, c, 3, **made),
        nnx.relu,
        nn.GroupPool(group),
    )
    yield Case("network of these", network, side(group) - 2, False, integer=False, again=True)
    if group.order > 1:
        yield from controls(group)
