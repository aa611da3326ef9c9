"""Published architectures: their sizes, and the invariance that makes them what they are."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from gcnn import groups, models, verify

P4, P4M = groups.p4(), groups.p4m()


def images(batch: int = 4, dtype=np.float32) -> jax.Array:
    return jnp.asarray(np.random.default_rng(0).normal(size=(batch, 28, 28, 1)), dtype)


def settled(net: nnx.Module) -> nnx.Module:
    """The net with running averages that are not those of its birth."""
    rng = np.random.default_rng(1)

    def drawn(statistic):
        return jnp.asarray(rng.uniform(0.05, 0.3, statistic.shape), statistic.dtype)

    statistics = jax.tree.map(drawn, nnx.state(net, nnx.BatchStat))
    nnx.update(net, statistics)
    return net


@functools.partial(jax.jit, static_argnums=0)
def logits(graphdef, state, x):
    """A function of the images alone: a net merged anew forgets what it updates."""
    return nnx.merge(graphdef, state)(x)


def judged(net, group, x, *, train=False, dropout=False) -> verify.EquivarianceReport:
    view = nnx.view(net, use_running_average=not train, deterministic=not dropout)
    return verify.equivariance(functools.partial(logits, *nnx.split(view)), group, x)


@pytest.mark.parametrize(
    ("model", "group", "count"),
    [
        (models.P4CNN, None, 24_680),
        (models.Z2CNN, None, 21_750),
        (models.P4CNNRotationPooling, None, 21_750),
        (models.P4CNN, P4M, 49_080),
    ],
)
def test_the_numbers_of_parameters_are_those_of_the_paper(model, group, count):
    net = nnx.eval_shape(lambda: model(group, rngs=nnx.Rngs(0)))
    assert sum(p.size for p in jax.tree.leaves(nnx.state(net, nnx.Param))) == count


@pytest.mark.parametrize("train", [True, False], ids=["training", "evaluation"])
@pytest.mark.parametrize("model", [models.P4CNN, models.P4CNNRotationPooling])
def test_the_logits_are_invariant_to_every_element(model, train):
    report = judged(settled(model(channels=4, rngs=nnx.Rngs(0))), P4, images(), train=train)
    assert report.holds, report
    assert report.mixed is not None


@pytest.mark.parametrize("name", ["p4m", "cmm"])
def test_every_point_group_gives_an_invariant_net_and_no_larger_symmetry(name):
    group = getattr(groups, name)()
    net = settled(models.P4CNN(group, channels=4, rngs=nnx.Rngs(0)))
    report = judged(net, P4M, images(8))
    by_element = dict(zip(P4M.elements, report.relative, strict=True))
    for element, error in by_element.items():
        assert (error < 1e-5) == (element in group.elements)
    assert judged(net, group, images(8)).holds


def test_the_plain_cnn_is_not_invariant():
    report = judged(settled(models.Z2CNN(channels=4, rngs=nnx.Rngs(0))), P4, images())
    assert report.verdict == "not equivariant"
    assert report.relative[0] == 0
    assert min(report.relative[1:]) > 0.1


def test_a_whole_net_in_float64_is_invariant_to_1e_13():
    with jax.enable_x64(True):
        graphdef, state = nnx.split(settled(models.P4CNN(channels=4, rngs=nnx.Rngs(0))))
        double = jax.tree.map(
            lambda p: p.astype(jnp.float64) if jnp.issubdtype(p.dtype, jnp.floating) else p, state
        )
        report = judged(nnx.merge(graphdef, double), P4, images(dtype=np.float64))
    assert report.dtype == "float64"
    assert report.error <= 1e-13


def test_a_step_of_training_keeps_the_invariance():
    net = models.P4CNN(channels=4, rngs=nnx.Rngs(0))
    graphdef, params, rest = nnx.split(net, nnx.Param, ...)
    rest = nnx.as_pure(rest)

    @jax.jit
    @jax.value_and_grad
    def loss_and_gradient(params):
        scores = nnx.log_softmax(nnx.merge(graphdef, params, rest)(images()))
        return -jnp.mean(scores[jnp.arange(4), jnp.arange(4)])

    before, gradient = loss_and_gradient(params)
    params = jax.tree.map(lambda p, g: p - 0.1 * g, params, gradient)
    after, _ = loss_and_gradient(params)
    assert after < before
    trained = settled(nnx.merge(graphdef, params, rest))
    assert judged(trained, P4, images()).holds


def test_evaluation_normalises_all_slots_as_one_axis():
    net = models.P4CNN(rngs=nnx.Rngs(0))
    for train in (True, False):
        graphdef, state = nnx.split(nnx.view(net, use_running_average=not train))
        program = str(jax.make_jaxpr(functools.partial(logits, graphdef))(state, images()))
        assert (":f32[4,24,24,40] = sub" in program) is not train


@pytest.mark.parametrize("model", [models.P4CNN, models.P4CNNRotationPooling, models.Z2CNN])
def test_channels_and_classes_are_arguments(model):
    y = nnx.eval_shape(lambda: model(channels=3, classes=7, rngs=nnx.Rngs(0))(images(2)))
    chex.assert_shape(y, (2, 7))


def test_odd_and_even_sides_are_taken_and_too_small_ones_are_refused():
    def applied(side):
        net = models.P4CNN(channels=1, rngs=nnx.Rngs(0))
        return net(jnp.ones((2, side, side, 1)))

    chex.assert_shape(nnx.eval_shape(lambda: applied(30)), (2, 10))
    chex.assert_shape(nnx.eval_shape(lambda: applied(29)), (2, 10))  # a window of 3 on 25 pixels
    with pytest.raises(ValueError, match=r"GroupConv: 2 pixels along axis 0.* fewer than the 4"):
        nnx.eval_shape(lambda: applied(24))


def test_dropout_of_whole_feature_maps_is_invariant_and_that_of_pixels_is_not():
    rngs = nnx.Rngs(0, dropout=jax.random.key(1, impl="rbg"))  # quick to compile
    keys = {"dropout_rate": 0.3, "rngs": rngs}
    net = settled(models.P4CNN(channels=4, **keys))
    assert judged(net, P4, images(), dropout=True).holds
    net.dropout.broadcast_dims = ()
    assert judged(net, P4, images(), dropout=True).verdict == "not equivariant"
    scalar = settled(models.P4CNNRotationPooling(channels=4, **keys))
    assert judged(scalar, P4, images(), dropout=True).holds
