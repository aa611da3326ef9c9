"""The action on fields of a representation: a homomorphism, and the known ones among them."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gcnn import actions, groups
from gcnn import representations as r
from gcnn.groups import Group

from .cases import chosen

P4, P4M = groups.p4(), groups.p4m()
every_group = pytest.mark.parametrize(
    "group", chosen("pm", "p4", "p4m", "mirror", "quarter", "T").values(), ids=str
)


def field(group: Group, dim: int) -> np.ndarray:
    """Random integers, on an oblong grid: small enough that sums of products are exact."""
    shape = (2, *range(3, 3 + group.dim), dim, 2)
    return np.random.default_rng(0).integers(-9, 10, shape).astype(np.float32)


@every_group
def test_it_is_a_homomorphism(group):
    half = group.subgroups[len(group.subgroups) // 2]
    for rho in (r.standard(group), r.determinant(group), r.quotient(group, half), *r.irreps(group)):
        act = functools.partial(actions.act_on_field(rho), group)
        f = field(group, rho.dim)
        np.testing.assert_array_equal(act(group.identity, f), f)
        moved = [act(g, f) for g in range(group.order)]
        for g in range(group.order):
            for h in group.generators:
                product = moved[group.product[g, h]]
                np.testing.assert_allclose(act(g, moved[h]), product, rtol=0, atol=1e-5)


def test_the_components_of_a_gradient_turn_with_the_image():
    """The gradient of a turned image is the turned gradient; its components left alone are not."""
    x = np.random.default_rng(0).integers(-9, 10, (1, 8, 8, 1)).astype(np.float32)

    def gradient(x):
        """Central differences, periodic: components (y, x), as the axes."""
        steps = [np.roll(x, -1, axis=a) - np.roll(x, 1, axis=a) for a in (1, 2)]
        return np.stack(steps, axis=-2)

    act = actions.act_on_field(r.standard(P4M))
    for g in range(P4M.order):
        turned = gradient(actions.act_on_image(P4M, g, x))
        np.testing.assert_array_equal(turned, act(P4M, g, gradient(x)))
        if g != P4M.identity:
            alone = actions.act_on_space(P4M, g, gradient(x), (1, 2))
            assert np.abs(turned - alone).max() > 1


@every_group
def test_the_known_actions_are_among_them(group):
    f = field(group, group.order)
    half = group.subgroups[len(group.subgroups) // 2]
    on_cosets = field(group, group.order // len(half))
    for g in range(group.order):
        np.testing.assert_array_equal(
            actions.act_on_field(r.regular(group))(group, g, f),
            actions.act_on_regular(group, g, f),
        )
        np.testing.assert_array_equal(
            actions.act_on_field(r.quotient(group, half))(group, g, on_cosets),
            actions.act_on_quotient(group, half)(group, g, on_cosets),
        )


def test_the_matrix_on_an_axis_by_its_formula():
    rho = r.direct_sum(*r.irreps(P4M), r.standard(P4M))
    f = np.random.default_rng(0).standard_normal((3, rho.dim, 2))
    for g in range(P4M.order):
        expected = np.einsum("ij,ajb->aib", rho.matrices[g], f)
        np.testing.assert_allclose(actions.act_on_components(rho, g, f, 1), expected, atol=1e-12)
        np.testing.assert_allclose(actions.act_on_components(rho, g, f, -2), expected, atol=1e-12)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16, jnp.int8, np.float64])
def test_types_stay(dtype, strict):
    x = (np if dtype is np.float64 else jnp).ones((1, 4, 4, 2, 1), dtype)
    assert actions.act_on_field(r.standard(P4))(P4, 1, x).dtype == dtype


def test_its_gradient_has_no_scatter():
    act = actions.act_on_field(r.standard(P4M))
    f = jnp.asarray(field(P4M, 2))
    program = jax.jit(jax.grad(lambda f: (act(P4M, 5, f) ** 3).sum())).lower(f).as_text()
    assert "scatter" not in program and "gather" not in program


def test_wrong_arrays_are_refused():
    act = actions.act_on_field(r.standard(P4))
    with pytest.raises(ValueError, match=r"is \[b, \*space, 2, c\] with 2 space axes, got shape"):
        act(P4, 1, np.ones((1, 4, 4, 2)))
    with pytest.raises(ValueError, match="should hold the 2 components of Representation"):
        act(P4, 1, np.ones((1, 4, 4, 3, 1)))
    with pytest.raises(ValueError, match=r"says nothing of Group\(p4m"):
        act(P4M, 1, np.ones((1, 4, 4, 2, 1)))
