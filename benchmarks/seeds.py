"""Several seeds in one step against as many steps, one after the other.

    python -m benchmarks.seeds
    python -m benchmarks.seeds --seeds 8 --json seeds.json

Both train the same networks on the same images, and come to the same numbers. They are interleaved,
so that whatever else the machine does hits both alike; medians are given, and the quartiles of the
ratio: above 1, all at once is faster.
"""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import tyro
from flax import nnx

from experiments.config import Config
from experiments.durable.records import provenance, write_json
from experiments.parallel.seeds import side_by_side
from experiments.training.step import Program, build
from gcnn import groups, models

from .interleaved import interleaved


@dataclasses.dataclass(frozen=True)
class Options:
    """What to measure.

    Attributes:
      seeds: how many networks.
      repetitions: of each.
      cases: which of the networks.
      json: where to write the figures, if anywhere.
    """

    seeds: int = 5
    repetitions: int = 15
    cases: tuple[str, ...] = ("perceptron", "small P4CNN", "P4CNN")
    json: Path | None = None


class Perceptron(nnx.Module):
    """Matrix products alone, and next to nothing to compute."""

    def __init__(self, rngs: nnx.Rngs):
        """784 - 16 - 10."""
        self.hidden, self.top = nnx.Linear(784, 16, rngs=rngs), nnx.Linear(16, 10, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        """The logits `[b, 10]` of images `[b, 28, 28, 1]`."""
        return self.top(nnx.relu(self.hidden(x.reshape(len(x), -1))))


# Each network, with the images per step.
CASES: dict[str, tuple[Callable[[nnx.Rngs], nnx.Module], int]] = {
    "perceptron": (lambda rngs: Perceptron(rngs), 32),
    "small P4CNN": (lambda rngs: models.P4CNN(channels=2, rngs=rngs), 4),
    "P4CNN": (lambda rngs: models.P4CNN(rngs=rngs), 128),
}


def measure(case: str, options: Options) -> dict[str, Any]:
    """Milliseconds of as many steps as there are seeds, apart and in one, and their ratio."""
    model, batch = CASES[case]
    config = Config(case, model, groups.p4(), batch_size=batch, seeds=options.seeds)
    programs = [build(run, 1000, 33.0, 78.0) for run in config.each_seed()]
    rng = np.random.default_rng(0)
    images = jnp.asarray(rng.integers(0, 256, (1024, 28, 28), np.uint8))
    labels = jnp.asarray(rng.integers(0, 10, 1024, np.int32))
    chosen = rng.integers(0, 1024, (options.seeds, batch), np.int32)

    def stepping(program: Program, indices: np.ndarray) -> Callable[[], None]:
        state = [program.start()]

        def run() -> None:
            state[0] = program.step(state[0], images, labels, indices)
            jax.block_until_ready(state[0])

        return run

    each = [stepping(p, c) for p, c in zip(programs, chosen, strict=True)]
    at_once = stepping(side_by_side(programs), chosen)
    runs = {"apart": lambda: [run() for run in each], "at_once": at_once}
    times = interleaved(runs, options.repetitions)  # the first two calls compile and warm up
    ratio = times.ratio("apart", "at_once")
    return {
        "case": case,
        "batch": batch,
        "seeds": options.seeds,
        "apart_ms": times.milliseconds("apart").median,
        "at_once_ms": times.milliseconds("at_once").median,
        "ratio": ratio.median,
        "ratio_quartiles": [ratio.low, ratio.high],
        "repetitions": options.repetitions,
    }


def main() -> None:
    """Measure and print."""
    options = tyro.cli(Options, description=__doc__)
    found = []
    for case in options.cases:
        found.append(measure(case, options))
        f = found[-1]
        print(
            f"{case}, batch {f['batch']}: {f['seeds']} steps {f['apart_ms']:.1f} ms, all at once "
            f"{f['at_once_ms']:.1f} ms; ratio {f['ratio']:.2f}, quartiles "
            f"{f['ratio_quartiles'][0]:.2f} to {f['ratio_quartiles'][1]:.2f}",
            flush=True,
        )
    print(f"on {jax.devices()[0].device_kind}")
    if options.json:
        write_json(options.json, {"cases": found, **provenance("benchmarks.seeds")})


if __name__ == "__main__":
    main()
