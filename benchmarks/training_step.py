"""The training step of P4CNN against that of a plain CNN of the same width.

    python -m benchmarks.training_step
    python -m benchmarks.training_step --repetitions 40 --json step.json

The plain CNN is the same network of the trivial group with 4 x 10 = 40 channels: the same
convolutions, but for the bank. Steps of both are interleaved, so that whatever else the machine
does hits both alike; medians are given, and the spread of the ratio of neighbouring steps.
"""

import dataclasses
from collections.abc import Callable, Sequence
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

from .interleaved import interleaved


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


def program(model: nnx.Module, batch: int) -> tuple[Any, tuple[Any, ...]]:
    """One training step on fixed random data: from a state to the next, and the first state."""
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

    return jax.jit(step, donate_argnums=(0, 1, 2)), (params, rest, optimizer.init(params))


def stepping(step: Callable[..., Any], state: Sequence[Any]) -> Callable[[], None]:
    """Each call takes the next step and waits for its end."""
    held = list(state)

    def run() -> None:
        held[:] = jax.block_until_ready(step(*held))

    return run


def make_step(model: nnx.Module, batch: int) -> Callable[[], None]:
    """One training step on fixed random data, run to its end; the first call compiles it."""
    return stepping(*program(model, batch))


def measure(options: Options) -> dict[str, Any]:
    """Milliseconds per step of both networks, and their ratio."""
    steps = {
        "p4cnn": make_step(models.P4CNN(groups.p4(), rngs=nnx.Rngs(0)), options.batch),
        "plain": make_step(models.P4CNN(groups.p1(), channels=40, rngs=nnx.Rngs(0)), options.batch),
    }
    times = interleaved(steps, options.repetitions, warm_up=3)
    ratio = times.ratio("p4cnn", "plain")
    return {
        "p4cnn_ms": times.milliseconds("p4cnn").median,
        "plain_ms": times.milliseconds("plain").median,
        "ratio": ratio.median,
        "ratio_quartiles": [ratio.low, ratio.high],
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
