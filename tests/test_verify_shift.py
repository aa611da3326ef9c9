"""Shifts: closed forms, an oracle that counts every pair, and the layers that must be rejected."""

import itertools
import json
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from gcnn import actions, groups, nn, verify
from gcnn.groups import Group

P1, P4 = groups.p1(), groups.p4()
MIRROR = Group.from_generators([[[-1]]], "mirror")


shift = jax.jit(actions.shift_interpolated)


def normal(*shape: int, dtype=np.float32) -> np.ndarray:
    return np.random.default_rng(0).normal(size=shape).astype(dtype)


def delta(space: tuple[int, ...], *at: tuple[int, ...]) -> np.ndarray:
    """Images that are 1 at one pixel each, and 0 elsewhere."""
    x = np.zeros((len(at), *space, 1), np.float32)
    for i, p in enumerate(at):
        x[(i, *p, 0)] = 1
    return x


def column_parity(x):
    """(1, 0) for a delta in an even column, (0, 1) in an odd one."""
    return jnp.stack([x[:, :, ::2].sum((1, 2, 3)), x[:, :, 1::2].sum((1, 2, 3))], axis=1)


def strided(x):
    """A classifier that breaks invariance: every other row and column is all it looks at."""
    return jnp.tanh(x[:, ::2, ::2]).max(axis=(1, 2))


@jax.jit
def first_corner(x):
    """A classifier that looks at one pixel, and a little at all."""
    corner = x.reshape(x.shape[0], -1, x.shape[-1])[:, 0]
    return jnp.tanh(corner) + jnp.tanh(x).reshape(x.shape[0], -1, x.shape[-1]).max(axis=1)


def constant(x):
    return jnp.zeros_like(x[:, 0, 0]) + jnp.arange(x.shape[-1])


def brute_force(predictions: np.ndarray, steps: list[tuple[int, ...]], periods) -> dict:
    """Agreement at every distance, by visiting all pairs: `predictions` is [b, shifts]."""
    found: dict[int, list[np.ndarray]] = {}
    for (i, s), (j, t) in itertools.product(enumerate(steps), repeat=2):
        gap = [abs(a - b) for a, b in zip(s, t, strict=True)]
        if periods:
            gap = [min(d % n, -d % n) for d, n in zip(gap, periods, strict=True)]
        found.setdefault(max(gap), []).append(predictions[:, i] == predictions[:, j])
    return {d: float(np.mean(same)) for d, same in sorted(found.items())}


# Consistency: closed forms.


@pytest.mark.parametrize(("n", "p"), [(6, 3 / 6), (5, 3 / 5)], ids=["even torus", "odd torus"])
def test_the_parity_of_a_column_is_as_consistent_as_its_columns_are_even(n, p):
    x = delta((4, n), (1, 2), (0, 0))  # both in even columns
    report = verify.shift_consistency(column_parity, x, np.array([0, 1]))
    assert (report.samples, report.transforms) == (2, 4 * n)
    assert report.consistency == pytest.approx(p**2 + (1 - p) ** 2, rel=1e-15)
    assert report.agreement == pytest.approx(p, rel=1e-15)
    assert report.unanimous == 0
    assert report.classes == 2
    assert report.ties == 0
    assert report.accuracy == 0.5
    assert report.mean_accuracy == 0.5
    assert report.worst_accuracy == 0
    assert report.output_change == pytest.approx(np.sqrt(2), rel=1e-6)  # (0, 1) for (1, 0)
    # the softmax of (1, 0) becomes that of (0, 1): from e/(1 + e) to 1/(1 + e)
    assert report.probability_change == pytest.approx(np.tanh(0.5) * (1 - p), rel=1e-6)
    assert report.verdict == "not consistent"
    assert report.reason == "2 of 2 samples change their class under some transform"


def test_the_map_tells_which_shifts_change_the_class():
    report = verify.shift_consistency(column_parity, delta((3, 6), (1, 2)))
    assert report.offsets == ((-1, 0, 1), (-2, -1, 0, 1, 2, 3))
    np.testing.assert_array_equal(report.agreement_map, [[1, 0, 1, 0, 1, 0]] * 3)
    # Equal predictions at an even distance along x; at distance 2 or 3 so are all along y.
    assert report.distances == (0, 1, 2, 3)
    assert report.consistency_at == (1, 2 / 8, 1, 0)
    assert report.output_change_at[1] % 2 == 1


def test_one_pixel_is_read_at_one_shift_of_all():
    def read(x):
        return jnp.stack([x[:, 0, 0, 0], jnp.full(len(x), 0.5)], axis=1)

    n = 5
    report = verify.shift_consistency(read, delta((n, n), (0, 0), (3, 1)))
    p = 1 / n**2
    assert report.consistency == pytest.approx(p**2 + (1 - p) ** 2, rel=1e-15)
    assert report.agreement == pytest.approx((p + (1 - p)) / 2, rel=1e-15)


def test_ties_are_counted():
    def two_columns(x):  # (0, 0) where the delta is in neither
        return x[:, :, :2, 0].sum(axis=1)

    report = verify.shift_consistency(two_columns, delta((2, 5), (0, 0)))
    assert report.ties == 3 / 5
    assert report.agreement == 4 / 5  # the first class wins a tie
    assert "ties                              60.00 %" in str(report)


# Consistency: an oracle, and laws.


@pytest.mark.parametrize(
    ("shape", "options", "periods"),
    [
        ((3, 4, 5, 3), {}, (4, 5)),
        ((3, 6, 7, 3), {"max_shift": 2}, (6, 7)),
        ((3, 4, 5, 3), {"max_shift": 2}, (4, 5)),
        ((2, 3, 4, 3), {"per_pixel": 2}, (6, 8)),
        ((2, 6, 3), {"per_pixel": 3}, (18,)),
        ((2, 3, 2, 4, 3), {}, (3, 2, 4)),
        ((2, 3, 4, 4, 3), {"dim": 2}, (3, 4)),
    ],
    ids=["all", "window", "window round the torus", "half pixels", "line", "space", "regular"],
)
def test_every_figure_is_that_of_all_pairs(shape, options, periods):
    x = normal(*shape)
    labels = np.arange(shape[0]) % 3
    d, k = len(periods), options.get("per_pixel", 1)
    report = verify.shift_consistency(first_corner, x, labels, **options)
    steps = [tuple(round(k * o) for o in s) for s in itertools.product(*report.offsets)]
    assert len({tuple(np.mod(s, periods)) for s in steps}) == len(steps) == report.transforms
    axes = tuple(range(1, 1 + d))
    moved = [np.roll(x, s, axes) if k == 1 else shift(x, np.array(s) / k) for s in steps]
    outputs = np.stack([first_corner(image) for image in moved]).astype(np.float64)
    predictions = outputs.argmax(axis=-1).T  # [b, shifts]
    zero = steps.index((0,) * d)
    curve = brute_force(predictions, steps, periods)
    assert report.distances == tuple(distance / k for distance in curve)
    assert report.consistency_at == pytest.approx(tuple(curve.values()), rel=1e-12)
    same = predictions[:, :, None] == predictions[:, None, :]
    assert report.consistency == pytest.approx(same.mean(), rel=1e-12)
    kept = predictions == predictions[:, [zero]]
    assert report.agreement == pytest.approx(kept.mean(), rel=1e-12)
    np.testing.assert_allclose(report.agreement_map.ravel(), kept.mean(axis=0), rtol=1e-12)
    assert report.unanimous == same.all(axis=(1, 2)).mean()
    right = predictions == labels[:, None]
    assert report.accuracy == right[:, zero].mean()
    assert report.mean_accuracy == pytest.approx(right.mean(), rel=1e-12)
    assert report.worst_accuracy == right.all(axis=1).mean()
    change = [np.linalg.norm(y - outputs[zero]) / np.linalg.norm(outputs[zero]) for y in outputs]
    assert report.output_change == pytest.approx(max(change), rel=1e-5)
    p = np.asarray(jax.nn.softmax(outputs, axis=-1))  # [shifts, b, c]
    at = np.take_along_axis(p, np.broadcast_to(predictions.T[zero], p.shape[:2])[..., None], -1)
    assert report.probability_change == pytest.approx(np.abs(at - at[zero]).mean(), rel=1e-5)
    assert 0.2 < report.consistency < 0.9  # neither constant nor random: the case says something


def test_a_convolution_of_stride_1_and_global_pooling_is_consistent_and_a_strided_one_is_not():
    x = normal(8, 6, 7, 2)

    def network(strides):
        conv = nnx.Conv(2, 5, (3, 3), strides, padding="CIRCULAR", rngs=nnx.Rngs(0))
        return lambda x: nnx.relu(conv(x)).mean(axis=(1, 2))

    report = verify.shift_consistency(network(1), x)
    assert report.consistency == report.agreement == report.unanimous == 1
    assert report.output_change < 1e-5
    assert report.probability_change < 1e-6
    assert report.classes > 1
    assert report.verdict == "consistent"
    assert report.reason == "every sample keeps its class under all transforms"
    broken = verify.shift_consistency(network(2), x)
    assert broken.consistency < 1
    assert broken.output_change > 0.01
    assert broken.verdict == "not consistent"


def test_a_constant_classifier_is_consistent_and_the_report_says_that_this_is_vacuous():
    report = verify.shift_consistency(constant, normal(4, 4, 4, 3), np.array([2, 2, 0, 1]))
    assert report.consistency == report.unanimous == 1
    assert report.accuracy == report.worst_accuracy == 0.5
    assert report.classes == 1
    assert report.verdict == "vacuous"
    assert report.reason == "one class is all that is ever predicted: a constant would do as well"


def test_the_order_of_samples_and_of_classes_does_not_matter():
    x, labels = normal(6, 4, 5, 3), np.arange(6) % 3
    report = verify.shift_consistency(strided, x, labels)
    order = np.array([3, 0, 5, 1, 4, 2])
    other = verify.shift_consistency(strided, x[order], labels[order])
    classes = np.array([2, 0, 1])  # class c becomes classes[c]
    renamed = verify.shift_consistency(lambda x: strided(x)[:, [1, 2, 0]], x, classes[labels])
    for name, value in vars(report).items():
        if name in ("kind", "offsets"):
            continue
        np.testing.assert_allclose(getattr(other, name), value, rtol=1e-6, err_msg=name)
        np.testing.assert_allclose(getattr(renamed, name), value, rtol=1e-6, err_msg=name)


def test_the_energy_of_a_band_limited_image_is_invariant_to_half_pixels():
    v, u = np.meshgrid(*(2 * np.pi * np.arange(8) / 8,) * 2, indexing="ij")
    waves = [np.cos(v + 2 * u) + 0.5, np.sin(2 * v) - np.cos(u + 0.3), np.cos(v) - 0.4]
    x = np.stack(waves)[..., None].astype(np.float32)

    def energy(x):
        return jnp.concatenate([jnp.mean(x**2, axis=(1, 2)), jnp.mean(x, axis=(1, 2)) + 0.8], 1)

    report = verify.shift_consistency(energy, x, per_pixel=2, max_shift=2)
    assert report.transforms == 81
    assert report.output_change < 1e-6
    assert report.consistency == 1
    assert report.classes == 2


def test_the_highest_sample_of_a_wave_tells_a_half_pixel_from_a_whole_one():
    x = np.cos(2 * np.pi * np.arange(8) / 8)[None, :, None].astype(np.float32)

    def high(x):  # the maximum is 1 at the pixels, and cos(π/8) = 0.92 half way between
        return jnp.stack([x.max(axis=(1, 2)), jnp.full(len(x), 0.96)], axis=1)

    half = verify.shift_consistency(high, x, per_pixel=2)
    assert half.consistency == half.agreement == 0.5
    assert half.consistency_at == (1, 0) * 4 + (1,)
    assert verify.shift_consistency(high, x).consistency == 1
    assert str(half).startswith("shifts, circular, by 1/2 pixel: 16, of 1 samples\n")


# Crops.


def test_crops_of_a_line_in_closed_form():
    def halves(x):  # is the delta in the left or in the right half of the crop of 4?
        return jnp.stack([x[:, :2].sum((1, 2)), x[:, 2:].sum((1, 2))], axis=1)

    report = verify.crop_consistency(halves, delta((8,), (3,), (6,)), 4, np.array([0, 1]))
    # Crops begin at pixels 0 to 4. Pixel 3 is on the right side of those from 0 and 1, on the
    # left of those from 2 and 3, and not in the last; pixel 6 is on the right of the last two,
    # and in no other. Without a delta it is a tie, for the left.
    assert report.offsets == ((-2, -1, 0, 1, 2),)
    assert report.consistency == pytest.approx((2 / 5) ** 2 + (3 / 5) ** 2, rel=1e-15)
    assert report.agreement == 3 / 5
    assert report.ties == (1 + 3) / 10
    assert report.distances == (0, 1, 2, 3, 4)
    assert report.consistency_at == pytest.approx((1, 3 / 4, 1 / 3, 0, 0), rel=1e-15)
    assert (report.accuracy, report.mean_accuracy, report.worst_accuracy) == (0.5, 0.5, 0)
    np.testing.assert_array_equal(report.agreement_map, [0.5, 0.5, 1, 0.5, 0.5])
    assert str(report).startswith("shifts, by cropping: 5, of 2 samples\n")


def test_crops_of_an_image_are_all_windows():
    x = normal(3, 5, 6, 3)
    report = verify.crop_consistency(first_corner, x, (4, 3))
    windows = np.lib.stride_tricks.sliding_window_view(x, (4, 3), axis=(1, 2))  # [b, y, x, c, ...]
    steps = list(itertools.product(range(2), range(4)))
    predictions = np.stack(
        [first_corner(np.moveaxis(windows[:, i, j], 1, -1)).argmax(-1) for i, j in steps], axis=1
    )
    curve = brute_force(predictions, steps, None)
    assert report.consistency_at == pytest.approx(tuple(curve.values()), rel=1e-12)
    middle = steps.index((0, 1))
    assert report.agreement == pytest.approx(np.mean(predictions == predictions[:, [middle]]))
    fields = normal(2, 5, 6, 4, 3)  # a regular field, with one size for each space axis
    assert verify.crop_consistency(lambda f: f.max((1, 2, 3)), fields, (4, 4)).transforms == 6


# The report.


def test_a_consistency_report_serialises_to_json_and_prints_as_a_table():
    x, labels = delta((4, 4), (0, 0), (0, 2)), np.array([0, 1])
    report = verify.shift_consistency(column_parity, x, labels)
    data = json.loads(json.dumps(report.to_dict()))
    assert data["consistency"] == 0.5
    assert data["verdict"] == "not consistent"
    assert data["agreement_map"] == report.agreement_map.tolist()
    lines = str(report).splitlines()
    assert lines[0] == "shifts, circular: 16, of 2 samples"
    assert lines[1].split() == ["measure", "value"]
    assert lines[3].split() == ["consistency", "50.00", "%"]
    assert lines[6].split() == ["accuracy", "50.00", "%"]
    assert lines[-3].startswith("largest change of the output")
    assert lines[-1] == f"not consistent: {report.reason}"
    assert "accuracy" not in str(verify.shift_consistency(column_parity, x))


def test_a_module_is_taken_as_it_is_and_left_as_it_is():
    class Network(nnx.Module):
        def __init__(self, rngs):
            self.conv = nnx.Conv(2, 3, (3, 3), 2, rngs=rngs)
            self.norm = nnx.BatchNorm(3, rngs=rngs)  # in training mode

        def __call__(self, x):
            return self.norm(self.conv(x)).max(axis=(1, 2))

    network = Network(nnx.Rngs(0))
    before = np.asarray(network.norm.mean[...])
    report = verify.shift_consistency(network, normal(4, 4, 4, 2), max_shift=1)
    assert report.transforms == 9
    assert report.consistency < 1
    np.testing.assert_array_equal(network.norm.mean[...], before)


# All shifts with all elements.


def circular_network(group, channels=1, dtype=jnp.float32):
    """Equivariant to every shift and every element: [b, *space, c] to [b, *space, 2]."""
    options = {"padding": "CIRCULAR", "dtype": dtype, "param_dtype": dtype, "rngs": nnx.Rngs(0)}
    return nnx.Sequential(
        nn.LiftingConv(group, channels, 2, 3, **options),
        nnx.relu,
        nn.GroupConv(group, 2, 2, 3, **options),
        nn.GroupPool(group),
    )


def weighted(x):
    """Not equivariant: the rows of an image count differently."""
    return x * jnp.arange(1.0, x.shape[1] + 1)[:, None, None]


def test_errors_are_those_of_the_definition():
    x = normal(3, 3, 3, 2)
    report = verify.shift_equivariance(weighted, P4, x)
    assert (report.shifts, report.names) == (9, P4.names)
    y = np.asarray(weighted(x), np.float64)
    for g in range(4):
        errors = {}
        for s in itertools.product(range(3), repeat=2):
            moved = np.roll(np.rot90(x, g, (1, 2)), s, (1, 2))
            expected = np.roll(np.rot90(y, g, (1, 2)), s, (1, 2))
            errors[s] = np.linalg.norm(np.asarray(weighted(moved), np.float64) - expected)
        relative = {s: e / np.linalg.norm(y) for s, e in errors.items()}
        assert report.unshifted[g] == pytest.approx(relative[0, 0], rel=1e-6)
        assert report.relative[g] == pytest.approx(max(relative.values()), rel=1e-6)
        assert relative[report.at[g]] == pytest.approx(report.relative[g], rel=1e-6)
    assert report.error == max(*report.relative, report.mixed)
    assert report.verdict == "not equivariant"
    assert "the largest at " in report.reason and "Without a shift" not in report.reason


@pytest.mark.parametrize("space", [(4, 4), (4, 6)], ids=str)
def test_circular_convolutions_commute_with_every_shift_and_element_in_float64(space):
    with jax.enable_x64(True):
        x = normal(4, *space, 1, dtype=np.float64)
        network = circular_network(P4, dtype=jnp.float64)
        report = verify.shift_equivariance(network, P4, x)
    assert report.shifts == space[0] * space[1]
    assert report.holds
    assert report.error < 1e-14
    assert report.mixed < 1e-14
    assert report.dtype == "float64"


@pytest.mark.parametrize(
    ("group", "f", "shape"),
    [
        (P4, jnp.square, (3, 4, 6, 2)),
        (P4, jnp.square, (3, 4, 4, 4, 2)),
        (P4, lambda f: f.max(axis=3), (3, 4, 4, 4, 2)),
        (P4, lambda f: f.max(axis=(1, 2)), (3, 4, 4, 4, 2)),
        (P4, lambda x: x.max(axis=(1, 2)), (3, 4, 6, 2)),
        (MIRROR, jnp.square, (3, 5, 2)),
        (groups.p1(3), jnp.square, (2, 2, 3, 4, 2)),
        (P1, jnp.square, (3, 3, 4, 2)),
    ],
    ids=["image", "regular", "scalar", "orbit", "invariant", "line", "space", "shifts alone"],
)
def test_the_output_moves_as_its_kind_does(group, f, shape):
    report = verify.shift_equivariance(f, group, normal(*shape))
    assert report.verdict == "exact"
    assert report.error == report.mixed == 0


def test_the_output_may_be_named():
    def pooled(x):  # [b, h, c], where a line of two pixels has the same shape
        return jnp.max(x, axis=1)

    f = normal(3, 2, 2, 3)
    named = verify.shift_equivariance(pooled, MIRROR, f, act_out=actions.act_on_orbit)
    assert named.verdict == "exact"
    flipped = verify.shift_equivariance(
        jnp.square, MIRROR, normal(3, 5, 2), act_out=lambda group, g, x: x
    )
    assert flipped.verdict == "not equivariant"


def test_pooling_with_a_stride_passes_every_element_and_fails_the_shifts():
    def pooled(x):
        return nn.max_pool(P4, jnp.sin(3 * x), 2, 2).mean(axis=(1, 2))

    x = normal(3, 4, 4, 2)
    report = verify.shift_equivariance(pooled, P4, x)
    assert max(report.unshifted) < 1e-6
    assert min(report.relative) > 0.01
    assert report.mixed > 0.01
    assert all(any(t % 2 for t in s) for s in report.at)
    assert re.search(r"the largest at \w+ and shift \(\d, \d\)\. Without a shift every element "
                     "passes: look for strides and padding$", report.reason)  # fmt: skip
    whole = verify.shift_equivariance(pooled, P4, x, shifts=[(2, 0), (0, -2), (2, 2)])
    assert whole.shifts == 3
    assert whole.verdict == "to rounding"


def test_zero_padding_is_no_torus():
    conv = nn.LiftingConv(P4, 2, 3, 3, padding="SAME", rngs=nnx.Rngs(0))
    report = verify.shift_equivariance(conv, P4, normal(2, 4, 4, 2), shifts=np.array([(1, 0)]))
    assert max(report.unshifted) < 1e-6
    assert report.verdict == "not equivariant"


def test_a_layer_of_another_group_is_rejected():
    conv = nn.LiftingConv(groups.pmm(), 2, 3, 3, padding="CIRCULAR", rngs=nnx.Rngs(0))
    report = verify.shift_equivariance(conv, P4, normal(2, 3, 3, 2))
    assert report.verdict == "not equivariant"
    assert report.relative[0] < 1e-6  # the shifts are not to blame
    assert report.unshifted[1] > 0.1


def test_what_is_shared_in_the_batch_is_seen_when_each_sample_moves_on_its_own():
    report = verify.shift_equivariance(lambda x: x - x.mean(0), P1, normal(4, 3, 4, 2))
    assert max(report.relative) < 1e-6
    assert report.mixed > 0.1
    assert report.verdict == "not equivariant"
    assert "Only samples moved by different elements differ" in report.reason
    alone = verify.shift_equivariance(jnp.square, P1, normal(1, 3, 4, 2))
    assert alone.mixed is None and alone.verdict == "exact"


def test_a_fault_without_a_shift_is_seen_when_the_shifts_leave_it_out():
    x = normal(2, 3, 3, 1)
    first = x[0, 0, 0, 0]

    def f(x):  # breaks at r90 alone, where the corner that is looked at comes from another one
        corner = jnp.rot90(x, -1, (1, 2))[0, 0, 0, 0]
        return jnp.where(corner == first, 2 * x, x)

    report = verify.shift_equivariance(f, P4, x, shifts=[(1, 0)])
    assert report.verdict == "not equivariant"
    assert report.reason.endswith(", without a shift: no shift that was tried shows it")


def test_vacuous_and_broken_outputs_are_named():
    x = normal(3, 3, 4, 2)
    assert verify.shift_equivariance(jnp.zeros_like, P1, x).verdict == "vacuous"
    assert verify.shift_equivariance(jnp.ones_like, P1, x).verdict == "vacuous"
    report = verify.shift_equivariance(lambda x: x / 0, P1, x, shifts=[(1, 1)])
    assert report.verdict == "not equivariant"
    assert report.reason == "f(x) or f(g·x) holds NaN or infinity"


def test_a_shift_report_serialises_to_json_and_prints_as_a_table():
    report = verify.shift_equivariance(weighted, P4, normal(2, 3, 3, 2))
    data = json.loads(json.dumps(report.to_dict()))
    assert data["holds"] is False
    assert data["error"] == report.error
    assert data["at"] == [list(s) for s in report.at]
    lines = str(report).splitlines()
    assert lines[0] == "Group(p4: order 4, dimension 2), circular shifts: 9, float32"
    assert lines[1].split("  ")[0] == "element"
    assert [line.split()[0] for line in lines[3:7]] == list(P4.names)
    assert lines[7].startswith("one per sample")
    assert lines[8] == f"not equivariant: {report.reason}"


def test_the_tolerance_is_that_of_the_coarser_type_or_ones_own():
    x = normal(2, 3, 3, 1, dtype=jnp.bfloat16)
    report = verify.shift_equivariance(lambda x: x.mean(axis=(1, 2)), P1, x)
    assert (report.dtype, report.tolerance) == ("bfloat16", 0.05)
    assert report.holds
    loose = verify.shift_equivariance(weighted, P1, normal(2, 3, 3, 1), tolerance=10.0)
    assert loose.verdict == "to rounding"


# Refusals.

IMAGES = normal(2, 4, 4, 3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: verify.shift_consistency(strided, np.zeros((0, 4, 4, 3))),
            r"x should be a batch \[b, \.\.\., c\] of one sample or more, got \(0, 4, 4, 3\)",
        ),
        (
            lambda: verify.shift_consistency(strided, np.where(IMAGES > 2, np.nan, IMAGES)),
            "x holds NaN or infinity",
        ),
        (
            lambda: verify.shift_consistency(strided, normal(2, 3)),
            r"x of shape \(2, 3\) has no 1 space axes to shift along: images are \[b, \*space, c\]",
        ),
        (lambda: verify.shift_consistency(strided, IMAGES, dim=3), "has no 3 space axes"),
        (
            lambda: verify.shift_consistency(lambda x: strided(x)[:1], IMAGES),
            r"f maps a batch of shape \(2, 4, 4, 3\) to shape \(1, 3\): it should keep the batch",
        ),
        (
            lambda: verify.shift_consistency(lambda x: strided(x) / 0, IMAGES),
            r"f\(x\) holds NaN or infinity: no distance between outputs",
        ),
        (
            lambda: verify.shift_consistency(jnp.square, IMAGES),
            r"to shape \(2, 4, 4, 3\): a classifier returns one number for each of two classes or "
            r"more, \[b, classes\]\. Pool over space and group",
        ),
        (lambda: verify.shift_consistency(lambda x: strided(x)[:, :1], IMAGES), r"\(0, z\) for a"),
        (
            lambda: verify.shift_consistency(strided, IMAGES, [0, 1, 2]),
            r"labels should be 2 integers, one class for each sample, got int64 of shape \(3,\)",
        ),
        (
            lambda: verify.shift_consistency(strided, IMAGES, np.array([0.0, 1.0])),
            r"labels should be 2 integers, .* got float64 of shape \(2,\)",
        ),
        (
            lambda: verify.shift_consistency(strided, IMAGES, [0, 3]),
            "labels range from 0 to 3, and f has 3 classes, from 0 to 2",
        ),
        (
            lambda: verify.shift_consistency(strided, IMAGES, max_shift=0),
            "per_pixel = 1 and max_shift = 0 should be positive integers",
        ),
        (lambda: verify.shift_consistency(strided, IMAGES, per_pixel=0), "per_pixel = 0 and"),
        (
            lambda: verify.shift_consistency(strided, normal(2, 1, 1, 3)),
            "An image of a single pixel leaves no shift to try",
        ),
        (
            lambda: verify.crop_consistency(strided, IMAGES, 5),
            r"Crops of \(5, 5\) pixels from images of \(4, 4\) leave no choice of where to cut",
        ),
        (lambda: verify.crop_consistency(strided, IMAGES, 4), r"Crops of \(4, 4\) pixels from"),
        (lambda: verify.crop_consistency(strided, IMAGES, (3, 0)), r"Crops of \(3, 0\) pixels"),
        (
            lambda: verify.shift_equivariance(jnp.square, P4, np.zeros((0, 4, 4, 1))),
            "x should be a batch",
        ),
        (
            lambda: verify.shift_equivariance(jnp.square, P4, np.full((2, 4, 4, 1), np.inf)),
            "x holds NaN or infinity",
        ),
        (
            lambda: verify.shift_equivariance(lambda x: x[:1], P4, IMAGES),
            "it should keep the batch size 2",
        ),
        (
            lambda: verify.shift_equivariance(jnp.square, P4, normal(2, 4, 4, 3, 2)),
            r"Of shape \(2, 4, 4, 3, 2\), the input is no field of Group\(p4.*a regular field "
            r"\[b, \*space, 4, c\]",
        ),
        (
            lambda: verify.shift_equivariance(lambda x: x[:, ::2, ::2], P1, IMAGES),
            r"f maps \(4, 4\) pixels to \(2, 2\): on another grid, a shift of the input by one "
            r"pixel has no counterpart\. Pool f\(x\) over space, or bring it back to the size of x",
        ),
        (
            lambda: verify.shift_equivariance(
                jnp.square, P1, jnp.tile(normal(2, 2, 4, 1), (2, 1, 1))
            ),
            r"The shift by \(2, 0\) leaves x as it is, which proves nothing about f",
        ),
        (
            lambda: verify.shift_equivariance(jnp.square, P4, IMAGES, shifts=[(1,)]),
            r"shifts should be integers \[n, 2\], one for each space axis, .* shape \(1, 1\)",
        ),
        (
            lambda: verify.shift_equivariance(jnp.square, P4, IMAGES, shifts=[]),
            r"with n of 1 or more; got float64 of shape \(0,\)",
        ),
        (
            lambda: verify.shift_equivariance(jnp.square, P4, IMAGES, shifts=np.array([(0.5, 0)])),
            "shifts should be integers",
        ),
    ],
)
def test_what_would_prove_nothing_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
