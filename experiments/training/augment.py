"""Random changes of training images that do not change their class, drawn anew at every use."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key


@dataclasses.dataclass(frozen=True)
class Augment:
    """Turn, stretch, mirror and shift each image, in this order, by amounts of its own.

    The image is read once, at x'(p) = x(A p + t), by cubic convolution (Keys 1981, a = -1/2),
    so that doing several of these blurs no more than doing one. Beyond its edges the image is
    continued by its outermost pixels, and no value leaves the range of the image.

    Attributes:
      rotate: by an angle that is uniform on the whole circle.
      stretch: by exp(u) along one axis and exp(v) across it, u and v uniform in ± this, the axis
        uniform.
      mirror: left and right, half of the images.
      shift: by s pixels along each axis, s uniform in ± this.
    """

    rotate: bool = False
    stretch: float = 0.0
    mirror: bool = False
    shift: float = 0.0

    def __post_init__(self) -> None:
        """Refuse amounts that are none."""
        for what in ("stretch", "shift"):
            if getattr(self, what) < 0:
                raise ValueError(f"augment.{what} is {getattr(self, what)}; it must be 0 or more.")

    def __call__(self, key: Key[Array, ""], x: Float[Array, "b y x c"]) -> Float[Array, "b y x c"]:
        """A change of every image.

        Args:
          key: of this batch.
          x: images `[b, y, x, c]`.
        """
        if self == NO_CHANGE:
            return x
        angles, axes, factors, mirrored, shifts = jax.random.split(key, 5)
        b = len(x)
        matrix = jnp.broadcast_to(jnp.eye(2), (b, 2, 2))
        if self.rotate:
            matrix = _turn(jax.random.uniform(angles, (b,), maxval=2 * np.pi))
        if self.stretch:
            axis = _turn(jax.random.uniform(axes, (b,), maxval=2 * np.pi))
            factor = jnp.exp(self.stretch * _symmetric(factors, b))
            matrix = matrix @ jnp.einsum("bji,bj,bjk->bik", axis, factor, axis)
        if self.mirror:
            sign = jnp.where(jax.random.bernoulli(mirrored, shape=(b,)), -1.0, 1.0)
            matrix = matrix * jnp.stack([jnp.ones(b), sign], -1)[:, None]
        return read(x, matrix, self.shift * _symmetric(shifts, b))


NO_CHANGE = Augment()


def read(
    x: Float[Array, "b y x c"], matrix: Float[Array, "b 2 2"], shift: Float[Array, "b 2"]
) -> Float[Array, "b y x c"]:
    """x'(p) = x(A p + t), positions (row, column) counted from the centre of the image."""
    b, ny, nx, c = x.shape
    centre = jnp.array([(ny - 1) / 2, (nx - 1) / 2])
    grid = jnp.stack(jnp.meshgrid(jnp.arange(ny), jnp.arange(nx), indexing="ij"), -1) - centre
    position = jnp.einsum("bij,yxj->byxi", matrix, grid) + shift[:, None, None] + centre
    first = jnp.floor(position)
    weights = _keys(position - first)  # [b, y, x, 2, 4]
    # The 4 x 4 pixels around each position, in one gather from the continued image.
    continued = jnp.pad(x, ((0, 0), (4, 4), (4, 4), (0, 0)), mode="edge")
    corner = jnp.clip(first.astype(int), -3, jnp.array([ny, nx])) + 3
    image = jnp.broadcast_to(jnp.arange(b)[:, None, None, None], (b, ny, nx, 1))
    pixels = jax.lax.gather(
        continued,
        jnp.concatenate([image, corner], -1),
        jax.lax.GatherDimensionNumbers((3, 4, 5), (0,), (0, 1, 2)),
        (1, 4, 4, c),
        mode="promise_in_bounds",
    )  # [b, y, x, 4, 4, c]
    rows = (pixels * weights[..., 0, :, None, None]).sum(3)
    total = (rows * weights[..., 1, :, None]).sum(3)
    return jnp.clip(total, x.min((1, 2), keepdims=True), x.max((1, 2), keepdims=True))


def _turn(angle: Array) -> Array:
    c, s = jnp.cos(angle), jnp.sin(angle)
    return jnp.stack([jnp.stack([c, s], -1), jnp.stack([-s, c], -1)], -2)


def _symmetric(key: Array, b: int) -> Array:
    return jax.random.uniform(key, (b, 2), minval=-1.0, maxval=1.0)


def _keys(r: Array) -> Array:
    """Weights `[..., 4]` of the pixels -1 to 2 at positions r between 0 and 1."""
    return jnp.stack(
        [
            ((2 - r) * r - 1) * r / 2,
            ((3 * r - 5) * r * r + 2) / 2,
            ((4 - 3 * r) * r + 1) * r / 2,
            (r - 1) * r * r / 2,
        ],
        -1,
    )
