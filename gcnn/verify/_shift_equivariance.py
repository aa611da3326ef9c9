"""The equivariance error for all of G: every circular shift, with every element of H."""

import dataclasses
import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..actions import Action, act_on_invariant, act_on_orbit
from ..groups import Group
from ._batch import checked_batch, compiled, run
from ._equivariance import EquivarianceReport, equivariance
from ._field import field_action
from ._table import table
from ._verdict import difference, judge, ratio


@jax.jit
def rolled(x: Any, s: Any) -> jax.Array:
    """T_s x on the torus, for s in pixels, one integer for each space axis."""
    return jnp.roll(x, s, range(1, len(s) + 1))


@dataclasses.dataclass(frozen=True)
class ShiftEquivarianceReport:
    """Errors per element of the point group, the largest over all shifts, and what they mean.

    Attributes:
      group: the group's name and size.
      dtype: the coarser one of the types of input and output.
      tolerance: the relative error up to which a difference counts as rounding.
      shifts: how many shifts were tried with each element.
      names: the elements of the point group.
      unshifted: for each element g, ‖f(g·x) - g·f(x)‖ / ‖f(x)‖ in the Euclidean norm.
      relative: for each element g, the largest ‖f(T_s g·x) - T_s g·f(x)‖ / ‖f(x)‖ of any s.
      at: for each element g, that shift, in pixels.
      mixed: the relative error when each sample of the batch is moved by its own shift and
        element, or None where the batch is a single sample.
      verdict: "exact" (every difference is 0), "to rounding", "not equivariant" or "vacuous".
      reason: why, in words.
    """

    group: str
    dtype: str
    tolerance: float
    shifts: int
    names: tuple[str, ...]
    unshifted: tuple[float, ...]
    relative: tuple[float, ...]
    at: tuple[tuple[int, ...], ...]
    mixed: float | None
    verdict: str
    reason: str

    @property
    def error(self) -> float:
        """The largest of all relative errors."""
        mixed = 0.0 if self.mixed is None else self.mixed
        return float(np.max([*self.unshifted, *self.relative, mixed]))

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
            (name, f"{u:.1e}", f"{r:.1e}", str(s))
            for name, u, r, s in zip(
                self.names, self.unshifted, self.relative, self.at, strict=True
            )
        ]
        if self.mixed is not None:
            rows.append(("one per sample", "", f"{self.mixed:.1e}", ""))
        body = table(("element", "unshifted", "under all shifts", "largest at"), rows)
        head = f"{self.group}, circular shifts: {self.shifts}, {self.dtype}"
        return f"{head}\n{body}\n{self.verdict}: {self.reason}"


def shift_equivariance(
    f: Callable[[Any], Any],
    group: Group,
    x: Any,
    *,
    act_in: Action | None = None,
    act_out: Action | None = None,
    shifts: Sequence[Sequence[int]] | np.ndarray | None = None,
    tolerance: float | None = None,
) -> ShiftEquivarianceReport:
    """Compare f(T_s g·x) with T_s g·f(x), for every circular shift s and every element g.

    The error of an element T_s g of the group G of the torus, shifts and point group together, is

        ‖f(T_s g·x) - T_s g·f(x)‖ / ‖f(x)‖,  (T_s x)(p) = x(p - s).

    The transforms only permute entries, and the differences are taken in float64 on the host, so
    that what is measured is f. A field is moved along with the input; logits `[b, c]` and a
    function on the point group `[b, h, c]` are invariant to shifts. By default f runs |H| N^d
    times, for d axes of N pixels. A batch whose samples are each moved by an element of their
    own, drawn with a fixed seed, comes last, as in `equivariance`.

    Args:
      f: a function that JAX can trace, or a module, from a batch to a batch.
      group: the group. The trivial one, `groups.p1()`, leaves the shifts alone.
      x: the batch, with no symmetry of its own: random data, or real.
      act_in: how g acts on x, as in `equivariance`.
      act_out: how g acts on f(x), as in `equivariance`.
      shifts: those to try in pixels, one integer for each space axis, applied after g; by
        default all of them.
      tolerance: the largest relative error to call rounding, as in `equivariance`.

    Raises:
      ValueError: an empty batch, values that are not finite, a callable that changes the batch
        size, a rank that fits no field, an output on a grid of another size, or data that an
        element leaves as it is (it would prove nothing).

    Example:
      >>> import jax
      >>> from gcnn import groups, nn, verify
      >>> x = jax.random.normal(jax.random.key(0), (4, 4, 4, 3))
      >>> p2 = groups.p2()
      >>> pooled = lambda x: nn.max_pool(p2, x, 2, 2).sum(axis=(1, 2))
      >>> report = verify.shift_equivariance(pooled, p2, x)
      >>> [error < 1e-6 for error in report.unshifted], report.verdict
      ([True, True], 'not equivariant')
    """
    call = compiled(f)
    still = equivariance(call, group, x, act_in=act_in, act_out=act_out, tolerance=tolerance)
    x, y = checked_batch(x), run(call, x)
    act_in = act_in or field_action(group, x.shape, "the input", invariant=False)
    act_out = act_out or field_action(group, y.shape, "the output", invariant=True)
    axes = tuple(range(1, 1 + group.dim))
    follows = act_out not in (act_on_invariant, act_on_orbit) and y.ndim >= group.dim + 2
    if follows and y.shape[1 : 1 + group.dim] != x.shape[1 : 1 + group.dim]:
        raise ValueError(
            f"f maps {x.shape[1 : 1 + group.dim]} pixels to {y.shape[1 : 1 + group.dim]}: on "
            f"another grid, a shift of the input by one pixel has no counterpart. Pool f(x) over "
            f"space, or bring it back to the size of x by unpooling or upsampling."
        )
    chosen = None if shifts is None else _checked_shifts(shifts, group.dim)
    _refuse_periodic(x, chosen or _torus(x.shape, axes), axes)

    y = y.astype(np.float64)
    norm = float(np.linalg.norm(y))

    def error(moved: Any, expected: np.ndarray, name: str) -> float:
        return ratio(np.linalg.norm(difference(run(call, moved), expected, name)), norm)

    relative, at = [], []
    for g, name in enumerate(group.names):
        gx, gy = act_in(group, g, x), act_out(group, g, y)
        image, tried = jnp.asarray(gx), chosen or _torus(gx.shape, axes)
        errors = [
            error(rolled(image, np.array(s)), np.roll(gy, s, axes) if follows else gy, name)
            for s in tried
        ]
        worst = int(np.argmax(errors))
        relative.append(errors[worst])
        at.append(tried[worst])

    mixed = None
    if len(x) > 1:
        own = [g for g in range(group.order) if act_in(group, g, x).shape == x.shape]
        tried = chosen or _torus(x.shape, axes)
        drawn = np.random.default_rng(0).integers(len(tried), size=len(x))
        moves = [(own[i % len(own)], tried[j]) for i, j in enumerate(drawn)]
        gx, gy = [], []
        for i, (g, s) in enumerate(moves):
            gx.append(np.roll(act_in(group, g, x[i : i + 1]), s, axes))
            expected = act_out(group, g, y[i : i + 1])
            gy.append(np.roll(expected, s, axes) if follows else expected)
        mixed = error(np.concatenate(gx), np.concatenate(gy), "one per sample")

    every = [*still.relative, *relative, *([] if mixed is None else [mixed])]
    verdict, reason = judge(y, every, still.tolerance, jnp.dtype(still.dtype))
    if verdict == "not equivariant" and np.isfinite(every).all():
        reason += _where(still, relative, at)
    return ShiftEquivarianceReport(
        group=still.group,
        dtype=still.dtype,
        tolerance=still.tolerance,
        shifts=math.prod(x.shape[1 : 1 + group.dim]) if chosen is None else len(chosen),
        names=group.names,
        unshifted=still.relative,
        relative=tuple(relative),
        at=tuple(at),
        mixed=mixed,
        verdict=verdict,
        reason=reason,
    )


def _where(still: EquivarianceReport, relative: list[float], at: list[tuple[int, ...]]) -> str:
    """The move with the largest error, and whether shifts alone are to blame."""
    worst = int(np.argmax(relative))
    unshifted = max(still.relative) <= still.tolerance
    if max(relative) <= still.tolerance:
        if unshifted:
            return ". Only samples moved by different elements differ: what is shared in the batch?"
        return ", without a shift: no shift that was tried shows it"
    found = f", the largest at {still.names[worst]} and shift {at[worst]}"
    if unshifted:
        found += ". Without a shift every element passes: look for strides and padding"
    return found


def _torus(shape: tuple[int, ...], axes: Sequence[int]) -> list[tuple[int, ...]]:
    return list(itertools.product(*(range(shape[a]) for a in axes)))


def _checked_shifts(
    shifts: Sequence[Sequence[int]] | np.ndarray, dim: int
) -> list[tuple[int, ...]]:
    found = np.asarray(shifts)
    if found.ndim != 2 or found.shape[1] != dim or not np.issubdtype(found.dtype, np.integer):
        raise ValueError(
            f"shifts should be integers [n, {dim}], one for each space axis, with n of 1 or more; "
            f"got {found.dtype} of shape {found.shape}."
        )
    return [tuple(s) for s in found.tolist()]


def _refuse_periodic(
    x: np.ndarray, shifts: Sequence[tuple[int, ...]], axes: tuple[int, ...]
) -> None:
    for s in shifts:
        if any(t % x.shape[a] for t, a in zip(s, axes, strict=True)) and np.array_equal(
            np.roll(x, s, axes), x
        ):
            raise ValueError(
                f"The shift by {s} leaves x as it is, which proves nothing about f. Use data that "
                f"is not periodic, such as random values."
            )
