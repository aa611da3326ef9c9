"""ResNet and UNet as functions of any group and dimension: lines, volumes, hexagons, odd sides."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from gcnn import actions, export, groups, models, nn, verify
from gcnn.groups import Group
from gcnn.models._doubling import doubled
from gcnn.models._halving import HalvingConv, halved

from .cases import SKEWED
from .test_models_cifar import drawn
from .test_models_unet import frozen, settled

LINE, P4, P6, O = groups.line_mirror(), groups.p4(), groups.p6(), groups.octahedral()  # noqa: E741

# The group of the network, a larger one whose other elements it must not commute with, and sides.
CASES = {
    "line": (groups.p1(1), LINE, (9,)),
    "line and mirror": (LINE, LINE, (6,)),
    "square, odd and even": (P4, groups.p4m(), (5, 6)),
    "hexagon": (P6, groups.p6m(), (9, 9)),
    "prism": (groups.d3(), groups.d6h(), (4, 9, 9)),
}


def resnet(group: Group, **more) -> models.ResNet:
    more = {"channels": (2, 3), "blocks": 1, "in_features": 1, "classes": 3} | more
    return models.ResNet(group, kernel_init=drawn, rngs=nnx.Rngs(0), **more)


def unet(group: Group) -> models.UNet:
    downsampling = models.max_downsampling
    return models.UNet(group, channels=1, depth=1, downsampling=downsampling, rngs=nnx.Rngs(0))


def images(*space: int, batch: int = 2) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(batch, *space, 1))


def quick(net: nnx.Module, dtype=np.float64):
    """The net in evaluation as a function, with the banks expanded: minutes less to compile."""
    return frozen(export.freeze(settled(net, dtype)))


def check_own_elements_alone(f, group: Group, larger: Group, x: np.ndarray) -> None:
    report = verify.equivariance(f, larger, x)
    assert report.dtype == "float64"
    own = group.matrices.tolist()
    for matrix, error in zip(larger.matrices.tolist(), report.relative, strict=True):
        if matrix in own:
            assert error <= 1e-12
        else:
            assert error > 1e-3


@pytest.mark.parametrize("make", [resnet, unet])
@pytest.mark.parametrize("name", CASES)
def test_a_network_commutes_with_its_group_and_with_no_other_element(name, make):
    group, larger, space = CASES[name]
    with jax.enable_x64(True):
        check_own_elements_alone(quick(make(group)), group, larger, images(*space))


def test_a_residual_network_of_volumes_is_invariant_to_the_turns_of_the_cube_alone():
    with jax.enable_x64(True):
        net = quick(resnet(O, channels=(1, 2)))
        check_own_elements_alone(net, O, groups.full_octahedral(), images(3, 4, 4))


@pytest.mark.parametrize(("group", "space"), [(LINE, (8,)), (O, (4, 4, 4))], ids=["line", "volume"])
def test_with_polyphase_a_u_net_is_exact_for_shifts_of_lines_and_of_volumes(group, space):
    shifts = [(1,) * group.dim, (2, 3, 1)[: group.dim]]
    with jax.enable_x64(True):
        f = quick(models.UNet(group, channels=1, depth=1, rngs=nnx.Rngs(0)))
        report = verify.shift_equivariance(f, group, images(*space), shifts=shifts)
        zeros = quick(models.UNet(group, channels=1, depth=1, padding="SAME", rngs=nnx.Rngs(0)))
        broken = verify.shift_equivariance(zeros, group, images(*space), shifts=shifts[:1])
    assert report.error <= 1e-12
    assert max(broken.unshifted) <= 1e-12 and broken.error > 1e-3


# Skewed lattices


def test_on_a_skewed_lattice_a_u_net_pools_hexagons_if_nothing_else_is_asked_for():
    net = nnx.eval_shape(lambda: models.UNet(P6, channels=1, depth=2, rngs=nnx.Rngs(0)))
    assert net.padding == "SAME"
    fields = nnx.eval_shape(lambda net: net(jnp.ones((1, 17, 17, 1))), net)
    assert fields.shape == (1, 17, 17, 1)
    strided = models.strided_downsampling
    shape = nnx.eval_shape(
        lambda: strided(P6, 2, "SAME", nnx.Rngs(0))(jnp.ones((1, 9, 9, 6, 2)))
    ).shape
    assert shape == (1, 5, 5, 6, 2)


def test_in_training_the_corners_are_not_seen():
    """Not by BatchNorm either; that of Flax would count them."""
    x = jnp.asarray(images(9, 9, batch=4), jnp.float32)
    filled = actions.fill_outside(P6, x, (1, 2), 7.0)
    net = export.freeze(resnet(P6, channels=(2,)))
    np.testing.assert_allclose(net(x), net(filled), atol=1e-5)
    plain = nnx.BatchNorm(1, rngs=nnx.Rngs(0))
    kept = actions.preserved_pixels(P6, (9, 9))
    assert np.abs((plain(x) - plain(filled))[:, kept]).max() > 0.1


# What they are made of


def test_halving_is_certified_on_hexagons_and_on_sides_of_both_kinds():
    init = nnx.initializers.normal()
    for group, space in ((P6, (9, 9)), (P4, (5, 8))):
        layer = HalvingConv(group, 1, 2, kernel_init=init, rngs=nnx.Rngs(0))
        pool = models.max_downsampling(group, 1, "SAME", nnx.Rngs(0))
        shape = (4, *space, group.order, 1)
        for f in (layer, pool, functools.partial(_four_times, functools.partial(halved, group))):
            assert verify.integer_certificate(f, group, shape).verdict == "exact"
    first = jax.tree_util.Partial(lambda x: x[:, ::2, ::2])  # of 8, not centred
    assert verify.integer_certificate(first, P4, (4, 8, 8, 4, 1)).verdict == "not equivariant"


def test_doubling_is_certified_on_every_lattice():
    cases = {LINE: (3,), P4: (3, 4), P6: (5, 5), groups.d3(): (2, 3, 3), SKEWED["sheared"]: (3, 3)}
    for group, space in cases.items():
        f = functools.partial(_sixteen_times_doubled, group)
        report = verify.integer_certificate(f, group, (4, *space, group.order, 1))
        assert report.verdict == "exact", group
    plain = functools.partial(_sixteen_times_doubled, groups.p1())
    assert verify.integer_certificate(plain, P6, (4, 5, 5, 6, 1)).verdict == "not equivariant"


def _four_times(f, x):
    return 4 * f(x)


def _sixteen_times_doubled(group, x):
    """Even sides to twice as many, odd ones to one less."""
    return 16 * doubled(group, x, [2 * n - n % 2 for n in x.shape[1:-2]], "EDGE")


def test_doubling_is_linear_interpolation():
    def ramp(*sides):
        return jnp.asarray(sum(np.indices(sides).astype(np.float32)))[None, ..., None]

    np.testing.assert_array_equal(doubled(LINE, ramp(3), (5,), "EDGE"), ramp(5) / 2)
    np.testing.assert_array_equal(doubled(P4, ramp(3, 4), (5, 7), "EDGE"), ramp(5, 7) / 2)
    kept = actions.preserved_pixels(P6, (9, 9))
    found = doubled(P6, ramp(5, 5), (9, 9), "EDGE")
    np.testing.assert_array_equal(found[:, kept], (ramp(9, 9) / 2)[:, kept])
    assert not found[:, ~kept].any()
    even = doubled(P4, ramp(4, 4), (8, 8), "CIRCULAR")
    np.testing.assert_array_equal(
        even, nn.upsample(P4, ramp(4, 4), 2, "linear", padding="CIRCULAR")
    )


# Messages


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: resnet(P6, channels=(1, 1, 1))(jnp.ones((1, 28, 28, 1))),
            r"ResNet halves the sides of an image 2 times, and the element r60 of .*, which skews "
            r"axis 0, turns about a pixel .* 1 more than a multiple of 8; got \(28, 28\)\. Pad the "
            r"images to \(33, 33\)",
        ),
        (
            lambda: models.UNet(groups.d3(), rngs=nnx.Rngs(0))(jnp.ones((1, 4, 15, 15, 1))),
            r"UNet halves .* 3 times.* axis 1.* of 16; got \(4, 15, 15\)\. .* to \(4, 17, 17\)",
        ),
        (
            lambda: models.AllCNN(P6, rngs=nnx.Rngs(0))(jnp.ones((1, 32, 32, 3))),
            r"AllCNN halves .* 2 times.* of 8; got \(32, 32\)\. Pad the images to \(33, 33\)",
        ),
        (
            lambda: models.UNet(P6, padding="CIRCULAR", rngs=nnx.Rngs(0)),
            "LiftingConv: padding CIRCULAR continues a rectangle, and .* preserves none",
        ),
        (
            lambda: models.UNet(P6, downsampling=models.blur_downsampling, rngs=nnx.Rngs(0)),
            "BlurPool works along one axis at a time, and would not commute with the element r60",
        ),
        (
            lambda: models.UNet(P6, downsampling=models.polyphase_downsampling, rngs=nnx.Rngs(0)),
            "PolyphasePool works along one axis at a time",
        ),
        (
            lambda: models.UNet(
                groups.p1(), downsampling=models.strided_downsampling, depth=1, rngs=nnx.Rngs(0)
            )(jnp.ones((1, 9, 9, 1))),
            r"UNet: downsampling made sides of \(4, 4\) from \(9, 9\), and the way up needs half "
            r"of them, rounded up: \(5, 5\)\. Use even sides, max_downsampling",
        ),
        (
            lambda: models.UNet(
                P4, downsampling=models.strided_downsampling, depth=1, rngs=nnx.Rngs(0)
            )(jnp.ones((1, 9, 9, 1))),
            r"GroupConv would not commute with the element r90 .* on 9 pixels",
        ),
    ],
)
def test_messages_name_what_is_wrong_and_what_to_do(call, message):
    with pytest.raises(ValueError, match=message):
        nnx.eval_shape(call)
