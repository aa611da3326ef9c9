"""The space of equivariant kernels: the law entry by entry, and that nothing is missing."""

import functools
import itertools
import re

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gcnn import groups, kernels
from gcnn import representations as r
from gcnn.groups import Group
from gcnn.kernels import KernelSpace, kernel_bank
from gcnn.representations import Representation

from .cases import GROUPS, SKEWED

P1, P4, P4M = groups.p1(), groups.p4(), groups.p4m()
REVERSED = Group(tuple(reversed(P4M.elements)), "p4m from the end")  # its identity comes last


def all_kinds(group: Group) -> list[Representation]:
    half = group.subgroups[len(group.subgroups) // 2]
    sum_of_all = r.direct_sum(r.standard(group), r.determinant(group), *r.irreps(group)[-1:])
    return [r.trivial(group), r.regular(group), r.quotient(group, half), sum_of_all]


PAIRS = [(0, 1), (0, 3), (1, 1), (1, 2), (1, 3), (2, 2), (3, 0), (3, 1), (3, 3)]
WINDOWS = [
    (P4M, (1, 1)), (P4M, (2, 2)), (P4M, (3, 3)), (P4, (3, 3)), (REVERSED, (3, 3)),
    (P1, (3, 2)), (groups.pmm(), (4, 3)), (GROUPS["mirror"], (5,)), (GROUPS["mirror"], (2,)),
    (GROUPS["quarter"], (2, 3, 3)), (GROUPS["T"], (2, 2, 2)), (SKEWED["p6"], (3, 3)),
    (SKEWED["p6m"], (3, 3)),
]  # fmt: skip
SPACES = [
    pytest.param(
        KernelSpace(a, b, size), id=f"{group.name}-{'x'.join(map(str, size))}-{a.dim}to{b.dim}"
    )
    for group, size in WINDOWS
    for kinds in [all_kinds(group)]
    for a, b in [(kinds[i], kinds[j]) for i, j in PAIRS]
]
every_space = pytest.mark.parametrize("space", SPACES)


def moved(group: Group, g: int, u: tuple[int, ...], size: tuple[int, ...]) -> tuple[int, ...]:
    """gu, with offsets counted from the centre of the window; it may lie outside."""
    last = np.array(size) - 1
    return tuple(((group.matrices[g] @ (2 * np.array(u) - last) + last) // 2).tolist())


@functools.cache
def support(space: KernelSpace) -> tuple[tuple[int, ...], ...]:
    """The offsets that the group leaves inside the window."""
    group, size = space.group, space.kernel_size
    return tuple(
        u
        for u in itertools.product(*map(range, size))
        if all(
            0 <= v < k
            for g in range(group.order)
            for v, k in zip(moved(group, g, u, size), size)
        )
    )  # fmt: skip


def law_error(space: KernelSpace, kernel: np.ndarray) -> float:
    """The largest entry of K(gu) ρ_in(g) - ρ_out(g) K(u), for kernels `[n, *u, in, out]`."""
    group, worst = space.group, 0.0
    for g, u in itertools.product(range(group.order), support(space)):
        v = moved(group, g, u, space.kernel_size)
        after = np.einsum("nXy,Xx->nxy", kernel[:, *v], space.rho_in.matrices[g])
        before = np.einsum("yY,nxY->nxy", space.rho_out.matrices[g], kernel[:, *u])
        worst = max(worst, float(np.abs(after - before).max(initial=0)))
    return worst


def formula(space: KernelSpace) -> float:
    """(1/|H|) Σ_g |{u : gu = u}| χ_out(g) χ_in(g)."""
    group = space.group
    fixed = [
        sum(moved(group, g, u, space.kernel_size) == u for u in support(space))
        for g in range(group.order)
    ]
    return float(np.mean(np.array(fixed) * space.rho_out.character * space.rho_in.character))


bank_of = jax.jit(kernel_bank, static_argnums=0)


def weight_of(space: KernelSpace, i: int = 2, o: int = 3) -> np.ndarray:
    values = np.random.default_rng(0).integers(-9, 10, (space.dimension, i, o))
    return values.astype(np.float32)


@every_space
def test_the_basis_obeys_the_law_and_is_complete(space):
    """Independent kernels that obey it, as many as the characters say: a basis of them all."""
    basis = space.basis()
    assert law_error(space, basis) < 1e-12
    assert space.dimension == pytest.approx(formula(space), abs=1e-9)
    assert basis.shape == (
        space.dimension, *space.kernel_size, space.rho_in.dim, space.rho_out.dim
    )  # fmt: skip
    flat = basis.reshape(space.dimension, int(np.prod(basis.shape[1:])))
    if space.dimension:
        assert np.linalg.matrix_rank(flat) == space.dimension
        assert np.abs(flat).max(axis=1).min() > 1 - 1e-9
    if space.rho_in.is_permutation and space.rho_out.is_permutation:
        assert set(np.unique(flat)) <= {0, 1} and flat.sum(axis=0).max(initial=0) <= 1
    outside = np.ones(space.kernel_size, dtype=bool)
    outside[tuple(np.array(support(space), dtype=int).reshape(-1, space.group.dim).T)] = False
    assert not basis[:, outside].any()


def test_the_law_rejects_other_kernels():
    """Random ones, and those of the transposed representation."""
    for space in (
        KernelSpace(r.regular(P4), r.standard(P4), (3, 3)),
        KernelSpace(r.regular(P4M), r.regular(P4M), (3, 3)),
    ):
        basis = space.basis()
        assert law_error(space, np.random.default_rng(0).standard_normal(basis.shape)) > 1
        assert law_error(space, basis[:, ::-1]) > 0.5
    turned = Representation(P4, r.irreps(P4)[-1].matrices.swapaxes(1, 2))
    own = KernelSpace(r.regular(P4), r.irreps(P4)[-1], (3, 3))
    other = KernelSpace(r.regular(P4), turned, (3, 3))
    assert law_error(own, own.basis()) < 1e-12 < 0.5 < law_error(own, other.basis())


@pytest.mark.parametrize(
    ("a", "b", "size"),
    [
        (r.standard(P4), r.regular(P4), (3, 3)),
        (r.standard(SKEWED["p6"]), r.standard(SKEWED["p6"]), (3, 3)),
        (r.irreps(P4M)[-1], r.quotient(P4M, (0, 4)), (2, 2)),
    ],
)
def test_the_dimension_by_solving_the_law_for_all_kernels(a, b, size):
    """The null space of all the equations at once, with no thought of orbits."""
    space = KernelSpace(a, b, size)
    shape = (*size, a.dim, b.dim)
    unit = np.eye(int(np.prod(shape))).reshape(-1, *shape)
    unit = unit[[i for i, k in enumerate(unit) if any(k[u].any() for u in support(space))]]
    equations = [
        np.einsum("nXy,Xx->nxy", unit[:, *moved(a.group, g, u, size)], a.matrices[g])
        - np.einsum("yY,nxY->nxy", b.matrices[g], unit[:, *u])
        for g, u in itertools.product(range(a.group.order), support(space))
    ]
    system = np.stack(equations, axis=1).reshape(len(unit), -1)
    assert len(unit) - np.linalg.matrix_rank(system) == space.dimension


@pytest.mark.parametrize("space", [p for p in SPACES if re.match(r"p4m-3|p6-3x3-5to5", p.id)])
def test_the_bank_is_the_sum_over_the_basis(space):
    w = weight_of(space)
    bank = bank_of(space, jnp.asarray(w))
    chex.assert_shape(bank, (*space.kernel_size, space.rho_in.dim, 2, space.rho_out.dim, 3))
    expected = np.tensordot(space.basis(), w, axes=(0, 0))  # [*u, x, y, i, o]
    expected = np.moveaxis(expected, -2, -3)
    exact = set(np.unique(space.basis()).tolist()) <= {-1, 0, 1}
    np.testing.assert_allclose(bank, expected, rtol=0, atol=0 if exact else 1e-4)


@pytest.mark.parametrize(
    ("group", "k"),
    [(P1, 2), (P4, 2), (P4M, 1), (P4M, 3), (REVERSED, 3), (GROUPS["quarter"], 3), (GROUPS["T"], 2)],
)
def test_from_images_and_between_regular_fields_they_are_the_banks_of_the_paper(group, k):
    """The slot of the identity is a weight W, and the bank that of W; there are as many as W."""
    size = (k,) * group.dim
    lift = jax.jit(kernels.lifting_bank, static_argnums=0)
    regular = jax.jit(kernels.group_bank, static_argnums=0)
    lifting = KernelSpace(r.trivial(group), r.regular(group), size)
    bank = np.asarray(bank_of(lifting, jnp.asarray(weight_of(lifting))))[
        *[slice(None)] * group.dim, 0
    ]
    w = bank[..., group.identity, :]
    assert lifting.dimension == k**group.dim
    np.testing.assert_array_equal(lift(group, jnp.asarray(w)), bank)
    between = KernelSpace(r.regular(group), r.regular(group), size)
    bank = np.asarray(bank_of(between, jnp.asarray(weight_of(between))))
    w = bank[..., group.identity, :]
    assert between.dimension == k**group.dim * group.order
    np.testing.assert_array_equal(regular(group, jnp.asarray(w)), bank)


def test_the_known_dimensions():
    scalar, vector, pseudo = r.trivial(P4M), r.standard(P4M), r.determinant(P4M)
    for a, b, k, n in [
        (scalar, scalar, 3, 3),  # centre, edges, corners
        (scalar, vector, 3, 2),  # gradients: of the edges, of the corners
        (vector, scalar, 3, 2),  # divergences
        (scalar, pseudo, 3, 0),  # no image of that size is odd under all mirrors
        (scalar, pseudo, 5, 1),  # but that of the knight's moves
    ]:
        assert KernelSpace(a, b, (k, k)).dimension == n, (a, b, k)
    hexagon = KernelSpace(r.trivial(SKEWED["p6"]), r.regular(SKEWED["p6"]), (3, 3))
    assert hexagon.dimension == 7
    assert hexagon.basis().any(axis=(0, 3, 4)).astype(int).tolist() == [
        [0, 1, 1], [1, 1, 1], [1, 1, 0]
    ]  # fmt: skip


@pytest.mark.parametrize("group", [P4M, SKEWED["p6"]], ids=str)  # p6 stretches vectors
def test_unit_weights_give_outputs_of_unit_variance(group):
    for a, b in itertools.product(all_kinds(group), repeat=2):
        space = KernelSpace(a, b, (3, 3))
        variance = space.scales() ** 2 / space.dimension
        total = np.einsum("nuvxy,n->y", space.basis() ** 2, variance)
        assert total.mean() == pytest.approx(1)
    regular = KernelSpace(r.regular(group), r.regular(group), (3, 3))
    assert (regular.scales() == 1).all()


@pytest.mark.parametrize("rho", [r.regular(P4M), r.irreps(P4M)[-1]], ids=str)
def test_the_gradient_is_the_adjoint_and_does_not_scatter(rho):
    space = KernelSpace(r.regular(P4M), rho, (3, 3))
    w = weight_of(space)
    shape = kernel_bank(space, jnp.asarray(w)).shape
    weights = np.random.default_rng(1).integers(-9, 10, shape).astype(np.float32)
    gradient = jax.jit(jax.grad(lambda w: jnp.sum(kernel_bank(space, w) * weights)))
    compiled = gradient.lower(jnp.asarray(w)).compile()
    expected = np.einsum("nuvxy,uvxiyo->nio", space.basis(), weights)
    np.testing.assert_allclose(compiled(w), expected, atol=1e-3)
    assert "scatter(" not in compiled.as_text()


@pytest.mark.usefixtures("strict")
@pytest.mark.parametrize(
    "dtype", [jnp.float32, jnp.bfloat16, jnp.float16], ids=lambda t: t.__name__
)
def test_banks_keep_the_type_and_promote_nothing(dtype):
    space = KernelSpace(r.regular(P4M), r.standard(P4M), (3, 3))
    chex.assert_type(kernel_bank(space, jnp.ones((space.dimension, 2, 3), dtype)), dtype)


def test_where_nothing_commutes_the_bank_is_zero():
    p4m = groups.p4m()
    space = KernelSpace(r.trivial(p4m), r.determinant(p4m), (3, 3))
    assert space.dimension == 0
    bank = kernel_bank(space, jnp.zeros((0, 2, 5)))
    np.testing.assert_array_equal(bank, np.zeros((3, 3, 1, 2, 1, 5)))


def test_a_space_is_a_small_value():
    space = KernelSpace(r.regular(P4), r.standard(P4), (3, 3))
    same = KernelSpace(r.regular(groups.p4()), r.standard(P4), (3, 3))
    assert space == same and hash(space) == hash(same)
    assert space != KernelSpace(r.regular(P4), r.standard(P4), (5, 5))


def test_what_is_no_kernel_is_refused():
    with pytest.raises(ValueError, match="between representations of one group, got Repr"):
        KernelSpace(r.trivial(P4), r.trivial(P4M), (3, 3))
    with pytest.raises(ValueError, match=r"a kernel has 2 sizes, .* got \(3,\)"):
        KernelSpace(r.trivial(P4), r.trivial(P4), (3,))
    with pytest.raises(ValueError, match=r"all positive; got \(0, 0\)"):
        KernelSpace(r.trivial(P4), r.trivial(P4), (0, 0))
    with pytest.raises(ValueError, match=r"shape \(2, 3\) is not preserved by the element r90"):
        KernelSpace(r.trivial(P4), r.trivial(P4), (2, 3))
    space = KernelSpace(r.trivial(P4), r.trivial(P4), (3, 3))
    with pytest.raises(ValueError, match=r"is \[3, in, out\]; got shape \(4, 1, 1\)"):
        kernel_bank(space, jnp.ones((4, 1, 1)))
