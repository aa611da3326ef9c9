"""Layers on skewed lattices: certified for every group, and against loops over a dictionary."""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from hypothesis import event, given, settings

from gcnn import actions, groups, kernels, nn, verify
from gcnn.groups import Group

from .cases import SKEWED
from .test_groups import brute_force_closure, generator_sets

P6 = groups.p6()
HEXAGONAL = {name: SKEWED[name] for name in ("p3", "p3m1", "p31m", "p6", "p6m")}
every_group = pytest.mark.parametrize("group", HEXAGONAL.values(), ids=HEXAGONAL.keys())


def integers(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(-4, 5, shape).astype(np.float32)


def by_offset(x: np.ndarray, group: Group) -> dict[tuple[int, ...], np.ndarray]:
    """The pixels that the group preserves, by their offset from the centre."""
    space = x.shape[: group.dim]
    kept = actions.preserved_pixels(group, space)
    return {tuple((p - np.array(space) // 2).tolist()): x[tuple(p)] for p in np.argwhere(kept)}


def convolved(group: Group, x: np.ndarray, w: np.ndarray, stride: int, out: int) -> np.ndarray:
    """y(p, h, o) = Σ_u Σ_k Σ_i x(s·p + u, k, i) W(h⁻¹u, h⁻¹k, i, o), term by term; k may lack."""
    field, taps = by_offset(x, group), by_offset(w, group)
    empty = np.zeros((*(out,) * group.dim, group.order, w.shape[-1]), np.float32)
    y = by_offset(empty, group)  # views of the pixels of `empty`
    for p, u in itertools.product(y, taps):
        q = tuple(stride * a + b for a, b in zip(p, u, strict=True))
        if q not in field:
            continue
        for h in range(group.order):
            back = group.inverse[h]
            tap = taps[tuple((group.matrices[back] @ np.array(u)).tolist())]
            if tap.ndim == 3:  # slot k of the bank is slot h⁻¹k of the weights
                tap = tap[group.product[back]]
            y[p][h] += np.tensordot(field[q], tap, field[q].ndim)
    return empty


@pytest.mark.parametrize(("name", "stride"), [("p3m1", 1), ("p6", 2), ("fcc", 1)])
def test_convolutions_are_the_sums_over_the_dictionary(name, stride):
    group = SKEWED[name]
    n, out = (5, 3) if stride == 2 else (5, 5)
    for make, slots in ((nn.LiftingConv, ()), (nn.GroupConv, (group.order,))):
        if slots and group.dim == 3:
            continue
        layer = make(group, 2, 2, 3, stride, use_bias=False, rngs=nnx.Rngs(0))
        layer.kernel[...] = jnp.asarray(integers(*layer.kernel.shape, seed=1))
        x = integers(1, *(n,) * group.dim, *slots, 2)
        expected = convolved(group, x[0], np.asarray(layer.kernel[...]), stride, out)
        np.testing.assert_array_equal(layer(jnp.asarray(x))[0], expected)
        other = np.asarray(layer.kernel[...])[::-1]
        assert not np.array_equal(expected, convolved(group, x[0], other, stride, out))


def pooled(group: Group, x: np.ndarray, k: int, stride: int, out: int, reduce) -> np.ndarray:
    """Over the pixels of the dictionary within each window, and the number of its taps."""
    field, window = by_offset(x, group), by_offset(np.ones((k,) * group.dim), group)
    empty = np.zeros((*(out,) * group.dim, x.shape[-1]), np.float32)
    for p, y in by_offset(empty, group).items():
        reach = [tuple(stride * a + b for a, b in zip(p, u, strict=True)) for u in window]
        y[:] = reduce([field[q] for q in reach if q in field], len(window))
    return empty


def test_pooling_takes_the_pixels_of_a_hexagon():
    x = integers(1, 9, 9, 3)
    for k, stride, out in ((3, 2, 5), (5, 1, 9), (3, 4, 3)):
        largest = pooled(P6, x[0], k, stride, out, lambda values, taps: np.max(values, axis=0))
        mean = pooled(P6, x[0], k, stride, out, lambda values, taps: np.sum(values, axis=0) / taps)
        arguments = (jnp.asarray(x), k, stride, "SAME")
        np.testing.assert_array_equal(nn.max_pool(P6, *arguments)[0], largest)
        np.testing.assert_allclose(nn.avg_pool(P6, *arguments)[0], mean, rtol=1e-6)


def layers(group: Group, rngs: nnx.Rngs):
    """Name, layer, side of the input, and whether it takes a regular field."""
    lift, conv = nn.LiftingConv, nn.GroupConv
    yield "lift", lift(group, 2, 2, 3, rngs=rngs), 7, False
    yield "lift, stride", lift(group, 2, 2, 5, 2, rngs=rngs), 9, False
    yield "conv", conv(group, 2, 2, 3, rngs=rngs), 7, True
    yield "valid", conv(group, 2, 2, 3, padding="VALID", rngs=rngs), 9, True
    yield "dilated", conv(group, 2, 2, 3, kernel_dilation=2, rngs=rngs), 7, True
    yield "padded", conv(group, 2, 2, 3, 2, padding=2, rngs=rngs), 7, True
    transposed = nn.GroupConvTranspose(group, 2, 2, 3, 2, padding="VALID", rngs=rngs)
    yield "transposed", transposed, 5, True
    yield "max_pool", lambda x: nn.max_pool(group, x, 3, 2, "SAME"), 9, True
    yield "avg_pool", lambda x: nn.avg_pool(group, x, 3, 1), 7, True
    yield "group pool", nn.GroupPool(group), 5, True
    yield "global mean", lambda x: jnp.round(nn.global_avg_pool(group, x) * 19), 5, True
    if len(group.subgroups) > 2:
        restrict = nn.CosetPool(group, group.subgroups[1])
        spread = nn.CosetUnpool(group, group.subgroups[1])
        yield "cosets", lambda x: spread(restrict(x)), 5, True


@every_group
def test_every_layer_is_exact_with_small_integers(group):
    for name, layer, n, on_group in layers(group, nnx.Rngs(0)):
        slots = (group.order,) if on_group else ()
        report = verify.integer_certificate(layer, group, (4, n, n, *slots, 2))
        assert report.verdict == "exact", f"{name}\n{report}"


def test_the_certificate_rejects_square_kernels_and_corners_that_leak():
    plain = nnx.Conv(2, 2, (3, 3), rngs=nnx.Rngs(0))
    ours = nn.LiftingConv(P6, 2, 2, 3, rngs=nnx.Rngs(0))
    leaks = jax.tree_util.Partial(
        lambda layer, x: layer(x) + jnp.mean(x * (1 + jnp.arange(7)[:, None, None]), (1, 2))[
            :, None, None, None
        ],
        ours,
    )  # fmt: skip
    square_window = lambda x: nn.max_pool(groups.p2(), x, 3, 1, "SAME")  # noqa: E731
    for broken in (plain, leaks, square_window):
        report = verify.integer_certificate(broken, P6, (4, 7, 7, 2))
        assert report.verdict == "not equivariant"


def test_with_gaussian_data_in_float64_what_is_left_is_rounding():
    group = groups.p6m()
    with jax.enable_x64(True):
        layer = nn.GroupConv(group, 2, 2, 3, param_dtype=jnp.float64, rngs=nnx.Rngs(0))
        x = jax.random.normal(jax.random.key(0), (4, 7, 7, 12, 2), jnp.float64)
        report = verify.equivariance(layer, group, x)
    assert report.error < 1e-12


@every_group
def test_corners_neither_matter_nor_come_out(group):
    kept = actions.preserved_pixels(group, (7, 7))[None, :, :, None, None]
    x = integers(2, 7, 7, group.order, 2)
    for name, layer, n, on_group in layers(group, nnx.Rngs(0)):
        if n == 7 and on_group:
            y = np.asarray(layer(jnp.asarray(x)))
            filled = layer(jnp.asarray(np.where(kept, x, 1e6)))
            np.testing.assert_array_equal(y, filled, err_msg=name)
            corners = ~actions.preserved_pixels(group, y.shape[1:3])
            assert not y[:, corners].any()
    for pool in (nn.global_max_pool, nn.global_avg_pool):
        np.testing.assert_array_equal(
            pool(group, jnp.asarray(x)), pool(group, jnp.asarray(np.where(kept, x, 1e6)))
        )


def test_batch_norm_with_the_mask_does_not_see_the_corners():
    norm = nnx.BatchNorm(3, rngs=nnx.Rngs(0))
    x = jax.random.normal(jax.random.key(0), (4, 7, 7, 6, 3))
    kept = actions.preserved_pixels(P6, (7, 7))
    mask = jnp.broadcast_to(kept[None, :, :, None, None], x.shape)
    y = norm(actions.fill_outside(P6, x, (1, 2), 100.0), mask=mask)
    np.testing.assert_allclose(y[:, kept].mean((0, 1, 2)), 0, atol=1e-6)
    report = verify.equivariance(lambda x: norm(x, mask=mask), P6, x)
    assert report.holds


def test_the_fan_in_counts_the_taps_that_exist():
    """5 x 5 weights are 19 taps: lecun_normal draws with variance 1/(19·|H|·i)."""
    layer = nn.GroupConv(P6, 16, 64, 5, rngs=nnx.Rngs(0))
    kept = actions.preserved_pixels(P6, (5, 5))
    w = np.asarray(layer.kernel[...])
    assert not w[~kept].any()
    assert math.isclose(w[kept].var() * 19 * 6 * 16, 1, rel_tol=0.02)  # 116736 draws
    plain = nn.GroupConv(groups.p4(), 16, 64, 5, rngs=nnx.Rngs(0)).kernel[...]
    assert math.isclose(plain.var() * 25 * 4 * 16, 1, rel_tol=0.02)


def test_weights_beside_the_taps_play_no_part_and_get_no_gradient():
    group = groups.p3m1()
    w = jnp.asarray(integers(3, 3, 6, 1, 1))
    kept = actions.preserved_pixels(group, (3, 3))[..., None, None, None]
    bank = kernels.group_bank(group, w)
    np.testing.assert_array_equal(bank, kernels.group_bank(group, jnp.where(kept, w, jnp.nan)))
    gradient = jax.jit(jax.grad(lambda w: jnp.sum(kernels.group_bank(group, w) ** 2)))
    compiled = gradient.lower(w).compile()
    np.testing.assert_array_equal(compiled(w), 2 * 6 * w * kept)
    assert "scatter(" not in compiled.as_text()


REFUSED = {
    "even kernel": (
        lambda: nn.LiftingConv(P6, 1, 1, 4, rngs=nnx.Rngs(0)),
        r"LiftingConv: a window of sides \(4, 4\) .* r60 of .* must be odd and equal: use 5 along",
    ),
    "even window": (
        lambda: nn.max_pool(P6, jnp.ones((1, 7, 7, 1)), 2),
        r"max_pool: a window of sides \(2, 2\) .* use 3 along each",
    ),
    "even image": (
        lambda: nn.LiftingConv(P6, 1, 1, 3, rngs=nnx.Rngs(0))(jnp.ones((1, 8, 8, 1))),
        r"LiftingConv: an input of sides \(8, 8\) .* r60 of .* use 9 along each",
    ),
    "even output": (
        lambda: nn.LiftingConv(P6, 1, 1, 3, 2, rngs=nnx.Rngs(0))(jnp.ones((1, 7, 7, 1))),
        r"LiftingConv: 7 pixels along axis 0 with stride 2 give 4 outputs, and it must be an odd "
        r"number: the element r60 of .* Use 9 pixels or padding \(2, 2\)",
    ),
    "even output, inexact": (
        lambda: nn.max_pool(P6, jnp.ones((1, 7, 7, 1)), 3, 2, "SAME", allow_inexact=True),
        r"max_pool: 7 pixels along axis 0 with stride 2 give 4 outputs",
    ),
    "not centred": (
        lambda: nn.max_pool(P6, jnp.ones((1, 9, 9, 1)), 3, 4),
        r"max_pool would not commute with the element r60 .* on 9 pixels \(axis 0\) is not centred"
        r".*Use size 1 or 11 pixels or padding \(1, 1\)",
    ),
    "circular": (
        lambda: nn.GroupConv(P6, 1, 1, 3, padding="CIRCULAR", rngs=nnx.Rngs(0)),
        r"GroupConv: padding CIRCULAR continues a rectangle, and Group\(p6.* preserves none: the "
        r"element r60 skews its axes\. Use SAME, VALID or explicit padding",
    ),
    "unequal strides": (
        lambda: nn.GroupConv(P6, 1, 1, 3, (1, 2), rngs=nnx.Rngs(0)),
        r"GroupConv: strides \(1, 2\) differs along axes 0 and 1",
    ),
    "blur": (
        lambda: nn.BlurPool(P6),
        r"BlurPool works along one axis at a time, .* r60 of .* skews axis 0\. Use avg_pool with "
        r"an odd window",
    ),
    "max and blur": (lambda: nn.MaxBlurPool(P6, allow_inexact=True), "MaxBlurPool works along"),
    "polyphase": (
        lambda: nn.PolyphasePool(P6),
        r"PolyphasePool works along one axis .* Use a strided GroupConv with an odd kernel",
    ),
    "unsample": (
        lambda: nn.polyphase_unsample(P6, jnp.ones((1, 3, 3, 1)), jnp.ones((1, 2, 2))),
        "polyphase_unsample works along one axis",
    ),
    "kernel": (
        lambda: kernels.check_kernel_size(P6, (3, 5)),
        r"A kernel of sides \(3, 5\) .* use 5 along each",
    ),
}


@pytest.mark.parametrize(("build", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_what_has_no_hexagon_is_refused_with_the_element_and_a_remedy(build, message):
    with pytest.raises(ValueError, match=message):
        build()


@settings(max_examples=15)
@given(generator_sets)
def test_layers_of_every_group_of_integer_matrices_are_exact(generators):
    if brute_force_closure(generators) is None:
        event("no group")
        return
    group = Group.from_generators(generators)
    if group.order > 12:
        event("large")
        return
    event(f"d = {group.dim}, order {group.order}, skewed {len(actions.skewed_axes(group))}")
    image = (4, *(5,) * group.dim, 1)
    field = (*image[:-1], group.order, 1)
    lift = nn.LiftingConv(group, 1, 1, 3, rngs=nnx.Rngs(0))
    conv = nn.GroupConv(group, 1, 1, 3, rngs=nnx.Rngs(0))
    assert verify.group_laws(group).holds
    assert verify.integer_certificate(lift, group, image).verdict == "exact"
    assert verify.integer_certificate(conv, group, field).verdict == "exact"
    pool = verify.integer_certificate(lambda x: nn.max_pool(group, x, 3, 1, "SAME"), group, field)
    assert pool.verdict == "exact"
