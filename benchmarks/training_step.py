"""The training step of P4CNN against that of a plain CNN of the same width.

    python -m benchmarks.training_step
    python -m benchmarks.training_step --repetitions 40 --json step.json

The plain CNN is the same network of the trivial group with 4 x 10 = 40 channels: the same
convolutions, but for the bank. Steps of both are interleaved, so that whatever else the machine
does hits both alike; medians are given, and the spread of the ratio of neighbouring steps.
"""

import dataclasses
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import tyro
from flax import nnx

from experiments.durable.records import provenance, write_json
from gcnn import groups, models


@dataclasses.dataclass(frozen=True)
class Options:
    """What to measure.

    Attributes:
      repetitions: pairs of steps.
      batch: images per step.
      json: where to write the figures, if anywhere.
    """

    repetitions: int = 30
    batch: int = 128
    json: Path | None = None


def make_step(model: nnx.Module, batch: int) -> Callable[[], None]:
    """One training step on fixed random data, run to its end; the first call compiles it."""
    graph, *states = nnx.split(model, nnx.Param, ...)
    params, rest = map(nnx.as_pure, states)
    optimizer = optax.adam(1e-3)
    rng = np.random.default_rng(0)
    x = jnp.asarray(rng.standard_normal((batch, 28, 28, 1)), jnp.float32)
    y = jnp.asarray(rng.integers(0, 10, batch))

    def step(params, rest, opt_state):
        def loss_and_rest(params):
            model = nnx.merge(graph, params, rest)
            loss = optax.softmax_cross_entropy_with_integer_labels(model(x), y).mean()
            return loss, nnx.as_pure(nnx.state(model, nnx.Not(nnx.Param)))

        grads, rest_out = jax.grad(loss_and_rest, has_aux=True)(params)
        updates, opt_state = optimizer.update(grads, opt_state, params)
        return optax.apply_updates(params, updates), rest_out, opt_state

    step = jax.jit(step, donate_argnums=(0, 1, 2))
    state: list[Any] = [params, rest, optimizer.init(params)]

    def run() -> None:
        state[:] = jax.block_until_ready(step(*state))

    return run


def measure(options: Options) -> dict[str, Any]:
    """Milliseconds per step of both networks, and their ratio."""
    steps = {
        "p4cnn": make_step(models.P4CNN(groups.p4(), rngs=nnx.Rngs(0)), options.batch),
        "plain": make_step(models.P4CNN(groups.p1(), channels=40, rngs=nnx.Rngs(0)), options.batch),
    }
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for repetition in range(options.repetitions + 3):  # the first three warm up
        order = list(steps) if repetition % 2 else list(reversed(steps))
        for name in order:
            started = time.perf_counter()
            steps[name]()
            if repetition >= 3:
                seconds[name].append(time.perf_counter() - started)
    ratios = [a / b for a, b in zip(seconds["p4cnn"], seconds["plain"], strict=True)]
    quartiles = statistics.quantiles(ratios, n=4)
    return {
        "p4cnn_ms": 1e3 * statistics.median(seconds["p4cnn"]),
        "plain_ms": 1e3 * statistics.median(seconds["plain"]),
        "ratio": statistics.median(ratios),
        "ratio_quartiles": [quartiles[0], quartiles[2]],
        "repetitions": options.repetitions,
        "batch": options.batch,
    }


def main() -> None:
    """Measure and print."""
    options = tyro.cli(Options, description=__doc__)
    found = measure(options)
    print(
        f"P4CNN {found['p4cnn_ms']:.1f} ms, plain CNN of 40 channels {found['plain_ms']:.1f} ms "
        f"(medians of {options.repetitions} interleaved steps, batch {options.batch})\n"
        f"ratio {found['ratio']:.3f}, quartiles {found['ratio_quartiles'][0]:.3f} to "
        f"{found['ratio_quartiles'][1]:.3f}, on {jax.devices()[0].device_kind}"
    )
    if options.json:
        write_json(options.json, {**found, **provenance("benchmarks.training_step")})


if __name__ == "__main__":
    main()
