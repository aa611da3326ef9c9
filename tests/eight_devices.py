"""Trains the tiny network on one of eight devices and on all, and prints what differs, as JSON."""

import dataclasses
import json
import re
from typing import Any
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np

from experiments.config import Config
from experiments.parallel.batches import Order, batches
from experiments.parallel.devices import Devices
from experiments.parallel.seeds import apart, side_by_side
from experiments.training.step import build

from .tiny_run import CONFIG, made

STEPS = 5
# SGD: Adam divides by gradients that are zero but for rounding, those of biases before BatchNorm.
SGD = dataclasses.replace(CONFIG, batch_size=16, optimizer="sgd", learning_rate=0.05)


def trained(config: Config, devices: int) -> tuple[list[list[np.ndarray]], str]:
    """The states of all seeds after some steps, and the compiled program of a step."""
    data = made()["train"]
    with mock.patch.object(jax, "device_count", lambda: devices):
        placed = Devices(config.batch_size, config.seeds, config.accumulate)
    runs = config.each_seed()
    programs = [build(run, 50, 127.0, 74.0) for run in runs]
    program = programs[0] if len(runs) == 1 else side_by_side(programs)
    state, step = placed.state(program.start()), placed.step(program)
    order = Order([run.seed for run in runs], len(data.labels), config.batch_size)
    feed = batches(config, data.images, data.labels, order, placed, range(STEPS))
    first = next(feed)
    text = step.lower(state, *first).compile().as_text()
    for batch in (first, *feed):
        state = step(state, *batch)
    return [numbers(part) for part in apart(placed.local(state), len(runs))], text


def numbers(state: Any) -> list[np.ndarray]:
    return [np.asarray(leaf) for leaf in jax.tree.leaves(state)
            if jnp.issubdtype(leaf.dtype, jnp.floating)]  # fmt: skip


def distance(a: list[np.ndarray], b: list[np.ndarray]) -> float:
    """The largest difference between two states, in any number of theirs."""
    return max(float(np.abs(np.asarray(x, float) - y).max()) for x, y in zip(a, b, strict=True))


def sums(text: str) -> dict[str, int]:
    """How often the devices speak to each other in a step."""
    kinds = ("all-reduce", "all-gather", "all-to-all", "collective-permute")
    return {kind: len(re.findall(rf"\b{kind}(?:-start)?\(", text)) for kind in kinds}


def main() -> None:
    [one], _ = trained(SGD, 1)
    [other], _ = trained(dataclasses.replace(SGD, seed=1), 1)
    [eight], text = trained(SGD, 8)
    [by_grain], _ = trained(dataclasses.replace(SGD, pipeline="grain"), 8)
    # eight micro-batches of two have the statistics that eight devices on their own would have
    [on_their_own], _ = trained(dataclasses.replace(SGD, accumulate=8), 1)
    seeds, apart_text = trained(dataclasses.replace(SGD, seeds=8), 8)
    both, _ = trained(dataclasses.replace(SGD, seeds=2), 8)
    found = {
        "eight devices": distance(one, eight),
        "grain and device": distance(eight, by_grain),
        "another seed": distance(one, other),
        "statistics of each device": distance(one, on_their_own),
        "seeds apart": max(distance(one, seeds[0]), distance(other, seeds[1])),
        "seeds side by side": max(distance(one, both[0]), distance(other, both[1])),
        "sums": sums(text),
        "sums of seeds apart": sums(apart_text),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
