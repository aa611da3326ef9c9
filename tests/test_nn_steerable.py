"""Layers between fields of any representation, and their nonlinearities: the laws, certified."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from gcnn import groups, nn, verify
from gcnn import representations as r
from gcnn.actions import act_on_field
from gcnn.representations import Representation

from .cases import GROUPS, SKEWED

P4, P4M = groups.p4(), groups.p4m()
QUARTER = GROUPS["quarter"]
MIXED = r.direct_sum(r.trivial(P4M), r.standard(P4M), r.determinant(P4M))


def rngs() -> nnx.Rngs:
    return nnx.Rngs(0)


@jax.jit
def run(layer: nnx.Module, x: jax.Array) -> jax.Array:
    """One program for each kind of layer: a layer is a pytree, and its representations hashable."""
    return layer(x)


def field(rho: Representation, channels: int, pixels: int = 7, dtype=jnp.float32) -> jax.Array:
    shape = (4, *(pixels,) * rho.group.dim, rho.dim, channels)
    return jax.random.normal(jax.random.key(1), shape, dtype)


def judged(f, x, rho_in: Representation, rho_out: Representation):
    return verify.equivariance(
        jax.jit(f), rho_in.group, x, act_in=act_on_field(rho_in), act_out=act_on_field(rho_out)
    )


PAIRS = [
    (r.trivial(P4M), r.standard(P4M)), (r.standard(P4M), r.regular(P4M)),
    (r.regular(P4M), MIXED), (MIXED, r.quotient(P4M, (0, 4))), (r.irreps(P4)[-1], r.standard(P4)),
    (r.regular(QUARTER), r.standard(QUARTER)),
]  # fmt: skip
every_pair = pytest.mark.parametrize(("rho_in", "rho_out"), PAIRS, ids=lambda rho: rho.name)


@every_pair
def test_it_commutes_with_every_element_exactly(rho_in, rho_out):
    """Matrices of 0, 1 and -1: integers leave no rounding."""
    layer = nn.SteerableConv(rho_in, rho_out, 2, 3, 3, rngs=rngs())
    report = verify.integer_certificate(
        layer, rho_in.group, field(rho_in, 2, 5).shape,
        act_in=act_on_field(rho_in), act_out=act_on_field(rho_out),
    )  # fmt: skip
    assert report.verdict == "exact", report


@pytest.mark.parametrize("name", ["p6", "p6m"])
def test_vectors_turn_on_hexagons(name):
    group = SKEWED[name]
    for rho_in, rho_out in ((r.trivial(group), r.standard(group)),
                            (r.standard(group), r.regular(group))):  # fmt: skip
        layer = nn.SteerableConv(rho_in, rho_out, 2, 2, 3, rngs=rngs())
        x = field(rho_in, 2)
        assert judged(layer, x, rho_in, rho_out).verdict == "to rounding"
        still = r.direct_sum(*[r.trivial(group)] * rho_out.dim)
        assert judged(layer, x, rho_in, still).verdict == "not equivariant"


def test_it_commutes_to_rounding_where_matrices_are_not_integers():
    """A basis turned at random: the same representation, in other coordinates."""
    turn = np.linalg.qr(np.random.default_rng(0).standard_normal((4, 4)))[0]
    turned = Representation(P4M, turn @ MIXED.matrices @ turn.T, "turned")
    layer = nn.SteerableConv(turned, r.standard(P4M), 2, 3, 3, rngs=rngs())
    assert judged(layer, field(turned, 2), turned, r.standard(P4M)).verdict == "to rounding"
    mixed = judged(layer, field(turned, 2), MIXED, r.standard(P4M))
    assert mixed.verdict == "not equivariant"  # the action of the other coordinates


def test_another_representation_is_told_apart():
    """The negative control: right shapes, wrong action."""
    layer = nn.SteerableConv(r.regular(P4), r.irreps(P4)[-1], 2, 3, 3, rngs=rngs())
    other = Representation(P4, r.irreps(P4)[-1].matrices.swapaxes(1, 2), "the other way round")
    x = field(r.regular(P4), 2)
    assert judged(layer, x, r.regular(P4), r.irreps(P4)[-1]).holds
    assert judged(layer, x, r.regular(P4), other).verdict == "not equivariant"


def matching(layer: nn.SteerableConv, group_layer: nnx.Module) -> None:
    """Give the layer of the paper the weights of the other: the slot of the identity, and b."""
    bank = layer.bank()[..., layer.group.identity, :]
    group_layer.kernel[...] = bank.reshape(group_layer.kernel.shape)
    group_layer.bias[...] = layer.bias[...][0]


def test_to_the_regular_representation_it_is_the_layers_of_the_paper():
    options = {"bias_init": nnx.initializers.normal(), "rngs": rngs()}
    trivial, regular = r.trivial(P4M), r.regular(P4M)
    lift = nn.SteerableConv(trivial, regular, 2, 3, 3, **options)
    conv = nn.SteerableConv(regular, regular, 3, 2, 3, strides=2, padding="CIRCULAR", **options)
    lifting = nn.LiftingConv(P4M, 2, 3, 3, rngs=rngs())
    group_conv = nn.GroupConv(P4M, 3, 2, 3, strides=2, padding="CIRCULAR", rngs=rngs())
    matching(lift, lifting)
    matching(conv, group_conv)
    assert lift.kernel.size == lifting.kernel.size and conv.kernel.size == group_conv.kernel.size
    x = field(trivial, 2)
    y = run(lift, x)
    np.testing.assert_array_equal(y, run(lifting, x[..., 0, :]))
    np.testing.assert_array_equal(run(conv, y), run(group_conv, y))


def test_a_stride_obeys_the_downsampling_law():
    layer = nn.SteerableConv(r.standard(P4), r.regular(P4), 1, 1, 3, strides=2, rngs=rngs())
    assert judged(layer, field(r.standard(P4), 1, 7), r.standard(P4), r.regular(P4)).holds
    with pytest.raises(ValueError, match="SteerableConv would not commute with the element r90"):
        layer(field(r.standard(P4), 1, 8))
    free = nn.SteerableConv(
        r.standard(P4), r.regular(P4), 1, 1, 3, strides=2, allow_inexact=True, rngs=rngs()
    )
    x = field(r.standard(P4), 1, 8)
    assert judged(free, x, r.standard(P4), r.regular(P4)).verdict == "not equivariant"


def test_it_commutes_with_translations():
    layer = nn.SteerableConv(MIXED, r.standard(P4M), 1, 1, 3, padding="CIRCULAR", rngs=rngs())
    x = field(MIXED, 1)
    shifted = jnp.roll(x, (2, 3), axis=(1, 2))
    np.testing.assert_allclose(
        run(layer, shifted), jnp.roll(run(layer, x), (2, 3), axis=(1, 2)), rtol=0, atol=1e-5
    )


@pytest.mark.parametrize(
    ("rho", "vectors"),
    [
        (r.regular(P4M), 1), (r.trivial(P4M), 1), (r.standard(P4M), 0), (MIXED, 1),
        (r.direct_sum(r.regular(P4M), r.quotient(P4M, (0, 4))), 2),
    ],
    ids=lambda value: getattr(value, "name", value),
)  # fmt: skip
def test_the_bias_is_what_the_group_leaves_alone(rho, vectors):
    one = nnx.initializers.ones
    layer = nn.SteerableConv(r.trivial(P4M), rho, 1, 3, 5, bias_init=one, rngs=rngs())
    assert vectors == rho.multiplicities[0]
    if not vectors:
        assert layer.bias is None
        return
    assert layer.bias is not None and layer.bias.shape == (vectors, 3)
    bias = run(layer, jnp.zeros((1, 5, 5, 1, 1)))[0, 0, 0]
    assert (bias != 0).any()
    np.testing.assert_allclose(np.einsum("gij,jc->gic", rho.matrices, bias), [bias] * 8, atol=1e-6)
    without = nn.SteerableConv(r.trivial(P4M), rho, 1, 3, 5, use_bias=False, rngs=rngs())
    assert without.bias is None and not run(without, jnp.zeros((1, 5, 5, 1, 1))).any()


def test_unit_inputs_give_unit_outputs():
    for rho_in, rho_out in [(r.regular(P4M), r.trivial(P4M)), (MIXED, r.regular(P4M))]:
        layer = nn.SteerableConv(rho_in, rho_out, 16, 16, 3, padding="CIRCULAR", rngs=rngs())
        assert float(run(layer, field(rho_in, 16)).std()) == pytest.approx(1, abs=0.1)


def test_types():
    layer = nn.SteerableConv(r.standard(P4), MIXED_P4, 1, 2, 3, rngs=rngs())
    for dtype, out in [(jnp.bfloat16, jnp.bfloat16), (jnp.int32, jnp.float32)]:
        x = jax.ShapeDtypeStruct((1, 5, 5, 2, 1), dtype)
        assert jax.eval_shape(layer, x).dtype == out
    half = nn.SteerableConv(r.standard(P4), MIXED_P4, 1, 2, 3, dtype=jnp.float16, rngs=rngs())
    assert jax.eval_shape(half, x).dtype == jnp.float16


MIXED_P4 = r.direct_sum(r.trivial(P4), r.standard(P4))


def test_what_is_no_layer_is_refused():
    trivial, odd = r.trivial(P4M), r.determinant(P4M)
    for build, message in [
        (lambda: nn.SteerableConv(trivial, odd, 1, 1, 3, rngs=rngs()), "no kernel of size .3, 3. "),
        (lambda: nn.SteerableConv(trivial, trivial, 0, 1, 3, rngs=rngs()), "in_features must be"),
        (
            lambda: nn.SteerableConv(trivial, r.trivial(P4), 1, 1, 3, rngs=rngs()),
            "between representations of one group",
        ),
        (
            lambda: nn.SteerableConv(trivial, trivial, 1, 1, (3, 5), rngs=rngs()),
            "is not preserved by the element r90",
        ),
        (
            lambda: nn.SteerableConv(trivial, trivial, 1, 1, 3, (1, 2), rngs=rngs()),
            "SteerableConv: strides",
        ),
        (
            lambda: nn.SteerableConv(trivial, trivial, 2, 1, 3, rngs=rngs())(
                jnp.ones((1, 5, 5, 2))
            ),
            r"takes \[batch, 2 space axes, 1, 2\], got shape .* x\[..., None, :\]",
        ),
    ]:
        with pytest.raises(ValueError, match=message):
            build()


# Nonlinearities.


def test_relu_is_for_representations_that_permute():
    for rho in (r.regular(P4M), r.trivial(P4M), r.quotient(P4M, (0, 4))):
        assert nn.pointwise(rho, nnx.relu) is nnx.relu
    for rho, name in [(r.standard(P4), "r90"), (r.determinant(P4M), "m"), (MIXED, "r90")]:
        with pytest.raises(ValueError, match=f"break the symmetry .* {name} does not permute"):
            nn.pointwise(rho, nnx.relu)
    for rho in (r.standard(P4), r.irreps(P4M)[-1]):  # and it would
        assert judged(nnx.relu, field(rho, 2), rho, rho).verdict == "not equivariant"


@pytest.mark.parametrize(
    "rho", [r.standard(P4M), MIXED, r.irreps(GROUPS["T"])[1]], ids=lambda rho: rho.name
)
def test_the_norm_is_left_alone(rho):
    layer = nn.NormNonlinearity(rho, 2, bias_init=nnx.initializers.normal(1), rngs=rngs())
    assert judged(layer, field(rho, 2, 3), rho, rho).holds
    x = field(rho, 2, 3)
    length = np.linalg.norm(x, axis=-2, keepdims=True)
    expected = x * np.maximum(length + np.asarray(layer.bias[...]), 0) / length
    np.testing.assert_allclose(run(layer, x), expected, rtol=1e-3, atol=1e-3)
    one_by_one = nn.NormNonlinearity(rho, 2, rngs=rngs())
    f = lambda x: jnp.concatenate([one_by_one(x)[..., :1, :], x[..., 1:, :] ** 2], -2)  # noqa: E731
    assert judged(f, field(rho, 2, 3), rho, rho).verdict == "not equivariant"


def test_the_gradient_of_the_norm_is_finite_at_zero():
    layer = nn.NormNonlinearity(r.standard(P4), 1, rngs=rngs())
    gradient = jax.grad(lambda x: layer(x).sum())(jnp.zeros((1, 2, 1)))
    assert jnp.isfinite(gradient).all()
    assert layer(jnp.ones((1, 2, 1), jnp.bfloat16)).dtype == jnp.bfloat16


@pytest.mark.parametrize("rho", [r.standard(P4M), MIXED, r.regular(P4)], ids=lambda rho: rho.name)
def test_a_gate_is_left_alone(rho):
    layer = nn.GatedNonlinearity(rho)
    gated = r.direct_sum(rho, r.trivial(rho.group))
    x = field(gated, 2)
    assert judged(layer, x, gated, rho).verdict == "exact"
    np.testing.assert_array_equal(layer(x), x[..., :-1, :] * jax.nn.sigmoid(x[..., -1:, :]))
    if rho != r.regular(P4):
        odd = r.direct_sum(rho, r.determinant(rho.group))  # a gate that mirrors reverse is none
        assert judged(layer, x, odd, rho).verdict == "not equivariant"


def test_gates_need_no_lengths():
    skewed = r.standard(SKEWED["p6"])
    assert nn.GatedNonlinearity(skewed)(jnp.ones((1, 3, 1))).shape == (1, 2, 1)
    with pytest.raises(ValueError, match="is not orthogonal"):
        nn.NormNonlinearity(skewed, 1, rngs=rngs())


def test_other_shapes_are_refused():
    with pytest.raises(ValueError, match=r"NormNonlinearity takes \[..., 2, 3\], got shape \(1, 2"):
        nn.NormNonlinearity(r.standard(P4), 3, rngs=rngs())(jnp.ones((1, 2, 1)))
    with pytest.raises(
        ValueError, match=r"GatedNonlinearity takes \[..., 3, 1\], got shape \(1, 2"
    ):
        nn.GatedNonlinearity(r.standard(P4))(jnp.ones((1, 2, 1)))


def test_a_network_of_vectors_is_invariant():
    """Image, gated vectors, a regular field, and pooling: nothing of the turn is left."""
    gated = r.direct_sum(r.standard(P4M), r.trivial(P4M))
    keys = rngs()
    network = nnx.Sequential(
        nn.SteerableConv(r.trivial(P4M), gated, 1, 4, 3, rngs=keys),
        nn.GatedNonlinearity(r.standard(P4M)),
        nn.SteerableConv(r.standard(P4M), r.regular(P4M), 4, 4, 3, rngs=keys),
        nn.pointwise(r.regular(P4M), nnx.relu),
        nn.GroupPool(P4M),
        lambda x: nn.global_avg_pool(P4M, x),
    )
    image = jax.random.normal(jax.random.key(0), (4, 9, 9, 1))
    report = verify.equivariance(jax.jit(lambda x: network(x[..., None, :])), P4M, image)
    assert report.verdict == "to rounding", report
    loss = nnx.jit(nnx.grad(lambda net: jnp.mean(net(image[..., None, :]) ** 2)))
    gradient = loss(network)
    sizes = [float(jnp.abs(leaf).max()) for leaf in jax.tree.leaves(gradient)]
    assert min(sizes) > 0
