"""Up in resolution: interpolation and transposed convolution, exact under the group and shifts."""

import itertools
import re

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax.tree_util import Partial

from gcnn import groups, nn, verify

from .cases import SKEWED, chosen

GROUPS = chosen("p2", "pm", "pmm", "cm", "cmm", "p4", "p4m", "mirror", "quarter", "T")
MIRROR, P4, P4M = GROUPS["mirror"], GROUPS["p4"], GROUPS["p4m"]
ZEROS = nnx.initializers.zeros_init()  # quick to compile, where integers take the place of values

# Transposed convolutions that obey the law: kernel size, stride, side of the image, options.
WINDOWS = {
    "4 by 2": (4, 2, 3, {}),
    "2 by 2": (2, 2, 3, {}),
    "3 by 3": (3, 3, 2, {}),
    "3": (3, 1, 4, {}),
    "3 valid by 2": (3, 2, 3, {"padding": "VALID"}),
    "4 circular by 2": (4, 2, 3, {"padding": "CIRCULAR"}),
    "3 padded by 1, by 2": (3, 2, 4, {"padding": 1}),
    "2 dilated by 3, by 2": (2, 2, 3, {"kernel_dilation": 3}),
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


def up(group, factor, method="nearest", padding="EDGE"):
    return jax.jit(lambda x: nn.upsample(group, x, factor, method, padding=padding))


def field(group, kind, batch: int, space: tuple[int, ...], channels: int):
    slots = (group.order,) if kind is nn.GroupConvTranspose else ()
    return (batch, *space, *slots, channels)


both_kinds = pytest.mark.parametrize("kind", [nn.LiftingConvTranspose, nn.GroupConvTranspose])


# Interpolation.


@pytest.mark.parametrize("name", [n for n in GROUPS if n != "T"])
def test_upsampling_commutes_with_every_element_to_the_last_bit(name):
    group = GROUPS[name]
    cases = [(2, "linear", "EDGE", ()), (2, "linear", "CIRCULAR", (group.order,))]
    if name in ("p4", "mirror"):
        cases += [(3, "nearest", "EDGE", (group.order,)), (4, "linear", "EDGE", (group.order,))]
    for factor, method, padding, slots in cases:
        shape = (3, 3, *range(3, 2 + group.dim), *slots, 2)
        f = up(group, factor, method, padding)
        report = verify.integer_certificate(f, group, shape)
        assert report.verdict == "exact", report


@pytest.mark.parametrize("padding", ["EDGE", "CIRCULAR"])
def test_factors_without_an_exact_fraction_leave_only_rounding(padding):
    for factor in (3, 5):
        f = up(P4M, factor, "linear", padding)
        report = verify.equivariance(f, P4M, normal(3, 4, 3, 8, 2))
        assert report.error < 3e-7


def test_factors_may_differ_along_axes_that_nothing_swaps():
    x = normal(3, 4, 3, 2)
    report = verify.equivariance(up(GROUPS["pmm"], (1, 3), "linear"), GROUPS["pmm"], x)
    assert report.holds
    chex.assert_shape(nn.upsample(GROUPS["pmm"], x, (1, 3)), (3, 4, 9, 2))


def test_a_grid_that_is_off_by_half_a_pixel_is_rejected():
    corner = jax.jit(lambda x: up(P4, 2, "linear")(x)[:, :-1, :-1])
    report = verify.equivariance(corner, P4, normal(3, 4, 4, 2))
    assert report.verdict == "not equivariant"


@pytest.mark.parametrize("factor", [1, 3, (2, 4)], ids=str)
@pytest.mark.parametrize("method", ["nearest", "linear"])
def test_the_numbers_are_those_of_resize(method, factor):
    x = normal(2, 4, 5, 3)
    fy, fx = (factor, factor) if isinstance(factor, int) else factor
    y = up(groups.p1(), factor, method)(x)
    expected = jax.image.resize(x, (2, 4 * fy, 5 * fx, 3), method)
    np.testing.assert_allclose(y, expected, atol=1e-5)  # their weights are float32 already
    across = up(groups.p1(), factor, method, "CIRCULAR")(x)
    wide = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="wrap")
    expected = jax.image.resize(wide, (2, 6 * fy, 7 * fx, 3), method)[:, fy:-fy, fx:-fx]
    np.testing.assert_allclose(across, expected, atol=1e-5)


def test_interpolation_keeps_constants_and_what_is_linear():
    for factor, padding in itertools.product((2, 3), ("EDGE", "CIRCULAR")):
        y = up(MIRROR, factor, "linear", padding)(jnp.full((1, 4, 1), 3.0))
        np.testing.assert_allclose(y, 3, rtol=1e-6)
    y = up(MIRROR, 4, "linear")(jnp.arange(3.0)[None, :, None])[0, :, 0]
    fine = (np.arange(12) + 0.5) / 4 - 0.5
    np.testing.assert_array_equal(y, np.clip(fine, 0, 2))
    image = np.add.outer(np.arange(3.0), 2 * np.arange(3.0))[None, :, :, None]
    y = np.asarray(up(P4, 4, "linear")(image))[0, :, :, 0]
    expected = np.add.outer(np.clip(fine, 0, 2), 2 * np.clip(fine, 0, 2))
    np.testing.assert_array_equal(y, expected)


@pytest.mark.parametrize(("method", "padding"), [("nearest", "EDGE"), ("linear", "CIRCULAR")])
def test_a_shift_of_the_input_is_a_shift_by_the_factor_of_the_output(method, padding):
    x, factor = integers(1, 4, 3, 2), (2, 4)
    f = up(groups.p1(), factor, method, padding)
    y = f(x)
    for shift in itertools.product(range(4), range(3)):
        moved = f(np.roll(x, shift, (1, 2)))
        np.testing.assert_array_equal(moved, np.roll(y, np.multiply(shift, factor), (1, 2)))


def test_a_border_is_not_shifted():
    x, f = integers(1, 4, 3, 2), up(groups.p1(), 2, "linear")
    assert np.abs(f(np.roll(x, 1, 1)) - np.roll(f(x), 2, 1)).max() > 0.1


@pytest.mark.usefixtures("strict")
@pytest.mark.parametrize("method", ["nearest", "linear"])
def test_upsampling_keeps_the_type(method):
    def dtype(given):
        x = jax.ShapeDtypeStruct((1, 4, 3, 2), given)
        return jax.eval_shape(lambda x: nn.upsample(P4, x, 3, method), x).dtype

    with jax.enable_x64(True):
        for given in ("bfloat16", "float16", "float32", "float64"):
            assert dtype(given) == given
        assert dtype("uint8") == ("uint8" if method == "nearest" else "float32")


@pytest.mark.parametrize("method", ["nearest", "linear"])
def test_the_gradient_of_upsampling_is_its_transpose_and_scatters_nothing(method):
    @jax.jit
    def pull(x, y):
        return jax.vjp(lambda x: nn.upsample(P4, x, 2, method), x)[1](y)[0]

    x, y = integers(2, 3, 4, 2), integers(2, 6, 8, 2, seed=1)
    assert jnp.vdot(up(P4, 2, method)(x), y) == jnp.vdot(x, pull(x, y))
    assert not re.search(r"scatter|gather", pull.lower(x, y).as_text())


# Transposed convolution: equivariance.


@pytest.mark.parametrize(
    ("name", "kind"),
    [(n, nn.GroupConvTranspose) for n in GROUPS]
    + [(n, nn.LiftingConvTranspose) for n in ("mirror", "p4", "quarter")],
)
def test_transposed_convolutions_commute_with_every_element_to_the_last_bit(name, kind):
    group = GROUPS[name]
    few = ["4 by 2", "3 valid by 2"] if group.dim < 3 else ["2 by 2"]
    for window in WINDOWS if (name, kind) == ("p4", nn.GroupConvTranspose) else few:
        k, s, n, options = WINDOWS[window]
        layer = kind(group, 1, 2, k, s, **options, kernel_init=ZEROS, rngs=nnx.Rngs(0))
        shape = field(group, kind, 3, (n,) * group.dim, 1)
        report = verify.integer_certificate(Partial(run, layer), group, shape)
        assert report.verdict == "exact", (window, report)


@both_kinds
@pytest.mark.parametrize(
    ("name", "kernel", "strides", "space", "options"),
    [
        ("p4", 4, 2, (3, 4), {}),
        ("pmm", (4, 1), (2, 1), (3, 4), {}),
        ("pm", (3, 2), (2, 2), (3, 4), {}),  # nothing reverses the rows
        ("cm", 3, 2, (3, 4), {}),  # a mirror in the diagonal asks for no symmetric padding
        ("p2", 3, 2, (2, 5), {"padding": ((2, 2), (1, 1))}),
    ],
)
def test_kernels_strides_and_images_may_be_oblong_where_the_group_permits(
    kind, name, kernel, strides, space, options
):
    group = GROUPS[name]
    layer = kind(group, 1, 1, kernel, strides, **options, kernel_init=ZEROS, rngs=nnx.Rngs(0))
    report = verify.integer_certificate(Partial(run, layer), group, field(group, kind, 3, space, 1))
    assert report.verdict == "exact", report


def test_down_and_up_again_leaves_only_rounding_in_float64():
    with jax.enable_x64(True):
        options = {"param_dtype": jnp.float64, "rngs": nnx.Rngs(0)}
        net = nnx.Sequential(
            nn.LiftingConv(P4, 1, 4, 4, 2, **options),
            nnx.relu,
            nn.GroupConvTranspose(P4, 4, 2, 4, 2, **options),
            nn.GroupPool(P4),
            nn.LiftingConvTranspose(P4, 2, 2, 2, 2, **options),
        )
        x = normal(3, 6, 8, 1, dtype=np.float64)
        report = verify.equivariance(jax.jit(lambda x: net(x)), P4, x)
        assert jax.eval_shape(net, x).shape == (3, 12, 16, 4, 2)
    assert report.dtype == "float64"
    assert report.error < 1e-14


# The trivial group.


@pytest.mark.parametrize("padding", ["SAME", "VALID", "CIRCULAR", 1, ((0, 1), (2, 0))], ids=str)
@pytest.mark.parametrize(
    ("kernel", "strides", "dilation"),
    [
        ((1, 1), 1, 1),
        ((3, 3), None, None),
        ((3, 3), 2, 1),
        ((2, 1), 3, 1),
        ((2, 3), (2, 1), 2),
        ((4, 6), (1, 3), (1, 2)),
    ],
    ids=str,
)
def test_under_the_trivial_group_the_layers_are_those_of_flax(kernel, strides, dilation, padding):
    x = np.asarray(integers(2, 3, 4, 3))
    options = {"padding": padding, "kernel_dilation": dilation, "rngs": nnx.Rngs(0)}
    options["kernel_init"] = lambda key, shape, dtype: integers(*shape, seed=1).astype(dtype)
    options["bias_init"] = lambda key, shape, dtype: integers(*shape, seed=2).astype(dtype)
    plain = nnx.ConvTranspose(3, 2, kernel, strides, **options)
    lifting = nn.LiftingConvTranspose(groups.p1(), 3, 2, kernel, strides, **options)
    other = nn.LiftingConvTranspose(groups.p1(), 3, 2, kernel, strides, **options)
    other.kernel[...] = np.asarray(other.kernel[...]) + 1
    expected, y, wrong = map(np.asarray, run_all([plain, lifting, other], x))
    np.testing.assert_array_equal(y[..., 0, :], expected)
    assert not np.array_equal(wrong[..., 0, :], expected)


def test_under_the_trivial_group_a_transposed_group_convolution_is_a_lifting():
    x = integers(2, 3, 4, 3)
    lifting = nn.LiftingConvTranspose(groups.p1(), 3, 2, (3, 4), 2, rngs=nnx.Rngs(0))
    regular = nn.GroupConvTranspose(groups.p1(), 3, 2, (3, 4), 2, rngs=nnx.Rngs(0))
    lifting.kernel[...] = integers(*lifting.kernel.shape)
    regular.kernel[...] = lifting.kernel[...][:, :, None]
    np.testing.assert_array_equal(run(regular, x[..., None, :]), run(lifting, x))


def test_a_window_may_be_longer_than_the_circle():
    x = integers(1, 2, 1)
    plain = nnx.ConvTranspose(1, 1, 14, 2, padding="CIRCULAR", rngs=nnx.Rngs(0))
    layer = nn.LiftingConvTranspose(groups.p1(1), 1, 1, 14, 2, padding="CIRCULAR", rngs=nnx.Rngs(0))
    np.testing.assert_array_equal(layer.kernel[...], plain.kernel[...])  # the same keys
    np.testing.assert_allclose(run(layer, x)[..., 0, :], run(plain, x), atol=1e-6)


def test_without_a_stride_a_transposed_convolution_is_a_convolution():
    x = integers(2, 4, 5, 4, 2)
    for padding in ("SAME", "CIRCULAR", 1):
        options = {"padding": padding, "rngs": nnx.Rngs(0)}
        conv = nn.GroupConv(P4, 2, 3, 3, **options)
        transposed = nn.GroupConvTranspose(P4, 2, 3, 3, **options)
        conv.kernel[...] = transposed.kernel[...] = integers(3, 3, 4, 2, 3)
        np.testing.assert_array_equal(run(transposed, x), run(conv, x))


@pytest.mark.parametrize("padding", ["SAME", "CIRCULAR", "VALID", 0, (1, 2)], ids=str)
def test_the_number_of_outputs(padding):
    explicit = padding if isinstance(padding, str | int) else (padding,)
    for n, k, s, d in itertools.product((3, 4), (2, 3, 4), (1, 2, 3), (1, 2)):
        layer = nn.LiftingConvTranspose(
            groups.p1(1), 1, 1, k, s, padding=explicit, kernel_dilation=d, kernel_init=ZEROS,
            rngs=nnx.Rngs(0),
        )  # fmt: skip
        if padding in ("SAME", "CIRCULAR"):
            expected = n * s
        elif padding == "VALID":
            expected = (n - 1) * s + max(d * (k - 1) + 1, s)
        else:
            expected = (n - 1) * s + 1 + (3 if padding else 0) - d * (k - 1)
        x = jax.ShapeDtypeStruct((1, n, 1), np.float32)
        if expected > 0:
            assert jax.eval_shape(layer, x).shape == (1, expected, 1, 1)
        else:
            with pytest.raises(ValueError, match="fewer than the"):
                jax.eval_shape(layer, x)


# The law, "if and only if".

PADDINGS = ["SAME", "VALID", "CIRCULAR", 2, (0, 1), (1, 0)]


@pytest.mark.parametrize("padding", PADDINGS, ids=str)
def test_a_layer_is_refused_if_and_only_if_its_window_does_not_commute(padding):
    outcomes = set()
    explicit = padding if isinstance(padding, str | int) else (padding,)
    rngs = nnx.Rngs(0)
    x = integers(4, 7, 2)  # wide enough for an output of every window

    def symmetric(key, shape, dtype):
        w = np.asarray(integers(*shape), dtype)
        return 9 + w + w[::-1]

    cases = [
        (k, s, {"padding": explicit, "kernel_dilation": d, "rngs": rngs})
        for k, s, d in itertools.product(range(1, 5), range(1, 4), (1, 2))
        if d == 1 or k > 1  # one tap has no dilation
    ]
    plain = [nnx.ConvTranspose(2, 1, k, s, **o, kernel_init=symmetric) for k, s, o in cases]
    both = run_all(plain, np.concatenate([x, np.flip(x, 1)]))
    for (k, s, options), outputs in zip(cases, both, strict=True):
        y, mirrored = np.split(np.asarray(outputs), 2)
        commutes = np.array_equal(mirrored, y[:, ::-1])
        d = options["kernel_dilation"]
        explained = f"k = {k}, s = {s}, d = {d}, padding {padding}"
        try:
            nn.LiftingConvTranspose(MIRROR, 2, 1, k, s, **options, kernel_init=ZEROS)
        except ValueError as error:
            advice = re.search(r"Use (.*); allow_inexact=True accepts", str(error))[1]
            assert not commutes, explained
            for size, p in re.findall(r"size (\d+)|padding \((\d+), \d+\)", advice):
                mended = options if size else options | {"padding": int(p)}
                nn.LiftingConvTranspose(
                    MIRROR, 2, 1, int(size or k), s, **mended, kernel_init=ZEROS
                )
        else:
            assert commutes, explained
        outcomes.add(commutes)
    assert outcomes == {2: {True}, (0, 1): {False}, (1, 0): {False}}.get(padding, {True, False})


@pytest.mark.parametrize(
    ("k", "s", "padding"), [(3, 2, "SAME"), (1, 2, "VALID"), (3, 2, "CIRCULAR"), (2, 1, "SAME")]
)
def test_what_is_accepted_as_inexact_really_is(k, s, padding):
    options = {"padding": padding, "kernel_init": ZEROS, "rngs": nnx.Rngs(0)}
    layer = nn.LiftingConvTranspose(P4, 1, 1, k, s, **options, allow_inexact=True)
    report = verify.integer_certificate(Partial(run, layer), P4, (4, 4, 4, 1))
    assert report.verdict == "not equivariant"
    assert report.error > 0.1
    with pytest.raises(ValueError, match="would not commute with the element r90 of"):
        nn.LiftingConvTranspose(P4, 1, 1, k, s, **options)


# Shifts.


@both_kinds
@pytest.mark.parametrize(("k", "s"), [(4, 2), (3, 3), (3, 1)])
def test_a_circular_shift_of_the_input_is_a_shift_by_the_stride_of_the_output(kind, k, s):
    x = integers(*field(P4, kind, 1, (3, 4), 1))
    layers = [kind(P4, 1, 1, k, s, padding=p, rngs=nnx.Rngs(0)) for p in ("CIRCULAR", "SAME")]
    for layer in layers:
        layer.kernel[...] = integers(*layer.kernel.shape)
    circular, zeros = layers
    y = run(circular, x)
    for shift in itertools.product(range(3), range(4)):
        moved = run(circular, np.roll(x, shift, (1, 2)))
        np.testing.assert_array_equal(moved, np.roll(y, np.multiply(shift, s), (1, 2)))
    if k > s:  # windows that overlap tell zeros at the border from the other side
        moved = run(zeros, np.roll(x, 1, 1))
        assert not np.array_equal(moved, np.roll(run(zeros, x), s, 1))


# Parameters, types, gradients.


@both_kinds
def test_parameters_types_and_state_are_those_of_the_convolution(kind):
    down = nn.GroupConv if kind is nn.GroupConvTranspose else nn.LiftingConv
    layer, plain = (f(P4M, 8, 32, 4, 2, rngs=nnx.Rngs(0)) for f in (kind, down))
    np.testing.assert_array_equal(layer.kernel[...], plain.kernel[...])  # so is the fan-in
    np.testing.assert_array_equal(layer.bank(), plain.bank())
    paths = [path for path, _ in nnx.to_flat_state(nnx.state(layer))]
    assert sorted(paths) == [("bias",), ("kernel",)]
    assert kind(P4, 1, 1, 3, use_bias=False, rngs=nnx.Rngs(0)).bias is None


@pytest.mark.usefixtures("strict")
@both_kinds
def test_the_type_of_the_input_is_that_of_the_output(kind):
    with jax.enable_x64(True):
        for padding in ("SAME", "CIRCULAR"):
            layer = kind(P4, 2, 3, 4, 2, padding=padding, kernel_init=ZEROS, rngs=nnx.Rngs(0))
            shape = field(P4, kind, 1, (3, 4), 2)
            for dtype in ("bfloat16", "float16", "float32", "float64"):
                y = jax.eval_shape(layer, jax.ShapeDtypeStruct(shape, dtype))
                assert (y.dtype, y.shape) == (dtype, (1, 6, 8, 4, 3))
        half = kind(P4, 2, 3, 4, 2, dtype=jnp.bfloat16, kernel_init=ZEROS, rngs=nnx.Rngs(0))
        x = jax.ShapeDtypeStruct(shape, jnp.float32)
        assert jax.eval_shape(half, x).dtype == jnp.bfloat16


def test_the_bias_is_shared_and_the_gradient_is_a_slope():
    layer = nn.GroupConvTranspose(P4, 2, 3, 4, 2, padding="CIRCULAR", rngs=nnx.Rngs(0))
    layer.bias[...] = jnp.arange(3.0)
    x = normal(2, 3, 4, 4, 2)
    np.testing.assert_array_equal(run(layer, 0 * x)[0, 0, 0], np.tile(np.arange(3.0), (4, 1)))

    graphdef, state = nnx.split(layer)

    @jax.jit
    def loss(both):
        return jnp.sum(nnx.merge(graphdef, both[0])(both[1]) ** 2)

    gradient = jax.jit(jax.grad(loss))((state, x))
    length = np.sqrt(sum(float(jnp.sum(g**2)) for g in jax.tree.leaves(gradient)))
    assert length > 1

    def moved(step):
        return jax.tree.map(lambda v, g: v + step * g / length, (state, x), gradient)

    assert (loss(moved(1e-2)) - loss(moved(-1e-2))) / 2e-2 == pytest.approx(length, rel=1e-2)


# Refusals.


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (
            lambda: nn.GroupConvTranspose(P4, 1, 1, 3, 2, rngs=nnx.Rngs(0)),
            r"GroupConvTranspose would not commute with the element r90 of Group\(p4: order 4, "
            r"dimension 2\): size 3, stride 2, dilation 1, padding SAME = \(2, 1\) \(axis 0\) is "
            r"not symmetric\. Use size 4 or padding \(1, 1\) or padding \(2, 2\); allow_inexact",
        ),
        (
            lambda: nn.LiftingConvTranspose(
                groups.pm(), 1, 1, 3, 2, padding=((0, 1), (0, 1)), rngs=nnx.Rngs(0)
            ),
            r"LiftingConvTranspose would not commute with the element m of Group\(pm.*padding "
            r"explicit = \(0, 1\) \(axis 1\) is not symmetric\. Use padding \(0, 0\) or padding "
            r"\(1, 1\);",
        ),
        (
            lambda: nn.GroupConvTranspose(P4, 1, 1, 4, (1, 2), rngs=nnx.Rngs(0)),
            r"GroupConvTranspose: strides \(1, 2\) differs along axes 0 and 1",
        ),
        (
            lambda: nn.GroupConvTranspose(P4, 1, 1, (3, 4), rngs=nnx.Rngs(0)),
            r"A kernel of shape \(3, 4\) is not preserved by the element r90 of Group\(p4",
        ),
        (
            lambda: nn.GroupConvTranspose(P4, 1, 1, 3, padding="REFLECT", rngs=nnx.Rngs(0)),
            "GroupConvTranspose: padding 'REFLECT' is none of SAME, VALID, CIRCULAR;",
        ),
        (
            lambda: nn.GroupConvTranspose(P4, 1, 1, 4, 2, rngs=nnx.Rngs(0))(jnp.ones((1, 3, 3, 1))),
            r"GroupConvTranspose under Group\(p4.*takes \[batch, 2 space axes, 4, 1\], got shape "
            r"\(1, 3, 3, 1\)\. An image, without a group axis, needs LiftingConvTranspose",
        ),
        (
            lambda: nn.LiftingConvTranspose(P4, 1, 1, 4, 2, rngs=nnx.Rngs(0))(
                jnp.ones((1, 3, 3, 4, 1))
            ),
            r"LiftingConvTranspose under Group.*a group axis needs GroupConvTranspose",
        ),
        (
            lambda: nn.LiftingConvTranspose(P4, 1, 1, 6, 2, padding=0, rngs=nnx.Rngs(0))(
                jnp.ones((1, 4, 3, 1))
            ),
            r"LiftingConvTranspose: 3 pixels along axis 1 with stride 2, padded by \(0, 0\), are "
            r"5, fewer than the 6 that a window spans\. Pad more, or use a smaller window",
        ),
        (
            lambda: nn.upsample(P4, jnp.ones((1, 3, 3, 1)), (2, 3)),
            r"upsample: factor \(2, 3\) differs along axes 0 and 1, which the element r90 of "
            r"Group\(p4.*swaps\. Use equal factors along both, or a group without this element",
        ),
        (
            lambda: nn.upsample(P4, jnp.ones((1, 3, 3, 1)), 0),
            "upsample: factor 0 should be one positive integer, or one for each of the 2 space",
        ),
        (
            lambda: nn.upsample(P4, jnp.ones((1, 3, 3, 1)), 2, "cubic"),
            r"upsample: method 'cubic' is none of nearest, linear\.",
        ),
        (
            lambda: nn.upsample(P4, jnp.ones((1, 3, 3, 1)), 2, "linear", padding="SAME"),
            r"upsample: padding 'SAME' is none of EDGE, CIRCULAR\.",
        ),
        (
            lambda: nn.upsample(P4, jnp.ones((3, 3, 1)), 2),
            r"upsample under Group\(p4.*takes an image .*got shape \(3, 3, 1\)",
        ),
        (
            lambda: nn.upsample(SKEWED["p6"], jnp.ones((1, 3, 3, 1)), 2),
            r"upsample works along one axis .* r60 of Group\(p6.*skews axis 0\. Use GroupConvTr",
        ),
    ],
    ids=[
        "odd kernel", "uneven padding", "strides", "oblong kernel", "mirrored padding",
        "image for a field", "field for an image", "small image", "oblong factor", "factor 0",
        "cubic", "zeros", "no batch", "hexagonal",
    ],
)  # fmt: skip
def test_what_breaks_a_law_is_refused_with_sizes_and_remedy(build, message):
    with pytest.raises(ValueError, match=message):
        build()
