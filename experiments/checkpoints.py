"""The state of a run on disk: saved in the background, whole or not at all (orbax)."""

from pathlib import Path
from typing import Any

import jax
import orbax.checkpoint as ocp


class Checkpoints:
    """The checkpoints of one run, the newest two of them.

    The state may be any pytree of arrays. Its leaves are stored under their paths, so that a
    checkpoint can be read without the code that made it, and are put back into the structure of
    the state that is to be replaced.
    """

    def __init__(self, folder: Path):
        """Open, or create, the checkpoints in `folder`."""
        self.folder = folder.absolute()
        options = ocp.CheckpointManagerOptions(max_to_keep=2)
        handler = ocp.StandardCheckpointHandler()  # known beforehand, so that metadata can be read
        self.manager = ocp.CheckpointManager(self.folder, options=options, item_handlers=handler)

    def save(self, step: int, state: Any) -> None:
        """Save the state as that after `step` steps, unless it was saved before."""
        if step != self.manager.latest_step():
            self.manager.save(step, args=ocp.args.StandardSave(_by_path(state)))

    def restore(self, state: Any) -> tuple[int, Any]:
        """The newest checkpoint as (step, state), in the structure of `state`; or (0, state).

        Raises:
          ValueError: the stored state has other leaves or shapes.
        """
        step = self.manager.latest_step()
        if step is None:
            return 0, state
        wanted = _by_path(jax.tree.map(ocp.tree.to_shape_dtype_struct, state))
        stored = self.manager.item_metadata(step)
        found = {path: tuple(leaf.shape) for path, leaf in stored.items()}
        expected = {path: tuple(leaf.shape) for path, leaf in wanted.items()}
        if found != expected:
            path = min(p for p in found | expected if found.get(p) != expected.get(p))
            raise ValueError(
                f"The checkpoint of step {step} in {self.folder} is of another model: {path} has "
                f"shape {found.get(path)} there and {expected.get(path)} here. Use another name "
                f"for this run, or move that folder away."
            )
        leaves = self.manager.restore(step, args=ocp.args.StandardRestore(wanted))
        return step, jax.tree.unflatten(jax.tree.structure(state), [leaves[p] for p in wanted])

    def close(self) -> None:
        """Wait for what is being written."""
        self.manager.close()


def _by_path(state: Any) -> dict[str, Any]:
    leaves, _ = jax.tree_util.tree_flatten_with_path(state)
    return {jax.tree_util.keystr(path): leaf for path, leaf in leaves}
