"""What a comparison of masks found: a row for each kind of move, values that print."""

import dataclasses
from typing import Any

import numpy as np

from ._table import table


@dataclasses.dataclass(frozen=True)
class MaskRow:
    """How a mask follows the moves of one kind.

    Attributes:
      moves: of which kind.
      exact: whether they permute pixels; if not, they interpolate, and there is a floor.
      names: of the moves.
      iou: for each move, IoU(mask(f(T x)), mask(T f(x))), the mean over samples.
      boundary_iou: for each move, that of the boundary bands, the mean over samples.
      distance: for each move, the mean distance of the two contours in pixels.
      agreement: for each move, the share of pixels on which the two masks agree.
      error: for each move, ‖f(T x) - T f(x)‖ / ‖T f(x)‖ in the Euclidean norm.
      pooled_iou: intersections over unions, both summed over samples and moves.
      worst_iou: the lowest of all samples and moves.
      worst_boundary_iou: the lowest of all samples and moves.
      worst_at: the move of `worst_iou`.
      empty: the share of samples and moves with both masks empty, whose IoU is 1 by definition.
      floor_iou: for each move, what interpolation alone does: the IoU of the mask of f(x), and
        of f(x) moved there and back; None if the moves are exact.
      floor_boundary_iou: likewise.
      truth_iou: for each move, IoU(mask(f(T x)), T truth), the mean over samples; None without.
      verdict: "exact" (every difference is 0), "to rounding", "not equivariant", "vacuous", or
        "interpolated", where there is nothing to prove.
      reason: why, in words.
    """

    moves: str
    exact: bool
    names: tuple[str, ...]
    iou: tuple[float, ...]
    boundary_iou: tuple[float, ...]
    distance: tuple[float, ...]
    agreement: tuple[float, ...]
    error: tuple[float, ...]
    pooled_iou: float
    worst_iou: float
    worst_boundary_iou: float
    worst_at: str
    empty: float
    floor_iou: tuple[float, ...] | None
    floor_boundary_iou: tuple[float, ...] | None
    truth_iou: tuple[float, ...] | None
    verdict: str
    reason: str


@dataclasses.dataclass(frozen=True)
class SegmentationReport:
    """Whether the mask moves as the image does.

    Attributes:
      dtype: the coarser one of the types of images and logits.
      tolerance: the relative error up to which a difference counts as rounding.
      boundary_width: of the band around contours, in pixels.
      foreground: for each class, the share of pixels in the mask of f(x).
      truth_iou: IoU(mask(f(x)), truth) before any move, the mean over samples; None without.
      rows: one for each kind of move.
    """

    dtype: str
    tolerance: float
    boundary_width: int
    foreground: tuple[float, ...]
    truth_iou: float | None
    rows: tuple[MaskRow, ...]

    @property
    def holds(self) -> bool:
        """Whether f was found to commute with every exact move, and there was one."""
        verdicts = [row.verdict for row in self.rows if row.exact]
        return bool(verdicts) and all(v in ("exact", "to rounding") for v in verdicts)

    def row(self, moves: str) -> MaskRow:
        """The row of this kind of move.

        Raises:
          ValueError: there is none.
        """
        for row in self.rows:
            if row.moves == moves:
                return row
        raise ValueError(f"No row {moves!r}: there are {[row.moves for row in self.rows]}.")

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON-ready values."""
        return {**dataclasses.asdict(self), "holds": self.holds}

    def __str__(self) -> str:
        """The report as a table: mean and worst IoU, mean and worst boundary IoU, the rest."""
        header = ["moves", "count", "IoU", "worst", "boundary", "worst", "distance", "agreement",
                  "error", "floor"]  # fmt: skip
        if self.truth_iou is not None:
            header.append(f"truth ({self.truth_iou:.3f})")
        lines = [self._line(row) for row in self.rows]
        shares = ", ".join(f"{100 * share:.1f} %" for share in self.foreground)
        return "\n".join([
            f"{self.dtype}, foreground {shares}, boundary {self.boundary_width} px",
            table(header, lines),
            *(f"{row.moves}: {row.verdict}, {row.reason}" for row in self.rows),
        ])  # fmt: skip

    def _line(self, row: MaskRow) -> list[str]:
        line = [
            row.moves,
            str(len(row.names)),
            f"{np.mean(row.iou):.4f}",
            f"{row.worst_iou:.4f}",
            f"{np.mean(row.boundary_iou):.4f}",
            f"{row.worst_boundary_iou:.4f}",
            f"{np.mean(row.distance):.2f} px",
            f"{np.mean(row.agreement):.4f}",
            f"{np.max(row.error):.1e}",
            "" if row.floor_iou is None else f"{np.mean(row.floor_iou):.4f}",
        ]
        if row.truth_iou is not None:
            line.append(f"{np.min(row.truth_iou):.3f} to {np.max(row.truth_iou):.3f}")
        return line
