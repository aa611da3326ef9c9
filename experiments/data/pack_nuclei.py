"""Makes `nuclei.xz` from the full set, and the full set from the folder that it comes in.

python -m experiments.data.pack_nuclei STAGE1_TRAIN FULL_SET.npz     # the folder to one file
python -m experiments.data.pack_nuclei FULL_SET.npz                  # that file to nuclei.xz
"""

import hashlib
import lzma
import sys
from pathlib import Path

import numpy as np
from matplotlib.image import imread
from numpy.typing import NDArray

from ..durable.records import replace_file
from . import nuclei
from .nuclei import Split
from .pack_mnist import FILTERS

STEP = 32  # between the places where a crop may lie, in pixels of the halved image


def pack(
    path: Path, target: Path = nuclei.PATH, content_sha256: str = nuclei.CONTENT_SHA256
) -> None:
    """Writes the xz file of the small set; it appears whole or not at all.

    Args:
        path: the full set, an npz file as `nuclei.read_full` takes it.
        target: the file to write.
        content_sha256: the checksum that the small set must have.

    Raises:
        FileNotFoundError, ValueError: see `nuclei.read_full`; or the small set came out otherwise.
    """
    content = nuclei.content_of(reduce(nuclei.read_full(path)))
    found = hashlib.sha256(content).hexdigest()
    if found != content_sha256:
        raise ValueError(
            f"the small set came out with SHA-256 {found}, expected {content_sha256}: was the way "
            "it is made changed?"
        )
    packed = lzma.compress(content, check=lzma.CHECK_CRC64, filters=FILTERS)
    replace_file(target, lambda partial: partial.write_bytes(packed))


def reduce(full: Split, side: int = nuclei.SIDE) -> Split:
    """Halves the resolution, and takes from each image the square with the most nuclei.

    A pixel is the mean of four, rounded half up; it is nucleus if two of the four are, or more.
    Squares lie at multiples of 32 pixels of the halved image; of equals, the first in reading
    order is taken. Integer arithmetic alone, so that the bytes are the same everywhere.
    """
    images = ((_blocks(full.images).sum(axis=(2, 4)) + 2) // 4).astype(np.uint8)
    masks = _blocks(full.masks).sum(axis=(2, 4)) >= 2
    last = images.shape[1] - side
    places = [(y, x) for y in range(0, last + 1, STEP) for x in range(0, last + 1, STEP)]
    area = [masks[:, y : y + side, x : x + side].sum(axis=(1, 2)) for y, x in places]
    chosen = [places[i] for i in np.argmax(area, axis=0)]

    def cut(array: NDArray) -> NDArray:
        pairs = zip(array, chosen, strict=True)
        return np.stack([a[y : y + side, x : x + side] for a, (y, x) in pairs])

    return Split(cut(images), cut(masks))


def _blocks(array: NDArray) -> NDArray[np.int64]:
    """The image as squares of 2 x 2 pixels: [n, y, 2, x, 2]."""
    n, ny, nx = array.shape
    return array.astype(np.int64).reshape(n, ny // 2, 2, nx // 2, 2)


def merge(folder: Path, target: Path, side: int = nuclei.FULL_SIDE) -> None:
    """Writes the full set as an npz file, from `ID/images/ID.png` and `ID/masks/*.png`.

    Images of other sizes are left out. Nuclei are numbered from 1 in the order of their files.

    Args:
        folder: `stage1_train` of the corrected set; see README.md.
        target: the npz file to write.
        side: of the images to take.

    Raises:
        FileNotFoundError: the folder holds no such images.
        ValueError: an image has colours.
    """
    paths = sorted(folder.glob("*/images/*.png"))
    images, instances = [], []
    for path in paths:
        image = _grey(path)
        if image.shape != (side, side):
            continue
        labels = np.zeros((side, side), np.uint8)
        for number, mask in enumerate(sorted(path.parents[1].glob("masks/*.png")), start=1):
            labels[_grey(mask) > 0] = number
        images.append(image)
        instances.append(labels)
    if not images:
        raise FileNotFoundError(
            f"no image of {side} x {side} pixels at {folder}/*/images/*.png: is that stage1_train?"
        )
    replace_file(
        target,
        lambda partial: np.savez_compressed(
            partial, images=np.stack(images), instances=np.stack(instances)
        ),
    )


def _grey(path: Path) -> NDArray[np.uint8]:
    """A png file, of one channel or of equal ones, as bytes."""
    pixels = np.rint(255 * imread(path)).astype(np.uint8)
    if pixels.ndim == 3:
        if (pixels[..., :3] != pixels[..., :1]).any():
            raise ValueError(f"{path} is not grey.")
        pixels = pixels[..., 0]
    return pixels


if __name__ == "__main__":
    if len(sys.argv) == 3:
        merge(Path(sys.argv[1]), Path(sys.argv[2]))
    elif len(sys.argv) == 2:
        pack(Path(sys.argv[1]))
    else:
        sys.exit("usage: python -m experiments.data.pack_nuclei [STAGE1_TRAIN] FULL_SET.npz")
