"""A basis of an irreducible representation that shows its complex or quaternionic structure."""

import numpy as np


def adapted_basis(rho: np.ndarray, e: int) -> np.ndarray:
    """An orthonormal basis `[d, d]`, column p·m + j being J_p v_j, with J_p the imaginary units.

    Another basis of the same representation leads to the same matrices of ρ, up to rounding:
    v_0 is in an eigenspace of an element, where one has the least dimension e, and the others
    come from the orbit of v_0, in the order of the elements.

    Args:
      rho: an orthogonal representation `[h, d, d]`, irreducible over the reals.
      e: the dimension of its commutant.
    """
    d = rho.shape[-1]
    first = _first_vector(rho, e)
    units = _units(rho, e, first)
    blocks = [np.stack([unit @ first for unit in units], axis=1)]  # [d, p] for each j
    for vector in rho @ first:
        if len(blocks) * e == d:
            break
        known = np.concatenate(blocks, axis=1)
        rest = vector - known @ (known.T @ vector)
        if (norm := np.linalg.norm(rest)) > 1e-3:
            blocks.append(np.stack([unit @ (rest / norm) for unit in units], axis=1))
    return np.stack(blocks, axis=2).reshape(d, d)


def _first_vector(rho: np.ndarray, e: int) -> np.ndarray:
    """A unit vector of an eigenspace of dimension e of an element, to an eigenvalue 1 or -1.

    Of several, the first whose orbit is at right angles to it most often: ρ is sparse then.
    """
    found = [vector for matrix in rho for vector in _eigenvectors(matrix, e)]
    if found:
        return max(found, key=lambda v: (np.abs(rho @ v @ v) < 1e-6).sum())
    # No element has one: an eigenspace of a symmetric sum of all ρ(g) that is like no other.
    weights = np.random.default_rng(len(rho)).standard_normal(len(rho))
    mixed = np.einsum("g,gij->ij", weights, rho)
    return np.linalg.eigh(mixed + mixed.T)[1][:, -1]


def _eigenvectors(matrix: np.ndarray, e: int) -> list[np.ndarray]:
    """One vector of each eigenspace of dimension e to the eigenvalues 1 and -1."""
    values, vectors = np.linalg.eigh(matrix + matrix.T)
    spaces = [vectors[:, np.abs(values - 2 * sign) < 1e-6] for sign in (1, -1)]
    return [space[:, 0] for space in spaces if space.shape[1] == e]


def _units(rho: np.ndarray, e: int, first: np.ndarray) -> list[np.ndarray]:
    """1 and the imaginary units J_p of the commutant, J_1 v_0 and J_2 v_0 met along the orbit."""
    d = rho.shape[-1]
    units = [np.eye(d)]
    for vector in rho @ first:
        if len(units) == min(e, 3):
            break
        # The element of the commutant that is nearest to v_0 ↦ vector - (what is known of it).
        rest = vector - sum(u @ first * (u @ first @ vector) for u in units)
        image = np.einsum("gij,j,k,glk->il", rho, rest, first, rho, optimize=True)
        image = image - sum(u * np.sum(u * image) / d for u in units)
        if (norm := np.linalg.norm(image) / d**0.5) > 1e-3:
            units.append(image / norm)
    return [*units, units[1] @ units[2]] if e == 4 else units
