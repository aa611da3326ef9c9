"""Actions off the lattice: they interpolate, and say so in their names."""

from collections.abc import Callable, Iterator, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float, Num


def rotate_interpolated(
    x: Float[Array, "b y x c"], angle: Num[Array, ""] | float | int, method: str = "linear"
) -> Float[Array, "b y x c"]:
    """Rotate images by any angle, counter-clockwise about the centre: not exact.

    (R_a x)(p) = x(R_{-a} p), interpolated between pixels, and zero outside the frame.

    At multiples of 90° the positions fall on pixels, and on a square image the result is that of
    `act_on_image(groups.p4(), …)`, to the last bit. In between it blurs, and an error measured
    through it contains the interpolation's own.

    Args:
      x: images `[b, y, x, c]`.
      angle: in radians.
      method: "linear", whose derivative by the angle jumps where a position crosses a pixel; or
        "cubic", the cubic convolution of Keys 1981 (a = -1/2), which has a continuous
        derivative, blurs less, and may overshoot.

    Raises:
      ValueError: another method.
    """
    weights = _weights(method)
    ny, nx = x.shape[1:3]
    dtype = _working_type(x)
    angle = jnp.asarray(angle, dtype)
    c, s = _cleaned(jnp.cos(angle)), _cleaned(jnp.sin(angle))
    v = jnp.arange(ny, dtype=dtype)[:, None] - (ny - 1) / 2
    u = jnp.arange(nx, dtype=dtype)[None, :] - (nx - 1) / 2
    rows = _taps(c * v + s * u + (ny - 1) / 2, ny, weights)  # R_{-a} p: rows count downwards
    columns = list(_taps(c * u - s * v + (nx - 1) / 2, nx, weights))
    total = jnp.zeros(x.shape, dtype)
    for i, row_weight in rows:
        for j, column_weight in columns:
            total += (row_weight * column_weight)[None, :, :, None] * x[:, i, j].astype(dtype)
    return total.astype(x.dtype)


def shift_interpolated(
    x: Float[Array, "b *field"],
    shift: Sequence[ArrayLike] | Num[Array, " d"] | np.ndarray,
    method: str = "fourier",
) -> Float[Array, "b *field"]:
    """Shift fields on the torus by any fraction of a pixel: not exact, but for some images.

    (T_s x)(p) = x(p - s), positions modulo the size of the image.

    "fourier" multiplies coefficient k of an axis of N pixels by exp(-2πi k s/N), and for even N
    the one at the Nyquist frequency, k = N/2, by cos(π s): the trigonometric polynomial of least
    degree through the pixels is moved and sampled again. This is padding of the spectrum with
    zeros, a roll and decimation (Michaeli et al. 2023), for any s. It is exact for images that
    are periodic with no energy at the Nyquist frequency. For odd N, T_s T_t = T_{s+t} for all
    s and t; for even N, if one of them is whole. Whole shifts are those of `jnp.roll`, to
    rounding. At an edge, and images that are not periodic have one where they wrap, it rings.

    Args:
      x: image `[b, *space, c]` or regular field `[b, *space, h, c]`.
      shift: in pixels, one number for each space axis; their count is that of the space axes.
      method: "fourier"; or "linear" or "cubic", which interpolate between neighbours as in
        `rotate_interpolated`.

    Raises:
      ValueError: another method, or more numbers than x has space axes.

    Example:
      >>> import jax.numpy as jnp
      >>> from gcnn import actions
      >>> x = jnp.array([1.0, 0.0, -1.0, 0.0])[None, :, None]  # cos(p · 90°)
      >>> moved = actions.shift_interpolated(x, [0.5])  # cos((p - 0.5) · 90°)
      >>> [round(value, 3) for value in moved.ravel().tolist()]
      [0.707, 0.707, -0.707, -0.707]
    """
    if not 1 <= len(shift) <= x.ndim - 2:
        raise ValueError(
            f"A shift by {len(shift)} numbers does not fit x of shape {x.shape}: [b, *space, c] "
            f"takes one number for each space axis."
        )
    dtype = _working_type(x)
    move = _shift_fourier if method == "fourier" else _shift_between(_weights(method, "fourier"))
    y = x.astype(dtype)
    for axis, s in enumerate(shift, start=1):
        y = move(y, jnp.asarray(s, dtype), axis)
    return y.astype(x.dtype)


def _shift_fourier(x: Array, s: Array, axis: int) -> Array:
    n = x.shape[axis]
    k = np.arange(n // 2 + 1)
    whole = jnp.round(s)  # its phases are exact: k · whole is taken modulo n as an integer
    turns = (k * (whole.astype(int) % n) % n).astype(s.dtype) + k.astype(s.dtype) * (s - whole)
    angle = turns * (2 * np.pi / n)
    sine = jnp.where(2 * k == n, jnp.zeros_like(angle), jnp.sin(angle))
    phase = jax.lax.complex(jnp.cos(angle), -sine)
    phase = phase.reshape(tuple(len(k) if a == axis else 1 for a in range(x.ndim)))
    return jnp.fft.irfft(jnp.fft.rfft(x, axis=axis) * phase, n, axis=axis)


_Weights = Callable[[Array], dict[int, Array]]


def _shift_between(weights: _Weights) -> Callable[[Array, Array, int], Array]:
    def move(x: Array, s: Array, axis: int) -> Array:
        first = jnp.floor(-s)  # y[p] is read at p - s
        total = jnp.zeros_like(x)
        for k, weight in weights(-s - first).items():
            total += weight.reshape((1,) * x.ndim) * jnp.roll(x, -(first.astype(int) + k), axis)
        return total

    return move


def _taps(position: Array, n: int, weights: _Weights) -> Iterator[tuple[Array, Array]]:
    """The pixels around each position on an axis of n, and their weights: 0 outside."""
    first = jnp.floor(position)
    for k, weight in weights(position - first).items():
        i = first.astype(int) + k
        inside = (i >= 0) & (i < n)
        yield jnp.clip(i, 0, n - 1), jnp.where(inside, weight, jnp.zeros_like(weight))


def _weights(method: str, *others: str) -> _Weights:
    if method == "linear":
        return _linear
    if method == "cubic":
        return _cubic
    known = ", ".join(map(repr, (*others, "linear", "cubic")))
    raise ValueError(f"The method {method!r} of interpolation is none of {known}.")


def _linear(r: Array) -> dict[int, Array]:
    """Weights of the pixels 0 and 1, at a position r between them."""
    return {0: 1 - r, 1: r}


def _cubic(r: Array) -> dict[int, Array]:
    """Weights of the pixels -1 to 2, at a position r between 0 and 1 (Keys 1981, a = -1/2)."""
    return {
        -1: ((2 - r) * r - 1) * r / 2,
        0: ((3 * r - 5) * r * r + 2) / 2,
        1: ((4 - 3 * r) * r + 1) * r / 2,
        2: (r - 1) * r * r / 2,
    }


def _working_type(x: Array) -> np.dtype:
    """float32, or float64 for x of that type: positions need more digits than bfloat16 has."""
    return x.dtype if x.dtype.itemsize > 4 else np.dtype(np.float32)


def _cleaned(t: Array) -> Array:
    """A sine or cosine, put to -1, 0 or 1 where rounding missed it; its derivative stays."""
    miss = t - jnp.round(t)
    meant = jnp.abs(miss) < 8 * jnp.finfo(t.dtype).eps
    return t - jax.lax.stop_gradient(jnp.where(meant, miss, jnp.zeros_like(t)))
