"""Representations: the homomorphism, induction and restriction, and what they are made of."""

import itertools
import pickle

import numpy as np
import pytest

from gcnn import groups
from gcnn import representations as r
from gcnn.groups import Group, real_irreps
from gcnn.representations import Representation

from .cases import QUATERNIONS, SKEWED, chosen

P4, P4M = groups.p4(), groups.p4m()
REVERSED = Group(tuple(reversed(P4M.elements)), "p4m from the end")  # its identity comes last
CASES = {
    **chosen("p1", "pm", "pmm", "p4", "p4m", "mirror", "quarter", "T"),
    **SKEWED,
    "C3": QUATERNIONS["C3"],
    "Q8": QUATERNIONS["Q8"],
    "reversed": REVERSED,
}
every_group = pytest.mark.parametrize("group", CASES.values(), ids=CASES.keys())
close = {"rtol": 0, "atol": 1e-9}  # what Representation itself asks for


def named(group: Group) -> list[Representation]:
    """One of each kind."""
    half = group.subgroups[len(group.subgroups) // 2]
    sign = r.determinant(group.subgroup(half))
    return [
        r.trivial(group), r.regular(group), r.quotient(group, half), r.determinant(group),
        r.standard(group), *r.irreps(group), r.direct_sum(r.standard(group), r.trivial(group)),
        r.tensor_product(r.standard(group), r.determinant(group)), r.induce(group, half, sign),
    ]  # fmt: skip


def homomorphism_error(rho: Representation) -> float:
    """Over all pairs of elements."""
    products = np.einsum("gij,hjk->ghik", rho.matrices, rho.matrices)
    return float(np.abs(products - rho.matrices[rho.group.product]).max())


@every_group
def test_they_are_homomorphisms(group):
    for rho in named(group):
        assert homomorphism_error(rho) < 1e-9, rho
        assert rho.matrices.shape == (group.order, rho.dim, rho.dim)
        np.testing.assert_array_equal(rho.matrices[group.identity], np.eye(rho.dim))


@every_group
def test_isotypic_parts_are_told_apart_by_projections_that_commute(group):
    for rho in named(group):
        parts = r.isotypic_projections(rho)
        dimensions = [n * part.d for n, part in zip(rho.multiplicities, real_irreps(group)) if n]
        np.testing.assert_allclose(parts.trace(axis1=1, axis2=2), dimensions, **close)
        np.testing.assert_allclose(parts.sum(0), np.eye(rho.dim), **close)
        products = np.einsum("nij,mjk->nmik", parts, parts)
        expected = parts[:, None] * np.eye(len(parts))[..., None, None]
        np.testing.assert_allclose(products, expected, **close)
        moved = np.einsum("nij,hjk->nhik", parts, rho.matrices)
        np.testing.assert_allclose(moved, np.einsum("hij,njk->nhik", rho.matrices, parts), **close)
        assert not parts.flags.writeable


def test_a_projection_on_a_part_of_an_irreducible_one_does_not_commute():
    first, turn = np.diag([1.0, 0.0]), r.standard(P4).matrices[1]
    assert np.abs(first @ turn - turn @ first).max() == 1
    np.testing.assert_array_equal(r.isotypic_projections(r.standard(P4)), np.eye(2)[None])


@every_group
def test_they_are_made_of_their_irreducible_parts(group):
    irreps = real_irreps(group)
    for rho in named(group):
        assert rho.dim == sum(n * part.d for n, part in zip(rho.multiplicities, irreps))
        total = sum(n * part.character for n, part in zip(rho.multiplicities, irreps))
        np.testing.assert_allclose(rho.character, total, **close)
    for i, rho in enumerate(r.irreps(group)):
        assert rho.multiplicities == tuple(int(i == j) for j in range(len(irreps)))
    assert r.regular(group).multiplicities == tuple(part.m for part in irreps)


@every_group
def test_functions_on_cosets_by_their_formula(group):
    f = np.random.default_rng(0).standard_normal(group.order)
    for g in range(group.order):
        expected = f[[int(group.product[group.inverse[g], h]) for h in range(group.order)]]
        np.testing.assert_array_equal(r.regular(group).matrices[g] @ f, expected)
    for subgroup in group.subgroups:
        rho, cosets = r.quotient(group, subgroup), group.left_cosets(subgroup)
        for g, (i, coset) in itertools.product(range(group.order), enumerate(cosets)):
            back = int(group.product[group.inverse[g], coset[0]])
            j = next(j for j, other in enumerate(cosets) if back in other)
            assert rho.matrices[g, i].tolist() == np.eye(len(cosets))[j].tolist()
            assert rho.sources is not None and rho.sources[g, i] == j


@every_group
def test_induction_from_the_trivial_representation(group):
    for subgroup in group.subgroups:
        assert r.induce(group, subgroup, r.trivial(group.subgroup(subgroup))) == r.quotient(
            group, subgroup
        )
    alone = (group.identity,)
    assert r.induce(group, alone, r.trivial(group.subgroup(alone))) == r.regular(group)
    whole = tuple(range(group.order))
    for rho in named(group):
        assert r.induce(group, whole, Representation(group.subgroup(whole), rho.matrices)) == rho
        assert r.restrict(rho, whole) == rho


@every_group
def test_frobenius_reciprocity(group):
    """⟨χ of σ induced, χ of τ⟩ over H is ⟨χ of σ, χ of τ restricted⟩ over K."""
    for subgroup in group.subgroups:
        own = group.subgroup(subgroup)
        for sigma, tau in itertools.product(r.irreps(own), r.irreps(group)):
            above = r.induce(group, subgroup, sigma)
            assert above.dim * len(subgroup) == sigma.dim * group.order
            below = r.restrict(tau, subgroup)
            assert below.dim == tau.dim and below.group == own
            np.testing.assert_allclose(
                np.mean(above.character * tau.character),
                np.mean(sigma.character * below.character),
                **close,
            )


@pytest.mark.parametrize("group", [P4, P4M, REVERSED, CASES["T"]], ids=str)
def test_induction_in_stages_and_from_another_order_of_the_subgroup(group):
    """Through a group between, or from a shuffled subgroup, the same up to the basis."""
    middle = group.subgroups[-2]
    between = group.subgroup(middle)
    inner = between.subgroups[1]
    outer = tuple(middle[i] for i in inner)
    for sigma in r.irreps(group.subgroup(outer)):
        stages = r.induce(group, middle, r.induce(between, inner, sigma))
        direct = r.induce(group, outer, sigma)
        np.testing.assert_allclose(stages.character, direct.character, **close)
        order = np.random.default_rng(0).permutation(len(outer))
        shuffled = tuple(outer[i] for i in order)
        other = Representation(group.subgroup(shuffled), sigma.matrices[order])
        np.testing.assert_allclose(
            r.induce(group, shuffled, other).character, direct.character, **close
        )


@every_group
def test_dimensions_and_characters_of_sums_and_products(group):
    a, b = r.standard(group), r.irreps(group)[-1]
    total, product = r.direct_sum(a, b, a), r.tensor_product(a, b)
    assert total.dim == 2 * a.dim + b.dim and product.dim == a.dim * b.dim
    np.testing.assert_allclose(total.character, 2 * a.character + b.character, **close)
    np.testing.assert_allclose(product.character, a.character * b.character, **close)
    for g in range(group.order):
        np.testing.assert_allclose(
            product.matrices[g], np.kron(a.matrices[g], b.matrices[g]), **close
        )


def test_what_permutes_and_what_keeps_lengths():
    mirror = P4M.generate([4])
    for rho in (r.trivial(P4M), r.regular(P4M), r.quotient(P4M, mirror)):
        assert rho.is_permutation and rho.is_orthogonal
        assert r.direct_sum(rho, rho).is_permutation and r.tensor_product(rho, rho).is_permutation
    for rho in (r.determinant(P4M), r.standard(P4M), *r.irreps(P4M)[1:]):
        assert not rho.is_permutation and rho.is_orthogonal and rho.sources is None
    skewed = r.standard(SKEWED["p6"])
    assert not skewed.is_orthogonal and not skewed.is_permutation
    assert all(rho.is_orthogonal for rho in r.irreps(SKEWED["p6"]))


def test_vectors_and_pseudo_scalars():
    p4m_vectors = r.standard(P4M)
    down = np.array([1.0, 0.0])  # along y, the first axis of an array
    assert (p4m_vectors.matrices[P4M.names.index("r90")] @ down).tolist() == [0, 1]
    assert r.determinant(P4M).matrices.ravel().tolist() == [1, 1, 1, 1, -1, -1, -1, -1]
    vorticity = r.tensor_product(p4m_vectors, p4m_vectors)
    assert vorticity.multiplicities == (1, 1, 1, 1, 0)  # trace, rotation, two strains


@pytest.mark.parametrize(
    ("matrices", "message"),
    [
        (np.ones((3, 1, 1)), r"is \[4, dim, dim\], a matrix for each element, got shape \(3, 1, 1"),
        (np.ones((4, 2, 3)), r"got shape \(4, 2, 3\)"),
        (np.ones((4, 0, 0)), "needs at least one component"),
        (2 * np.ones((4, 1, 1)), r"The matrix of e .* is the identity, got \[\[2.0\]\]"),
        (np.array([1, -1, -1, 1]).reshape(4, 1, 1), r"ρ\(r90\) ρ\(r90\) is not ρ\(r180\)"),
    ],
)
def test_what_is_no_representation_is_refused(matrices, message):
    with pytest.raises(ValueError, match=message):
        Representation(P4, matrices)


def test_mixed_groups_are_refused():
    with pytest.raises(
        ValueError, match=r"direct_sum takes representations of one group.*restrict"
    ):
        r.direct_sum(r.trivial(P4), r.trivial(P4M))
    with pytest.raises(ValueError, match="tensor_product takes representations of one group"):
        r.tensor_product(r.trivial(P4), r.trivial(P4M))
    with pytest.raises(ValueError, match="direct_sum needs at least one"):
        r.direct_sum()
    with pytest.raises(ValueError, match="induce takes a representation of the subgroup"):
        r.induce(P4, (0, 2), r.trivial(P4))
    with pytest.raises(ValueError, match="is not a subgroup"):
        r.quotient(P4, (0, 1))
    with pytest.raises(ValueError, match="Not a group, closure fails"):
        r.restrict(r.trivial(P4), (0, 1))


def test_a_representation_is_a_small_value():
    rho = r.regular(P4)
    assert rho == r.regular(P4) and hash(rho) == hash(r.regular(P4)) and len({rho, rho}) == 1
    assert rho == r.quotient(P4, (0,)) and rho != r.standard(P4) and rho != "regular"
    assert r.trivial(P4) != r.trivial(P4M)
    assert Representation(P4, np.copysign(rho.matrices, 1)) == rho
    assert hash(Representation(P4, rho.matrices * np.where(rho.matrices, 1, -1))) == hash(rho)
    copy = pickle.loads(pickle.dumps(rho))
    assert copy == rho and repr(copy) == "Representation(regular: dimension 4, of p4)"
    for table in (copy.matrices, copy.sources, copy.character):
        with pytest.raises(ValueError, match="read-only"):
            table[0] = 0
