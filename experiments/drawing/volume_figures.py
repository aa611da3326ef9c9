"""The figures of the study of volumes."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from ..durable.records import replace_file

_COLOURS = ("#c2571a", "#1f4e9c")


def turns(path: Path, findings: Mapping[str, dict[str, Any]], names: Sequence[str]) -> None:
    """The accuracy of every network under every rotation.

    Args:
      path: of the picture.
      findings: by network.
      names: of the rotations.
    """
    fig, ax = plt.subplots(figsize=(8.5, 3.6), layout="constrained")
    for (name, f), colour in zip(findings.items(), _COLOURS, strict=True):
        ax.plot(
            range(len(names)), 100 * np.array(f["turned"]), "o-", ms=5, color=colour, label=name
        )
    ax.set_xticks(range(len(names)), names, rotation=90, fontsize=7)
    ax.set(xlabel="rotation of the test volumes", ylabel="accuracy [%]")
    ax.legend(frameon=False)
    ax.grid(alpha=0.3)
    _save(fig, path)


def one_volume(
    path: Path,
    volumes: Sequence[np.ndarray],
    names: Sequence[str],
    probabilities: Mapping[str, np.ndarray],
) -> None:
    """One volume under some rotations, seen along the first axis, and what the networks say.

    Args:
      path: of the picture.
      volumes: `[z, y, x]` each.
      names: of the rotations.
      probabilities: of class 1, by network, one for each rotation.
    """
    fig, axes = plt.subplots(1, len(volumes), figsize=(1.8 * len(volumes), 2.7), squeeze=False)
    for i, (ax, volume, name) in enumerate(zip(axes[0], volumes, names, strict=True)):
        ax.imshow(volume.sum(axis=0), cmap="bone")
        ax.set(xticks=[], yticks=[])
        ax.set_title(name, fontsize=9)
        lines = [f"{network}: {p[i]:.3f}" for network, p in probabilities.items()]
        ax.set_xlabel("\n".join(lines), fontsize=9)
    fig.tight_layout()
    _save(fig, path)


def _save(fig: Any, path: Path) -> None:
    replace_file(path, lambda p: fig.savefig(p, dpi=130))
    plt.close(fig)
