"""A training step with the experiments' options for XLA against one with its defaults.

    python -m benchmarks.compiler
    python -m benchmarks.compiler --page p4cnn_rp

Both are the same program of the same page of experiments/configs, compiled twice; steps of the two
are interleaved, so that whatever else the machine does hits both alike.
"""

import dataclasses

import jax
import numpy as np
import tyro

from experiments.configs import pages
from experiments.training import compiler
from experiments.training.step import build

from .interleaved import interleaved


@dataclasses.dataclass(frozen=True)
class Options:
    """What to measure.

    Attributes:
      page: of experiments/configs.
      repetitions: pairs of steps.
    """

    page: str = "p4cnn"
    repetitions: int = 15


def measure(options: Options) -> dict[str, float]:
    """Median milliseconds of a step with the options and without."""
    config = pages()[options.page][1]
    rng = np.random.default_rng(0)
    program = build(config, 1000, 33.0, 78.0)
    images = rng.integers(0, 256, (1000, 28, 28), np.uint8)
    labels = rng.integers(0, 10, 1000).astype(np.int32)

    def plain(state, *batch):
        return program.update(program.key, state, *batch)

    steps = {
        "options": jax.jit(plain, donate_argnums=0, compiler_options=compiler.options()),
        "defaults": jax.jit(plain, donate_argnums=0),
    }
    chosen = rng.integers(0, 1000, config.batch_size)

    def stepping(step):
        state = [program.start()]

        def run() -> None:
            state[0] = jax.block_until_ready(step(state[0], images, labels, chosen))

        return run

    times = interleaved({k: stepping(step) for k, step in steps.items()}, options.repetitions)
    return {name: times.milliseconds(name).median for name in steps}


def main() -> None:
    """Measure and print."""
    options = tyro.cli(Options, description=__doc__)
    found = measure(options)
    print(
        f"{options.page}: {found['options']:.0f} ms a step with the options, "
        f"{found['defaults']:.0f} ms without: ratio {found['options'] / found['defaults']:.2f}"
    )


if __name__ == "__main__":
    main()
