"""A training of some seconds, for the tutorials."""

import jax
import numpy as np
import optax
from flax import nnx


def start(make, seed=0):
    """The model `make(rngs)` with random weights, as before a training.

    They are normal with variance 1 / fan-in, and drawn by NumPy: for models as small as these, to
    compile JAX's generator for each shape would take longer than to train.
    """
    graph, shapes = nnx.split(nnx.eval_shape(lambda: make(nnx.Rngs(0))))
    rng = np.random.default_rng(seed)

    def draw(weight):
        fan_in = np.prod(weight.shape[:-1])
        scale = fan_in**-0.5 if len(weight.shape) > 1 else 0  # biases are 0
        return jax.numpy.asarray(scale * rng.normal(size=weight.shape), weight.dtype)

    return nnx.merge(graph, jax.tree.map(draw, shapes))


def train(model, loss, inputs, targets, steps, rate, batch):
    """The model after some steps of Adam, compiled; the loss is the mean of loss(f(x), y)."""
    graph, weights = nnx.split(model)
    adam = optax.adam(rate)

    @jax.jit
    def step(weights, state, x, y):
        gradient = jax.grad(lambda w: loss(nnx.merge(graph, w)(x), y).mean())(weights)
        update, state = adam.update(gradient, state, weights)
        return optax.apply_updates(weights, update), state

    state = adam.init(weights)
    for i in range(steps):
        k = slice(i * batch % len(inputs), i * batch % len(inputs) + batch)
        weights, state = step(weights, state, inputs[k], targets[k])
    return nnx.merge(graph, weights)
