"""The table of rotated MNIST as a picture: every seed, the mean, and what was published."""

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from ..durable.records import replace_file

_OURS, _PUBLISHED = "#1f4e9c", "#c2571a"


def draw(path: Path, rows: dict[str, dict[str, Any]]) -> None:
    """Draw all rows, the first on top."""
    fig, axes = plt.subplots(figsize=(7.5, 1.2 + 0.42 * len(rows)), layout="constrained")
    for y, row in enumerate(rows.values()):
        errors = [run["test_error_percent"] for run in row["runs"]]
        axes.plot(errors, [y] * len(errors), "o", color=_OURS, alpha=0.45, ms=5, mew=0)
        axes.plot([row["mean"]] * 2, [y - 0.28, y + 0.28], color=_OURS, lw=2)
        if "published" in row:
            published = row["published"]
            axes.errorbar(
                published["error"], y, xerr=published["deviation"],
                fmt="D", color=_PUBLISHED, ms=5, capsize=3,
            )  # fmt: skip
    axes.plot([], [], "o", color=_OURS, alpha=0.45, label="a seed")
    axes.plot([], [], color=_OURS, lw=2, label="mean")
    axes.plot([], [], "D", color=_PUBLISHED, label="published ± standard deviation")
    axes.set_yticks(range(len(rows)), [row["title"] for row in rows.values()])
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(lambda v, _: f"{v:g}")
    axes.xaxis.set_minor_formatter(lambda v, _: f"{v:g}" if f"{v:.0e}"[0] in "23457" else "")
    axes.set_xlabel("test error [%]")
    axes.grid(axis="x", which="both", alpha=0.2)
    axes.legend(frameon=False, loc="best", fontsize="small")
    replace_file(path, lambda partial: fig.savefig(partial, dpi=150))
    plt.close(fig)
