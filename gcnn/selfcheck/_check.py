"""What is found for a layer, and for all the layers of a group."""

import dataclasses
import functools
from collections.abc import Callable, Iterable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .. import verify
from ..groups import Group
from ..verify import EquivarianceReport, LawReport
from ._case import Case, channels
from ._cases import cases
from ._programs import compiled

KINDS = ("integers float32", "integers bfloat16", "float32", "float64")


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


def certify(
    group: Group, run: Callable[..., Iterable[Outcome]] = map, *, brief: bool = False
) -> tuple[LawReport, list[Outcome]]:
    """The laws of a group, and what is found for each of its cases, in their order.

    Args:
      group: the group.
      run: applies a function to cases as `map` does, such as the `map` of a pool of threads.
      brief: one case for each layer, and one kind of check; see `check`.
    """
    chosen = [case for case in cases(group) if not (brief and case.again)]
    found = run(functools.partial(check, group, brief=brief), chosen)
    return verify.group_laws(group), list(found)


def certify_each(
    chosen: Iterable[Group], *, brief: bool = False
) -> list[tuple[LawReport, list[Outcome]]]:
    """`certify` for each of these groups; those of one order and dimension share programs."""
    return [certify(group, brief=brief) for group in chosen]


def check(group: Group, case: Case, *, brief: bool = False) -> Outcome:
    """Run the certificate, and the measurement on Gaussian data, for one case.

    Where integers leave no error at all, Gaussian data in float64 would say nothing new: it is for
    the other layers. In brief, and in three dimensions in any case, a layer has one kind of check:
    integers in float32, or Gaussian data in float64.

    Every format holds small integers, which are computed as the device does by default; Gaussian
    data at full precision, since the rounding of a GPU's TF32 is as large as a small mistake.
    """
    rest = (group.order, channels(group)) if case.on_group else (channels(group),)
    batch = 8 if group.dim < 3 else 4 if group.order <= 16 else 2
    shape = (batch, *(case.size,) * group.dim, *(case.field or rest))
    kinds: tuple[str, ...] = KINDS[:3] if case.integer else KINDS[2:]
    if brief or group.dim == 3:
        kinds = kinds[:1] if case.integer else kinds[-1:]
    under = case.under or group
    act: dict[str, Any] = {"act_in": case.act_in, "act_out": case.act_out}
    reports = {}
    for kind in kinds:
        exact, dtype = kind in KINDS[:2], kind.split()[-1]
        full = jax.default_matmul_precision(None if exact else "highest")
        with jax.enable_x64(dtype == "float64"), full:
            layer = compiled(case.layer if exact else _cast(case.layer, dtype))
            if exact:
                found = verify.integer_certificate(layer, under, shape, dtype=dtype, **act)
            else:
                x = jnp.asarray(np.random.default_rng(1).normal(size=shape).astype(dtype))
                found = verify.equivariance(layer, under, x, **act)
        reports[kind] = found
    return Outcome(group.name, case.name, case.control, reports)


def _cast(layer: Any, dtype: str) -> Any:
    """The layer with parameters and statistics of this type."""

    def cast(leaf: Any) -> Any:
        real = isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jnp.floating)
        return jnp.asarray(np.asarray(leaf).astype(dtype)) if real else leaf

    return jax.tree.map(cast, layer)
