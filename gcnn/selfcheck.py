"""Every layer under every group, certified on the device at hand, with controls that must fail.

What the command `python -m gcnn verify` runs. It stands above `nn` and `verify`, which do not
know each other.
"""

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import jax
from flax import nnx
from jaxtyping import Array

from . import groups, verify
from .actions import Action, act_on_quotient, mirrored_axes
from .groups import Group
from .nn import (
    BlurPool,
    CosetPool,
    GroupConv,
    GroupConvTranspose,
    GroupPool,
    LiftingConv,
    MaxBlurPool,
    PolyphasePool,
    avg_pool,
    max_pool,
    upsample,
)
from .verify import EquivarianceReport

GROUPS: tuple[Callable[[], Group], ...] = (
    groups.p1, groups.p2, groups.pm, groups.pmm, groups.cm, groups.cmm, groups.p4, groups.p4m,
)  # fmt: skip
KINDS = ("integers float32", "integers bfloat16", "float32", "float64")
_BATCH, _CHANNELS = 8, 3


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
      act_out: how the group acts on the output, where its shape does not tell.
    """

    name: str
    layer: Callable[[Array], Array]
    size: int
    on_group: bool
    integer: bool = True
    control: bool = False
    act_out: Action | None = None


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What was found for one case.

    Attributes:
      group: the group's name.
      case: the layer's name.
      control: whether it had to be rejected.
      reports: one for each of `KINDS` that applies.
    """

    group: str
    case: str
    control: bool
    reports: dict[str, EquivarianceReport]

    @property
    def passed(self) -> bool:
        """Every report holds; for a control, none does."""
        found = [report.holds for report in self.reports.values()]
        return not any(found) if self.control else all(found)

    def to_dict(self) -> dict[str, Any]:
        """The outcome as JSON-ready values."""
        reports = {kind: report.to_dict() for kind, report in self.reports.items()}
        return {"group": self.group, "case": self.case, "control": self.control,
                "passed": self.passed, "reports": reports}  # fmt: skip


def cases(group: Group) -> Iterator[Case]:
    """The layers to certify under a group, then the controls that it must reject."""
    rngs = nnx.Rngs(0)
    c = _CHANNELS

    def lifting(kernel_size: int, **options: Any) -> LiftingConv:
        return LiftingConv(group, c, c, kernel_size, rngs=rngs, **options)

    def conv(kernel_size: int, **options: Any) -> GroupConv:
        return GroupConv(group, c, c, kernel_size, rngs=rngs, **options)

    yield Case("LiftingConv 3x3", lifting(3), 9, False)
    yield Case("LiftingConv 4x4, valid", lifting(4, padding="VALID"), 9, False)
    yield Case("LiftingConv 3x3, stride 2", lifting(3, strides=2), 9, False)
    yield Case("GroupConv 1x1", conv(1), 9, True)
    yield Case("GroupConv 3x3", conv(3), 9, True)
    yield Case("GroupConv 3x3, circular", conv(3, padding="CIRCULAR"), 8, True)
    yield Case("GroupConv 3x3, dilation 2", conv(3, kernel_dilation=2), 9, True)
    yield Case("GroupConv 4x4, stride 2", conv(4, strides=2), 8, True)
    yield Case("max_pool 2, stride 2", lambda x: max_pool(group, x, 2, 2), 8, True)
    yield Case("max_pool 3, stride 2", lambda x: max_pool(group, x, 3, 2), 9, True)
    yield Case("avg_pool 2, stride 2", lambda x: avg_pool(group, x, 2, 2), 8, True)
    yield Case("BlurPool 4, stride 2", BlurPool(group, 4, 2), 8, True)
    yield Case("MaxBlurPool 2 and 3, stride 2", MaxBlurPool(group, 3, 2, 2), 8, True)
    yield Case("PolyphasePool, stride 2", PolyphasePool(group), 8, True)
    transposed = GroupConvTranspose(group, c, c, 4, 2, rngs=rngs)
    yield Case("GroupConvTranspose 4, stride 2", transposed, 4, True)
    yield Case("upsample 2, linear", lambda x: upsample(group, x, 2, "linear"), 4, True)
    yield Case("GroupPool", GroupPool(group), 9, True)
    if len(group.subgroups) > 2:
        part = group.subgroups[1]
        pool, act_out = CosetPool(group, part), act_on_quotient(group, part)
        name = f"CosetPool over {{{', '.join(group.names[k] for k in part)}}}"
        yield Case(name, pool, 9, True, act_out=act_out)
    yield Case("nnx.BatchNorm, training", nnx.BatchNorm(c, rngs=rngs), 8, True, integer=False)
    yield Case("nnx.LayerNorm", nnx.LayerNorm(c, rngs=rngs), 8, True, integer=False)
    network = nnx.Sequential(
        lifting(3), nnx.BatchNorm(c, rngs=rngs), nnx.relu, conv(3), nnx.relu, GroupPool(group)
    )
    yield Case("network of these", network, 9, False, integer=False)
    if group.order == 1:
        return
    plain = nnx.Conv(c, c, (3,) * group.dim, rngs=rngs)
    yield Case("nnx.Conv", plain, 9, False, control=True)
    separate = _BatchNormOfEachSlot(group, c, rngs)
    yield Case("BatchNorm of each slot", separate, 8, True, integer=False, control=True)
    if mirrored_axes(group):
        broken = lifting(3, strides=2, allow_inexact=True)
        yield Case("LiftingConv 3x3, stride 2 on 8", broken, 8, False, control=True)


class _BatchNormOfEachSlot(nnx.Module):
    """Statistics that are not pooled over the orbit: broken only if samples turn differently."""

    def __init__(self, group: Group, features: int, rngs: nnx.Rngs):
        self.norm = nnx.BatchNorm(group.order * features, rngs=rngs)

    def __call__(self, x: Array) -> Array:
        return self.norm(x.reshape(*x.shape[:-2], -1)).reshape(x.shape)


def _cast(layer: Any, dtype: str) -> Any:
    """The layer with parameters and statistics of this type."""
    return jax.tree.map(lambda a: a.astype(dtype) if isinstance(a, jax.Array) else a, layer)


def check(group: Group, case: Case) -> Outcome:
    """Run the certificate, and the measurement on Gaussian data, for one case."""
    slots = (group.order,) if case.on_group else ()
    shape = (_BATCH, *(case.size,) * group.dim, *slots, _CHANNELS)
    reports = {}
    if case.integer:
        for kind in KINDS[:2]:
            dtype = kind.split()[1]
            reports[kind] = verify.integer_certificate(
                case.layer, group, shape, dtype=dtype, act_out=case.act_out
            )
    for kind in KINDS[2:]:
        with jax.enable_x64(kind == "float64"):
            x = jax.random.normal(jax.random.key(1), shape, kind)
            layer = _cast(case.layer, kind)
            reports[kind] = verify.equivariance(layer, group, x, act_out=case.act_out)
    return Outcome(group.name, case.name, case.control, reports)
