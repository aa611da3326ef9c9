"""What is computed at every step of training: pure functions of arrays, made from a config."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jaxtyping import Array, Float, Int, Key, Num

from ..config import Config
from . import compiler
from .gradient import gradient
from .precision import in_bfloat16


class State(NamedTuple):
    """All that training changes, and so all that a checkpoint holds.

    Attributes:
      params: what the gradient moves.
      rest: the model's other state: running statistics, keys of dropout.
      moments: of the optimiser.
      average: running averages of params and of rest's numbers, or None.
      step: how many steps were made.
      sums: of loss, error and steps since they were last set to zero.
    """

    params: Any
    rest: Any
    moments: Any
    average: Any
    step: Int[Array, ""]
    sums: Float[Array, "3"]


class Program(NamedTuple):
    """The functions of a run, compiled when first called.

    Attributes:
      graph: of the model, what is not arrays.
      key: of all that is random in a step, but for what the state has keys of its own for.
      start: makes the first state from a seed.
      update: (key, state, images `[n, y, x, ...]`, labels `[n]`, chosen `[b]`) to the next state,
        the batch being the chosen images; or, with None for chosen, all of them. Not compiled.
      step: the same with the run's own key, compiled; the old state is given away.
      logits: (state, images `[b, y, x, ...]`) to `[b, classes]`, in evaluation mode.
    """

    graph: Any
    key: Key[Array, "..."]
    start: Callable[[], State]
    update: Callable[..., State]
    step: Callable[..., State]
    logits: Callable[..., Array]

    def model(self, state: State) -> nnx.Module:
        """The network that is tested, in evaluation mode."""
        trained = nnx.merge(self.graph, *evaluated(state))
        trained.eval()
        return trained


def build(config: Config, total: int, mean: float, std: float) -> Program:
    """The program of a run.

    Args:
      config: of the run.
      total: the number of steps.
      mean: subtracted from all pixels.
      std: by which all pixels are divided.
    """
    model = config.model(nnx.Rngs(config.seed))
    graph, *states = nnx.split(model, nnx.Param, ...)
    optimizer = config.transformation(total)
    key = jax.random.fold_in(jax.random.key(config.seed), 2**31)  # epochs take the small numbers

    def start() -> State:
        params, rest = jax.tree.map(jnp.copy, tuple(map(nnx.as_pure, states)))
        average = jax.tree.map(jnp.copy, (params, rest)) if config.average else None
        return State(
            params, rest, optimizer.init(params), average, jnp.zeros((), jnp.int32), jnp.zeros(3)
        )

    def prepare(pixels: Num[Array, "b y x ..."]) -> Float[Array, "b y x c"]:
        x = pixels.astype(jnp.float32)
        return x if x.ndim == 4 else x[..., None]

    differentiate = gradient(config, graph)

    def update(
        key: Array, state: State, images: Array, labels: Array, chosen: Int[Array, " b"] | None
    ) -> State:
        if chosen is not None:
            images, labels = jnp.take(images, chosen, axis=0), jnp.take(labels, chosen)
        x, y = prepare(images), labels
        x = (config.augment(jax.random.fold_in(key, state.step), x) - mean) / std
        grads, rest, loss, wrong = differentiate(state.params, state.rest, x, y)
        updates, moments = optimizer.update(grads, state.moments, state.params)
        params = optax.apply_updates(state.params, updates)
        average = state.average and _mixed(
            state.average,
            (params, rest),
            jnp.minimum(config.average, state.step / (state.step + 9)),
        )
        sums = state.sums + jnp.stack([loss, wrong, 1.0])
        return State(params, rest, moments, average, state.step + 1, sums)

    def logits(state: State, pixels: Array) -> Array:
        model, x = nnx.merge(graph, *evaluated(state)), (prepare(pixels) - mean) / std
        if config.compute == "bfloat16":
            model, x = in_bfloat16(model), x.astype(jnp.bfloat16)
        model.eval()
        return model(x).astype(jnp.float32)

    classify = jax.jit(logits, compiler_options=compiler.options())
    return Program(graph, key, start, update, compiled(update, key), classify)


def compiled(update: Callable[..., State], key: Array) -> Callable[..., State]:
    """The step that makes an update with this key."""

    def step(state: State, images: Array, labels: Array, chosen: Array | None) -> State:
        return update(key, state, images, labels, chosen)

    return jax.jit(step, donate_argnums=0, compiler_options=compiler.options())


def epoch_order(seed: int, epoch: int, n: int, batch: int) -> np.ndarray:
    """The batches of an epoch as indices `[floor(n / batch), batch]`, a function of these alone.

    So a checkpoint needs no position in the data.
    """
    key = jax.random.fold_in(jax.random.key(seed), epoch)
    order = np.asarray(jax.random.permutation(key, n))
    return order[: n // batch * batch].reshape(-1, batch)


def evaluated(state: State) -> tuple[Any, Any]:
    """The parameters and the rest of the network that is tested: averages, if there are any."""
    return state.average or (state.params, state.rest)


def _mixed(average: Any, now: Any, decay: Array) -> Any:
    """Of numbers the running average; of all else, such as keys, what it is now."""
    return jax.tree.map(
        lambda a, b: decay * a + (1 - decay) * b if jnp.issubdtype(a.dtype, jnp.floating) else b,
        average,
        now,
    )
