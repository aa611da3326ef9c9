"""Memory for time: activations that the backward pass computes again, block by block."""

from collections.abc import Callable, Iterator
from typing import Any

import jax
from flax import nnx

_KEPT = jax.checkpoint_policies.dots_saveable  # what convolutions and matrix products give


def recomputed(model: nnx.Module, x: jax.Array) -> jax.Array:
    """model(x), with little kept for its gradient, and the same gradient.

    Blocks are the entries of the model's outermost lists (`nnx.List`, `nnx.Sequential`). Of each,
    its input is kept and what its convolutions give; what norms, activations and padding make of
    these is computed again when the backward pass comes to the block, and not kept till then.

    Args:
      model: its state is updated as by a call.
      x: its input.

    Raises:
      ValueError: the model has no list of blocks.
    """
    lists = list(_outermost_lists(model))
    if not lists:
        raise ValueError(
            f"remat computes again the blocks of an nnx.List or an nnx.Sequential, and "
            f"{type(model).__name__} has none: put its blocks into one, or use --no-remat."
        )
    for blocks in lists:
        blocks[:] = [_Block(block) if callable(block) else block for block in blocks]
    y = model(x)
    for blocks in lists:
        blocks[:] = [block.inner if isinstance(block, _Block) else block for block in blocks]
    return y


class _Block(nnx.Module):
    """A block that is computed again."""

    def __init__(self, inner: Callable[..., Any]):
        self.inner = nnx.data(inner)

    def __call__(self, *inputs: Any) -> Any:
        return nnx.remat(lambda inner, *x: inner(*x), policy=_KEPT)(self.inner, *inputs)


def _outermost_lists(value: Any) -> Iterator[nnx.List]:
    for child in vars(value).values():
        if isinstance(child, nnx.List):
            yield child
        elif isinstance(child, nnx.Module):
            yield from _outermost_lists(child)
