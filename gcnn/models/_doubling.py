"""Linear interpolation to twice the sides, or to one pixel less, for a way up from any sides."""

import functools
import operator
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .. import groups
from ..actions import fill_outside, preserved_pixels, skewed_axes
from ..groups import Group
from ..nn import upsample


def doubled(
    group: Group, x: Float[Array, "b *field"], space: Sequence[int], padding: str
) -> Float[Array, "b *finer"]:
    """Interpolate linearly to sides of m = 2n or m = 2n - 1 pixels, about the centre.

    y(q) = Σ_p x(p) Π_a max(1 - |q_a/2 - p_a|, 0)

    over the axes a, with positions from the centre. On 2n - 1 pixels every other one is a pixel of
    x, the first and the last too, and the others lie halfway between two. Along the axes that the
    group skews, y(q) is the mean of the pixels p of x for which q - 2p is a tap of a window of
    3 x ... x 3: for p6, too, of the pixel itself, or of the two that q lies between.

    Law: maps g·x to g·y for every element g.

    Args:
      group: the group.
      x: image `[b, *space, c]` or regular field `[b, *space, h, c]`.
      space: the sides m.
      padding: what lies beyond the border of even sides, as in `nn.upsample`.
    """
    factors = [1 if m % 2 else 2 for m in space]
    if 2 in factors:
        # an element that swaps two axes swaps their sides, too, and `upsample` knows factors alone
        x = upsample(groups.p1(group.dim), x, factors, "linear", padding=padding)
    skewed = [1 + axis for axis in sorted(skewed_axes(group))]
    for axis, m in enumerate(space, start=1):
        if m % 2 and axis not in skewed:
            x = _with_between(x, axis)
    return _between_preserved(group, x, skewed) if skewed else x


def _with_between(x: Array, axis: int) -> Array:
    """The n pixels along an axis, and halfway from each to the next: 2n - 1."""
    n = x.shape[axis]
    after = jax.lax.slice_in_dim(x, 1, n, axis=axis)
    before = jax.lax.slice_in_dim(x, 0, n - 1, axis=axis)
    last = jax.lax.slice_in_dim(x, n - 1, n, axis=axis)
    pairs = jnp.stack([before, 0.5 * (before + after)], axis=axis + 1)
    pairs = pairs.reshape(*x.shape[:axis], 2 * n - 2, *x.shape[axis + 1 :])
    return jnp.concat([pairs, last], axis=axis)


def _between_preserved(group: Group, x: Array, skewed: list[int]) -> Array:
    """The same along all axes that the group skews at once, with what it has of a window."""
    space = range(1, 1 + group.dim)
    kept = preserved_pixels(group, [3 if axis in skewed else 1 for axis in space])
    taps = list(zip(*kept.nonzero(), strict=True))

    def spread(x: Array) -> Array:
        """Σ_p x(p) over the pixels p for which q - 2p is a tap."""
        x = fill_outside(group, x, space, 0)
        fine = [2 * x.shape[axis] - 1 if axis in skewed else x.shape[axis] for axis in space]
        apart = [(1, 1, 1) if axis in skewed else (0, 0, 0) for axis in range(x.ndim)]
        x = jax.lax.pad(x, jnp.zeros((), x.dtype), apart)
        parts = [
            x[(slice(None), *(slice(t, t + n) for t, n in zip(tap, fine, strict=True)))]
            for tap in taps
        ]
        return functools.reduce(operator.add, parts)

    pixels = spread(jnp.ones((1, *x.shape[1 : 1 + group.dim], 1), x.dtype))
    pixels = pixels.reshape(pixels.shape[:-1] + (1,) * (x.ndim - pixels.ndim + 1))
    return fill_outside(group, spread(x) / jnp.maximum(pixels, 1), space, 0)
