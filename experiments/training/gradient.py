"""The gradient of one batch: in which type, in how many parts, and what is computed twice."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import nnx
from jaxtyping import Array, Float, Int

from ..config import Config
from .precision import in_bfloat16
from .remat import recomputed


class Gradient(NamedTuple):
    """What a batch gives.

    Attributes:
      params: the gradient of the mean loss.
      rest: the model's other state afterwards.
      loss: the mean cross-entropy.
      wrong: the share of images that are classified wrongly.
    """

    params: Any
    rest: Any
    loss: Array
    wrong: Array


def gradient(config: Config, graph: Any) -> Callable[..., Gradient]:
    """The function (params, rest, images `[b, y, x, c]`, labels `[b]`) to the gradient.

    With config.accumulate = k it is the mean of the gradients of k micro-batches; image i is in
    micro-batch i mod k, so that each lies on all devices. Statistics of BatchNorm are then those of
    a micro-batch, one after the other, and without BatchNorm and dropout the law is that k does not
    matter.
    """

    def loss_and_rest(params: Any, rest: Any, x: Array, y: Array) -> Any:
        model = nnx.merge(graph, params, rest)
        if config.compute == "bfloat16":
            model, x = in_bfloat16(model), x.astype(jnp.bfloat16)
        logits = (recomputed(model, x) if config.remat else model(x)).astype(jnp.float32)
        loss = optax.softmax_cross_entropy_with_integer_labels(logits, y).mean()
        wrong = jnp.mean(jnp.argmax(logits, axis=-1) != y)
        return loss, (nnx.as_pure(nnx.state(model, nnx.Not(nnx.Param))), wrong)

    def whole(params: Any, rest: Any, x: Array, y: Array) -> Gradient:
        of_loss = jax.value_and_grad(loss_and_rest, has_aux=True)
        (loss, (rest, wrong)), grads = of_loss(params, rest, x, y)
        return Gradient(grads, rest, loss, wrong)

    k = config.accumulate
    if k == 1:
        return whole

    def in_parts(
        params: Any, rest: Any, x: Float[Array, "b y x c"], y: Int[Array, " b"]
    ) -> Gradient:
        def add(carry: Any, part: Any) -> Any:
            # a part begins when the one before has ended, or written out they would need the
            # memory of all at once
            (rest, total), part = jax.lax.optimization_barrier((carry, part))
            grads, rest, *numbers = whole(params, rest, *part)
            return (rest, jax.tree.map(jnp.add, total, (grads, numbers))), None

        zero = jax.tree.map(jnp.zeros_like, params), [jnp.zeros(()), jnp.zeros(())]
        parts = [a.reshape(-1, k, *a.shape[1:]).swapaxes(0, 1) for a in (x, y)]
        # Convolutions in a loop of XLA are 30 times slower on a CPU: there the loop is written out.
        unroll = k if jax.default_backend() == "cpu" else 1
        (rest, total), _ = jax.lax.scan(add, (rest, zero), parts, unroll=unroll)
        grads, (loss, wrong) = jax.tree.map(lambda a: a / k, total)
        return Gradient(grads, rest, loss, wrong)

    return in_parts
