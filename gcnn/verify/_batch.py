"""What every measurement begins with: a batch that can prove something, a callable to trust."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


def checked_batch(x: Any) -> np.ndarray:
    """The batch on the host.

    Raises:
      ValueError: it is empty, not of a floating type, or holds NaN or infinity.
    """
    x = np.asarray(x)
    if x.ndim < 2 or x.shape[0] == 0:
        raise ValueError(f"x should be a batch [b, ..., c] of one sample or more, got {x.shape}.")
    if not jnp.issubdtype(x.dtype, jnp.floating):
        raise ValueError(f"x should be of a floating type, got {x.dtype}.")
    if not np.isfinite(x.astype(np.float64)).all():
        raise ValueError("x holds NaN or infinity: the error of f would be NaN whatever f is.")
    return x


def run(f: Callable[[Any], Any], x: Any) -> np.ndarray:
    """f(x) on the host.

    Raises:
      ValueError: f changes the batch size, or returns no batch.
    """
    y = np.asarray(jax.device_get(f(jnp.asarray(x))))
    if y.ndim < 2 or y.shape[0] != x.shape[0]:
        raise ValueError(
            f"f maps a batch of shape {x.shape} to shape {y.shape}: it should keep the batch size "
            f"{x.shape[0]} and return [b, ..., c]."
        )
    return y


def run_finite(f: Callable[[Any], Any], x: Any) -> np.ndarray:
    """f(x) on the host, in float64.

    Raises:
      ValueError: as `run`, or f(x) holds NaN or infinity.
    """
    y = run(f, x).astype(np.float64)
    if not np.isfinite(y).all():
        raise ValueError(
            "f(x) holds NaN or infinity: no distance between outputs can be measured. Look at the "
            "parameters of f, and at the range of x."
        )
    return y


def compiled(f: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """f under `jax.jit`, its parameters an argument if f is a pytree, as an NNX module is.

    A module in training mode updates a copy of its statistics, and stays as it is.
    """
    return jax.jit(f) if jax.tree_util.all_leaves([f]) else functools.partial(_apply, f)


_apply = jax.jit(lambda f, x: f(x))  # one for all measurements, which share what was compiled
