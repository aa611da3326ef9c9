"""The figures of the study of shifts."""

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from ..durable.records import replace_file

_COLOURS = ("#c2571a", "#b08900", "#3b8f5a", "#7a4fa3", "#1f4e9c", "#777777")


def curves(path: Path, findings: dict[str, dict[str, Any]]) -> None:
    """Consistency of every network against the distance between two circular shifts."""
    fig, axes = plt.subplots(1, 2, figsize=(10, 3.6), sharey=True, layout="constrained")
    for ax, group in zip(axes, ("plain", "p4"), strict=True):
        for (name, f), colour in zip(_of(findings, group), _COLOURS):
            report = f["circular"]
            at = np.array(report["consistency_at"])
            ax.plot(report["distances"], 100 * at, "o-", ms=3, color=colour, label=name)
        ax.set(title=group, xlabel="distance between two shifts [pixels]")
    axes[0].set_ylabel("same class [%]")
    _legend(fig, axes[1])
    fig.suptitle("Blurring mends shift invariance in part, polyphase sampling wholly")
    _save(fig, path)


def maps(path: Path, findings: dict[str, dict[str, Any]]) -> None:
    """For every network, the fraction of images that keep their class, as a map over shifts."""
    names = [name for name, _ in _of(findings, "plain")]
    fig, axes = plt.subplots(
        2, len(names), figsize=(1.9 * len(names) + 1, 4.3), layout="constrained", squeeze=False
    )
    lowest = min(np.min(f["circular"]["agreement_map"]) for f in findings.values())
    for row, group in zip(axes, ("plain", "p4"), strict=True):
        for ax, (name, f) in zip(row, _of(findings, group), strict=True):
            first, second = (f["circular"]["offsets"][a] for a in (0, 1))
            image = ax.imshow(
                100 * np.array(f["circular"]["agreement_map"]),
                extent=(second[0] - 0.5, second[-1] + 0.5, first[-1] + 0.5, first[0] - 0.5),
                vmin=100 * lowest, vmax=100, cmap="cividis",
            )  # fmt: skip
            ax.set_title(f"{group}, {name}", fontsize=9)
            ax.tick_params(labelsize=7)
    fig.colorbar(image, ax=axes, label="keep the class [%]", shrink=0.8)
    fig.supxlabel("shift along x [pixels]", fontsize=9)
    fig.supylabel("shift along y [pixels]", fontsize=9)
    _save(fig, path)


def fields(path: Path, findings: dict[str, dict[str, Any]]) -> None:
    """Error of the first downsampled field against the shift, a curve for each network."""
    fig, axes = plt.subplots(1, 2, figsize=(10, 3.4), sharey=True, layout="constrained")
    for ax, group in zip(axes, ("plain", "p4"), strict=True):
        for (name, f), colour in zip(_of(findings, group), _COLOURS):
            error = f["field_error"]
            ax.plot(range(len(error)), error, "o-", ms=3, color=colour, label=name)
        ax.set(title=group, xlabel="shift of the image [pixels]")
    axes[0].set_ylabel("relative error of the coarse field")
    _legend(fig, axes[1])
    fig.suptitle("A stride of 2 moves exactly with even shifts only; polyphase sampling with all")
    _save(fig, path)


def _of(findings: dict[str, dict[str, Any]], group: str) -> list[tuple[str, dict[str, Any]]]:
    """The networks of one group, by the name of their downsampling."""
    start = f"{group}, "
    return [(k.removeprefix(start), f) for k, f in findings.items() if k.startswith(start)]


def _legend(fig: Any, ax: Any) -> None:
    fig.legend(*ax.get_legend_handles_labels(), loc="outside right center", frameon=False)


def _save(fig: Any, path: Path) -> None:
    replace_file(path, lambda p: fig.savefig(p, dpi=130))
    plt.close(fig)
