"""The figure of the benchmark: how many times faster than the plain one, against the width."""

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from experiments.durable.records import replace_file

_COLOURS = {"direct": "#c2571a", "fourier": "#1f4e9c", "ours": "#3b8f5a"}
_LABELS = {"direct": "with its bank", "fourier": "in irreducible blocks", "ours": "a block"}
_MODES = ("forward", "training")


def panels(cases: dict[str, dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """The cases of each column, by its title; whole networks have one width, and none."""
    found: dict[str, list[dict[str, Any]]] = {}
    for name, f in cases.items():
        if set(_MODES) <= f.keys():
            what, _, kernel, _ = name.split(", ")
            found.setdefault(f"{what}, {kernel}", []).append(f)
    return found


def draw(path: Path, cases: dict[str, dict[str, Any]]) -> None:
    """A column for each group, kind and kernel that were measured, a row for each mode.

    Args:
      path: of the PNG.
      cases: findings by name, those of `panels` among them.
    """
    columns = panels(cases)
    count = len(columns)
    fig, axes = plt.subplots(
        2, count, figsize=(2.1 * count + 1.4, 5.2), sharey=True, squeeze=False, layout="constrained"
    )
    for column, (title, found) in zip(axes.T, columns.items(), strict=True):
        for ax, mode in zip(column, _MODES, strict=True):
            _panel(ax, found, mode)
        column[0].set_title(title, fontsize=9)
        column[1].set_xlabel("fields", fontsize=9)
    for ax, mode in zip(axes[:, 0], ("forward", "forward and backward"), strict=True):
        ax.set_ylabel(f"times as fast as plain,\n{mode}", fontsize=9)
    _legend(fig, [f for found in columns.values() for f in found])
    replace_file(path, lambda partial: fig.savefig(partial, dpi=130))
    plt.close(fig)


def _panel(ax: Any, found: list[dict[str, Any]], mode: str) -> None:
    """The curves of all ways; a ring around what the layer chooses by itself."""
    ax.axhline(1, color="#777777", lw=1)
    for way in _COLOURS:
        points = [(f["fields"], *f[mode][way]["ratio"]) for f in found if way in f[mode]]
        if not points:
            continue
        fields, low, median, high = zip(*sorted(points), strict=True)
        ax.plot(fields, median, "o-", ms=3, color=_COLOURS[way])
        ax.vlines(fields, low, high, color=_COLOURS[way], lw=2.5, alpha=0.35)
    rings = [(f["fields"], f[mode][f["chosen"]]["ratio"][1]) for f in found if "chosen" in f]
    if rings:
        ax.plot(*zip(*rings, strict=True), "o", ms=8, mfc="none", color="black", mew=0.8)
    ax.set_xscale("log", base=2)
    ax.set_yscale("log", base=2)
    ticks = sorted({f["fields"] for f in found})
    ax.set_xticks(ticks, [str(t) for t in ticks])
    ax.minorticks_off()
    ax.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    ax.tick_params(labelsize=8)
    ax.grid(axis="y", alpha=0.2)


def _legend(fig: Any, found: list[dict[str, Any]]) -> None:
    """One for all panels, of what is in them."""
    lines = {
        _LABELS[way]: plt.Line2D([], [], marker="o", ms=3, color=colour)
        for way, colour in _COLOURS.items()
        if any(way in f[mode] for f in found for mode in _MODES)
    }
    if any("chosen" in f for f in found):
        lines["chosen by the layer"] = plt.Line2D(
            [], [], ls="", marker="o", ms=8, mfc="none", color="black", mew=0.8
        )
    fig.legend(
        lines.values(), lines.keys(), loc="outside lower center", ncols=4, frameon=False, fontsize=9
    )
