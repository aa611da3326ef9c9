"""Anti-aliasing: exact under the group, exact under what shifts it can be, and less wrong else."""

import itertools
import re

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from numpy.lib.stride_tricks import sliding_window_view

from gcnn import groups, nn, verify

from .cases import chosen

GROUPS = chosen("p2", "pm", "pmm", "cm", "cmm", "p4", "p4m", "mirror", "quarter", "T")
MIRROR, P4, P4M = GROUPS["mirror"], GROUPS["p4"], GROUPS["p4m"]

# What obeys the downsampling law: taps, side of the image, options.
BLURS = {
    "4": (4, 6, {}),
    "3 on an odd side": (3, 7, {}),
    "2 valid": (2, 6, {"padding": "VALID"}),
    "3 circular, dense": (3, 4, {"strides": 1, "padding": "CIRCULAR"}),
    "4 circular": (4, 6, {"padding": "CIRCULAR"}),
    "5 reflected, by 3": (5, 7, {"strides": 3, "padding": "REFLECT"}),
    "2 padded by 1, dense": (2, 4, {"strides": 1, "padding": 1}),
    "1": (1, 5, {}),
}
MAX_BLURS = {
    "3 after 2": (3, 6, {}),
    "3 after 2, circular": (3, 6, {"padding": "CIRCULAR"}),
    "3 after 2, reflected": (3, 6, {"padding": "REFLECT"}),
    "2 after 2 on an odd side": (2, 5, {}),
    "2 after 3": (2, 6, {"window_shape": 3}),
    "4 after 3 by 3, valid": (4, 6, {"window_shape": 3, "strides": 3, "padding": "VALID"}),
}
LAYERS = {f"blur of {name}": (nn.BlurPool, *case) for name, case in BLURS.items()} | {
    f"maximum, blur of {name}": (nn.MaxBlurPool, *case) for name, case in MAX_BLURS.items()
}


def normal(*shape: int, dtype=np.float32, seed: int = 0) -> jax.Array:
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape), dtype)


def integers(*shape: int, seed: int = 0) -> jax.Array:
    return jnp.asarray(np.random.default_rng(seed).integers(-4, 5, shape), jnp.float32)


@jax.jit
def compiled(layer, x):
    return layer(x)


def run(layer, x) -> np.ndarray:
    return np.asarray(compiled(layer, x))  # slices of NumPy arrays need no compiler


@jax.jit
def run_all(layers, x):
    return [layer(x) for layer in layers]  # many small programs, compiled as one


# Equivariance.


@pytest.mark.parametrize("name", GROUPS)
def test_both_layers_commute_with_every_element_to_the_last_bit(name):
    group = GROUPS[name]
    cases = {"p4": list(LAYERS), "p4m": list(LAYERS)[::2], "mirror": list(LAYERS)[1::2]}
    for i, case in enumerate(cases.get(name, ["blur of 4", "maximum, blur of 3 after 2"])):
        kind, size, n, options = LAYERS[case]
        slots = (group.order,) if i % 3 == 0 else ()  # fields, and images
        layer = kind(group, size, **options)
        shape = (3, *(n,) * group.dim, *slots, 2)
        report = verify.integer_certificate(lambda x, f=layer: run(f, x), group, shape)
        assert report.verdict == "exact", (case, report)


@pytest.mark.parametrize(
    ("name", "build", "space"),
    [
        ("p4", lambda group: nn.BlurPool(group), (24, 32)),
        ("p4", lambda group: nn.MaxBlurPool(group), (24, 32)),
        ("p4m", lambda group: nn.BlurPool(group, 3), (5, 7)),
        ("pmm", lambda group: nn.BlurPool(group, (2, 3), (1, 2), padding=((1, 1), (0, 0))), (5, 7)),
        ("pm", lambda group: nn.MaxBlurPool(group, (4, 3), (1, 2), (3, 2)), (6, 8)),
    ],
)
def test_images_may_be_oblong_and_so_may_filters_where_the_group_permits(name, build, space):
    group = GROUPS[name]
    layer = build(group)
    for slots in ((), (group.order,)):
        x = normal(3, *space, *slots, 2)
        report = verify.equivariance(lambda x: run(layer, x), group, x)
        assert report.holds, report


def test_a_flip_gives_the_same_bits_and_a_quarter_turn_only_rounds():
    x = normal(3, 8, 8, 8, 2)
    for layer in (nn.BlurPool(P4M), nn.MaxBlurPool(P4M), nn.BlurPool(P4M, 5, 1)):
        report = verify.equivariance(lambda x, f=layer: run(f, x), P4M, x)
        errors = dict(zip(report.names, report.relative, strict=True))
        assert errors["r180"] == errors["m"] == 0
        assert report.error < 3e-7  # two roundings of 6e-8 for each axis


def test_a_network_with_blurs_is_exact_to_rounding_in_float64():
    with jax.enable_x64(True):
        options = {"padding": "CIRCULAR", "param_dtype": jnp.float64}
        net = nnx.Sequential(
            nn.LiftingConv(P4, 1, 4, 3, **options, rngs=nnx.Rngs(0)),
            nnx.relu,
            nn.MaxBlurPool(P4, padding="CIRCULAR"),
            nn.GroupConv(P4, 4, 4, 3, **options, rngs=nnx.Rngs(1)),
            nnx.relu,
            nn.BlurPool(P4, padding="CIRCULAR"),
        )
        x = normal(4, 8, 12, 1, dtype=np.float64)
        report = verify.equivariance(jax.jit(lambda x: net(x)), P4, x)
    assert report.dtype == "float64"
    assert report.error < 1e-14


# The law, "if and only if", and the numbers, against NumPy.

PADDINGS = ["SAME", "VALID", "CIRCULAR", "REFLECT", 1, (0, 1)]


def oracle(x, k: int, m: int, s: int, padding) -> np.ndarray:
    """Maximum over the valid pixels of m, 0 where there are none, and an outer product of taps."""
    x, d = np.asarray(x, np.float64), x.ndim - 2
    pads = []
    for n in x.shape[1:-1]:
        extent = k + m - 1
        if padding in ("SAME", "REFLECT"):
            pads += jax.lax.padtype_to_pads((n,), (extent,), (s,), "SAME")
        elif isinstance(padding, str):
            pads += [(0, 0)] if padding == "VALID" else [((extent - 1) // 2, extent // 2)]
        else:
            pads += [(padding, padding) if isinstance(padding, int) else padding]
    pads = [(0, 0), *pads, (0, 0)]
    if padding in ("CIRCULAR", "REFLECT"):
        x = np.pad(x, pads, mode="wrap" if padding == "CIRCULAR" else "reflect")
    else:
        x = np.pad(x, pads, constant_values=np.nan)
    space, last = tuple(range(1, d + 1)), tuple(range(-d, 0))
    x = np.fmax.reduce(sliding_window_view(x, (m,) * d, space), last)
    windows = sliding_window_view(np.nan_to_num(x, nan=0.0), (k,) * d, space)
    row = np.poly1d([0.5, 0.5]) ** (k - 1)
    w = np.ones(())
    for _ in range(d):
        w = np.multiply.outer(w, row.coeffs)
    return np.sum(windows[(slice(None), *(slice(None, None, s),) * d)] * w, axis=last)


@pytest.mark.parametrize("padding", PADDINGS, ids=str)
def test_a_layer_is_refused_if_and_only_if_its_samples_are_not_centred(padding):
    outcomes = set()
    explicit = padding if isinstance(padding, str | int) else (padding,)
    for k, m, s, n in itertools.product(range(1, 5), (1, 2), (1, 2, 3), (7, 8, 9)):
        if m == 1:
            layer = nn.BlurPool(MIRROR, k, s, padding=explicit)
        else:
            layer = nn.MaxBlurPool(MIRROR, k, m, s, padding=explicit)
        x = 1000 * normal(4, n, 4) // 1  # too many values for maxima to agree by chance
        expected = oracle(x, k, m, s, padding)
        commutes = np.array_equal(oracle(x[:, ::-1], k, m, s, padding), expected[:, ::-1])
        try:
            shape = jax.eval_shape(layer, x).shape
        except ValueError as error:
            assert not commutes, (k, m, s, n, str(error))
        else:
            assert commutes, f"N = {n}, k = {k}, m = {m}, s = {s}, padding {padding}"
            assert shape == expected.shape
        outcomes.add(commutes)
    assert outcomes == {True, False}


@pytest.mark.parametrize("padding", [*PADDINGS[:5], (2, 1)], ids=str)
def test_under_the_trivial_group_the_numbers_are_those_of_numpy(padding):
    x = integers(2, 7, 8, 3)
    explicit = padding if isinstance(padding, str | int) else (padding, padding)
    cases = [(1, 1, 2), (3, 1, 2), (4, 1, 1), (3, 2, 2), (2, 3, 1), (4, 2, 3)]
    layers = [
        nn.BlurPool(groups.p1(), k, s, padding=explicit)
        if m == 1
        else nn.MaxBlurPool(groups.p1(), k, m, s, padding=explicit)
        for k, m, s in cases
    ]
    for (k, m, s), y in zip(cases, run_all(layers, x), strict=True):
        np.testing.assert_array_equal(y, oracle(x, k, m, s, padding))


def test_the_numbers_are_those_of_a_depthwise_convolution():
    x = normal(2, 8, 8, 3)
    w = np.outer([1, 3, 3, 1], [1, 3, 3, 1]).astype(np.float32)[:, :, None, None] / 64
    expected = jax.lax.conv_general_dilated(
        x, np.tile(w, 3), (2, 2), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"),
        feature_group_count=3,
    )  # fmt: skip
    np.testing.assert_allclose(run(nn.BlurPool(P4), x), expected, atol=1e-6)


def test_size_1_is_plain_sub_sampling():
    x = normal(2, 5, 7, 3)
    np.testing.assert_array_equal(run(nn.BlurPool(P4, 1), x), x[:, ::2, ::2])
    np.testing.assert_array_equal(run(nn.BlurPool(P4, 1, 1), x), x)


# Every remedy is one.

REMEDY = re.compile(
    r"size (?P<k>\d+)|(?P<n>\d+) pixels|padding \((?P<p>\d+), \d+\)|stride (?P<s>1)"
)


@pytest.mark.parametrize("padding", ["SAME", "VALID", "CIRCULAR", "REFLECT", (0, 1)], ids=str)
def test_every_remedy_that_a_message_names_is_one(padding):
    found = set()
    for k, m, s, n in itertools.product(range(1, 4), (None, 2), (1, 2, 3), (8, 9)):

        def build(k, m, s, n, padding):
            explicit = padding if isinstance(padding, str | int) else (padding,)
            if m is None:
                layer = nn.BlurPool(MIRROR, k, s, padding=explicit)
            else:
                layer = nn.MaxBlurPool(MIRROR, k, m, s, padding=explicit)
            return jax.eval_shape(layer, jax.ShapeDtypeStruct((1, n, 1), np.float32))

        case = {"k": k, "m": m, "s": s, "n": n, "padding": padding}
        try:
            build(**case)
        except ValueError as error:
            advice = re.search(r"Use (.*); allow_inexact=True accepts", str(error))[1]
        else:
            continue
        for remedy in advice.split(" or "):
            changed = {}
            for change in REMEDY.finditer(remedy):
                changed |= {key: int(v) for key, v in change.groupdict().items() if v}
            if "p" in changed:
                changed["padding"] = changed.pop("p")
            found |= changed.keys()
            build(**{**case, **changed})  # raises if the remedy is none
    assert found, "no message was seen"


# Shifts.


@pytest.mark.parametrize(
    "layer",
    [
        nn.BlurPool(P4, 3, 1, padding="CIRCULAR"),
        nn.MaxBlurPool(P4, 4, 2, 1, padding="CIRCULAR"),
    ],
    ids=["blur", "maximum and blur"],
)
def test_dense_circular_layers_commute_with_all_shifts(layer):
    x = integers(1, 4, 6, 2)
    y = run(layer, x)
    for shift in itertools.product(range(4), range(6)):
        shifted = run(layer, np.roll(x, shift, (1, 2)))
        np.testing.assert_array_equal(shifted, np.roll(y, shift, (1, 2)))


@pytest.mark.parametrize("kind", [nn.BlurPool, nn.MaxBlurPool])
def test_strided_circular_layers_commute_with_shifts_by_the_stride_and_with_no_other(kind):
    layer = kind(P4, padding="CIRCULAR")
    x = integers(1, 8, 6, 2)
    y = run(layer, x)
    for shift in itertools.product(range(0, 8, 2), range(0, 6, 2)):
        shifted = run(layer, np.roll(x, shift, (1, 2)))
        np.testing.assert_array_equal(shifted, np.roll(y, (shift[0] // 2, shift[1] // 2), (1, 2)))
    odd = run(layer, np.roll(x, 1, 1))
    assert all(not np.array_equal(odd, np.roll(y, i, 1)) for i in range(4))
    border = run(kind(P4), np.roll(x, 2, 1))  # the border tells zero padding from periodic
    assert not np.array_equal(border, np.roll(run(kind(P4), x), 1, 1))


def shift_error(layer, x) -> float:
    """How far the coarse field, seen on the fine grid, is from moving with the image."""
    with jax.enable_x64(True):
        x = np.asarray(x, np.float64)

        @jax.jit
        def seen(x):
            return nn.upsample(groups.p1(), layer(x), 2, "linear", padding="CIRCULAR")

        y = seen(x)
        error = np.linalg.norm(seen(np.roll(x, 1, 1)) - np.roll(y, 1, 1))
        return float(error / np.linalg.norm(y))


def test_the_wider_the_blur_the_smaller_the_error_of_a_shift_by_one_pixel():
    group, x = groups.p1(), normal(4, 16, 16, 4)
    blurs = [shift_error(nn.BlurPool(group, k, padding="CIRCULAR"), x) for k in (1, 2, 3, 4, 7)]
    assert blurs[0] > 0.9  # sub-sampling: other pixels altogether
    assert blurs == sorted(blurs, reverse=True)
    assert blurs[-1] < 0.2
    pooled = shift_error(lambda x: nn.max_pool(group, x, 2, 2), x)
    kinds = [shift_error(nn.MaxBlurPool(group, k, padding="CIRCULAR"), x) for k in (1, 3, 5)]
    assert kinds[0] == pytest.approx(pooled, rel=1e-12)  # without a blur, it is max-pooling
    assert pooled > 1.5 * kinds[1] > 1.5 * kinds[2]


# Constant images, and padding.


def test_constant_images_stay_constant_away_from_zeros():
    x = jnp.full((1, 8, 8, 1), 3.0)
    for padding in ("CIRCULAR", "REFLECT", "VALID"):
        for k in (2, 4, 6):
            layer = nn.BlurPool(groups.p1(), k, padding=padding)
            np.testing.assert_array_equal(np.unique(run(layer, x)), 3)
    y = run(nn.BlurPool(P4), x)[0, :, :, 0]
    np.testing.assert_array_equal(y[1:-1, 1:-1], 3)
    np.testing.assert_array_equal(y[0, 1:-1], 3 * 7 / 8)  # an outer tap of 1/8 falls on a zero
    odd = run(nn.BlurPool(P4, 7, 1, padding="CIRCULAR"), jnp.full((1, 8, 8, 1), 0.1))
    np.testing.assert_allclose(odd, 0.1, rtol=1e-6)


def test_padding_never_wins_a_maximum_and_the_default_blurs_no_zeros():
    x = jnp.full((1, 6, 6, 1), -5.0)
    np.testing.assert_array_equal(run(nn.MaxBlurPool(P4), x), np.full((1, 3, 3, 1), -5.0))
    y = run(nn.MaxBlurPool(P4, 5), x)[
        0, 1, :, 0
    ]  # the maximum pads one pixel, and the blur another
    np.testing.assert_array_equal(y, -5.0 * np.array([15 / 16, 1, 15 / 16]))
    dense = run(nn.MaxBlurPool(P4, 1, 3, 1), x.astype(jnp.int32))
    np.testing.assert_array_equal(dense, x)


# Gradients, types, modules.


@pytest.mark.parametrize("padding", ["SAME", "CIRCULAR", "REFLECT"])
def test_the_gradient_of_a_blur_is_its_transpose_and_scatters_nothing(padding):
    layer = nn.BlurPool(P4, padding=padding)

    @jax.jit
    def pull(x, y):
        return jax.vjp(layer, x)[1](y)[0]

    x, y = integers(2, 6, 8, 2), integers(2, 3, 4, 2, seed=1)
    assert jnp.vdot(run(layer, x), y) == jnp.vdot(x, pull(x, y))  # multiples of 1/64, no rounding
    assert not re.search(r"scatter|gather", pull.lower(x, y).as_text())


def test_the_gradient_of_a_maximum_and_blur_is_finite_and_scatters_nothing():
    layer = nn.MaxBlurPool(P4)

    @jax.jit
    def gradient(x):
        return jax.grad(lambda x: jnp.sum(layer(x) ** 2))(x)

    x = normal(1, 6, 6, 1)
    g = gradient(x)
    step = 1e-3 * g / jnp.linalg.norm(g)
    slope = jnp.sum(layer(x + step) ** 2) - jnp.sum(layer(x - step) ** 2)
    assert slope / 2e-3 == pytest.approx(float(jnp.linalg.norm(g)), rel=1e-2)
    assert np.isfinite(gradient(jnp.zeros((1, 6, 6, 1)))).all()
    assert not re.search(r"scatter|gather", gradient.lower(x).as_text())


@pytest.mark.usefixtures("strict")
@pytest.mark.parametrize("kind", [nn.BlurPool, nn.MaxBlurPool])
def test_the_type_of_the_input_is_that_of_the_output(kind):
    with jax.enable_x64(True):
        for dtype in ("bfloat16", "float16", "float32", "float64"):
            for padding in ("SAME", "CIRCULAR", "REFLECT"):
                layer, x = kind(P4, padding=padding), jax.ShapeDtypeStruct((1, 4, 6, 2), dtype)
                assert jax.eval_shape(layer, x).dtype == dtype
        x = jax.ShapeDtypeStruct((1, 4, 6, 2), jnp.uint8)
        assert jax.eval_shape(kind(P4), x).dtype == jnp.float32


def test_bfloat16_is_exact_on_small_integers():
    layer = nn.BlurPool(P4M, 2)  # 2 x 2 integers up to 4, in quarters: 7 bits
    report = verify.integer_certificate(
        lambda x: run(layer, x), P4M, (3, 4, 6, 8, 1), dtype=jnp.bfloat16
    )
    assert (report.verdict, report.dtype) == ("exact", "bfloat16")


def test_layers_have_no_parameters_and_live_in_sequences_and_in_linen():
    net = nnx.Sequential(nn.BlurPool(P4, rngs=nnx.Rngs(0)), nn.MaxBlurPool(P4, rngs=nnx.Rngs(0)))
    assert not jax.tree.leaves(nnx.state(net))
    x = normal(2, 8, 8, 4, 1)
    y = nnx.jit(lambda m, x: m(x))(net, x)
    chex.assert_shape(y, (2, 2, 2, 4, 1))
    np.testing.assert_allclose(jax.jit(jax.vmap(net))(x[:, None])[:, 0], y, atol=1e-6)
    linen = nnx.bridge.to_linen(nn.BlurPool, P4)
    variables = linen.init(jax.random.key(0), x)
    np.testing.assert_array_equal(linen.apply(variables, x), net.layers[0](x))


# Refusals.


@pytest.mark.parametrize(
    ("layer", "n"),
    [
        (nn.BlurPool(P4, 3, allow_inexact=True), 6),
        (nn.BlurPool(P4, 4, 1, allow_inexact=True), 6),
        (nn.BlurPool(P4, 1, padding="CIRCULAR", allow_inexact=True), 6),
        (nn.MaxBlurPool(P4, 4, allow_inexact=True), 6),
        (nn.MaxBlurPool(P4, 3, allow_inexact=True), 7),
    ],
    ids=["odd on even", "even dense", "sub-sampling", "even after 2", "odd after 2 on odd"],
)
def test_what_is_accepted_as_inexact_really_is(layer, n):
    report = verify.integer_certificate(lambda x: run(layer, x), P4, (4, n, n, 2))
    assert report.verdict == "not equivariant"
    assert report.error > 0.1


def test_axes_that_nothing_moves_are_free():
    chex.assert_shape(nn.BlurPool(GROUPS["pm"], 3)(jnp.ones((1, 6, 7, 1))), (1, 3, 4, 1))
    chex.assert_shape(nn.BlurPool(GROUPS["cm"], 3)(jnp.ones((1, 6, 6, 1))), (1, 3, 3, 1))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (
            lambda: nn.BlurPool(P4, 3)(jnp.ones((1, 24, 32, 1))),
            r"BlurPool would not commute with the element r90 of Group\(p4: order 4, dimension "
            r"2\): size 3, stride 2, dilation 1, padding SAME = \(0, 1\) on 24 pixels \(axis 0\) "
            r"is not centred\..*d\(k-1\) - 1\) mod s.*Use size 4 or 25 pixels; allow_inexact=True",
        ),
        (
            lambda: nn.BlurPool(P4)(jnp.ones((1, 24, 31, 1))),
            r"padding SAME = \(1, 2\) on 31 pixels \(axis 1\).*Use size 5 or 32 pixels",
        ),
        (
            lambda: nn.MaxBlurPool(P4, 4)(jnp.ones((1, 24, 24, 1))),
            r"MaxBlurPool would not commute with the element r90 of .*: window_shape m = 2, size "
            r"4, stride 2, dilation 1, padding SAME = \(1, 2\) on 24 pixels.*needs hi - lo = "
            r"\(N \+ lo \+ hi - d\(k-1\) - m\) mod s, and these are 1 and 0\. Use size 5 or 25",
        ),
        (
            lambda: nn.BlurPool(P4, 3, padding="REFLECT")(jnp.ones((1, 8, 8, 1))),
            r"padding REFLECT = \(0, 1\) on 8 pixels",
        ),
        (
            lambda: nn.BlurPool(P4, 6, 1, padding="REFLECT")(jnp.ones((1, 3, 3, 1))),
            r"BlurPool: REFLECT padding of \(2, 3\) is longer than the 2 pixels beside the edge of "
            r"axis 0\. Use a smaller window or a larger image",
        ),
        (
            lambda: nn.BlurPool(P4, 8, padding="CIRCULAR")(jnp.ones((1, 2, 2, 1))),
            r"BlurPool: CIRCULAR padding of \(3, 3\) is longer than the 2 pixels of axis 0\. Use a",
        ),
        (
            lambda: nn.BlurPool(P4, 4, padding="VALID")(jnp.ones((1, 3, 3, 1))),
            r"BlurPool: 3 pixels along axis 0, padded by \(0, 0\), are fewer than the 4 that",
        ),
        (
            lambda: nn.MaxBlurPool(P4, 3, padding="VALID")(jnp.ones((1, 3, 3, 1))),
            r"MaxBlurPool: 3 pixels along axis 0, padded by \(0, 0\), are fewer than the 4 that",
        ),
        (
            lambda: nn.BlurPool(P4, (3, 4)),
            r"BlurPool: size \(3, 4\) differs along axes 0 and 1, which the element r90 of Group",
        ),
        (
            lambda: nn.MaxBlurPool(P4, 3, (2, 1)),
            r"MaxBlurPool: window_shape \(2, 1\) differs along axes 0 and 1, which the element r90",
        ),
        (
            lambda: nn.BlurPool(P4, 0),
            r"BlurPool: size 0 should be one positive integer, or one for each of the 2 space axes",
        ),
        (
            lambda: nn.MaxBlurPool(P4, 3, (2, 2, 2)),
            r"MaxBlurPool: window_shape \(2, 2, 2\) should be one positive integer, or one for",
        ),
        (
            lambda: nn.BlurPool(P4, padding="reflect"),
            "BlurPool: padding 'reflect' is none of SAME, VALID, CIRCULAR, REFLECT; explicit",
        ),
        (
            lambda: nn.LiftingConv(P4, 1, 1, 3, padding="REFLECT", rngs=nnx.Rngs(0)),
            "LiftingConv: padding 'REFLECT' is none of SAME, VALID, CIRCULAR; explicit padding",
        ),
        (
            lambda: nn.BlurPool(P4)(jnp.ones((4, 4, 1))),
            r"BlurPool under Group\(p4.*takes an image \[b, \*space, c\] or a regular field .*with "
            r"2 space axes, got shape \(4, 4, 1\)",
        ),
    ],
    ids=[
        "odd on even", "one axis", "even after 2", "reflected", "short mirror", "short circle",
        "small", "small for both", "oblong size", "oblong maximum", "size 0", "three axes",
        "lower case", "not for convolutions", "no batch",
    ],
)  # fmt: skip
def test_what_breaks_a_law_is_refused_with_sizes_and_remedy(build, message):
    with pytest.raises(ValueError, match=message):
        build()
