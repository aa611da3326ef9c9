"""The networks for CIFAR-10: the published sizes, exact strides, and the plain network within."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from gcnn import groups, models, nn, verify
from gcnn.models._halving import HalvingConv

from .test_models import logits, settled

P1, P4, P4M = groups.p1(), groups.p4(), groups.p4m()


def images(batch: int = 8, side: int = 8, dtype=np.float32) -> jax.Array:
    return jnp.asarray(np.random.default_rng(0).normal(size=(batch, side, side, 3)), dtype)


def drawn(key, shape, dtype) -> jax.Array:
    """Weights as large as those of He et al., and nothing to compile for each shape."""
    scale = np.sqrt(2 * shape[-1] / np.prod(shape))
    return jnp.asarray(np.random.default_rng(shape[-1]).normal(0, scale, shape), dtype)


def resnet(group=P4M, **more) -> models.ResNet:
    more = {"kernel_init": drawn, "rngs": nnx.Rngs(0)} | more
    return settled(models.ResNet(group, channels=(2, 3), blocks=1, **more))


def all_cnn(group=P4M, **more) -> models.AllCNN:
    more = {"kernel_init": drawn, "rngs": nnx.Rngs(0)} | more
    return settled(models.AllCNN(group, channels=2, **more))


def judged(net, group, x, **view) -> verify.EquivarianceReport:
    """The verdict on a view of the network, by default that of evaluation."""
    return verify.equivariance(viewed(net, **view), group, x)


def viewed(net, **view):
    """The network as a function, by default in evaluation and without dropout."""
    view = {"use_running_average": True} | view
    if isinstance(net, models.AllCNN):
        view = {"deterministic": True} | view
    return functools.partial(logits, *nnx.split(nnx.view(net, **view)))


def parameters(make) -> int:
    net = nnx.eval_shape(make)
    return sum(p.size for p in jax.tree.leaves(nnx.state(net, nnx.Param)))


# The published sizes


@pytest.mark.parametrize(
    ("group", "blocks", "channels", "count", "published"),
    [
        (P1, 7, (32, 64, 128), 2_639_434, "2.64M"),
        (P4M, 7, (11, 23, 45), 2_619_728, "2.62M"),
        (P1, 4, (71, 142, 284), 7_236_046, "7.24M"),
        (P4M, 4, (25, 50, 100), 7_166_110, "7.17M"),
    ],
    ids=["44-p1", "44-p4m", "26-p1", "26-p4m"],
)
def test_residual_networks_have_the_published_size(group, blocks, channels, count, published):
    found = parameters(
        lambda: models.ResNet(group, channels=channels, blocks=blocks, rngs=nnx.Rngs(0))
    )
    assert found == count
    assert f"{found / 1e6:.2f}M" == published


@pytest.mark.parametrize(
    ("group", "channels", "count", "published"),
    [(P1, 96, 1_372_254, "1.37M"), (P4, 48, 1_371_006, "1.37M"), (P4M, 32, 1_219_678, "1.22M")],
    ids=["p1", "p4", "p4m"],
)
def test_all_cnns_have_the_published_size(group, channels, count, published):
    found = parameters(lambda: models.AllCNN(group, channels=channels, rngs=nnx.Rngs(0)))
    assert found == count
    assert f"{found / 1e6:.2f}M" == published


def test_the_defaults_are_the_best_published_networks():
    assert parameters(lambda: models.ResNet(rngs=nnx.Rngs(0))) == 7_166_110
    assert parameters(lambda: models.AllCNN(rngs=nnx.Rngs(0))) == 1_219_678


def convolutions(net) -> int:
    kinds = nn.LiftingConv | nn.GroupConv
    return sum(isinstance(m, kinds) for _, m in nnx.iter_modules(net))


@pytest.mark.parametrize("blocks", [4, 7])
def test_a_residual_network_has_6n_plus_2_layers(blocks):
    net = nnx.eval_shape(lambda: models.ResNet(channels=(1, 2, 3), blocks=blocks, rngs=nnx.Rngs(0)))
    shortcuts = 2
    logits = 1
    assert convolutions(net) - shortcuts + logits == 6 * blocks + 2


def test_fields_have_the_published_sides():
    def fields():
        net = models.ResNet(P4, channels=(2, 3, 4), blocks=1, rngs=nnx.Rngs(0))
        x = net.lift(jnp.ones((1, 32, 32, 3)))
        seen = [x]
        for block in net.blocks:
            x = block(x)
            seen.append(x)
        return seen

    sides = [field.shape[1:3] for field in nnx.eval_shape(fields)]
    assert sides == [(32, 32), (32, 32), (16, 16), (8, 8)]


@pytest.mark.parametrize("model", [models.ResNet, models.AllCNN])
def test_networks_take_images_and_give_logits(model):
    def applied(x, **more):
        return nnx.eval_shape(lambda: model(rngs=nnx.Rngs(0), **more)(x))

    chex.assert_shape(applied(images(2, 32)), (2, 10))
    chex.assert_shape(applied(images(2, 8)[..., :1], classes=7, in_features=1), (2, 7))


# Symmetry


@pytest.mark.parametrize("make", [resnet, all_cnn])
def test_the_logits_are_invariant_to_every_element_of_p4m(make):
    report = judged(make(), P4M, images())
    assert report.holds, report
    assert report.mixed is not None


@pytest.mark.parametrize("make", [resnet, all_cnn])
def test_the_logits_are_invariant_in_training(make):
    assert judged(make(P4), P4, images(), use_running_average=False).holds


@pytest.mark.parametrize("make", [resnet, all_cnn])
def test_a_network_of_p4_is_invariant_to_turns_and_to_no_mirror(make):
    report = judged(make(P4), P4M, images())
    by_element = dict(zip(P4M.elements, report.relative, strict=True))
    for element, error in by_element.items():
        assert (error < 1e-5) == (element in P4.elements)
        assert error < 1e-5 or error > 1e-2


@pytest.mark.parametrize("make", [resnet, all_cnn])
def test_the_plain_network_is_not_invariant(make):
    report = judged(make(P1), P4M, images())
    assert report.verdict == "not equivariant"
    assert min(report.relative[1:]) > 1e-2


@pytest.mark.newest
@pytest.mark.parametrize("make", [resnet, all_cnn])
def test_a_whole_net_in_float64_is_invariant_to_1e_13(make):
    with jax.enable_x64(True):
        graphdef, state = nnx.split(make(P4))
        double = jax.tree.map(
            lambda p: p.astype(jnp.float64) if jnp.issubdtype(p.dtype, jnp.floating) else p, state
        )
        report = judged(nnx.merge(graphdef, double), P4, images(4, dtype=np.float64))
    assert report.dtype == "float64"
    assert report.error <= 1e-13


def published_strides(group, i, o) -> nn.GroupConv:
    """The layer of the published code: its grid begins at the first pixel."""
    return nn.GroupConv(group, i, o, 3, 2, padding=1, allow_inexact=True, rngs=nnx.Rngs(7))


def test_with_the_published_strides_the_networks_would_not_be_invariant():
    residual, all_conv = resnet(P4), all_cnn(P4)
    residual.blocks[1].convs[0] = published_strides(P4, 2, 3)
    all_conv.layers.layers[3].conv = published_strides(P4, 2, 2)
    for net in (residual, all_conv):
        report = judged(net, P4, images())
        assert report.verdict == "not equivariant"
        assert min(report.relative[1:]) > 1e-3


def test_dropout_of_whole_feature_maps_is_invariant_and_that_of_pixels_is_not():
    rngs = nnx.Rngs(0, dropout=jax.random.key(1, impl="rbg"))  # quick to compile
    net = all_cnn(P4, dropout_rates=(0.1, 0.3, 0.3), whole_maps=True, rngs=rngs)
    assert judged(net, P4, images(), deterministic=False).holds
    net.layers.layers[0].broadcast_dims = ()
    assert judged(net, P4, images(), deterministic=False).verdict == "not equivariant"


@pytest.mark.parametrize("group", [P1, P4M], ids=lambda group: group.name)
def test_networks_drop_pixels_as_published(group):
    net = nnx.eval_shape(lambda: models.AllCNN(group, channels=2, rngs=nnx.Rngs(0)))
    dropouts = [m for _, m in nnx.iter_modules(net) if isinstance(m, nnx.Dropout)]
    assert [d.rate for d in dropouts] == [0.2, 0.5, 0.5]
    assert all(d.broadcast_dims == () for d in dropouts)


# The convolution of stride 2


def halving(group=P4M, i: int = 2, o: int = 3) -> HalvingConv:
    init = nnx.initializers.normal()
    return HalvingConv(group, i, o, kernel_init=init, rngs=nnx.Rngs(0))


@pytest.mark.parametrize("side", [8, 6, 7])
def test_the_strided_convolution_is_certified_to_the_last_bit(side):
    shape = (8, side, side, 8, 2)
    assert verify.integer_certificate(halving(), P4M, shape).verdict == "exact"


def test_the_published_strides_are_refused_and_fail_the_certificate():
    refused = nn.GroupConv(P4M, 2, 3, 3, 2, padding=1, rngs=nnx.Rngs(0))
    with pytest.raises(ValueError, match=r"GroupConv would not commute .* on 32 pixels"):
        nnx.eval_shape(lambda: refused(jnp.ones((1, 32, 32, 8, 2))))
    report = verify.integer_certificate(published_strides(P4M, 2, 3), P4M, (8, 8, 8, 8, 2))
    assert report.verdict == "not equivariant"
    assert report.error > 0.1


def test_on_an_odd_side_it_is_the_published_one():
    layer, x = halving(), jnp.asarray(np.random.default_rng(3).normal(size=(2, 7, 7, 8, 2)))
    published = published_strides(P4M, 2, 3)
    published.kernel, published.bias = layer.conv.kernel, layer.conv.bias
    np.testing.assert_allclose(layer(x), published(x), atol=1e-6)


def test_it_is_the_mean_of_the_published_one_over_four_pixels():
    layer = halving()
    dense = nn.GroupConv(P4M, 2, 3, 3, rngs=nnx.Rngs(0))
    dense.kernel, dense.bias = layer.conv.kernel, layer.conv.bias
    x = jnp.asarray(np.random.default_rng(3).normal(size=(2, 8, 8, 8, 2)), jnp.float32)
    np.testing.assert_allclose(layer(x), nn.avg_pool(P4M, dense(x), 2, 2), atol=1e-6)
    # the published one takes one pixel of the four
    shifted = published_strides(P4M, 2, 3)
    shifted.kernel, shifted.bias = layer.conv.kernel, layer.conv.bias
    np.testing.assert_allclose(shifted(x), dense(x)[:, ::2, ::2], atol=1e-6)
    assert np.abs(shifted(x) - layer(x)).max() > 0.01


# The trivial group: plain networks, written out


def plain_conv(conv, x):
    """A convolution of the trivial group as JAX has it, without a group axis."""
    kernel = conv.kernel[...]
    kernel = kernel.reshape(*kernel.shape[:2], *kernel.shape[-2:])
    numbers = ("NHWC", "HWIO", "NHWC")
    y = jax.lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=numbers)
    return y + conv.bias[...]


def of_four(x):
    """The mean over 2 x 2 pixels."""
    return (x[:, ::2, ::2] + x[:, 1::2, ::2] + x[:, ::2, 1::2] + x[:, 1::2, 1::2]) / 4


def plain_norm(norm, x):
    mean, var = norm.mean[...], norm.var[...]
    return (x - mean) / jnp.sqrt(var + 2e-5) * norm.scale[...] + norm.bias[...]


def plain_resnet(net, x):
    x = plain_conv(net.lift, x)
    for block in net.blocks:
        first, last = block.convs
        y = nnx.relu(plain_norm(block.norms[0], x))
        if block.shortcut is None:
            y = plain_conv(first, y)
        else:
            y = of_four(plain_conv(first.conv, y))
            x = of_four(plain_conv(block.shortcut, x))
        x = x + plain_conv(last, nnx.relu(plain_norm(block.norms[1], y)))
    x = nnx.relu(plain_norm(net.norm, x)).mean(axis=(1, 2))
    return x @ net.top.kernel[...] + net.top.bias[...]


def plain_all_cnn(net, x):
    for layer in net.layers.layers:
        if isinstance(layer, nnx.Dropout):
            continue
        conv = layer.conv
        y = (
            of_four(plain_conv(conv.conv, x))
            if isinstance(conv, HalvingConv)
            else plain_conv(conv, x)
        )
        x = nnx.relu(plain_norm(layer.norm, y))
    return x.mean(axis=(1, 2))


@pytest.mark.parametrize(("make", "plain"), [(resnet, plain_resnet), (all_cnn, plain_all_cnn)])
def test_the_trivial_group_gives_the_plain_network(make, plain):
    net, x = make(P1), images()
    expected = jax.jit(lambda x: plain(net, x))(x)
    np.testing.assert_allclose(
        viewed(net)(x), expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max()
    )


# Initial weights


def kernels(net) -> list[np.ndarray]:
    flat = nnx.to_flat_state(nnx.state(net, nnx.Param))
    return [np.asarray(p[...]) for path, p in flat if "kernel" in path]


def test_initial_weights_are_those_of_the_paper():
    rngs = nnx.Rngs(jax.random.key(0, impl="rbg"))  # quick to compile
    he = kernels(models.ResNet(P4, channels=(8,), blocks=1, rngs=rngs))
    relative = [k.ravel() / np.sqrt(2 * k.shape[-1] / k.size) for k in he]
    assert np.concatenate(relative).std() == pytest.approx(1, rel=0.05)  # of 5000 weights
    normal = kernels(models.AllCNN(P1, channels=4, rngs=rngs))
    assert np.concatenate([k.ravel() for k in normal]).std() == pytest.approx(0.035, rel=0.05)


@pytest.mark.parametrize("make", [resnet, all_cnn])
def test_initial_weights_are_an_argument(make):
    net = make(P4, kernel_init=nnx.initializers.ones_init())
    found = kernels(net)
    assert len(found) >= 7
    assert all((k == 1).all() for k in found)


# Errors


@pytest.mark.parametrize("wrong", [{"channels": ()}, {"blocks": 0}])
def test_a_network_without_stages_is_refused(wrong):
    with pytest.raises(ValueError, match=r"ResNet needs the channels of one stage or more.*got"):
        models.ResNet(**wrong, rngs=nnx.Rngs(0))


def test_other_numbers_of_rates_are_refused():
    with pytest.raises(ValueError, match=r"AllCNN drops in three places.*got dropout_rates \(0.5"):
        models.AllCNN(dropout_rates=(0.5, 0.5), rngs=nnx.Rngs(0))
