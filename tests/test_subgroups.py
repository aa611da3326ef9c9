"""The lattice of subgroups, conjugacy, and quotients: brute force and the counts of textbooks."""

import itertools
import pickle

import numpy as np
import pytest

from gcnn import groups
from gcnn.groups import QuotientGroup, axiom_violations

from .cases import GROUPS, QUATERNIONS, SKEWED

CASES = GROUPS | SKEWED | {name: QUATERNIONS[name] for name in ("C3", "Q8", "2T")}
every_group = pytest.mark.parametrize("group", CASES.values(), ids=CASES.keys())


@every_group
def test_inclusions_and_covers_by_brute_force(group):
    sets = [set(k) for k in group.subgroups]
    inside, covers = groups.subgroup_inclusions(group), groups.subgroup_covers(group)
    assert inside.shape == covers.shape == (len(sets), len(sets))
    for (i, a), (j, b) in itertools.product(enumerate(sets), repeat=2):
        assert inside[i, j] == (a <= b)
        assert covers[i, j] == (a < b and not any(a < c < b for c in sets))
    largest = [set(k) for k in groups.maximal_subgroups(group)]
    assert largest == [a for a in sets if len(a) < group.order and not any(
        a < c and len(c) < group.order for c in sets
    )]  # fmt: skip


@every_group
def test_conjugacy_by_brute_force(group):
    def conjugates(k):
        e = range(group.order)
        return {
            tuple(sorted(int(group.product[group.product[g, x], group.inverse[g]]) for x in k))
            for g in e
        }

    classes = groups.subgroup_classes(group)
    assert sorted(itertools.chain(*classes)) == sorted(group.subgroups)
    for members in classes:
        assert set(members) == conjugates(members[0])
    for k in group.subgroups:
        assert groups.is_normal(group, k) == (conjugates(k) == {k})
    assert groups.normal_subgroups(group) == tuple(
        k for k in group.subgroups if conjugates(k) == {k}
    )
    for a, b in zip(group.subgroups, group.subgroups[1:]):
        assert groups.are_conjugate(group, a, b) == (b in conjugates(a))
        assert groups.are_conjugate(group, a, a[::-1])


@pytest.mark.parametrize(
    ("name", "normal", "classes", "maximal", "edges"),
    [
        ("p4", 3, 3, 1, 2),
        ("p4m", 6, 8, 3, 15),
        ("p6m", 7, 10, 6, None),
        ("T", 3, 5, 5, None),
        ("O", 4, 11, 8, None),
        ("Q8", 6, 6, 3, 7),
        ("2T", 4, 7, 5, None),
    ],
)
def test_counts_are_those_of_the_textbook(name, normal, classes, maximal, edges):
    group = CASES[name]
    assert len(groups.normal_subgroups(group)) == normal
    assert len(groups.subgroup_classes(group)) == classes
    assert len(groups.maximal_subgroups(group)) == maximal
    if edges is not None:
        assert groups.subgroup_covers(group).sum() == edges


@every_group
def test_quotients_are_groups_and_the_map_onto_them_keeps_products(group):
    for k in groups.normal_subgroups(group):
        quotient = QuotientGroup(group, k)
        assert quotient.order * len(k) == group.order
        assert axiom_violations(quotient.product) == []
        image = quotient.coset_of
        np.testing.assert_array_equal(
            quotient.product[np.ix_(image, image)], image[group.product], "a homomorphism"
        )
        assert tuple(np.flatnonzero(image == quotient.identity).tolist()) == k
        for i, coset in enumerate(quotient.cosets):
            assert {int(image[h]) for h in coset} == {i}
            assert quotient.product[i, quotient.inverse[i]] == quotient.identity


def test_quotients_that_textbooks_know():
    def orders(quotient):
        """The order of each element, sorted: it tells these small groups apart."""
        found = []
        for i in range(quotient.order):
            power, n = i, 1
            while power != quotient.identity:
                power, n = int(quotient.product[power, i]), n + 1
            found.append(n)
        return sorted(found)

    centre = groups.normal_subgroups(CASES["Q8"])[1]
    assert orders(QuotientGroup(CASES["Q8"], centre)) == [1, 2, 2, 2]  # not cyclic
    klein = next(k for k in groups.normal_subgroups(CASES["O"]) if len(k) == 4)
    assert orders(QuotientGroup(CASES["O"], klein)) == [1, 2, 2, 2, 3, 3]  # S3
    half_turn = (0, 2)
    assert orders(QuotientGroup(groups.p4(), half_turn)) == [1, 2]


def test_a_quotient_by_what_is_not_normal_is_refused():
    p4m = groups.p4m()
    with pytest.raises(ValueError, match=r"\['e', 'm'\] of Group\(p4m.* is not normal.* r90 gives"):
        QuotientGroup(p4m, (0, 4))
    with pytest.raises(ValueError, match="is not a subgroup of p4m"):
        QuotientGroup(p4m, (0, 1))


def test_a_quotient_is_a_small_value():
    quotient = QuotientGroup(groups.p4(), (2, 0))
    assert quotient == QuotientGroup(groups.p4(), (0, 2)) and len({quotient}) == 1
    assert quotient != QuotientGroup(groups.p4(), (0,))
    assert quotient.product is quotient.product
    copy = pickle.loads(pickle.dumps(quotient))
    assert copy == quotient
    for table in (copy.product, copy.inverse, copy.coset_of, groups.subgroup_covers(groups.p4())):
        with pytest.raises(ValueError, match="read-only"):
            table[0] = 0
