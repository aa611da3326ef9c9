"""The original rotated MNIST of Larochelle et al. (2007), read from `mnist_rotation_new.zip`."""

import hashlib
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

URL = "http://www.iro.umontreal.ca/~lisa/icml2007data/mnist_rotation_new.zip"
NAME = "mnist_rotation_new.zip"
MD5 = "0f9a947ff3d30e95cd685462cbf3b847"
TRAIN_VALID = "mnist_all_rotation_normalized_float_train_valid.amat"
TEST = "mnist_all_rotation_normalized_float_test.amat"
SIZES = MappingProxyType({"train": 10_000, "valid": 2_000, "test": 50_000})

_BLOCK = 2_000  # rows parsed at a time: 13 MB of float64 instead of 314 MB


def read(
    path: Path, md5: str = MD5, sizes: Mapping[str, int] = SIZES
) -> dict[str, tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
    """Reads the archive; its first 10 000 rows are "train", the next 2 000 "valid".

    A row of an amat file is 784 floats x in [0, 1], then the label. The image is
    images[n, y, x] = round(255 * row[28 y + x]), read row by row without transposing. If the
    floats are grey levels over 255 the map loses nothing; otherwise it moves a pixel by at most
    1/510 of the range.

    Args:
        path: the zip file, or the folder it lies in.
        md5: the checksum the zip must have.
        sizes: how many examples each of "train", "valid", "test" must have.

    Returns:
        For each split images, uint8 [n, 28, 28], and labels, uint8 [n].

    Raises:
        FileNotFoundError: there is no such archive.
        ValueError: the checksum is wrong, or the content is not as described above.
    """
    archive = path / NAME if path.is_dir() else path
    remedy = f"Fetch it from {URL} (MD5 {md5}), or leave the archive out to generate the data."
    if not archive.is_file():
        raise FileNotFoundError(f"no archive at {archive}. {remedy}")
    with archive.open("rb") as file:
        found = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    if found != md5:
        raise ValueError(
            f"{archive} is not the original: expected MD5 {md5}, found {found}. {remedy}"
        )

    # The checksum vouches for the bytes; what follows checks what this module believes of them.
    with zipfile.ZipFile(archive) as zipped:
        missing = {TRAIN_VALID, TEST} - set(zipped.namelist())
        if missing:
            raise ValueError(
                f"{archive} lacks {', '.join(sorted(missing))}; it holds {zipped.namelist()}"
            )
        with zipped.open(TRAIN_VALID) as lines:
            images, labels = _parse(lines, sizes["train"] + sizes["valid"], TRAIN_VALID)
        with zipped.open(TEST) as lines:
            test = _parse(lines, sizes["test"], TEST)
    cut = sizes["train"]
    return {
        "train": (images[:cut], labels[:cut]),
        "valid": (images[cut:], labels[cut:]),
        "test": test,
    }


def _parse(
    lines: Iterable[bytes], count: int, name: str
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The images and labels of an amat file with `count` rows."""
    blocks = list(_blocks(lines, name))
    found = sum(len(block) for block in blocks)
    if found != count:
        raise ValueError(
            f"{name} has {found} rows, expected {count}: it is truncated or another file"
        )
    rows = np.concatenate(blocks)
    return rows[:, :-1].reshape(-1, 28, 28), rows[:, -1]


def _blocks(lines: Iterable[bytes], name: str) -> Iterator[NDArray[np.uint8]]:
    """Checked rows, uint8 [at most 2000, 785]: 784 grey levels, then the label."""
    rows = (line for line in lines if line.strip())
    while some := list(islice(rows, _BLOCK)):
        try:
            values = np.loadtxt(some, ndmin=2)
        except ValueError as error:
            raise ValueError(f"{name} is not a table of numbers: {error}") from error
        if values.shape[1] != 785:
            raise ValueError(
                f"{name} has {values.shape[1]} numbers in a row, expected 784 pixels and a label"
            )
        pixels, labels = values[:, :-1], values[:, -1]
        if not np.all((pixels >= 0) & (pixels <= 1)):
            raise ValueError(
                f"{name} has pixels from {pixels.min()} to {pixels.max()}, expected all in [0, 1]"
            )
        if not np.isin(labels, range(10)).all():
            raise ValueError(f"{name} has labels {np.unique(labels)}, expected integers 0 to 9")
        yield np.column_stack([np.rint(255 * pixels), labels]).astype(np.uint8)
