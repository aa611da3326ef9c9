"""Group equivariance layer by layer: which one breaks it?"""

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import jax.numpy as jnp
import numpy as np

from ..actions import Action
from ..groups import Group
from ._bench import Bench, Overrides, check_shape
from ._table import table

_BAD = ("not equivariant", "vacuous")


@dataclasses.dataclass(frozen=True)
class LayerRow:
    """One step of a model: a layer, or the functions between two.

    Attributes:
      name: the path of the layer in the model, or "before" that of the next one.
      kind: the class of the layer, or the operations in between that are not pointwise.
      error: its own, of the worst element.
      element: that element.
      accumulated: the error of what has come out of it when all steps so far err.
      verdict: "exact", "to rounding", "not equivariant", or "vacuous" if it returns 0.
    """

    name: str
    kind: str
    error: float
    element: str
    accumulated: float
    verdict: str


@dataclasses.dataclass(frozen=True)
class LayerReport:
    """The errors of every step of a model.

    Attributes:
      group: the group's name and size.
      dtype: the coarsest type of all arrays between the steps.
      tolerance: the relative error up to which a difference counts as rounding.
      rows: the steps, in the order of evaluation.
    """

    group: str
    dtype: str
    tolerance: float
    rows: tuple[LayerRow, ...]

    @property
    def culprit(self) -> str | None:
        """The first step that is not equivariant."""
        return next((row.name for row in self.rows if row.verdict == "not equivariant"), None)

    @property
    def holds(self) -> bool:
        """Whether every step was found to be equivariant, exactly or to rounding."""
        return all(row.verdict not in _BAD for row in self.rows)

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON-ready values."""
        return {**dataclasses.asdict(self), "culprit": self.culprit, "holds": self.holds}

    def __str__(self) -> str:
        """The report as a table."""
        header = ("step", "kind", "own error", "worst at", "accumulated", "verdict")
        rows = [
            (r.name, r.kind, shown(r.error), r.element, shown(r.accumulated), r.verdict)
            for r in self.rows
        ]
        found = {v: [r.name for r in self.rows if r.verdict == v] for v in _BAD}
        lines = [f"{verdict}: {', '.join(names)}" for verdict, names in found.items() if names]
        last = "\n".join(lines) or "every step is equivariant"
        return f"{self.group}, {self.dtype}\n{table(header, rows)}\n{last}"


def layer_equivariance(
    f: Callable[[Any], Any],
    group: Group,
    x: Any,
    *,
    act_in: Action | None = None,
    act_out: Action | None = None,
    act: Overrides | None = None,
    tolerance: float | None = None,
) -> LayerReport:
    """Compare φ(g·v) with g·φ(v) for every step φ of a model, v being what x makes it read.

    The error of a step is its own,

        ‖φ(g·v) - g·φ(v)‖ / ‖φ(v)‖,

    since every step is given the exactly moved value of what it read, whatever the steps before it
    made of g·x: in any wiring, with skip connections too.

    A model is cut where its layers take and return arrays. Layers are the callable objects among
    its attributes, to any depth, and the functions in its lists, as in `nnx.Sequential`; of nested
    ones, the innermost. What happens between two layers, such as a `relu` or a `max_pool` called
    as a function, is a step of its own. A function without layers is a single step. Layers within
    a loop or a compiled part of their own (`nnx.scan`, `nnx.jit`) are not seen, and belong to the
    step around them.

    Args:
      f: a function that JAX can trace, or a module.
      group: the group.
      x: the batch, with no symmetry of its own.
      act_in: as in `equivariance`.
      act_out: as in `equivariance`.
      act: how g acts on what a step returns, by the name of the step as in the report; by default
        the rank tells, as in `equivariance`. An array whose rank tells nothing (the tokens of an
        attention) is no end of a step: it goes on to the next one. So does one with None here: a
        flattened image `[b, n]` would be taken as an invariant, and the step that flattens it
        blamed.
      tolerance: as in `equivariance`.

    Raises:
      ValueError: as `equivariance`; also a step that returns NaN or infinity, and a name in `act`
        that is none.

    Example:
      >>> import jax
      >>> from flax import nnx
      >>> from gcnn import groups, nn, verify
      >>> rngs, p4 = nnx.Rngs(0), groups.p4()
      >>> plain = nnx.Conv(4, 4, (3, 3), rngs=rngs)  # the same filters in every direction
      >>> net = nnx.Sequential(nn.LiftingConv(p4, 1, 4, 3, rngs=rngs), nn.GroupPool(p4), plain)
      >>> x = jax.random.normal(jax.random.key(0), (4, 8, 8, 1))
      >>> verify.layer_equivariance(net, p4, x).culprit
      'layers.2'
    """
    bench = Bench(f, group, x, act_in, act_out, act)
    if tolerance is None:
        tolerance = min(64 * float(jnp.finfo(bench.dtype).eps), 0.05)
    rows = [LayerRow(n, k, 0.0, "", 0.0, "exact") for n, k in zip(bench.names, bench.kinds)]
    for name, moved in _moves(bench):
        passed = [moved[0]]  # what the steps make of it together
        for i, step in enumerate(bench.apart(moved[0].shape).steps):
            passed.append(step([passed[j] for j in step.inputs]))
            alone = step([moved[j] for j in step.inputs])
            error, accumulated = (
                _relative(y, moved[i + 1], bench.nodes[i + 1], f"{name}, {step.name}")
                for y in (alone, passed[-1])
            )
            if error > rows[i].error:
                rows[i] = dataclasses.replace(rows[i], error=error, element=name)
            worst = max(accumulated, rows[i].accumulated)
            rows[i] = dataclasses.replace(rows[i], accumulated=worst)
    judged = tuple(
        dataclasses.replace(row, verdict=_verdict(row.error, tolerance, y))
        for row, y in zip(rows, bench.nodes[1:], strict=True)
    )
    return LayerReport(str(group), bench.dtype.name, tolerance, judged)


def _moves(bench: Bench) -> Iterator[tuple[str, list[np.ndarray]]]:
    """All nodes moved: by each element, and each sample by its own."""
    elements = range(bench.group.order)
    for g in elements:
        if g != bench.group.identity:
            yield bench.group.names[g], [bench.moved(i, g) for i in range(len(bench.nodes))]
    x = bench.nodes[0]
    own = [g for g in elements if bench.moved(0, g).shape == x.shape]
    if len(x) > 1 and len(own) > 1:
        chosen = [own[b % len(own)] for b in range(len(x))]
        yield (
            "one per sample",
            [
                np.concatenate([bench.act(i, g, v[b : b + 1]) for b, g in enumerate(chosen)])
                for i, v in enumerate(bench.nodes)
            ],
        )


def shown(value: float) -> str:
    """An error in a table; what is exactly 0 should catch the eye."""
    return f"{value:.1e}" if value else "0"


def _relative(y: np.ndarray, expected: np.ndarray, original: np.ndarray, where: str) -> float:
    """‖y - expected‖ / ‖original‖."""
    check_shape(y, expected, where)
    norm = float(np.linalg.norm(original.astype(np.float64)))
    return float(np.linalg.norm(y.astype(np.float64) - expected)) / (norm or 1.0)


def _verdict(error: float, tolerance: float, y: np.ndarray) -> str:
    if error == 0:
        return "exact" if y.any() else "vacuous"
    return "to rounding" if error <= tolerance else "not equivariant"
