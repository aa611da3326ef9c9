"""Augmentation: what it reads is where it says, and nothing else changes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.training.augment import Augment, read
from gcnn import groups
from gcnn.actions import act_on_image, rotate_interpolated

KEY = jax.random.key(0)
X = jax.random.uniform(KEY, (4, 9, 9, 2))


def matrices(*rows) -> jax.Array:
    return jnp.broadcast_to(jnp.array(rows, jnp.float32), (len(X), 2, 2))


NONE = jnp.zeros((len(X), 2))


@pytest.mark.parametrize("g", range(8))
def test_the_elements_of_p4m_are_read_exactly(g):
    group = groups.p4m()
    inverse = np.linalg.inv(group.matrices[g])  # (g x)(p) = x(g^-1 p)
    got = read(X, matrices(*inverse.tolist()), NONE)
    np.testing.assert_array_equal(got, act_on_image(group, g, X))


def test_a_rotation_is_that_of_the_library():
    """Where no pixel from outside is read: there ours continues the image, and that has zeros."""
    smooth = jnp.zeros((4, 9, 9, 2)).at[:, 3:6, 3:6].set(X[:, 3:6, 3:6])
    angle = 0.3
    c, s = np.cos(angle), np.sin(angle)
    got = read(smooth, matrices((c, s), (-s, c)), NONE)
    wanted = rotate_interpolated(smooth, angle, "cubic")
    limited = jnp.clip(wanted, smooth.min((1, 2), keepdims=True), smooth.max((1, 2), keepdims=True))
    np.testing.assert_allclose(got, limited, atol=1e-6)
    other = read(smooth, matrices((c, -s), (s, c)), NONE)  # the control: the other way
    assert jnp.abs(other - limited).max() > 0.05


def test_a_shift_moves_and_continues_the_edge():
    got = read(X, matrices((1, 0), (0, 1)), jnp.tile(jnp.array([1.0, -2.0]), (4, 1)))
    np.testing.assert_array_equal(got[:, :8, 2:], X[:, 1:, :7])
    np.testing.assert_array_equal(got[:, 8, 2:], X[:, 8, :7])
    np.testing.assert_array_equal(got[:, :8, 0], X[:, 1:, 0])
    far = read(X, matrices((1, 0), (0, 1)), jnp.full((4, 2), 40.0))
    np.testing.assert_array_equal(far, jnp.broadcast_to(X[:, 8:, 8:], X.shape))


def test_no_value_leaves_the_range_of_its_image():
    edge = jnp.zeros((1, 9, 9, 1)).at[:, :, 4:].set(1.0)
    got = read(edge, jnp.eye(2)[None], jnp.full((1, 2), 0.5))
    assert got.min() == 0 and got.max() == 1


def test_nothing_is_the_identity():
    assert Augment()(KEY, X) is X


def test_a_mirror_is_exact_and_half_of_the_images():
    many = jnp.tile(X[:1], (64, 1, 1, 1))
    got = Augment(mirror=True)(KEY, many)
    mirrored = (got == many[:, :, ::-1]).all((1, 2, 3))
    kept = (got == many).all((1, 2, 3))
    assert (mirrored ^ kept).all() and 20 < int(mirrored.sum()) < 44


def test_images_turn_by_angles_of_their_own_all_around():
    dot = jnp.zeros((400, 15, 15, 1)).at[:, 2:5, 6:9].set(1.0)  # above the centre
    turned = np.asarray(Augment(rotate=True)(KEY, dot))[..., 0]
    grid = np.arange(15) - 7
    row, column = (turned.sum(a) @ grid for a in (2, 1))
    angle = np.rad2deg(np.arctan2(-row, column)) % 360
    counts, _ = np.histogram(angle, 8, (0, 360))
    assert counts.min() > 25 and counts.max() < 80  # 50 expected in each
    np.testing.assert_allclose(np.hypot(row, column) / turned.sum((1, 2)), 4, atol=0.3)


def test_stretching_changes_lengths_by_as_much_as_it_says():
    disc = jnp.asarray(np.hypot(*np.mgrid[-10:11, -10:11]) < 4, jnp.float32)
    stretched = Augment(stretch=0.3)(KEY, jnp.tile(disc[None, ..., None], (64, 1, 1, 1)))
    area = np.asarray(stretched.sum((1, 2, 3)) / disc.sum())
    assert np.exp(-0.6) * 0.95 < area.min() < 0.8 and 1.25 < area.max() < np.exp(0.6) * 1.05
    # independent along two axes: the area, and with it the anisotropy, is not the square of one
    assert abs(np.log(area).std() - 0.3 * np.sqrt(2 / 3)) < 0.06


@pytest.mark.parametrize("what", ["stretch", "shift"])
def test_amounts_are_not_negative(what):
    with pytest.raises(ValueError, match=rf"augment\.{what} is -0\.1; it must be 0 or more"):
        Augment(**{what: -0.1})
