"""CIFAR-10 from what a user has: an npz file, the original archive, or tensorflow-datasets.

A. Krizhevsky, "Learning multiple layers of features from tiny images", technical report,
University of Toronto, 2009.
"""

import hashlib
import tarfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from .rotated_mnist import Split

SIDE, FULL = 32, 50_000  # pixels, and the training images that there are
URL = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
NAME = "cifar-10-binary.tar.gz"
MD5 = MappingProxyType({  # of the files in the archive, those of "train" first
    "data_batch_1.bin": "5dd7e06a14cb22eb9f671a540d1b7c25",
    "data_batch_2.bin": "5ea93a67294ea407fff1d09f752e9692",
    "data_batch_3.bin": "942cd6a4bcdd0dd3c604fbe906cb4421",
    "data_batch_4.bin": "ae636b3ba5c66a11e91e8cb52e771fcb",
    "data_batch_5.bin": "53f37980c15c3d472c316c40844f3f0d",
    "test_batch.bin": "803d5f7f4d78ea53de84dbe85f74fb6d",
})  # fmt: skip

_KEYS = ("x_train", "y_train", "x_test", "y_test")
_REMEDY = (
    f"It takes {NAME} from {URL}; or an npz file with {', '.join(_KEYS)}; or the folder that one "
    f"of these, or what tensorflow-datasets prepared, lies in (experiments/data/README.md)."
)


class Arrays(NamedTuple):
    """What a source holds: uint8 images [n, y, x, rgb] and the classes 0 ... 9 of each, twice."""

    x_train: NDArray[np.uint8]
    y_train: NDArray[np.uint8]
    x_test: NDArray[np.uint8]
    y_test: NDArray[np.uint8]


def load(archive: Path | None = None) -> dict[str, Split]:
    """The splits "train", "valid" and "test": "valid" is the last fifth of the training images.

    Of all 50 000 training images these are 40 000 and 10 000, as published; a source with fewer
    of them is taken too, and `description` names what it is.

    Args:
        archive: an npz file, the original cifar-10-binary.tar.gz, or a folder in which one of
            these or the folder `cifar10` of tensorflow-datasets lies.

    Returns:
        The splits, with images uint8 [n, 32, 32, 3], labels uint8 [n], and no angles.

    Raises:
        FileNotFoundError: no archive is given, or there is none.
        ValueError: it is corrupt, or its content is not as described.
    """
    if archive is None:
        raise FileNotFoundError(f"CIFAR-10 does not travel with the project. {_REMEDY}")
    arrays = _read(archive)
    cut = len(arrays.x_train) * 4 // 5
    return {
        "train": Split(arrays.x_train[:cut], arrays.y_train[:cut], None),
        "valid": Split(arrays.x_train[cut:], arrays.y_train[cut:], None),
        "test": Split(arrays.x_test, arrays.y_test, None),
    }


def description(splits: Mapping[str, Split]) -> str:
    """What to call the data: results on a part of the training images are not the published ones.

    Returns:
        Such as "CIFAR-10, 10 000 of its 50 000 training images".
    """
    n = len(splits["train"].labels) + len(splits["valid"].labels)
    part = "all" if n == FULL else f"{n:,} of its".replace(",", " ")
    return f"CIFAR-10, {part} 50 000 training images"


def read_npz(path: Path) -> Arrays:
    """The arrays `x_train`, `y_train`, `x_test` and `y_test` of an npz file."""
    try:
        with path.open("rb") as file:
            arrays = np.load(file)
            found = Arrays(*(arrays[key] for key in _KEYS))
    except (BadZipFile, ValueError, LookupError, EOFError, zlib.error) as error:
        raise ValueError(
            f"{path} is no whole npz file with {', '.join(_KEYS)} ({error}). {_REMEDY}"
        ) from error
    return _checked(path, found)


def read_binary(path: Path, md5: Mapping[str, str] = MD5) -> Arrays:
    """The original archive: rows of a label and 3 x 32 x 32 bytes, every file by its checksum.

    Args:
        path: the gzipped tar file.
        md5: the checksum that each of its files must have, the last one being the test set.
    """
    files = {}
    try:
        with tarfile.open(path, "r:gz") as archive:
            for member in archive:
                name = Path(member.name).name
                if name in md5 and (stream := archive.extractfile(member)) is not None:
                    files[name] = stream.read()
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise ValueError(f"{path} is no whole tar.gz file ({error}). {_REMEDY}") from error
    if missing := set(md5) - set(files):
        raise ValueError(
            f"{path} lacks {', '.join(sorted(missing))}. Is it the version for Python or Matlab? "
            f"{_REMEDY}"
        )
    for name, expected in md5.items():
        found = hashlib.md5(files[name], usedforsecurity=False).hexdigest()
        if found != expected:
            raise ValueError(
                f"{name} in {path} is not the original: expected MD5 {expected}, found {found}. "
                f"{_REMEDY}"
            )
    *train, test = (np.frombuffer(files[name], np.uint8).reshape(-1, 3073) for name in md5)
    return _checked(path, Arrays(*_decoded(np.concatenate(train)), *_decoded(test)))


def read_prepared(folder: Path) -> Arrays:
    """What tensorflow-datasets prepared as array_record files, in the order of their ids.

    Nothing is downloaded.

    Args:
        folder: the folder `cifar10/VERSION` with its dataset_info.json.
    """
    try:
        import tensorflow_datasets as tfds
    except ModuleNotFoundError as error:
        raise ValueError(
            f"{folder} takes tensorflow-datasets to read: pip install 'gcnn[data]'."
        ) from error
    arrays: list[NDArray] = []
    try:
        builder = tfds.builder_from_directory(folder)
        for split in ("train", "test"):
            source = builder.as_data_source(split=split)
            examples = sorted(source, key=lambda example: example["id"])
            arrays += [np.stack([e[key] for e in examples]) for key in ("image", "label")]
    except (NotImplementedError, ValueError, KeyError, OSError) as error:
        raise ValueError(
            f"{folder} is not CIFAR-10 as tensorflow-datasets prepares it to be read without "
            f'TensorFlow ({error}). Make it with tfds.builder("cifar10", data_dir=..., '
            f'file_format="array_record").download_and_prepare().'
        ) from error
    return _checked(folder, Arrays(*arrays))


def _read(archive: Path) -> Arrays:
    """The arrays of a file, or of what lies in a folder."""
    if archive.is_file():
        return read_npz(archive) if archive.suffix == ".npz" else read_binary(archive)
    if not archive.is_dir():
        raise FileNotFoundError(f"no file or folder at {archive}. {_REMEDY}")
    if (archive / NAME).is_file():
        return read_binary(archive / NAME)
    files = sorted(archive.glob("*.npz"))
    prepared = [*archive.glob("dataset_info.json"), *archive.glob("cifar10/*/dataset_info.json")]
    found = [*files, *(path.parent for path in prepared)]
    if len(found) != 1:
        names = ", ".join(sorted(str(path.relative_to(archive)) for path in found)) or "none"
        raise ValueError(
            f"{archive} should hold one source of CIFAR-10, and has {names}. {_REMEDY}"
        )
    return read_npz(files[0]) if files else read_prepared(found[0])


def _decoded(rows: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Images and labels of rows [n, 3073]: the label, then the planes of red, green and blue."""
    planes = rows[:, 1:].reshape(-1, 3, SIDE, SIDE)
    return np.ascontiguousarray(planes.transpose(0, 2, 3, 1)), rows[:, 0]


def _checked(path: Path, arrays: Arrays) -> Arrays:
    """The arrays, if they are what they should be."""
    checked = []
    for part, least in (("train", 5), ("test", 1)):
        x, y = getattr(arrays, f"x_{part}"), getattr(arrays, f"y_{part}")
        n = len(x) if x.ndim else 0
        if x.dtype != np.uint8 or x.shape != (n, SIDE, SIDE, 3) or n < least:
            raise ValueError(
                f"{path} has images of {part} {x.dtype}{list(x.shape)}, expected uint8 "
                f"[n, {SIDE}, {SIDE}, 3] with n of {least} or more."
            )
        if not np.issubdtype(y.dtype, np.integer) or y.shape != (n,):
            raise ValueError(
                f"{path} has labels of {part} {y.dtype}{list(y.shape)}, expected integers [{n}], "
                f"one for each image."
            )
        if y.min() < 0 or y.max() > 9:
            raise ValueError(
                f"{path} has labels of {part} from {y.min()} to {y.max()}, expected 0 to 9."
            )
        checked += [x, y.astype(np.uint8)]
    return Arrays(*checked)
