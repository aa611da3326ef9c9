"""Stability to small smooth warps, relative to noise of the same size.

L. Petrini, A. Favero, M. Geiger, M. Wyart, "Relative stability toward diffeomorphisms indicates
performance in deep nets", NeurIPS 2021.
"""

import functools
import math
from collections.abc import Callable, Iterable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from ..actions import folds, max_entropy_displacement, temperature_of, warp_interpolated
from ._batch import checked_batch, compiled, run_finite
from ._deformation_report import DeformationCurve, DeformationReport

_AVERAGES: dict[str, Callable[..., Any]] = {"mean": np.mean, "median": np.median}
_RESAMPLES = 200  # of the bootstrap


def deformation_stability(
    f: Callable[[Any], Any],
    x: Any,
    *,
    delta: float = 1.0,
    cut: int = 3,
    warps: int = 4,
    reduce: str = "mean",
    seed: int = 0,
) -> DeformationReport:
    """Compare what a small smooth warp τ does to f(x) with what noise of the same size does.

        D_f = ⟨‖f(τx) - f(x)‖²⟩ / ⟨‖f(x) - f(z)‖²⟩,
        G_f = ⟨‖f(x + η) - f(x)‖²⟩ / ⟨‖f(x) - f(z)‖²⟩,  R_f = D_f / G_f,

    with z another sample, τ a random diffeomorphism of maximal entropy, drawn anew for each image,
    and η Gaussian noise, scaled for each image so that ‖η‖ = ‖τx - x‖. R_f is 1 for an isometry,
    and below 1 for a callable that is more stable to warps than to changes without structure. In
    the paper it is about 1 at initialisation and falls with training, and 15 networks on
    CIFAR-10 have test errors of about 0.2 √R_f.

    The averages ⟨·⟩ are means, as in the paper's definitions, or medians over samples and warps,
    which its figures use against outliers. (Its code takes the median of each output by itself
    and adds those up; here it is the median of ‖·‖², which does not depend on the basis.)

    Args:
      f: maps images `[b, y, x, c]` to a batch of outputs of any shape.
      x: the images, in the hundreds for figures to be trusted (the paper: 500).
      delta: root mean square displacement in pixels; see `actions.temperature_of`.
      cut: the highest frequency of the fields, in half periods per side (the paper: 3).
      warps: fields, and noises, for each image.
      reduce: "mean" or "median".
      seed: of the fields and the noise; each delta has the same fields, scaled.

    Raises:
      ValueError: fewer than two images, values that are not finite, a callable that changes the
        batch size, or fields that would fold.

    Example:
      >>> import jax
      >>> from gcnn import verify
      >>> x = jax.random.normal(jax.random.key(0), (8, 16, 16, 1))
      >>> round(verify.deformation_stability(lambda x: 2 * x, x).r_f, 3)
      1.0
    """
    curve = deformation_curve(f, x, [delta], cut=cut, warps=warps, reduce=reduce, seed=seed)
    return curve.reports[0]


def deformation_curve(
    f: Callable[[Any], Any],
    x: Any,
    deltas: Iterable[float],
    *,
    cut: int = 3,
    warps: int = 4,
    reduce: str = "mean",
    seed: int = 0,
) -> DeformationCurve:
    """`deformation_stability` for several displacements, f compiled once.

    Args:
      f: as there, like all that follows.
      x: the images.
      deltas: the displacements, in pixels.
      cut: the highest frequency of the fields.
      warps: fields, and noises, for each image.
      reduce: "mean" or "median".
      seed: of the fields and the noise.

    Raises:
      ValueError: as there, or there is no delta.
    """
    host = checked_batch(x)
    if host.ndim != 4 or len(host) < 2:
        raise ValueError(
            f"x should be images [b, y, x, c], two or more: the measure is the distance between "
            f"the outputs for different ones. Got shape {host.shape}."
        )
    if reduce not in _AVERAGES:
        raise ValueError(f'reduce should be "mean" or "median", got {reduce!r}.')
    deltas = [float(delta) for delta in deltas]
    if warps < 1 or not deltas:
        raise ValueError(f"Needs one warp and one delta or more, got {warps} and {deltas}.")
    ny, nx = host.shape[1:3]
    temperatures = [temperature_of(delta, (ny, nx), cut) for delta in deltas]
    x, call = jnp.asarray(host), compiled(f)
    y = _flat(run_finite(call, x))
    average = _AVERAGES[reduce]
    spread = _spread(y, reduce)

    reports = []
    for delta, temperature in zip(deltas, temperatures, strict=True):
        by_warp, by_noise, drawn = [], [], []
        for k in range(warps):
            key = jax.random.fold_in(jax.random.key(seed), k)
            warped, noisy, *facts = _perturbed(key, x, temperature, cut)
            by_warp.append(((_flat(run_finite(call, warped)) - y) ** 2).sum(axis=1))
            by_noise.append(((_flat(run_finite(call, noisy)) - y) ** 2).sum(axis=1))
            drawn.append([float(fact) for fact in facts])
        d, g = np.stack(by_warp), np.stack(by_noise)  # [warps, b]
        mean_d, mean_g = float(average(d)), float(average(g))
        displacement, moved, folded = np.mean(drawn, axis=0).tolist()
        verdict, reason = _judge(spread, moved, mean_d, mean_g, delta)
        reports.append(
            DeformationReport(
                delta=delta,
                cut=cut,
                temperature=temperature,
                warps=warps,
                samples=len(y),
                reduce=reduce,
                displacement=math.sqrt(displacement),
                folded=folded,
                moved=math.sqrt(moved),
                d_f=mean_d / spread if spread else None,
                g_f=mean_g / spread if spread else None,
                r_f=mean_d / mean_g if mean_g else None,
                standard_error=_bootstrap(d, g, average, seed) if mean_g else None,
                verdict=verdict,
                reason=reason,
            )
        )
    return DeformationCurve(tuple(reports))


@functools.partial(jax.jit, static_argnames="cut")
def _perturbed(
    key: PRNGKeyArray, x: Float[Array, "b y x c"], temperature: Float[Array, ""] | float, cut: int
) -> tuple[Array, Array, Array, Array, Array]:
    """τx and x + η; the mean squares of the displacement and of ‖τx - x‖ / ‖x‖; folded fields."""
    key_warp, key_noise = jax.random.split(key)
    b, ny, nx, _ = x.shape
    field = max_entropy_displacement(key_warp, (ny, nx), cut, temperature, (b,))
    warped = warp_interpolated(x, field)
    precise = jnp.promote_types(x.dtype, jnp.float32)
    original = x.astype(precise)
    step = jnp.sum((warped.astype(precise) - original) ** 2, axis=(1, 2, 3), keepdims=True)
    noise = jax.random.normal(key_noise, x.shape, precise)
    noise = noise * jnp.sqrt(step / jnp.sum(noise**2, axis=(1, 2, 3), keepdims=True))
    size = jnp.sum(original**2)
    moved = jnp.sum(step) / jnp.where(size > 0, size, 1)
    return (
        warped, (original + noise).astype(x.dtype),
        jnp.mean(jnp.sum(field**2, axis=-1)), moved, jnp.mean(folds(field)),
    )  # fmt: skip


def _flat(y: np.ndarray) -> np.ndarray:
    return y.reshape(len(y), -1)


def _spread(y: np.ndarray, reduce: str) -> float:
    """⟨‖f(x) - f(z)‖²⟩ over all pairs of different samples."""
    if (y == y[:1]).all():
        return 0.0
    y = y - y.mean(axis=0)
    size = (y**2).sum(axis=1)
    if reduce == "mean":
        return float(2 * size.sum() / (len(y) - 1))  # Σ f(x) = 0: the cross terms cancel
    first, second = np.triu_indices(len(y), 1)
    return float(np.median(size[first] + size[second] - 2 * (y @ y.T)[first, second]))


def _bootstrap(d: np.ndarray, g: np.ndarray, average: Callable[..., Any], seed: int) -> float:
    """The standard deviation of R_f when the images are drawn again, with repetition."""
    b = d.shape[1]
    chosen = np.random.default_rng(seed).integers(b, size=(_RESAMPLES, b))
    numerator, denominator = (average(values[:, chosen], axis=(0, 2)) for values in (d, g))
    valid = denominator > 0
    return float(np.std(numerator[valid] / denominator[valid]))


def _judge(spread: float, moved: float, d: float, g: float, delta: float) -> tuple[str, str]:
    if moved == 0:
        return "vacuous", "the warps leave x as it is: delta is 0, or the images are constant"
    if spread == 0:
        return "vacuous", "f(x) is the same for every sample: it does not depend on x"
    if g == 0:
        return "vacuous", "noise does not change f(x) at all"
    reason = f"warps move f(x) {'less' if d < g else 'no less'} than noise does"
    if delta < 0.5:
        reason += " (below half a pixel: much of a warp is the interpolation's)"
    return "measured", reason
