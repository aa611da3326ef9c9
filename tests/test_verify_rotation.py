"""Rotations by any angle: closed forms, what interpolation does alone, and controls that fail."""

import json

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from gcnn import groups, nn, verify

P4 = groups.p4()
RIGHT_ANGLES = (0, 90, 180, 270)


def normal(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def grid(n: int) -> list[np.ndarray]:
    """Rows and columns, counted from the centre."""
    return np.meshgrid(*(np.arange(n) - (n - 1) / 2,) * 2, indexing="ij")


def round_bumps(n: int) -> np.ndarray:
    """Two smooth images `[2, y, x, 2]` that no rotation changes, and no two channels alike."""
    v, u = grid(n)
    r = np.hypot(v, u) / n
    channels = [np.exp(-8 * r**2), 0.3 + np.exp(-20 * (r - 0.25) ** 2)]
    return np.stack([np.stack(channels, -1), np.stack(channels[::-1], -1)]).astype(np.float32)


def smooth(n: int) -> np.ndarray:
    """Three smooth images `[3, y, x, 1]` off the centre."""
    v, u = grid(n)
    waves = [np.cos(0.3 * v + 0.2 * u), np.sin(0.4 * u - 1), np.cos(0.25 * v) * u / n]
    return np.stack(waves)[..., None].astype(np.float32)


def directions(x):
    """The mass to the right, above, to the left and below."""
    n = x.shape[1] // 2
    parts = [x[:, n, n + 1 :], x[:, :n, n], x[:, n, :n], x[:, n + 1 :, n]]
    return jnp.stack([p.sum((1, 2)) for p in parts], axis=1)


def mean(x):
    return x.mean(axis=(1, 2))


def weighted_by_column(x):
    return (x * jnp.arange(x.shape[2])[:, None]).mean(axis=(1, 2))


# Classifiers.


def test_a_point_goes_round_the_compass():
    x = np.zeros((2, 7, 7, 1), np.float32)
    x[0, 3, 5] = x[1, 1, 3] = 1  # to the right, and above
    report = verify.rotation_consistency(directions, x, np.array([0, 0]), angles=RIGHT_ANGLES)
    assert (report.samples, report.transforms, report.classes) == (2, 4, 4)
    assert report.angles == RIGHT_ANGLES
    assert report.change == pytest.approx((0, *(np.sqrt(2),) * 3), rel=1e-6)
    assert report.agreement_at == (1, 0, 0, 0)
    assert report.accuracy_at == (0.5, 0, 0, 0.5)  # counter-clockwise, above comes right by 270°
    assert report.consistency == 1 / 4
    assert report.agreement == 1 / 4
    assert report.unanimous == 0
    assert (report.accuracy, report.mean_accuracy, report.worst_accuracy) == (0.5, 0.25, 0)
    assert report.round_trip == report.round_trip_change == (0, 0, 0, 0)
    assert report.verdict == "not consistent"


def test_the_round_trip_of_a_point_by_45_degrees_in_closed_form():
    x = np.zeros((1, 9, 9, 2), np.float32)
    x[0, 4, 4] = 1, 2
    report = verify.rotation_consistency(mean, x, angles=(45, -45, 0))
    # R gives each of the 4 neighbours a = (1 - t)², t = 1/√2. The way back gives them once more
    # a, and t(1 - t) of two neighbours; and the diagonal ones 2 - √2 of a neighbour.
    t = 1 / np.sqrt(2)
    a = (1 - t) ** 2
    beside, diagonal = a + 2 * t * (1 - t) * a, (2 - np.sqrt(2)) * a
    expected = 2 * np.hypot(beside, diagonal)
    assert report.round_trip == pytest.approx((expected, expected, 0), rel=1e-5)
    assert report.change == pytest.approx((4 * a, 4 * a, 0), rel=1e-5)  # of a mass of 1
    assert report.round_trip_change == pytest.approx(
        (4 * (beside + diagonal),) * 2 + (0,), rel=1e-5
    )


@pytest.mark.parametrize("method", ["linear", "cubic"])
def test_the_mean_of_a_round_image_stays_and_weights_by_column_do_not(method):
    x = round_bumps(25)
    report = verify.rotation_consistency(mean, x, np.array([1, 1]), method=method)
    assert len(report.angles) == 24
    assert max(report.change) < 5e-3  # linear interpolation cuts the tops
    assert report.change[0] == report.round_trip[0] == report.round_trip_change[0] == 0
    assert report.unanimous == 1
    off_centre = np.roll(x, 4, axis=2)
    control = verify.rotation_consistency(weighted_by_column, off_centre, method=method)
    assert max(control.change) > 0.15
    assert control.change[0] == 0


def test_what_interpolation_does_alone_stands_beside_the_change():
    def energy(x):
        return (x**2).mean(axis=(1, 2))

    x = normal(2, 16, 16, 3)  # white noise: interpolation takes much of its energy
    report = verify.rotation_consistency(energy, x, angles=(0, 30, 45, 90))
    assert report.change[0] == 0
    assert report.change[3] < 1e-6
    assert report.round_trip[::3] == report.round_trip_change[::3] == (0, 0)
    for i in (1, 2):
        assert 0.2 < report.round_trip[i] < 1
        assert 0.1 < report.change[i] < report.round_trip_change[i]  # once, and there and back
    cubic = verify.rotation_consistency(energy, x, angles=(30,), method="cubic")
    assert cubic.round_trip[0] < report.round_trip[1]


def test_what_lies_outside_the_disc_is_hidden_unless_one_asks():
    x = round_bumps(8)
    with_corner = x.copy()
    with_corner[:, 0, 0] = 5
    angles = (0, 45, 90)
    hidden = verify.rotation_consistency(mean, with_corner, angles=angles)
    assert hidden.change == verify.rotation_consistency(mean, x, angles=angles).change
    shown = verify.rotation_consistency(mean, with_corner, angles=angles, mask=False)
    assert shown.change[1] > hidden.change[1] + 0.1  # the corner leaves the frame


def test_a_constant_classifier_is_vacuous():
    report = verify.rotation_consistency(
        lambda x: jnp.zeros((len(x), 3)).at[:, 1].set(1), normal(3, 8, 8, 1), np.array([0, 1, 1])
    )
    assert report.consistency == 1
    assert report.accuracy == pytest.approx(2 / 3)
    assert report.verdict == "vacuous"


def test_consistency_does_not_depend_on_the_order_of_the_angles():
    x = normal(4, 8, 8, 3)
    report = verify.rotation_consistency(weighted_by_column, x, angles=(0, 20, 200))
    other = verify.rotation_consistency(weighted_by_column, x, angles=(200, 0, 20))
    assert other.consistency == report.consistency
    assert other.change == (report.change[2], *report.change[:2])


def test_a_report_serialises_to_json_and_prints_as_tables():
    x = round_bumps(9)
    report = verify.rotation_consistency(mean, x, np.array([1, 1]), angles=(0, 22.5))
    data = json.loads(json.dumps(report.to_dict()))
    assert data["angles"] == [0, 22.5]
    assert data["round_trip"] == list(report.round_trip)
    assert data["verdict"] == report.verdict
    lines = str(report).splitlines()
    assert lines[0] == "rotations, linear interpolation: 2 angles, 2 samples"
    assert lines[1].split("  ")[0] == "angle"
    assert lines[1].endswith("agreement  accuracy")
    assert lines[4].startswith("22.5°")
    assert lines[-1] == f"{report.verdict}: {report.reason}"
    assert "accuracy" not in str(verify.rotation_consistency(mean, x, angles=(0,)))


# Output images.


@pytest.mark.parametrize("method", ["linear", "cubic"])
@pytest.mark.parametrize("shape", [(2, 11, 11, 2), (2, 10, 12, 2)], ids=str)
def test_the_identity_turns_with_its_input_at_every_angle(shape, method):
    report = verify.rotation_equivariance(lambda x: x, normal(*shape), method=method)
    assert report.angles == tuple(range(0, 360, 15))
    assert report.relative == (0,) * 24
    assert report.error == 0
    assert report.round_trip == report.round_trip_change
    # the disc is cut out of f(x), and twice the reach of interpolation touches its edge
    assert report.round_trip_out == pytest.approx(report.round_trip, rel=0.05)
    assert report.round_trip[0] == 0
    assert min(report.round_trip[1:6]) > 0.1
    assert report.verdict == "measured"


@pytest.mark.parametrize("n", [10, 11])
def test_a_p4_network_is_exact_at_right_angles_and_a_plain_one_is_not(n):
    rngs = nnx.Rngs(0)
    network = nnx.Sequential(
        nn.LiftingConv(P4, 1, 2, 3, padding="SAME", rngs=rngs), nnx.relu,
        nn.GroupConv(P4, 2, 2, 3, padding="SAME", rngs=rngs), nn.GroupPool(P4),
    )  # fmt: skip
    plain = nnx.Conv(1, 2, (3, 3), rngs=rngs)
    angles = (*RIGHT_ANGLES, 450, -90, 45)
    report = verify.rotation_equivariance(network, normal(3, n, n, 1), angles=angles)
    assert report.relative[0] == 0
    assert max(report.relative[:-1]) < 1e-6
    assert report.round_trip[:-1] == report.round_trip_out[:-1] == (0,) * 6
    assert report.relative[-1] > 0.05
    control = verify.rotation_equivariance(plain, normal(3, n, n, 1), angles=RIGHT_ANGLES)
    assert control.relative[0] == 0
    assert min(control.relative[1:]) > 0.1


def test_a_round_filter_turns_better_than_a_slope_along_x():
    def blurred(x):
        return (x + jnp.roll(x, 1, 1) + jnp.roll(x, -1, 1) + jnp.roll(x, 1, 2)
                + jnp.roll(x, -1, 2)) / 5  # fmt: skip

    def slope(x):
        return jnp.roll(x, -1, 2) - jnp.roll(x, 1, 2)

    def central(f):  # without the edge of the disc
        v, u = grid(21)
        return lambda x: f(x) * (np.hypot(v, u) < 8)[..., None]

    x, angles = smooth(21), (30, 45)
    round_one = verify.rotation_equivariance(central(blurred), x, angles=angles, method="cubic")
    assert max(round_one.relative) < 0.02
    other = verify.rotation_equivariance(central(slope), x, angles=angles, method="cubic")
    assert min(other.relative) > 0.3


def test_the_output_may_be_coarser():
    x = normal(2, 17, 17, 1)
    report = verify.rotation_equivariance(lambda x: x[:, ::2, ::2], x, angles=(0, 90, 45))
    assert report.relative[:2] == (0, 0)
    assert report.relative[2] > 0.1
    off_centre = verify.rotation_equivariance(lambda x: x[:, 1::2, ::2], x, angles=(90,))
    assert off_centre.relative[0] > 0.1


def test_an_output_that_proves_nothing_is_vacuous():
    x = normal(2, 8, 8, 1)
    for f, reason in ((jnp.zeros_like, "f(x) is 0"), (jnp.ones_like, "the same for every sample")):
        report = verify.rotation_equivariance(f, x, angles=(45,))
        assert report.verdict == "vacuous"
        assert reason in report.reason


def test_an_equivariance_report_serialises_to_json_and_prints_as_a_table():
    report = verify.rotation_equivariance(jnp.square, normal(2, 8, 8, 1), angles=(0, 45))
    data = json.loads(json.dumps(report.to_dict()))
    assert data["error"] == report.error == np.mean(report.relative)
    assert data["relative"] == list(report.relative)
    lines = str(report).splitlines()
    assert lines[0] == "rotations, linear interpolation"
    assert lines[1].split("  ")[0] == "angle"
    assert [line.split()[0] for line in lines[3:5]] == ["0°", "45°"]
    assert lines[5] == f"measured: {report.reason}"
    assert "where interpolating there and back alone makes" in report.reason


# Refusals.

IMAGES = normal(2, 8, 8, 3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: verify.rotation_consistency(mean, IMAGES[:0]), r"x should be a batch .*\(0, 8, 8"),
        (
            lambda: verify.rotation_equivariance(jnp.square, np.where(IMAGES > 2, np.nan, IMAGES)),
            "x holds NaN or infinity",
        ),
        (
            lambda: verify.rotation_consistency(mean, normal(2, 8, 8, 4, 3)),
            r"x should be images \[b, y, x, c\], which can turn; got shape \(2, 8, 8, 4, 3\)",
        ),
        (
            lambda: verify.rotation_consistency(mean, IMAGES, angles=()),
            r"angles should be one number of degrees or more, got \[\]",
        ),
        (
            lambda: verify.rotation_equivariance(jnp.square, IMAGES, angles=(0.0, np.inf)),
            r"angles should be one number of degrees or more, got \[0\.0, inf\]",
        ),
        (
            lambda: verify.rotation_consistency(mean, IMAGES, method="fourier"),
            r"The method 'fourier' of interpolation is none of 'linear', 'cubic'\.",
        ),
        (
            lambda: verify.rotation_consistency(mean, IMAGES[:, :4, :4]),
            r"Images of 4 x 4 pixels hold no disc that linear interpolation leaves within the "
            r"frame: it takes 5 pixels along each axis",
        ),
        (
            lambda: verify.rotation_equivariance(
                lambda x: x[:, ::2, ::2], normal(2, 9, 9, 1), method="cubic"
            ),
            r"Images of 5 x 5 pixels hold no disc that cubic .* it takes 7 pixels",
        ),
        (
            lambda: verify.rotation_consistency(lambda x: mean(x)[:1], IMAGES),
            "it should keep the batch size 2",
        ),
        (
            lambda: verify.rotation_consistency(jnp.square, IMAGES),
            "a classifier returns one number",
        ),
        (
            lambda: verify.rotation_equivariance(mean, IMAGES),
            r"f maps images of shape \(2, 8, 8, 3\) to shape \(2, 3\), where rotations of the "
            r"output need images \[b, y, x, c\]\. For \[b, classes\] there is rotation_consistency",
        ),
        (
            lambda: verify.rotation_equivariance(lambda x: x / 0, IMAGES),
            r"f\(x\) holds NaN or infinity",
        ),
        (lambda: verify.rotation_consistency(mean, IMAGES, [1]), "labels should be 2 integers"),
        (lambda: verify.rotation_consistency(mean, IMAGES, [1, -1]), "labels range from -1 to 1"),
    ],
)
def test_what_would_prove_nothing_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
