"""Every layer under every group, certified on the device at hand, with controls that must fail.

What the command `python -m gcnn verify` runs. It stands above `nn` and `verify`, which do not
know each other.
"""

import dataclasses
import functools
from collections.abc import Callable, Iterator
from typing import Any

import jax
from flax import nnx
from jaxtyping import Array

from . import groups, verify
from .actions import Action, act_on_quotient, mirrored_axes, skewed_axes
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
    SeparableGroupConv,
    avg_pool,
    max_pool,
    upsample,
)
from .verify import EquivarianceReport

GROUPS: tuple[Callable[[], Group], ...] = (
    groups.p1, groups.line_mirror, groups.cm, groups.p4, groups.p4m, groups.p31m, groups.p6,
    groups.d2d,
)  # fmt: skip
ALL_GROUPS: tuple[Callable[[], Group], ...] = (
    groups.p1, groups.p2, groups.pm, groups.pmm, groups.cm, groups.cmm, groups.p4, groups.p4m,
    groups.p3, groups.p3m1, groups.p31m, groups.p6, groups.p6m,
    functools.partial(groups.p1, 1), groups.line_mirror, functools.partial(groups.p1, 3),
    groups.ci, groups.cs, groups.c2, groups.c2v, groups.c2h, groups.d2, groups.d2h,
    groups.c4, groups.s4, groups.c4v, groups.c4h, groups.d4, groups.d2d, groups.d4h,
    groups.c3, groups.s6, groups.c3v, groups.c3h, groups.d3, groups.d3d, groups.d3h,
    groups.c6, groups.c6v, groups.c6h, groups.d6, groups.d6h,
    groups.tetrahedral, groups.pyritohedral, groups.full_tetrahedral, groups.octahedral,
    groups.full_octahedral,
)  # fmt: skip
KINDS = ("integers float32", "integers bfloat16", "float32", "float64")
IN_SPACE = (KINDS[0], KINDS[3])  # of three dimensions, where each takes longer


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
    c = _channels(group)
    rngs = nnx.Rngs(0)
    odd = bool(skewed_axes(group)) or group.dim > 2
    n = 9 if group.dim < 3 else 5
    yield from (_odd_cases if odd else _even_cases)(group, n, rngs)
    if group.dim < 3 or group.order <= 8:  # those with more are the same, and take longer
        blocks = GroupConv(group, c, c, 3, evaluation="fourier", rngs=rngs)
        whole = all((rho.matrices % 1 == 0).all() for rho in groups.real_irreps(group))
        yield Case(f"GroupConv {_by(group, 3)}, in blocks", blocks, n, True, integer=whole)
    separable = SeparableGroupConv(group, c, c, 3, rngs=rngs)
    yield Case(f"SeparableGroupConv {_by(group, 3)}", separable, n, True)
    yield Case("GroupPool", GroupPool(group), n, True)
    if len(group.subgroups) > 2:
        part = group.subgroups[1]
        pool, act_out = CosetPool(group, part), act_on_quotient(group, part)
        name = f"CosetPool over {{{', '.join(group.names[k] for k in part)}}}"
        yield Case(name, pool, n, True, act_out=act_out)
    yield Case("nnx.BatchNorm, training", nnx.BatchNorm(c, rngs=rngs), n, True, integer=False)
    yield Case("nnx.LayerNorm", nnx.LayerNorm(c, rngs=rngs), n, True, integer=False)
    network = nnx.Sequential(
        LiftingConv(group, c, c, 3, rngs=rngs),
        nnx.BatchNorm(c, rngs=rngs),
        nnx.relu,
        GroupConv(group, c, c, 3, rngs=rngs),
        nnx.relu,
        GroupPool(group),
    )
    yield Case("network of these", network, n, False, integer=False)
    if group.order == 1:
        return
    plain = nnx.Conv(c, c, (3,) * group.dim, rngs=rngs)
    yield Case("nnx.Conv", plain, n, False, control=True)
    separate = _BatchNormOfEachSlot(group, c, rngs)
    yield Case("BatchNorm of each slot", separate, n, True, integer=False, control=True)
    if mirrored_axes(group) and not skewed_axes(group):
        broken = LiftingConv(group, c, c, 3, 2, allow_inexact=True, rngs=rngs)
        name = f"LiftingConv {_by(group, 3)}, stride 2 on {n - 1}"
        yield Case(name, broken, n - 1, False, control=True)


def _even_cases(group: Group, n: int, rngs: nnx.Rngs) -> Iterator[Case]:
    """Windows and images of even and odd sizes."""
    c, three, four = _channels(group), _by(group, 3), _by(group, 4)

    def lifting(kernel_size: int, **options: Any) -> LiftingConv:
        return LiftingConv(group, c, c, kernel_size, rngs=rngs, **options)

    def conv(kernel_size: int, **options: Any) -> GroupConv:
        return GroupConv(group, c, c, kernel_size, rngs=rngs, **options)

    even = n - 1
    yield Case(f"LiftingConv {three}", lifting(3), n, False)
    yield Case(f"LiftingConv {four}, valid", lifting(4, padding="VALID"), n, False)
    yield Case(f"LiftingConv {three}, stride 2", lifting(3, strides=2), n, False)
    yield Case(f"GroupConv {_by(group, 1)}", conv(1), n, True)
    yield Case(f"GroupConv {three}", conv(3), n, True)
    yield Case(f"GroupConv {three}, circular", conv(3, padding="CIRCULAR"), even, True)
    yield Case(f"GroupConv {three}, dilation 2", conv(3, kernel_dilation=2), n, True)
    yield Case(f"GroupConv {four}, stride 2", conv(4, strides=2), even, True)
    yield Case("max_pool 2, stride 2", lambda x: max_pool(group, x, 2, 2), even, True)
    yield Case("max_pool 3, stride 2", lambda x: max_pool(group, x, 3, 2), n, True)
    yield Case("avg_pool 2, stride 2", lambda x: avg_pool(group, x, 2, 2), even, True)
    yield Case("BlurPool 4, stride 2", BlurPool(group, 4, 2), even, True)
    yield Case("MaxBlurPool 2 and 3, stride 2", MaxBlurPool(group, 3, 2, 2), even, True)
    yield Case("PolyphasePool, stride 2", PolyphasePool(group), even, True)
    transposed = GroupConvTranspose(group, c, c, 4, 2, rngs=rngs)
    yield Case("GroupConvTranspose 4, stride 2", transposed, 4, True)
    yield Case("upsample 2, linear", lambda x: upsample(group, x, 2, "linear"), 4, True)


def _odd_cases(group: Group, n: int, rngs: nnx.Rngs) -> Iterator[Case]:
    """Windows and images of odd sizes alone, as skewed lattices need them."""
    c, three = _channels(group), _by(group, 3)
    lifting, strided = (LiftingConv(group, c, c, 3, s, rngs=rngs) for s in (1, 2))
    yield Case(f"LiftingConv {three}", lifting, n - 2, False)
    yield Case(f"LiftingConv {three}, stride 2", strided, n, False)
    conv = GroupConv(group, c, c, 3, padding="VALID", rngs=rngs)
    yield Case(f"GroupConv {three}, valid", conv, n, True)
    dilated = GroupConv(group, c, c, 3, kernel_dilation=2, rngs=rngs)
    yield Case(f"GroupConv {three}, dilation 2", dilated, n, True)
    yield Case("max_pool 3, stride 2", lambda x: max_pool(group, x, 3, 2, "SAME"), n, True)
    yield Case("avg_pool 3", lambda x: avg_pool(group, x, 3), n, True)
    transposed = GroupConvTranspose(group, c, c, 3, 2, padding="VALID", rngs=rngs)
    yield Case("GroupConvTranspose 3, stride 2", transposed, 3, True)


def _channels(group: Group) -> int:
    return 3 if group.dim < 3 else 2


def _by(group: Group, k: int) -> str:
    """A kernel's sizes: "3x3"."""
    return "x".join([str(k)] * group.dim)


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
    batch, kinds = (8, KINDS) if group.dim < 3 else (4, IN_SPACE)
    shape = (batch, *(case.size,) * group.dim, *slots, _channels(group))
    reports = {}
    for kind in kinds:
        if kind in KINDS[:2]:
            if case.integer:
                reports[kind] = verify.integer_certificate(
                    case.layer, group, shape, dtype=kind.split()[1], act_out=case.act_out
                )
            continue
        with jax.enable_x64(kind == "float64"):
            x = jax.random.normal(jax.random.key(1), shape, kind)
            layer = _cast(case.layer, kind)
            reports[kind] = verify.equivariance(layer, group, x, act_out=case.act_out)
    return Outcome(group.name, case.name, case.control, reports)
