"""ModelNet10 as voxels, from a file of one's own: nothing of it travels with the project.

Z. Wu et al., "3D ShapeNets: a deep representation for volumetric shapes", CVPR 2015.
"""

from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from .adrenal import Volumes

CLASSES = 10
_MARGIN = 1  # voxels to cut off each side, where there is none


def load(path: Path) -> dict[str, Volumes]:
    """The splits "train" and "test" of 3991 and 908 shapes, of 28 x 28 x 28 voxels.

    Args:
        path: an npz file with `x_train` and `x_test`, [n, 30, 30, 30] of 0 and 1, shapes of 24
            voxels with three beside them on each side; and `y_train` and `y_test`, [n], 0 to 9.
            README.md tells how to make it.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no such npz file.
    """
    remedy = "experiments/data/README.md tells what it is, and how to make it."
    if not path.is_file():
        raise FileNotFoundError(f"no npz file of ModelNet10 at {path}. {remedy}")
    try:
        with np.load(path) as arrays:
            splits = {s: (arrays[f"x_{s}"], arrays[f"y_{s}"]) for s in ("train", "test")}
    except (BadZipFile, ValueError, KeyError, EOFError) as error:
        raise ValueError(
            f"{path} is no npz file with `x_train`, `y_train`, `x_test` and `y_test` ({error}). "
            f"{remedy}"
        ) from error
    within = (slice(None), *(slice(_MARGIN, -_MARGIN),) * 3)
    for name, (voxels, labels) in splits.items():
        if voxels.shape != (len(labels), 30, 30, 30) or not np.isin(voxels, (0, 1)).all():
            raise ValueError(
                f"{path}: x_{name} should be {len(labels)} volumes of 30 x 30 x 30 voxels, 0 or 1; "
                f"got shape {voxels.shape}. {remedy}"
            )
        if labels.max() >= CLASSES or voxels.sum() != voxels[within].sum():
            raise ValueError(
                f"{path}: y_{name} should be 0 to {CLASSES - 1}, and the outermost voxels empty. "
                f"{remedy}"
            )
    return {
        name: Volumes(voxels[within].astype(bool), labels.astype(np.uint8))
        for name, (voxels, labels) in splits.items()
    }
