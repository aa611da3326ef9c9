"""Makes `mnist.xz` from the idx files of MNIST: python -m experiments.data.pack_mnist FOLDER."""

import gzip
import hashlib
import lzma
import os
import sys
import tempfile
from pathlib import Path

from . import mnist

# Header bytes to skip: magic number and sizes, 4 bytes each.
IMAGE_HEADER, LABEL_HEADER = 16, 8
PARTS = (
    ("train-images-idx3-ubyte", IMAGE_HEADER),
    ("t10k-images-idx3-ubyte", IMAGE_HEADER),
    ("train-labels-idx1-ubyte", LABEL_HEADER),
    ("t10k-labels-idx1-ubyte", LABEL_HEADER),
)

# A pixel is one byte without alignment: no position bits, all the context to literals.
FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "lc": 4, "lp": 0, "pb": 0}]


def pack(
    folder: Path, target: Path = mnist.PATH, content_sha256: str = mnist.CONTENT_SHA256
) -> None:
    """Writes the xz file of the bytes train images | test images | train labels | test labels.

    The four idx files may be plain or end in `.gz`. The target appears whole or not at all.

    Raises:
        FileNotFoundError: one of the idx files is missing.
        ValueError: the bytes are not those of MNIST.
    """
    content = b"".join(_read(folder, name)[header:] for name, header in PARTS)
    found = hashlib.sha256(content).hexdigest()
    if found != content_sha256:
        raise ValueError(
            f"the idx files in {folder} are not those of MNIST: expected SHA-256 {content_sha256} "
            f"of pixels and labels together, found {found}; fetch the files again"
        )
    packed = lzma.compress(content, check=lzma.CHECK_CRC64, filters=FILTERS)
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(packed)
        os.chmod(temporary, 0o644)  # mkstemp gives 0600
        os.replace(temporary, target)
    except BaseException:
        os.unlink(temporary)
        raise


def _read(folder: Path, name: str) -> bytes:
    """The bytes of `folder/name`, or of `folder/name.gz` unpacked."""
    plain, zipped = folder / name, folder / f"{name}.gz"
    if plain.is_file():
        return plain.read_bytes()
    if zipped.is_file():
        return gzip.decompress(zipped.read_bytes())
    raise FileNotFoundError(f"neither {name} nor {name}.gz lies in {folder}")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m experiments.data.pack_mnist FOLDER_OF_THE_IDX_FILES")
    pack(Path(sys.argv[1]))
