"""The figure of a ledger: which step errs, how much, and why."""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from gcnn import verify

from ..durable.records import replace_file

_COLOURS = {
    "lattice": "#c2571a",
    "downsampling": "#1f4e9c",
    "boundary": "#3b8f5a",
    "precision": "#b8b8b8",
}
_WHOLE = {"working": ("o", "in its own type"), "float64": ("s", "in float64"),
          "circular": ("D", "and padding wrapped")}  # fmt: skip
_LOWEST = 1e-9  # left end of the axis


def draw_ledger(path: Path, ledger: verify.Ledger) -> None:
    """A bar for each step and family of moves, with its error; no bar is an error of exactly 0.

    The axis is logarithmic, and the colours divide a bar as the causes divide the square of the
    error. Below, three marks for the whole model; what is smaller than the axis is at its end.

    Args:
      path: of the picture.
      ledger: of a model.
    """
    accounts = ledger.accounts
    steps = len(accounts[0].rows)
    fig, axes = plt.subplots(
        1, len(accounts), figsize=(2.4 + 4 * len(accounts), 1.5 + 0.24 * (steps + 1)),
        sharey=True, squeeze=False, layout="constrained",
    )  # fmt: skip
    for ax, account in zip(axes[0], accounts, strict=True):
        for at, row in enumerate(account.rows):
            _bar(ax, at, row)
        for setting, (marker, _) in _WHOLE.items():
            error = max(getattr(account, setting), _LOWEST)
            ax.plot(error, steps, marker, color="0.2", ms=5, mfc="none", clip_on=False)
        ax.axvline(ledger.tolerance, color="0.5", ls=":", lw=1, zorder=0)
        ax.axhline(steps - 0.5, color="0.8", lw=0.8)
        ax.set(xscale="log", xlim=(_LOWEST, 30), xlabel="relative error")
        ax.set_xticks(10.0 ** np.arange(-9, 1, 3))
        ax.set_title(_title(ledger, account), fontsize=10)
        ax.spines[["top", "right"]].set_visible(False)
    labels = [f"{row.name}  ({row.kind})" for row in accounts[0].rows]
    axes[0, 0].set_yticks(range(steps + 1), [*labels, "the whole model"], fontsize=8)
    axes[0, 0].set_ylim(steps + 0.6, -0.6)
    _legend(fig)
    replace_file(path, lambda partial: fig.savefig(partial, dpi=130))
    plt.close(fig)


def _bar(ax: plt.Axes, at: int, row: verify.LedgerRow) -> None:
    if row.total == 0:
        return
    decades, left = max(np.log10(row.total / _LOWEST), 0), 0.0
    for part, colour in _COLOURS.items():
        share = decades * (getattr(row, part) / row.total) ** 2
        start, end = _LOWEST * 10 ** np.array([left, left + share])
        ax.barh(at, end - start, left=start, height=0.72, color=colour)
        left += share
    ax.annotate(
        f"{row.total:.2g}", (_LOWEST * 10**decades, at), (3, 0), textcoords="offset points",
        va="center", fontsize=7, color="0.35",
    )  # fmt: skip


def _title(ledger: verify.Ledger, account: verify.Account) -> str:
    family = {"elements": f"elements of {ledger.group}", "shifts": "shifts by one pixel"}
    if account.culprit is None:
        return f"{family[account.moves]}\nrounding alone"
    name, part = account.culprit
    return f"{family[account.moves]}\nlargest: {part} of {name}"


def _legend(fig: plt.Figure) -> None:
    handles: list[Patch | Line2D] = [Patch(color=c, label=part) for part, c in _COLOURS.items()]
    handles += [
        Line2D([], [], ls="", marker=marker, color="0.2", mfc="none", label=label)
        for marker, label in _WHOLE.values()
    ]
    handles.append(Line2D([], [], ls=":", color="0.5", label="tolerance"))
    fig.legend(handles=handles, loc="outside lower center", ncols=8, frameon=False, fontsize=8)
