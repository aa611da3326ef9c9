"""Masks that move with the image, masks that do not, and how far apart two masks are."""

import json
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from gcnn import actions, groups, nn, verify

P1, P2, P4, P4M = groups.p1(), groups.p2(), groups.p4(), groups.p4m()


def normal(*shape: int, dtype=np.float32) -> np.ndarray:
    return np.random.default_rng(0).normal(size=shape).astype(dtype)


def square(side: int, width: int, down: int = 2, right: int = 2) -> np.ndarray:
    """A square of this width in an image of this side: [1, y, x, 1]."""
    mask = np.zeros((1, side, side, 1), bool)
    mask[:, down : down + width, right : right + width] = True
    return mask


def frame_iou(w: int, s: int, d: int) -> float:
    """Boundary IoU of a square of width w and of itself, moved by s ≤ d along an axis."""
    frame = w**2 - (w - 2 * d) ** 2
    both = w * (w - s) - (w - 2 * d) * (w - 2 * d + s)
    return both / (2 * frame - both)


# Two masks.


@pytest.mark.parametrize("s", [0, 1, 2, 5])
@pytest.mark.parametrize("w", [5, 8])
def test_overlap_of_a_shifted_square(w, s):
    a, b = square(16, w), square(16, w, right=2 + s)
    assert verify.mask_iou(a, b).tolist() == [(w - s) / (w + s)]
    assert verify.mask_iou(b, a).tolist() == verify.mask_iou(a, b).tolist()
    assert verify.mask_iou(jnp.asarray(a), jnp.asarray(b)).tolist() == [(w - s) / (w + s)]


@pytest.mark.parametrize(("w", "s", "d"), [(8, 1, 1), (8, 1, 2), (8, 2, 2), (9, 2, 3)])
def test_overlap_of_the_boundary_of_a_shifted_square(w, s, d):
    a, b = square(16, w), square(16, w, right=2 + s)
    expected = frame_iou(w, s, d)
    assert verify.boundary_iou(a, b, d) == pytest.approx([expected], abs=1e-15)
    assert expected < verify.mask_iou(a, b)[0]  # it is the stricter one
    if d == 1:
        assert expected == 1 / 3  # whatever the width


def test_a_wide_band_is_the_whole_mask():
    a, b = square(16, 6), square(16, 6, right=4)
    assert verify.boundary_iou(a, b, 3).tolist() == verify.mask_iou(a, b).tolist()


def test_the_band_lies_inside_the_mask_and_along_the_border_of_the_image():
    mask = square(12, 8)
    for width in (1, 2, 3):
        band = verify.boundary_band(mask, width)
        assert band.sum() == 64 - (8 - 2 * width) ** 2
        assert not (band & ~mask).any()
        full = verify.boundary_band(np.ones((1, 6, 9, 2), bool), width)
        assert full.sum() == 2 * (54 - (6 - 2 * width) * (9 - 2 * width))


def test_the_boundary_sees_a_small_error_of_a_large_mask():
    large, small = square(64, 60), square(64, 10)
    moved, moved_small = np.roll(large, 1, axis=2), np.roll(small, 1, axis=2)
    assert verify.mask_iou(large, moved)[0] > 0.96 > verify.mask_iou(small, moved_small)[0]
    assert verify.boundary_iou(large, moved)[0] == verify.boundary_iou(small, moved_small)[0]


def test_distance_of_two_points_and_of_two_lines():
    point = square(16, 1)
    far = np.roll(point, (3, 4), axis=(1, 2))
    assert verify.surface_distance(point, far).tolist() == [5.0]
    line = np.zeros((1, 12, 12, 1), bool)
    line[:, 2:9, 3] = True
    assert verify.surface_distance(line, np.roll(line, 4, axis=2)).tolist() == [4.0]
    assert verify.surface_distance(line, line).tolist() == [0.0]


def test_distances_are_those_of_all_pairs_of_points():
    rng = np.random.default_rng(1)
    a, b = (np.kron(rng.random((3, 4, 5, 2)) < 0.4, np.ones((1, 3, 3, 1))) > 0 for _ in range(2))
    for i, found in enumerate(verify.surface_distance(a, b)):
        means = []
        for c in range(2):
            p, q = (np.argwhere(verify.boundary_band(m)[i, ..., c]) for m in (a, b))
            pairs = np.linalg.norm(p[:, None] - q[None], axis=-1)
            means.append(np.concatenate([pairs.min(axis=1), pairs.min(axis=0)]).mean())
        assert found == pytest.approx(np.mean(means), rel=1e-12)


def test_empty_masks_agree_and_one_empty_mask_is_as_far_as_can_be():
    empty, mask = np.zeros((1, 6, 8, 1), bool), np.ones((1, 6, 8, 1), bool)
    assert verify.mask_iou(empty, empty) == verify.boundary_iou(empty, empty) == 1
    assert verify.surface_distance(empty, empty) == 0
    assert verify.mask_iou(empty, mask) == verify.boundary_iou(empty, mask) == 0
    assert verify.surface_distance(empty, mask) == verify.surface_distance(mask, empty) == 10


def test_classes_that_occur_count_alike():
    a, b = square(16, 4), square(16, 4, right=3)
    both = [np.concatenate([m, square(16, 9), square(16, 9) & False], axis=-1) for m in (a, b)]
    assert verify.mask_iou(*both) == pytest.approx([(3 / 5 + 1) / 2])
    assert verify.surface_distance(*both) == pytest.approx(verify.surface_distance(a, b) / 2)


def test_masks_that_do_not_fit_are_refused():
    for compare in (verify.mask_iou, verify.boundary_iou, verify.surface_distance):
        with pytest.raises(ValueError, match=r"shapes \(1, 8, 8, 1\) and \(1, 8, 8, 2\) cannot be"):
            compare(square(8, 2), np.repeat(square(8, 2), 2, axis=-1))
    with pytest.raises(ValueError, match="width of a boundary is 1 pixel or more, got 0"):
        verify.boundary_band(square(8, 2), 0)


# What moves with the image.


def above(x):
    return x - 0.2


def ramped(x):
    """Columns count differently."""
    return x - 0.1 * jnp.arange(x.shape[2])[:, None]


def fixed_square(x):
    """A mask that stays where it is, whatever the image."""
    return jnp.broadcast_to(jnp.where(square(x.shape[1], 6), 1.0, -1.0), x.shape).astype(x.dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_pointwise_mask_follows_every_shift_and_every_element_exactly(dtype):
    x = normal(3, 8, 8, 1, dtype=dtype)
    with jax.enable_x64(dtype == np.float64):
        report = verify.segmentation_equivariance(above, x, shifts="all", group=P4M)
    shifts, elements = report.rows
    assert report.holds and report.dtype == np.dtype(dtype).name
    assert len(shifts.names) == 65 and shifts.names[-1] == "one per sample"
    assert elements.names == (*P4M.names, "one per sample")
    for row in report.rows:
        assert row.verdict == "exact" and row.reason == "every difference is 0" and row.exact
        assert set(row.iou) == set(row.boundary_iou) == set(row.agreement) == {1.0}
        assert row.pooled_iou == row.worst_iou == row.worst_boundary_iou == 1
        assert set(row.distance) == set(row.error) == {0.0}
        assert row.empty == 0 and row.floor_iou is row.floor_boundary_iou is row.truth_iou is None


@pytest.mark.parametrize("s", [1, 2])
def test_a_mask_that_stays_differs_from_the_moved_one_as_squares_do(s):
    report = verify.segmentation_equivariance(
        fixed_square, normal(2, 20, 20, 1), shifts=[(0, s), (-s, 0)], boundary_width=2
    )
    (row,) = report.rows
    assert row.names == (f"(0, {s})", f"({-s}, 0)", "one per sample")
    assert set(row.iou) == {(6 - s) / (6 + s)}
    assert row.worst_iou == row.pooled_iou == (6 - s) / (6 + s)
    assert row.boundary_iou == pytest.approx([frame_iou(6, s, 2)] * 3)
    assert row.worst_boundary_iou == min(row.boundary_iou)
    assert row.agreement == pytest.approx([1 - 2 * 6 * s / 400] * 3)
    assert row.error == pytest.approx([math.sqrt(4 * 12 * s / 400)] * 3)
    far = verify.surface_distance(square(20, 6), square(20, 6, right=2 + s))
    assert row.distance == pytest.approx([float(far[0])] * 3)
    assert row.verdict == "not equivariant" and not report.holds
    assert report.foreground == (36 / 400,)


def test_a_roll_by_a_constant_commutes_with_shifts_and_not_with_turns():
    report = verify.segmentation_equivariance(
        lambda x: jnp.roll(above(x), 1, axis=2), normal(2, 6, 6, 1), shifts="all", group=P4
    )
    assert report.row("circular shifts").verdict == "exact"
    turned = report.row("p4")
    assert turned.verdict == "not equivariant"
    assert turned.iou[0] == 1 and turned.worst_iou < 0.5
    assert not report.holds
    with pytest.raises(ValueError, match=r"No row 'p6': there are \['circular shifts', 'p4'\]"):
        report.row("p6")


def test_where_columns_count_differently_the_mask_stays_behind():
    x = normal(4, 9, 9, 1)
    report = verify.segmentation_equivariance(ramped, x, shifts=[(0, 0), (3, 0), (0, 3)], group=P2)
    row = report.row("circular shifts")
    assert row.iou[:2] == (1.0, 1.0)  # along the columns, nothing changes
    assert row.iou[2] < 0.9
    assert row.worst_iou <= row.iou[2] and row.worst_at in ("(0, 3)", "one per sample")
    assert row.reason.startswith("relative error ")
    assert report.row("p2").iou[1] < 0.9


def test_masks_may_agree_where_the_logits_do_not():
    def scaled(x):
        return above(x) * (1.0 + jnp.arange(x.shape[2])[:, None])

    (row,) = verify.segmentation_equivariance(scaled, normal(2, 6, 6, 1), group=P4).rows
    assert row.worst_iou == 1
    assert row.verdict == "not equivariant"
    assert row.reason.endswith(", though the masks agree")


def test_elements_after_shifts():
    x = normal(2, 4, 4, 1)
    report = verify.segmentation_equivariance(
        above, x, shifts=[(0, 1), (2, 3)], group=P4, jointly=True
    )
    row = report.row("circular shifts × p4")
    assert row.names[:2] == ("e after (0, 1)", "r90 after (0, 1)") and len(row.names) == 9
    assert row.verdict == "exact"
    # pooling in tiles of 2 x 2 commutes with the elements, but not after a shift by a pixel
    tiles = nn.max_pool

    def coarse(x):
        return jnp.repeat(jnp.repeat(tiles(P4, above(x), 2, 2), 2, axis=1), 2, axis=2)

    report = verify.segmentation_equivariance(coarse, x, shifts=[(0, 1)], group=P4, jointly=True)
    verdicts = [row.verdict for row in report.rows]
    assert verdicts == ["not equivariant", "exact", "not equivariant"]


def test_what_is_shared_in_the_batch_is_seen_where_each_sample_has_a_move_of_its_own():
    def centred(x):  # by the mean image of the batch, which moves along if all move alike
        return x - jnp.mean(x, axis=0, keepdims=True)

    (row,) = verify.segmentation_equivariance(centred, normal(4, 6, 6, 1), group=P4).rows
    assert row.iou[:4] == (1.0,) * 4
    assert row.iou[4] < 0.9
    assert row.worst_at == "one per sample"
    (row,) = verify.segmentation_equivariance(centred, normal(1, 6, 6, 1) + 1, group=P4).rows
    assert row.names == P4.names  # of one sample


def test_images_need_not_be_square():
    x = normal(3, 4, 6, 1)
    report = verify.segmentation_equivariance(above, x, shifts="all", group=P4)
    assert report.holds
    assert [len(row.names) for row in report.rows] == [25, 5]
    assert not verify.segmentation_equivariance(ramped, x, group=P4).holds


def test_several_channels_are_classes():
    x = normal(2, 6, 6, 3)
    report = verify.segmentation_equivariance(lambda x: x, x, shifts="all", group=P4)
    assert report.holds and len(report.foreground) == 3
    assert sum(report.foreground) == pytest.approx(1)
    (row,) = verify.segmentation_equivariance(ramped, x, shifts=[(0, 2)]).rows
    assert row.iou[0] == 1  # the same is added to every class
    (row,) = verify.segmentation_equivariance(
        lambda x: x * (1 + jnp.arange(6.0)[:, None] * jnp.arange(3)), x, shifts=[(0, 2)]
    ).rows
    assert row.iou[0] < 1 and row.agreement[0] < 1


def test_masks_and_probabilities_have_a_threshold_of_their_own():
    x = normal(2, 8, 8, 1)
    logits, masks, probabilities = (
        verify.segmentation_equivariance(f, x, shifts=[(0, 1)], angles=[30], threshold=t)
        for f, t in (
            (above, 0.0),
            (lambda x: above(x) > 0, 0.0),
            (lambda x: jax.nn.sigmoid(above(x)), 0.5),
        )
    )
    assert logits.foreground == masks.foreground == probabilities.foreground
    assert masks.holds and probabilities.holds
    assert masks.rows[1].floor_iou[0] < 1
    wrong = verify.segmentation_equivariance(lambda x: jax.nn.sigmoid(x), x, shifts=[(0, 1)])
    assert wrong.foreground == (1.0,) and wrong.rows[0].verdict == "vacuous"


@pytest.mark.parametrize(
    ("f", "reason"),
    [
        (lambda x: x * 0 - 1, "f(x) finds nothing in every sample, which moves with everything"),
        (
            lambda x: x * 0 + 1,
            "f(x) finds every pixel in every sample, which moves with everything",
        ),
        (
            lambda x: x * 0 + jnp.where(square(8, 4), 1.0, -1.0),
            "f(x) finds the same in every sample: it does not depend on x",
        ),
    ],
    ids=["nothing", "everything", "the same"],
)
def test_what_does_not_look_is_vacuous(f, reason):
    report = verify.segmentation_equivariance(f, normal(2, 8, 8, 1), group=P4, angles=[20])
    for row in report.rows:
        assert row.verdict == "vacuous" and row.reason == reason
    assert report.row("p4").worst_iou == 1
    assert not report.holds


def test_samples_without_a_mask_are_counted():
    x = np.concatenate([normal(1, 6, 6, 1), np.linspace(-9, -1, 36).reshape(1, 6, 6, 1)])
    (row,) = verify.segmentation_equivariance(above, x.astype(np.float32), shifts=[(0, 1)]).rows
    assert row.empty == 0.5 and row.verdict == "exact"


# What interpolates.


def blob(side: int = 24) -> np.ndarray:
    """Two smooth bumps off the centre, inside the inscribed disc: [2, y, x, 1]."""
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    bumps = [np.exp(-((y - a) ** 2 + (x - b) ** 2) / 18) for a, b in ((2, 3), (-4, 1))]
    return np.stack(bumps)[..., None].astype(np.float32)


def test_a_pointwise_mask_follows_what_interpolates_too():
    displacement = actions.max_entropy_displacement(
        jax.random.key(0), 24, 3, actions.temperature_of(1.0, 24, cut=3), (2,)
    )
    report = verify.segmentation_equivariance(
        lambda x: 5 * (x - 0.5),
        blob(),
        fractional_shifts=[(0.5, 0.25), (1, 0)],
        angles=[30, 90],
        warps=displacement,
    )
    assert [row.moves for row in report.rows] == ["fractional shifts", "rotations", "warps"]
    for row in report.rows:
        assert row.verdict == "interpolated" and not row.exact
        assert (
            row.reason.startswith("mean IoU 1.000, of interpolation alone 0.9")
            or min(row.floor_iou) == 1
        )
        assert row.worst_iou == 1 and max(row.error) < 1e-5  # affine f commute with weights
        assert 0.85 < min(row.floor_iou)
        assert len(row.floor_boundary_iou) == len(row.names)
    assert report.row("fractional shifts").names == ("(0.5, 0.25)", "(1, 0)")
    assert report.row("rotations").names == ("30°", "90°")
    assert report.row("rotations").floor_iou[1] == 1  # a quarter turn does not interpolate
    assert report.row("warps").names == ("warp 1", "warp 2")
    assert not report.holds  # nothing exact was tried


def test_a_mask_that_stays_is_below_the_floor():
    def stays(x):
        return x * 0 + jnp.where(square(24, 8, 4, 12), 1.0, -1.0) + 1e-3 * x

    d = np.broadcast_to(np.float32([0, 2]), (1, 24, 24, 2))
    report = verify.segmentation_equivariance(
        stays, blob(), fractional_shifts=[(0.5, 2)], angles=[30], warps=d
    )
    for row in report.rows:
        assert row.worst_iou < 0.75 < min(row.floor_iou)
    # a warp that moves everything by two columns is a shift, away from the border
    assert report.row("warps").iou[0] == (8 - 2) / (8 + 2)


def test_a_warp_of_its_own_for_each_sample_and_one_for_all():
    d = np.zeros((1, 2, 24, 24, 2), np.float32)
    d[:, 1] = [0, 1]
    (row,) = verify.segmentation_equivariance(lambda x: x - 0.5, blob(), warps=d).rows
    assert row.iou == row.floor_iou == (1.0,)
    (row,) = verify.segmentation_equivariance(lambda x: x - 0.5, blob(), warps=d[:, 1]).rows
    assert row.iou == row.floor_iou == (1.0,)


def test_a_warp_is_undone_but_for_the_interpolation():
    d = actions.max_entropy_displacement(
        jax.random.key(1), 64, 3, actions.temperature_of(4.0, 64, cut=3)
    )
    large = np.tanh(blob(64) - 0.5)
    (row,) = verify.segmentation_equivariance(lambda x: x, large, warps=d[None]).rows
    assert min(row.floor_iou) > 0.95
    y = actions.warp_interpolated(actions.warp_interpolated(jnp.asarray(large), d), -d)
    wrong = verify.mask_iou(np.asarray(y) > 0, large > 0).mean()  # undone by -d: too far
    assert wrong < min(row.floor_iou)


def test_rotations_are_judged_on_the_disc():
    corner = np.zeros((24, 24, 1), np.float32)
    corner[:4, :4] = 1

    def f(x):
        return x - 0.5 + corner

    (row,) = verify.segmentation_equivariance(f, blob(), angles=[30]).rows
    assert row.iou == (1.0,)  # the corners are outside
    assert not verify.segmentation_equivariance(f, blob(), group=P2).holds


def test_what_turns_out_of_the_image_is_not_shown():
    corner = np.zeros((24, 24, 1), np.float32)
    corner[:4, :4] = 1

    def spread(x):  # from anywhere to everywhere
        return x - 0.5 + jnp.max(x, axis=(1, 2), keepdims=True) - 0.98

    plain, cornered = (
        verify.segmentation_equivariance(spread, x, angles=[30, 90])
        for x in (blob(), blob() + 9 * corner)
    )
    assert plain.rows == cornered.rows
    assert min(plain.rows[0].iou) > 0.9


# Against the truth.


def test_the_truth_moves_along():
    x = blob()
    truth = x > 0.5
    report = verify.segmentation_equivariance(
        lambda x: x - 0.5, x, shifts=[(5, 0), (0, 7)], group=P4, angles=[25], truth=truth
    )
    assert report.truth_iou == 1
    assert set(report.row("circular shifts").truth_iou) == set(report.row("p4").truth_iou) == {1.0}
    assert 0.75 < report.row("rotations").truth_iou[0] < 1  # the truth is interpolated as a mask
    ramp = verify.segmentation_equivariance(ramped, x, shifts=[(5, 0), (0, 7)], truth=truth)
    low, high = (op(ramp.rows[0].truth_iou) for op in (min, max))
    assert low < high < 1
    assert f"truth ({ramp.truth_iou:.3f})" in str(ramp)
    assert f"{low:.3f} to {high:.3f}" in str(ramp)


# Networks.


class Net(nnx.Module):
    """Lift, convolve, pool over the group: [b, y, x, 1] to [b, y, x, 1]."""

    def __init__(self, padding: str):
        rngs = nnx.Rngs(0)
        self.lift = nn.LiftingConv(P4, 1, 3, 3, padding=padding, rngs=rngs)
        self.conv = nn.GroupConv(P4, 3, 1, 3, padding=padding, rngs=rngs)
        self.pool = nn.GroupPool(P4, jnp.mean)

    def __call__(self, x):
        return self.pool(self.conv(nnx.relu(self.lift(x)))) - 0.1


def test_a_network_is_taken_as_it_is():
    x = normal(2, 8, 8, 1)
    report = verify.segmentation_equivariance(Net("CIRCULAR"), x, shifts="all", group=P4)
    assert report.holds
    assert max(max(row.error) for row in report.rows) < 1e-6
    padded = verify.segmentation_equivariance(Net("SAME"), x, shifts=[(3, 3)], group=P4)
    assert padded.row("circular shifts").verdict == "not equivariant"
    assert padded.row("p4").verdict in ("exact", "to rounding")


# The report.


def test_a_report_serialises_to_json_and_prints_as_a_table():
    report = verify.segmentation_equivariance(
        ramped,
        normal(2, 8, 8, 1),
        shifts=[(0, 1), (0, 2)],
        angles=[30],
        truth=normal(2, 8, 8, 1) > 0,
    )
    data = json.loads(json.dumps(report.to_dict()))
    assert data["holds"] is False
    assert data["rows"][0]["moves"] == "circular shifts"
    assert data["rows"][0]["iou"] == list(report.rows[0].iou)
    assert data["rows"][0]["floor_iou"] is None
    lines = str(report).splitlines()
    assert lines[0].startswith("float32, foreground ") and lines[0].endswith("boundary 1 px")
    assert lines[1].split()[:4] == ["moves", "count", "IoU", "worst"]
    assert lines[3].startswith("circular shifts  3") and lines[4].startswith("rotations")
    assert lines[5] == f"circular shifts: not equivariant, {report.rows[0].reason}"


def test_the_boundary_is_as_wide_as_the_paper_has_it():
    for side, width in ((16, 1), (64, 2), (128, 4)):
        report = verify.segmentation_equivariance(above, normal(1, side, side, 1), shifts=[(0, 1)])
        assert report.boundary_width == width


def test_a_tolerance_of_ones_own_decides():
    x = normal(2, 6, 6, 1)
    loose = verify.segmentation_equivariance(ramped, x, shifts=[(0, 1)], tolerance=9.0)
    assert loose.rows[0].verdict == "to rounding" and loose.tolerance == 9
    low = verify.segmentation_equivariance(above, x.astype(jnp.bfloat16), shifts=[(0, 1)])
    assert low.dtype == "bfloat16" and low.tolerance == 0.05 and low.holds


# What is refused.


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.zeros((0, 8, 8, 1), np.float32), "batch .* of one sample or more"),
        (np.full((1, 8, 8, 1), np.nan, np.float32), "x holds NaN or infinity"),
        (np.zeros((1, 8, 8, 1), np.uint8), "x should be of a floating type, got uint8"),
        (normal(2, 8, 3), r"x should be images \[b, y, x, c\], .*got shape \(2, 8, 3\)"),
        (np.ones((2, 8, 8, 1), np.float32), r"The move \(0, 1\) leaves x as it is"),
    ],
    ids=["empty", "NaN", "integers", "no image", "constant"],
)
def test_bad_images_are_refused(x, message):
    with pytest.raises(ValueError, match=message):
        verify.segmentation_equivariance(above, x, shifts=[(0, 0), (0, 1)])


@pytest.mark.parametrize(
    ("f", "message"),
    [
        (lambda x: x[:1], r"keep the batch size 2"),
        (lambda x: x[:, ::2, ::2], r"to shape \(2, 4, 4, 1\): a segmentation should be"),
        (lambda x: x.mean(axis=-1), r"to shape \(2, 8, 8\): a segmentation should be"),
        (lambda x: (x > 0).astype(jnp.int32), "logits or boolean masks, got type int32"),
        (lambda x: x / 0, "f returns NaN or infinity, which is in no mask"),
    ],
    ids=["batch", "size", "rank", "type", "NaN"],
)
def test_bad_callables_are_refused(f, message):
    with pytest.raises(ValueError, match=message):
        verify.segmentation_equivariance(f, normal(2, 8, 8, 1), shifts=[(0, 1)])


@pytest.mark.parametrize(
    ("moves", "message"),
    [
        ({}, "No moves: give shifts, group, fractional_shifts, angles or warps"),
        ({"shifts": []}, "No moves"),
        ({"shifts": "some"}, "whole pixels or \"all\", got 'some'"),
        ({"shifts": [(0.5, 1)]}, "whole pixels, got type float64. fractional_shifts"),
        ({"shifts": [1, 2]}, r"shifts should be pairs \(rows, columns\) in pixels, got shape \(2,"),
        ({"fractional_shifts": [(1, 2, 3)]}, r"fractional_shifts should be pairs .* \(1, 3\)"),
        ({"angles": [30, np.nan]}, "angles should be one number of degrees or more"),
        ({"shifts": [(0, 1)], "jointly": True}, "jointly needs both shifts and a group"),
        ({"group": P4, "jointly": True}, "jointly needs both shifts and a group"),
        ({"warps": np.zeros((8, 8, 2))}, r"warps should be displacement .* n = 8 of shape \(8, 2"),
        ({"warps": np.zeros((1, 9, 8, 2))}, "displacement of images of shape"),
        ({"shifts": [(0, 1)], "boundary_width": -1}, "width of a boundary is 1 pixel or more"),
        (
            {"shifts": [(0, 1)], "truth": np.zeros((2, 8, 8), bool)},
            r"truth should be boolean masks of the shape \(2, 8, 8, 1\).*got bool of shape \(2, 8,",
        ),
        ({"shifts": [(0, 1)], "truth": np.zeros((2, 8, 8, 1))}, "boolean masks .* got float64"),
    ],
)
def test_bad_moves_are_refused(moves, message):
    with pytest.raises(ValueError, match=message):
        verify.segmentation_equivariance(above, normal(2, 8, 8, 1), **moves)


def test_only_the_identity_may_leave_an_image_as_it_is():
    x = np.repeat(normal(2, 8, 1, 1), 8, axis=2)  # the same in every column
    assert verify.segmentation_equivariance(above, x, group=P1, shifts=[(0, 0), (1, 0)]).holds
    with pytest.raises(ValueError, match=r"The move \(0, 3\) leaves x as it is, which proves"):
        verify.segmentation_equivariance(above, x, shifts=[(0, 3)])
