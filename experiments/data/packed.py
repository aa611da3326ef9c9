"""Bytes that travel with the project as an xz file, checked by SHA-256 when they are read."""

import hashlib
import lzma
from pathlib import Path


def read(path: Path, what: str, file_sha256: str, content_sha256: str, packer: str) -> bytes:
    """The content of an xz file.

    The content decides, not the file: another liblzma may pack the same bytes differently.

    Args:
        path: the file.
        what: it holds, as in "MNIST".
        file_sha256: of the file that travels.
        content_sha256: of what it holds.
        packer: the module of this folder that makes it anew, and its arguments.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is no complete xz stream, or its content is another.
    """
    remedy = (
        f"Restore it with `git checkout -- {path.name}` in {path.parent}, or make it anew with "
        f"`python -m experiments.data.{packer}`."
    )
    if not path.is_file():
        raise FileNotFoundError(f"{what} is not at {path} (SHA-256 {file_sha256}). {remedy}")
    packed = path.read_bytes()
    try:
        content = lzma.decompress(packed)
    except lzma.LZMAError as error:
        raise ValueError(
            f"{path} is corrupt or truncated ({error}): expected SHA-256 {file_sha256}, "
            f"found {hashlib.sha256(packed).hexdigest()}. {remedy}"
        ) from error
    found = hashlib.sha256(content).hexdigest()
    if found != content_sha256:
        raise ValueError(
            f"the content of {path} is not {what}: expected SHA-256 {content_sha256} after "
            f"decompression, found {found}. {remedy}"
        )
    return content
