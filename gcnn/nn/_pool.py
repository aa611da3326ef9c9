"""Pooling over space, on images and on regular fields, under the downsampling law.

Every function takes the group first: `group.dim` tells which axes are space. All axes behind
them (group and channels) are pooled pointwise, so that one function serves both kinds of field.

Law: with a centred window (see `_window`), pooling maps g·x to g·y for every element g. Shifts
are another matter: a stride s > 1 commutes with shifts by multiples of s alone.

Where the group skews the lattice, windows are made of the taps that it preserves, a hexagon for
p6; pixels of the input that it does not preserve play no part, and those of the output are 0.
"""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Num

from ..actions import fill_outside, preserved_pixels, skewed_axes
from ..groups import Group
from ._window import Padding, Pads, Window, check_field, check_swaps, make_window, padded


def max_pool(
    group: Group,
    x: Num[Array, "b *field"],
    window_shape: int | Sequence[int],
    strides: int | Sequence[int] | None = None,
    padding: Padding = "VALID",
    *,
    allow_inexact: bool = False,
) -> Num[Array, "b *pooled"]:
    """Maximum over windows: y(p) = max_u x(s·p + u).

    Args:
      group: the group.
      x: image `[b, *space, c]` or regular field `[b, *space, h, c]`.
      window_shape: one integer, or one for each space axis.
      strides: likewise; 1 if not given, as in `nnx.max_pool`.
      padding: "SAME", "VALID", "CIRCULAR" or explicit; padded with -inf.
      allow_inexact: accept an operation that breaks the downsampling law.

    Raises:
      ValueError: the window does not commute with the group on this image size.

    Example:
      >>> import jax.numpy as jnp
      >>> from gcnn import groups, nn
      >>> nn.max_pool(groups.p4(), jnp.ones((2, 24, 24, 4, 10)), 2, 2).shape
      (2, 12, 12, 4, 10)
    """
    window, pads, x = _prepare("max_pool", group, x, window_shape, strides, padding, allow_inexact)
    return _reduce(group, x, jnp.max, jax.lax.max, _lowest(x), window, pads)


def avg_pool(
    group: Group,
    x: Num[Array, "b *field"],
    window_shape: int | Sequence[int],
    strides: int | Sequence[int] | None = None,
    padding: Padding = "VALID",
    *,
    allow_inexact: bool = False,
) -> Num[Array, "b *pooled"]:
    """Mean over windows: y(p) = (1/|U|) Σ_u x(s·p + u), padded pixels counted as zeros.

    Args:
      group: the group.
      x: image `[b, *space, c]` or regular field `[b, *space, h, c]`.
      window_shape: one integer, or one for each space axis.
      strides: likewise; 1 if not given, as in `nnx.avg_pool`.
      padding: "SAME", "VALID", "CIRCULAR" or explicit.
      allow_inexact: accept an operation that breaks the downsampling law.

    Raises:
      ValueError: the window does not commute with the group on this image size.
    """
    window, pads, x = _prepare("avg_pool", group, x, window_shape, strides, padding, allow_inexact)
    total = _reduce(group, x, jnp.sum, jax.lax.add, np.zeros((), x.dtype), window, pads)
    return total / preserved_pixels(group, window.size).sum().astype(total.dtype)


def global_max_pool(group: Group, x: Num[Array, "b *field"]) -> Num[Array, "b *rest"]:
    """Maximum over all of space: `[b, *space, (h,) c]` to `[b, (h,) c]`.

    Invariant to every permutation of the pixels; a regular field keeps its group axis. Of a skewed
    lattice, the pixels that the group preserves.
    """
    space = tuple(range(1, group.dim + 1))
    return jnp.max(fill_outside(group, x, space, _lowest(x)), axis=space)


def global_avg_pool(group: Group, x: Num[Array, "b *field"]) -> Num[Array, "b *rest"]:
    """Mean over all of space: `[b, *space, (h,) c]` to `[b, (h,) c]`.

    Invariant to every permutation of the pixels, to rounding; a regular field keeps its group
    axis. Of a skewed lattice, the pixels that the group preserves.
    """
    space = tuple(range(1, group.dim + 1))
    if not skewed_axes(group):
        return jnp.mean(x, axis=space)
    kept = preserved_pixels(group, x.shape[1 : 1 + group.dim])
    where = kept.reshape(1, *kept.shape, *(1,) * (x.ndim - 1 - group.dim))
    return jnp.mean(x, axis=space, where=where)


def _lowest(x: Array) -> np.ndarray:
    """What never wins a maximum."""
    lowest = -jnp.inf if jnp.issubdtype(x.dtype, jnp.inexact) else jnp.iinfo(x.dtype).min
    return np.array(lowest, x.dtype)


def _prepare(
    layer: str,
    group: Group,
    x: Array,
    size: int | Sequence[int],
    strides: int | Sequence[int] | None,
    padding: Padding,
    allow_inexact: bool,
) -> tuple[Window, Pads, Array]:
    check_field(layer, group, x.shape)
    window = make_window(layer, group, size, strides, 1, padding)
    if not allow_inexact:
        check_swaps(layer, group, window)
    x, pads = padded(layer, group, window, x, allow_inexact)
    return window, pads, x


def _reduce(
    group: Group,
    x: Array,
    reduce: Callable[..., Array],
    combine: Callable[[Array, Array], Array],
    initial: np.ndarray,
    window: Window,
    pads: Pads,
) -> Array:
    d = len(window.size)
    if skewed_axes(group):
        return _reduce_taps(group, x, reduce, initial, window, pads)
    space = x.shape[1 : 1 + d]
    tiles = all(n % k == 0 for n, k in zip(space, window.size, strict=True))
    if window.strides == window.size and tiles and not np.any(pads):
        # Windows that tile the image are a reshape; the gradient of reduce_window would be a
        # select-and-scatter, which is slow on a CPU.
        split = [m for n, k in zip(space, window.size, strict=True) for m in (n // k, k)]
        return reduce(x.reshape(x.shape[0], *split, *x.shape[1 + d :]), axis=range(2, 2 * d + 2, 2))
    rest = x.ndim - 1 - d
    return jax.lax.reduce_window(
        x,
        initial,
        combine,
        (1, *window.size, *(1,) * rest),
        (1, *window.strides, *(1,) * rest),
        ((0, 0), *pads, *((0, 0),) * rest),
    )


def _reduce_taps(
    group: Group,
    x: Array,
    reduce: Callable[..., Array],
    initial: np.ndarray,
    window: Window,
    pads: Pads,
) -> Array:
    """Over the taps that the group preserves, each a strided slice of the padded input."""
    d = group.dim
    rest = ((0, 0),) * (x.ndim - 1 - d)
    x = fill_outside(group, x, range(1, 1 + d), initial)
    outputs = [window.outputs(a, x.shape[1 + a]) for a in range(d)]
    x = jnp.pad(x, ((0, 0), *pads, *rest), constant_values=initial)
    taps = [
        x[(slice(None), *map(_stretch, tap, outputs, window.strides))]
        for tap in np.argwhere(preserved_pixels(group, window.size)).tolist()
    ]
    return fill_outside(group, reduce(jnp.stack(taps), axis=0), range(1, 1 + d), 0)


def _stretch(first: int, count: int, stride: int) -> slice:
    return slice(first, first + (count - 1) * stride + 1, stride)
