"""Anti-aliasing: blur, then sub-sample.

After Zhang 2019, "Making convolutional networks shift-invariant again". The filter is binomial:
separable, so that it is applied axis by axis, as a sum of strided slices; and symmetric, so that
mirrored taps are added before they are weighed, and a flip of the image gives the same bits. The
gradients of slices, and of maxima of slices, have no scatter.
"""

import functools
import math
import operator
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Num

from ..groups import Group
from ._window import (
    MODES,
    Padding,
    Window,
    check_field,
    check_separable,
    check_swaps,
    make_window,
    resolve_pads,
)


class BlurPool(nnx.Module):
    """Binomial blur and sub-sampling, channel by channel (Zhang 2019).

    y(p) = Σ_u w(u) x(s·p + u)

    w(u) = Π_a C(k-1, u_a + (k-1)/2) / 2^(k-1), the product taken over the axes a

    Law: maps g·x to g·y for every element g, where the samples are centred on the image (see the
    downsampling law): with stride 2 that takes an even size on an even number of pixels, and an odd
    size on an odd number. With "CIRCULAR" padding, a shift of x by s·t pixels is a shift of y by
    t, if s divides N. Shifts in between are commuted with approximately: the blur has removed most
    of what would alias.

    A constant image stays as it is, except near zero padding. Size 1 is plain sub-sampling, and
    stride 1 a plain blur.

    Example:
      >>> import jax.numpy as jnp
      >>> from gcnn import groups, nn
      >>> nn.BlurPool(groups.p4())(jnp.ones((2, 24, 32, 4, 10))).shape
      (2, 12, 16, 4, 10)
    """

    def __init__(
        self,
        group: Group,
        size: int | Sequence[int] = 4,
        strides: int | Sequence[int] = 2,
        *,
        padding: Padding = "SAME",
        allow_inexact: bool = False,
        rngs: nnx.Rngs | None = None,
    ):
        """Create the layer.

        Args:
          group: the group.
          size: taps k of the filter, one integer, or one for each space axis; equal along axes
            that the group swaps. 2, 3 and 5 are "Rect-2", "Tri-3" and "Bin-5" of the paper.
          strides: likewise.
          padding: "SAME" (zeros), "VALID", "CIRCULAR", "REFLECT" (as wide as "SAME", mirrored in
            the pixels at the edge as in the paper), or explicit (zeros): an integer, or an integer
            or a pair (lo, hi) for each space axis.
          allow_inexact: accept a layer that breaks the downsampling law.
          rngs: not used; `nnx.bridge.to_linen` gives it to every layer.

        Raises:
          ValueError: an argument is malformed, or differs along axes that the group swaps.
        """
        del rngs
        self.group = group
        self.window = _make_window("BlurPool", group, size, strides, padding, None, allow_inexact)
        self.allow_inexact = allow_inexact

    def __call__(self, x: Num[Array, "b *field"]) -> Num[Array, "b *blurred"]:
        """Blur and sub-sample a batch of images or of regular fields.

        Args:
          x: image `[b, *space, c]` or regular field `[b, *space, h, c]`; integers become float32.

        Raises:
          ValueError: the layer does not commute with the group on this image size.
        """
        return _apply(self, x)


class MaxBlurPool(nnx.Module):
    """Max-pooling without aliasing: a dense maximum, blur, sub-sampling (Zhang 2019).

    y(p) = Σ_u w(u) max_v x(s·p + u + v)

    with w of `BlurPool`, and v over m pixels.

    Law: maps g·x to g·y for every element g, where the two as one window of k + m - 1 pixels are
    centred. With m = 2 and stride 2, that takes an odd size on an even number of pixels: the
    maximum shifts the image by half a pixel, and the blur shifts it back. As to shifts, see
    `BlurPool`.

    Padding goes around the two as one window. Zeros would win a maximum over negative values, so
    that with "SAME" and explicit padding the maximum takes the valid pixels in its reach, and the
    blur zeros from there on: none at all with the default sizes, on an even number of pixels.

    Example:
      >>> import jax.numpy as jnp
      >>> from gcnn import groups, nn
      >>> nn.MaxBlurPool(groups.p4())(jnp.ones((2, 24, 32, 4, 10))).shape
      (2, 12, 16, 4, 10)
    """

    def __init__(
        self,
        group: Group,
        size: int | Sequence[int] = 3,
        window_shape: int | Sequence[int] = 2,
        strides: int | Sequence[int] = 2,
        *,
        padding: Padding = "SAME",
        allow_inexact: bool = False,
        rngs: nnx.Rngs | None = None,
    ):
        """Create the layer.

        Args:
          group: the group.
          size: taps k of the blur, one integer, or one for each space axis; equal along axes that
            the group swaps.
          window_shape: sizes m of the maximum, likewise.
          strides: of the blur, likewise; the maximum is dense.
          padding: as in `BlurPool`, for the two as one window.
          allow_inexact: accept a layer that breaks the downsampling law.
          rngs: not used; `nnx.bridge.to_linen` gives it to every layer.

        Raises:
          ValueError: an argument is malformed, or differs along axes that the group swaps.
        """
        del rngs
        self.group = group
        self.window = _make_window(
            "MaxBlurPool", group, size, strides, padding, window_shape, allow_inexact
        )
        self.allow_inexact = allow_inexact

    def __call__(self, x: Num[Array, "b *field"]) -> Num[Array, "b *blurred"]:
        """Pool a batch of images or of regular fields.

        Args:
          x: image `[b, *space, c]` or regular field `[b, *space, h, c]`; integers become float32.

        Raises:
          ValueError: the layer does not commute with the group on this image size.
        """
        return _apply(self, x)


def _make_window(
    layer: str,
    group: Group,
    size: int | Sequence[int],
    strides: int | Sequence[int],
    padding: Padding,
    window_shape: int | Sequence[int] | None,
    allow_inexact: bool,
) -> Window:
    check_separable(layer, group, "avg_pool with an odd window, a blur of the lattice's own shape")
    modes = (*MODES, "REFLECT")
    window = make_window(layer, group, size, strides, 1, padding, window_shape, modes)
    if not allow_inexact:
        check_swaps(layer, group, window)
    return window


def _apply(layer: BlurPool | MaxBlurPool, x: Array) -> Array:
    """Pad, take the maximum if there is one, and blur, each along all axes before the next."""
    name, group, window = type(layer).__name__, layer.group, layer.window
    check_field(name, group, x.shape)
    if not jnp.issubdtype(x.dtype, jnp.inexact):
        x = x.astype(jnp.float32)
    space = x.shape[1 : 1 + group.dim]
    pads = resolve_pads(name, group, window, space, layer.allow_inexact)
    if window.padding in ("CIRCULAR", "REFLECT"):
        mode = "wrap" if window.padding == "CIRCULAR" else "reflect"
        x = jnp.pad(x, ((0, 0), *pads, *((0, 0),) * (x.ndim - 1 - group.dim)), mode=mode)
        pads = ((0, 0),) * group.dim
    if window.window_shape is not None:
        reach = [
            (min(lo, m - 1), min(hi, m - 1))
            for (lo, hi), m in zip(pads, window.window_shape, strict=True)
        ]
        for axis, m in enumerate(window.window_shape):
            x = _maximum(_pad(x, 1 + axis, reach[axis], -jnp.inf), 1 + axis, m)
        pads = tuple((lo - a, hi - b) for (lo, hi), (a, b) in zip(pads, reach, strict=True))
    for axis, (k, s) in enumerate(zip(window.size, window.strides, strict=True)):
        x = _blur(_pad(x, 1 + axis, pads[axis], 0.0), 1 + axis, k, s)
    return x


def _pad(x: Array, axis: int, pads: tuple[int, int], value: float) -> Array:
    widths = [(0, 0)] * x.ndim
    widths[axis] = pads
    return jnp.pad(x, widths, constant_values=value) if any(pads) else x


def _maximum(x: Array, axis: int, m: int) -> Array:
    """The maximum of m neighbours along an axis."""
    n = x.shape[axis] - m + 1
    taps = [jax.lax.slice_in_dim(x, i, i + n, axis=axis) for i in range(m)]
    return functools.reduce(jnp.maximum, taps)


def _blur(x: Array, axis: int, k: int, stride: int) -> Array:
    """Binomial blur of k taps along an axis, at every stride-th place."""
    end = x.shape[axis] - k + 1
    taps = [jax.lax.slice_in_dim(x, i, i + end, stride, axis) for i in range(k)]
    weights = [math.comb(k - 1, i) / 2 ** (k - 1) for i in range(k)]
    terms = [weights[i] * (taps[i] + taps[k - 1 - i]) for i in range(k // 2)]
    if k % 2:
        terms.append(weights[k // 2] * taps[k // 2])
    return functools.reduce(operator.add, terms)
