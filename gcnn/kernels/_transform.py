"""The Fourier transform on H of arrays, one for each slot, in as few sums as there need to be."""

import functools
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ..groups import Group, real_irreps


def transformed(group: Group, slots: Sequence[Array]) -> list[list[list[Array]]]:
    """x̂_ρ[j][b] = Σ_h ρ(h)[j, b] x_h for every irreducible representation ρ, j < m and b < d.

    Args:
      group: the group.
      slots: x_h, arrays of one shape.
    """
    first, second = _stages(group)
    if first is not None:
        # a barrier, or XLA makes every sum again wherever it is used
        sums = [combined(row, slots) for row in first]
        slots = jax.lax.optimization_barrier(sums)
    values = iter([combined(row, slots) for row in second])
    return [[[next(values) for _ in range(rho.d)] for _ in range(rho.m)] for rho in
            real_irreps(group)]  # fmt: skip


def restored(group: Group, values: Sequence[Array]) -> list[Array]:
    """y_h = Σ_ρ d_ρ Σ_j Σ_b ρ(h)[j, b] ŷ_ρ[j][b]: |H| times the inverse of `transformed`.

    Not normalised, so that integers leave no rounding where the entries of ρ are integers.

    Args:
      group: the group.
      values: ŷ_ρ[j][b], in one list.
    """
    first, second = _stages(group)
    dims = np.concatenate([np.full(rho.m * rho.d, rho.d) for rho in real_irreps(group)])
    sums = [combined(column, values) for column in (dims[:, None] * second).T]
    if first is None:
        return sums
    sums = jax.lax.optimization_barrier(sums)
    return [combined(column, sums) for column in first.T]


def combined(coefficients: np.ndarray, arrays: Sequence[Array]) -> Array:
    """Σ_h c(h) x_h without the terms that are zero, those of equal |c| summed before they scale."""
    terms: dict[float, list[tuple[float, Array]]] = {}
    for c, array in zip(coefficients.tolist(), arrays, strict=True):
        if c:
            terms.setdefault(round(abs(c), 9), []).append((c, array))
    sums = []
    for signed in terms.values():
        signed.sort(key=lambda term: -term[0])
        factor, total = signed[0]
        for c, array in signed[1:]:
            total = total + array if c * factor > 0 else total - array
        sums.append(total if factor == 1 else factor * total)
    return functools.reduce(jnp.add, sums)


@functools.cache
def _stages(group: Group) -> tuple[np.ndarray | None, np.ndarray]:
    """The transform `[coefficient, h]`, as one matrix, or as two with fewer entries in all.

    Let K be the elements k for which every ρ(k) is diagonal, with signs χ_b(k). Then

    Σ_h ρ(h)[j, b] x_h = Σ_g ρ(g)[j, b] Σ_k χ_b(k) x_{gk},

    g running over the first elements of the cosets gK: the inner sums are shared by all ρ (Clausen
    1989 has the fast transform for chains of subgroups).
    """
    rhos = real_irreps(group)
    whole = np.concatenate([rho.matrices[:, : rho.m].reshape(group.order, -1).T for rho in rhos])
    off = [np.abs(rho.matrices * (1 - np.eye(rho.d))).max(axis=(1, 2)) for rho in rhos]
    diagonal = tuple(np.flatnonzero(np.max(off, axis=0) == 0).tolist())
    signs = [rho.matrices[list(diagonal), b, b] for rho in rhos for b in range(rho.d)]
    characters = np.unique(signs, axis=0)  # [χ, k]
    cosets = group.left_cosets(diagonal)
    inner = np.zeros((len(cosets), len(characters), group.order))
    for i, coset in enumerate(cosets):
        inner[i][:, coset] = characters
    outer = np.zeros((len(whole), *inner.shape[:2]))
    columns = [(rho, j, b) for rho in rhos for j in range(rho.m) for b in range(rho.d)]
    for row, (rho, j, b) in zip(outer, columns):
        sign = (characters == rho.matrices[list(diagonal), b, b]).all(axis=1).argmax()
        for i, coset in enumerate(cosets):
            row[i, sign] = rho.matrices[coset[0], j, b]
    first, second = inner.reshape(-1, group.order), outer.reshape(len(whole), -1)
    used = second.any(axis=0)
    first, second = first[used], second[:, used]
    both = np.count_nonzero(first) + np.count_nonzero(second) + len(first)  # sums are written, too
    return (None, whole) if both >= np.count_nonzero(whole) else (first, second)
