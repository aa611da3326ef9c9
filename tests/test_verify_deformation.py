"""Stability to warps: its definition, the callables whose figure is known, and the controls."""

import itertools
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from gcnn import actions, groups, nn, verify
from gcnn.verify._deformation import _perturbed


def blobs(n: int = 24, count: int = 12) -> np.ndarray:
    """Smooth images `[b, n, n, 1]`: each a few Gaussians."""
    rng = np.random.default_rng(0)
    y, x = np.meshgrid(np.arange(n), np.arange(n), indexing="ij")
    images = np.zeros((count, n, n))
    for image, _ in itertools.product(images, range(3)):
        v, u = rng.uniform(n / 4, 3 * n / 4, 2)
        image += rng.normal() * np.exp(-((y - v) ** 2 + (x - u) ** 2) / (2 * (n / 10) ** 2))
    return images[..., None].astype(np.float32)


BLOBS = blobs()
QUICK = {"warps": 2}


def square(x):
    return x**2


def pooled(x):
    return x.mean(axis=(1, 2))


def blurred(x):
    """Means over tiles: smooth changes stay, and noise averages out."""
    b, n = x.shape[:2]
    return x.reshape(b, n // 4, 4, n // 4, 4, -1).mean(axis=(2, 4))


# Known figures.


def shuffled(x):
    """An isometry: the pixels in another order, some with another sign."""
    rng = np.random.default_rng(1)
    order = rng.permutation(x[0].size)
    return x.reshape(len(x), -1)[:, order] * rng.choice([-1.0, 1.0], x[0].size)


@pytest.mark.parametrize("reduce", ["mean", "median"])
@pytest.mark.parametrize("f", [lambda x: x, lambda x: -3 * x + 7, shuffled])
def test_an_isometry_and_its_multiples_are_as_stable_to_warps_as_to_noise(f, reduce):
    with jax.enable_x64(True):
        report = verify.deformation_stability(f, BLOBS.astype(np.float64), reduce=reduce, **QUICK)
    assert report.r_f == pytest.approx(1, abs=1e-12)
    assert report.standard_error < 1e-12
    assert report.d_f == pytest.approx(report.g_f, rel=1e-12)
    assert 0.01 < report.d_f < 1


def test_noise_has_the_size_of_the_warp_in_every_sample():
    with jax.enable_x64(True):
        x = jnp.asarray(BLOBS, jnp.float64)
        warped, noisy, displacement, moved, folded = _perturbed(jax.random.key(0), x, 1e-3, 3)
    size = np.linalg.norm((warped - x).reshape(12, -1), axis=1)
    np.testing.assert_allclose(
        np.linalg.norm((noisy - x).reshape(12, -1), axis=1), size, rtol=1e-12
    )
    assert len(set(size.tolist())) == 12
    assert float(moved) == pytest.approx(np.sum(size**2) / np.sum(np.asarray(x) ** 2), rel=1e-12)
    assert 0 < float(displacement) and 0 <= float(folded) <= 1


@pytest.mark.parametrize("reduce", ["mean", "median"])
def test_the_figures_are_those_of_the_definition(reduce):
    report = verify.deformation_stability(square, BLOBS, delta=0.8, reduce=reduce, seed=3, **QUICK)
    y = BLOBS.astype(np.float64) ** 2
    average = getattr(np, reduce)
    pairs = [np.sum((a - b) ** 2) for a, b in itertools.permutations(y, 2)]
    t = actions.temperature_of(0.8, 24, 3)
    assert report.temperature == t
    d, g = [], []
    for k in range(2):
        key = jax.random.fold_in(jax.random.key(3), k)
        warped, noisy, *_ = _perturbed(key, jnp.asarray(BLOBS), t, 3)
        d += [np.sum((np.asarray(a, np.float64) ** 2 - b) ** 2) for a, b in zip(warped, y)]
        g += [np.sum((np.asarray(a, np.float64) ** 2 - b) ** 2) for a, b in zip(noisy, y)]
    assert report.d_f == pytest.approx(average(d) / average(pairs), rel=1e-5)
    assert report.g_f == pytest.approx(average(g) / average(pairs), rel=1e-5)
    assert report.r_f == pytest.approx(average(d) / average(g), rel=1e-5)
    if reduce == "mean":  # of a ratio of means over images, to first order
        d, g = np.reshape(d, (2, 12)).mean(0), np.reshape(g, (2, 12)).mean(0)
        error = np.std(d - report.r_f * g) / np.sqrt(12) / g.mean()
        assert report.standard_error == pytest.approx(error, rel=0.5)


def test_noise_moves_a_linear_map_by_its_mean_square_gain():
    w = np.random.default_rng(1).normal(size=(24 * 24, 5))

    def linear(x):
        return x.reshape(len(x), -1) @ jnp.asarray(w, x.dtype)

    report = verify.deformation_stability(linear, BLOBS, warps=40)
    y = BLOBS.reshape(12, -1).astype(np.float64)
    size = report.moved**2 * np.sum(y**2) / 12  # E ‖η‖²
    spread = 2 * (y @ w).var(axis=0, ddof=1).sum()
    expected = size * np.sum(w**2) / (24 * 24) / spread
    assert report.g_f == pytest.approx(expected, rel=0.15)  # 480 noises


def test_the_maximum_over_an_image_which_no_diffeomorphism_changes_is_far_more_stable_to_warps():
    report = verify.deformation_stability(lambda x: x.max(axis=(1, 2)), BLOBS)
    assert report.r_f < 0.1  # what is left is the interpolation between pixels
    assert report.reason == "warps move f(x) less than noise does"


def test_what_keeps_smooth_changes_and_averages_noise_is_less_stable_to_warps():
    report = verify.deformation_stability(blurred, BLOBS, **QUICK)
    assert report.r_f > 3
    assert report.reason == "warps move f(x) no less than noise does"
    # a warp changes areas and thereby the mean, in which noise cancels
    assert verify.deformation_stability(pooled, BLOBS, **QUICK).r_f > 3
    assert verify.deformation_stability(lambda x: x[:, 11, 11], BLOBS, **QUICK).r_f > 1  # one pixel


# What delta and the seed do.


def test_the_change_of_a_smooth_image_grows_with_the_square_of_a_small_displacement():
    curve = verify.deformation_curve(square, BLOBS, [0.1, 0.2], **QUICK)
    small, large = curve.reports
    assert large.moved**2 / small.moved**2 == pytest.approx(4, rel=0.1)
    assert large.d_f / small.d_f == pytest.approx(4, rel=0.1)
    assert large.displacement == pytest.approx(2 * small.displacement, rel=1e-5)


def test_the_displacement_drawn_is_the_one_asked_for():
    report = verify.deformation_stability(square, BLOBS, delta=0.8, warps=60)
    assert report.displacement == pytest.approx(0.8, rel=0.05)  # 720 fields


def test_a_curve_is_the_reports_one_by_one():
    curve = verify.deformation_curve(square, BLOBS, (0.5, 1.0), cut=2, seed=4, **QUICK)
    one = verify.deformation_stability(square, BLOBS, delta=1.0, cut=2, seed=4, **QUICK)
    assert curve.reports[1] == one
    assert curve.reports[0] != one


def test_the_seed_decides_the_fields():
    figures = [verify.deformation_stability(square, BLOBS, seed=s, **QUICK) for s in (0, 0, 1)]
    assert figures[0] == figures[1]
    assert figures[0].d_f != figures[2].d_f


def test_folded_fields_are_counted():
    curve = verify.deformation_curve(square, BLOBS, [0.5, 2.5], warps=8)
    assert curve.reports[0].folded == 0
    assert 0.3 < curve.reports[1].folded < 1


def test_images_need_not_be_square_and_a_module_is_a_callable():
    x = np.random.default_rng(0).normal(size=(4, 12, 16, 2)).astype(np.float32)
    layer = nn.LiftingConv(groups.p4(), 2, 3, 3, rngs=nnx.Rngs(0))
    report = verify.deformation_stability(layer, x, cut=2, **QUICK)
    assert report.verdict == "measured"
    norm = nnx.BatchNorm(2, rngs=nnx.Rngs(0))
    before = np.asarray(norm.mean[...])
    verify.deformation_stability(norm, x, cut=2, **QUICK)
    np.testing.assert_array_equal(norm.mean[...], before)  # it is judged, and not trained


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float32, jnp.float64])
def test_images_of_every_type_are_measured(dtype):
    with jax.enable_x64(dtype == jnp.float64):
        x = jnp.asarray(BLOBS, dtype)
        report = verify.deformation_stability(lambda x: x, x, **QUICK)
    assert report.r_f == pytest.approx(1, abs=0.01)


# Vacuous.


def test_no_displacement_moves_nothing():
    report = verify.deformation_stability(square, BLOBS, delta=0.0, **QUICK)
    assert report.d_f == report.g_f == report.moved == report.displacement == 0
    assert report.r_f is report.standard_error is None
    assert report.verdict == "vacuous"
    assert report.reason == "the warps leave x as it is: delta is 0, or the images are constant"


def test_a_constant_is_not_called_stable():
    report = verify.deformation_stability(lambda x: 0 * pooled(x) + 0.1, BLOBS, **QUICK)
    assert report.d_f is report.g_f is report.r_f is None
    assert (report.verdict, report.reason) == (
        "vacuous", "f(x) is the same for every sample: it does not depend on x",
    )  # fmt: skip


def test_a_callable_that_noise_does_not_change_has_no_relative_stability():
    report = verify.deformation_stability(lambda x: jnp.sign(pooled(x)), BLOBS + 5, **QUICK)
    assert report.verdict == "vacuous"  # all signs are the same
    step = np.concatenate([BLOBS + 5, BLOBS - 5])
    report = verify.deformation_stability(lambda x: jnp.sign(pooled(x)), step, **QUICK)
    assert report.d_f == report.g_f == 0
    assert (report.verdict, report.reason) == ("vacuous", "noise does not change f(x) at all")


# As values.


def test_a_report_prints_as_a_table_and_serialises_to_json():
    report = verify.deformation_stability(square, BLOBS, delta=0.25, **QUICK)
    lines = str(report).splitlines()
    assert lines[0] == "12 samples, 2 warps each, cut 3, mean"
    assert lines[1].split() == ["delta", "[px]", "moves", "x", "by", "folded", "D_f", "G_f", "R_f"]
    assert lines[3].split()[0] == "0.25"
    assert lines[4].startswith("measured: warps move f(x) ")
    assert lines[4].endswith("(below half a pixel: much of a warp is the interpolation's)")
    data = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert data["r_f"] == report.r_f and data["delta"] == 0.25
    curve = verify.deformation_curve(square, BLOBS, [0.0, 1.0], **QUICK)
    assert str(curve).splitlines()[-1].startswith("delta 0: vacuous: the warps leave x as it is")
    assert len(str(curve).splitlines()) == 6
    data = json.loads(json.dumps(curve.to_dict(), allow_nan=False))
    assert [r["delta"] for r in data["reports"]] == [0, 1]


@pytest.mark.parametrize(
    ("x", "options", "message"),
    [
        (BLOBS[:1], {}, r"two or more: the measure is .* Got shape \(1, 24, 24, 1\)"),
        (BLOBS[..., 0], {}, r"x should be images \[b, y, x, c\]"),
        (BLOBS[:0], {}, "one sample or more"),
        (BLOBS * np.nan, {}, "x holds NaN or infinity"),
        (BLOBS, {"reduce": "mode"}, "reduce should be \"mean\" or \"median\", got 'mode'"),
        (BLOBS, {"warps": 0}, "Needs one warp and one delta or more, got 0"),
        (BLOBS, {"delta": 9.0}, r"delta = 9\.0 pixels is outside the range"),
        (BLOBS, {"cut": 30}, "cut = 30 should be between 1 and 22"),
    ],
)  # fmt: skip
def test_bad_input_is_refused(x, options, message):
    with pytest.raises(ValueError, match=message):
        verify.deformation_stability(square, x, **options)


def test_a_bad_callable_is_refused():
    with pytest.raises(ValueError, match="it should keep the batch size"):
        verify.deformation_stability(lambda x: x[:3], BLOBS)
    with pytest.raises(ValueError, match=r"f\(x\) holds NaN or infinity"):
        verify.deformation_stability(lambda x: jnp.log(x), BLOBS)
    with pytest.raises(ValueError, match="one delta or more"):
        verify.deformation_curve(square, BLOBS, [])
