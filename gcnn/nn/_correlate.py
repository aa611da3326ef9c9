"""Sliding filters over an image: the convolution itself, written so that XLA compiles it well."""

import functools
import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax.typing import PrecisionLike
from jax.custom_derivatives import SymbolicZero
from jaxtyping import Array, Num

Pads = Sequence[tuple[int, int]]

# Below both, the row that is added costs as much as it saves, and with few products it gains in
# derivatives alone (`benchmarks.convolution`).
_MANY_PIXELS = 6144
_MANY_PRODUCTS = 2**16  # channels of the input times channels of the output


def correlate(
    x: Num[Array, "b *space i"],
    filters: Num[Array, "*u i o"],
    strides: Sequence[int],
    pads: Pads,
    dilation: Sequence[int],
    precision: PrecisionLike = None,
) -> Num[Array, "b *space_out o"]:
    """Cross-correlation: y(p, o) = Σ_u Σ_i x(s·p + d·u, i) F(u, i, o).

    Args:
      x: images `[b, *space, i]`.
      filters: F, `[*u, i, o]`.
      strides: s, for each space axis.
      pads: zeros (lo, hi) around each space axis.
      dilation: d, for each space axis.
      precision: as in `jax.lax.conv_general_dilated`.
    """
    d = len(strides)
    size = filters.shape[:d]
    if math.prod(size) == 1 and not any(map(any, pads)):
        x, strides = x[(slice(None), *(slice(None, None, s) for s in strides))], (1,) * d
        if d < 3:  # in space, the product that XLA makes of a convolution is the faster one
            return jnp.matmul(x, filters.reshape(filters.shape[d:]), precision=precision)
    if not _gains_from_a_row(x, filters, strides, pads, dilation):
        return _conv(x, filters, strides, pads, dilation, precision)
    if x.shape[-1] * filters.shape[-1] >= _MANY_PRODUCTS:
        return _with_a_row(x, filters, pads, precision)
    return _derived_with_a_row(x, filters, pads, precision)


def depthwise(
    x: Num[Array, "b *space c"],
    filters: Num[Array, "*u 1 c"],
    strides: Sequence[int],
    pads: Pads,
    dilation: Sequence[int],
    precision: PrecisionLike = None,
) -> Num[Array, "b *space_out c"]:
    """Cross-correlation of each channel with a filter of its own; arguments as in `correlate`.

    y(p, c) = Σ_u x(s·p + d·u, c) F(u, 0, c)
    """
    return _conv(x, filters, strides, pads, dilation, precision, groups=x.shape[-1])


def channels_last(d: int) -> jax.lax.ConvDimensionNumbers:
    """Images `[b, *space, i]` and filters `[*space, i, o]`, for d space axes."""
    image = (0, d + 1, *range(1, d + 1))
    return jax.lax.ConvDimensionNumbers(image, (d + 1, d, *range(d)), image)


def _gains_from_a_row(
    x: Array, filters: Array, strides: Sequence[int], pads: Pads, dilation: Sequence[int]
) -> bool:
    """Whether `_with_a_row` is faster: on a CPU, in the plane, for many pixels or channels."""
    if jax.default_backend() != "cpu" or len(strides) != 2:
        return False
    if (*strides, *dilation) != (1, 1, 1, 1):
        return False
    b, *space, i = x.shape
    o = filters.shape[-1]
    sides = [n + sum(p) - u + 1 for n, p, u in zip(space, pads, filters.shape, strict=False)]
    added = space[0] + 1 - sides[0]
    # the gradient of the kernel slides a window of the output's size over the padded input;
    # XLA exchanges the two if the window is the larger one, and is slow then
    fits = (space[0] + 1) * sides[1] < space[0] * (space[1] + sum(pads[1]))
    b = b if isinstance(b, int) else 1  # symbolic, where it is exported
    worth = b * math.prod(sides) >= _MANY_PIXELS or i * o >= _MANY_PRODUCTS
    return fits and worth and 0 < added <= 0.3 * sides[0] and max(i, o) > 16


def _with_a_row(x: Array, filters: Array, pads: Pads, precision: PrecisionLike) -> Array:
    """The same numbers, from an output that has a row more than the input, cut off again.

    XLA hands convolutions on a CPU to a library that is slow at the gradient of a wide kernel, two
    to four times slower than its own; but not those whose output is larger than their input. The
    gradient then has a window that is larger than its input, and stays with XLA, too. Columns are
    padded beforehand, behind a barrier, or XLA would take that padding for its own.
    """
    (lo, hi), columns = pads
    rows, side = x.shape[1], x.shape[1] + lo + hi - filters.shape[0] + 1
    if any(columns):
        x = jnp.pad(x, ((0, 0), (0, 0), columns, (0, 0)))
        x = jax.lax.optimization_barrier(x)
    hi += rows + 1 - side
    y = _conv(x, filters, (1, 1), ((lo, hi), (0, 0)), (1, 1), precision)
    return y[:, :side]


def _derived_with_a_row(x: Array, filters: Array, pads: Pads, precision: PrecisionLike) -> Array:
    """The same numbers without that row, which only the derivatives have."""

    @jax.custom_jvp
    def convolved(x: Array, filters: Array) -> Array:
        return _conv(x, filters, (1, 1), pads, (1, 1), precision)

    def derived(primals: tuple[Array, Array], tangents: tuple[Any, Any]) -> tuple[Array, Array]:
        (x, filters), (dx, dfilters) = primals, tangents
        pairs = (dx, filters), (x, dfilters)
        terms = [
            _with_a_row(*pair, pads, precision)
            for pair, tangent in zip(pairs, tangents, strict=True)
            if not isinstance(tangent, SymbolicZero)
        ]
        return convolved(x, filters), functools.reduce(jnp.add, terms)

    convolved.defjvp(derived, symbolic_zeros=True)
    return convolved(x, filters)


def _conv(
    x: Array,
    filters: Array,
    strides: Sequence[int],
    pads: Pads,
    dilation: Sequence[int],
    precision: PrecisionLike,
    groups: int = 1,
) -> Array:
    return jax.lax.conv_general_dilated(
        x,
        filters,
        strides,
        pads,
        rhs_dilation=dilation,
        dimension_numbers=channels_last(len(strides)),
        feature_group_count=groups,
        precision=precision,
    )
