"""The figures of the study of segmentation."""

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from ..durable.records import replace_file

_COLOURS = ("#c2571a", "#b08900", "#3b8f5a", "#1f4e9c")
_MASK, _LOST, _GAINED = "#ffd400", "#ff3b30", "#35c4ff"


def moves(path: Path, scenes: list[dict[str, Any]]) -> None:
    """One image as it moves, and the mask of every network over it.

    Args:
      path: of the picture.
      scenes: as of `segmentation_scenes.scenes`.
    """
    names = list(scenes[0]["masks"])
    fig, axes = plt.subplots(
        len(names), len(scenes), figsize=(1.75 * len(scenes) + 0.4, 1.85 * len(names) + 0.9),
        layout="constrained", squeeze=False,
    )  # fmt: skip
    for column, scene in zip(axes.T, scenes, strict=True):
        for ax, (name, (found, wanted)) in zip(column, scene["masks"].items(), strict=True):
            inside = scene["inside"]
            ax.imshow(np.where(inside, scene["image"], np.nan), cmap="gray")
            ax.set_facecolor("0.5")
            _paint(ax, wanted & ~found & inside, _LOST)
            _paint(ax, found & ~wanted & inside, _GAINED)
            ax.contour(found & inside, [0.5], colors=_MASK, linewidths=0.8)
            differ = int(((found != wanted) & inside).sum())
            ax.set_xlabel(f"{differ} pixels differ" if differ else "the same", fontsize=8)
            if ax is column[0]:
                ax.set_title(scene["title"], fontsize=9)
            if ax is axes[names.index(name), 0]:
                ax.set_ylabel(name, fontsize=9)
    _bare(axes)
    handles = [
        plt.Line2D([], [], color=_MASK, label="mask of the moved image"),
        plt.Line2D([], [], color=_LOST, marker="s", ls="", label="in the moved mask only"),
        plt.Line2D([], [], color=_GAINED, marker="s", ls="", label="in the mask of the moved only"),
    ]
    fig.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    fig.suptitle("Does the mask move as the image moves?", fontsize=11)
    _save(fig, path)


def differences(path: Path, images: np.ndarray, maps: dict[str, np.ndarray]) -> None:
    """Where the logits of every network change when the image moves.

    Args:
      path: of the picture.
      images: `[n, y, x]`.
      maps: |T⁻¹ f(T x) - f(x)| of each network, `[n, y, x]`.
    """
    size = (1.75 * len(images) + 1.2, 1.75 * (len(maps) + 1) + 0.5)
    fig, axes = plt.subplots(
        len(maps) + 1, len(images), figsize=size, layout="constrained", squeeze=False
    )
    highest = max(float(np.quantile(m, 0.999)) for m in maps.values())
    for ax, image in zip(axes[0], images, strict=True):
        ax.imshow(image, cmap="gray")
    axes[0, 0].set_ylabel("image", fontsize=9)
    for row, (name, field) in zip(axes[1:], maps.items(), strict=True):
        for ax, difference in zip(row, field, strict=True):
            shown = ax.imshow(difference, cmap="magma", vmin=0, vmax=highest)
            ax.set_xlabel(f"largest {difference.max():.1e}", fontsize=8)
        row[0].set_ylabel(name, fontsize=9)
    fig.colorbar(shown, ax=axes[1:], label="change of the logit", shrink=0.7)
    _bare(axes)
    fig.suptitle("Logits after a shift by (1, 1) and a quarter turn, moved back", fontsize=11)
    _save(fig, path)


def curves(
    path: Path, findings: dict[str, dict[str, Any]], along: int, sizes: tuple[float, ...]
) -> None:
    """IoU of masks and moved masks, against the shift, the angle and the size of a warp.

    Args:
      path: of the picture.
      findings: by network.
      along: shifts along the rows from 0 to this many pixels are shown.
      sizes: of the warps, in pixels.
    """
    fig, axes = plt.subplots(1, 3, figsize=(11, 3.5), layout="constrained")
    widths = (3.4, 2.7, 2.0, 1.2)  # what coincides shows behind
    for (name, f), colour, width in zip(findings.items(), _COLOURS, widths):
        shifts, _, _, rotations, warps = f["moved"]["rows"]
        at = dict(zip(shifts["names"], shifts["iou"], strict=True))
        degrees = [float(angle.removesuffix("°")) for angle in rotations["names"]]
        lines = (
            (range(along + 1), [at[f"(0, {s})"] for s in range(along + 1)]),
            (degrees, rotations["iou"]),
            (sizes, warps["iou"]),
        )
        for ax, (where, iou) in zip(axes, lines, strict=True):
            ax.plot(where, iou, "o-", ms=width + 1.5, lw=width, color=colour, label=name)
    for ax, where, row in ((axes[1], degrees, rotations), (axes[2], sizes, warps)):
        ax.plot(where, row["floor_iou"], ":", color="0.3", label="interpolation alone")
    axes[0].set(xlabel="circular shift [pixels]", ylabel="IoU with the moved mask")
    axes[1].set(xlabel="rotation [degrees]", xticks=range(0, 361, 90))
    axes[2].set(xlabel="warp [pixels, root mean square]", xlim=(0, None))
    handles, labels = axes[1].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside lower center", ncols=5, frameon=False)
    _save(fig, path)


def _paint(ax: Any, where: np.ndarray, colour: str) -> None:
    """These pixels in this colour, over what is there."""
    rgba = np.zeros((*where.shape, 4))
    rgba[where] = matplotlib.colors.to_rgba(colour)
    ax.imshow(rgba)


def _bare(axes: np.ndarray) -> None:
    for ax in axes.flat:
        ax.set(xticks=[], yticks=[])


def _save(fig: Any, path: Path) -> None:
    replace_file(path, lambda p: fig.savefig(p, dpi=130))
    plt.close(fig)
