"""Kernels as initialisers draw them."""

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ..actions import preserved_pixels, skewed_axes
from ..groups import Group


def initial_kernel(
    group: Group, initializer: Callable[..., Array], key: Array, shape: Sequence[int], dtype: Any
) -> Array:
    """A kernel `shape` = `[*kernel_size, ...]` drawn by an initialiser of `nnx.initializers`.

    On a skewed lattice the initialiser is asked for `[taps, ...]`, so that the fan-in counts the
    taps that exist, and the weights beside them are 0.

    Args:
      group: the group.
      initializer: called as `initializer(key, shape, dtype)`.
      key: a random key.
      shape: the kernel sizes, then the other axes.
      dtype: the type of the kernel.
    """
    if not skewed_axes(group):
        return initializer(key, tuple(shape), dtype)
    size, rest = tuple(shape[: group.dim]), tuple(shape[group.dim :])
    at = np.flatnonzero(preserved_pixels(group, size))
    return _with_zeros(size, at, initializer(key, (len(at), *rest), dtype))


def folded(initializer: Callable[..., Array]) -> Callable[..., Array]:
    """The initialiser, asked for a matrix `[the other axes, o]` in place of `[..., o]`.

    The numbers are the same, to rounding, where they depend on the fan-in, as those of
    `lecun_normal` and `he_normal` do, or on no shape, as those of `normal`: the fan-in is the
    product of all axes but the last. With the fan-out, as in `glorot_normal`, they are not. It is
    for the time to build a layer: XLA compiles a draw with many short axes far more slowly
    (`benchmarks.build_time` has `nnx.Conv`, which draws so, beside the layers).

    Args:
      initializer: called as `initializer(key, shape, dtype)`, and traced by JAX.

    Example:
      >>> import jax
      >>> from flax import nnx
      >>> from gcnn import kernels
      >>> draw = nnx.initializers.lecun_normal()
      >>> key, shape = jax.random.key(0), (3, 3, 4, 10, 10)
      >>> bool((kernels.folded(draw)(key, shape) == draw(key, shape)).all())
      True
    """

    @functools.partial(jax.jit, static_argnums=(1, 2))
    def draw(key: Array, shape: tuple[int, ...], dtype: Any = jnp.float32) -> Array:
        flat = (math.prod(shape[:-1]), *shape[-1:])
        return initializer(key, flat, dtype).reshape(shape)

    return draw


@functools.partial(jax.jit, static_argnums=0)  # or each of its steps would be compiled alone
def _with_zeros(size: tuple[int, ...], at: Array, taps: Array) -> Array:
    """The kernel `[*size, ...]` of these taps `[t, ...]` at `[t]`, with zeros beside them."""
    kernel = jnp.zeros((math.prod(size), *taps.shape[1:]), taps.dtype)
    return kernel.at[at].set(taps, unique_indices=True).reshape(*size, *taps.shape[1:])
