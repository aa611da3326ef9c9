"""Warps: what moves and where to, the law of the random fields, and when they fold."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gcnn import actions


def normal(*shape: int, dtype=np.float32) -> jax.Array:
    return jnp.asarray(np.random.default_rng(0).normal(size=shape), dtype)


def mode_squares(cut: int) -> list[int]:
    """i² + j² of every mode, one by one."""
    pairs = itertools.product(range(1, cut + 1), repeat=2)
    return [i * i + j * j for i, j in pairs if (i * i + j * j) ** 0.5 < cut + 0.5]


# Moving an image.


def bilinear(image: np.ndarray, y: float, x: float) -> np.ndarray:
    """One pixel at a time."""
    ny, nx = image.shape[:2]
    y, x = min(max(y, 0), ny - 1), min(max(x, 0), nx - 1)
    i, j = min(int(y), ny - 2), min(int(x), nx - 2)
    a, b = y - i, x - j
    top = (1 - b) * image[i, j] + b * image[i, j + 1]
    bottom = (1 - b) * image[i + 1, j] + b * image[i + 1, j + 1]
    return (1 - a) * top + a * bottom


def test_a_warp_reads_each_pixel_where_its_content_came_from():
    with jax.enable_x64(True):
        x, d = normal(2, 5, 7, 3, dtype=np.float64), 2 * normal(2, 5, 7, 2, dtype=np.float64)
        y = actions.warp_interpolated(x, d)
        for b, p, q in itertools.product(range(2), range(5), range(7)):
            expected = bilinear(
                np.asarray(x[b]), p - float(d[b, p, q, 0]), q - float(d[b, p, q, 1])
            )
            np.testing.assert_allclose(y[b, p, q], expected, atol=1e-14)


def test_whole_pixels_are_moved_without_rounding_and_the_border_goes_on():
    x = normal(2, 5, 6, 3)
    down = actions.warp_interpolated(x, jnp.zeros((5, 6, 2)).at[..., 0].set(2))
    np.testing.assert_array_equal(down, x[:, [0, 0, 0, 1, 2]])
    left = actions.warp_interpolated(x, jnp.zeros((5, 6, 2)).at[..., 1].set(-1))
    np.testing.assert_array_equal(left, x[:, :, [1, 2, 3, 4, 5, 5]])


def test_every_image_has_a_warp_of_its_own():
    x = normal(2, 5, 6, 3)
    each = actions.warp_interpolated(x, jnp.stack([jnp.zeros((5, 6, 2)), jnp.ones((5, 6, 2))]))
    np.testing.assert_array_equal(each[0], x[0])
    np.testing.assert_array_equal(each[1], actions.warp_interpolated(x, jnp.ones((5, 6, 2)))[1])


def test_a_warp_moves_the_axes_behind_the_space_axes_alike():
    f, d = normal(2, 5, 6, 4, 3), normal(5, 6, 2)
    slots = [actions.warp_interpolated(f[..., h, :], d) for h in range(4)]
    np.testing.assert_array_equal(actions.warp_interpolated(f, d), jnp.stack(slots, axis=-2))


def test_a_warp_is_undone_by_the_opposite_one_up_to_second_order():
    y, x = np.meshgrid(np.linspace(-2, 2, 48), np.linspace(-2, 2, 48), indexing="ij")
    blob = jnp.asarray(np.exp(-(y**2) - x**2), jnp.float32)[None, :, :, None]
    t = actions.temperature_of(0.7, 48, cut=3)
    d = actions.max_entropy_displacement(jax.random.key(0), 48, 3, t)
    there = actions.warp_interpolated(blob, d)
    back = actions.warp_interpolated(there, -d)
    assert np.abs(there - blob).max() > 0.05
    assert np.abs(back - blob).max() < 0.2 * np.abs(there - blob).max()


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float32, jnp.float64])
def test_a_warp_keeps_the_type(dtype, strict):
    with jax.enable_x64(dtype == jnp.float64):
        x, d = normal(2, 5, 6, 3).astype(dtype), normal(5, 6, 2)
        y = actions.warp_interpolated(x, d)
        assert y.dtype == dtype
        np.testing.assert_allclose(
            y.astype(jnp.float32), actions.warp_interpolated(x.astype(jnp.float32), d), rtol=4e-3
        )


@pytest.mark.parametrize("shape", [(6, 5, 2), (3, 5, 6, 2), (1, 2, 5, 6, 2)])
def test_a_field_of_another_size_is_refused(shape):
    with pytest.raises(ValueError, match=r"of images of shape \(2, 5, 6, 3\) should be \[5, 6, 2]"):
        actions.warp_interpolated(normal(2, 5, 6, 3), normal(*shape))


# The random fields.


@pytest.mark.parametrize("size", [28, (20, 33)], ids=str)
def test_the_displacement_is_zero_on_the_border_and_not_inside(key, size):
    d = actions.max_entropy_displacement(key, size, 5, 1e-3, (3,))
    ny, nx = (size, size) if isinstance(size, int) else size
    assert d.shape == (3, ny, nx, 2)
    border = np.ones((ny, nx), bool)
    border[1:-1, 1:-1] = False
    assert (np.asarray(d)[:, border] == 0).all()
    assert (np.asarray(d)[:, ~border] != 0).all()


def test_fields_differ_and_their_components_are_independent(key):
    d = np.asarray(actions.max_entropy_displacement(key, 12, 3, 1.0, (4000,)))
    v, u = d[:, 5, 5, 0], d[:, 5, 5, 1]
    assert abs(np.corrcoef(v, u)[0, 1]) < 0.05  # three standard errors
    assert abs(np.corrcoef(v[1:], v[:-1])[0, 1]) < 0.05
    assert abs(v.mean()) < 0.05 * v.std()


@pytest.mark.parametrize("cut", [1, 2, 3, 5])
def test_the_fields_consist_of_the_modes_below_the_cut_with_the_variances_of_the_paper(key, cut):
    n, many, highest = 12, 4000, 6
    u = np.asarray(actions.max_entropy_displacement(key, n, cut, 1.0, (many,)), np.float64) / n
    s = np.sin(np.pi * np.linspace(0, 1, n)[:, None] * np.arange(1, highest + 1))
    # the sines are orthogonal on these points, with squared norm (n - 1)/2
    c = np.einsum("byxd,yi,xj->bdij", u, s, s) / ((n - 1) / 2) ** 2
    variance = c.var(axis=(0, 1))
    for i, j in itertools.product(range(1, highest + 1), repeat=2):
        kept = i * i + j * j in mode_squares(cut)
        expected = 1 / (i * i + j * j) if kept else 0
        # 2 · 4000 numbers: the standard error is 1.6 %
        assert variance[i - 1, j - 1] == pytest.approx(expected, rel=0.08, abs=1e-6)


def test_fields_grow_with_the_root_of_the_temperature(key):
    cold = actions.max_entropy_displacement(key, 16, 3, 1.0)
    hot = actions.max_entropy_displacement(key, 16, 3, jnp.float32(4.0))
    np.testing.assert_allclose(hot, 2 * cold, rtol=1e-6)
    assert not actions.max_entropy_displacement(key, 16, 3, 0.0).any()


@pytest.mark.parametrize("size", [16, (12, 25)], ids=str)
@pytest.mark.parametrize("cut", [1, 3, 5])
def test_delta_is_the_root_mean_square_displacement_to_2_percent(key, size, cut):
    t = actions.temperature_of(0.7, size, cut)
    d = actions.max_entropy_displacement(key, size, cut, t, (8000,))
    assert float(jnp.sqrt(jnp.mean(jnp.sum(d**2, axis=-1)))) == pytest.approx(0.7, rel=0.02)


@pytest.mark.parametrize(("cut", "total"), [(3, 1.225), (5, 1.878), (15, 3.365)])
def test_the_temperature_is_that_of_the_sum_over_the_modes(cut, total):
    n, delta = 64, 1.0
    t = actions.temperature_of(delta, n, cut)
    assert sum(1 / r for r in mode_squares(cut)) == pytest.approx(total, abs=5e-4)
    assert t == pytest.approx(2 * delta**2 / ((n - 1) ** 2 * total), rel=1e-3)
    assert actions.temperature_of(delta / 2, n, cut) == pytest.approx(t / 4)
    nominal = n / 2 * np.sqrt(np.pi * t * np.log(cut))  # the paper's displacement
    ratio = {3: 1.187, 5: 1.160, 15: 1.124}[cut]
    assert nominal * (n - 1) / n == pytest.approx(ratio * delta, rel=1e-3)


def test_a_displacement_beyond_the_diffeomorphisms_is_refused():
    assert actions.temperature_of(0.0, 28, 3) == 0
    with pytest.raises(ValueError, match=r"delta = 3\.0 .* 0 to n/\(π cut\) = 2\.97 .* cut = 3"):
        actions.temperature_of(3.0, 28, 3)
    with pytest.raises(ValueError, match=r"delta = -1\.0 pixels is outside the range"):
        actions.temperature_of(-1.0, 28, 3)


@pytest.mark.parametrize("cut", [0, 11])
def test_a_frequency_that_the_pixels_cannot_show_is_refused(key, cut):
    with pytest.raises(ValueError, match=rf"cut = {cut} should be between 1 and 10, two less"):
        actions.max_entropy_displacement(key, (12, 20), cut, 1.0)
    with pytest.raises(ValueError, match="the pixels cannot show a higher frequency"):
        actions.temperature_of(0.1, 12, cut)


# Folding.


def test_a_fold_is_where_the_order_of_pixels_is_reversed():
    y = jnp.broadcast_to(jnp.arange(8.0)[:, None], (8, 8))
    half = jnp.stack([0.5 * y, 0 * y], axis=-1)  # p - d = (y/2, x): squeezed, not folded
    over = jnp.stack([1.5 * y, 0 * y], axis=-1)  # (-y/2, x)
    flat = jnp.stack([y, 0 * y], axis=-1)  # (0, x): all rows from one
    sheared = jnp.stack([0 * y, 3.0 * y], axis=-1)  # (y, x - 3y)
    fields = jnp.stack([half, over, flat, sheared])
    assert actions.folds(fields).tolist() == [False, True, True, False]
    one = jnp.zeros((8, 8, 2)).at[3, 3, 1].set(1.5)  # a pixel that overtakes its neighbour
    assert bool(actions.folds(one))


@pytest.mark.parametrize(
    ("share", "low", "high"), [(1 / 3, 0, 0.01), (1 / 2, 0, 0.1), (0.999, 0.5, 1)]
)
def test_fields_fold_towards_the_largest_displacement(key, share, low, high):
    t = actions.temperature_of(share * 28 / np.pi / 3, 28, 3)
    d = actions.max_entropy_displacement(key, 28, 3, t, (500,))
    assert low <= float(jnp.mean(actions.folds(d))) <= high
