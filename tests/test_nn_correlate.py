"""The convolution that layers are made of: XLA's numbers, in a form that XLA compiles well."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gcnn.nn import _correlate
from gcnn.nn._correlate import correlate

LAYOUT = ("NHWC", "HWIO", "NHWC")


def plain(x, w, strides, pads, dilation):
    return jax.lax.conv_general_dilated(
        x, w, strides, pads, rhs_dilation=dilation, dimension_numbers=LAYOUT
    )


def made(b, ny, nx, i, o, k):
    rng = np.random.default_rng(0)
    draw = rng.standard_normal
    return jnp.asarray(draw((b, ny, nx, i))), jnp.asarray(draw((k, k, i, o)) / k)


def with_gradients(f, x, w):
    y, back = jax.vjp(f, x, w)
    return [y, *back(jnp.cos(y))]


@pytest.mark.parametrize(
    ("shape", "k", "pads"),
    [
        ((26, 18, 16, 4, 20), 3, ((1, 1), (1, 1))),
        ((30, 18, 16, 4, 20), 3, ((0, 0), (0, 0))),
        ((26, 18, 16, 4, 20), 3, ((2, 0), (0, 1))),
        ((2, 12, 14, 256, 256), 3, ((1, 1), (1, 1))),
    ],
)
def test_a_row_that_is_cut_off_again_changes_no_number(shape, k, pads):
    x, w = made(*shape, k)
    rest = ((1, 1), pads, (1, 1))
    assert _correlate._gains_from_a_row(x, w, *rest)
    ours = with_gradients(lambda x, w: correlate(x, w, *rest), x, w)
    theirs = with_gradients(lambda x, w: plain(x, w, *rest), x, w)
    for a, b in zip(ours, theirs, strict=True):
        assert a.shape == b.shape
        assert float(jnp.abs(a - b).max()) < 2e-6 * float(jnp.abs(b).max()) * np.sqrt(k * k * 256)


@pytest.mark.parametrize("shape", [(26, 18, 16, 4, 20), (1, 12, 14, 256, 256)])
def test_derivatives_of_every_kind_are_those_of_the_plain_one(shape):
    x, w = made(*shape, 3)
    rest = ((1, 1), ((1, 1), (0, 0)), (1, 1))
    assert _correlate._gains_from_a_row(x, w, *rest)
    dx, dw = jnp.cos(x), jnp.sin(w)

    def found(f):
        def g(x, w):
            return f(x, w, *rest)

        def energy(x, w):
            return jnp.sum(jnp.tanh(g(x, w)))

        return (
            jax.jvp(g, (x, w), (dx, dw))[1],
            jax.jvp(lambda x: g(x, w), (x,), (dx,))[1],
            jax.jvp(lambda w: g(x, w), (w,), (dw,))[1],
            jax.grad(lambda w: jnp.sum(jax.grad(energy)(x, w) * dx))(w),
            jax.vmap(jax.grad(energy, 1), (None, 0))(x, jnp.stack([w, dw])),
        )

    for a, b in zip(found(correlate), found(plain), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4 * float(jnp.abs(b).max()))


def test_few_channels_have_the_row_in_derivatives_alone():
    rest = ((1, 1), ((1, 1), (1, 1)), (1, 1))

    def rows(f, shape):
        program = str(jax.make_jaxpr(f)(*made(*shape, 3)))
        return {int(n) for n in re.findall(rf"\[{shape[0]},(\d+),16,{shape[-1]}\] = conv", program)}

    def derived(x, w):
        return jax.jvp(lambda w: correlate(x, w, *rest), (w,), (w,))[1]

    few, many = (26, 18, 16, 4, 20), (2, 18, 16, 256, 256)
    assert rows(lambda x, w: correlate(x, w, *rest), few) == {18}
    assert rows(lambda x, w: correlate(x, w, *rest), many) == {19}
    assert rows(derived, few) == {18, 19}  # the value, which XLA drops, and its derivative


@pytest.mark.parametrize(
    ("shape", "k", "strides", "pads", "dilation"),
    [
        ((2, 18, 16, 4, 20), 3, (1, 1), ((1, 1), (1, 1)), (1, 1)),  # few pixels, few channels
        ((26, 18, 16, 4, 16), 3, (1, 1), ((1, 1), (1, 1)), (1, 1)),  # what XLA keeps anyway
        ((50, 18, 16, 4, 20), 3, (2, 2), ((1, 0), (1, 0)), (1, 1)),
        ((50, 18, 16, 4, 20), 3, (1, 1), ((2, 2), (2, 2)), (2, 2)),
        ((400, 6, 6, 4, 20), 4, (1, 1), ((0, 0), (0, 0)), (1, 1)),  # a row more would double it
        ((26, 18, 16, 4, 20), 3, (1, 1), ((2, 2), (2, 2)), (1, 1)),  # larger than its input
    ],
)
def test_other_convolutions_are_left_alone(shape, k, strides, pads, dilation):
    x, w = made(*shape, k)
    assert not _correlate._gains_from_a_row(x, w, strides, pads, dilation)
    ours = correlate(x, w, strides, pads, dilation)
    assert np.array_equal(ours, plain(x, w, strides, pads, dilation))


def test_another_device_gets_the_plain_convolution(monkeypatch):
    x, w = made(26, 18, 16, 4, 20, 3)
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert not _correlate._gains_from_a_row(x, w, (1, 1), ((1, 1), (1, 1)), (1, 1))


@pytest.mark.parametrize("strides", [(1, 1), (2, 3)])
def test_a_kernel_of_one_pixel_is_a_matrix_product(strides):
    x, w = made(2, 7, 9, 5, 6, 1)
    rest = (strides, ((0, 0), (0, 0)), (1, 1))
    ours = with_gradients(lambda x, w: correlate(x, w, *rest), x, w)
    theirs = with_gradients(lambda x, w: plain(x, w, *rest), x, w)
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)
    program = str(jax.make_jaxpr(lambda x, w: correlate(x, w, *rest))(x, w))
    assert "dot_general" in program and "conv_general_dilated" not in program


def test_in_space_xla_makes_a_product_of_a_kernel_of_one_pixel():
    rng = np.random.default_rng(0)
    x, w = (jnp.asarray(rng.standard_normal(s)) for s in ((2, 4, 3, 5, 5), (1, 1, 1, 5, 6)))
    rest = ((2, 1, 3), ((0, 0),) * 3, (1,) * 3)
    ours = jax.jit(lambda x, w: correlate(x, w, *rest)).lower(x, w).compile()
    np.testing.assert_allclose(ours(x, w), x[:, ::2, :, ::3] @ w[0, 0, 0], atol=1e-5)
    assert " dot(" in ours.as_text() and " convolution(" not in ours.as_text()


def test_no_gradient_goes_to_the_library_that_is_slow_at_it():
    x, w = made(26, 18, 16, 24, 24, 3)
    rest = ((1, 1), ((1, 1), (1, 1)), (1, 1))

    def handed_over(f):
        gradient = jax.jit(lambda x, w, y: jax.vjp(lambda x, w: f(x, w, *rest), x, w)[1](y))
        text = gradient.lower(x, w, correlate(x, w, *rest)).compile().as_text()
        assert "conv_general_dilated" in text
        return [line for line in text.splitlines() if "= " in line and "ynn" in line.split("(")[0]]

    assert not [line for line in handed_over(correlate) if "conv" in line]
    if jax.__version_info__ >= (0, 12):  # older ones never hand over a convolution
        assert [line for line in handed_over(plain) if "conv" in line]
