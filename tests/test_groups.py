"""The algebra: every law of a group, for every group, with brute force as the oracle."""

import dataclasses
import itertools
import math
import pickle
import re

import numpy as np
import pytest
from hypothesis import event, example, given, settings
from hypothesis import strategies as st

from gcnn import groups
from gcnn.groups import Group, axiom_violations

from .cases import CYCLE, GROUPS, HEX_MIRROR, QUARTER, R60, SKEWED

CASES = GROUPS | SKEWED
every_group = pytest.mark.parametrize("group", CASES.values(), ids=CASES.keys())


def check_table(group: Group) -> None:
    """The axioms, element by element and without Light's test, and the homomorphism."""
    table, n, e = group.product, group.order, group.identity
    assert table.shape == (n, n)
    assert set(table.ravel().tolist()) <= set(range(n)), "closure"
    a, b, c = np.ix_(range(n), range(n), range(n))
    np.testing.assert_array_equal(table[table[a, b], c], table[a, table[b, c]], "associativity")
    np.testing.assert_array_equal(table[e], range(n), "left identity")
    np.testing.assert_array_equal(table[:, e], range(n), "right identity")
    np.testing.assert_array_equal(table[range(n), group.inverse], e, "right inverse")
    np.testing.assert_array_equal(table[group.inverse, range(n)], e, "left inverse")
    np.testing.assert_array_equal(
        np.einsum("aij,bjk->abik", group.matrices, group.matrices),
        group.matrices[table],
        "the matrices multiply as the table",
    )


def check_subgroup(group: Group, k: tuple[int, ...]) -> None:
    """K is closed, |K| divides |H| (Lagrange), and its cosets are |H|/|K| blocks of size |K|."""
    assert group.identity in k
    assert {int(group.product[a, b]) for a in k for b in k} == set(k)
    assert group.order % len(k) == 0
    left, right = group.left_cosets(k), group.right_cosets(k)
    for cosets in (left, right):
        assert sorted(itertools.chain(*cosets)) == list(range(group.order))
        assert {len(c) for c in cosets} == {len(k)}
    for coset in left:
        assert coset == tuple(int(group.product[coset[k.index(group.identity)], j]) for j in k)
    for coset in right:
        assert coset == tuple(int(group.product[j, coset[k.index(group.identity)]]) for j in k)


def check_classes(group: Group) -> None:
    """Conjugacy classes partition the group, are closed, and their sizes divide its order."""
    classes = group.conjugacy_classes
    assert sorted(itertools.chain(*classes)) == list(range(group.order))
    for members in classes:
        orbit = {
            int(group.product[group.product[g, members[0]], group.inverse[g]])
            for g in range(group.order)
        }
        assert orbit == set(members)
        assert group.order % len(members) == 0


def check_names(group: Group) -> None:
    """Names are unique, and true as equations between matrices."""
    names = group.names
    assert len(set(names)) == group.order
    assert names[group.identity] == "e"
    matrix = dict(zip(names, group.matrices, strict=True))
    for name, m in matrix.items():
        if "·" in name:
            first, second = name.split("·")
            a = -np.eye(3) if first == "i" else matrix[first]
            b = -m if first == "i" else matrix[second]
            np.testing.assert_array_equal(a @ b, m)
        if angle := re.match(r"r(\d+)", name):
            order = 360 // math.gcd(360, int(angle[1]))
            powers = [np.linalg.matrix_power(m, j) for j in range(1, order + 1)]
            assert [(p == np.eye(group.dim)).all() for p in powers].index(True) == order - 1
    if group.dim == 2:
        angle_of = {n: 0 if n == "e" else int(n[1:]) for n in names if n[0] in "er"}
        name_of = {angle: n for n, angle in angle_of.items()}
        for (n, a), (m, b) in itertools.product(angle_of.items(), repeat=2):
            np.testing.assert_array_equal(matrix[n] @ matrix[m], matrix[name_of[(a + b) % 360]])


def check_generators(group: Group) -> None:
    assert group.generate(group.generators) == tuple(range(group.order))
    for i in range(len(group.generators)):
        assert group.generators[i] not in group.generate(group.generators[:i])


@every_group
def test_the_axioms_hold(group):
    check_table(group)
    assert axiom_violations(group.product) == []


@every_group
def test_subgroups_obey_lagrange_and_cosets_partition(group):
    assert group.subgroups[0] == (group.identity,)
    assert group.subgroups[-1] == tuple(range(group.order))
    assert len(set(group.subgroups)) == len(group.subgroups)
    for k in group.subgroups:
        check_subgroup(group, k)
        assert group.subgroup(k).order == len(k)


@every_group
def test_conjugacy_classes_partition_the_group(group):
    check_classes(group)


@every_group
def test_names_are_unique_and_true(group):
    check_names(group)


@every_group
def test_generators_generate_and_none_is_redundant_before_it(group):
    check_generators(group)


def test_the_checks_themselves_reject_a_corrupted_group():
    def corrupted(**tables):
        group = Group(groups.p4m().elements)
        group.__dict__.update(tables)
        return group

    swapped = groups.p4m().product.copy()
    swapped[2, [1, 3]] = swapped[2, [3, 1]]
    with pytest.raises(AssertionError, match="associativity"):
        check_table(corrupted(product=swapped))
    with pytest.raises(AssertionError, match="inverse"):
        check_table(corrupted(inverse=np.arange(8)))
    with pytest.raises(AssertionError, match="as the table"):
        check_table(corrupted(matrices=groups.p4m().matrices[::-1]))
    with pytest.raises(AssertionError):
        check_classes(corrupted(conjugacy_classes=((0, 1), (2, 3, 4, 5, 6, 7))))
    with pytest.raises(AssertionError):
        check_names(corrupted(names=("e", "r90", "r180", "r270", "m", "m·r90", "m·r180", "m·r270")))
    with pytest.raises(AssertionError):
        check_generators(corrupted(generators=(2, 4)))


@pytest.mark.parametrize(
    ("name", "order", "subgroups", "classes"),
    [
        ("p1", 1, 1, 1),
        ("p2", 2, 2, 2),
        ("pmm", 4, 5, 4),
        ("p4", 4, 3, 4),
        ("p4m", 8, 10, 5),
        ("p6", 6, 4, 6),
        ("p6m", 12, 16, 6),
        ("O", 24, 30, 5),
        ("Oh", 48, 98, 10),
    ],
)
def test_counts_are_those_of_the_textbook(name, order, subgroups, classes):
    group = CASES[name]
    assert group.order == order
    assert len(group.subgroups) == subgroups
    assert len(group.conjugacy_classes) == classes


# Random generators: what the library makes of them, against a closure by brute force.


def brute_force_closure(generators: list[np.ndarray]) -> set[bytes] | None:
    """All products, or None if a matrix is singular on the lattice or they are infinitely many."""
    if any(abs(round(float(np.linalg.det(m)))) != 1 for m in generators):
        return None
    d = len(generators[0])
    found = {np.eye(d, dtype=np.int64).tobytes()}
    frontier = list(found)
    while frontier:
        matrices = [np.frombuffer(m, np.int64).reshape(d, d) for m in frontier]
        frontier = list({(m @ s).tobytes() for m in matrices for s in generators} - found)
        found.update(frontier)
        if len(found) > 48:  # the largest finite group for d <= 3
            return None
    return found


def matrices(d: int) -> st.SearchStrategy[np.ndarray]:
    entry = st.integers(-1, 1)
    anything = st.lists(st.lists(entry, min_size=d, max_size=d), min_size=d, max_size=d)
    signed = st.tuples(
        st.permutations(range(d)), st.lists(st.sampled_from([-1, 1]), min_size=d, max_size=d)
    ).map(lambda ps: np.eye(d, dtype=np.int64)[list(ps[0])] * ps[1])
    return st.one_of(anything.map(lambda rows: np.array(rows, dtype=np.int64)), signed)


generator_sets = st.integers(1, 3).flatmap(lambda d: st.lists(matrices(d), min_size=1, max_size=3))


@settings(max_examples=150)
@given(generator_sets)
@example([np.array(R60), np.array(HEX_MIRROR)])
@example([np.array([[1, 1], [0, 1]])])
def test_random_generators_are_refused_or_give_a_group(generators):
    expected = brute_force_closure(generators)
    if expected is None:
        event("refused")
        with pytest.raises(ValueError, match=r"not preserve the lattice|passes max_order"):
            Group.from_generators(generators)
        return
    group = Group.from_generators(generators)
    event(f"d = {group.dim}, order {group.order}")
    assert {m.tobytes() for m in group.matrices} == expected
    assert group.order == len(expected)
    check_table(group)
    check_classes(group)
    check_names(group)
    check_generators(group)
    cyclic = {group.generate([g]) for g in range(group.order)}
    for k in group.subgroups if group.order <= 12 else cyclic:
        check_subgroup(group, k)


def is_group(table: np.ndarray) -> bool:
    """The axioms on a square table, by loops."""
    every = range(len(table))
    if not all(0 <= x < len(table) for x in table.ravel()):
        return False
    for a, b, c in itertools.product(every, repeat=3):
        if table[table[a, b], c] != table[a, table[b, c]]:
            return False
    units = [e for e in every if all(table[e, g] == g == table[g, e] for g in every)]
    return bool(units) and all(
        any(table[g, h] == units[0] == table[h, g] for h in every) for g in every
    )


@st.composite
def tables(draw) -> np.ndarray:
    """A group's table with its elements renamed, and maybe one entry changed."""
    group = CASES[draw(st.sampled_from(["p1", "p2", "p4", "pmm", "p6", "p4m"]))]
    new = np.array(draw(st.permutations(range(group.order))))
    table = np.empty_like(group.product)
    table[np.ix_(new, new)] = new[group.product]
    if draw(st.booleans()):
        at = draw(st.integers(0, group.order - 1)), draw(st.integers(0, group.order - 1))
        table[at] = draw(st.integers(-1, group.order))
    return table


@settings(max_examples=200)
@given(
    st.one_of(
        tables(),
        st.integers(1, 3).flatmap(
            lambda n: st.lists(st.integers(0, n - 1), min_size=n * n, max_size=n * n).map(
                lambda entries: np.array(entries).reshape(n, n)
            )
        ),
    )
)
def test_axiom_violations_agrees_with_brute_force(table):
    violations = axiom_violations(table)
    event("a group" if not violations else violations[0].split()[0])
    assert (violations == []) == is_group(table)
    if counter := re.match(r"associativity fails: \((\d+)·(\d+)\)·(\d+)", (*violations, "")[0]):
        a, s, b = map(int, counter.groups())
        assert table[table[a, s], b] != table[a, table[s, b]]


LOOP = [  # a latin square with an identity and inverses, but (1·2)·2 = 4 and 1·(2·2) = 1
    [0, 1, 2, 3, 4],
    [1, 0, 3, 4, 2],
    [2, 4, 0, 1, 3],
    [3, 2, 4, 0, 1],
    [4, 3, 1, 2, 0],
]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (LOOP, r"^associativity fails: \(\d·\d\)·\d is not \d·\(\d·\d\)$"),
        ([[0, 0], [0, 0]], r"^identity fails: no element e has eg = g = ge for all g$"),
        ([[0, 0], [1, 1]], r"^identity fails"),
        ([[0, 1], [1, 1]], r"^inverse fails: element 1 has none$"),
        ([[0, 1], [1, 2]], r"^closure fails: 1·1 = 2 is none of the 2 elements$"),
        ([[0, 1], [1, -1]], r"^closure fails: 1·1 = -1"),
        ([[0, 1, 2], [1, 2, 0]], r"^a Cayley table is square, this one is \(2, 3\)$"),
    ],
    ids=["loop", "constant", "left zeros", "no inverse", "too large", "negative", "not square"],
)
def test_a_table_that_is_no_groups_is_refused(table, message):
    violations = axiom_violations(np.array(table))
    assert len(violations) == 1
    assert re.search(message, violations[0])


# The fixed conventions.


def moved_by_matrix(m: np.ndarray, x: np.ndarray) -> np.ndarray:
    """y[p] = x[m⁻¹p], positions counted from the centre of a square array, by loops."""
    n = len(x)
    inverse = np.round(np.linalg.inv(m)).astype(int)
    y = np.empty_like(x)
    for p in itertools.product(range(n), repeat=2):
        centred = inverse @ (2 * np.array(p) - (n - 1))
        y[p] = x[tuple((centred + n - 1) // 2)]
    return y


CONVENTIONS = {
    "p2": lambda x, i: np.rot90(x, 2 * i),
    "pm": lambda x, i: np.fliplr(x) if i else x,
    "pmm": lambda x, i: np.rot90(np.fliplr(x) if i // 2 else x, 2 * (i % 2)),
    "cm": lambda x, i: x.T if i else x,
    "cmm": lambda x, i: np.rot90(x.T if i // 2 else x, 2 * (i % 2)),
    "p4": lambda x, i: np.rot90(x, i),
    "p4m": lambda x, i: np.rot90(np.fliplr(x) if i // 4 else x, i % 4),
}


@pytest.mark.parametrize("n", [4, 5])
@pytest.mark.parametrize("name", CONVENTIONS)
def test_elements_are_in_the_order_of_rot90_and_fliplr(name, n):
    x = np.arange(n * n).reshape(n, n)
    group = CASES[name]
    for i in range(group.order):
        np.testing.assert_array_equal(
            moved_by_matrix(group.matrices[i], x), CONVENTIONS[name](x, i)
        )
    if group.order > 2:  # the other direction of turning is another order of the elements
        wrong = [moved_by_matrix(m.T, x) for m in group.matrices]
        expected = [CONVENTIONS[name](x, i) for i in range(group.order)]
        assert np.array_equal(wrong, expected) == (name in ("pmm", "cmm"))


@pytest.mark.parametrize(
    ("name", "names"),
    [
        ("line", "e"),
        ("mirror", "e m"),
        ("pmm", "e r180 m m·r180"),
        ("p4m", "e r90 r180 r270 m m·r270 m·r180 m·r90"),
        ("p6", "e r60 r120 r180 r240 r300"),
        ("hypercube", "e g1 g2 g3"),
    ],
)
def test_names_read_as_documented(name, names):
    assert CASES[name].names == tuple(names.split())


def test_names_of_the_cube_tell_angle_and_axis():
    """Rodrigues' formula rebuilds every element from its name, right-handed about the axis."""
    for name, m in zip(CASES["Oh"].names, CASES["Oh"].matrices, strict=True):
        kind, _, axis = name.rstrip("]").partition("[")
        sign = -1 if kind[0] in "im" else 1
        angle = {"e": 0, "i": 0, "m": 180}.get(kind) or int((re.findall(r"\d+", kind) or [0])[0])
        n = np.array(axis.split() or [0, 0, 1], dtype=float)
        n /= np.linalg.norm(n)
        cross = np.array([[0, -n[2], n[1]], [n[2], 0, -n[0]], [-n[1], n[0], 0]])
        t = np.radians(angle)
        rotation = np.eye(3) + np.sin(t) * cross + (1 - np.cos(t)) * cross @ cross
        np.testing.assert_allclose(sign * rotation, m, atol=1e-12, err_msg=name)


# Groups as values.


def test_equality_is_that_of_elements_and_not_of_names():
    same = Group(groups.p4().elements, "another name")
    assert same == groups.p4()
    assert hash(same) == hash(groups.p4())
    assert {same: 1}[groups.p4()] == 1
    assert same != groups.pmm()
    reordered = Group(groups.p4().elements[::-1])
    assert reordered != groups.p4()  # slots in another order are another group axis


def test_named_groups_are_made_once():
    assert groups.p4m() is groups.p4m()
    assert groups.p1(3) is groups.p1(3)


@every_group
def test_pickling_keeps_the_group_and_leaves_the_tables_behind(group):
    for name in ("product", "matrices", "names", "subgroups"):
        getattr(group, name)
    copy = pickle.loads(pickle.dumps(group))
    assert copy == group
    assert copy.name == group.name
    assert set(copy.__dict__) <= {"elements", "name", "product", "identity"}
    np.testing.assert_array_equal(copy.product, group.product)


@pytest.mark.parametrize("table", ["product", "inverse", "matrices"])
def test_tables_are_read_only(table):
    with pytest.raises(ValueError, match="read-only"):
        getattr(groups.p4(), table)[0] = 0


def test_a_group_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        groups.p4().name = "p5"


def test_the_representation_is_a_line():
    assert repr(groups.p4m()) == "Group(p4m: order 8, dimension 2)"


def test_a_subgroup_keeps_the_order_and_the_names_of_its_indices():
    assert groups.p4m().subgroup((0, 1, 2, 3)) == groups.p4()
    flipped = groups.p4m().subgroup((4, 0))
    assert flipped.identity == 1
    assert flipped.name == "p4m[m, e]"
    assert groups.p4m().subgroup((0, 4), "mirror").name == "mirror"


def test_generators_may_be_lists_arrays_or_whole_floats():
    expected = groups.p4()
    for m in ([[0, -1], [1, 0]], np.array([[0, -1], [1, 0]], np.int8), [[0.0, -1.0], [1.0, 0.0]]):
        assert Group.from_generators([m]) == expected


def test_a_larger_bound_admits_dimensions_above_four():
    shift = np.roll(np.eye(5, dtype=int), 1, axis=0)
    assert Group.from_generators([shift], max_order=5).order == 5


# Every message.

NOT_LATTICE = "does not preserve the lattice"


REFUSED = {
    "empty": (lambda: Group(()), r"A group has an element; the trivial group is groups.p1\(dim\)"),
    "twice": (lambda: Group((((1,),), ((1,),))), r"The element \[\[1\]\] is listed twice"),
    "not closed": (
        lambda: Group(groups.p4().elements[:2]),
        r"closure fails: \[\[0, -1\], \[1, 0\]\] · .* = \[\[-1, 0\], \[0, -1\]\] is not in the "
        r"set\. Group\.from_generators\(matrices\) adds what is missing",
    ),
    "no identity": (lambda: Group(groups.p4().elements[1:]), "closure fails"),
    "two sizes": (
        lambda: Group((((1,),), ((1, 0), (0, 1)))),
        r"The matrices of a group have one size d x d, got d = \[1, 2\]",
    ),
    "no generators": (
        lambda: Group.from_generators([]),
        r"from_generators needs a matrix; the trivial group is groups.p1\(dim\)",
    ),
    "vector": (
        lambda: Group.from_generators([[1, 0]]),
        r"a square matrix \[d, d\], got shape \(2,\)",
    ),
    "not square": (lambda: Group.from_generators([[[1, 0]]]), r"got shape \(1, 2\)"),
    "no size": (lambda: Group.from_generators([np.eye(0)]), r"got shape \(0, 0\)"),
    "half": (
        lambda: Group.from_generators([[[0.5]]]),
        NOT_LATTICE + ": its entries must be integers",
    ),
    "NaN": (lambda: Group.from_generators([[[np.nan]]]), NOT_LATTICE),
    "infinity": (lambda: Group.from_generators([[[np.inf]]]), NOT_LATTICE),
    "complex": (lambda: Group.from_generators([[[1j]]]), NOT_LATTICE),
    "text": (lambda: Group.from_generators([[["x"]]]), NOT_LATTICE),
    "truth": (lambda: Group.from_generators([[[True]]]), NOT_LATTICE),
    "determinant 2": (
        lambda: Group.from_generators([[[2, 0], [0, 1]]]),
        r"its determinant is 2, so it maps Z\^2 onto a part of it; it must be 1 or -1",
    ),
    "singular": (lambda: Group.from_generators([[[1, 1], [1, 1]]]), "its determinant is 0"),
    "shear": (
        lambda: Group.from_generators([[[1, 1], [0, 1]]]),
        r"passes max_order = 12 elements: no power of the generator \[\[1, 1\], \[0, 1\]\] up to "
        r"12 is the identity",
    ),
    "infinite product": (
        lambda: Group.from_generators([[[1, 0], [0, -1]], [[1, 1], [0, -1]]]),
        "passes max_order = 12 elements: their products are infinitely many, or give a larger",
    ),
    "bound too small": (
        lambda: Group.from_generators([CYCLE, QUARTER], max_order=23),
        "passes max_order = 23 elements",
    ),
    "no bound": (lambda: Group.from_generators([np.eye(5)]), "For d = 5 > 4, give max_order"),
    "subgroup": (lambda: groups.p4().subgroup((0, 1)), "Not a group, closure fails"),
    "left cosets": (
        lambda: groups.p4().left_cosets((0, 1)),
        r"\['e', 'r90'\] is not a subgroup of p4; the smallest one around it is "
        r"\['e', 'r90', 'r180', 'r270'\]",
    ),
    "right cosets": (
        lambda: groups.p4().right_cosets((2,)),
        r"\['r180'\] is not a subgroup of p4; the smallest one around it is \['e', 'r180'\]",
    ),
    "repeated": (lambda: groups.p4().left_cosets((0, 0)), "is not a subgroup"),
}


@pytest.mark.parametrize(("build", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_no_group_is_refused_with_the_counter_example(build, message):
    with pytest.raises(ValueError, match=message):
        build()


def test_a_violated_axiom_is_reported_when_a_group_is_built(monkeypatch):
    # Closed sets of invertible integer matrices are groups; only a wrong product gets this far.
    table = groups.p2().product.copy()
    table[1, 1] = 1
    monkeypatch.setattr(Group, "product", table)
    with pytest.raises(ValueError, match="Not a group: inverse fails: element 1 has none"):
        Group(groups.p2().elements)
