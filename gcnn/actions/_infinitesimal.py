"""The Lie algebra of the affine group on images: how fast an image changes as it starts to move.

A generator X moves the point p, counted from the centre of the image, with the velocity
V(p) = Ap + a, and therefore the image at the rate

    (X·x)(p) = d/dt x(exp(-tX) p) at t = 0 = -V(p) · ∇x(p).

Bilinear interpolation has no derivative at the pixels. Here ∇x is the exact gradient of the
trigonometric polynomial through them.
"""

import functools
from collections.abc import Mapping
from types import MappingProxyType

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

# Rows (A | a): the velocity along y and along x, from (y, x, 1).
_AFFINE = {
    "translation_y": ((0, 0, 1), (0, 0, 0)),
    "translation_x": ((0, 0, 0), (0, 0, 1)),
    "rotation": ((0, -1, 0), (1, 0, 0)),
    "scale": ((1, 0, 0), (0, 1, 0)),
    "stretch_y": ((1, 0, 0), (0, 0, 0)),
    "stretch_x": ((0, 0, 0), (0, 1, 0)),
    "shear_y": ((0, 1, 0), (0, 0, 0)),
    "shear_x": ((0, 0, 0), (1, 0, 0)),
}
GENERATORS: Mapping[str, str] = MappingProxyType(
    {name: "radian" if name == "rotation" else "unit" for name in _AFFINE}
    | {"translation_y": "pixel", "translation_x": "pixel"}
)
"""The generators, each with the unit of its parameter t."""


def generator_velocity(generator: str, size: tuple[int, int]) -> np.ndarray:
    """The velocity V(p) with which a generator moves the pixels of an image.

    With p = (y, x) counted from the centre, rows downwards:

    - "translation_y": V = (1, 0), "translation_x": (0, 1), in pixels for each pixel
    - "rotation": (-x, y), counter-clockwise, for each radian
    - "scale": (y, x), both axes grow by the factor e for each unit
    - "stretch_y": (y, 0), "stretch_x": (0, x), one axis grows and the other stays
    - "shear_y": (x, 0), "shear_x": (0, y), one pixel along the axis for each pixel across

    Args:
      generator: one of `GENERATORS`.
      size: (ny, nx) of the image.

    Returns:
      float64 `[y, x, 2]`, rows first.

    Raises:
      ValueError: there is no such generator.
    """
    if generator not in _AFFINE:
        raise ValueError(f"The generator {generator!r} is none of {', '.join(_AFFINE)}.")
    y, x = np.meshgrid(*(np.arange(n) - (n - 1) / 2 for n in size), indexing="ij")
    return np.stack([y, x, np.ones_like(y)], axis=-1) @ np.array(_AFFINE[generator], float).T


def act_infinitesimally(
    x: Float[Array, "b y x *field"],
    velocity: Float[Array, "y x 2"] | Float[np.ndarray, "y x 2"],
    boundary: str = "reflect",
) -> Float[Array, "b y x *field"]:
    """The rate at which images change when their content moves with a velocity.

    Law: (X·x)(p) = -V(p) · ∇x(p). It is linear in x and in V.

    The gradient is exact for images that are band-limited on the torus ("circular") or on the
    doubled torus of the image and its mirror images ("reflect"). At the Nyquist frequency of an
    even circular axis it is zero, the mean of the derivatives to both sides.

    Args:
      x: images `[b, y, x, c]`. Axes behind the space axes are left alone.
      velocity: V(p) `[y, x, 2]`, in pixels, rows first.
      boundary: how the image goes on beyond its border: "reflect", mirrored at the edge of the
        outermost pixels, or "circular".

    Raises:
      ValueError: another boundary.
    """
    precise = np.promote_types(x.dtype, np.float32)
    slopes = [
        jnp.einsum(
            subscripts,
            _differentiation(n, boundary).astype(precise),
            x.astype(precise),
            precision=jax.lax.Precision.HIGHEST,
        )
        for subscripts, n in zip(("pq,bq...->bp...", "pq,byq...->byp..."), x.shape[1:3])
    ]
    v = jnp.asarray(velocity, precise).reshape(1, *x.shape[1:3], *(1,) * (x.ndim - 3), 2)
    return -(v[..., 0] * slopes[0] + v[..., 1] * slopes[1]).astype(x.dtype)


@functools.cache
def _differentiation(n: int, boundary: str) -> np.ndarray:
    """The matrix `[p, q]` that takes n samples to the slopes of their interpolant, per pixel."""
    if boundary == "circular":
        frequencies = 2j * np.pi * np.fft.fftfreq(n)
        if n % 2 == 0:
            frequencies[n // 2] = 0
        matrix = np.fft.ifft(frequencies[:, None] * np.fft.fft(np.eye(n), axis=0), axis=0).real
    elif boundary == "reflect":
        mirrored = np.concatenate([np.eye(n), np.eye(n)[::-1]])
        matrix = _differentiation(2 * n, "circular")[:n] @ mirrored
    else:
        raise ValueError(f'The boundary {boundary!r} is neither "reflect" nor "circular".')
    matrix.flags.writeable = False
    return matrix
