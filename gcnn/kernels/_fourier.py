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

from ..actions import act_on_space, preserved_pixels
from ..groups import Group, real_irreps
from ._bank import checked_taps
from ._transform import combined, transformed

Pads = Sequence[tuple[int, int]]


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
    size, (i, o) = tuple(weight.shape[:d]), weight.shape[-2:]
    own, wide = x.dtype, jnp.promote_types(x.dtype, jnp.float32)  # sums of 16 bits would round
    x, weight = x.astype(wide), weight.astype(wide)
    patches = _twisted_patches(group, x, size, strides, pads, dilation)
    shape = patches[0].shape[:-1]
    patches = [z.reshape(-1, z.shape[-1]) for z in patches]
    psi = _twisted_weights(group, weight).reshape(math.prod(size), n, i, o)
    taps = _taps(group, size)
    if len(taps) < len(psi):
        psi = psi[np.array(taps)]

    parts: list[tuple[np.ndarray, Array]] = []  # what each coefficient is to all slots, and itself
    for rho, coefficients in zip(real_irreps(group), transformed(group, patches), strict=True):
        matrices = jnp.asarray(rho.matrices, weight.dtype)
        blocks = jnp.einsum("duio,uab->bdiao", psi, matrices, precision=precision)
        blocks = blocks.reshape(rho.d, len(taps) * i, rho.d * o)
        for j in range(rho.m):
            products = [
                jnp.matmul(z, block, precision=precision)
                for z, block in zip(coefficients[j], blocks, strict=True)
            ]
            y = functools.reduce(jnp.add, products)
            values = jnp.split(y, rho.d, axis=-1)
            parts += [(rho.d * rho.matrices[:, j, a], values[a]) for a in range(rho.d)]
    # ρ is not normalised before the division by |H|: where its entries are integers, integer
    # data leave no rounding in any of the sums
    basis = np.stack([function for function, _ in parts], axis=-1)  # [h, coefficient]
    values = [value for _, value in parts]
    slots = [combined(basis[h], values) / n for h in range(n)]
    return jnp.stack(slots, axis=-2).reshape(*shape, n, o).astype(own)


def block_products(group: Group) -> int:
    """Σ_ρ d²·m, the products of C x C matrices that the blocks take; a bank takes |H|².

    Example:
      >>> from gcnn import groups, kernels
      >>> kernels.block_products(groups.p4m()), groups.p4m().order ** 2
      (12, 64)
    """
    return sum(rho.d**2 * rho.m for rho in real_irreps(group))


def _twisted_patches(
    group: Group,
    x: Array,
    size: Sequence[int],
    strides: Sequence[int],
    pads: Pads,
    dilation: Sequence[int],
) -> list[Array]:
    """z(p, k, ·) for each slot k: `[b, *space_out, d·i]`, offset d of slot k read at k·d."""
    dim, channels = group.dim, x.shape[-1]
    slots = jax.lax.split(x, (1,) * group.order, axis=x.ndim - 2)
    # a barrier, or XLA fuses the sum of all slots' gradients into one loop with a branch for each
    slots = jax.lax.optimization_barrier([jnp.squeeze(slot, -2) for slot in slots])
    found = []
    for k, slot in enumerate(slots):
        slot = jax.lax.pad(
            slot, np.zeros((), slot.dtype), ((0, 0, 0), *((*p, 0) for p in pads), (0, 0, 0))
        )
        pieces = []
        for first in _offsets(group, k, tuple(size)):
            start = [f * e for f, e in zip(first, dilation)]
            extent = [e * (u - 1) for u, e in zip(size, dilation)]
            stop = [n - e + f for n, e, f in zip(slot.shape[1 : 1 + dim], extent, start)]
            piece = jax.lax.slice(
                slot, (0, *start, 0), (len(slot), *stop, channels), (1, *strides, 1)
            )
            pieces.append(piece)
        found.append(jnp.concatenate(pieces, axis=-1))
    return found


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


def _twisted_weights(group: Group, weight: Array) -> Array:
    """ψ(d, u) = W(u·d, u), `[*d, u, i, o]`."""
    d = group.dim
    slots = [
        act_on_space(group, int(group.inverse[u]), weight[(slice(None),) * d + (u,)], range(d))
        for u in range(group.order)
    ]
    return jnp.stack(slots, axis=d)
