"""The equivariance error of any callable, for every element of a group."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np

from ..actions import Action
from ..groups import Group
from ._batch import checked_batch, run
from ._field import field_action
from ._table import table
from ._verdict import difference, judge, ratio


@dataclasses.dataclass(frozen=True)
class EquivarianceReport:
    """Errors per group element, and what they mean.

    Attributes:
      group: the group's name and size.
      dtype: the coarser one of the types of input and output.
      tolerance: the relative error up to which a difference counts as rounding.
      names: the elements.
      relative: for each element g, ‖f(g·x) - g·f(x)‖ / ‖f(x)‖ in the Euclidean norm.
      largest: for each element g, max |f(g·x) - g·f(x)|, in the units of the output.
      mixed: the relative error when each sample of the batch is moved by its own element, or
        None where that is not possible.
      verdict: "exact" (every difference is 0), "to rounding", "not equivariant" or "vacuous".
      reason: why, in words.
    """

    group: str
    dtype: str
    tolerance: float
    names: tuple[str, ...]
    relative: tuple[float, ...]
    largest: tuple[float, ...]
    mixed: float | None
    verdict: str
    reason: str

    @property
    def error(self) -> float:
        """The largest of all relative errors."""
        return float(np.max([*self.relative, 0.0 if self.mixed is None else self.mixed]))

    @property
    def holds(self) -> bool:
        """Whether the callable was found to be equivariant, exactly or to rounding."""
        return self.verdict in ("exact", "to rounding")

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON-ready values."""
        return {**dataclasses.asdict(self), "error": self.error, "holds": self.holds}

    def __str__(self) -> str:
        """The report as a table."""
        rows = [
            (name, f"{r:.1e}", f"{m:.1e}")
            for name, r, m in zip(self.names, self.relative, self.largest, strict=True)
        ]
        if self.mixed is not None:
            rows.append(("one per sample", f"{self.mixed:.1e}", ""))
        body = table(("element", "relative error", "largest"), rows)
        return f"{self.group}, {self.dtype}\n{body}\n{self.verdict}: {self.reason}"


def equivariance(
    f: Callable[[Any], Any],
    group: Group,
    x: Any,
    *,
    act_in: Action | None = None,
    act_out: Action | None = None,
    tolerance: float | None = None,
) -> EquivarianceReport:
    """Compare f(g·x) with g·f(x), for every element g and for a different g in each sample.

    The transforms only permute entries, and the differences are taken in float64 on the host, so
    that what is measured is f. Both sides are tried on the whole batch moved by one element, and
    on a batch whose sample i is moved by element i mod |H|: a layer that shares something across
    the batch can pass the first and fail the second.

    Args:
      f: maps a batch to a batch, sample by sample, or with batch statistics.
      group: the group.
      x: the batch, with no symmetry of its own: random data, or real.
      act_in: how g acts on x, one of the functions of `gcnn.actions`; by default an image
        `[b, *space, c]` or a regular field `[b, *space, h, c]`, told apart by the rank.
      act_out: likewise for f(x); here `[b, c]` is an invariant, and `[b, h, c]` a function on
        the point group.
      tolerance: the largest relative error to call rounding. By default 64 machine epsilons of
        the coarser of both types, for a network of some ten layers that each round by an epsilon
        or so, and at most 0.05: a network that is not equivariant errs by 0.1 to 1.

    Raises:
      ValueError: an empty batch, values that are not finite, a callable that changes the batch
        size, a rank that fits no field, or data that an element leaves as it is (it would prove
        nothing).

    Example:
      >>> import jax
      >>> from gcnn import groups, verify
      >>> x = jax.random.normal(jax.random.key(0), (4, 8, 8, 3))
      >>> print(verify.equivariance(lambda x: x**2, groups.p2(), x))
      Group(p2: order 2, dimension 2), float32
      element         relative error  largest
      --------------  --------------  -------
      e               0.0e+00         0.0e+00
      r180            0.0e+00         0.0e+00
      one per sample  0.0e+00
      exact: every difference is 0
    """
    x = checked_batch(x)
    act_in = act_in or field_action(group, x.shape, "the input", invariant=False)
    moved = [act_in(group, g, x) for g in range(group.order)]
    for g, gx in enumerate(moved):
        if g != group.identity and np.array_equal(gx, x):
            raise ValueError(
                f"The element {group.names[g]} of {group} leaves x as it is, which proves nothing "
                f"about f. Use data without that symmetry, such as random values."
            )
    y = run(f, x)
    act_out = act_out or field_action(group, y.shape, "the output", invariant=True)
    types = [t for t in (x.dtype, y.dtype) if jnp.issubdtype(t, jnp.floating)]
    dtype = max(types, key=lambda t: float(jnp.finfo(t).eps))
    if tolerance is None:
        tolerance = min(64 * float(jnp.finfo(dtype).eps), 0.05)

    y = y.astype(np.float64)
    norm = float(np.linalg.norm(y))
    relative, largest = [], []
    for g in range(group.order):
        error = difference(run(f, moved[g]), act_out(group, g, y), group.names[g])
        relative.append(ratio(np.linalg.norm(error), norm))
        largest.append(float(np.abs(error).max(initial=0)))

    own = [g for g in range(group.order) if moved[g].shape == x.shape]
    mixed = None
    if len(x) > 1 and len(own) > 1:
        chosen = [own[i % len(own)] for i in range(len(x))]
        gx = np.stack([moved[g][i] for i, g in enumerate(chosen)])
        gy = np.concatenate([act_out(group, g, y[i : i + 1]) for i, g in enumerate(chosen)])
        mixed = ratio(np.linalg.norm(difference(run(f, gx), gy, "one per sample")), norm)

    errors = relative if mixed is None else [*relative, mixed]
    verdict, reason = judge(y, errors, tolerance, dtype)
    if verdict == "not equivariant" and np.max(relative) <= tolerance:
        reason += ". Only samples moved by different elements differ: what is shared in the batch?"
    elif verdict == "not equivariant" and np.isfinite(relative).all():
        reason += f", the largest at {group.names[int(np.argmax(relative))]}"
    return EquivarianceReport(
        str(group), dtype.name, tolerance, group.names, tuple(relative), tuple(largest), mixed,
        verdict, reason,
    )  # fmt: skip
