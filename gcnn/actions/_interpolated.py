"""Actions off the lattice: they interpolate, and say so in their names."""

import jax
import jax.numpy as jnp
from jax.scipy.ndimage import map_coordinates
from jaxtyping import Array, Float


def rotate_interpolated(
    x: Float[Array, "b y x c"], angle: Float[Array, ""] | float
) -> Float[Array, "b y x c"]:
    """Rotate images by any angle, counter-clockwise about the centre: not exact.

    Bilinear interpolation, zero outside. At multiples of 90° it agrees with
    `act_on_image(groups.p4(), …)` to rounding; in between it blurs, and an error measured
    through it contains the interpolation's own.

    Args:
      x: images `[b, y, x, c]`.
      angle: in radians.
    """
    ny, nx = x.shape[1:3]
    y0, x0 = (ny - 1) / 2, (nx - 1) / 2
    v, u = jnp.meshgrid(jnp.arange(ny) - y0, jnp.arange(nx) - x0, indexing="ij")
    c, s = jnp.cos(angle), jnp.sin(angle)
    source = [c * v + s * u + y0, -s * v + c * u + x0]  # g⁻¹p, since rows count downwards

    def one(image):  # [y, x]
        return map_coordinates(image, source, order=1, mode="constant")

    return jax.vmap(jax.vmap(one, in_axes=-1, out_axes=-1))(x).astype(x.dtype)
