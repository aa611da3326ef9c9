"""Characters: the table of a group, and how often a representation holds each irreducible one."""

import functools

import numpy as np

from ._group import Group
from ._irreps import real_irreps


@functools.cache
def character_table(group: Group) -> np.ndarray:
    """The characters of the irreducible representations over the complex numbers, `[r, c]`.

    Σ_c |c| χ_r(c) χ_s(c)* = |H| δ_rs,  Σ_r χ_r(b) χ_r(c)* = δ_bc |H| / |c|,  Σ_r χ_r(e)² = |H|

    Columns are `group.conjugacy_classes`, and there are as many rows. Rows are in the order of
    `real_irreps`: one of real type has its own character, one of complex type gives two rows,
    conjugate to each other, and one of quaternionic type twice the same, of which one row is left.

    Returns:
      A read-only array of complex numbers.

    Example:
      >>> from gcnn import groups
      >>> groups.character_table(groups.p4m()).real.astype(int).tolist()
      [[1, 1, 1, 1, 1], [1, 1, 1, -1, -1], [1, -1, 1, 1, -1], [1, -1, 1, -1, 1], [2, 0, -2, 0, 0]]
    """
    rows: list[np.ndarray] = []
    for rho in real_irreps(group):
        if rho.endomorphisms == 2:  # ρ = [[A, -B], [B, A]] is U + U* with U = A + iB
            a, b = rho.matrices[:, : rho.m, : rho.m], rho.matrices[:, rho.m :, : rho.m]
            u = (a + 1j * b).trace(axis1=1, axis2=2)
            rows += [u, u.conj()]
        else:
            rows.append(rho.character / max(1, rho.endomorphisms // 2) + 0j)
    table = np.stack(rows)[:, [members[0] for members in group.conjugacy_classes]] + 0.0
    table.setflags(write=False)
    return table


def multiplicities(group: Group, character: np.ndarray) -> tuple[int, ...]:
    """How often each of `real_irreps` occurs in a representation over the reals.

    n_ρ = (1/(e|H|)) Σ_h χ(h) χ_ρ(h)

    Args:
      group: the group.
      character: χ, `[h]`, the traces of the representation's matrices.

    Raises:
      ValueError: no representation has this character.

    Example:
      >>> from gcnn import groups
      >>> p4m = groups.p4m()
      >>> groups.multiplicities(p4m, p4m.matrices.trace(axis1=1, axis2=2))  # vectors
      (0, 0, 0, 0, 1)
    """
    chi = np.asarray(character)
    if chi.shape != (group.order,):
        raise ValueError(
            f"A character of {group} has one value for each of its {group.order} elements, got "
            f"shape {chi.shape}."
        )
    irreps = real_irreps(group)
    means = [float(np.mean(chi * rho.character)) / rho.endomorphisms for rho in irreps]
    counts = tuple(round(mean) for mean in means)
    sums = sum((n * rho.character for n, rho in zip(counts, irreps)), np.zeros(group.order))
    if min(counts) < 0 or np.abs(sums - chi).max() > 1e-6 * max(1.0, float(np.abs(chi).max())):
        raise ValueError(
            f"{chi.tolist()} is the character of no real representation of {group}: it would hold "
            f"{irreps} {[round(mean, 3) for mean in means]} times."
        )
    return counts
