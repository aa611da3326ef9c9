"""The matrices that a stabiliser leaves alone: a kernel at one offset, seen by what fixes it."""

import numpy as np

from ..representations import Representation

_NONZERO = 1e-6  # lengths of projected unit vectors are 0 up to rounding, or far from it
_EXACT = 1e-9  # entries this near to an integer are one


def invariant_maps(
    rho_in: Representation, rho_out: Representation, stabilizer: list[int]
) -> np.ndarray:
    """A basis of the maps K with ρ_out(s) K ρ_in(s)⁻¹ = K for all s in S, `[n, k, h]`.

    If both representations permute their components, S permutes pairs of components, and the
    basis has a map for each orbit: 1 on the orbit, and 0 elsewhere. In general it is made of
    averages over S of the maps with a single entry, each made orthogonal to those before it, in
    units of its largest entry.

    Args:
      rho_in: representation of the input.
      rho_out: representation of the output, of the same group.
      stabilizer: the elements of S, a subgroup, by their indices.
    """
    if rho_in.sources is not None and rho_out.sources is not None:
        sources_in, sources_out = rho_in.sources[stabilizer], rho_out.sources[stabilizer]
        pairs = sources_in[:, :, None] * rho_out.dim + sources_out[:, None, :]  # [s, k, h]
        first = pairs.min(axis=0)
        return (first == np.unique(first)[:, None, None]).astype(np.float64)
    back = rho_in.matrices[rho_in.group.inverse[stabilizer]]
    forth = rho_out.matrices[stabilizer]
    size = rho_in.dim * rho_out.dim
    # averages[(k, h), (K, H)]: the entry at (K, H) of the average of the map with entry (k, h)
    averages = np.einsum("skK,sHh->khKH", back, forth).reshape(size, size) / len(stabilizer)
    found = np.zeros((0, size))
    for average in averages:
        rest = average - found.T @ (found @ average)
        rest = rest - found.T @ (found @ rest)  # twice is enough
        if (length := np.linalg.norm(rest)) > _NONZERO:
            found = np.concatenate([found, rest[None] / length])
    sizes = np.abs(found)
    first = (sizes > (1 - _NONZERO) * sizes.max(axis=1, keepdims=True)).argmax(axis=1)  # of equals
    scaled = found / np.take_along_axis(found, first[:, None], axis=1)
    whole = np.round(scaled)
    scaled = np.where(np.abs(scaled - whole) < _EXACT, whole, scaled)
    return scaled.reshape(len(scaled), rho_in.dim, rho_out.dim) + 0.0
