"""Layers: equivariant to every element, equal to Flax under the trivial group, honest otherwise."""

import functools
import itertools
import re

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax.tree_util import Partial

from gcnn import actions, groups, nn, verify
from gcnn.groups import Group

from .cases import chosen

GROUPS = chosen(
    "p1", "p2", "pm", "pmm", "cm", "cmm", "p4", "p4m", "mirror", "quarter", "T"
)  # fmt: skip
P4, P4M = GROUPS["p4"], GROUPS["p4m"]

# Windows that obey the downsampling law: kernel size, side of the image, options.
WINDOWS = {
    "1": (1, 4, {}),
    "3": (3, 5, {}),
    "3 valid": (3, 6, {"padding": "VALID"}),
    "2 valid": (2, 5, {"padding": "VALID"}),
    "4 strided by 2": (4, 6, {"strides": 2}),
    "3 strided by 2": (3, 7, {"strides": 2}),
    "3 valid strided by 3": (3, 6, {"padding": "VALID", "strides": 3}),
    "3 dilated by 2": (3, 6, {"kernel_dilation": 2}),
    "3 circular": (3, 5, {"padding": "CIRCULAR"}),
    "2 circular dilated by 2": (2, 6, {"padding": "CIRCULAR", "kernel_dilation": 2}),
    "2 padded by 1": (2, 4, {"padding": 1}),
}
ZEROS = nnx.initializers.zeros_init()  # quick to compile, where integers take the place of values


def field(group: Group, kind: type, batch: int, space: tuple[int, ...], channels: int):
    slots = (group.order,) if kind is nn.GroupConv else ()
    return (batch, *space, *slots, channels)


def normal(*shape: int, dtype=np.float32, seed: int = 0) -> jax.Array:
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape), dtype)


def integers(*shape: int, seed: int = 0) -> jax.Array:
    return jnp.asarray(np.random.default_rng(seed).integers(-4, 5, shape), jnp.float32)


@jax.jit
def run(layer, x):
    return layer(x)


def certify(layer, group: Group, shape: tuple[int, ...]) -> verify.EquivarianceReport:
    return verify.integer_certificate(Partial(run, layer), group, shape)


both_kinds = pytest.mark.parametrize("kind", [nn.LiftingConv, nn.GroupConv])


# Equivariance.


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("name", [n for n in GROUPS if n not in ("p1", "T")])
def test_convolutions_commute_with_every_element_to_the_last_bit(name, window):
    group, (k, n, options) = GROUPS[name], WINDOWS[window]
    for kind in (nn.LiftingConv, nn.GroupConv):
        layer = kind(group, 1, 2, k, **options, kernel_init=ZEROS, rngs=nnx.Rngs(0))
        shape = field(group, kind, max(2, group.order), (n,) * group.dim, 1)
        report = certify(layer, group, shape)
        assert report.verdict == "exact", report
        assert len(report.relative) == group.order


@both_kinds
def test_convolutions_commute_with_the_rotations_of_the_tetrahedron(kind):
    group = GROUPS["T"]
    layer = kind(group, 1, 1, 3, kernel_init=ZEROS, rngs=nnx.Rngs(0))
    assert certify(layer, group, field(group, kind, 3, (4, 4, 4), 1)).verdict == "exact"


@both_kinds
@pytest.mark.parametrize(
    ("name", "kernel", "space", "options"),
    [
        ("p2", (2, 3), (5, 7), {"padding": "VALID", "strides": (1, 2)}),
        ("pm", (3, 2), (6, 6), {"padding": ((0, 1), (2, 2)), "strides": (2, 2)}),
        ("pmm", (1, 3), (4, 5), {"kernel_dilation": (1, 2)}),
        ("cm", 3, (6, 6), {"strides": 2}),  # a mirror in the diagonal asks for no centring
        ("p4", 3, (24, 32), {}),
        ("p4m", 2, (5, 8), {"padding": "VALID"}),
        ("quarter", (2, 3, 3), (4, 5, 5), {"padding": "VALID", "strides": (2, 1, 1)}),
    ],
)
def test_kernels_strides_and_images_may_be_oblong_where_the_group_permits(
    kind, name, kernel, space, options
):
    group = GROUPS[name]
    layer = kind(group, 1, 1, kernel, **options, kernel_init=ZEROS, rngs=nnx.Rngs(0))
    assert certify(layer, group, field(group, kind, 3, space, 1)).verdict == "exact"


@pytest.mark.parametrize("name", ["p4m", "cmm"])
def test_gaussian_data_leave_only_rounding(name):
    group = GROUPS[name]
    x = normal(3, 7, 7, 3)
    net = nnx.Sequential(
        nn.LiftingConv(group, 3, 4, 3, rngs=nnx.Rngs(1)),
        nn.GroupConv(group, 4, 4, 3, strides=2, rngs=nnx.Rngs(2)),
    )
    single = verify.equivariance(jax.jit(net), group, x)
    assert single.verdict in ("exact", "to rounding"), single
    with jax.enable_x64(True):
        net = nnx.Sequential(
            nn.LiftingConv(group, 3, 4, 3, param_dtype=jnp.float64, rngs=nnx.Rngs(1)),
            nn.GroupConv(group, 4, 4, 3, strides=2, param_dtype=jnp.float64, rngs=nnx.Rngs(2)),
        )
        double = verify.equivariance(jax.jit(net), group, np.asarray(x, np.float64))
    assert double.dtype == "float64"
    assert double.error <= 1e-13


@both_kinds
def test_the_certificate_rejects_a_bank_whose_slots_do_not_turn(kind, monkeypatch):
    def still(group, weight):
        return jnp.stack([weight] * group.order, axis=-2)

    bank = "lifting_bank" if kind is nn.LiftingConv else "group_bank"
    monkeypatch.setattr(f"gcnn.nn._conv.{bank}", still)
    layer = kind(P4, 1, 2, 3, kernel_init=ZEROS, rngs=nnx.Rngs(0))
    report = verify.integer_certificate(layer, P4, field(P4, kind, 4, (5, 5), 1))
    assert report.verdict == "not equivariant"
    assert report.relative[0] == 0
    assert min(report.relative[1:]) > 0.1


@both_kinds
def test_circular_convolutions_commute_with_translations(kind):
    layer = kind(P4M, 1, 2, 3, padding="CIRCULAR", rngs=nnx.Rngs(0))
    layer.kernel[...] = integers(*layer.kernel.shape)
    x = integers(*field(P4M, kind, 2, (5, 6), 1))
    shifted = run(layer, jnp.roll(x, (2, -1), axis=(1, 2)))
    np.testing.assert_array_equal(shifted, jnp.roll(run(layer, x), (2, -1), axis=(1, 2)))
    zeros = kind(P4M, 1, 2, 3, rngs=nnx.Rngs(0))  # the border tells zero padding from periodic
    shifted = run(zeros, jnp.roll(x, (2, -1), axis=(1, 2)))
    assert jnp.abs(shifted - jnp.roll(run(zeros, x), (2, -1), axis=(1, 2))).max() > 0.1


# The trivial group.


@pytest.mark.parametrize("padding", ["SAME", "VALID", "CIRCULAR", 1, ((0, 1), (2, 0))], ids=str)
@pytest.mark.parametrize(
    ("kernel", "strides", "dilation"),
    [
        ((1, 1), 1, 1),
        ((2, 2), 1, 1),
        ((3, 3), 2, 1),
        ((3, 3), None, None),
        ((2, 3), (2, 1), 2),
        ((4, 1), (1, 3), (1, 2)),
    ],
    ids=str,
)
def test_under_the_trivial_group_the_layers_are_those_of_flax(kernel, strides, dilation, padding):
    x = integers(2, 6, 7, 3)
    plain = nnx.Conv(
        3, 2, kernel, strides, padding=padding, kernel_dilation=dilation, rngs=nnx.Rngs(0)
    )
    plain.kernel[...] = integers(*plain.kernel.shape, seed=1)
    plain.bias[...] = integers(2, seed=2)
    lifting = nn.LiftingConv(
        groups.p1(), 3, 2, kernel, strides, padding=padding, kernel_dilation=dilation,
        rngs=nnx.Rngs(0),
    )  # fmt: skip
    lifting.kernel[...] = plain.kernel[...]
    lifting.bias[...] = plain.bias[...]
    expected = run(plain, x)
    np.testing.assert_array_equal(run(lifting, x)[..., 0, :], expected)
    lifting.kernel[...] = lifting.kernel[...].at[0, 0, 0, 0].add(1)
    assert not np.array_equal(run(lifting, x)[..., 0, :], expected)


def test_under_the_trivial_group_group_convolution_is_lifting():
    x = integers(2, 6, 7, 3)
    lifting = nn.LiftingConv(groups.p1(), 3, 2, (2, 3), 2, rngs=nnx.Rngs(0))
    regular = nn.GroupConv(groups.p1(), 3, 2, (2, 3), 2, rngs=nnx.Rngs(0))
    lifting.kernel[...] = integers(*lifting.kernel.shape)
    regular.kernel[...] = lifting.kernel[...][:, :, None]
    np.testing.assert_array_equal(run(regular, x[..., None, :]), run(lifting, x))


@pytest.mark.parametrize("options", [{"use_bias": False}, {"precision": "highest"}], ids=str)
def test_other_options_mean_what_they_mean_in_flax(options):
    x = normal(2, 6, 7, 3)
    plain = nnx.Conv(3, 2, (3, 3), **options, rngs=nnx.Rngs(4))
    lifting = nn.LiftingConv(groups.p1(), 3, 2, 3, **options, rngs=nnx.Rngs(4))
    np.testing.assert_array_equal(lifting.kernel[...], plain.kernel[...])  # the same keys
    np.testing.assert_allclose(lifting(x)[..., 0, :], plain(x), atol=1e-6)
    assert (lifting.bias is None) == (plain.bias is None)


# The downsampling law, "if and only if".

PADDINGS = ["SAME", "VALID", "CIRCULAR", 1, 2, (0, 1), (1, 0), (2, 1), (0, 2)]


def pads_of_flax(padding, n: int, extent: int, stride: int) -> tuple[int, int]:
    if padding == "CIRCULAR":
        return (extent - 1) // 2, extent // 2
    if isinstance(padding, str):
        return jax.lax.padtype_to_pads((n,), (extent,), (stride,), padding)[0]
    return (padding, padding) if isinstance(padding, int) else padding


@functools.cache
def commutes(n: int, k: int, s: int, d: int, padding) -> bool | None:
    """Whether a plain XLA window with a p4-symmetric kernel commutes with p4 on random integers.

    None if the image is smaller than the window.
    """
    rng = np.random.default_rng(n)
    lo, hi = pads_of_flax(padding, n, d * (k - 1) + 1, s)
    if n + lo + hi < d * (k - 1) + 1:
        return None
    x = rng.integers(-9, 10, (n, n))
    mode = "wrap" if padding == "CIRCULAR" else "constant"
    turns = [np.pad(np.rot90(x, r), ((lo, hi), (lo, hi)), mode=mode) for r in range(4)]
    w = rng.integers(1, 10, (k, k))
    w = sum(np.rot90(w, r) for r in range(4))
    y = jax.lax.conv_general_dilated(
        np.stack(turns)[..., None].astype(np.float32),
        w[:, :, None, None].astype(np.float32),
        (s, s),
        "VALID",
        rhs_dilation=(d, d),
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )
    return all(np.array_equal(y[r], np.rot90(y[0], r)) for r in range(4))


@pytest.mark.parametrize("padding", PADDINGS, ids=str)
def test_a_layer_is_refused_if_and_only_if_its_window_does_not_commute(padding):
    outcomes = set()
    explicit = padding if isinstance(padding, str | int) else (padding, padding)
    for k, s, d in itertools.product(range(1, 6), range(1, 4), (1, 2)):
        if k == 1 and d == 2:  # one tap has no dilation
            continue
        layer = nn.LiftingConv(
            P4, 1, 1, k, s, padding=explicit, kernel_dilation=d, kernel_init=ZEROS,
            rngs=nnx.Rngs(0),
        )  # fmt: skip
        for n in range(5, 11):  # a whole period of every stride
            try:
                jax.eval_shape(layer, jax.ShapeDtypeStruct((1, n, n, 1), np.float32))
                accepted = True
            except ValueError as error:
                accepted = None if "are fewer than" in str(error) else False
            expected = commutes(n, k, s, d, padding)
            assert accepted == expected, f"N = {n}, k = {k}, s = {s}, d = {d}, padding {padding}"
            outcomes.add(accepted)
    assert False in outcomes
    assert True in outcomes or padding in [(1, 0), (2, 1)]  # more before than behind: never


@pytest.mark.parametrize(
    ("k", "s", "n", "padding"),
    [(3, 2, 6, "SAME"), (2, 1, 5, "SAME"), (3, 2, 6, "VALID"), (2, 1, 5, "CIRCULAR"), (1, 3, 6, 0)],
)
def test_what_is_accepted_as_inexact_really_is(k, s, n, padding):
    options = {"padding": padding, "kernel_init": ZEROS, "rngs": nnx.Rngs(0)}
    layer = nn.LiftingConv(P4, 1, 1, k, s, **options, allow_inexact=True)
    report = certify(layer, P4, (4, n, n, 1))
    assert report.verdict == "not equivariant"
    assert report.error > 0.1  # entirely, and not by rounding
    x = integers(4, n, n, 1)
    pooled = verify.equivariance(
        lambda x: nn.max_pool(P4, x, k, s, padding, allow_inexact=True), P4, x
    )
    assert pooled.verdict == "not equivariant"
    for refused in (
        lambda: nn.LiftingConv(P4, 1, 1, k, s, **options)(x),
        lambda: nn.max_pool(P4, x, k, s, padding),
        lambda: nn.avg_pool(P4, x, k, s, padding),
    ):
        with pytest.raises(ValueError, match="would not commute with the element r90 of"):
            refused()


@pytest.mark.parametrize("space", [(7, 7), (7, 6), (6, 7), (6, 6)], ids=str)
@pytest.mark.parametrize("name", ["p2", "pm", "cm", "cmm", "p4", "quarter"])
def test_only_the_axes_that_a_group_moves_are_bound_by_the_law(name, space):
    group = GROUPS[name]
    space = (6, *space)[-group.dim :]
    options = {"strides": 2, "kernel_init": ZEROS, "rngs": nnx.Rngs(0)}
    inexact = nn.LiftingConv(group, 1, 1, 3, **options, allow_inexact=True)
    holds = certify(inexact, group, (3, *space, 1)).holds
    layer = nn.LiftingConv(group, 1, 1, 3, **options)
    bound = {"pm": (1,), "cm": (), "quarter": (1, 2)}.get(name, (0, 1))
    even = [axis for axis in bound if space[axis] == 6]
    assert holds == (not even)
    if even:
        with pytest.raises(ValueError, match=rf"would not commute .*6 pixels \(axis {even[0]}\)"):
            layer(jnp.ones((1, *space, 1)))
    else:
        layer(jnp.ones((1, *space, 1)))


REMEDY = re.compile(
    r"size (?P<k>\d+)|(?P<n>\d+) pixels|padding \((?P<lo>\d+), (?P<hi>\d+)\)|stride (?P<s>\d+)"
)


@pytest.mark.parametrize("padding", PADDINGS, ids=str)
def test_every_remedy_that_a_message_names_is_one(padding):
    found = set()
    for k, s, d, n in itertools.product(range(1, 5), range(1, 4), (1, 2), (7, 8)):
        case = {"n": n, "k": k, "s": s, "d": d, "padding": padding}

        def build(n, k, s, d, padding):
            explicit = padding if isinstance(padding, str | int) else (padding, padding)
            layer = nn.LiftingConv(
                P4, 1, 1, k, s, padding=explicit, kernel_dilation=d, kernel_init=ZEROS,
                rngs=nnx.Rngs(0),
            )  # fmt: skip
            return jax.eval_shape(layer, jax.ShapeDtypeStruct((1, n, n, 1), np.float32))

        try:
            build(**case)
        except ValueError as error:
            advice = re.search(r"Use (.*); allow_inexact=True accepts an inexact", str(error))[1]
        else:
            continue
        for remedy in advice.split(" or "):
            changed = {}
            for change in REMEDY.finditer(remedy):
                named = {key: int(v) for key, v in change.groupdict().items() if v}
                if "lo" in named:
                    named = {"padding": (named["lo"], named["hi"])}
                changed |= named
            found |= changed.keys()
            build(**{**case, **changed})  # raises if the remedy is none
            assert commutes(**{**case, **changed}), f"{case}: {remedy}"
    assert found, "no message was seen"


# Messages.


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (
            lambda: nn.LiftingConv(P4, 1, 1, 3, 2, rngs=nnx.Rngs(0))(jnp.ones((1, 28, 28, 1))),
            r"LiftingConv would not commute with the element r90 of Group\(p4: order 4, dimension "
            r"2\): size 3, stride 2, dilation 1, padding SAME = \(0, 1\) on 28 pixels \(axis 0\) "
            r"is not centred\..*Use size 4 or 29 pixels; allow_inexact=True accepts",
        ),
        (
            lambda: nn.GroupConv(P4, 1, 1, 3, padding=((0, 1), (0, 1)), rngs=nnx.Rngs(0))(
                jnp.ones((1, 5, 5, 4, 1))
            ),
            r"GroupConv would not commute.*padding explicit = \(0, 1\) on 5 pixels.*"
            r"Use padding \(0, 0\)",
        ),
        (
            lambda: nn.LiftingConv(groups.pm(), 1, 1, 2, rngs=nnx.Rngs(0))(jnp.ones((1, 4, 5, 1))),
            r"the element m of Group\(pm.*on 5 pixels \(axis 1\)",
        ),
        (
            lambda: nn.LiftingConv(P4, 1, 1, (2, 3), rngs=nnx.Rngs(0)),
            r"A kernel of shape \(2, 3\) is not preserved by the element r90 of Group\(p4",
        ),
        (
            lambda: nn.LiftingConv(groups.cm(), 1, 1, 3, (1, 2), rngs=nnx.Rngs(0)),
            r"LiftingConv: strides \(1, 2\) differs along axes 0 and 1, which the element m of "
            r"Group\(cm.*swaps\. Use equal values along both",
        ),
        (
            lambda: nn.GroupConv(P4, 1, 1, 3, kernel_dilation=(1, 2), rngs=nnx.Rngs(0)),
            r"GroupConv: dilation \(1, 2\) differs along axes 0 and 1",
        ),
        (
            lambda: nn.GroupConv(P4, 1, 1, 3, padding=(0, 1), rngs=nnx.Rngs(0)),
            r"GroupConv: padding \(\(0, 0\), \(1, 1\)\) differs along axes 0 and 1",
        ),
        (
            lambda: nn.LiftingConv(P4, 1, 1, (3, 3, 3), rngs=nnx.Rngs(0)),
            r"LiftingConv: size \(3, 3, 3\) should be one positive integer, or one for each of the "
            r"2 space axes of Group\(p4",
        ),
        (
            lambda: nn.LiftingConv(P4, 1, 1, 0, rngs=nnx.Rngs(0)),
            "LiftingConv: size 0 should be one positive integer",
        ),
        (
            lambda: nn.LiftingConv(P4, 1, 1, 3, 0, rngs=nnx.Rngs(0)),
            "LiftingConv: strides 0 should be one positive integer",
        ),
        (
            lambda: nn.LiftingConv(P4, 1, 1, 3, kernel_dilation=(1, 0), rngs=nnx.Rngs(0)),
            r"LiftingConv: dilation \(1, 0\) should be one positive integer",
        ),
        (
            lambda: nn.LiftingConv(P4, 1, 1, 3, padding="same", rngs=nnx.Rngs(0)),
            "LiftingConv: padding 'same' is none of SAME, VALID, CIRCULAR; explicit padding is an",
        ),
        (
            lambda: nn.LiftingConv(P4, 1, 1, 3, padding=(1, 1, 1), rngs=nnx.Rngs(0)),
            r"LiftingConv: padding \(1, 1, 1\) should be an integer, or an integer or a pair",
        ),
        (
            lambda: nn.LiftingConv(P4, 1, 1, 3, padding=-1, rngs=nnx.Rngs(0)),
            "LiftingConv: padding -1 should be an integer, .* not negative",
        ),
        (
            lambda: nn.LiftingConv(P4, 0, 1, 3, rngs=nnx.Rngs(0)),
            "LiftingConv: in_features must be at least 1, got 0",
        ),
        (
            lambda: nn.GroupConv(P4, 1, -1, 3, rngs=nnx.Rngs(0)),
            "GroupConv: out_features must be at least 1, got -1",
        ),
        (
            lambda: nn.LiftingConv(
                Group.from_generators([((0, -1), (1, 1))], "p6"), 1, 1, 4, rngs=nnx.Rngs(0)
            ),
            r"of sides \(4, 4\) is not preserved by the element r60 of Group\(p6",
        ),
        (
            lambda: nn.LiftingConv(P4, 1, 1, 3, rngs=nnx.Rngs(0))(jnp.ones((1, 5, 5, 4, 1))),
            r"LiftingConv under Group\(p4.*takes \[batch, 2 space axes, 1\], got shape "
            r"\(1, 5, 5, 4, 1\)\. .*a field with a group axis needs GroupConv",
        ),
        (
            lambda: nn.LiftingConv(P4, 3, 1, 3, rngs=nnx.Rngs(0))(jnp.ones((1, 5, 5, 1))),
            r"takes \[batch, 2 space axes, 3\], got shape \(1, 5, 5, 1\)",
        ),
        (
            lambda: nn.GroupConv(P4, 1, 1, 3, rngs=nnx.Rngs(0))(jnp.ones((1, 5, 5, 1))),
            r"GroupConv under Group\(p4.*takes \[batch, 2 space axes, 4, 1\], got shape "
            r"\(1, 5, 5, 1\)\. An image, without a group axis, needs LiftingConv first",
        ),
        (
            lambda: nn.GroupConv(P4M, 1, 1, 3, rngs=nnx.Rngs(0))(jnp.ones((1, 5, 5, 4, 1))),
            r"takes \[batch, 2 space axes, 8, 1\], got shape \(1, 5, 5, 4, 1\)",
        ),
        (
            lambda: nn.LiftingConv(P4, 1, 1, 5, padding="VALID", rngs=nnx.Rngs(0))(
                jnp.ones((1, 4, 4, 1))
            ),
            r"LiftingConv: 4 pixels along axis 0, padded by \(0, 0\), are fewer than the 5 that a "
            r"window spans\. Pad more, or use a smaller window",
        ),
        (
            lambda: nn.LiftingConv(P4, 1, 1, 9, padding="CIRCULAR", rngs=nnx.Rngs(0))(
                jnp.ones((1, 3, 3, 1))
            ),
            r"LiftingConv: CIRCULAR padding of \(4, 4\) is longer than the 3 pixels of axis 0",
        ),
        (
            lambda: nn.max_pool(P4, jnp.ones((4, 4, 1)), 2),
            r"max_pool under Group\(p4.*takes an image \[b, \*space, c\] or a regular field .*with "
            r"2 space axes, got shape \(4, 4, 1\)",
        ),
        (
            lambda: nn.avg_pool(P4, jnp.ones((1, 4, 4, 1)), (2, 3)),
            r"avg_pool: size \(2, 3\) differs along axes 0 and 1",
        ),
        (
            lambda: nn.GroupPool(P4)(jnp.ones((1, 5, 5, 3))),
            r"GroupPool under Group\(p4.*takes \[\.\.\., 4, channels\], got shape \(1, 5, 5, 3\), "
            r"which has no such group axis\. Lift images with LiftingConv",
        ),
    ],
    ids=[
        "off centre", "uneven padding", "mirrored axis", "oblong kernel", "strides", "dilation",
        "padding", "three axes", "size 0", "stride 0", "dilation 0", "lower case", "three pads",
        "negative padding", "no input", "no output", "hexagonal", "field for an image",
        "other channels", "image for a field", "another group", "small image", "small circle",
        "pool without batch", "oblong pool", "pool without group",
    ],
)  # fmt: skip
def test_what_breaks_a_law_is_refused_with_sizes_and_remedy(build, message):
    with pytest.raises(ValueError, match=message):
        build()


def test_an_inexact_layer_may_differ_along_swapped_axes_but_not_in_its_kernel():
    options = {"allow_inexact": True, "rngs": nnx.Rngs(0)}
    layer = nn.LiftingConv(P4, 1, 1, 3, (1, 2), **options)
    chex.assert_shape(layer(jnp.ones((1, 6, 6, 1))), (1, 6, 3, 4, 1))
    with pytest.raises(ValueError, match=r"A kernel of shape \(1, 3\)"):
        nn.LiftingConv(P4, 1, 1, (1, 3), **options)


# Types and parameters.


@both_kinds
@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float32", "float64"])
def test_the_type_of_the_input_is_that_of_the_output(kind, dtype):
    with jax.enable_x64(True):
        layer = kind(P4, 2, 3, 3, kernel_init=ZEROS, rngs=nnx.Rngs(0))
        y = layer(jnp.ones(field(P4, kind, 1, (4, 4), 2), dtype))
        chex.assert_type(y, dtype)
        chex.assert_type([layer.kernel[...], layer.bias[...]], jnp.float32)


@pytest.mark.parametrize("dtype", ["bfloat16", "float32"])
def test_dtype_overrides_the_input_and_leaves_the_parameters(dtype):
    options = {"dtype": dtype, "param_dtype": jnp.bfloat16, "rngs": nnx.Rngs(0)}
    layer = nn.LiftingConv(P4, 2, 3, 3, **options)
    for x in (jnp.ones((1, 4, 4, 2)), jnp.ones((1, 4, 4, 2), jnp.bfloat16)):
        chex.assert_type(layer(x), dtype)
    chex.assert_type([layer.kernel[...], layer.bias[...]], jnp.bfloat16)


def test_integer_images_are_computed_in_the_type_of_the_parameters():
    layer = nn.LiftingConv(P4, 1, 1, 3, rngs=nnx.Rngs(0))
    chex.assert_type(layer(jnp.ones((1, 4, 4, 1), jnp.uint8)), jnp.float32)


@pytest.mark.parametrize("dtype", ["bfloat16", "float32"])
def test_bfloat16_is_as_exact_on_integers(dtype):
    layer = nn.GroupConv(P4M, 1, 2, 3, kernel_init=ZEROS, rngs=nnx.Rngs(0))
    report = verify.integer_certificate(Partial(run, layer), P4M, (3, 5, 5, 8, 1), dtype=dtype)
    assert (report.verdict, report.dtype) == ("exact", dtype)


@pytest.mark.usefixtures("strict")
@both_kinds
@pytest.mark.parametrize("dtype", ["bfloat16", "float32"])
def test_layers_and_pools_promote_nothing(kind, dtype):
    layer = kind(P4, 2, 3, 3, kernel_init=ZEROS, rngs=nnx.Rngs(0))
    y = layer(jnp.ones(field(P4, kind, 1, (4, 4), 2), dtype))
    for pool in (nn.max_pool, nn.avg_pool):
        chex.assert_type([pool(P4, y, 2, 2), pool(P4, y, 3, 1, "SAME")], dtype)
    for pool in (nn.global_max_pool, nn.global_avg_pool):
        chex.assert_type(pool(P4, y), dtype)
    chex.assert_type(nn.GroupPool(P4)(y), dtype)


def test_parameters_have_the_shapes_of_the_papers():
    lifting = nn.LiftingConv(P4M, 3, 5, 3, kernel_init=ZEROS, rngs=nnx.Rngs(0))
    regular = nn.GroupConv(P4M, 3, 5, 2, kernel_init=ZEROS, rngs=nnx.Rngs(0))
    chex.assert_shape(lifting.kernel[...], (3, 3, 3, 5))
    chex.assert_shape(regular.kernel[...], (2, 2, 8, 3, 5))
    chex.assert_shape([lifting.bias[...], regular.bias[...]], (5,))
    chex.assert_shape(lifting.bank(), (3, 3, 3, 8, 5))
    chex.assert_shape(regular.bank(), (2, 2, 8, 3, 8, 5))


def test_the_fan_in_of_a_group_convolution_counts_the_group_axis():
    kernel = nn.GroupConv(P4M, 8, 64, 3, rngs=nnx.Rngs(0)).kernel[...]
    assert jnp.std(kernel) == pytest.approx(1 / np.sqrt(9 * 8 * 8), rel=0.03)
    kernel = nn.LiftingConv(P4M, 8, 64, 3, rngs=nnx.Rngs(0)).kernel[...]
    assert jnp.std(kernel) == pytest.approx(1 / np.sqrt(9 * 8), rel=0.05)


@both_kinds
def test_the_bias_is_shared_by_the_group_axis(kind):
    layer = kind(P4, 1, 3, 3, kernel_init=ZEROS, rngs=nnx.Rngs(0))
    np.testing.assert_array_equal(layer.bias[...], 0)
    layer.bias[...] = jnp.arange(3.0)
    y = layer(normal(*field(P4, kind, 1, (4, 4), 1)))
    np.testing.assert_array_equal(y, np.broadcast_to([0, 1, 2], (1, 4, 4, 4, 3)))


@both_kinds
@pytest.mark.parametrize("use_bias", [True, False])
def test_the_state_of_a_layer_is_its_kernel_and_bias(kind, use_bias):
    layer = kind(P4, 1, 3, 3, use_bias=use_bias, rngs=nnx.Rngs(0))
    paths = [path for path, _ in nnx.to_flat_state(nnx.state(layer))]
    assert sorted(paths) == ([("bias",), ("kernel",)] if use_bias else [("kernel",)])


def test_the_random_keys_make_the_kernel():
    kernels = [nn.LiftingConv(P4, 1, 2, 3, rngs=nnx.Rngs(s)).kernel[...] for s in (0, 0, 1)]
    np.testing.assert_array_equal(kernels[0], kernels[1])
    assert not np.array_equal(kernels[0], kernels[2])


# Pooling.

POOLS = {
    "2 by 2": (2, 2, "VALID", 6),
    "2 dense": (2, 1, "VALID", 5),
    "3 by 2": (3, 2, "VALID", 7),
    "2 by 2 padded": (2, 2, 1, 6),
    "3 same": (3, 1, "SAME", 5),
    "3 same by 2": (3, 2, "SAME", 7),
    "3 circular": (3, 1, "CIRCULAR", 4),
}


@pytest.mark.parametrize("pool", [nn.max_pool, nn.avg_pool])
@pytest.mark.parametrize("case", POOLS)
def test_pooling_commutes_with_every_element(pool, case):
    size, strides, padding, n = POOLS[case]
    for shape in ((3, n, n, 2), (3, n, n, 8, 1)):
        f = jax.jit(lambda x: pool(P4M, x, size, strides, padding))
        report = verify.equivariance(f, P4M, normal(*shape))
        assert report.verdict == "exact" if pool is nn.max_pool else report.holds, report


@pytest.mark.parametrize(
    ("pool", "plain"), [(nn.max_pool, nnx.max_pool), (nn.avg_pool, nnx.avg_pool)]
)
@pytest.mark.parametrize("case", [c for c in POOLS if "circular" not in c])
def test_pooling_gives_the_numbers_of_flax(pool, plain, case):
    size, strides, padding, n = POOLS[case]
    x = integers(2, n, n + size, 4, 3)
    pads = padding if isinstance(padding, str) else ((padding, padding),) * 2
    expected = plain(x.reshape(2, n, n + size, 12), (size, size), (strides, strides), pads)
    pooled = pool(groups.p1(), x, size, strides, padding)
    np.testing.assert_allclose(pooled.reshape(expected.shape), expected, rtol=1e-6)


@pytest.mark.parametrize("pool", [nn.max_pool, nn.avg_pool])
def test_circular_pooling_commutes_with_translations(pool):
    x = integers(2, 4, 6, 3)

    def f(x):
        return pool(P4, x, 3, 1, "CIRCULAR")

    chex.assert_shape(f(x), x.shape)
    np.testing.assert_array_equal(f(jnp.roll(x, (1, -2), (1, 2))), jnp.roll(f(x), (1, -2), (1, 2)))


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "int32", "uint8"])
@pytest.mark.parametrize("pool", [nn.max_pool, nn.avg_pool])
def test_windows_that_tile_are_pooled_as_windows_that_slide(pool, dtype):
    x = jnp.asarray(np.random.default_rng(0).integers(0, 16, (2, 4, 6, 3)), dtype)
    tiled = pool(groups.p1(), x, 2, 2)
    slid = pool(groups.p1(), x, 2, 1)[:, ::2, ::2]
    chex.assert_trees_all_equal(tiled, slid)
    assert not np.array_equal(tiled, pool(groups.p1(), x, 2, 1)[:, 1::2, 1::2])


def test_padding_never_wins_a_maximum():
    x = jnp.full((1, 3, 3, 1), -5.0)
    np.testing.assert_array_equal(nn.max_pool(P4, x, 3, 1, "SAME"), x)
    np.testing.assert_array_equal(nn.max_pool(P4, x.astype(jnp.int32), 3, 1, 1), x)


def test_the_gradient_of_a_tiled_maximum_neither_selects_nor_scatters():
    def compiled(strides):
        pooled = jax.grad(lambda x: jnp.sum(nn.max_pool(P4, x, 2, strides) ** 2))
        return jax.jit(pooled).lower(jnp.ones((1, 6, 6, 1))).compile().as_text()

    assert not re.search(r"scatter\(", compiled(2))
    assert re.search(r"scatter\(", compiled(1))  # windows that overlap need one


@pytest.mark.parametrize(
    ("pool", "reduce"), [(nn.global_max_pool, np.max), (nn.global_avg_pool, np.mean)]
)
def test_global_pools_forget_space_and_keep_the_group_axis(pool, reduce):
    x, f = normal(3, 4, 5, 2), normal(3, 4, 5, 8, 2)
    np.testing.assert_allclose(pool(P4M, x), reduce(np.asarray(x), axis=(1, 2)), atol=1e-6)
    chex.assert_shape(pool(P4M, f), (3, 8, 2))
    chex.assert_shape(pool(GROUPS["quarter"], normal(2, 3, 3, 3, 4, 1)), (2, 4, 1))
    assert verify.equivariance(jax.jit(lambda x: pool(P4M, x)), P4M, f).holds
    assert verify.equivariance(jax.jit(lambda x: pool(P4M, x)), P4M, x).holds


@pytest.mark.parametrize("reduce", [jnp.max, jnp.mean])
def test_group_pooling_makes_a_scalar_field(reduce):
    f = normal(3, 4, 5, 8, 2)
    pool = nn.GroupPool(P4M, reduce)
    np.testing.assert_allclose(pool(f), reduce(f, axis=3), atol=1e-6)
    assert verify.equivariance(pool, P4M, f).holds
    chex.assert_shape(pool(f[:, 0, 0]), (3, 2))
    first = verify.equivariance(lambda f: f[..., 0, :], P4M, f)  # a slot of its own is no scalar
    assert first.verdict == "not equivariant"


# Stock layers of Flax.


def stock_layers() -> dict:
    dropout = nnx.Dropout(0.5, broadcast_dims=(1, 2, 3), rngs=nnx.Rngs(0))
    evaluated, ours = (
        norm(4, use_running_average=True, rngs=nnx.Rngs(0))
        for norm in (nnx.BatchNorm, nn.BatchNorm)
    )
    for norm in (evaluated, ours):
        norm.mean[...], norm.var[...] = normal(4), jnp.abs(normal(4, seed=1)) + 0.5
    return {
        "BatchNorm in training": nnx.BatchNorm(4, rngs=nnx.Rngs(0)),
        "BatchNorm in evaluation": evaluated,
        "our BatchNorm in evaluation": ours,
        "LayerNorm": nnx.LayerNorm(4, rngs=nnx.Rngs(0)),
        "GroupNorm": nnx.GroupNorm(4, 2, rngs=nnx.Rngs(0)),
        "Linear": nnx.Linear(4, 3, rngs=nnx.Rngs(0)),
        "Dropout": lambda x: dropout(x, rngs=nnx.Rngs(dropout=3)),
        "relu": nnx.relu,
    }


@pytest.mark.parametrize("name", stock_layers())
def test_stock_layers_commute_with_a_different_element_in_each_sample(name):
    f = normal(8, 4, 4, 8, 4) + 0.3
    report = verify.equivariance(stock_layers()[name], P4M, f)
    assert report.holds, report
    assert report.mixed is not None


def test_dropping_single_pixels_is_rejected():
    dropout = nnx.Dropout(0.5, rngs=nnx.Rngs(0))
    f = normal(8, 4, 4, 8, 4)
    report = verify.equivariance(lambda x: dropout(x, rngs=nnx.Rngs(dropout=3)), P4M, f)
    assert report.verdict == "not equivariant"


def test_statistics_of_each_orientation_are_rejected_by_the_mixed_check_alone():
    norm = nnx.BatchNorm(8 * 4, rngs=nnx.Rngs(0))

    def per_orientation(f):
        return norm(f.reshape(*f.shape[:3], -1)).reshape(f.shape)

    f = normal(8, 4, 4, 8, 4) * jnp.arange(1.0, 9)[:, None]
    report = verify.equivariance(per_orientation, P4M, f)
    assert max(report.relative) < 1e-5  # one element for the whole batch: nothing to see
    assert report.mixed > 0.1
    assert report.verdict == "not equivariant"
    assert "what is shared in the batch?" in report.reason


# JAX and Flax around the layers.


@pytest.fixture(params=[True, False], ids=["graph mode", "tree mode"])
def nnx_mode(request):
    with nnx.set_graph_mode(request.param):
        yield


@pytest.mark.usefixtures("nnx_mode")
def test_layers_run_under_jit_grad_and_vmap_in_both_modes_of_nnx():
    layer = nn.GroupConv(P4, 2, 3, 3, rngs=nnx.Rngs(0))
    x = normal(2, 4, 4, 4, 2)
    y = layer(x)
    np.testing.assert_allclose(nnx.jit(lambda m, x: m(x))(layer, x), y, atol=1e-5)
    np.testing.assert_allclose(jax.vmap(layer)(x[:, None])[:, 0], y, atol=1e-5)

    gradient = jax.tree.leaves(nnx.grad(lambda m: jnp.sum(m(x) ** 2))(layer))
    graphdef, state = nnx.split(layer)
    parameters, structure = jax.tree.flatten(state)
    chex.assert_trees_all_equal_shapes(gradient, parameters)

    def loss(step):
        moved = [p + step * g for p, g in zip(parameters, gradient, strict=True)]
        return jnp.sum(nnx.merge(graphdef, jax.tree.unflatten(structure, moved))(x) ** 2)

    slope = float(sum(jnp.sum(g**2) for g in gradient))  # along the gradient itself
    assert (loss(1e-3) - loss(-1e-3)) / 2e-3 == pytest.approx(slope, rel=1e-2)


def test_an_ensemble_is_a_vmap_over_parameters():
    members = [nn.LiftingConv(P4, 1, 2, 3, rngs=nnx.Rngs(seed)) for seed in range(3)]
    graphdef = nnx.split(members[0])[0]
    states = jax.tree.map(lambda *s: jnp.stack(s), *(nnx.split(m)[1] for m in members))
    x = normal(2, 4, 4, 1)
    together = jax.vmap(lambda state: nnx.merge(graphdef, state)(x))(states)
    for y, member in zip(together, members, strict=True):
        np.testing.assert_allclose(y, member(x), atol=1e-5)


def test_layers_of_equal_groups_share_one_trace():
    traces = []

    def forward(graphdef, state, x):
        traces.append(graphdef)
        return nnx.merge(graphdef, state)(x)

    forward = jax.jit(forward, static_argnums=0)
    x = normal(1, 4, 4, 1)
    again = Group(P4.elements, "p4 built again")
    for group in (P4, again):
        forward(*nnx.split(nn.LiftingConv(group, 1, 2, 3, rngs=nnx.Rngs(0))), x)
    assert len(traces) == 1
    forward(*nnx.split(nn.LiftingConv(groups.pmm(), 1, 2, 3, rngs=nnx.Rngs(0))), x)
    assert len(traces) == 2


def test_no_array_of_the_group_becomes_a_parameter_or_a_tracer():
    layer = nn.GroupConv(P4M, 1, 1, 3, rngs=nnx.Rngs(0))
    layer(normal(1, 4, 4, 8, 1))  # fills the caches of the group

    @jax.jit
    def inside(layer):
        assert isinstance(layer.group.product, np.ndarray)
        return layer.kernel[...].sum()

    inside(layer)
    assert len(jax.tree.leaves(layer)) == 2


def test_linen_takes_the_layers_through_the_bridge():
    linen = nnx.bridge.to_linen(nn.GroupConv, P4, 2, 3, 3)
    x = normal(3, 5, 5, 4, 2)
    variables = linen.init(jax.random.key(0), x)
    layer = nn.GroupConv(P4, 2, 3, 3, rngs=nnx.Rngs(1))
    layer.kernel[...] = variables["params"]["kernel"]
    np.testing.assert_allclose(linen.apply(variables, x), layer(x), atol=1e-6)

    gradient = jax.grad(lambda v: jnp.sum(linen.apply(v, x) ** 2))(variables)
    expected = nnx.grad(lambda m: jnp.sum(m(x) ** 2))(layer)
    np.testing.assert_allclose(
        gradient["params"]["kernel"], expected["kernel"][...], rtol=1e-4, atol=1e-3
    )
    report = verify.equivariance(jax.jit(lambda x: linen.apply(variables, x)), P4, x)
    assert report.holds, report


def test_groups_act_on_what_a_layer_returns():
    """The law once more without `verify`: two lines, and NumPy alone for the rotation."""
    layer = nn.LiftingConv(P4, 1, 2, 3, rngs=nnx.Rngs(0))
    layer.kernel[...] = integers(3, 3, 1, 2)
    x = integers(1, 5, 5, 1)
    y = np.roll(np.rot90(layer(x), 1, axes=(1, 2)), 1, axis=3)
    np.testing.assert_array_equal(layer(jnp.rot90(x, 1, axes=(1, 2))), y)
    np.testing.assert_array_equal(actions.act_on_regular(P4, 1, layer(x)), y)
