"""Does the mask move as the image moves? Shifts, group elements, rotations and warps."""

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from ..groups import Group
from . import _moves
from ._batch import compiled, run
from ._disc import checked_images, disc
from ._masks import boundary_band, contour_distance, mask_iou, mean_ratio, overlap
from ._segmentation_report import MaskRow, SegmentationReport

_Function = Callable[[Any], Any]
_Find = Callable[[np.ndarray], np.ndarray]  # numbers to masks


def segmentation_equivariance(
    f: _Function,
    x: Any,
    *,
    shifts: Any = (),
    group: Group | None = None,
    jointly: bool = False,
    fractional_shifts: Any = (),
    angles: Any = (),
    warps: Any = (),
    truth: Any = None,
    threshold: float = 0.0,
    boundary_width: int | None = None,
    tolerance: float | None = None,
) -> SegmentationReport:
    """Compare the mask of the moved image with the moved mask, for each kind of move.

        IoU( mask(f(T x)), mask(T f(x)) )

    The mask of one channel is where it exceeds the threshold; of several, the mask of each is
    where it is the largest. If f is equivariant, the mask moves as the image does, and the IoU
    is 1 for all T. The values of f then agree as well, which is more, so the verdict rests on
    their relative error.

    Circular shifts and group elements permute pixels, and are exact; a last move gives every
    sample of the batch one of its own. Fractional shifts, rotations and warps interpolate: f(x)
    is moved first and cut at the threshold then, and beside the IoU stands its floor, between
    the mask of f(x) and that of f(x) moved there and back. What is below the floor is due to f.
    For rotations f is shown the disc inscribed in the image, with zeros around it, and is judged
    there, but for the rim that interpolation mixes with what is outside. An f that finds nothing
    moves with everything, and is called vacuous.

    Args:
      f: maps images `[b, y, x, c]` to logits `[b, y, x, k]`, or to boolean masks.
      x: the images.
      shifts: circular, pairs (rows, columns) in pixels, or "all" that there are.
      group: a group whose elements to apply.
      jointly: also apply each element after each shift.
      fractional_shifts: circular, pairs (rows, columns) in pixels; by Fourier interpolation.
      angles: in degrees, counter-clockwise about the centre; by bilinear interpolation.
      warps: displacement fields in pixels `[n, y, x, 2]`, or `[n, b, y, x, 2]` with one for each
        sample, as of `actions.max_entropy_displacement`; by bilinear interpolation.
      truth: boolean masks `[b, y, x, k]`, to measure f against under each move as well.
      threshold: what one channel must exceed: 0 for a logit, 0.5 for a probability.
      boundary_width: of the band around contours, in pixels; by default 2 % of the diagonal of
        the image, as in Cheng et al. 2021.
      tolerance: the largest relative error to call rounding; by default as in `equivariance`.

    Raises:
      ValueError: no moves or malformed ones, a batch that is empty or not finite, a callable that
        changes the size of the batch or of the images, or returns numbers that are not finite,
        a truth of another shape, or images that an exact move leaves as they are (they would
        prove nothing).

    Example:
      >>> import jax
      >>> from gcnn import groups, verify
      >>> x = jax.random.normal(jax.random.key(0), (2, 8, 8, 1))
      >>> report = verify.segmentation_equivariance(
      ...     lambda x: x**3 - 0.1, x, shifts="all", group=groups.p4()
      ... )
      >>> [(row.moves, row.worst_iou, row.verdict) for row in report.rows]
      [('circular shifts', 1.0, 'exact'), ('p4', 1.0, 'exact')]
    """
    x = checked_images(x)
    f = compiled(f)
    y = _outputs(f, x)
    types = [t for t in (x.dtype, y.dtype) if jnp.issubdtype(t, jnp.floating)]
    dtype = max(types, key=lambda t: float(jnp.finfo(t).eps))
    if tolerance is None:
        tolerance = min(64 * float(jnp.finfo(dtype).eps), 0.05)
    if truth is not None:
        truth = np.asarray(truth)
        if truth.shape != y.shape or truth.dtype != bool:
            raise ValueError(
                f"truth should be boolean masks of the shape {y.shape} of f(x), got {truth.dtype} "
                f"of shape {truth.shape}."
            )
    find: _Find = functools.partial(_mask, threshold=threshold)
    if y.dtype == bool:  # as numbers, 0 and 1: a move that interpolates leaves what is between
        find = functools.partial(np.less, 0.5)
    width = boundary_width or max(1, round(0.02 * math.hypot(*x.shape[1:3])))
    found = find(y)
    families = _families(x, shifts, group, jointly, fractional_shifts, angles, warps)
    y = y.astype(np.float64)
    return SegmentationReport(
        dtype=dtype.name,
        tolerance=tolerance,
        boundary_width=width,
        foreground=tuple(found.mean(axis=(0, 1, 2)).tolist()),
        truth_iou=None if truth is None else float(mean_ratio(*overlap(found, truth)).mean()),
        rows=tuple(
            _measured(f, x, y, truth, family, find, width, tolerance) for family in families
        ),
    )


def _families(
    x: np.ndarray, shifts: Any, group: Group | None, jointly: bool, fractional_shifts: Any,
    angles: Any, warps: Any,
) -> list[_moves.Family]:  # fmt: skip
    exact = [_moves.circular_shifts(shifts, x.shape[1:3])]
    if group is not None:
        exact.append(_moves.elements(group))
    if jointly:
        if len(exact) < 2 or not exact[0].moves:
            raise ValueError("jointly needs both shifts and a group.")
        exact.append(_moves.composed(*exact))
    families = [
        *(_moves.one_per_sample(family, x.shape) for family in exact),
        _moves.fractional_shifts(fractional_shifts),
        _moves.rotations(angles),
        _moves.warps(warps),
    ]
    families = [family for family in families if family.moves]
    if not families:
        raise ValueError("No moves: give shifts, group, fractional_shifts, angles or warps.")
    return families


def _measured(
    f: _Function, x: np.ndarray, y: np.ndarray, truth: np.ndarray | None, family: _moves.Family,
    find: _Find, width: int, tolerance: float,
) -> MaskRow:  # fmt: skip
    """One row: f(T x) and T f(x), as masks and as numbers, for every move of a kind."""
    compared, floors, errors, truths = [], [], [], []
    shown = disc(x.shape) if family.on_disc else np.True_
    if family.on_disc:
        x = x * shown
        y = _outputs(f, x).astype(np.float64)
    for move in family.moves:
        moved = move.there(x) * shown
        if family.exact:
            _check_that_it_moves(move, x, moved)
        got, wanted = _outputs(f, moved).astype(np.float64), move.there(y)
        inside = np.ones(got.shape[1:3], bool)
        if family.on_disc:
            inside = disc(x.shape, "linear")[0, ..., 0]
        errors.append(_relative_error(got[:, inside], wanted[:, inside]))
        mask = find(got)
        compared.append(_compare(mask, find(wanted), inside, width))
        if truth is not None:
            moved_truth = move.there(truth.astype(x.dtype)) > 0.5
            truths.append(float(mask_iou(*_within(inside, mask, moved_truth)).mean()))
        if move.back is not None:
            floors.append(_compare(find(move.back(wanted)), find(y), inside, width))

    names = tuple(move.name for move in family.moves)
    iou = np.stack([c.iou for c in compared])  # [move, b]
    pooled = [np.sum([c.overlap[i] for c in compared], axis=(0, 1)) for i in (0, 1)]
    verdict, reason = _judge(family, names, errors, find(y), iou, floors, tolerance)
    return MaskRow(
        moves=family.name,
        exact=family.exact,
        names=names,
        iou=tuple(iou.mean(axis=1).tolist()),
        boundary_iou=tuple(float(c.boundary_iou.mean()) for c in compared),
        distance=tuple(float(c.distance.mean()) for c in compared),
        agreement=tuple(c.agreement for c in compared),
        error=tuple(errors),
        pooled_iou=float(mean_ratio(*pooled)),
        worst_iou=float(iou.min()),
        worst_boundary_iou=float(np.min([c.boundary_iou for c in compared])),
        worst_at=names[int(iou.min(axis=1).argmin())],
        empty=float(np.mean([c.overlap[1].sum(axis=1) == 0 for c in compared])),
        floor_iou=tuple(float(c.iou.mean()) for c in floors) or None,
        floor_boundary_iou=tuple(float(c.boundary_iou.mean()) for c in floors) or None,
        truth_iou=tuple(truths) or None,
        verdict=verdict,
        reason=reason,
    )


class _Comparison(NamedTuple):
    overlap: tuple[np.ndarray, np.ndarray]  # intersection and union [b, k]
    iou: np.ndarray  # [b]
    boundary_iou: np.ndarray  # [b]
    distance: np.ndarray  # [b]
    agreement: float


def _compare(a: np.ndarray, b: np.ndarray, inside: np.ndarray, width: int) -> _Comparison:
    """Two masks where `inside`, the rim of which is no contour."""
    bands = _within(inside, boundary_band(a, width), boundary_band(b, width))
    contours = _within(inside, boundary_band(a), boundary_band(b))
    agreement = float((a == b).all(axis=-1)[:, inside].mean())
    areas = overlap(*_within(inside, a, b))
    return _Comparison(
        areas, mean_ratio(*areas), mask_iou(*bands), contour_distance(*contours), agreement
    )


def _within(inside: np.ndarray, *masks: np.ndarray) -> list[np.ndarray]:
    return [mask & inside[..., None] for mask in masks]


def _mask(y: np.ndarray, threshold: float) -> np.ndarray:
    """The masks of logits `[b, y, x, k]`."""
    if y.shape[-1] == 1:
        return y > threshold
    return y.argmax(axis=-1)[..., None] == np.arange(y.shape[-1])


def _outputs(f: _Function, x: np.ndarray) -> np.ndarray:
    y = run(f, x)
    if y.ndim != 4 or y.shape[:3] != x.shape[:3]:
        raise ValueError(
            f"f maps images of shape {x.shape} to shape {y.shape}: a segmentation should be "
            f"[b, y, x, k], of the size of the images."
        )
    if not (y.dtype == bool or jnp.issubdtype(y.dtype, jnp.floating)):
        raise ValueError(f"f should return logits or boolean masks, got type {y.dtype}.")
    if not np.isfinite(y.astype(np.float64)).all():
        raise ValueError("f returns NaN or infinity, which is in no mask and out of none.")
    return y


def _check_that_it_moves(move: _moves.Move, x: np.ndarray, moved: np.ndarray) -> None:
    """An image that an exact move leaves as it is proves nothing, unless the move is none."""
    if np.array_equal(moved, x):
        places = np.broadcast_to(np.arange(x[0, ..., :1].size).reshape(x[:1, ..., :1].shape),
                                 (*x.shape[:3], 1))  # fmt: skip
        if not np.array_equal(move.there(places), places):
            raise ValueError(
                f"The move {move.name} leaves x as it is, which proves nothing about f. Use "
                f"images without that symmetry."
            )


def _relative_error(got: np.ndarray, wanted: np.ndarray) -> float:
    # not np.linalg.norm: its dot product over two threads takes longer than f does
    error, norm = (math.sqrt(np.sum(np.square(a))) for a in (got - wanted, wanted))
    return error / norm if norm > 0 else error


def _judge(
    family: _moves.Family, names: tuple[str, ...], errors: list[float], found: np.ndarray,
    iou: np.ndarray, floors: list[_Comparison], tolerance: float,
) -> tuple[str, str]:  # fmt: skip
    worst = max(errors)
    if family.exact and worst > tolerance:
        at = names[int(np.argmax(errors))]
        why = f"relative error {worst:.1e}, above {tolerance:.1e}, at {at}"
        return "not equivariant", why + (", though the masks agree" if iou.min() == 1 else "")
    everywhere = found.all(axis=(0, 1, 2)).any()
    if everywhere or not found.any():
        what = "every pixel" if everywhere else "nothing"
        return "vacuous", f"f(x) finds {what} in every sample, which moves with everything"
    if len(found) > 1 and (found == found[:1]).all():
        return "vacuous", "f(x) finds the same in every sample: it does not depend on x"
    if not family.exact:
        floor = np.mean([c.iou for c in floors])
        return "interpolated", f"mean IoU {iou.mean():.3f}, of interpolation alone {floor:.3f}"
    if worst == 0:
        return "exact", "every difference is 0"
    return "to rounding", f"relative error {worst:.1e}, within {tolerance:.1e}"
