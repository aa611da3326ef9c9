"""The Lie derivative: closed forms, finite motions, and what must not pass for equivariant."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from gcnn import actions, groups, verify
from gcnn import nn as layers

ALL = tuple(actions.GENERATORS)
SHIFTS = ("translation_y", "translation_x")


@pytest.fixture(autouse=True)
def double_precision():
    with jax.enable_x64(True):
        yield


def normal(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=shape)


def band_limited(n: int, highest: int, count: int = 4) -> np.ndarray:
    """Random images `[b, n, n, 2]` without frequencies above `highest`, in periods per side."""
    coefficients = np.fft.fft2(np.random.default_rng(0).normal(size=(count, n, n, 2)), axes=(1, 2))
    k = np.abs(np.fft.fftfreq(n) * n)
    kept = (k[:, None] <= highest) & (k <= highest)
    return np.fft.ifft2(coefficients * kept[..., None], axes=(1, 2)).real


IMAGES = normal(4, 12, 12, 2)
SMOOTH = band_limited(12, 2)


def circular(x, kernel):
    """A 2 x 2 convolution on the torus, the same for all channels."""
    return sum(kernel[u][v] * jnp.roll(x, (u, v), axis=(1, 2)) for u in range(2) for v in range(2))


def cubed(x):
    return circular(x, [[0.3, 0.5], [-0.4, 0.2]]) ** 3


def mean(x):
    return x.mean(axis=(1, 2))


def by_column(x):
    return x * jnp.arange(1.0, x.shape[2] + 1)[:, None]


# Closed forms.


@pytest.mark.parametrize("boundary", ["reflect", "circular"])
def test_the_identity_moves_exactly_as_its_argument(boundary):
    report = verify.lie_derivative(lambda x: x, IMAGES, boundary=boundary)
    assert report.generators == ALL
    assert report.error == report.relative == report.gain == (0,) * 8
    assert verify.lie_derivative(lambda x: 3 * x, IMAGES).gain == pytest.approx((0,) * 8, abs=1e-15)


def test_a_mean_over_the_torus_is_invariant_to_what_keeps_areas():
    report = verify.lie_derivative(mean, IMAGES, boundary="circular")
    growing = {"scale", "stretch_y", "stretch_x"}  # the velocities with a divergence
    for name, gain in zip(ALL, report.gain):
        assert gain > 0.1 if name in growing else gain < 1e-14


def test_a_linear_functional_changes_by_its_value_on_the_rate_of_the_image():
    w = normal(12, 12, 2)

    def functional(x):
        return jnp.einsum("byxc,yxc->b", x, w)[:, None]

    report = verify.lie_derivative(functional, IMAGES)
    for name, error, relative, change in zip(ALL, report.error, report.relative, report.change):
        velocity = actions.generator_velocity(name, (12, 12))
        rate = actions.act_infinitesimally(jnp.asarray(IMAGES), velocity)
        expected = float(jnp.mean(functional(rate) ** 2))
        assert error == pytest.approx(expected, rel=1e-12)
        size = float(jnp.mean(functional(IMAGES) ** 2))
        assert relative**2 == pytest.approx(expected / size, rel=1e-12)
        rate = np.linalg.norm(rate)
        assert change == pytest.approx(rate / np.linalg.norm(IMAGES), rel=1e-12)


def test_convolution_on_the_torus_commutes_with_translations_as_fourier_space_proves():
    def convolved(x):
        return circular(x, [[0.3, 0.5], [-0.4, 0.2]])

    report = verify.lie_derivative(convolved, IMAGES, SHIFTS, boundary="circular")
    assert max(report.gain) < 1e-14
    assert min(verify.lie_derivative(by_column, IMAGES, SHIFTS, boundary="circular").gain[1:]) > 0.1


@pytest.mark.parametrize("generator", ALL)
def test_a_power_obeys_the_product_rule_where_nothing_aliases(generator):
    def error(x):
        report = verify.lie_derivative(lambda x: x**2, x, generator, boundary="circular")
        return report.gain[0]

    assert error(band_limited(12, 2)) < 1e-14  # the square reaches 4 of 6 periods
    assert error(band_limited(12, 3)) > 0.01  # and here the Nyquist frequency, where it folds
    assert error(IMAGES) > 0.1


def test_a_relu_aliases_and_less_so_on_smooth_images():
    rough = verify.lie_derivative(nnx.relu, IMAGES, SHIFTS, boundary="circular")
    smooth = verify.lie_derivative(nnx.relu, SMOOTH, SHIFTS, boundary="circular")
    assert min(rough.gain) > 0.3
    assert 0.01 < max(smooth.gain) < 0.6 * min(rough.gain)


def test_a_radial_image_does_not_rotate():
    y, x = np.meshgrid(np.arange(24) - 11.5, np.arange(24) - 11.5, indexing="ij")
    blob = jnp.asarray(np.exp(-(y**2 + x**2) / 18))[None, :, :, None]
    w = normal(24, 24)

    def functional(x):
        return jnp.einsum("byxc,yx->bc", x, w)

    report = verify.lie_derivative(functional, blob, ("rotation", "scale"))
    assert report.change[0] < 1e-3 < 0.1 < report.change[1]
    assert report.relative[0] < 1e-3 < 0.1 < report.relative[1]


# Against finite motions.


def finite(f, x, generator, t):
    """ρ_out(exp(-tX)) f(exp(tX) x) with the flow as a power series, slow and obvious."""
    v = actions.generator_velocity(generator, x.shape[1:3])

    def flow(x, t):  # exp(tX) x = Σ (tX)ⁿ x / n!
        term, total = x, x
        for i in range(1, 12):
            term = t / i * actions.act_infinitesimally(term, v, "circular")
            total = total + term
        return total

    return flow(f(flow(x, t)), -t)


@pytest.mark.parametrize("generator", ALL)
def test_the_derivative_is_the_limit_of_finite_motions(generator):
    x, t = jnp.asarray(IMAGES), 1e-3
    ahead, behind = (finite(cubed, x, generator, s) for s in (t, -t))
    difference = (ahead - behind) / (2 * t)
    report = verify.lie_derivative(cubed, IMAGES, generator, boundary="circular")
    assert report.error[0] == pytest.approx(float(jnp.mean(difference**2)), rel=1e-3)


def test_finite_shifts_have_the_derivative_as_their_limit():
    x = jnp.asarray(IMAGES)

    def shifted(t):
        return actions.shift_interpolated(cubed(actions.shift_interpolated(x, [t])), [-t])

    t = 1e-3
    difference = (shifted(t) - shifted(-t)) / (2 * t)
    report = verify.lie_derivative(cubed, IMAGES, "translation_y", boundary="circular")
    assert report.error[0] == pytest.approx(float(jnp.mean(difference**2)), rel=1e-3)


# What the output is.


def test_an_image_that_should_stay_is_another_law_than_one_that_should_move():
    moving = verify.lie_derivative(lambda x: x, IMAGES, SHIFTS)
    staying = verify.lie_derivative(lambda x: x, IMAGES, SHIFTS, act_out="invariant")
    assert moving.gain == (0, 0)
    assert staying.gain == pytest.approx((1, 1), rel=1e-12)


def test_pixels_of_a_smaller_output_are_larger():
    x = band_limited(12, 2)

    def halved(x):
        return x[:, ::2, ::2]  # nothing aliases: 2 of 3 periods

    report = verify.lie_derivative(halved, x, SHIFTS, stride=2, boundary="circular")
    assert max(report.gain) < 1e-14
    wrong = verify.lie_derivative(halved, x, SHIFTS, stride=1, boundary="circular")
    assert min(wrong.gain) > 0.5


def test_cutting_off_a_margin_keeps_the_centre():
    y, x = np.meshgrid(np.arange(24) - 11.5, np.arange(24) - 11.5, indexing="ij")
    bump = np.exp(-(y**2 + x**2) / 10)[..., None]
    blobs = jnp.asarray(np.stack([bump * y[..., None], bump * x[..., None] ** 2]))
    report = verify.lie_derivative(lambda x: x[:, 1:-1, 1:-1], blobs, stride=1)
    assert max(report.gain) < 1e-3
    off = verify.lie_derivative(lambda x: x[:, 2:, 2:], blobs, ("rotation", "scale"), stride=1)
    assert min(off.gain) > 0.1


def test_regular_fields_move_with_translations_and_the_scale():
    p4 = groups.p4()
    lift = layers.LiftingConv(p4, 2, 3, 3, padding="CIRCULAR", rngs=nnx.Rngs(0))
    assert lift(jnp.asarray(IMAGES)).ndim == 5
    report = verify.lie_derivative(lift, IMAGES, SHIFTS, boundary="circular")
    assert max(report.gain) < 1e-6  # its parameters are float32
    assert verify.lie_derivative(lift, IMAGES, "scale").gain[0] > 0.1
    with pytest.raises(ValueError, match="Under rotation, the group axis of a regular field"):
        verify.lie_derivative(lift, IMAGES)
    pooled = nnx.Sequential(lift, layers.GroupPool(p4))
    assert verify.lie_derivative(pooled, IMAGES, "rotation").verdict == "measured"


def test_a_network_is_judged_in_training_and_stays_as_it_is():
    net = nnx.Sequential(
        layers.LiftingConv(groups.p4(), 2, 3, 3, rngs=nnx.Rngs(0)),
        nnx.BatchNorm(3, rngs=nnx.Rngs(0)),
        layers.GroupPool(groups.p4()),
        lambda x: layers.global_max_pool(groups.p4(), nnx.relu(x)),
    )
    before = np.asarray(net.layers[1].mean[...])
    report = verify.lie_derivative(net, IMAGES.astype(np.float32), "rotation")
    assert report.verdict == "measured" and report.gain[0] > 0
    np.testing.assert_array_equal(net.layers[1].mean[...], before)


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float32])
def test_images_of_lower_precision_are_measured_to_theirs(dtype):
    exact = verify.lie_derivative(cubed, IMAGES, "rotation")
    report = verify.lie_derivative(cubed, jnp.asarray(IMAGES, dtype), "rotation")
    assert report.dtype == jnp.dtype(dtype).name
    tolerance = 100 * float(jnp.finfo(dtype).eps)
    assert report.error[0] == pytest.approx(exact.error[0], rel=tolerance)


# Vacuous, bad, and as values.


@pytest.mark.parametrize(
    ("f", "reason"),
    [
        (lambda x: 0 * mean(x), "f(x) is 0, which every motion leaves alone"),
        (lambda x: 0 * mean(x) + 1, "f(x) is the same for every sample: it does not depend on x"),
    ],
)
def test_a_constant_is_not_called_equivariant(f, reason):
    report = verify.lie_derivative(f, IMAGES)
    assert (report.verdict, report.reason) == ("vacuous", reason)


def test_a_report_prints_as_a_table_and_serialises_to_json():
    report = verify.lie_derivative(by_column, IMAGES, ("translation_x", "rotation"))
    lines = str(report).splitlines()
    assert lines[0] == "float64, boundary: reflect"
    assert lines[1].startswith("generator      per     error")
    assert [line.split()[:2] for line in lines[3:5]] == [
        ["translation_x", "pixel"], ["rotation", "radian"],
    ]  # fmt: skip
    assert lines[5] == f"measured: {report.reason}"
    worst = ("translation_x", "rotation")[int(np.argmax(report.gain))]
    assert report.reason == f"4 samples; the largest gain is {max(report.gain):.1e}, for {worst}"
    data = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert data["gain"] == list(report.gain)
    assert data["units"] == ["pixel", "radian"]


@pytest.mark.parametrize(
    ("x", "options", "message"),
    [
        (IMAGES[:0], {}, "one sample or more"),
        (IMAGES * np.nan, {}, "x holds NaN or infinity"),
        (IMAGES[0], {}, r"x should be images \[b, y, x, c\], got shape \(12, 12, 2\)"),
        (IMAGES, {"generators": "zoom"}, "The generator 'zoom' is none of translation_y"),
        (IMAGES, {"generators": ()}, "Name one generator or more of translation_y"),
        (IMAGES, {"boundary": "zero"}, "The boundary 'zero' is neither"),
        (IMAGES, {"act_out": "regular"}, r"Of shape \(4, 12, 12, 2\), f\(x\) is neither an image"),
        (IMAGES, {"stride": 0}, "stride should be one pixel or more, got 0"),
        (0 * IMAGES + 1, {}, "The generator translation_y leaves x as it is, which proves nothing"),
        (0 * IMAGES, {}, "The generator translation_y leaves x as it is, which proves nothing"),
    ],
)  # fmt: skip
def test_bad_input_is_refused(x, options, message):
    with pytest.raises(ValueError, match=message):
        verify.lie_derivative(lambda x: x, x, **options)


@pytest.mark.parametrize(
    ("f", "message"),
    [
        (lambda x: x[:3], "it should keep the batch size"),
        (lambda x: jnp.log(x), r"f\(x\) holds NaN or infinity"),
        (lambda x: jnp.sqrt(jnp.abs(0 * x)) + x, "The derivative of f at x holds NaN or infinity"),
        (lambda x: jnp.argmax(mean(x), axis=-1)[:, None], r"f\(x\) is of type int64, which has no"),
        (lambda x: mean(x)[:, None], r"Of shape \(4, 1, 2\), f\(x\) is neither an image"),
        (lambda x: x[:, ::2, ::2], "f maps 12 x 12 pixels to 6 x 6: give stride"),
    ],
)
def test_a_bad_callable_is_refused(f, message):
    with pytest.raises(ValueError, match=message):
        verify.lie_derivative(f, IMAGES)
