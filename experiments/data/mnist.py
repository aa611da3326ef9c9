"""MNIST from one file that travels with the project, checked by SHA-256 at every load."""

import hashlib
import lzma
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

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
    remedy = (
        f"Restore it with `git checkout -- {path.name}` in {path.parent}, or make it anew with "
        "`python -m experiments.data.pack_mnist FOLDER`."
    )
    if not path.is_file():
        raise FileNotFoundError(
            f"no MNIST file at {path} (expected SHA-256 {FILE_SHA256}, found no file). {remedy}"
        )
    packed = path.read_bytes()
    try:
        content = lzma.decompress(packed)
    except lzma.LZMAError as error:
        raise ValueError(
            f"{path} is corrupt or truncated ({error}): expected SHA-256 {FILE_SHA256}, "
            f"found {hashlib.sha256(packed).hexdigest()}. {remedy}"
        ) from error
    # The content decides, not the file: another liblzma may pack the same bytes differently.
    found = hashlib.sha256(content).hexdigest()
    if found != CONTENT_SHA256:
        raise ValueError(
            f"the content of {path} is not MNIST: expected SHA-256 {CONTENT_SHA256} after "
            f"decompression, found {found}. {remedy}"
        )
    pixels, labels = np.split(np.frombuffer(content, np.uint8), [COUNT * SIDE * SIDE])
    return pixels.reshape(COUNT, SIDE, SIDE), labels
