"""A representation as a value: a group, and a matrix for each of its elements."""

import functools
from dataclasses import dataclass, field

import numpy as np

from ..groups import Group, multiplicities

_TOLERANCE = 1e-9  # matrices are float64, with entries of the order of 1


@dataclass(frozen=True, eq=False, repr=False)
class Representation:
    """A real representation of the point group, ρ: H → GL(dim).

    ρ(gh) = ρ(g) ρ(h)

    A value, frozen and hashable: two are equal if their groups and their matrices are equal,
    entry by entry. Equivalent ones, which differ by a basis, are not equal, and have the same
    `multiplicities`. The matrices are read-only.

    Args:
      group: the group H.
      matrices: ρ, `[h, dim, dim]`, with `matrices[h]` the matrix of element h.
      name: what a person calls it; it does not take part in comparisons.

    Raises:
      ValueError: the shape is another, or the matrices do not multiply as the elements do; the
        message names two elements that show it.

    Example:
      >>> from gcnn import groups, representations
      >>> p4 = groups.p4()
      >>> representations.regular(p4)
      Representation(regular: dimension 4, of p4)
      >>> representations.regular(p4).multiplicities  # of groups.real_irreps(p4)
      (1, 1, 1)
    """

    group: Group
    matrices: np.ndarray
    name: str = field(default="ρ")

    def __post_init__(self) -> None:
        """Check shape and homomorphism."""
        matrices = np.array(self.matrices, dtype=np.float64) + 0.0  # no -0, which has other bytes
        n = self.group.order
        if matrices.ndim != 3 or len(matrices) != n or matrices.shape[1] != matrices.shape[2]:
            raise ValueError(
                f"A representation of {self.group} is [{n}, dim, dim], a matrix for each element, "
                f"got shape {matrices.shape}."
            )
        if matrices.shape[1] == 0:
            raise ValueError(f"A representation of {self.group} needs at least one component.")
        self._check_products(matrices)
        matrices.setflags(write=False)
        object.__setattr__(self, "matrices", matrices)

    def _check_products(self, matrices: np.ndarray) -> None:
        """ρ(g) ρ(s) = ρ(gs) for the generators s, and ρ(e) = 1: all others follow."""
        names = self.group.names
        e = self.group.identity
        if np.abs(matrices[e] - np.eye(matrices.shape[1])).max() > _TOLERANCE:
            raise ValueError(
                f"The matrix of e in a representation of {self.group} is the identity, got "
                f"{matrices[e].tolist()}."
            )
        for s in self.group.generators:
            errors = np.abs(matrices @ matrices[s] - matrices[self.group.product[:, s]])
            worst = errors.max(axis=(1, 2))
            if (g := int(worst.argmax()), worst.max())[1] > _TOLERANCE:
                raise ValueError(
                    f"No representation of {self.group}: ρ({names[g]}) ρ({names[s]}) is not "
                    f"ρ({names[int(self.group.product[g, s])]}), but off by {worst.max():.1e}."
                )

    def __eq__(self, other: object) -> bool:
        """The same group, and the same matrices."""
        if self is other:
            return True
        if not isinstance(other, Representation):
            return NotImplemented
        return self.group == other.group and np.array_equal(self.matrices, other.matrices)

    def __hash__(self) -> int:
        """By group and matrices."""
        return self._hash

    @functools.cached_property
    def _hash(self) -> int:
        return hash((self.group, self.matrices.tobytes()))

    def __reduce__(self):
        """Pickle what it was made of."""
        return Representation, (self.group, self.matrices, self.name)

    def __repr__(self) -> str:
        """A line that a person can read."""
        return f"Representation({self.name}: dimension {self.dim}, of {self.group.name})"

    @property
    def dim(self) -> int:
        """The number of components of a field of it, the length of the axis before channels."""
        return self.matrices.shape[1]

    @functools.cached_property
    def character(self) -> np.ndarray:
        """χ(h) = tr ρ(h), `[h]`."""
        character = self.matrices.trace(axis1=1, axis2=2)
        character.setflags(write=False)
        return character

    @functools.cached_property
    def multiplicities(self) -> tuple[int, ...]:
        """How often it holds each of `groups.real_irreps(group)`; equal if equivalent."""
        return multiplicities(self.group, self.character)

    @functools.cached_property
    def sources(self) -> np.ndarray | None:
        """The permutations, `[g, i]`: (ρ(g) f)(i) = f(sources[g, i]); None if ρ is not of these."""
        if not np.isin(self.matrices, (0.0, 1.0)).all() or (self.matrices.sum(axis=2) != 1).any():
            return None  # an invertible matrix with a single 1 in each row is a permutation
        sources = self.matrices.argmax(axis=2)
        sources.setflags(write=False)
        return sources

    @property
    def is_permutation(self) -> bool:
        """Whether every ρ(g) permutes the components: what acts on each alone is equivariant."""
        return self.sources is not None

    @functools.cached_property
    def is_orthogonal(self) -> bool:
        """Whether every ρ(g) preserves the length of a vector: ρ(g)ᵀ = ρ(g⁻¹)."""
        inverses = self.matrices[self.group.inverse]
        return bool(np.abs(self.matrices.swapaxes(1, 2) - inverses).max() < _TOLERANCE)
