"""What is known of the stability of a callable to warps, at one displacement or at several."""

import dataclasses
from typing import Any

from ._table import table


@dataclasses.dataclass(frozen=True)
class DeformationReport:
    """How far warps and noise move f(x), and what that means.

    Attributes:
      delta: the displacement asked for, in pixels, as in `actions.temperature_of`.
      cut: the highest frequency of the fields.
      temperature: of the fields.
      warps: fields drawn for each image.
      samples: images.
      reduce: "mean" or "median".
      displacement: the root mean square of the displacements drawn, in pixels.
      folded: the share of the fields that fold the image somewhere.
      moved: how far warps move x itself, (E ‖τx - x‖² / E ‖x‖²)^(1/2).
      d_f: stability to warps D_f, or None if all f(x) are the same.
      g_f: stability to noise G_f, likewise.
      r_f: relative stability R_f = D_f / G_f, or None if noise does not move f(x).
      standard_error: of r_f over the images, by bootstrap.
      verdict: "measured", or "vacuous" where the figures prove nothing.
      reason: why, in words.
    """

    delta: float
    cut: int
    temperature: float
    warps: int
    samples: int
    reduce: str
    displacement: float
    folded: float
    moved: float
    d_f: float | None
    g_f: float | None
    r_f: float | None
    standard_error: float | None
    verdict: str
    reason: str

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON-ready values."""
        return dataclasses.asdict(self)

    def __str__(self) -> str:
        """The report as a table."""
        return f"{_table((self,))}\n{self.verdict}: {self.reason}"


@dataclasses.dataclass(frozen=True)
class DeformationCurve:
    """Reports over the displacement.

    Attributes:
      reports: one for each delta.
    """

    reports: tuple[DeformationReport, ...]

    def to_dict(self) -> dict[str, Any]:
        """The curve as JSON-ready values."""
        return {"reports": [report.to_dict() for report in self.reports]}

    def __str__(self) -> str:
        """The curve as a table."""
        vacuous = [r for r in self.reports if r.verdict == "vacuous"]
        return "\n".join(
            [_table(self.reports), *(f"delta {r.delta:g}: vacuous: {r.reason}" for r in vacuous)]
        )


def _table(reports: tuple[DeformationReport, ...]) -> str:
    def figure(value: float | None) -> str:
        return "none" if value is None else f"{value:.3g}"

    rows = [
        (f"{r.delta:g}", f"{r.moved:.3g}", f"{r.folded:.0%}", *map(figure, (r.d_f, r.g_f)),
         figure(r.r_f) if r.r_f is None else f"{r.r_f:.3g} ± {r.standard_error:.1g}")
        for r in reports
    ]  # fmt: skip
    r = reports[0]
    header = ("delta [px]", "moves x by", "folded", "D_f", "G_f", "R_f")
    title = f"{r.samples} samples, {r.warps} warps each, cut {r.cut}, {r.reduce}"
    return f"{title}\n{table(header, rows)}"
