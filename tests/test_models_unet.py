"""The networks for shifts: exact for every shift and element at once, or not, by one argument."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from gcnn import actions, groups, models, nn, verify
from gcnn.groups import Group

from .cases import chosen

P1, P4, P4M = groups.p1(), groups.p4(), groups.p4m()
EVERY = {
    "max": models.max_downsampling,
    "strided": models.strided_downsampling,
    "blur": models.blur_downsampling,
    "max-blur": models.max_blur_downsampling,
    "polyphase": models.polyphase_downsampling,
    "learned": models.learned_downsampling,
}


def images(*space: int, batch: int = 2) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(batch, *space, 1)).astype(np.float32)


def settled(net: nnx.Module, dtype=np.float32) -> nnx.Module:
    """The net in evaluation, with running averages that are not those of its birth."""
    rng = np.random.default_rng(1)
    statistics = nnx.state(net, nnx.BatchStat)
    nnx.update(net, jax.tree.map(lambda s: rng.uniform(0.05, 0.3, s.shape), statistics))
    net.eval()
    graphdef, state = nnx.split(net)
    in_type = jax.tree.map(
        lambda p: jnp.asarray(p, dtype) if jnp.issubdtype(p.dtype, jnp.floating) else p, state
    )
    return nnx.merge(graphdef, in_type)


@functools.partial(jax.jit, static_argnums=0)
def forward(graphdef, state, x):
    """A function of the images alone: a net merged anew forgets what it updates."""
    return nnx.merge(graphdef, state)(x)


def frozen(net: nnx.Module):
    return functools.partial(forward, *nnx.split(net))


def parameters(build) -> int:
    net = nnx.eval_shape(build)
    return sum(p.size for p in jax.tree.leaves(nnx.state(net, nnx.Param)))


def shape_of(model, group: Group, x, **options) -> tuple[int, ...]:
    """The shape of the output; what is not legal raises."""
    return nnx.eval_shape(lambda x: model(group, **options, rngs=nnx.Rngs(0))(x), x).shape


# All shifts and all elements.


def errors(f, group: Group, x: np.ndarray, moves: bool) -> tuple[float, float]:
    """The largest |f(T g·x) - T g·f(x)| / max |f(x)|, and how often the class changes.

    Over every circular shift T and every element g; `moves` tells whether they move the output.
    """
    y = np.asarray(f(x))
    bias = y.mean(axis=tuple(range(y.ndim - 1)))  # so that not all are of one class
    assert len(np.unique((y - bias).argmax(-1))) > 1
    worst, changed = 0.0, 0.0
    for g in range(group.order):
        gx = actions.act_on_image(group, g, x)
        gy = actions.act_on_image(group, g, y) if moves else y
        for shift in itertools.product(*map(range, x.shape[1:-1])):
            axes = tuple(range(1, x.ndim - 1))
            expected = np.roll(gy, shift, axes) if moves else gy
            found = np.asarray(f(np.roll(gx, shift, axes)))
            worst = max(worst, np.abs(found - expected).max() / np.abs(y).max())
            differ = (found - bias).argmax(-1) != (expected - bias).argmax(-1)
            changed = max(changed, differ.mean())
    return float(worst), float(changed)


NETS = {
    "p4 classifier": (P4, models.ShiftCNN, {"channels": 4, "classes": 3}),
    "p4m classifier": (P4M, models.ShiftCNN, {"channels": 3, "classes": 3}),
    "p4 U-Net": (P4, models.UNet, {"out_features": 3, "channels": 3, "depth": 2}),
}


@pytest.mark.parametrize("name", NETS)
def test_with_polyphase_a_net_is_exact_for_all_shifts_and_elements_at_once(name):
    group, model, options = NETS[name]
    x = images(8, 8, batch=6).astype(np.float64)
    found = {}
    with jax.enable_x64(True):
        for downsampling in (models.polyphase_downsampling, models.max_downsampling):
            net = model(group, downsampling=downsampling, **options, rngs=nnx.Rngs(0))
            f = frozen(settled(net, np.float64))
            found[downsampling] = errors(f, group, x, model is models.UNet)
    worst, changed = found[models.polyphase_downsampling]
    assert worst <= 1e-12
    assert changed == 0
    worst, changed = found[models.max_downsampling]
    assert worst > 1e-3
    assert changed > 0


# The group, whatever samples down.


@pytest.mark.parametrize("name", EVERY)
def test_every_way_to_sample_down_is_exact_for_the_group(name):
    net = models.ShiftCNN(P4, EVERY[name], channels=3, depth=1, rngs=nnx.Rngs(0))
    f, x = frozen(settled(net)), images(8, 8, batch=4)
    report = verify.equivariance(f, P4, x)
    assert report.holds, report
    shifted = np.abs(f(np.roll(x, 1, axis=1)) - f(x)).max() / np.abs(f(x)).max()
    if name in ("polyphase", "learned"):
        assert shifted < 1e-5
    else:
        assert shifted > 1e-3


@pytest.mark.parametrize("downsampling", [EVERY["max"], EVERY["learned"]])
def test_a_u_net_moves_the_mask_with_every_element_in_training_too(downsampling):
    net = models.UNet(P4, channels=2, depth=1, downsampling=downsampling, rngs=nnx.Rngs(0))
    x = images(8, 12)
    report = verify.equivariance(frozen(settled(net)), P4, x)
    assert report.holds, report
    if downsampling is EVERY["max"]:
        net.train()
        report = verify.equivariance(frozen(net), P4, images(8, 8, batch=4))
        assert report.holds, report
        assert report.mixed is not None


def test_a_plain_u_net_does_not():
    net = settled(models.UNet(P1, channels=2, depth=1, rngs=nnx.Rngs(0)))
    report = verify.equivariance(frozen(net), P4, images(8, 8))
    assert report.verdict == "not equivariant"


def test_zero_padding_breaks_the_shifts_and_nothing_else():
    net = models.ShiftCNN(P4, channels=2, depth=1, padding="SAME", rngs=nnx.Rngs(0))
    f, x = frozen(settled(net)), images(8, 8)
    assert verify.equivariance(f, P4, x).holds
    assert np.abs(f(np.roll(x, 3, axis=1)) - f(x)).max() > 1e-3
    unet = models.UNet(P4, channels=2, depth=1, padding="SAME", rngs=nnx.Rngs(0))
    report = verify.equivariance(frozen(settled(unet)), P4, x)
    assert report.holds, report


# What they are made of.


def test_the_way_up_interpolates_on_the_grid_that_was_chosen():
    net = models.UNet(P4, channels=1, depth=1, rngs=nnx.Rngs(0))
    y = jnp.asarray(images(4, 4)[..., None, :])
    phase = jnp.zeros((2, 2, 2)).at[:, 1, 0].set(1)
    enlarged = jax.jit(functools.partial(net._enlarged, space=(8, 8)))
    up = enlarged(jnp.tile(y, (1, 1, 1, 4, 1)), phase)
    np.testing.assert_allclose(up[:, 1::2, ::2, 0], y[..., 0, :], atol=1e-6)
    between = (y[:, 1:] + y[:, :-1])[..., 0, :] / 2
    np.testing.assert_allclose(up[:, 2:-1:2, ::2, 0], between, atol=1e-6)
    np.testing.assert_allclose(enlarged(jnp.ones_like(y), phase), 1, atol=1e-6)


@pytest.mark.parametrize("model", [models.ShiftCNN, models.UNet])
def test_p4_and_the_plain_net_of_twice_the_channels_have_about_as_many_parameters(model):
    ours = parameters(lambda: model(P4, channels=8, rngs=nnx.Rngs(0)))
    plain = parameters(lambda: model(P1, channels=16, rngs=nnx.Rngs(0)))
    assert abs(ours - plain) / plain < 0.04


@pytest.mark.parametrize("name", ["line", "mirror", "quarter"])
def test_the_nets_take_any_dimension(name):
    group = chosen(name)[name]
    x = jnp.ones((1, *(4,) * group.dim, 2))
    for model in (models.ShiftCNN, models.UNet):
        y = shape_of(model, group, x, in_features=2, channels=2, depth=2)
        assert y == ((1, 10) if model is models.ShiftCNN else (*x.shape[:-1], 1))


def test_arguments_are_taken():
    def shape(model, *space, **options):
        return shape_of(model, P4, jnp.ones((2, *space, 1)), **options)

    assert shape(models.ShiftCNN, 28, 28) == (2, 10)
    assert shape(models.ShiftCNN, 32, 32, depth=3, classes=7) == (2, 7)
    assert shape(models.UNet, 24, 32, out_features=5) == (2, 24, 32, 5)
    net = nnx.eval_shape(lambda: models.UNet(P4, channels=3, depth=2, rngs=nnx.Rngs(0)))
    assert [up.layers[-1].conv.out_features for up in net.up] == [6, 3]
    assert net.down[-1].layers[-1].conv.out_features == 12


@pytest.mark.parametrize(
    "downsampling",
    [
        lambda group, channels, padding, rngs: nn.BlurPool(group, 6, 2, padding=padding),
        lambda group, *_: functools.partial(nn.avg_pool, group, window_shape=2, strides=2),
    ],
    ids=["a layer", "a function"],
)
def test_a_lambda_samples_down_as_well(downsampling):
    for model in (models.ShiftCNN, models.UNet):
        x = jnp.ones((1, 4, 4, 1))
        shape_of(model, P4, x, channels=1, depth=1, downsampling=downsampling)


def test_a_step_of_training_keeps_the_law_and_reaches_the_learned_score():
    net = models.UNet(
        P4, channels=2, depth=1, downsampling=models.learned_downsampling, rngs=nnx.Rngs(0)
    )
    graphdef, params, rest = nnx.split(net, nnx.Param, ...)
    rest = nnx.as_pure(rest)
    x = jnp.asarray(images(8, 8))

    @jax.jit
    @jax.value_and_grad
    def loss_and_gradient(params):
        return jnp.mean((nnx.merge(graphdef, params, rest)(x) - x) ** 2)

    before, gradient = loss_and_gradient(params)
    params = jax.tree.map(lambda p, g: p - 0.05 * g, params, gradient)
    after, _ = loss_and_gradient(params)
    assert after < before
    assert jnp.abs(gradient["downsamplings"][0]["weight"][...]).max() > 0
    trained = nnx.merge(graphdef, params, rest)
    f = frozen(settled(trained))
    assert verify.equivariance(f, P4, x).holds
    moved = f(np.roll(x, (1, 2), axis=(1, 2)))
    np.testing.assert_allclose(moved, np.roll(f(x), (1, 2), axis=(1, 2)), atol=1e-4)


# Messages.


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: models.UNet(P4, rngs=nnx.Rngs(0))(jnp.ones((1, 20, 24, 1))),
            r"UNet halves the sides of an image 3 times, so that they must be multiples of 8; got "
            r"\(20, 24\). Pad the images to \(24, 24\), or crop them",
        ),
        (
            lambda: models.ShiftCNN(P4, rngs=nnx.Rngs(0))(jnp.ones((1, 30, 28, 1))),
            r"ShiftCNN halves the sides .* 2 times.* multiples of 4; got \(30, 28\)",
        ),
        (
            lambda: models.UNet(P4, padding="VALID", rngs=nnx.Rngs(0)),
            "UNet: padding 'VALID' is neither CIRCULAR nor SAME",
        ),
        (
            lambda: models.ShiftCNN(P4, padding="REFLECT", rngs=nnx.Rngs(0)),
            "ShiftCNN: padding 'REFLECT' is neither",
        ),
        (
            lambda: models.UNet(P4, rngs=nnx.Rngs(0))(jnp.ones((1, 8, 8))),
            r"LiftingConv under .* takes \[batch, 2 space axes, 1\], got shape \(1, 8, 8\)",
        ),
    ],
)
def test_messages_name_what_is_wrong_and_what_to_do(call, message):
    with pytest.raises(ValueError, match=message):
        nnx.eval_shape(call)
