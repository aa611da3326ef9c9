"""The Lie algebra on images: slopes against closed forms, motions against finite ones."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gcnn import actions

SIZES = [(8, 8), (7, 10)]
LINEAR = [name for name in actions.GENERATORS if not name.startswith("translation")]


def normal(*shape: int, dtype=np.float64) -> jax.Array:
    return jnp.asarray(np.random.default_rng(0).normal(size=shape), dtype)


@pytest.fixture(autouse=True)
def double_precision():
    with jax.enable_x64(True):
        yield


def test_the_slope_along_an_axis_is_that_of_the_shift_by_spectrum():
    x, zero = normal(2, 8, 9, 3), jnp.zeros(())
    for axis, name in enumerate(["translation_y", "translation_x"]):
        v = actions.generator_velocity(name, (8, 9))
        shift = [lambda t: [t, 0.0], lambda t: [0.0, t]][axis]
        _, rate = jax.jvp(
            lambda t, s=shift: actions.shift_interpolated(x, s(t)), (zero,), (zero + 1,)
        )
        ours = actions.act_infinitesimally(x, v, "circular")
        np.testing.assert_allclose(ours, rate, atol=1e-12)
        assert np.abs(ours - actions.act_infinitesimally(x, v, "reflect")).max() > 0.1


@pytest.mark.parametrize("n", [8, 9])
def test_slopes_of_waves_are_exact(n):
    p = np.arange(n)
    for k in range((n - 1) // 2 + 1):  # on the torus
        wave = jnp.asarray(np.sin(2 * np.pi * k * p / n + 0.3))[None, :, None, None]
        slope = 2 * np.pi * k / n * np.cos(2 * np.pi * k * p / n + 0.3)
        rate = actions.act_infinitesimally(wave, np.ones((n, 1, 2)), "circular")
        np.testing.assert_allclose(rate[0, :, 0, 0], -slope, atol=1e-13)
    for k in range(n):  # mirrored at the edges
        wave = jnp.asarray(np.cos(np.pi * k * (p + 0.5) / n))[None, :, None, None]
        slope = -np.pi * k / n * np.sin(np.pi * k * (p + 0.5) / n)
        rate = actions.act_infinitesimally(wave, np.ones((n, 1, 2)), "reflect")
        np.testing.assert_allclose(rate[0, :, 0, 0], -slope, atol=1e-13)


def interpolated(x: np.ndarray, position: np.ndarray, boundary: str) -> np.ndarray:
    """The interpolating polynomial `[b, c]` of x at one position, wave by wave."""
    if boundary == "reflect":
        x = np.concatenate([x, x[:, ::-1]], axis=1)
        x = np.concatenate([x, x[:, :, ::-1]], axis=2)
    coefficients = np.fft.fft2(x, axes=(1, 2)) / (x.shape[1] * x.shape[2])
    for axis, n in enumerate(x.shape[1:3]):
        k = np.fft.fftfreq(n) * n
        wave = np.exp(2j * np.pi * k * position[axis] / n)
        if n % 2 == 0:
            wave[n // 2] = np.cos(np.pi * position[axis])
        coefficients = (
            np.tensordot(coefficients, wave, axes=(1, 0))
            if axis
            else np.einsum("byxc,y->bxc", coefficients, wave)
        )
    return coefficients.real


def exponential(matrix: np.ndarray) -> np.ndarray:
    terms, total = np.eye(len(matrix)), np.eye(len(matrix))
    for i in range(1, 12):
        terms = terms @ matrix / i
        total = total + terms
    return total


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("boundary", ["reflect", "circular"])
@pytest.mark.parametrize("generator", actions.GENERATORS)
def test_the_rate_is_the_limit_of_a_finite_motion(size, boundary, generator):
    x = normal(1, *size, 1)
    v = actions.generator_velocity(generator, size)
    centre = (np.array(size) - 1) / 2
    affine = np.zeros((3, 3))  # read off the velocities: V = Ap + a
    middle = np.stack(np.meshgrid(*map(np.arange, size), indexing="ij"), -1) - centre
    points = np.concatenate([middle, np.ones((*size, 1))], -1).reshape(-1, 3)
    affine[:2] = np.linalg.lstsq(points, v.reshape(-1, 2), rcond=None)[0].T
    rate = np.asarray(actions.act_infinitesimally(x, v, boundary))
    t = 1e-4
    for p in [(1, 2), (size[0] - 1, 0), (3, size[1] - 2)]:
        here = np.array([*(p - centre), 1.0])
        moved = [
            interpolated(np.asarray(x), (exponential(-s * affine) @ here)[:2] + centre, boundary)
            for s in (t, -t)
        ]
        finite = (moved[0] - moved[1]) / (2 * t)
        np.testing.assert_allclose(rate[:, p[0], p[1]], finite, rtol=1e-6, atol=1e-6)


def test_rotation_is_counter_clockwise_as_that_by_an_angle():
    y, x = np.meshgrid(np.linspace(-2, 2, 24), np.linspace(-2, 2, 24), indexing="ij")
    blob = jnp.asarray(np.exp(-2 * (y**2) - (x - 0.5) ** 2))[None, :, :, None]
    t = 1e-3
    turned = [actions.rotate_interpolated(blob, s, "cubic") for s in (t, -t)]
    finite = (turned[0] - turned[1]) / (2 * t)
    rate = actions.act_infinitesimally(blob, actions.generator_velocity("rotation", (24, 24)))
    inside = np.s_[:, 3:-3, 3:-3]  # outside of its frame, the one is zero and the other mirrored
    error = np.abs(finite - rate)[inside].max()
    assert error < 0.05 * np.abs(rate).max()  # the cubic slope is one of second order


def test_generators_are_sums_of_one_another():
    v = {name: actions.generator_velocity(name, (5, 6)) for name in actions.GENERATORS}
    np.testing.assert_array_equal(v["scale"], v["stretch_y"] + v["stretch_x"])
    np.testing.assert_array_equal(v["rotation"], v["shear_x"] - v["shear_y"])
    assert not v["stretch_x"][..., 0].any()  # the other axis stays, and is not set to 0


@pytest.mark.parametrize("name", LINEAR)
def test_the_centre_stays(name):
    assert not actions.generator_velocity(name, (5, 7))[2, 3].any()
    assert actions.generator_velocity(name, (5, 7)).any()


def test_a_regular_field_is_moved_slot_by_slot():
    f, v = normal(2, 5, 6, 4, 3), actions.generator_velocity("shear_x", (5, 6))
    slots = [actions.act_infinitesimally(f[..., h, :], v) for h in range(4)]
    whole = actions.act_infinitesimally(f, v)
    np.testing.assert_allclose(whole, jnp.stack(slots, axis=-2), atol=1e-14)


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float32, jnp.float64])
def test_the_type_is_kept(dtype, strict):
    x, v = normal(2, 5, 6, 3).astype(dtype), actions.generator_velocity("scale", (5, 6))
    rate = actions.act_infinitesimally(x, v)
    assert rate.dtype == dtype
    exact = actions.act_infinitesimally(x.astype(jnp.float64), v)
    tolerance = 4 * float(jnp.finfo(dtype).eps)
    np.testing.assert_allclose(rate.astype(jnp.float64), exact, rtol=tolerance, atol=10 * tolerance)


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match=r"The generator 'zoom' is none of translation_y, trans"):
        actions.generator_velocity("zoom", (4, 4))
    v = actions.generator_velocity("scale", (4, 4))
    with pytest.raises(ValueError, match=r"The boundary 'zero' is neither .reflect. nor .circular"):
        actions.act_infinitesimally(normal(1, 4, 4, 1), v, "zero")
