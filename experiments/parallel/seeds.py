"""Several seeds in one step: the same program for all, by `vmap`, on states side by side."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from ..training.step import Program, State, compiled


def side_by_side(programs: Sequence[Program]) -> Program:
    """The program of several runs that differ in their seeds alone.

    Its state, key, chosen indices, and images that come in batches, have an axis of seeds in front;
    entry s is what the program s alone would have.

    Args:
      programs: one for each seed.
    """
    first = programs[0]

    def start() -> State:
        return jax.tree.map(lambda *leaves: jnp.stack(leaves), *(p.start() for p in programs))

    def update(key: Any, state: State, images: Any, labels: Any, chosen: Any) -> State:
        if len(key) == 1:  # alone on its device: its convolutions need no axis of seeds
            alone = jax.tree.map(lambda a: a[0], (key, state))
            if chosen is None:
                images, labels = images[0], labels[0]
            after = first.update(*alone, images, labels, None if chosen is None else chosen[0])
            return jax.tree.map(lambda a: a[None], after)
        batches, choice = (0, None) if chosen is None else (None, 0)
        axes = (0, 0, batches, batches, choice)
        return jax.vmap(first.update, axes)(key, state, images, labels, chosen)

    keys = jnp.stack([program.key for program in programs])
    return Program(first.graph, keys, start, update, compiled(update, keys), first.logits)


def apart(state: State, seeds: int) -> list[State]:
    """The state of each run."""
    if seeds == 1:
        return [state]
    return [jax.tree.map(lambda a, s=s: a[s], state) for s in range(seeds)]
