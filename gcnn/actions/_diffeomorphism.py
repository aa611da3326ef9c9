"""Smooth warps: images moved along a displacement field, and random fields of maximal entropy.

A displacement field d `[y, x, 2]` is in pixels, rows first, and moves the content of an image:

    y(p) = x(p - d(p)).

The random fields are those of L. Petrini, A. Favero, M. Geiger, M. Wyart, "Relative stability
toward diffeomorphisms indicates performance in deep nets", NeurIPS 2021, section 2.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.ndimage import map_coordinates
from jaxtyping import Array, Bool, Float, PRNGKeyArray


def warp_interpolated(
    x: Float[Array, "b y x *field"], displacement: Float[Array, "*batch rows columns 2"]
) -> Float[Array, "b y x *field"]:
    """Move images along a displacement field: not exact.

    Law: y(p) = x(p - d(p)), by bilinear interpolation, with p - d(p) clamped to the image. Where
    the displacement is a whole number of pixels, nothing is rounded.

    Args:
      x: images `[b, y, x, c]`. More axes behind the space axes are moved alike: a warp says
        nothing about a group axis.
      displacement: d(p) in pixels, rows first: `[y, x, 2]`, or one for each image
        `[b, y, x, 2]`.

    Raises:
      ValueError: the field is not of the images' size.

    Example:
      >>> import jax.numpy as jnp
      >>> from gcnn import actions
      >>> x = jnp.arange(4.0).reshape(1, 1, 4, 1)
      >>> actions.warp_interpolated(x, jnp.full((1, 4, 2), 0.5)).ravel().tolist()
      [0.0, 0.5, 1.5, 2.5]
    """
    b, ny, nx = x.shape[:3]
    if displacement.shape not in ((ny, nx, 2), (b, ny, nx, 2)):
        raise ValueError(
            f"The displacement of images of shape {x.shape} should be [{ny}, {nx}, 2], or "
            f"[{b}, {ny}, {nx}, 2] with one field for each image, got {displacement.shape}."
        )
    grid = jnp.stack(jnp.meshgrid(jnp.arange(ny), jnp.arange(nx), indexing="ij"), axis=-1)
    source = jnp.broadcast_to(grid.astype(displacement.dtype) - displacement, (b, ny, nx, 2))
    precise = np.promote_types(x.dtype, np.float32)

    def one(channel, source):  # [y, x], [y, x, 2]
        return map_coordinates(channel, [source[..., 0], source[..., 1]], order=1, mode="nearest")

    channels = jax.vmap(one, in_axes=(-1, None), out_axes=-1)
    y = jax.vmap(channels)(x.reshape(b, ny, nx, -1).astype(precise), source.astype(precise))
    return y.reshape(x.shape).astype(x.dtype)


def max_entropy_displacement(
    key: PRNGKeyArray,
    size: int | tuple[int, int],
    cut: int,
    temperature: Float[Array, ""] | float,
    batch_shape: tuple[int, ...] = (),
) -> Float[Array, "*batch y x 2"]:
    """Random smooth displacement fields: the Gaussian ones of maximal entropy.

    With s and t running from 0 to 1 over the rows and the columns, either component of the
    displacement along an axis of n pixels is √T n u, where

        u(s, t) = Σ_ij C_ij sin(iπs) sin(jπt),  C_ij ~ N(0, 1/(i² + j²)) independent,

    the sum taken over i, j ≥ 1 with √(i² + j²) < cut + 1/2. So the border stays where it is.

    Args:
      key: a random key.
      size: of the images, (ny, nx) pixels, or one number for both.
      cut: the highest frequency, in half periods per side; a low one makes the field smooth.
      temperature: T; see `temperature_of`.
      batch_shape: axes of independent fields to put in front.

    Returns:
      The fields, in pixels, `[*batch_shape, y, x, 2]`.

    Raises:
      ValueError: the pixels do not resolve the highest frequency.
    """
    ny, nx = _sides(size, cut)
    squares = _mode_squares(cut)
    deviation = np.where(squares > 0, 1 / np.sqrt(np.maximum(squares, 1)), 0)
    c = jax.random.normal(key, (*batch_shape, 2, cut, cut))  # [..., d, i, j]
    c = c * deviation.astype(c.dtype)
    sines = [_sines(n, cut).astype(c.dtype) for n in (ny, nx)]
    u = jnp.einsum("...dij,yi,xj->...yxd", c, *sines, precision=jax.lax.Precision.HIGHEST)
    return jnp.sqrt(jnp.asarray(temperature, c.dtype)) * u * np.array([ny, nx], c.dtype)


def temperature_of(delta: float, size: int | tuple[int, int], cut: int) -> float:
    """The temperature at which the displacement is delta pixels.

    delta is the root mean square of ‖d(p)‖ over all pixels p and all fields. For n × n pixels

        T = 2 δ² / ((n - 1)² S),  S = Σ_ij 1/(i² + j²) over the modes of the field,

    exactly, and for other images T = 4 δ² ny nx / ((ny² + nx²) (ny - 1) (nx - 1) S). The paper's
    typical displacement is the leading term (n/2) √(πT ln cut) of nδ/(n - 1): at the same T it is
    1.19 times as large for cut = 3, and 1.16 times for 5.

    Below half a pixel, the interpolation is most of what one sees of a warp. Above n/(π cut)
    pixels, delta is refused: most fields fold there, and are no diffeomorphisms. For cut = 3 it
    is two thirds of them at that bound, one in forty at half of it and next to none at a third;
    `folds` tells.

    Args:
      delta: in pixels, not negative.
      size: of the images, (ny, nx) pixels, or one number for both.
      cut: the highest frequency of the field.

    Raises:
      ValueError: delta is negative, or above n/(π cut).

    Example:
      >>> from gcnn import actions
      >>> print(f"{actions.temperature_of(1.0, 28, cut=3):.5f}")
      0.00224
    """
    ny, nx = _sides(size, cut)
    largest = math.sqrt((ny**2 + nx**2) / 2) / (math.pi * cut)
    if not 0 <= delta <= largest:
        raise ValueError(
            f"A displacement of delta = {delta} pixels is outside the range from 0 to n/(π cut) = "
            f"{largest:.2f} in which random fields with cut = {cut} are diffeomorphisms of "
            f"{ny} x {nx} pixels; above, most of them fold. Use a smaller delta or cut, or larger "
            f"images."
        )
    squares = _mode_squares(cut)
    total = (1 / squares[squares > 0]).sum()
    return float(4 * delta**2 * ny * nx / ((ny**2 + nx**2) * (ny - 1) * (nx - 1) * total))


def folds(displacement: Float[Array, "*batch y x 2"]) -> Bool[Array, "*batch"]:
    """Whether p ↦ p - d(p) folds the image over itself somewhere, so that it cannot be undone.

    It does if the determinant of its derivative, taken between neighbouring pixels, is not
    positive everywhere.

    Args:
      displacement: fields in pixels, `[*batch, y, x, 2]`.
    """
    down = displacement[..., 1:, :-1, :] - displacement[..., :-1, :-1, :]  # ∂d/∂y
    across = displacement[..., :-1, 1:, :] - displacement[..., :-1, :-1, :]  # ∂d/∂x
    determinant = (1 - down[..., 0]) * (1 - across[..., 1]) - down[..., 1] * across[..., 0]
    return jnp.any(determinant <= 0, axis=(-2, -1))


def _sides(size: int | tuple[int, int], cut: int) -> tuple[int, int]:
    ny, nx = (size, size) if isinstance(size, int) else size
    if not 1 <= cut <= min(ny, nx) - 2:
        raise ValueError(
            f"cut = {cut} should be between 1 and {min(ny, nx) - 2}, two less than the shorter "
            f"side of {ny} x {nx} pixels: the pixels cannot show a higher frequency."
        )
    return ny, nx


def _mode_squares(cut: int) -> np.ndarray:
    """i² + j² `[i, j]` for the modes of a field, 0 for those that it leaves out."""
    k = np.arange(1, cut + 1)
    squares = k[:, None] ** 2 + k**2
    return np.where(np.sqrt(squares) < cut + 0.5, squares, 0)


def _sines(n: int, cut: int) -> np.ndarray:
    """sin(iπs) `[s, i]` at n points from 0 to 1."""
    sines = np.sin(np.pi * np.linspace(0, 1, n)[:, None] * np.arange(1, cut + 1))
    sines[-1] = 0  # sin(iπ), which floating point does not make zero
    return sines
