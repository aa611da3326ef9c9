"""MNIST from one file that travels with the project, checked by SHA-256 at every load."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from . import packed

PATH = Path(__file__).with_name("mnist.xz")
COUNT = 70_000
SIDE = 28

FILE_SHA256 = "e9b40985d011bd5a36195bdeb447f26b7824f3acd02e51a1636098d784d5fe98"
CONTENT_SHA256 = "c2069063c1105f2bf96266aef1ff68c6e13bdda7a54e37bf19c16f1db24efc83"


def load(path: Path = PATH) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """All 70 000 digits, the 60 000 of the training set first, both sets in their own order.

    The file is an xz stream of 54 950 000 bytes: images[n, y, x] in C order, then labels[n].

    Args:
        path: the xz file; the committed one unless a test says otherwise.

    Returns:
        images, uint8 [70000, 28, 28]: ink (255) on paper (0) at row y, column x of digit n;
        labels, uint8 [70000]: the digit 0 ... 9. Both are read-only.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is no complete xz stream, or its content is not MNIST.
    """
    packer = "pack_mnist FOLDER"
    content = packed.read(path, "MNIST", FILE_SHA256, CONTENT_SHA256, packer)
    pixels, labels = np.split(np.frombuffer(content, np.uint8), [COUNT * SIDE * SIDE])
    return pixels.reshape(COUNT, SIDE, SIDE), labels
