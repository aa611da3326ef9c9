"""Adrenal glands of MedMNIST v2 as volumes of 28 x 28 x 28 voxels, all 1584; they travel along.

J. Yang et al., "MedMNIST v2 - A large-scale lightweight benchmark for 2D and 3D biomedical image
classification", Scientific Data 10, 2023.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from . import packed

PATH = Path(__file__).with_name("adrenal.xz")
SIZES = {"train": 1188, "valid": 98, "test": 298}
CLASSES = ("normal", "hyperplasia")
COUNT = sum(SIZES.values())
SIDE = 28

FILE_SHA256 = "6739cebb164a41b9b298637609f1ba8ab11a95512de5c29467d418a4f19d3bcd"
CONTENT_SHA256 = "1fc61a8633d724b3cc43772121dbe0228d7dae262726ea045f441ab8325427e8"


@dataclass(frozen=True, eq=False)
class Volumes:
    """The examples of one split.

    Attributes:
        voxels: bool [n, z, y, x], whether example n has matter there.
        labels: uint8 [n].
    """

    voxels: NDArray[np.bool_]
    labels: NDArray[np.uint8]


def load(path: Path = PATH) -> dict[str, Volumes]:
    """The official splits "train", "valid" and "test" of 1188, 98 and 298 glands, checked.

    The file is an xz stream of 4 348 080 bytes: the voxels [n, z, y, x] in C order, eight to a
    byte, the first in the highest bit; then a byte for each label, 0 normal and 1 hyperplasia.

    Args:
        path: the xz file; the committed one unless a test says otherwise.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is no complete xz stream, or its content is another.
    """
    content = packed.read(
        path,
        "the set of adrenal glands",
        FILE_SHA256,
        CONTENT_SHA256,
        "pack_adrenal ADRENALMNIST3D.npz",
    )
    data = np.frombuffer(content, np.uint8)
    voxels = np.unpackbits(data[:-COUNT]).astype(bool).reshape(COUNT, SIDE, SIDE, SIDE)
    ends = np.cumsum(list(SIZES.values()))
    return {
        name: Volumes(voxels[end - n : end], data[-COUNT:][end - n : end])
        for (name, n), end in zip(SIZES.items(), ends, strict=True)
    }
