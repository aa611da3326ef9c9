"""The Lie derivative of a callable: how far it is from equivariant to the smallest motions.

N. Gruver, M. Finzi, M. Goldblum, A. G. Wilson, "The Lie derivative for measuring learned
equivariance", ICLR 2023.
"""

import dataclasses
import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..actions import GENERATORS, act_infinitesimally, generator_velocity
from ._batch import checked_batch, compiled, run_finite
from ._table import table

_COMMUTING = ("translation_y", "translation_x", "scale")  # with every point group


@dataclasses.dataclass(frozen=True)
class LieDerivativeReport:
    """The local equivariance error for each generator, and what it means.

    Attributes:
      dtype: of f(x).
      boundary: how images go on beyond their border.
      generators: the generators X.
      units: of the parameter t of each.
      error: for each X, the local equivariance error E ‖L_X f(x)‖² / dim f(x), per unit squared.
      relative: for each X, (E ‖L_X f(x)‖² / E ‖f(x)‖²)^(1/2), per unit.
      change: for each X, (E ‖X·x‖² / E ‖x‖²)^(1/2), how fast x itself changes, per unit.
      verdict: "measured", or "vacuous" where the errors prove nothing.
      reason: why, in words.
    """

    dtype: str
    boundary: str
    generators: tuple[str, ...]
    units: tuple[str, ...]
    error: tuple[float, ...]
    relative: tuple[float, ...]
    change: tuple[float, ...]
    verdict: str
    reason: str

    @property
    def gain(self) -> tuple[float, ...]:
        """For each X, `relative` / `change`: free of units, so that generators compare."""
        return tuple(r / c for r, c in zip(self.relative, self.change, strict=True))

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON-ready values."""
        return {**dataclasses.asdict(self), "gain": self.gain}

    def __str__(self) -> str:
        """The report as a table."""
        rows = [
            (name, unit, *(f"{v:.1e}" for v in values))
            for name, unit, *values in zip(
                self.generators, self.units, self.error, self.relative, self.change, self.gain,
                strict=True,
            )
        ]  # fmt: skip
        header = ("generator", "per", "error", "relative error", "change of x", "gain")
        return (
            f"{self.dtype}, boundary: {self.boundary}\n{table(header, rows)}\n"
            f"{self.verdict}: {self.reason}"
        )


def lie_derivative(
    f: Callable[[Any], Any],
    x: Any,
    generators: str | Sequence[str] = tuple(GENERATORS),
    *,
    act_out: str | None = None,
    stride: int | None = None,
    boundary: str = "reflect",
) -> LieDerivativeReport:
    """The Lie derivative of f along the generators of the affine group, by forward mode.

        (L_X f)(x) = d/dt ρ_out(exp(-tX)) f(ρ_in(exp(tX)) x) at t = 0 = Df(x)[X·x] - X·f(x),

    0 for every x if and only if f commutes with the motions exp(tX). The error is its mean square
    E_x ‖(L_X f)(x)‖² / dim f(x) over samples and entries (Gruver et al. 2023, their LEE). One
    `jax.jvp` for each generator; X·x is `actions.act_infinitesimally`, with the velocities and
    units of `actions.generator_velocity`.

    The published code differentiates bilinear interpolation at the pixels, where it has only
    one-sided derivatives; here x is interpolated by trigonometric polynomials, so that f is not
    charged with the interpolation: on images without high frequencies, products of pixels commute
    with every motion. The published translation is in halves of the image, here in pixels. The
    published stretch of one axis sets the other to 0, here it stays.

    Args:
      f: maps images `[b, y, x, c]` to a batch. A classifier may return logits, or probabilities
        as in the paper.
      x: the images.
      generators: one of `actions.GENERATORS`, or several; all of them by default.
      act_out: how f(x) should move. "image": its space axes do; by default for `[b, y, x, c]`,
        and for a regular field `[b, y, x, h, c]` under translations and the scale. "invariant":
        it should not; by default for `[b, c]`.
      stride: pixels of x for each pixel of an output image; 1 by default if the sizes agree.
      boundary: "reflect", or "circular" as for a network with circular padding: how x and f(x)
        go on beyond their border.

    Raises:
      ValueError: an empty batch, values that are not finite, a callable that changes the batch
        size, an unknown generator or boundary, or an output for which no action is known.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from gcnn import verify
      >>> x = jax.random.normal(jax.random.key(0), (4, 8, 8, 3))
      >>> mean = lambda x: x.mean(axis=(1, 2))
      >>> report = verify.lie_derivative(mean, x, "translation_y", boundary="circular")
      >>> report.error[0] < 1e-12
      True
    """
    names = (generators,) if isinstance(generators, str) else tuple(generators)
    if not names:
        raise ValueError(f"Name one generator or more of {', '.join(GENERATORS)}.")
    x = checked_batch(x)
    if x.ndim != 4:
        raise ValueError(f"x should be images [b, y, x, c], got shape {x.shape}.")
    velocities = [generator_velocity(name, x.shape[1:3]) for name in names]
    y = run_finite(compiled(f), x)
    moved = [_output_velocity(name, x.shape, y.shape, act_out, stride) for name in names]

    derivative, x = _derivative(f, boundary), jnp.asarray(x)
    size, least = _rms(x), 64 * float(jnp.finfo(x.dtype).eps)
    error, change = [], []
    for name, v, w in zip(names, velocities, moved, strict=True):
        rate, difference = map(jax.device_get, derivative(x, v, w))
        change.append(_rms(rate) / size if size else 0.0)
        if change[-1] <= least:
            raise ValueError(
                f"The generator {name} leaves x as it is, which proves nothing about f. Use data "
                f"without that symmetry, such as random values."
            )
        error.append(_rms(difference) ** 2)
    if not np.isfinite(error).all():
        raise ValueError("The derivative of f at x holds NaN or infinity: f has none there.")
    scale = _rms(y)
    relative = [math.sqrt(e) / scale if scale else 0.0 for e in error]
    gain = [r / c for r, c in zip(relative, change, strict=True)]
    if not scale:
        verdict, reason = "vacuous", "f(x) is 0, which every motion leaves alone"
    elif len(y) > 1 and (y == y[:1]).all():
        verdict = "vacuous"
        reason = "f(x) is the same for every sample: it does not depend on x"
    else:
        worst = int(np.argmax(gain))
        verdict = "measured"
        reason = f"{len(x)} samples; the largest gain is {gain[worst]:.1e}, for {names[worst]}"
    return LieDerivativeReport(
        difference.dtype.name, boundary, names, tuple(GENERATORS[name] for name in names),
        tuple(error), tuple(relative), tuple(change), verdict, reason,
    )  # fmt: skip


def _derivative(f: Callable[[Any], Any], boundary: str) -> Callable[..., Any]:
    """X·x and Df(x)[X·x] - X·f(x), compiled; the second term only where the output moves."""

    def at(f: Any, x: Any, velocity: Any, velocity_out: Any) -> Any:
        leaves, tree = jax.tree.flatten(f)

        def fresh(x: Any) -> Any:  # a module may update its statistics: a copy, inside the trace
            return jax.tree.unflatten(tree, leaves)(x)

        rate = act_infinitesimally(x, velocity, boundary)
        y, derivative = jax.jvp(fresh, (x,), (rate,))
        if not jnp.issubdtype(y.dtype, jnp.floating):
            raise ValueError(
                f"f(x) is of type {y.dtype}, which has no derivative: not classes, "
                f"but logits or probabilities."
            )
        if velocity_out is not None:
            derivative = derivative - act_infinitesimally(y, velocity_out, boundary)
        return rate, derivative

    if jax.tree_util.all_leaves([f]):
        return jax.jit(functools.partial(at, f))
    return functools.partial(jax.jit(at), f)


def _output_velocity(
    name: str,
    shape_in: tuple[int, ...],
    shape_out: tuple[int, ...],
    act_out: str | None,
    stride: int | None,
) -> np.ndarray | None:
    """The velocity of the output's pixels, or None where the output should stay as it is."""
    rank = len(shape_out)
    if act_out is None:
        if rank == 5 and name not in _COMMUTING:
            raise ValueError(
                f"Under {name}, the group axis of a regular field such as f(x), of shape "
                f"{shape_out}, moves as well, which no point group can do. Pool it first, leave "
                f'{name} out, or give act_out="image" to leave the group axis alone.'
            )
        act_out = {2: "invariant", 4: "image", 5: "image"}.get(rank)
    if act_out == "invariant":
        return None
    if act_out != "image" or rank < 4:
        raise ValueError(
            f"Of shape {shape_out}, f(x) is neither an image [b, y, x, c], nor a regular field "
            f"[b, y, x, h, c], nor [b, c], which stays as it is. Name what it is: act_out is "
            f'"image" for an array with space axes, or "invariant".'
        )
    ny, nx = shape_out[1:3]
    if stride is None and (ny, nx) != shape_in[1:3]:
        raise ValueError(
            f"f maps {shape_in[1]} x {shape_in[2]} pixels to {ny} x {nx}: give stride, the pixels "
            f"of x for each pixel of f(x); 1 if f only cuts off a margin."
        )
    stride = 1 if stride is None else stride
    if stride < 1:
        raise ValueError(f"stride should be one pixel or more, got {stride}.")
    velocity = generator_velocity(name, (ny, nx))
    return velocity / stride if name.startswith("translation") else velocity


def _rms(values: Any) -> float:
    """The root mean square, in float64."""
    return math.sqrt(np.mean(np.square(np.asarray(values).astype(np.float64))))
