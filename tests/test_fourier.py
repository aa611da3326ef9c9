"""A group convolution in the Fourier basis of H: the same numbers as with a bank, and no others."""

import math
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from gcnn import groups, kernels, nn, verify
from gcnn.kernels import (
    _fourier,
    _transform,
    block_products,
    cheaper_evaluation,
    fourier_convolution,
)

from .cases import GROUPS, QUATERNIONS, SKEWED

# kernel size, stride, zeros (lo, hi), dilation
WINDOWS = {
    "3": (3, 1, (1, 1), 1),
    "1": (1, 1, (0, 0), 1),
    "even": (2, 1, (0, 1), 1),
    "stride": (3, 2, (1, 0), 1),
    "dilation": (3, 1, (2, 2), 2),
    "all": (2, 2, (2, 1), 2),
}
TESTED = {k: GROUPS[k] for k in ("p1", "pm", "cmm", "p4", "p4m", "mirror", "quarter", "O")}
TESTED |= {"p3m1": groups.p3m1(), "p6": groups.p6(), "Q8": QUATERNIONS["Q8"]}
CASES = [
    pytest.param(group, window, id=f"{name}-{window}")
    for name, group in TESTED.items()
    for window in (WINDOWS if group.dim < 4 else ("even",))
    if group.dim < 3 or window in ("3", "even", "all")
    if name not in ("p3m1", "p6") or window in ("1", "3", "stride", "dilation")  # odd sizes
]


def made(group, k: int, side: int, channels=(3, 2), dtype=None):
    rng = np.random.default_rng(k)
    x = rng.standard_normal((2, *(side,) * group.dim, group.order, channels[0]))
    w = rng.standard_normal((*(k,) * group.dim, group.order, *channels))
    return jnp.asarray(x, dtype), jnp.asarray(w, dtype)


def with_a_bank(group, x, w, strides, pads, dilation):
    d = group.dim
    bank = kernels.group_bank(group, w)
    image = (0, d + 1, *range(1, d + 1))
    y = jax.lax.conv_general_dilated(
        x.reshape(*x.shape[: d + 1], -1),
        bank.reshape(*bank.shape[:d], math.prod(x.shape[-2:]), -1),
        strides,
        pads,
        rhs_dilation=dilation,
        dimension_numbers=jax.lax.ConvDimensionNumbers(image, (d + 1, d, *range(d)), image),
    )
    return y.reshape(*y.shape[:-1], group.order, w.shape[-1])


def distance(a, b) -> float:
    assert a.shape == b.shape
    return float(jnp.abs(a - b).max() / jnp.abs(b).max())


def arguments(group, window: str):
    k, s, pads, dilation = WINDOWS[window]
    d = group.dim
    return k, ((s,) * d, (pads,) * d, (dilation,) * d)


@pytest.mark.parametrize(("group", "window"), CASES)
def test_the_numbers_are_those_of_a_convolution_with_the_bank(group, window):
    k, rest = arguments(group, window)
    with jax.enable_x64(True):
        x, w = made(group, k, side={1: 9, 2: 7, 3: 5, 4: 3}[group.dim])
        ours = fourier_convolution(group, x, w, *rest)
        assert distance(ours, with_a_bank(group, x, w, *rest)) < 1e-14


@pytest.mark.parametrize("name", ["p4", "p6"])  # nine taps, and seven
def test_a_loop_of_several_taps_a_step_has_the_same_numbers(monkeypatch, name):
    group = TESTED[name]
    k, rest = arguments(group, "3")
    with jax.enable_x64(True):
        x, w = made(group, k, 7)

        def steps() -> int:
            found = jax.make_jaxpr(lambda x, w: fourier_convolution(group, x, w, *rest))(x, w)
            return int(re.search(r"unroll=(\d+)", str(found))[1])

        expected = with_a_bank(group, x, w, *rest)
        assert steps() == 1
        monkeypatch.setattr(_fourier, "_FEW_PIXELS", 98)
        jax.clear_caches()
        assert steps() == 3
        assert distance(fourier_convolution(group, x, w, *rest), expected) < 1e-14


def test_patches_that_are_not_turned_are_found_out(monkeypatch):
    group = groups.p4()
    _, rest = arguments(group, "3")
    x, w = made(group, 3, 7)
    turned = _fourier._offsets
    monkeypatch.setattr(_fourier, "_offsets", lambda group, k, size: turned(group, 0, size))
    wrong = fourier_convolution(group, x, w, *rest)
    assert distance(wrong, with_a_bank(group, x, w, *rest)) > 0.1


@pytest.mark.parametrize("name", ["p4", "p4m", "quarter"])
def test_derivatives_are_those_of_a_convolution_with_the_bank(name):
    group = GROUPS[name]
    _, rest = arguments(group, "all")
    with jax.enable_x64(True):
        x, w = made(group, 2, 6 if group.dim == 2 else 4)

        def both(f):
            y, back = jax.vjp(lambda x, w: f(group, x, w, *rest), x, w)
            _, forth = jax.jvp(lambda x, w: f(group, x, w, *rest), (x, w), (x[::-1], w[::-1]))
            twice = jax.vmap(lambda x: f(group, x, w, *rest))(jnp.stack([x, x[::-1]]))
            return [*back(jnp.cos(y)), forth, twice]

        for ours, theirs in zip(both(fourier_convolution), both(with_a_bank), strict=True):
            assert distance(ours, theirs) < 1e-13


def test_the_gradient_has_no_scatter():
    group = groups.p4m()
    _, rest = arguments(group, "3")
    x, w = made(group, 3, 7)

    def gradient(x, w):
        y, back = jax.vjp(lambda x, w: fourier_convolution(group, x, w, *rest), x, w)
        return back(y)

    assert "scatter(" not in jax.jit(gradient).lower(x, w).compile().as_text()


@pytest.mark.parametrize("name", ["p4m", "T", "O", "Oh", "hypercube"])
def test_the_transform_is_the_sum_that_defines_it(name):
    group = GROUPS[name]
    with jax.enable_x64(True):
        x = jax.random.normal(jax.random.key(0), (group.order, 3))
        found = _transform.transformed(group, list(x))
        for rho, values in zip(groups.real_irreps(group), found, strict=True):
            defined = jnp.einsum("hjb,hc->jbc", rho.matrices[:, : rho.m], x)
            assert distance(jnp.array(values), defined) < 1e-14
        back = _transform.restored(group, jax.tree.leaves(found))
        assert distance(jnp.array(back), group.order * x) < 1e-14
    first, second = _transform._stages(group)
    whole = second if first is None else second @ first
    assert np.linalg.matrix_rank(whole) == group.order
    assert (first is None) == (name in ("p4m", "T", "hypercube"))  # else shorter


def test_blocks_take_fewer_products():
    counts = {name: block_products(GROUPS[name]) for name in ("p1", "p2", "p4", "p4m", "O", "Oh")}
    assert counts == {"p1": 1, "p2": 2, "p4": 6, "p4m": 12, "O": 64, "Oh": 128}
    assert block_products(groups.p6()) == 2 + 2 * 4 and block_products(groups.p6m()) == 4 + 2 * 8
    assert block_products(QUATERNIONS["Q8"]) == 4 + 4 * 4  # four of dimension 1, one quaternionic


def test_a_kernel_or_a_group_axis_that_is_not_the_group_s_is_refused():
    x, w = made(groups.p4(), 3, 7)
    with pytest.raises(ValueError, match=r"A kernel of shape \(3, 2\) is not preserved by"):
        fourier_convolution(groups.p4(), x, w[:, :2], (1, 1), ((1, 1), (1, 1)), (1, 1))
    wrong = r"should be the group axis of Group\(p2: order 2, dimension 2\), of length 2"
    with pytest.raises(ValueError, match=wrong):
        fourier_convolution(groups.p2(), x, w, (1, 1), ((1, 1), (1, 1)), (1, 1))


@pytest.mark.parametrize("padding", ["SAME", "VALID", "CIRCULAR", 2, ((1, 1), (2, 2))], ids=str)
@pytest.mark.parametrize(("strides", "dilation"), [(1, 1), (2, 1), (1, 2)])
def test_a_layer_has_the_same_output_by_both(padding, strides, dilation):
    group = groups.pmm()  # mirrors only, so that the axes may differ
    layers = [
        nn.GroupConv(
            group, 3, 5, 3, strides, padding=padding, kernel_dilation=dilation,
            evaluation=evaluation, rngs=nnx.Rngs(0),
        )
        for evaluation in ("direct", "fourier")
    ]  # fmt: skip
    x = jax.random.normal(jax.random.key(0), (2, 9, 11, group.order, 3))
    direct, fourier = (layer(x) for layer in layers)
    assert distance(fourier, direct) < 2e-6


@pytest.mark.parametrize("name", ["p2", "p4", "p4m"])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_integers_leave_no_rounding_where_the_irreps_are_integers(name, dtype):
    group = GROUPS[name]
    layer = nn.GroupConv(group, 2, 3, 3, evaluation="fourier", rngs=nnx.Rngs(0))
    report = verify.integer_certificate(
        layer, group, (4, 7, 7, group.order, 2), dtype=dtype, act_out=None
    )
    assert report.error == 0


@pytest.mark.parametrize("name", ["p4m", "O", "p6m"])
def test_rounding_is_all_that_is_left_otherwise(name):
    group = (GROUPS | SKEWED)[name]
    with jax.enable_x64(True):
        layer = nn.GroupConv(
            group, 2, 2, 3, evaluation="fourier", param_dtype=jnp.float64, rngs=nnx.Rngs(0)
        )
        x = jax.random.normal(jax.random.key(0), (2, *(5,) * group.dim, group.order, 2))
        assert verify.equivariance(layer, group, x).error < 1e-14

        def broken(x):  # one kernel entry of one slot that its orbit does not share
            y = layer(x)
            return y.at[..., 1, :].add(1e-9 * jnp.roll(x[..., 0, :], 1, axis=1))

        assert verify.equivariance(broken, group, x).error > 1e-11


def uses_a_bank(layer, *shape: int) -> bool:
    x = jax.ShapeDtypeStruct(shape, layer.kernel.dtype)
    return "conv_general_dilated" in str(jax.make_jaxpr(lambda x: layer(x))(x))


def test_a_wide_layer_takes_blocks_and_a_person_can_say_otherwise():
    group = groups.p4m()
    wide, shape = {"rngs": nnx.Rngs(0)}, (8, 16, 16, 8, 64)
    assert not uses_a_bank(nn.GroupConv(group, 64, 64, 3, **wide), *shape)
    assert uses_a_bank(nn.GroupConv(group, 64, 64, 3, evaluation="direct", **wide), *shape)
    assert uses_a_bank(nn.GroupConv(group, 64, 8, 3, **wide), *shape)
    assert not uses_a_bank(nn.GroupConv(group, 64, 8, 3, evaluation="fourier", **wide), *shape)
    assert uses_a_bank(nn.GroupConv(group, 64, 64, 3, **wide), 1, *shape[1:])


def test_what_is_clear_to_the_cost_model():
    def choice(name="p4m", o=64, k=3, pixels=4096, platform="cpu", dtype="float32"):
        group = GROUPS[name]
        return cheaper_evaluation(group, (k,) * group.dim, o, pixels, platform, dtype)

    assert choice(o=128) == "fourier" and choice(o=8) == "direct"
    assert choice("O", 32) == "fourier" and choice("O", 1) == "direct"
    assert choice("p4", 256) == "fourier" and choice("p4", 16) == "direct"
    assert choice("O", 8) == choice("O", 16, k=1) == "fourier" and choice("O", 8, k=1) == "direct"
    assert choice("p1", 4096) == "direct"  # there are no blocks
    assert choice(pixels=64) == choice(platform="gpu") == choice(dtype="bfloat16") == "direct"


def test_an_evaluation_that_a_layer_does_not_have_is_refused():
    with pytest.raises(ValueError, match="evaluation 'fast' is none of direct, fourier; leave it"):
        nn.GroupConv(groups.p4(), 1, 1, 3, evaluation="fast", rngs=nnx.Rngs(0))
    with pytest.raises(ValueError, match="LiftingConv: evaluation 'fourier' is none of direct"):
        nn.LiftingConv(groups.p4(), 1, 1, 3, evaluation="fourier", rngs=nnx.Rngs(0))
