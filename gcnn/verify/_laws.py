"""The laws of a group and of its actions, as a report."""

import dataclasses
import itertools

import numpy as np

from ..actions import act_on_image, act_on_regular, skewed_axes
from ..groups import Group, axiom_violations
from ._table import table


@dataclasses.dataclass(frozen=True)
class LawReport:
    """Which laws hold, with the counter-example of those that do not.

    Attributes:
      group: the group's name and size.
      failures: for each law, "" or the counter-example.
    """

    group: str
    failures: dict[str, str]

    @property
    def holds(self) -> bool:
        """Whether every law holds."""
        return not any(self.failures.values())

    def to_dict(self) -> dict:
        """The report as JSON-ready values."""
        return {**dataclasses.asdict(self), "holds": self.holds}

    def __str__(self) -> str:
        """The report as a table."""
        rows = [(law, "no" if why else "yes", why) for law, why in self.failures.items()]
        return f"{self.group}\n{table(('law', 'holds', 'counter-example'), rows)}"


def group_laws(group: Group) -> LawReport:
    """Check the axioms, the matrices and the actions of a group, for all pairs of elements.

    - the Cayley table: closure, associativity, identity, inverse
    - the matrices: ρ(g)ρ(h) = ρ(gh)
    - images and regular fields: g·(h·f) = (gh)·f and e·f = f, on arrays of distinct entries, of
      even and odd sizes, so that two different permutations cannot agree; where the group skews
      the lattice, of the odd and equal sizes that it preserves

    A group that was built with `Group` fulfils the first two; the report shows it again from the
    tables as they are now.

    Args:
      group: the group.
    """
    violations = axiom_violations(group.product)
    failures = {
        axiom: next((v for v in violations if v.startswith(axiom)), "")
        for axiom in ("closure", "associativity", "identity", "inverse")
    }
    if failures["closure"]:
        laws = ("matrices multiply as the table", "action on images", "action on regular fields")
        later = "not defined: the table is not closed"
        return LawReport(str(group), failures | dict.fromkeys(laws, later))
    failures["matrices multiply as the table"] = _homomorphism(group)
    failures["action on images"] = _action(group, act_on_image, (1,))
    failures["action on regular fields"] = _action(group, act_on_regular, (group.order, 1))
    return LawReport(str(group), failures)


def _homomorphism(group: Group) -> str:
    for g, h in itertools.product(range(group.order), repeat=2):
        if (group.matrices[g] @ group.matrices[h] != group.matrices[group.product[g, h]]).any():
            return f"ρ({group.names[g]})ρ({group.names[h]}) is another matrix"
    return ""


def _action(group: Group, act, rest: tuple[int, ...]) -> str:
    for n in (4, 5):
        skewed = skewed_axes(group)
        sides = (2 * n - 3 if a in skewed else n + a for a in range(group.dim))
        shape = (1, *sides, *rest)  # unequal sides and both parities, where the group permits
        f = np.arange(np.prod(shape)).reshape(shape)
        moved = [act(group, g, f) for g in range(group.order)]
        if not np.array_equal(moved[group.identity], f):
            return "e·f is not f"
        for g, h in itertools.product(range(group.order), repeat=2):
            if not np.array_equal(act(group, g, moved[h]), moved[group.product[g, h]]):
                return (
                    f"{group.names[g]}·({group.names[h]}·f) is not ({group.names[g]} "
                    f"{group.names[h]})·f"
                )
    return ""
