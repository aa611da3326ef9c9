"""Does a classifier keep its mind when the image shifts? Every shift, and every pair of shifts."""

import dataclasses
import itertools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..actions import shift_interpolated
from ._batch import checked_batch, compiled
from ._consistency import ConsistencyReport, Poll
from ._shift_equivariance import rolled
from ._table import table

_shift = jax.jit(shift_interpolated)
_crop = jax.jit(jax.lax.dynamic_slice, static_argnums=2)


@dataclasses.dataclass(frozen=True, eq=False)
class ShiftReport(ConsistencyReport):
    """What shifts do to a classifier; the first attributes are those of `ConsistencyReport`.

    Attributes:
      kind: of the shifts, in words.
      offsets: for each space axis, the shifts in pixels; every combination was tried.
      output_change: the largest ‖f(T_s x) - f(x)‖ / ‖f(x)‖ of any shift s, over the whole batch.
      output_change_at: that shift.
      probability_change: the mean over samples and shifts of |p_c(T_s x) - p_c(x)|, with p the
        softmax of f, and c the class predicted for x (the MAC of Michaeli et al. 2023).
      distances: in pixels, the larger one of the distances along the axes; on the torus, the
        shorter way round.
      consistency_at: for each distance, the fraction of equal predictions among all pairs of
        shifts of a sample that are so far apart.
      agreement_map: `[*offsets]`, for each shift the fraction of samples that keep their class.
    """

    kind: str
    offsets: tuple[tuple[float, ...], ...]
    output_change: float
    output_change_at: tuple[float, ...]
    probability_change: float
    distances: tuple[float, ...]
    consistency_at: tuple[float, ...]
    agreement_map: np.ndarray

    def __str__(self) -> str:
        """The report as a table."""
        at = ", ".join(f"{s:g}" for s in self.output_change_at)
        rows = [
            *self._rows(),
            ("largest change of the output", f"{self.output_change:.1e} at ({at})"),
            ("mean change of the probability", f"{self.probability_change:.1e}"),
        ]
        body = table(("measure", "value"), rows)
        head = f"shifts, {self.kind}: {self.transforms}, of {self.samples} samples"
        return f"{head}\n{body}\n{self.verdict}: {self.reason}"


def shift_consistency(
    f: Callable[[Any], Any],
    x: Any,
    labels: Any = None,
    *,
    max_shift: int | None = None,
    per_pixel: int = 1,
    dim: int | None = None,
) -> ShiftReport:
    """How often a classifier gives the same class to an image and to the image shifted.

        consistency = E_{x, s, t} 1[ŷ(T_s x) = ŷ(T_t x)],  (T_s x)(p) = x(p - s) on the torus,

    over all pairs of shifts, not a sample of them (Zhang 2019; Chaman & Dokmanić 2021). f runs
    once for each shift: N^d times by default, for d axes of N pixels.

    The shifts are circular, which nothing that pads with zeros can be invariant to; see
    `crop_consistency` for images that enter and leave the frame.

    Args:
      f: a function that JAX can trace, or a module, from a batch to logits `[b, classes]`.
      x: images `[b, *space, c]`.
      labels: `[b]` integers, for the accuracies.
      max_shift: m, to try the shifts from -m to m pixels along each axis, and no others.
      per_pixel: k, to try multiples of 1/k pixel: 2 gives half pixels. Those in between are made
        by `actions.shift_interpolated`, "fourier" (Michaeli et al. 2023): the image is taken as
        one period of a band-limited function.
      dim: number of space axes, by default all between batch and channels: a regular field
        `[b, *space, h, c]` needs it.

    Raises:
      ValueError: an empty batch, values that are not finite, a callable that changes the batch
        size or returns no `[b, classes]`, labels of another length or type, or no shift to try.

    Example:
      >>> import jax
      >>> from gcnn import verify
      >>> x = jax.random.normal(jax.random.key(0), (8, 4, 4, 3))
      >>> report = verify.shift_consistency(lambda x: x[:, ::2].max(axis=(1, 2)), x)
      >>> report.offsets
      ((-1.0, 0.0, 1.0, 2.0), (-1.0, 0.0, 1.0, 2.0))
      >>> report.consistency == 1, report.consistency_at[2] == 1, report.verdict
      (False, False, 'not consistent')
    """
    x = checked_batch(x)
    if per_pixel < 1 or (max_shift is not None and max_shift < 1):
        raise ValueError(
            f"per_pixel = {per_pixel} and max_shift = {max_shift} should be positive integers."
        )
    space = x.shape[1 : 1 + _space_axes(x.shape, dim)]
    offsets = [_window(n, max_shift, per_pixel) for n in space]
    image = jnp.asarray(x)

    def moved(offset: np.ndarray) -> Any:
        if (offset % per_pixel).any():
            return _shift(image, offset / per_pixel)
        return rolled(image, offset // per_pixel)

    kind = "circular" if per_pixel == 1 else f"circular, by 1/{per_pixel} pixel"
    periods = [n * per_pixel for n in space]
    return _measure(f, moved, offsets, labels, kind, per_pixel, periods)


def crop_consistency(
    f: Callable[[Any], Any], x: Any, size: int | Sequence[int], labels: Any = None
) -> ShiftReport:
    """How often a classifier gives the same class to two crops of an image.

        consistency = E_{x, s, t} 1[ŷ(x[s : s + size]) = ŷ(x[t : t + size])],

    over all pairs of crops (Zhang 2019, "Making convolutional networks shift-invariant again",
    who draws them: 224 of 256 pixels). What leaves the frame on one side is lost, and something
    new enters on the other: so even a perfect classifier may change its mind.

    The crop in the middle stands for the untransformed image, and the offsets are counted from
    it. f runs once for each crop: (N - size + 1)^d times.

    Args:
      f: a function that JAX can trace, or a module, from a batch to logits `[b, classes]`.
      x: images `[b, *space, c]`, larger than what f takes.
      size: of the crops in pixels, one integer, or one for each space axis. A regular field
        `[b, *space, h, c]` needs one for each.
      labels: `[b]` integers, for the accuracies.

    Raises:
      ValueError: as `shift_consistency`, or the crops are larger than the images or as large.
    """
    x = checked_batch(x)
    d = _space_axes(x.shape, None if isinstance(size, int) else len(size))
    sizes = (size,) * d if isinstance(size, int) else tuple(size)
    room = [n - k for n, k in zip(x.shape[1 : 1 + d], sizes, strict=True)]
    if min(sizes) < 1 or min(room) < 0 or max(room) == 0:
        raise ValueError(
            f"Crops of {sizes} pixels from images of {x.shape[1 : 1 + d]} leave no choice of "
            f"where to cut. Use smaller crops, or larger images."
        )
    middle = [m // 2 for m in room]
    offsets = [np.arange(m + 1) - half for m, half in zip(room, middle, strict=True)]
    image = jnp.asarray(x)

    def cut(offset: np.ndarray) -> Any:
        start = np.array([0, *(offset + middle), *(0,) * (x.ndim - 1 - d)])
        return _crop(image, start, (len(x), *sizes, *x.shape[1 + d :]))

    return _measure(f, cut, offsets, labels, "by cropping", 1, None)


def _space_axes(shape: tuple[int, ...], dim: int | None) -> int:
    d = len(shape) - 2 if dim is None else dim
    if not 1 <= d <= len(shape) - 2:
        raise ValueError(
            f"x of shape {shape} has no {max(d, 1)} space axes to shift along: images are "
            f"[b, *space, c]."
        )
    return d


def _window(n: int, max_shift: int | None, per_pixel: int) -> np.ndarray:
    """The shifts of one axis in units of 1/per_pixel pixel, each of the torus at most once."""
    every = n * per_pixel
    if max_shift is None or 2 * max_shift * per_pixel >= every:
        return np.arange(every) - (every - 1) // 2
    return np.arange(-max_shift * per_pixel, max_shift * per_pixel + 1)


def _measure(
    f: Callable[[Any], Any],
    moved: Callable[[np.ndarray], Any],
    offsets: Sequence[np.ndarray],
    labels: Any,
    kind: str,
    per_pixel: int,
    periods: Sequence[int] | None,
) -> ShiftReport:
    """Poll f at every combination of the offsets, given in units of 1/per_pixel pixel."""
    poll = Poll(compiled(f), moved(np.zeros(len(offsets), int)), labels)
    grid = np.array(list(itertools.product(*offsets)))
    if len(grid) == 1:
        raise ValueError("An image of a single pixel leaves no shift to try.")
    for offset in grid:
        poll.ask(moved(offset))
    shape = tuple(map(len, offsets))
    distances, consistency_at = _curve(poll.predictions().reshape(-1, *shape), periods)
    worst = int(np.argmax(poll.changes))
    return ShiftReport(
        **poll.counts(),
        kind=kind,
        offsets=tuple(tuple((o / per_pixel).tolist()) for o in offsets),
        output_change=poll.changes[worst],
        output_change_at=tuple((grid[worst] / per_pixel).tolist()),
        probability_change=float(np.mean(poll.probability_changes)),
        distances=tuple((distances / per_pixel).tolist()),
        consistency_at=tuple(consistency_at.tolist()),
        agreement_map=poll.agreements().reshape(shape),
    )


def _curve(predictions: np.ndarray, periods: Sequence[int] | None) -> tuple[np.ndarray, np.ndarray]:
    """Distances in steps of the grid, and at each the fraction of pairs that agree.

    Pairs are counted by autocorrelation: Σ_c Σ_s 1[ŷ(s) = c] 1[ŷ(s + d) = c] for every d, in
    Fourier space, padded so that nothing wraps.

    Args:
      predictions: `[b, *grid]`.
      periods: steps once round the torus, for each axis, or None if the shifts are on no torus.
    """
    b, *grid = predictions.shape
    axes = tuple(range(1, 1 + len(grid)))
    padded = tuple(2 * n - 1 for n in grid)

    def correlate(indicator: np.ndarray) -> np.ndarray:
        spectrum = np.fft.rfftn(indicator, padded, axes)
        power = np.sum(spectrum.real**2 + spectrum.imag**2, axis=0)
        return np.round(np.fft.irfftn(power, padded, range(len(grid))))

    rows = [np.unique(p, return_inverse=True)[1] for p in predictions.reshape(b, -1)]
    rank = np.stack(rows).reshape(predictions.shape)  # of a class among those of its sample
    same = sum(correlate(rank == r) for r in range(int(rank.max()) + 1))
    pairs = correlate(np.ones_like(rank))

    lags = [np.abs(np.fft.fftfreq(m, 1 / m).round().astype(int)) for m in padded]
    if periods is not None:
        lags = [np.minimum(lag, period - lag) for lag, period in zip(lags, periods, strict=True)]
    distance = np.max(np.meshgrid(*lags, indexing="ij"), axis=0).ravel()
    total = np.bincount(distance, pairs.ravel())
    found = np.flatnonzero(total)
    return found, np.bincount(distance, np.ravel(same))[found] / total[found]
