"""The state of a run on disk: saved in the background, whole or not at all (orbax)."""

import hashlib
import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp
import tensorstore
from jax.experimental import multihost_utils

_KEPT = 2
_DIGEST = "sha256"  # the leaf that holds the SHA-256 of all others

# What goes wrong in the background is raised here, and need not be printed there as well.
for _name in ("absl", "asyncio"):
    logging.getLogger(_name).addFilter(lambda record: not record.exc_info)


class Checkpoints:
    """The checkpoints of one run, the newest two of them.

    The state may be any pytree of arrays. Its leaves are stored under their paths, so that a
    checkpoint can be read without the code that made it, and are put back into the structure of
    the state that is to be replaced. One more leaf holds their SHA-256: a checkpoint that a disk
    has damaged is not taken for a whole one.
    """

    def __init__(self, folder: Path, say: Callable[[str], object] = print):
        """Open, or create, the checkpoints in `folder`.

        Args:
          folder: of the checkpoints alone; one process at a time may use it.
          say: told what a person should know and a program need not.
        """
        self.folder, self.say = folder.absolute(), say
        self._open()

    def _open(self) -> None:
        options = ocp.CheckpointManagerOptions(
            max_to_keep=_KEPT,
            lightweight_initialize=True,  # no warning about one that it had begun to delete
        )
        handler = ocp.StandardCheckpointHandler()  # known beforehand, so that metadata can be read
        self.manager = ocp.CheckpointManager(self.folder, options=options, item_handlers=handler)

    def save(self, step: int, state: Any) -> None:
        """Begin to save the state as that after `step` steps, unless it was saved before.

        Raises:
          OSError: this checkpoint, or the one before, could not be written.
          jax.errors.JaxRuntimeError: another process was lost.
        """
        if step == self.manager.latest_step():
            return
        leaves = _by_path(state)
        leaves[_DIGEST] = _digest(leaves)
        try:
            self.manager.save(step, args=ocp.args.StandardSave(leaves))
        except Exception as error:  # of orbax, tensorstore or the system
            raise self._unwritten(error) from error

    def restore(self, state: Any) -> tuple[int, Any]:
        """The newest whole checkpoint as (step, state), in the structure of `state`.

        Damaged ones that are newer are moved to a folder beside, and `say` is told. Without any
        checkpoint, (0, state).

        Raises:
          ValueError: the stored state has other leaves, types or shapes; or no checkpoint is whole.
        """
        wanted = _by_path(jax.tree.map(ocp.tree.to_shape_dtype_struct, state))
        steps = sorted(self.manager.all_steps(), reverse=True)
        damaged: dict[int, Exception] = {}
        for step in steps:
            try:
                leaves = self._read(step, wanted)
            except _AnotherModel:
                raise
            except Exception as error:  # a damaged file can be anything
                damaged[step] = error
                continue
            self._set_aside(damaged, step)
            return step, jax.tree.unflatten(jax.tree.structure(state), [leaves[p] for p in wanted])
        if damaged:
            why = "; ".join(f"step {step}: {_line(error)}" for step, error in damaged.items())
            raise ValueError(
                f"No checkpoint in {self.folder} can be read ({why}). Use another name for this "
                f"run, or move that folder away: the run then begins anew."
            )
        return 0, state

    def _read(self, step: int, wanted: dict[str, Any]) -> dict[str, Any]:
        _read_one_by_one(self.folder / str(step) / "default")
        stored = self.manager.item_metadata(step)
        if stored is None:
            raise ValueError("its table of contents is missing")
        found = {path: _kind(leaf) for path, leaf in stored.items() if path != _DIGEST}
        expected = {path: _kind(leaf) for path, leaf in wanted.items()}
        if found != expected:
            path = min(p for p in found | expected if found.get(p) != expected.get(p))
            raise _AnotherModel(
                f"The checkpoint of step {step} in {self.folder} is of another model: {path} is "
                f"{found.get(path, 'absent')} there and {expected.get(path, 'absent')} here. Use "
                f"another name for this run, or move that folder away."
            )
        shapes = {**wanted, _DIGEST: jax.ShapeDtypeStruct((32,), np.uint8)}
        leaves = self.manager.restore(step, args=ocp.args.StandardRestore(shapes))
        if not np.array_equal(leaves.pop(_DIGEST), _digest(leaves)):
            raise ValueError("its numbers are not those that were saved")
        return leaves

    def _set_aside(self, damaged: dict[int, Exception], whole: int) -> None:
        if not damaged:
            return
        aside = self.folder.with_name(f"{self.folder.name}_damaged")
        self.manager.close()
        for step, error in damaged.items():
            if jax.process_index() == 0:
                aside.mkdir(exist_ok=True)
                count = sum(1 for _ in aside.glob(f"{step}.*"))
                (self.folder / str(step)).rename(aside / f"{step}.{count}")
            self.say(
                f"The checkpoint of step {step} is damaged ({_line(error)}). It was moved to "
                f"{aside}, and the run goes on from step {whole}."
            )
        multihost_utils.sync_global_devices("damaged checkpoints were moved")
        self._open()

    def close(self) -> None:
        """Wait for what is being written.

        Raises:
          OSError: it could not be written.
          jax.errors.JaxRuntimeError: another process was lost.
        """
        try:
            self.manager.close()
        except Exception as error:  # of orbax, tensorstore or the system
            raise self._unwritten(error) from error

    def _unwritten(self, error: Exception) -> Exception:
        if jax.process_count() > 1 and "Gloo" in str(error):  # all meet before one writes
            return jax.errors.JaxRuntimeError(str(error))
        whole = [int(path.name) for path in self.folder.glob("*") if path.name.isdigit()]
        safe = f"That of step {max(whole)} is safe there" if whole else "There is none yet"
        return OSError(
            f"A checkpoint could not be written to {self.folder}: {_line(error)}. {safe}; once "
            f"this is mended, the same command goes on."
        )


def room(state: Any) -> int:
    """Bytes that the checkpoints of `state` take at most: those kept, and the one being written."""
    return (_KEPT + 1) * sum(leaf.nbytes for leaf in jax.tree.leaves(state))


class _AnotherModel(ValueError):
    """Told apart from damage, of which a ValueError can be the sign, too."""


def _read_one_by_one(folder: Path) -> None:
    """Raise what tensorstore raises if an array in `folder` cannot be read.

    Orbax reads all of them at once, and when one fails, lets go of the others in mid-air: they
    come back to a loop that is closed, and Python tells of it at any later time.
    """
    store = {"driver": "ocdbt", "base": {"driver": "file", "path": f"{folder}/"}}
    for key in tensorstore.KvStore.open(store).result().list().result():
        path, _, name = key.decode().rpartition("/")
        if name == ".zarray":
            array = {"driver": "zarr", "kvstore": {**store, "path": f"{path}/"}}
            tensorstore.open(array, read=True).result().read().result()


def _by_path(state: Any) -> dict[str, Any]:
    leaves, _ = jax.tree_util.tree_flatten_with_path(state)
    return {jax.tree_util.keystr(path): leaf for path, leaf in leaves}


def _kind(leaf: Any) -> str:
    """Type and shape, as in float32[3,4]."""
    return f"{np.dtype(leaf.dtype)}{list(leaf.shape)}".replace(" ", "")


def _digest(leaves: dict[str, Any]) -> np.ndarray:
    """SHA-256 of the leaves' bytes, as uint8 `[32]`."""
    digest = hashlib.sha256()
    for path in sorted(leaves):
        leaf = leaves[path]
        if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
            leaf = jax.random.key_data(leaf)
        digest.update(np.asarray(leaf).tobytes())
    return np.frombuffer(digest.digest(), np.uint8)


def _line(error: Exception) -> str:
    """The first line of what an error says, or its kind; of a long one, both ends."""
    text = next(iter(str(error).splitlines()), "")
    text = re.split(r" \[tensorstore_spec|\. See full", text)[0].rstrip(".") or type(error).__name__
    return text if len(text) <= 300 else f"{text[:100]} … {text[-200:]}"
