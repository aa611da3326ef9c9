"""The quotient of a group by a normal subgroup: an abstract group, without matrices."""

import functools
from dataclasses import dataclass

import numpy as np

from ._group import Group
from ._subgroups import conjugate_subgroup


@dataclass(frozen=True)
class QuotientGroup:
    """The group H/K of the cosets of a normal subgroup K, (gK)(hK) = ghK.

    A value, frozen and hashable, with the tables of a group but no matrices: its elements do not
    move positions. The map h ↦ hK keeps products, and K is what it sends to the identity.

    Args:
      group: the group H.
      kernel: the elements of K, by their indices.

    Raises:
      ValueError: the elements are not a subgroup, or it is not normal; the message names the
        elements that show it.

    Example:
      >>> from gcnn import groups
      >>> quotient = groups.QuotientGroup(groups.p4m(), kernel=(0, 2))
      >>> quotient.order, quotient.coset_of.tolist()
      (4, [0, 1, 0, 1, 2, 3, 2, 3])
      >>> quotient.product.tolist()
      [[0, 1, 2, 3], [1, 0, 3, 2], [2, 3, 0, 1], [3, 2, 1, 0]]
    """

    group: Group
    kernel: tuple[int, ...]

    def __post_init__(self) -> None:
        """Sort the kernel, and check that it is a normal subgroup."""
        k = tuple(sorted(self.kernel))
        object.__setattr__(self, "kernel", k)
        self.group.left_cosets(k)  # refuses what is no subgroup
        names = self.group.names
        for g in self.group.generators:
            if outside := set(conjugate_subgroup(self.group, g, k)) - set(k):
                raise ValueError(
                    f"The subgroup {[names[i] for i in k]} of {self.group} is not normal, so that "
                    f"its cosets have no product: conjugation by {names[g]} gives "
                    f"{names[min(outside)]}, which is outside. See groups.normal_subgroups."
                )

    @property
    def order(self) -> int:
        """|H|/|K|."""
        return len(self.cosets)

    @functools.cached_property
    def cosets(self) -> tuple[tuple[int, ...], ...]:
        """The elements: `cosets[i]` holds the indices of the elements of H in it."""
        return self.group.left_cosets(self.kernel)

    @functools.cached_property
    def coset_of(self) -> np.ndarray:
        """The map of H onto H/K: `coset_of[h]` is the index of hK."""
        table = np.empty(self.group.order, dtype=np.int64)
        for i, coset in enumerate(self.cosets):
            table[list(coset)] = i
        return _frozen(table)

    @functools.cached_property
    def product(self) -> np.ndarray:
        """The Cayley table: `product[i, j]` is the index of the product of cosets i and j."""
        first = [coset[0] for coset in self.cosets]
        return _frozen(self.coset_of[self.group.product[np.ix_(first, first)]])

    @property
    def identity(self) -> int:
        """The index of K itself."""
        return int(self.coset_of[self.group.identity])

    @functools.cached_property
    def inverse(self) -> np.ndarray:
        """`inverse[i]` is the index of the inverse of coset i."""
        return _frozen(np.argmax(self.product == self.identity, axis=1))

    def __reduce__(self):
        """Pickle the group and the kernel alone: the tables are cheap, and read-only."""
        return QuotientGroup, (self.group, self.kernel)


def _frozen(table: np.ndarray) -> np.ndarray:
    table.setflags(write=False)
    return table
