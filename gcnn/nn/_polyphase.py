"""Adaptive polyphase sampling: it commutes with circular shifts and with the group, exactly.

Every s-th pixel along each axis: there are s^d such grids, and a field x splits over them into
its polyphase components, one for each offset i,

x_i(q) = x(s·q + i),  i ∈ {0, ..., s-1}^d.

A circular shift of x permutes the components and rolls each of them. An element g, about the
centre of the array, turns each of them and carries it from i to g(i), where a mirror takes i to
s-1-i. A stride keeps the component i = 0 whatever x is. To keep the one with the largest norm
instead (Chaman & Dokmanic 2021, "Truly shift-invariant convolutional neural networks") commutes
with shifts; and with the group too, if the norm is taken over the group axis as well.

The choice is the *phase*, an array `[b, *s]`: one weight for each component, here 1 for one and 0
for the others. It moves with the field as an image of s x ... x s pixels does.
"""

import functools
import operator
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float

from ..actions import swapped_axes
from ..groups import Group
from ._window import check_field, check_separable, per_axis

# Relative difference, in epsilons, up to which two scores are equal. Sums of 10⁴ to 10⁷ squares,
# taken before and after a turn of the data, were seen to differ by up to 4 epsilons; the rounding
# of some layers before adds as much. In random fields of these sizes scores differ by 10³ and more.
_TIE = 64


def polyphase_phase(
    group: Group, x: Float[Array, "b *field"], strides: int | Sequence[int] = 2
) -> Float[Array, "b *s"]:
    """Weights over the polyphase components of each sample: 1 for the one of largest norm.

    phase(x) = one-hot(argmax_i Σ_q Σ_h Σ_c |x(s·q + i, h, c)|²)

    Law: phase(g·x) = g·phase(x) for every element g, which acts on the phase as on an image; and
    phase(T x) = T phase(x) for every circular shift T, which rolls the phase modulo s. So the
    same component is chosen, wherever it went. No gradient flows through the choice.

    Components tie if their norms differ by less than 64 epsilons, relative to the largest. They
    are then compared by their texture, Σ_q √(e·r), where e = Σ |x|² at a pixel and r is the sum of
    e over the 3 x ... x 3 pixels around. Those that tie again share the weight, so that both laws
    hold with ties as without. `PolyphasePool` says what ties do to the field that is sampled.

    Args:
      group: the group.
      x: image `[b, *space, c]` or regular field `[b, *space, h, c]`.
      strides: s, one integer, or one for each space axis; equal along axes that the group swaps.

    Returns:
      `[b, *s]`, in float32 or wider: element `[b, i]` is the weight of component i. The weights
      of a sample add up to 1.

    Raises:
      ValueError: the strides differ along axes that the group swaps, or do not divide the sides.
    """
    strides = checked_strides("polyphase_phase", group, strides)
    check_sides("polyphase_phase", group, x, strides)
    return choose(norm_and_texture(x, strides))


def polyphase_sample(
    group: Group, x: Float[Array, "b *field"], phase: Float[Array, "b *s"]
) -> Float[Array, "b *coarse"]:
    """Sample a field on the grid that the phase tells: the weighted sum of its components.

    y(q) = Σ_i phase(i) x(s·q + i)

    Law: sample(g·x, g·phase) = g·sample(x, phase) for every element g. A circular shift of both
    x and phase rolls y, if the phase has one weight alone.

    Args:
      group: the group.
      x: image `[b, *space, c]` or regular field `[b, *space, h, c]`.
      phase: `[b, *s]`, of x or of another field on the same grid, as in a residual branch.

    Raises:
      ValueError: the phase is not one of a batch of this size, or does not divide the sides.
    """
    strides = _strides_of("polyphase_sample", group, x, phase)
    check_sides("polyphase_sample", group, x, strides)
    x = split(x, strides)  # [b, y, s, x, s, ..., c]
    x = _weighted(_beside(phase, x.ndim), x)
    every = slice(None)
    # A sum of slices is twice as fast as a reduction on a CPU, forwards and backwards.
    parts = [x[(every, *(a for i in index for a in (every, i)))] for index in np.ndindex(strides)]
    return functools.reduce(operator.add, parts)


def polyphase_unsample(
    group: Group, y: Float[Array, "b *coarse"], phase: Float[Array, "b *s"]
) -> Float[Array, "b *field"]:
    """Put a coarse field back on the fine grid that the phase tells, with zeros in between.

    x(s·q + i) = phase(i) y(q)

    It is the transpose of `polyphase_sample`: a phase of one weight places values, and a shared
    weight shares them out, so that Σ x = Σ y. With BlurPool behind it, times s^d, it interpolates.

    Law: unsample(g·y, g·phase) = g·unsample(y, phase) for every element g. With the phase that x
    was sampled at, x ↦ unsample(f(sample(x))) commutes with every circular shift of the fine
    grid, if f commutes with those of the coarse grid, and the phase has one weight alone.

    Args:
      group: the group.
      y: image `[b, *space, c]` or regular field `[b, *space, h, c]`.
      phase: `[b, *s]`.

    Raises:
      ValueError: the phase is not one of a batch of this size.

    Example:
      >>> import jax.numpy as jnp
      >>> from gcnn import groups, nn
      >>> p4, x = groups.p4(), jnp.arange(32.0).reshape(1, 4, 4, 2)
      >>> phase = nn.polyphase_phase(p4, x)
      >>> phase[0].tolist()
      [[0.0, 0.0], [0.0, 1.0]]
      >>> y = nn.polyphase_sample(p4, x, phase)
      >>> y.shape, nn.polyphase_unsample(p4, y, phase).shape
      ((1, 2, 2, 2), (1, 4, 4, 2))
    """
    strides = _strides_of("polyphase_unsample", group, y, phase)
    check_field("polyphase_unsample", group, y.shape)
    d, rest = group.dim, y.shape[1 + group.dim :]
    coarse = y.shape[1 : 1 + d]
    y = y.reshape(y.shape[0], *(m for n in coarse for m in (n, 1)), *rest)  # [b, y, 1, x, 1, c]
    y = _weighted(_beside(phase, y.ndim), y)
    return y.reshape(y.shape[0], *(n * s for n, s in zip(coarse, strides, strict=True)), *rest)


class PolyphasePool(nnx.Module):
    """Downsampling by adaptive polyphase sampling (Chaman & Dokmanic 2021), under a group.

    y(q) = x(s·q + i),  i = argmax_i Σ_q Σ_h Σ_c |x(s·q + i, h, c)|²

    Law: the layer maps g·x to g·y for every element g, and a circular shift of x to a circular
    shift of y, both exactly. No gradient flows through the choice of i.

    Components that tie (see `polyphase_phase`) are averaged, and the first law holds as before. The
    second still does if they are equal, as in a constant field, or if all are rolls of each other,
    as with a period prime to s along every axis. Otherwise it can fail, as it must. For let R be a
    mirror and T a shift by one pixel, on N = 2M pixels with M even, and x = Rx, so that the mirror
    lies in the gap between two pixels. The first law asks that y = Ry, and the second that Tx is
    sampled to Tᵃy for some a, and T²x to Ty. Now R(Tx) = T⁻²(Tx) is sampled to R(Tᵃy) = T⁻ᵃy on the
    one side and to T⁻¹(Tᵃy) on the other, so that T²ᵃ⁻¹y = y. Modulo M there is no a with 2a = 1,
    and a law fails, unless y has a period. Fields so smooth that their components tie to rounding
    (in float32 a Gaussian of 2.5 pixels or wider) lose the second law too: rectify, then sample.

    Example:
      >>> import jax.numpy as jnp
      >>> from gcnn import groups, nn
      >>> nn.PolyphasePool(groups.p4())(jnp.ones((2, 28, 28, 4, 10))).shape
      (2, 14, 14, 4, 10)
    """

    def __init__(
        self, group: Group, strides: int | Sequence[int] = 2, *, rngs: nnx.Rngs | None = None
    ):
        """Create the layer.

        Args:
          group: the group.
          strides: s, one integer, or one for each space axis.
          rngs: not used; `nnx.bridge.to_linen` gives it to every layer.

        Raises:
          ValueError: the strides differ along axes that the group swaps.
        """
        del rngs
        self.group = group
        self.strides = checked_strides("PolyphasePool", group, strides)

    def phase(self, x: Float[Array, "b *field"]) -> Float[Array, "b *s"]:
        """The choice that the layer makes on x, for a residual branch or for unpooling."""
        return polyphase_phase(self.group, x, self.strides)

    def __call__(self, x: Float[Array, "b *field"]) -> Float[Array, "b *coarse"]:
        """Sample an image `[b, *space, c]` or a regular field `[b, *space, h, c]`.

        Raises:
          ValueError: the strides do not divide the sides.
        """
        return polyphase_sample(self.group, x, self.phase(x))


def checked_strides(layer: str, group: Group, strides: int | Sequence[int]) -> tuple[int, ...]:
    """One stride for each space axis, equal along those that the group swaps."""
    check_separable(layer, group, "a strided GroupConv with an odd kernel")
    strides = per_axis(layer, group, "strides", strides)
    for (a, b), g in swapped_axes(group).items():
        if strides[a] != strides[b]:
            raise ValueError(
                f"{layer}: strides {strides} differ along axes {a} and {b}, which the element "
                f"{group.names[g]} of {group} swaps. Use equal strides along both."
            )
    return strides


def check_sides(layer: str, group: Group, x: Array, strides: tuple[int, ...]) -> None:
    """Check that this is a field, with sides that the strides divide."""
    check_field(layer, group, x.shape)
    space = x.shape[1 : 1 + group.dim]
    if any(n % s for n, s in zip(space, strides, strict=True)):
        whole = tuple(-(-n // s) * s for n, s in zip(space, strides, strict=True))
        raise ValueError(
            f"{layer}: the sides {space} are not multiples of the strides {strides}, so that the "
            f"components differ in size. Pad the images to {whole}, or crop them."
        )


def split(x: Array, strides: tuple[int, ...]) -> Array:
    """`[b, *space, ...]` as `[b, q, i, q, i, ..., ...]`: each axis as position and offset."""
    d = len(strides)
    axes = [m for n, s in zip(x.shape[1 : 1 + d], strides, strict=True) for m in (n // s, s)]
    return x.reshape(x.shape[0], *axes, *x.shape[1 + d :])


def norm_and_texture(x: Array, strides: tuple[int, ...]) -> list[tuple[Array, Array]]:
    """Two scores of each component `[b, *s]`, invariant to its shifts and turns; each twice.

    A score comes with the scale of its rounding, and a sum of positive terms is its own.
    """
    d = len(strides)
    x = single_or_wider(jax.lax.stop_gradient(x))
    energy = jnp.sum(x * x, axis=range(1 + d, x.ndim))  # [b, *space]
    around = energy
    for axis in range(1, 1 + d):
        around = around + (jnp.roll(around, 1, axis) + jnp.roll(around, -1, axis))
    texture = jnp.sqrt(energy) * jnp.sqrt(around)
    sums = [jnp.sum(split(e, strides), axis=range(1, 2 * d + 1, 2)) for e in (energy, texture)]
    return [(s, s) for s in sums]


def single_or_wider(x: Array) -> Array:
    """In float32, if the type is coarser."""
    return x.astype(jnp.float32) if jnp.finfo(x.dtype).bits < 32 else x


def choose(scores: Sequence[tuple[Array, Array]]) -> Array:
    """The weights `[b, *s]`: equal ones on the components of the largest score, mostly one.

    Args:
      scores: pairs (score, scale), each `[b, *s]`. Where the first one ties the next one decides;
        a difference of 64 epsilons of the largest scale is a tie.
    """
    first, _ = scores[0]
    axes = tuple(range(1, first.ndim))
    tied = jnp.ones(first.shape, bool)
    for score, scale in scores:
        best = jnp.max(jnp.where(tied, score, -jnp.inf), axes, keepdims=True)
        margin = _TIE * jnp.finfo(score.dtype).eps * jnp.max(scale, axes, keepdims=True)
        tied &= (score >= best - margin) | (score == best)  # infinity equals itself
    count = jnp.sum(tied, axes, keepdims=True)
    share = jnp.where(count > 0, 1 / count.astype(first.dtype), jnp.nan)  # no score but NaN is best
    return jnp.where(tied | (count == 0), share, 0)


def _strides_of(layer: str, group: Group, x: Array, phase: Array) -> tuple[int, ...]:
    check_separable(layer, group, "a strided GroupConv with an odd kernel")
    if phase.ndim != group.dim + 1 or phase.shape[0] != x.shape[0]:
        raise ValueError(
            f"{layer} under {group} takes a phase [b, {group.dim} strides] with b = {x.shape[0]}, "
            f"got shape {phase.shape}. polyphase_phase returns one."
        )
    return phase.shape[1:]


def _beside(phase: Array, rank: int) -> Array:
    """`[b, *s]` as `[b, 1, s, 1, s, ..., 1]`, beside a split field of this rank."""
    axes = [m for s in phase.shape[1:] for m in (1, s)]
    return phase.reshape(phase.shape[0], *axes, *(1,) * (rank - 1 - len(axes)))


def _weighted(weight: Array, x: Array) -> Array:
    """The product, and 0 where the weight is: whatever a component left out may hold."""
    weight = weight.astype(x.dtype)
    return jnp.where(weight == 0, 0, weight * x)
