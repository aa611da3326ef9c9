"""Shifts and rotations between the pixels: the laws that hold exactly, and those that cannot."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gcnn import actions, groups

rotate = jax.jit(actions.rotate_interpolated, static_argnums=2)
shift = jax.jit(actions.shift_interpolated, static_argnums=2)


def normal(*shape: int, dtype=np.float32) -> np.ndarray:
    return np.random.default_rng(0).normal(size=shape).astype(dtype)


def wave(n: int, frequency: int, s: float = 0.0) -> np.ndarray:
    """[1, x, 1]: a cosine that goes round the torus `frequency` times, moved by s pixels."""
    angle = 2 * np.pi * frequency * (np.arange(n) - s) / n + 0.4
    return np.cos(angle)[None, :, None]


# Shifts.


@pytest.mark.parametrize("n", [8, 9])
@pytest.mark.parametrize("s", [0.5, -1.25, 6.75, 100.3])
def test_a_sampled_cosine_shifts_exactly(n, s):
    with jax.enable_x64(True):
        for frequency in range((n + 1) // 2):  # below the Nyquist frequency
            moved = shift(jnp.asarray(wave(n, frequency)), (s,), "fourier")
            np.testing.assert_allclose(moved, wave(n, frequency, s), atol=1e-13)
            linear = shift(jnp.asarray(wave(n, frequency)), (s,), "linear")
            assert frequency == 0 or np.abs(linear - moved).max() > 0.01  # a control


def test_the_nyquist_frequency_is_scaled_by_the_cosine():
    with jax.enable_x64(True):
        x = jnp.asarray((-1.0) ** np.arange(8))[None, :, None]
        for s in (0.3, 0.5, 1.7, -2.2):
            moved = shift(x, (s,), "fourier")
            np.testing.assert_allclose(moved, np.cos(np.pi * s) * x, atol=1e-14)


@pytest.mark.parametrize("n", [8, 9])
def test_a_shift_is_zero_padding_of_the_spectrum_a_roll_and_decimation(n):
    up, steps = 4, 3  # three quarters of a pixel
    with jax.enable_x64(True):
        x = normal(2, n, 3, dtype=np.float64)
        spectrum = np.fft.fftshift(np.fft.fft(x, axis=1), axes=1)
        if n % 2 == 0:  # half of the Nyquist coefficient at each end
            spectrum = np.concatenate([spectrum, spectrum[:, :1]], axis=1)
            spectrum[:, [0, -1]] /= 2
        low = (up * n) // 2 - n // 2
        padded = np.zeros((2, up * n, 3), complex)
        padded[:, low : low + spectrum.shape[1]] = spectrum
        fine = up * np.fft.ifft(np.fft.ifftshift(padded, axes=1), axis=1).real
        expected = np.roll(fine, steps, axis=1)[:, ::up]
        moved = shift(x, (steps / up,), "fourier")
        np.testing.assert_allclose(moved, expected, atol=1e-14)


@pytest.mark.parametrize("shape", [(2, 7, 9, 3), (2, 6, 8, 3), (2, 5, 6, 4, 2)], ids=str)
@pytest.mark.parametrize("method", ["fourier", "linear", "cubic"])
def test_whole_shifts_are_rolls(shape, method):
    x = normal(*shape)
    for s in ((1, 0), (-2, 3), (40, -41)):
        moved = shift(x, tuple(map(float, s)), method)
        # two transforms of float32; the other methods read pixels as they are
        tolerance = 2e-6 if method == "fourier" else 0
        np.testing.assert_allclose(moved, np.roll(x, s, axis=(1, 2)), atol=tolerance)
        assert np.abs(moved - np.roll(x, (s[1], s[0]), axis=(1, 2))).max() > 0.1


def test_fractional_shifts_compose_on_an_odd_torus_and_lose_nyquist_on_an_even_one():
    with jax.enable_x64(True):
        s, t = (0.3, -1.6), (2.4, 0.9)
        both = tuple(np.add(s, t).tolist())
        for n, composes in ((9, True), (8, False)):
            x = normal(2, n, n, 2, dtype=np.float64)
            twice = shift(shift(x, s, "fourier"), t, "fourier")
            assert (np.abs(twice - shift(x, both, "fourier")).max() < 1e-13) == composes
        whole = shift(shift(x, s, "fourier"), (3.0, -1.0), "fourier")
        once = shift(x, (s[0] + 3, s[1] - 1), "fourier")
        np.testing.assert_allclose(whole, once, atol=1e-13)


def test_the_linear_shift_is_the_mean_of_neighbours_half_way():
    x = normal(1, 6, 2)
    half = shift(x, (0.5,), "linear")
    np.testing.assert_allclose(half, (x + np.roll(x, 1, axis=1)) / 2, rtol=1e-6)


def test_axes_in_space_move_one_by_one_and_the_rest_stays():
    with jax.enable_x64(True):
        x = normal(2, 4, 5, 6, 2, dtype=np.float64)
        space = shift(x, (0.5, 1.5, -0.25), "fourier")
        by_axis = np.moveaxis(np.asarray(x), 3, 1)
        by_axis = np.moveaxis(np.asarray(shift(by_axis, (-0.25,), "fourier")), 1, 3)
        np.testing.assert_allclose(space, shift(by_axis, (0.5, 1.5), "fourier"), atol=1e-14)


@pytest.mark.parametrize("method", ["fourier", "cubic"])
def test_the_derivative_by_the_shift_is_that_of_the_curve_between_the_pixels(method):
    n, frequency = 16, 2
    with jax.enable_x64(True):
        x = jnp.asarray(wave(n, frequency))
        move = functools.partial(shift, x)
        for s in (0.0, 0.5, 3.0):
            _, slope = jax.jvp(lambda s: move((s,), method), (s,), (1.0,))
            exact = wave(n, frequency, s + n / frequency / 4) * 2 * np.pi * frequency / n
            # cubic: central differences at a pixel, sin(h)/h with h = π/4 there: 10 % of 0.79
            np.testing.assert_allclose(slope, exact, atol=1e-12 if method == "fourier" else 0.09)


# Rotations.


@pytest.mark.parametrize("n", [6, 7])
@pytest.mark.parametrize("method", ["linear", "cubic"])
def test_multiples_of_90_degrees_are_exact_to_the_last_bit(n, method):
    x = normal(2, n, n, 3)
    for r in range(-1, 5):
        turned = rotate(x, np.float32(r * np.pi / 2), method)
        exact = actions.act_on_image(groups.p4(), r % 4, x)
        np.testing.assert_array_equal(turned, exact)
    assert np.abs(rotate(x, np.float32(0.3), method) - x).max() > 0.1


def smooth(n: int, turn: float = 0.0) -> np.ndarray:
    """An elongated bump off the centre, known at every point, and so at every angle."""
    v, u = np.meshgrid(*(np.linspace(-4, 4, n),) * 2, indexing="ij")
    c, s = np.cos(turn), np.sin(turn)
    v, u = c * v + s * u, c * u - s * v
    return np.exp(-((v - 0.8) ** 2) - (u + 0.4) ** 2 / 2)[None, :, :, None].astype(np.float32)


def test_both_methods_find_the_rotated_function_and_cubic_comes_closer():
    n, angle = 41, 0.7  # steps of 0.2
    errors = {
        method: np.abs(rotate(smooth(n), angle, method) - smooth(n, angle)).max()
        for method in ("linear", "cubic")
    }
    assert errors["linear"] < 0.02  # up to h²/8 times the sum of both second derivatives, 2 + 1
    assert errors["cubic"] < errors["linear"] / 5
    assert np.abs(rotate(smooth(n), -angle, "cubic") - smooth(n, angle)).max() > 0.2


def test_the_cubic_derivative_does_not_jump_at_a_pixel_and_the_linear_one_does():
    x = jnp.asarray(smooth(21))
    eps = 1e-3

    def slope(angle, method):
        return jax.jvp(lambda a: rotate(x, a, method), (jnp.float32(angle),), (jnp.float32(1),))[1]

    at = {m: slope(0, m) for m in ("linear", "cubic")}
    before = {m: slope(-eps, m) for m in ("linear", "cubic")}
    assert np.abs(at["cubic"] - before["cubic"]).max() < 0.02  # slopes reach 2
    assert np.abs(at["linear"] - before["linear"]).max() > 0.1
    v, u = np.meshgrid(*(np.arange(21) - 10.0,) * 2, indexing="ij")
    dv, du = np.gradient(np.asarray(x[0, :, :, 0]))
    np.testing.assert_allclose(at["cubic"][0, 2:-2, 2:-2, 0], (u * dv - v * du)[2:-2, 2:-2],
                               atol=1e-4)  # fmt: skip


def test_outside_the_frame_is_zero():
    turned = rotate(np.ones((1, 9, 9, 1), np.float32), np.pi / 4, "linear")
    assert turned[0, 0, 0, 0] == 0
    assert turned[0, 4, 4, 0] == 1


# Types and refusals.


@pytest.mark.usefixtures("strict")
@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float32, jnp.float64])
def test_the_type_and_the_shape_are_kept(dtype):
    with jax.enable_x64(dtype == jnp.float64):
        x = normal(2, 5, 6, 3, dtype=dtype)
        for method in ("fourier", "linear", "cubic"):
            moved = shift(x, (0.5, 1), method)
            chex.assert_shape(moved, x.shape)
            chex.assert_type(moved, dtype)
            if method != "fourier":
                turned = rotate(x, 0.4, method)
                chex.assert_shape(turned, x.shape)
                chex.assert_type(turned, dtype)


def test_a_shift_may_be_a_list_or_an_array():
    x = normal(1, 5, 6, 2)
    moved = shift(x, [0.5, 1])
    for s in (np.array([0.5, 1]), jnp.array([0.5, 1]), (jnp.float32(0.5), np.int64(1))):
        np.testing.assert_allclose(shift(x, s), moved, atol=1e-6)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: shift(normal(2, 5, 2), (0.5, 0.5)),
            r"A shift by 2 numbers does not fit x of shape \(2, 5, 2\): \[b, \*space, c\] takes",
        ),
        (lambda: shift(normal(2, 5, 2), ()), "A shift by 0 numbers"),
        (
            lambda: shift(normal(2, 5, 2), (0.5,), "lanczos"),
            r"The method 'lanczos' of interpolation is none of 'fourier', 'linear', 'cubic'\.",
        ),
        (
            lambda: rotate(normal(2, 5, 5, 2), 0.5, "fourier"),
            r"The method 'fourier' of interpolation is none of 'linear', 'cubic'\.",
        ),
    ],
)
def test_what_has_no_meaning_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
