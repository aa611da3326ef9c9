"""Up in resolution without parameters: nearest and linear interpolation at half-pixel centres."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array, Num

from ..actions import swapped_axes
from ..groups import Group
from ._window import check_field, check_separable, per_axis

_METHODS = ("nearest", "linear")
_PADDINGS = {"EDGE": "edge", "CIRCULAR": "wrap"}


def upsample(
    group: Group,
    x: Num[Array, "b *field"],
    factor: int | Sequence[int],
    method: str = "nearest",
    *,
    padding: str = "EDGE",
) -> Num[Array, "b *finer"]:
    """Interpolate to `factor` times as many pixels along each space axis.

    y(q) = Σ_p x(p) Π_a λ(q_a/f_a - p_a)

    over the axes a, with λ(t) = 1 for |t| < ½ and 0 beyond ("nearest"), or max(1 - |t|, 0)
    ("linear"). Positions count from the centre of the image (half-pixel centres, as in
    `jax.image.resize`), so that the fine grid is centred on the coarse one for every factor f and
    every size.

    Law: maps g·x to g·y for every element g. If "nearest", or with "CIRCULAR" padding, a circular
    shift of x by t pixels is one of y by f·t.

    Args:
      group: the group.
      x: image `[b, *space, c]` or regular field `[b, *space, h, c]`.
      factor: one integer, or one for each space axis; equal along axes that the group swaps.
      method: "nearest" (each pixel is repeated) or "linear" (bilinear, trilinear, ...; integers
        become float32).
      padding: what lies beyond the border, for "linear": "EDGE" (the pixel at the border) or
        "CIRCULAR" (the other side).

    Raises:
      ValueError: the factor is malformed or differs along axes that the group swaps; an unknown
        method or padding; or x is no field of the group.

    Example:
      >>> import jax.numpy as jnp
      >>> from gcnn import groups, nn
      >>> nn.upsample(groups.p4(), jnp.ones((2, 12, 16, 4, 10)), 2).shape
      (2, 24, 32, 4, 10)
    """
    check_separable("upsample", group, "GroupConvTranspose with an odd kernel")
    check_field("upsample", group, x.shape)
    factors = per_axis("upsample", group, "factor", factor)
    for what, given, known in (("method", method, _METHODS), ("padding", padding, _PADDINGS)):
        if given not in known:
            raise ValueError(f"upsample: {what} {given!r} is none of {', '.join(known)}.")
    for (a, b), g in swapped_axes(group).items():
        if factors[a] != factors[b]:
            raise ValueError(
                f"upsample: factor {factors} differs along axes {a} and {b}, which the element "
                f"{group.names[g]} of {group} swaps. Use equal factors along both, or a group "
                f"without this element."
            )
    if method == "linear" and not jnp.issubdtype(x.dtype, jnp.inexact):
        x = x.astype(jnp.float32)
    for axis, f in enumerate(factors, start=1):
        if method == "nearest":
            x = jnp.repeat(x, f, axis)
        else:
            x = _linear(x, axis, f, _PADDINGS[padding])
    return x


def _linear(x: Array, axis: int, f: int, mode: str) -> Array:
    """Each of the f fine pixels within a coarse one lies between it and the nearer neighbour."""
    n = x.shape[axis]
    widths = [(0, 0)] * x.ndim
    widths[axis] = (1, 1)
    padded = jnp.pad(x, widths, mode=mode)
    before = jax.lax.slice_in_dim(padded, 0, n, axis=axis)
    after = jax.lax.slice_in_dim(padded, 2, n + 2, axis=axis)
    phases = []
    for j in range(f):
        t = (2 * j + 1 - f) / (2 * f)  # from the centre of the coarse pixel, in (-½, ½)
        phases.append(x if t == 0 else (1 - abs(t)) * x + abs(t) * (before if t < 0 else after))
    y = jnp.stack(phases, axis=axis + 1)
    return y.reshape(*x.shape[:axis], f * n, *x.shape[axis + 1 :])
