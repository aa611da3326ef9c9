"""What a run leaves behind: files that are whole or absent, and say where they come from."""

import hashlib
import importlib.metadata
import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np

_PACKAGES = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy", "gcnn")


def replace_file(path: Path, write: Callable[[Path], Any]) -> None:
    """Let `write` make a file beside `path`, then rename it: nobody sees half a file.

    Raises:
      OSError: the folder cannot be written, naming the path.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.stem}.partial{path.suffix}")
    try:
        write(partial)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def write_json(path: Path, value: Any) -> None:
    """Write `value` as JSON."""
    replace_file(path, lambda p: p.write_text(json.dumps(value, indent=2) + "\n"))


def claim_folder(folder: Path, identity: dict[str, Any]) -> None:
    """Make `folder` the run's own, or find that it is.

    Args:
      folder: of the run.
      identity: what decides the numbers of the run.

    Raises:
      ValueError: another run lies there, naming what differs.
    """
    path = folder / "config.json"
    identity = json.loads(json.dumps(identity))
    if not path.exists():
        return write_json(path, identity)
    found = json.loads(path.read_text())
    if found != identity:
        keys = sorted(k for k in found | identity if found.get(k) != identity.get(k))
        was = ", ".join(f"{k} = {found.get(k)!r} (now {identity.get(k)!r})" for k in keys)
        raise ValueError(
            f"{folder} holds a run with {was}. Give this one another name with --name, or move "
            f"that folder away."
        )


class Metrics:
    """A JSON line for each measurement, in the order of steps."""

    def __init__(self, path: Path, step: int):
        """Open the file and forget what lies behind `step`, where the run goes on from."""
        lines = path.read_text().splitlines() if path.exists() else []
        self.rows = [row for row in map(_parse, lines) if row and row["step"] <= step]
        text = "".join(json.dumps(row) + "\n" for row in self.rows)
        replace_file(path, lambda p: p.write_text(text))
        self.path = path

    def append(self, **row: Any) -> None:
        """Write one line."""
        self.rows.append(row)
        with self.path.open("a") as file:
            file.write(json.dumps(row) + "\n")


def _parse(line: str) -> dict[str, Any] | None:
    """A row, or None if the run was killed while it wrote it."""
    try:
        return json.loads(line)
    except json.JSONDecodeError:
        return None


def provenance(program: str = "experiments.train") -> dict[str, Any]:
    """Where a number comes from: command, commit, versions and device.

    Args:
      program: the module that was started with `python -m`.
    """
    device = jax.devices()[0]
    return {
        "command": " ".join(["python", "-m", program, *sys.argv[1:]]),
        "commit": _git("rev-parse", "HEAD"),
        "uncommitted_changes": bool(_git("status", "--porcelain", "--untracked-files=no")),
        "versions": {
            "python": platform.python_version(),
            **{name: importlib.metadata.version(name) for name in _PACKAGES},
        },
        "device": f"{device.platform}: {device.device_kind}",
        "cores": os.cpu_count(),
    }


def fingerprint(*arrays: np.ndarray) -> str:
    """SHA-256 of the bytes of the arrays."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array))
    return digest.hexdigest()


def _git(*arguments: str) -> str:
    """What git says, or "" outside a checkout."""
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=Path(__file__).parent, capture_output=True, text=True
        )
    except FileNotFoundError:
        return ""
    return done.stdout.strip()
