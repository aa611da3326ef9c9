"""Batch normalisation of any field: the law in both modes, and what Flax's does to a vector."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from gcnn import actions, groups, nn, verify
from gcnn import representations as r
from gcnn.representations import Representation

from .cases import GROUPS

P4, P4M, P6 = groups.p4(), groups.p4m(), groups.p6()
MIXED = r.direct_sum(r.trivial(P4M), r.standard(P4M), r.determinant(P4M))
TURN = np.linalg.qr(np.random.default_rng(0).standard_normal((4, 4)))[0]
CASES = [
    MIXED, r.irreps(P4)[-1], r.regular(P4), r.standard(GROUPS["quarter"]),
    r.direct_sum(r.standard(P6), r.trivial(P6)),  # of another metric than the Euclidean one
    Representation(P4M, TURN @ MIXED.matrices @ TURN.T, "turned"),
]  # fmt: skip


def normal(*shape: int, seed: int = 1, dtype=np.float32) -> jax.Array:
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape) + 0.5, dtype)


def field(rho: Representation, side: int = 3, dtype=np.float32) -> jax.Array:
    return normal(4, *(side,) * rho.group.dim, rho.dim, 2, dtype=dtype)


def made(rho: Representation, **options) -> nn.FieldNorm:
    """Two channels, with parameters and running averages that are not those of the beginning."""
    norm = nn.FieldNorm(rho, 2, rngs=nnx.Rngs(0), **options)
    for seed, parameter in enumerate((norm.scale, norm.bias)):
        if parameter is not None:
            parameter[...] = normal(*parameter.shape, seed=seed, dtype=parameter.dtype)
    norm.mean[...] = normal(*norm.mean.shape, dtype=norm.mean.dtype)
    norm.var[...] = jnp.abs(normal(*norm.var.shape, dtype=norm.var.dtype)) + 1
    return norm


@jax.jit
def run(layer, x):
    return layer(x)


def judged(layer, x, rho: Representation) -> verify.EquivarianceReport:
    act = actions.act_on_field(rho)
    return verify.equivariance(lambda x: run(layer, x), rho.group, x, act_in=act, act_out=act)


@pytest.mark.parametrize("rho", CASES, ids=lambda rho: f"{rho.group.name} {rho.name}")
def test_it_commutes_with_every_element_in_both_modes(rho):
    with jax.enable_x64(True):
        x = field(rho, dtype=np.float64)
        norm = made(rho, param_dtype=jnp.float64)
        for running in (False, True):
            norm.use_running_average = running
            report = judged(norm, x, rho)
            assert report.holds and report.error < 1e-12, report
            assert report.mixed is not None  # samples that are moved by different elements


@pytest.mark.parametrize("rho", [r.standard(P4), r.irreps(P4)[-1], MIXED], ids=lambda r: r.name)
def test_the_normalisation_of_flax_is_rejected(rho):
    x = field(rho)
    assert judged(made(rho), x, rho).holds
    assert judged(nnx.BatchNorm(2, rngs=nnx.Rngs(0)), x, rho).verdict == "not equivariant"


@pytest.mark.parametrize("masked", [False, True])
def test_of_the_trivial_representation_it_is_that_of_flax(masked):
    options = {"momentum": 0.7, "epsilon": 1e-3}
    ours = nn.FieldNorm(r.trivial(P4), 2, **options, rngs=nnx.Rngs(0))
    flax = nnx.BatchNorm(2, **options, use_fast_variance=False, rngs=nnx.Rngs(0))
    ours.scale[...], flax.scale[...] = normal(1, 2), normal(1, 2)[0]
    ours.bias[...], flax.bias[...] = normal(1, 2, seed=3), normal(1, 2, seed=3)[0]
    for seed in (1, 2):
        x = normal(3, 4, 4, 2, seed=seed)
        mask = jnp.asarray(np.random.default_rng(0).random((3, 4, 4, 1)) < 0.5) if masked else None
        y = ours(x[..., None, :], mask=None if mask is None else mask[..., None])
        np.testing.assert_allclose(y[..., 0, :], flax(x, mask=mask), atol=2e-6)
    ours.eval()
    assert ours.use_running_average
    y = flax(x, use_running_average=True)
    np.testing.assert_allclose(ours(x[..., None, :])[..., 0, :], y, atol=2e-6)
    np.testing.assert_allclose(ours(x[..., None, :], False)[..., 0, :], flax(x), atol=2e-6)


def test_every_part_comes_out_with_unit_variance_and_scalars_without_a_mean():
    x = 3 * field(MIXED, 5) + 1
    y = np.asarray(nn.FieldNorm(MIXED, 2, rngs=nnx.Rngs(0))(x), np.float64)
    places = (0, 1, 2)
    np.testing.assert_allclose(y[..., 0, :].mean(places), 0, atol=1e-6)
    for part in (slice(0, 1), slice(1, 3), slice(3, 4)):  # scalar, vector, pseudo-scalar
        lengths = (y[..., part, :] ** 2).sum(-2).mean(places) / (part.stop - part.start)
        np.testing.assert_allclose(lengths, 1, atol=1e-4)
    assert np.abs(y[..., 1:, :].mean(places)).min() > 0.1  # what turns keeps its mean


def test_on_a_hexagon_the_mask_leaves_out_the_corners():
    rho = r.direct_sum(r.standard(P6), r.trivial(P6))
    norm, x = made(rho), field(rho, 5)
    kept = actions.preserved_pixels(P6, (5, 5))
    mask = jnp.asarray(kept[None, :, :, None, None])
    y = norm(x, mask=mask)
    filled = norm(actions.fill_outside(P6, x, (1, 2), 1e3), mask=mask)
    np.testing.assert_allclose(y[:, kept], filled[:, kept], rtol=1e-5)


def test_types_are_kept_and_gradients_are_finite(strict):
    norm, x = made(r.standard(P4), use_bias=False), field(r.standard(P4))
    y = norm(x.astype(jnp.bfloat16))
    assert y.dtype == jnp.bfloat16 and norm.var.dtype == jnp.float32 and norm.bias is None
    gradients = jax.jit(jax.grad(lambda norm, x: jnp.sum(norm(x) ** 3), (0, 1)))(norm, x)
    assert all(jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(gradients))
    assert gradients[1].any()
    assert nn.FieldNorm(MIXED, 2, use_scale=False, rngs=nnx.Rngs(0)).scale is None


def test_other_shapes_are_refused():
    norm = made(MIXED)
    with pytest.raises(ValueError, match=r"takes \[..., 4, 2\] with a batch axis before, got"):
        norm(jnp.ones((1, 3, 3, 2)))
    with pytest.raises(
        ValueError, match=r"a mask is \[..., 1, 1\], .* got shape \(1, 3, 3, 4, 1\)"
    ):
        norm(field(MIXED), mask=jnp.ones((1, 3, 3, 4, 1), bool))
    with pytest.raises(ValueError, match="features must be at least 1, got 0"):
        nn.FieldNorm(MIXED, 0, rngs=nnx.Rngs(0))
