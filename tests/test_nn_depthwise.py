"""Depthwise and separable convolutions: special kernels of a group convolution, and exact."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from gcnn import groups, nn, verify

from .cases import chosen

EVERY = chosen("mirror", "pm", "p4", "p4m", "p6", "quarter", "T")  # selfcheck has all
RNGS = {"rngs": nnx.Rngs(0)}


def field(group, channels: int, side: int | None = None):
    side = {1: 9, 2: 7, 3: 5}[group.dim] if side is None else side
    return (3, *(side,) * group.dim, group.order, channels)


def draw(shape):
    return jax.random.normal(jax.random.key(0), shape)


@pytest.mark.parametrize("name", ["pm", "p4", "p4m", "p6", "T"])
def test_it_is_a_group_convolution_with_a_kernel_of_its_own_slot_and_channel(name):
    group = EVERY[name]
    layer = nn.DepthwiseConv(group, 3, 3, **RNGS)
    full = nn.GroupConv(group, 3, 3, 3, **RNGS)
    kernel = jnp.zeros_like(full.kernel[...])
    for c in range(3):
        at = (..., group.identity, c, c)
        kernel = kernel.at[at].set(layer.kernel[..., 0, c])
    full.kernel[...], full.bias[...] = kernel, layer.bias[...] + 1
    layer.bias[...] = layer.bias[...] + 1
    x = draw(field(group, 3))
    np.testing.assert_allclose(layer(x), full(x), atol=2e-6)


@pytest.mark.parametrize("name", ["pm", "p4m", "p6"])
def test_a_separable_layer_is_a_group_convolution_with_a_product_for_a_kernel(name):
    group = EVERY[name]
    layer = nn.SeparableGroupConv(group, 2, 3, 3, **RNGS)
    full = nn.GroupConv(group, 2, 3, 3, **RNGS)
    v, w = layer.pointwise.kernel[...], layer.depthwise.kernel[...]
    v = v.reshape(group.order, 2, 3)
    full.kernel[...] = v * w.reshape(3, 3, 1, 1, 3)
    x = draw(field(group, 2))
    np.testing.assert_allclose(layer(x), full(x), atol=2e-6)
    full.kernel[...] = full.kernel[...].at[0].multiply(1.5)
    assert jnp.abs(layer(x) - full(x)).max() > 0.01


@pytest.mark.parametrize("padding", ["SAME", "VALID", "CIRCULAR", 2], ids=str)
@pytest.mark.parametrize(("strides", "dilation"), [(1, 1), (2, 1), (1, 2)])
def test_under_the_trivial_group_it_is_a_depthwise_convolution_of_flax(padding, strides, dilation):
    settings = {"padding": padding, "kernel_dilation": dilation}
    layer = nn.DepthwiseConv(groups.p1(), 4, 3, strides, **settings, **RNGS)
    flax = nnx.Conv(4, 4, (3, 3), strides, feature_group_count=4, **settings, **RNGS)
    flax.kernel[...] = layer.kernel[...]
    x = draw((2, 9, 11, 4))
    np.testing.assert_allclose(layer(x[..., None, :])[..., 0, :], flax(x), atol=1e-6)


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("layer", [nn.DepthwiseConv, nn.SeparableGroupConv])
def test_integers_leave_no_error(name, layer):
    group = EVERY[name]
    channels = (2,) if layer is nn.DepthwiseConv else (2, 2)
    made = layer(group, *channels, 3, **RNGS)
    assert verify.integer_certificate(made, group, field(group, 2)).error == 0


def test_a_kernel_that_does_not_turn_is_found_out():
    group = groups.p4()
    layer = nn.DepthwiseConv(groups.p1(), 4 * 2, 3, **RNGS)  # every slot its own, and upright

    def upright(x):
        return layer(x.reshape(*x.shape[:3], 1, -1)).reshape(x.shape)

    assert verify.equivariance(upright, group, draw(field(group, 2))).error > 0.1


def test_types_are_kept(strict):
    layer = nn.DepthwiseConv(groups.p4(), 2, 3, **RNGS)
    for dtype in ("float32", "bfloat16"):
        assert layer(draw(field(groups.p4(), 2)).astype(dtype)).dtype == dtype


def test_what_would_break_the_symmetry_is_refused():
    group = groups.p4()
    layer = nn.DepthwiseConv(group, 2, 3, 2, **RNGS)
    with pytest.raises(ValueError, match=r"DepthwiseConv would not commute with the element r90"):
        layer(draw(field(group, 2, side=8)))
    assert nn.DepthwiseConv(group, 2, 3, 2, allow_inexact=True, **RNGS)(
        draw(field(group, 2, side=8))
    ).shape == (3, 4, 4, 4, 2)
    with pytest.raises(ValueError, match=r"A kernel of shape \(3, 1\) is not preserved"):
        nn.DepthwiseConv(group, 2, (3, 1), **RNGS)
    with pytest.raises(ValueError, match="features must be at least 1, got 0"):
        nn.DepthwiseConv(group, 0, 3, **RNGS)


def test_another_shape_is_refused():
    layer = nn.DepthwiseConv(groups.p4(), 2, 3, **RNGS)
    with pytest.raises(ValueError, match=r"takes \[batch, 2 space axes, 4, 2\], got shape"):
        layer(draw((2, 7, 7, 4, 3)))
