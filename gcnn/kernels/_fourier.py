"""A group convolution in the Fourier basis of H, where it falls apart into blocks.

With the twisted patches z(p, k, d) = x(p + k·d, k), read in the frame of each slot k,

y(p, h) = Σ_d Σ_k z(p, k, d) ψ(d, h⁻¹k),  ψ(d, u) = W(u·d, u),

which for every offset d is a correlation on H, and so, in the irreducible representations ρ of H,

ŷ(p)[a, j] = Σ_d Σ_b M(d)[a, b] ẑ(p, d)[b, j],  M(d) = Σ_u ψ(d, u) ρ(u):

Σ_ρ d²·m block products in place of |H|², with m = d/e: 12 for 64 under p4m, 6 for 16 under p4, 64
for 576 under the rotations of the cube. (Kondor & Trivedi 2018 have the theorem for kernels of
size 1; the frames make it one for kernels of any size.)
"""

import functools
import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Num

from ..actions import (
    act_on_group_axis,
    act_on_space,
    permute_axis,
    preserved_pixels,
    take_slots,
)
from ..groups import Group, real_irreps
from ._bank import checked_taps
from ._transform import restored, transformed

Pads = Sequence[tuple[int, int]]

# Taps for which a step of the loop is compiled (`benchmarks.convolution`): where there are few
# pixels, one, since compiling takes a thousand times as long as running.
_UNROLL, _FEW_PIXELS = 3, 1024


def fourier_convolution(
    group: Group,
    x: Num[Array, "b *space k i"],
    weight: Num[Array, "*u k i o"],
    strides: Sequence[int],
    pads: Pads,
    dilation: Sequence[int],
    precision: jax.lax.PrecisionLike = None,
) -> Num[Array, "b *space_out h o"]:
    """The group convolution of `group_bank`, evaluated in the irreducible representations of H.

    y(p, h, o) = Σ_u Σ_k Σ_i x(s·p + d·u, k, i) W(h⁻¹u, h⁻¹k, i, o)

    Only the order of additions differs from a convolution with the bank, and so the rounding.

    Args:
      group: the group.
      x: a regular field `[b, *space, k, i]`.
      weight: W, `[*u, k, i, o]`.
      strides: s, for each space axis.
      pads: zeros (lo, hi) around each space axis.
      dilation: d, for each space axis.
      precision: of the products, as in `jax.lax.dot_general`.

    Raises:
      ValueError: the group does not preserve the kernel's shape, or the axis k is not its own.
    """
    weight = checked_taps(group, weight, ("|H|", "in", "out"))
    d, n = group.dim, group.order
    for array, axis in ((x, x.ndim - 2), (weight, d)):
        act_on_group_axis(group, group.identity, array, axis)  # which checks it
    size, taps = weight.shape[:d], _taps(group, weight.shape[:d])
    psi = permute_axis(weight.reshape(-1, *weight.shape[-2:]), _twist(group, size), 0)
    psi = take_slots(psi.reshape(-1, n, *weight.shape[-2:]), taps, 0)
    offsets = np.stack([_offsets(group, k, size) for k in range(n)], axis=1) * dilation
    extent = tuple(e * (u - 1) for u, e in zip(size, dilation, strict=True))
    pads = tuple((int(lo), int(hi)) for lo, hi in pads)
    offsets = offsets.astype(np.int32)
    return _convolved(group, x, psi, offsets, extent, tuple(strides), pads, precision)


# Jitted, or each call would compile its loop. What tells groups of equal irreps apart is an
# argument: they share a program.
@functools.partial(jax.jit, static_argnums=(0, 4, 5, 6, 7))
def _convolved(
    group: Group,
    x: Array,
    psi: Array,
    offsets: Array,
    extent: tuple[int, ...],
    strides: tuple[int, ...],
    pads: Pads,
    precision: jax.lax.PrecisionLike,
) -> Array:
    """The convolution with ψ, `[tap, u, i, o]`; for slot k the taps lie at `offsets[:, k]`."""
    n, (i, o) = group.order, psi.shape[-2:]
    own, wide = x.dtype, jnp.promote_types(x.dtype, jnp.float32)  # sums of 16 bits would round
    x, psi = x.astype(wide), psi.astype(wide)
    rhos = real_irreps(group)
    entries = np.concatenate([rho.matrices.reshape(n, -1) for rho in rhos], axis=1)  # [u, ab of ρ]
    m = jnp.einsum("tuio,uc->tcio", psi, jnp.asarray(entries, wide), precision=precision)
    parts = jnp.split(m, np.cumsum([rho.d**2 for rho in rhos])[:-1], axis=1)
    blocks = []
    for rho, part in zip(rhos, parts, strict=True):
        block = part.reshape(-1, rho.d, rho.d, i, o).transpose(0, 2, 3, 1, 4)  # [tap, b, i, a, o]
        blocks.append(block.reshape(-1, rho.d * i, rho.d * o))

    slots = _padded_slots(x, pads)
    spans = [m - e for m, e in zip(slots[0].shape[1:-1], extent, strict=True)]
    shape = (x.shape[0], *(-(-m // s) for m, s in zip(spans, strides)))
    pixels = math.prod(shape)
    few = isinstance(pixels, int) and pixels < _FEW_PIXELS  # symbolic, where it is exported

    def add_tap(sums: list[Array], tap: tuple[Array, list[Array]]) -> tuple[list[Array], None]:
        offsets, block = tap
        patches = [
            _shifted(slot, offset, spans, strides)
            for slot, offset in zip(slots, offsets, strict=True)
        ]
        if few:  # or XLA makes every patch again in each sum, and compiles that
            patches = jax.lax.optimization_barrier(patches)
        rows = [
            jnp.matmul(jnp.concatenate(row, axis=-1).reshape(-1, len(m)), m, precision=precision)
            for coefficients, m in zip(transformed(group, patches), block, strict=True)
            for row in coefficients
        ]
        return [y + row for y, row in zip(sums, rows, strict=True)], None

    sums = [jnp.zeros((pixels, rho.d * o), wide) for rho in rhos for _ in range(rho.m)]
    each = offsets, blocks  # [tap, k, axis], [tap, b·i, a·o]
    if len(psi) == 1:
        sums, _ = add_tap(sums, jax.tree.map(lambda a: a[0], each))
    else:
        # a tap after the other, and again from the image when derivatives need it: all patches
        # together would not fit into a cache
        unroll = 1 if few else _UNROLL
        sums, _ = jax.lax.scan(jax.checkpoint(add_tap), sums, each, unroll=unroll)

    values = []
    rows = iter(sums)
    for rho in rhos:
        for _ in range(rho.m):
            values += jnp.split(next(rows), rho.d, axis=-1)
    # normalised at the very end: where the entries of ρ are integers, integer data leave no
    # rounding in any of the sums
    fields = [field / n for field in restored(group, values)]
    return jnp.stack(fields, axis=-2).reshape(*shape, n, o).astype(own)


def block_products(group: Group) -> int:
    """Σ_ρ d²·m, the products of C x C matrices that the blocks take; a bank takes |H|².

    Example:
      >>> from gcnn import groups, kernels
      >>> kernels.block_products(groups.p4m()), groups.p4m().order ** 2
      (12, 64)
    """
    return sum(rho.d**2 * rho.m for rho in real_irreps(group))


def _padded_slots(x: Array, pads: Pads) -> list[Array]:
    """The field of each slot, `[b, *space, i]`, with its zeros around it."""
    slots = jax.lax.split(x, (1,) * x.shape[-2], axis=x.ndim - 2)
    # a barrier, or XLA fuses the sum of all slots' gradients into one loop with a branch for each
    slots = jax.lax.optimization_barrier([jnp.squeeze(slot, -2) for slot in slots])
    config = ((0, 0, 0), *((*p, 0) for p in pads), (0, 0, 0))
    return [jax.lax.pad(slot, np.zeros((), slot.dtype), config) for slot in slots]


def _shifted(slot: Array, offset: Array, spans: Sequence[int], strides: Sequence[int]) -> Array:
    """x(s·p + offset) for all p of the output."""
    sizes = (slot.shape[0], *spans, slot.shape[-1])
    slot = jax.lax.dynamic_slice(slot, jnp.pad(offset, 1), sizes)
    if set(strides) == {1}:
        return slot
    return slot[(slice(None), *(slice(None, None, s) for s in strides))]


@functools.cache
def _offsets(group: Group, k: int, size: tuple[int, ...]) -> tuple[tuple[int, ...], ...]:
    """k·d for every tap d of a kernel, both counted from the kernel's first corner."""
    places = np.arange(math.prod(size)).reshape(size)
    turned = act_on_space(group, int(group.inverse[k]), places, range(len(size)))
    return tuple(
        tuple(int(c) for c in np.unravel_index(p, size))
        for p in turned.ravel()[list(_taps(group, size))]
    )


@functools.cache
def _taps(group: Group, size: tuple[int, ...]) -> tuple[int, ...]:
    """The flat indices of the kernel's taps: all, or a hexagon where the lattice is skewed."""
    return tuple(np.flatnonzero(preserved_pixels(group, size)).tolist())


@functools.lru_cache(maxsize=64)
def _twist(group: Group, size: tuple[int, ...]) -> np.ndarray:
    """Where ψ(d, u) = W(u·d, u) lies among the weights, as flat indices of `[*d, u]`."""
    places = np.arange(math.prod(size) * group.order).reshape(*size, group.order)
    slots = [
        act_on_space(group, int(group.inverse[u]), places[..., u], range(group.dim))
        for u in range(group.order)
    ]
    return np.stack(slots, axis=-1).ravel()
