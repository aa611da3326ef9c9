"""What a run leaves behind: files that are whole or absent, and say where they come from."""

import fcntl
import hashlib
import importlib.metadata
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import jax
import numpy as np

_PACKAGES = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy", "gcnn")


def replace_file(path: Path, write: Callable[[Path], Any]) -> None:
    """Let `write` make a file beside `path`, then rename it: nobody sees half a file.

    Raises:
      OSError: it cannot be written, naming the path.
    """
    partial = path.with_name(f".{path.stem}.partial{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(partial)
        with partial.open("rb") as file:
            os.fsync(file.fileno())  # the rename may outlive a power failure: so must the content
        os.replace(partial, path)
    except OSError as error:
        raise unwritten(path, error) from error
    finally:
        with suppress(OSError):
            partial.unlink()


def unwritten(path: Path, error: OSError) -> OSError:
    """What to tell a person whose disk is full."""
    return OSError(
        f"{path} could not be written: {error.strerror or error}. What was saved before is safe, "
        f"and once this is mended, the same command goes on from it."
    )


def write_json(path: Path, value: Any) -> None:
    """Write `value` as JSON."""
    replace_file(path, lambda p: p.write_text(json.dumps(value, indent=2) + "\n"))


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Make `folder`, and keep the other processes of this machine out of it.

    The lock is the kernel's, on the file .lock, and ends with the process, however that ends.
    Processes on other machines do not see it.

    Raises:
      OSError: the folder cannot be made or written.
      ValueError: another process is at work there.
    """
    lock = folder / ".lock"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT)
    except OSError as error:
        raise OSError(
            f"{folder} cannot be written ({error.filename}: {error.strerror}). Choose another "
            f"folder for runs with --out, or another name for this one with --name."
        ) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ValueError(
                f"Process {lock.read_text()} is at work in {folder}. Wait for its end, or give "
                f"this run another name with --name."
            ) from None
        os.ftruncate(descriptor, 0)
        with suppress(OSError):  # on a full disk nobody needs to know who has the lock
            os.write(descriptor, str(os.getpid()).encode())
        yield
    finally:
        os.close(descriptor)


def claim_folder(
    folder: Path,
    identity: dict[str, Any],
    *,
    program: str | None = None,
    room: int = 0,
    say: Callable[[str], object] = print,
) -> None:
    """Make `folder` the run's own, or find that it is; nothing is written if it is not.

    Args:
      folder: of the run.
      identity: what decides the numbers of the run.
      program: SHA-256 of the traced step (`experiments.durable.identity`), which decides them, too.
      room: bytes that the run may take on disk.
      say: told that the run goes on under other versions, if it does.

    Raises:
      ValueError: another run lies there, or another program trained it, naming what differs.
      OSError: there is no room, or the folder cannot be written.
    """
    path = folder / "config.json"
    identity = json.loads(json.dumps(identity))
    stage = {"program_sha256": program, **_versions()}
    stages: list[dict[str, Any]] = []
    if path.exists():
        found = _parse(path.read_text())
        if found is None:
            raise ValueError(f"{path} is damaged. Move that folder away, or use another --name.")
        stages = found.pop("made_with", [])
        if found != identity:
            keys = sorted(k for k in found | identity if found.get(k) != identity.get(k))
            was = ", ".join(f"{k} = {found.get(k)!r} (now {identity.get(k)!r})" for k in keys)
            raise ValueError(
                f"{folder} holds a run with {was}. Give this one another name with --name, or move "
                f"that folder away."
            )
    if stages:
        _compare(folder, stages[-1], stage, say)
    if room:
        _require_room(folder, room)
    if stages[-1:] != [stage]:
        write_json(path, {**identity, "made_with": [*stages, stage]})


def stages(folder: Path) -> list[dict[str, Any]]:
    """What a run was made with, from stage to stage: versions, device, and SHA-256 of its step."""
    return json.loads((folder / "config.json").read_text())["made_with"]


def _compare(
    folder: Path, was: dict[str, Any], now: dict[str, Any], say: Callable[[str], object]
) -> None:
    """Say which versions changed; refuse another program, if none did."""
    keys = [k for k in now if k != "program_sha256" and was.get(k) != now[k]]
    same = was["program_sha256"] == now["program_sha256"]
    if keys:
        changed = ", ".join(f"{k} {now[k]} (was {was.get(k)})" for k in keys)
        say(
            f"{folder} goes on under {changed}: the numbers may differ in the last bits from here "
            f"on." + ("" if same else " Whether the model is still the same cannot be told.")
        )
    elif not same:
        raise ValueError(
            f"{folder} holds a run of another program, though its config and all shapes are the "
            f"same: the code of the model or of the step has changed since, say an activation or a "
            f"rate of dropout. Give this one another name with --name, or move that folder away."
        )


def _require_room(folder: Path, room: int) -> None:
    """What lies in the folder is counted, since new checkpoints take the place of old ones."""
    held = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    free = shutil.disk_usage(there).free
    if free + held < room:
        raise OSError(
            f"The disk of {folder} has {free / 1e6:.1f} MB free, and the checkpoints need "
            f"{(room - held) / 1e6:.1f} MB. Free some, or choose another folder with --out."
        )


class Metrics:
    """A JSON line for each measurement, in the order of steps."""

    def __init__(self, path: Path, step: int):
        """Open the file and forget what lies behind `step`, where the run goes on from."""
        self.rows = [row for row in self.read(path) if row["step"] <= step]
        text = "".join(json.dumps(row) + "\n" for row in self.rows)
        replace_file(path, lambda p: p.write_text(text))
        self.path = path

    @staticmethod
    def read(path: Path) -> list[dict[str, Any]]:
        """The whole lines of a file, which need not be there."""
        lines = path.read_text().splitlines() if path.exists() else []
        return [row for row in map(_parse, lines) if row]

    def append(self, **row: Any) -> None:
        """Write one line.

        Raises:
          OSError: it cannot be written.
        """
        self.rows.append(row)
        try:
            with self.path.open("a") as file:
                file.write(json.dumps(row) + "\n")
        except OSError as error:
            raise unwritten(self.path, error) from error


def _parse(line: str) -> dict[str, Any] | None:
    """What was written, or None if only a part of it was."""
    try:
        return json.loads(line)
    except json.JSONDecodeError:
        return None


def provenance(program: str = "experiments.train") -> dict[str, Any]:
    """Where a number comes from: command, commit, versions and device.

    Args:
      program: the module that was started with `python -m`.
    """
    versions = _versions()
    return {
        "command": " ".join(["python", "-m", program, *sys.argv[1:]]),
        "commit": _git("rev-parse", "HEAD"),
        "uncommitted_changes": bool(_git("status", "--porcelain", "--untracked-files=no")),
        "versions": {k: v for k, v in versions.items() if k not in ("device", "devices")},
        "device": versions["device"],
        "devices": int(versions["devices"]),
        "cores": len(os.sched_getaffinity(0)),  # that this process may use
    }


def _versions() -> dict[str, str]:
    """What the last bits of a number may depend on."""
    device = jax.devices()[0]
    return {
        "python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in _PACKAGES},
        "device": f"{device.platform}: {device.device_kind}",
        "devices": str(jax.device_count()),
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
