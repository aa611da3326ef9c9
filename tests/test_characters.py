"""The character table: orthogonality, and the tables that textbooks print."""

import numpy as np
import pytest

from gcnn import groups
from gcnn.groups import Group, character_table, multiplicities, real_irreps

from .cases import GROUPS, QUATERNIONS, SKEWED

CASES = GROUPS | SKEWED | QUATERNIONS
every_group = pytest.mark.parametrize("group", CASES.values(), ids=CASES.keys())
close = {"rtol": 0, "atol": 1e-12}


def orthogonality_error(group: Group, table: np.ndarray) -> float:
    """How far rows and columns are from orthogonal, and the squared dimensions from |H|."""
    sizes = np.array([len(c) for c in group.conjugacy_classes])
    rows = (table * sizes) @ table.conj().T - group.order * np.eye(len(table))
    columns = table.T @ table.conj() - np.diag(group.order / sizes)
    e = [group.identity in c for c in group.conjugacy_classes].index(True)
    total = (np.abs(table[:, e]) ** 2).sum() - group.order
    return float(max(np.abs(rows).max(), np.abs(columns).max(), abs(total)))


@every_group
def test_rows_and_columns_are_orthogonal(group):
    table = character_table(group)
    assert table.shape == (len(group.conjugacy_classes),) * 2
    assert orthogonality_error(group, table) < 1e-12 * group.order


def test_the_check_rejects_a_wrong_table():
    for name in ("p4m", "T", "Q8"):
        table = character_table(CASES[name]).copy()
        table[-1, -1] += 0.01
        assert orthogonality_error(CASES[name], table) > 1e-3
    conjugated = character_table(CASES["C3"]).copy()
    conjugated[2] = conjugated[1]  # of a complex pair, twice the same
    assert orthogonality_error(CASES["C3"], conjugated) > 1


@every_group
def test_rows_are_class_functions_and_multiply_with_central_characters(group):
    """ω_r(c) = |c| χ_r(c) / χ_r(e) multiplies as the sums over classes do: brute force."""
    classes, table = group.conjugacy_classes, character_table(group)
    e = [group.identity in c for c in classes].index(True)
    omega = table * [len(c) for c in classes] / table[:, [e]]
    for b, first in enumerate(classes):
        for c, second in enumerate(classes):
            products = group.product[np.ix_(first, second)].ravel()
            counts = [(products == members[0]).sum() for members in classes]
            np.testing.assert_allclose(omega[:, b] * omega[:, c], omega @ counts, atol=1e-9)


def test_the_table_of_the_square_and_of_the_quaternions_are_the_same():
    """The famous pair of groups that characters do not tell apart."""
    square = character_table(groups.p4m())
    quaternions = character_table(CASES["Q8"])
    assert sorted(map(sorted, square.real.tolist())) == sorted(
        map(sorted, quaternions.real.tolist())
    )
    assert (square.imag == 0).all() and (quaternions.imag == 0).all()


def test_the_table_of_the_rotations_of_the_cube():
    """That of S4, columns e, r180 of an axis, r90, r120, r180 of a diagonal."""
    group = CASES["O"]
    sizes = [len(c) for c in group.conjugacy_classes]
    standard = group.matrices.trace(axis1=1, axis2=2)
    traces = [int(standard[c[0]]) for c in group.conjugacy_classes]
    order = [list(zip(sizes, traces)).index(c) for c in [(1, 3), (3, -1), (6, 1), (8, 0), (6, -1)]]
    assert character_table(group)[:, order].real.tolist() == [
        [1, 1, 1, 1, 1],
        [1, 1, -1, 1, -1],
        [2, 2, 0, -1, 0],
        [3, -1, 1, 0, -1],
        [3, -1, -1, 0, 1],
    ]


def test_the_table_of_the_cyclic_group_of_three():
    w = complex(-0.5, 0.75**0.5)
    found = character_table(CASES["C3"])
    assert np.isin(found[0], 1).all()
    np.testing.assert_allclose(found[1:], [[1, w, w * w], [1, w * w, w]], **close)


@every_group
def test_multiplicities_are_those_that_the_representation_was_built_with(group):
    irreps = real_irreps(group)
    counts = tuple(np.random.default_rng(1).integers(0, 4, len(irreps)).tolist())
    character = sum(n * rho.character for n, rho in zip(counts, irreps))
    assert multiplicities(group, character) == counts
    functions = np.zeros(group.order)
    functions[group.identity] = group.order
    assert multiplicities(group, functions) == tuple(rho.m for rho in irreps)


def test_what_is_no_character_is_refused():
    p4 = groups.p4()
    with pytest.raises(ValueError, match="has one value for each of its 4 elements, got shape"):
        multiplicities(p4, np.ones(3))
    for wrong in ([1, 0, 0, 0], [-1, -1, -1, -1], [1, 2, 3, 4], [2, 1, -2, -1]):
        with pytest.raises(ValueError, match="is the character of no real representation"):
            multiplicities(p4, np.array(wrong))
    with pytest.raises(ValueError, match="read-only"):
        character_table(p4)[0, 0] = 2
