"""Nuclei of the 2018 Data Science Bowl: a small set that travels with the project, or the full one.

J. C. Caicedo et al., "Nucleus segmentation across imaging experiments: the 2018 Data Science Bowl",
Nature Methods 16, 2019.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from . import packed

PATH = Path(__file__).with_name("nuclei.xz")
SIZES = {"train": 234, "valid": 50, "test": 50}
COUNT = sum(SIZES.values())
SIDE, FULL_SIDE = 64, 256

FILE_SHA256 = "d3dff25077a3f364991bdf5359e99c720bd681db5d631bf49c0d66f28636ee3f"
CONTENT_SHA256 = "a14c0e402e8a3a91c234591df7a6b1052f061f3186f9a868184ccf6b8d7b5568"
FULL_SHA256 = "af0d56a67a4539d51e0e6277ed8ed91069281e88f76452edc39173c4893c0093"


@dataclass(frozen=True, eq=False)
class Split:
    """The examples of one split.

    Attributes:
        images: uint8 [n, y, x], the brightness of the stain at row y, column x of example n.
        masks: bool [n, y, x], whether a nucleus is there.
    """

    images: NDArray[np.uint8]
    masks: NDArray[np.bool_]


def load(archive: Path | None = None) -> dict[str, Split]:
    """The splits "train", "valid" and "test", of 234, 50 and 50 images: the small ones, or all.

    Example n of the small set is a part of example n of the full one, at half the resolution, so
    that the two sets have the same splits.

    Args:
        archive: the full set as `read_full` takes it; if not given, the set of 64 x 64 pixels.

    Raises:
        FileNotFoundError, ValueError: see `read_small` and `read_full`.
    """
    whole = read_small() if archive is None else read_full(archive)
    ends = np.cumsum(list(SIZES.values()))
    return {
        name: Split(whole.images[end - n : end], whole.masks[end - n : end])
        for (name, n), end in zip(SIZES.items(), ends, strict=True)
    }


def read_small(path: Path = PATH) -> Split:
    """All 334 examples of the small set, 64 x 64 pixels each, checked by SHA-256.

    The file is an xz stream of 1 539 072 bytes: images[n, y, x] in C order, then the masks, eight
    pixels to a byte, the first in the highest bit.

    Args:
        path: the xz file; the committed one unless a test says otherwise.

    Returns:
        The examples, those of "train" first, then "valid" and "test".

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is no complete xz stream, or its content is another.
    """
    content = packed.read(
        path, "the set of nuclei", FILE_SHA256, CONTENT_SHA256, "pack_nuclei FULL_SET.npz"
    )
    pixels, bits = np.split(np.frombuffer(content, np.uint8), [COUNT * SIDE * SIDE])
    shape = (COUNT, SIDE, SIDE)
    return Split(pixels.reshape(shape), np.unpackbits(bits).astype(bool).reshape(shape))


def read_full(path: Path) -> Split:
    """All 334 examples of the full set, 256 x 256 pixels each, checked by SHA-256.

    Args:
        path: an npz file with `images`, uint8 [334, 256, 256], and `instances` of the same shape,
            0 where there is no nucleus, in the order of the image ids; README.md tells how to get
            the images, and `pack_nuclei.merge` makes the file from them.

    Returns:
        The examples, those of "train" first, then "valid" and "test".

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is no such npz, or its content is another.
    """
    remedy = "experiments/data/README.md tells how to get the images and to make this file."
    if not path.is_file():
        raise FileNotFoundError(f"no npz file at {path}. {remedy}")
    try:
        with np.load(path) as arrays:
            whole = Split(arrays["images"], arrays["instances"] > 0)
    except (BadZipFile, ValueError, KeyError, EOFError) as error:
        raise ValueError(
            f"{path} is no npz file with `images` and `instances` ({error}). {remedy}"
        ) from error
    found = hashlib.sha256(content_of(whole)).hexdigest()
    if found != FULL_SHA256:
        raise ValueError(
            f"{path} holds other images or masks than the full set: expected SHA-256 "
            f"{FULL_SHA256} of its content, found {found}. {remedy}"
        )
    return whole


def content_of(examples: Split) -> bytes:
    """The bytes that are packed and checked: the images, then the masks as bits."""
    return examples.images.tobytes() + np.packbits(examples.masks).tobytes()
