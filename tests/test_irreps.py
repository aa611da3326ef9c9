"""Irreducible representations over the reals: every law, with sums over the group as the oracle."""

import time

import numpy as np
import pytest

from gcnn import groups
from gcnn.groups import Group, fourier_matrix, real_irreps
from gcnn.groups._adapted_basis import adapted_basis

from .cases import GROUPS, QUATERNIONS, SKEWED

CASES = GROUPS | SKEWED | QUATERNIONS
every_group = pytest.mark.parametrize("group", CASES.values(), ids=CASES.keys())
close = {"rtol": 0, "atol": 1e-12}  # float64, sums of at most 48 terms


def signal(group: Group) -> np.ndarray:
    return np.random.default_rng(7).standard_normal((2, group.order))


def homomorphism_error(group: Group, rho: np.ndarray) -> float:
    products = np.einsum("gij,hjk->ghik", rho, rho)
    return float(np.abs(products - rho[group.product]).max())


def commutant_dimension(rho: np.ndarray) -> int:
    """The number of independent solutions X of ρ(g) X = X ρ(g) for all g."""
    one = np.eye(rho.shape[-1])
    equations = np.concatenate([np.kron(r, one) - np.kron(one, r.T) for r in rho])
    return int((np.linalg.svd(equations, compute_uv=False) < 1e-9).sum())


@every_group
def test_they_are_orthogonal_homomorphisms(group):
    for rho in real_irreps(group):
        assert homomorphism_error(group, rho.matrices) < 1e-12
        products = rho.matrices @ rho.matrices.swapaxes(1, 2)
        np.testing.assert_allclose(
            products, np.broadcast_to(np.eye(rho.d), products.shape), **close
        )


def test_the_homomorphism_check_rejects_inverses_and_another_group():
    rho = real_irreps(groups.p4m())[-1].matrices
    assert homomorphism_error(groups.p4m(), rho.swapaxes(1, 2)) > 0.5
    assert homomorphism_error(groups.p4m(), rho[[0, 1, 2, 3, 5, 4, 6, 7]]) > 0.5


@every_group
def test_they_are_irreducible_of_their_type_and_all_there_are(group):
    found = real_irreps(group)
    for rho in found:
        assert commutant_dimension(rho.matrices) == rho.endomorphisms
        assert rho.d == rho.m * rho.endomorphisms
    characters = np.stack([rho.character for rho in found])
    types = [rho.endomorphisms for rho in found]
    np.testing.assert_allclose(characters @ characters.T / group.order, np.diag(types), **close)
    assert sum(rho.d**2 // rho.endomorphisms for rho in found) == group.order
    assert sum(rho.d * rho.m for rho in found) == group.order


@every_group
def test_the_first_is_trivial_and_they_come_by_dimension(group):
    found = real_irreps(group)
    np.testing.assert_array_equal(found[0].matrices, np.ones((group.order, 1, 1)))
    assert [rho.d for rho in found] == sorted(rho.d for rho in found)
    assert len({rho.name for rho in found}) == len(found)
    assert found[0].name == "1R0"


@pytest.mark.parametrize(
    ("name", "names"),
    [
        ("p4m", "1R0 1R1 1R2 1R3 2R0"),
        ("p6", "1R0 1R1 2C0 2C1"),
        ("C3", "1R0 2C0"),
        ("T", "1R0 2C0 3R0"),
        ("O", "1R0 1R1 2R0 3R0 3R1"),
        ("Q8", "1R0 1R1 1R2 1R3 4H0"),
        ("2T", "1R0 2C0 3R0 4C0 4H0"),
        ("Q8 x C3", "1R0 1R1 1R2 1R3 2C0 2C1 2C2 2C3 4H0 4C0"),
        ("Q8 x S3", "1R0 1R1 1R2 1R3 1R4 1R5 1R6 1R7 2R0 2R1 2R2 2R3 4H0 4H1 8H0"),
    ],
)
def test_the_known_ones(name, names):
    assert " ".join(rho.name for rho in real_irreps(CASES[name])) == names


def test_entries_are_the_exact_ones():
    exact = {0.0, 0.5, 0.75**0.5, 1.0}
    for name in ("p4m", "p6m", "T", "O", "Q8"):
        for rho in real_irreps(CASES[name]):
            assert set(np.abs(rho.matrices).ravel().tolist()) <= exact, (name, rho)
    turn = real_irreps(groups.p4())[-1].matrices[1]
    assert turn.tolist() == [[0, -1], [1, 0]]


@every_group
def test_the_basis_shows_the_complex_or_quaternionic_structure(group):
    """J_p, which maps v_j to the vector p·m + j, commutes with ρ, and J_p² = -1."""
    for rho in real_irreps(group):
        d, m, e = rho.d, rho.m, rho.endomorphisms
        # In an adapted basis ρ is a matrix of numbers a + b i + c j + d k: its first m rows
        # hold (a, -b, -c, -d), and the rows of block p the same with q ↦ (unit p) q.
        for p in range(1, e):
            unit = np.zeros((d, d))
            for q, column in enumerate(range(e)):
                sign, row = UNITS[p][column]
                unit[row * m : (row + 1) * m, q * m : (q + 1) * m] = sign * np.eye(m)
            np.testing.assert_allclose(unit @ unit, -np.eye(d), **close)
            np.testing.assert_allclose(unit @ rho.matrices, rho.matrices @ unit, **close)


# UNITS[p][q] = (s, r): J_p J_q = s J_r, the product of the quaternions 1, i, j, k.
UNITS = [
    [(1, 0), (1, 1), (1, 2), (1, 3)],
    [(1, 1), (-1, 0), (1, 3), (-1, 2)],
    [(1, 2), (-1, 3), (-1, 0), (1, 1)],
    [(1, 3), (1, 2), (-1, 1), (-1, 0)],
]


@pytest.mark.parametrize("name", ["p4m", "O", "T", "Q8", "2T", "Q8 x C3", "Q8 x S3"])
def test_the_matrices_do_not_depend_on_the_basis_they_were_found_in(name):
    for rho in real_irreps(CASES[name]):
        other = np.linalg.qr(np.random.default_rng(3).standard_normal((rho.d, rho.d)))[0]
        turned = other @ rho.matrices @ other.T
        basis = adapted_basis(turned, rho.endomorphisms)
        np.testing.assert_allclose(basis.T @ basis, np.eye(rho.d), **close)
        np.testing.assert_allclose(basis.T @ turned @ basis, rho.matrices, **close)


@pytest.mark.parametrize("first", ["zeros", "other numbers"])
@pytest.mark.parametrize("name", ["p2", "p4m", "T", "Q8", "2T"])
def test_they_do_not_depend_on_the_random_numbers(name, first, monkeypatch):
    """With all coefficients 0 no space is told from another: that is seen, and tried again."""
    numbers = np.random.default_rng
    tried = []

    class Zeros:
        def standard_normal(self, n):
            return np.zeros(n)

    def replaced(seed):
        tried.append(seed)
        return Zeros() if first == "zeros" and seed == 0 else numbers(seed + 100)

    monkeypatch.setattr(np.random, "default_rng", replaced)
    found = real_irreps.__wrapped__(CASES[name])
    assert tried[:2] == ([0, 1] if first == "zeros" else [0])
    for rho, known in zip(found, real_irreps(CASES[name]), strict=True):
        assert rho.name == known.name and rho.endomorphisms == known.endomorphisms
        np.testing.assert_allclose(rho.matrices, known.matrices, **close)


@every_group
def test_the_fourier_matrix_is_orthogonal_and_made_of_the_coefficients(group):
    matrix = fourier_matrix(group)
    assert matrix.shape == (group.order, group.order)
    np.testing.assert_allclose(matrix.T @ matrix, np.eye(group.order), **close)
    start = 0
    for rho in real_irreps(group):
        block = rho.coefficients
        assert block.shape == (group.order, rho.d, rho.m)
        for h, a, j in np.ndindex(*block.shape):
            expected = (rho.d / group.order) ** 0.5 * rho.matrices[h, j, a]
            assert matrix[h, start + a * rho.m + j] == block[h, a, j] == expected
        start += rho.d * rho.m
    np.testing.assert_allclose(matrix[:, 0], group.order**-0.5, **close)


def test_a_basis_that_is_not_adapted_makes_no_orthogonal_matrix():
    """The negative control: the first row alone is independent only in an adapted basis."""
    group = QUATERNIONS["2T"]
    rho = next(r for r in real_irreps(group) if r.name == "4C0")
    other = np.linalg.qr(np.random.default_rng(3).standard_normal((4, 4)))[0]
    rows = (other @ rho.matrices @ other.T)[:, : rho.m].reshape(group.order, -1)
    gram = rows.T @ rows * rho.d / group.order
    assert np.abs(gram - np.eye(8)).max() > 0.1


@every_group
def test_a_translation_acts_on_j(group):
    x = signal(group)[0]
    for rho in real_irreps(group):
        scale = (rho.d / group.order) ** 0.5
        spectrum = scale * np.einsum("hja,h->ja", rho.matrices, x)  # all d rows
        np.testing.assert_allclose(
            spectrum[: rho.m].T, np.einsum("haj,h->aj", rho.coefficients, x), **close
        )
        for g in range(group.order):
            moved = x[group.product[group.inverse[g]]]
            np.testing.assert_allclose(
                np.einsum("haj,h->ja", rho.coefficients, moved),
                (rho.matrices[g] @ spectrum)[: rho.m],
                **close,
            )


@every_group
def test_a_correlation_acts_on_a(group):
    x, psi = signal(group)
    y = np.array([x[group.product[h]] @ psi for h in range(group.order)])
    for rho in real_irreps(group):
        before = np.einsum("haj,h->aj", rho.coefficients, x)
        after = np.einsum("haj,h->aj", rho.coefficients, y)
        mixing = np.einsum("u,uab->ab", psi, rho.matrices)
        np.testing.assert_allclose(after, mixing @ before, **close)
        if group.order > 4 and rho.d > 1:
            assert np.abs(after - mixing.T @ before).max() > 1e-3  # the other order is another law


def test_the_tables_are_read_only_cached_and_quick():
    group = Group(GROUPS["Oh"].elements, "new")
    assert group.product.shape == (48, 48)
    real_irreps.cache_clear()
    start = time.perf_counter()
    found = real_irreps(group)
    assert time.perf_counter() - start < 1
    assert real_irreps(group) is found
    for table in (found[-1].matrices, found[-1].character, found[-1].coefficients):
        with pytest.raises(ValueError, match="read-only"):
            table[0] = 0
    with pytest.raises(ValueError, match="read-only"):
        fourier_matrix(group)[0] = 0
    assert repr(found[0]) == "Irrep(1R0)"
