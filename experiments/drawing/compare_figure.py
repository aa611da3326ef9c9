"""The figure of a comparison: learning curves, and the errors at the end."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from ..durable.records import replace_file
from ..durable.runs import Run

_COLOURS = ("#1f4e9c", "#c2571a", "#3b8f5a", "#8a4fa3", "#b8860b", "#777777", "#2a9d9d", "#a33b4f")


def draw_comparison(path: Path, runs: Sequence[Run]) -> None:
    """Training loss and errors over epochs, and the errors at the end, one colour for each run.

    Thin lines are errors in training, dots those on held-out images. At the end: full marks with
    bars of one standard error are test errors, open ones the last error on held-out images, or in
    training where there is none.
    """
    fig, (left, middle, right) = plt.subplots(
        1, 3, figsize=(13, 3.6 + 0.12 * len(runs)), layout="constrained", width_ratios=(3, 3, 2)
    )
    for at, run in enumerate(runs):
        colour = _COLOURS[at % len(_COLOURS)]
        _curve(left, run, "loss", colour, "-")
        _curve(middle, run, "train_error_percent", colour, "-", lw=1, alpha=0.7)
        _curve(middle, run, "valid_error_percent", colour, "o-", ms=3)
        _end(right, at, run, colour)
    left.set(xlabel="epoch", ylabel="training loss")
    middle.set(xlabel="epoch", ylabel="error [%]: training (thin), held out (dots)")
    for axes in (left, middle):
        if any(line.get_ydata().size for line in axes.lines):
            axes.set_yscale("log")
        axes.yaxis.set_major_formatter(lambda v, _: f"{v:g}")
        axes.yaxis.set_minor_formatter(lambda v, _: f"{v:g}" if f"{v:.0e}"[0] in "25" else "")
        axes.set_xlim(left=0)
    right.set_yticks(range(len(runs)), [run.name for run in runs])
    right.set_ylim(len(runs) - 0.5, -0.5)
    for label, at in zip(right.get_yticklabels(), range(len(runs))):
        label.set_color(_COLOURS[at % len(_COLOURS)])
    right.set_xlim(0, 1.4 * right.dataLim.xmax if right.has_data() else 1)
    right.set(xlabel="error at the end [%]")
    for axes in (left, middle, right):
        axes.spines[["top", "right"]].set_visible(False)
    replace_file(path, lambda partial: fig.savefig(partial, dpi=130))
    plt.close(fig)


def _curve(axes: plt.Axes, run: Run, key: str, colour: str, style: str, **more: Any) -> None:
    points = [(row["epoch"], row[key]) for row in run.rows if key in row]
    if len(points) == 1:  # a recorded run tells its end alone
        style, more = "D", {"ms": 5}
    axes.plot(*zip(*points, strict=True) if points else ([], []), style, color=colour, **more)


def _end(axes: plt.Axes, at: int, run: Run, colour: str) -> None:
    summary = run.summary
    if "test_error_percent" in summary:
        error, bar = summary["test_error_percent"], summary["test_error_standard_error"]
        axes.errorbar(error, at, xerr=bar, fmt="o", color=colour, capsize=3)
        text = f"{error:.2f} ± {bar:.2f}"
    else:
        last = [(row[key], what) for key, what in (("train_error_percent", "training"),
                ("valid_error_percent", "held out")) for row in run.rows if key in row]  # fmt: skip
        if not last:
            return
        error, what = last[-1]
        axes.plot(error, at, "o", color=colour, mfc="none")
        text = f"{error:.2f}, {what}"
    axes.annotate(text, (error, at), (-4, 7), textcoords="offset points", ha="left", fontsize=8)
