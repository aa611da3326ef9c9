"""The pictures of a run."""

from pathlib import Path
from typing import Any, cast

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.projections.polar import PolarAxes

from ..durable.records import replace_file

_INK, _PLAIN = "#1f4e9c", "#c2571a"  # the run itself, and what is drawn beside it


def learning_curves(
    path: Path, rows: list[dict[str, Any]], title: str, test_error: float | None = None
) -> None:
    """Loss and error over epochs: in training, on held-out images and at the end on the test."""
    fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
    epoch = [row["epoch"] for row in rows]
    left.plot(epoch, [row["loss"] for row in rows], color=_INK)
    left.set(xlabel="epoch", ylabel="training loss", yscale="log")
    right.plot(epoch, [row["train_error_percent"] for row in rows], color=_INK, label="training")
    measured = [(row["epoch"], row["valid_error_percent"]) for row in rows
                if "valid_error_percent" in row]  # fmt: skip
    if measured:
        right.plot(*zip(*measured, strict=True), "o-", color=_PLAIN, label="validation")
    if test_error is not None:
        right.axhline(
            test_error, color="0.4", ls="--", label=f"test, at the end: {test_error:.2f} %"
        )
    right.set(xlabel="epoch", ylabel="error [%]", yscale="log")
    for axes in (left, right):
        axes.yaxis.set_major_formatter(lambda v, _: f"{v:g}")
        axes.yaxis.set_minor_formatter(lambda v, _: f"{v:g}" if f"{v:.0e}"[0] in "25" else "")
    right.legend(frameon=False)
    fig.suptitle(title)
    _save(fig, path)


def error_by_angle(path: Path, curves: dict[str, dict[str, list[float]]], title: str) -> None:
    """Test error against the angle of the digits, as a polar plot; the first curve is the run."""
    fig = plt.figure(figsize=(5, 5.2), layout="constrained")
    axes = cast(PolarAxes, fig.add_subplot(projection="polar"))
    for (name, curve), colour in zip(curves.items(), (_INK, _PLAIN, "#3b8f5a", "#777777")):
        angle = np.deg2rad([*curve["degrees"], 360])
        error = [*curve["error_percent"], curve["error_percent"][0]]
        axes.plot(angle, error, color=colour, label=name, lw=2)
        axes.fill(angle, error, color=colour, alpha=0.08)
    axes.set_theta_zero_location("N")
    axes.set_xticks(np.deg2rad(range(0, 360, 45)))
    axes.set_rlim(0)
    axes.set_rlabel_position(22.5)
    axes.yaxis.set_major_formatter(lambda v, _: f"{v:g} %")
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, -0.18), ncols=2, frameon=False)
    axes.set_title(title)
    _save(fig, path)


def feature_maps(path: Path, images: np.ndarray, fields: np.ndarray, names: list[str]) -> None:
    """One digit as it turns, and its feature map on the group, one row for each element g.

    Every map is a turned copy of one in the first row, one slot further for each quarter turn: a
    thin frame marks where the map of slot e went.

    Args:
      path: of the picture.
      images: `[g, y, x]`, the digit turned by each element.
      fields: `[g, y, x, h]`, one channel of the feature map of each.
      names: of the elements.
    """
    n = len(names)
    fig, axes = plt.subplots(n, n + 1, figsize=(1.35 * (n + 1), 1.35 * n + 0.5),
                             layout="constrained")  # fmt: skip
    low, high = fields.min(), fields.max()
    for g in range(n):
        axes[g, 0].imshow(images[g], cmap="gray_r")
        axes[g, 0].set_ylabel(f"g = {names[g]}", fontsize=9)
        for h in range(n):
            axes[g, h + 1].imshow(fields[g, :, :, h], cmap="viridis", vmin=low, vmax=high)
            moved = g == h  # f(g⁻¹h) with h = g is slot e of the upright digit
            for spine in axes[g, h + 1].spines.values():
                spine.set(color=_PLAIN if moved else "none", linewidth=3)
    for h in range(n):
        axes[0, h + 1].set_title(f"slot {names[h]}", fontsize=9)
    axes[0, 0].set_title("input g·x", fontsize=9)
    for ax in axes.flat:
        ax.set(xticks=[], yticks=[])
    fig.suptitle("The input turns: its feature maps turn, and move over the group axis",
                 fontsize=10)  # fmt: skip
    _save(fig, path)


def _save(fig, path: Path) -> None:
    replace_file(path, lambda p: fig.savefig(p, dpi=130))
    plt.close(fig)
