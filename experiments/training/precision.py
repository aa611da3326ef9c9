"""bfloat16 compute with everything that adds up kept in float32."""

from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx


def in_bfloat16(model: nnx.Module) -> nnx.Module:
    """A network that computes what `model` does on bfloat16 images, in bfloat16.

    Its parameters are those of the model, rounded, and gradients reach the model's own in float32.
    BatchNorm takes its statistics, and subtracts and divides by them, in float32, and rounds what
    it gives; the running ones stay float32. All else follows the type of its input.

    Args:
      model: the network, with float32 parameters, which stays as it is.
    """
    graph, *states = nnx.split(model, nnx.Param, ...)
    params, rest = states
    rounded = nnx.merge(graph, jax.tree.map(lambda p: p.astype(jnp.bfloat16), params), rest)
    for _, layer in nnx.iter_graph(rounded):
        if isinstance(layer, nnx.BatchNorm):
            layer.dtype, layer.promote_dtype = jnp.bfloat16, _as_they_are
    return rounded


def _as_they_are(arrays: Any, /, *, dtype: Any = None, inexact: bool = True) -> Any:
    """In place of the rounding of running statistics."""
    del dtype, inexact
    return arrays
