"""The real irreducible representations of a finite group, and the Fourier transform they make.

Method: what commutes with all left translations of functions on H are the right translations and
their sums. A symmetric such sum, with random coefficients, has eigenspaces that are irreducible
over the reals, and every irreducible representation is among them (Dixon 1970, "Computing
irreducible representations of groups", has the same idea over the complex numbers).
"""

import functools
from dataclasses import dataclass

import numpy as np

from ._adapted_basis import adapted_basis
from ._group import Group

_EXACT = np.array([v * s for v in (0.0, 0.5, 0.5**0.5, 0.75**0.5, 1.0) for s in (1, -1)])
# (1/|H|) Σ χ(h²), the indicator of Frobenius and Schur, and (1/|H|) Σ χ(h)², of an irreducible
# representation of real, complex and quaternionic type; a sum of some has other pairs.
_IRREDUCIBLE = {(1, 1), (0, 2), (-2, 4)}


@dataclass(frozen=True, eq=False)
class Irrep:
    """An orthogonal representation ρ on R^d that no subspace but 0 and R^d is closed under.

    ρ(gh) = ρ(g) ρ(h),  ρ(g)ᵀ = ρ(g⁻¹)

    The matrices that commute with every ρ(g) are the real numbers, the complex numbers or the
    quaternions (Frobenius and Schur), of dimension e = 1, 2 or 4 over the reals. The basis is
    adapted to them: with J_0 = 1 and J_1, …, J_{e-1} the imaginary units, and d = e·m, basis
    vector p·m + j is J_p v_j, j < m. Hence the first m rows of ρ hold all of it.

    Two are equal if they are the same object: there is one of each for a group.

    Attributes:
      matrices: ρ, `[h, d, d]`, `matrices[h]` the matrix of element h.
      endomorphisms: e, the dimension of the commutant: 1 (real type), 2 (complex) or 4
        (quaternionic).
      name: the dimension, the type and a number: "1R0" is the trivial one.
    """

    matrices: np.ndarray
    endomorphisms: int
    name: str

    def __repr__(self) -> str:
        """A line that a person can read."""
        return f"Irrep({self.name})"

    @property
    def d(self) -> int:
        """The dimension of the space that ρ acts on."""
        return self.matrices.shape[-1]

    @property
    def m(self) -> int:
        """d/e, how often ρ occurs in the functions on the group."""
        return self.d // self.endomorphisms

    @functools.cached_property
    def character(self) -> np.ndarray:
        """χ(h) = tr ρ(h), `[h]`; (1/|H|) Σ_h χ(h)² = e."""
        return _frozen(np.trace(self.matrices, axis1=1, axis2=2))

    @functools.cached_property
    def coefficients(self) -> np.ndarray:
        """The Fourier basis functions F[h, a, j] = √(d/|H|) ρ(h)[j, a], `[h, a, j]`, j < m."""
        scale = (self.d / len(self.matrices)) ** 0.5
        return _frozen(np.ascontiguousarray(scale * self.matrices[:, : self.m].swapaxes(1, 2)))


@functools.cache
def real_irreps(group: Group) -> tuple[Irrep, ...]:
    """The irreducible representations over the reals, one of each, the trivial one first.

    Σ_ρ d² / e = |H|,  Σ_ρ d m = |H|

    They come by dimension, then by their characters, larger values first. Order and basis depend
    on the elements alone: no choice is left to the linear algebra of a machine, which may change
    the last digits. Entries are exact where they are 0, 1/2, √½, √3/2 or 1 up to a sign.

    Args:
      group: the group; the cost is an eigendecomposition of |H| x |H|.

    Example:
      >>> from gcnn import groups
      >>> groups.real_irreps(groups.p4())
      (Irrep(1R0), Irrep(1R1), Irrep(2C0))
      >>> groups.real_irreps(groups.p4())[2].matrices[1].tolist()
      [[0.0, -1.0], [1.0, 0.0]]
    """
    spaces = next(s for s in map(functools.partial(_spaces, group), range(64)) if s is not None)
    spaces.sort(key=lambda s: (s[0].shape[1], (-s[1]).tolist()))
    found: list[Irrep] = []
    for space, character in spaces:
        e = round(float(np.mean(character**2)))
        matrices = np.stack([space.T @ space[row] for row in group.product[group.inverse]])
        basis = adapted_basis(matrices, e)
        kind = f"{len(basis)}{'RC?H'[e - 1]}"
        number = sum(rho.name.startswith(kind) for rho in found)
        found.append(Irrep(_frozen(_snapped(basis.T @ matrices @ basis)), e, f"{kind}{number}"))
    return tuple(found)


@functools.cache
def fourier_matrix(group: Group) -> np.ndarray:
    """The orthogonal matrix of the Fourier transform on the group, `[h, n]`, n = (ρ, a, j).

    x̂[n] = Σ_h F[h, n] x(h),  x(h) = Σ_n F[h, n] x̂[n]

    n runs over `real_irreps`, then a, then j < m: the columns of ρ are its `coefficients`
    `[h, a, j]`, flattened. A translation acts on j, and a correlation on a:

    - x(g⁻¹h) has √(d/|H|) Σ_h ρ(h)[j, a] x(g⁻¹h) = Σ_i ρ(g)[j, i] x̂[a, i], with i < d;
    - y(h) = Σ_u x(hu) ψ(u) has ŷ[a, j] = Σ_b M[a, b] x̂[b, j], M = Σ_u ψ(u) ρ(u).

    Example:
      >>> from gcnn import groups
      >>> groups.fourier_matrix(groups.p4m()).shape
      (8, 8)
    """
    blocks = [rho.coefficients.reshape(group.order, -1) for rho in real_irreps(group)]
    return _frozen(np.concatenate(blocks, axis=1))


def _spaces(group: Group, seed: int) -> list[tuple[np.ndarray, np.ndarray]] | None:
    """One space of functions `[h, d]` of each character `[h]`, closed under x(h) ↦ x(g⁻¹h).

    None if an eigenvalue of two spaces is the same, by chance, so that they are not told apart.
    """
    a = np.random.default_rng(seed).standard_normal(group.order)
    a = a + a[group.inverse]
    # (S x)(h) = Σ_g a(g) x(hg) = Σ_k a(h⁻¹k) x(k)
    values, vectors = np.linalg.eigh(a[group.product[group.inverse]])
    gaps = np.flatnonzero(np.diff(values) > 1e-9 * np.abs(values).max())
    found: dict[tuple[float, ...], np.ndarray] = {}
    for space in np.split(vectors, gaps + 1, axis=1):
        projection = space @ space.T
        moved = projection[group.product, np.arange(group.order)]  # [g, h]: P[gh, h]
        character = np.round(moved.sum(axis=1), 6) + 0.0
        found.setdefault(tuple(character.tolist()), space)
    spaces = [(space, np.array(character)) for character, space in found.items()]
    squares = group.product.diagonal()
    kinds = {(round(np.mean(c[squares])), round(np.mean(c**2))) for _, c in spaces}
    return spaces if kinds <= _IRREDUCIBLE else None


def _snapped(matrices: np.ndarray) -> np.ndarray:
    """Entries within 1e-9 of a common exact value are that value."""
    nearest = _EXACT[np.abs(matrices[..., None] - _EXACT).argmin(axis=-1)] + 0.0
    return np.where(np.abs(matrices - nearest) < 1e-9, nearest, matrices)


def _frozen(table: np.ndarray) -> np.ndarray:
    table.setflags(write=False)
    return table
