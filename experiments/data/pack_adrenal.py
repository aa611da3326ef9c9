"""Makes `adrenal.xz`: python -m experiments.data.pack_adrenal ADRENALMNIST3D.npz."""

import hashlib
import lzma
import sys
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from ..durable.records import replace_file
from . import adrenal


def pack(
    path: Path, target: Path = adrenal.PATH, content_sha256: str = adrenal.CONTENT_SHA256
) -> None:
    """Writes the xz file of all voxels as bits, then all labels; it appears whole or not at all.

    Args:
        path: the official `adrenalmnist3d.npz`, of 28 x 28 x 28 voxels.
        target: the file to write.
        content_sha256: the checksum that the content must have.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no such npz, or its content is another.
    """
    try:
        with np.load(path) as arrays:
            voxels = [arrays[f"{split}_images"] > 0 for split in ("train", "val", "test")]
            labels = [arrays[f"{split}_labels"] for split in ("train", "val", "test")]
    except (BadZipFile, ValueError, KeyError, EOFError) as error:
        raise ValueError(
            f"{path} is no npz file with `train_images`, `train_labels` and so on ({error}); "
            "experiments/data/README.md tells where it is."
        ) from error
    content = np.packbits(np.concatenate(voxels)).tobytes()
    content += np.concatenate(labels).astype(np.uint8).tobytes()
    found = hashlib.sha256(content).hexdigest()
    if found != content_sha256:
        raise ValueError(
            f"{path} holds other glands: expected SHA-256 {content_sha256} of voxels and labels, "
            f"found {found}. Is it the version of 28 x 28 x 28 voxels?"
        )
    packed = lzma.compress(content, check=lzma.CHECK_CRC64, preset=9 | lzma.PRESET_EXTREME)
    replace_file(target, lambda partial: partial.write_bytes(packed))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m experiments.data.pack_adrenal ADRENALMNIST3D.npz")
    pack(Path(sys.argv[1]))
