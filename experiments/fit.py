"""Train one of many small networks that a study compares: Adam on a cosine, resumed if killed.

`train.py` is the loop to read, and the one for long runs; this is the same step in short.
"""

import dataclasses
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from rich.console import Console

from .durable.checkpoints import Checkpoints, room
from .durable.identity import program_sha256
from .durable.records import Metrics, claim_folder, fingerprint
from .training import compiler


@dataclasses.dataclass(frozen=True)
class Schedule:
    """How long and how fast to train.

    Attributes:
      epochs: passes over the data, of floor(n / batch_size) steps each.
      batch_size: samples per step.
      learning_rate: Adam's at the first step; it falls to zero on a cosine.
      seed: of the order of the samples.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot be run."""
        for what in ("epochs", "batch_size", "learning_rate"):
            if getattr(self, what) <= 0:
                raise ValueError(f"{what} must be positive, got {getattr(self, what)}.")


@dataclasses.dataclass(frozen=True)
class Fitted:
    """A trained network.

    Attributes:
      model: the network, in evaluation mode.
      parameters: how many it has.
      seconds: of training, over all the runs that it took.
      rows: one for each epoch: step, loss, seconds.
    """

    model: Any
    parameters: int
    seconds: float
    rows: list[dict[str, Any]]


def fit(
    model: nnx.Module,
    inputs: np.ndarray,
    targets: np.ndarray,
    loss: Callable[[jax.Array, jax.Array], jax.Array],
    schedule: Schedule,
    folder: Path,
    console: Console,
) -> Fitted:
    """Train `model` on all of the data, or take it from `folder` as far as it got there.

    Args:
      model: the network, freshly made; what is trained is a copy.
      inputs: `[n, ...]`, as the network takes them.
      targets: `[n, ...]`.
      loss: of a batch of outputs and targets, a scalar.
      schedule: how long and how fast.
      folder: of this network alone; its checkpoints are saved there after every epoch.
      console: where to say how it goes.

    Raises:
      ValueError: another network, other data or another schedule left its state in `folder`, or
        there are fewer samples than make a batch.
      OSError: what should be saved cannot be written.
    """
    n, batch = len(inputs), schedule.batch_size
    if batch > n:
        raise ValueError(f"batch_size {batch} is more than the {n} training samples.")
    steps_per_epoch = n // batch
    model.train()
    graph, *states = nnx.split(model, nnx.Param, ...)
    params, rest = map(nnx.as_pure, states)
    optimizer = optax.adam(
        optax.cosine_decay_schedule(schedule.learning_rate, schedule.epochs * steps_per_epoch)
    )
    count = sum(p.size for p in jax.tree.leaves(params))

    @jax.jit
    def order(epoch):
        return jax.random.permutation(jax.random.fold_in(jax.random.key(schedule.seed), epoch), n)

    def step(state, data, chosen):
        params, rest, opt_state, total = state
        x, y = (jnp.take(array, chosen, axis=0) for array in data)

        def loss_and_rest(params):
            model = nnx.merge(graph, params, rest)
            return loss(model(x), y), nnx.as_pure(nnx.state(model, nnx.Not(nnx.Param)))

        (value, rest), grads = jax.value_and_grad(loss_and_rest, has_aux=True)(params)
        updates, opt_state = optimizer.update(grads, opt_state, params)
        return optax.apply_updates(params, updates), rest, opt_state, total + value

    step = jax.jit(step, donate_argnums=0, compiler_options=compiler.options())
    state = (params, rest, optimizer.init(params), jnp.zeros(()))
    state = jax.tree.map(jnp.copy, state)  # donated, while the caller keeps the model
    data = (jnp.asarray(inputs), jnp.asarray(targets))
    identity = {
        **dataclasses.asdict(schedule),
        "parameters": count,
        "data_sha256": fingerprint(inputs, targets),
    }
    program = program_sha256(step, state, data, np.zeros(batch, np.int32))
    claim_folder(folder, identity, program=program, room=room(state), say=console.print)
    checkpoints = Checkpoints(folder / "checkpoints", console.print)
    done, state = checkpoints.restore(state)
    metrics = Metrics(folder / "metrics.jsonl", done)
    for epoch in range(done // steps_per_epoch, schedule.epochs):
        clock = time.monotonic()
        chosen = np.asarray(order(epoch))[: steps_per_epoch * batch].reshape(-1, batch)
        for indices in chosen:
            state = step(state, data, indices)
        mean = float(state[3]) / steps_per_epoch
        state = (*state[:3], jnp.zeros(()))
        at = (epoch + 1) * steps_per_epoch
        metrics.append(step=at, loss=mean, seconds=time.monotonic() - clock)
        checkpoints.save(at, state)
        console.print(f"{folder.name}: epoch {epoch + 1} of {schedule.epochs}, loss {mean:.4f}")
    checkpoints.close()
    trained = nnx.merge(graph, state[0], state[1])
    trained.eval()
    return Fitted(trained, count, sum(row["seconds"] for row in metrics.rows), metrics.rows)
