"""Actions: homomorphisms that only permute entries, and the one that interpolates."""

import itertools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gcnn import actions, groups
from gcnn.groups import Group

from .cases import SKEWED, chosen

HEX = SKEWED["p6"]
CASES = chosen(
    "line", "p1", "p2", "pm", "pmm", "cm", "cmm", "p4", "p4m", "mirror", "quarter", "O"
)  # fmt: skip
every_group = pytest.mark.parametrize("group", CASES.values(), ids=CASES.keys())

IMAGE = {
    "p2": lambda x, i: np.rot90(x, 2 * i, axes=(1, 2)),
    "pm": lambda x, i: np.flip(x, 2) if i else x,
    "cm": lambda x, i: np.swapaxes(x, 1, 2) if i else x,
    "p4": lambda x, i: np.rot90(x, i, axes=(1, 2)),
    "p4m": lambda x, i: np.rot90(np.flip(x, 2) if i // 4 else x, i % 4, axes=(1, 2)),
    "mirror": lambda x, i: np.flip(x, 1) if i else x,
}


def distinct(*shape: int, dtype=np.float32) -> np.ndarray:
    return np.arange(np.prod(shape)).reshape(shape).astype(dtype)


def sides(group: Group) -> tuple[int, ...]:
    """Unequal lengths, even and odd."""
    return (3, 4, 5)[: group.dim]


@pytest.mark.parametrize("size", [(4, 4), (5, 5), (3, 4)], ids=["even", "odd", "not square"])
@pytest.mark.parametrize("name", IMAGE)
def test_on_images_the_elements_are_rot90_and_flips(name, size):
    group = CASES[name]
    x = distinct(2, *size[: group.dim], 3)
    for g in range(group.order):
        np.testing.assert_array_equal(actions.act_on_image(group, g, x), IMAGE[name](x, g))


def test_on_images_turning_the_other_way_is_told_apart():
    x = distinct(1, 4, 4, 1)
    moved = actions.act_on_image(groups.p4(), 1, x)
    assert not np.array_equal(moved, np.rot90(x, -1, axes=(1, 2)))
    assert not np.array_equal(moved, np.rot90(x, 1, axes=(2, 1)))


@pytest.mark.parametrize(
    "dtype", [np.float32, np.float64, jnp.bfloat16, np.int8, np.bool_], ids=lambda t: t.__name__
)
def test_numpy_arrays_of_any_type_stay_what_they_are(dtype):
    group = groups.p4m()
    x = distinct(1, 3, 4, 8, 2, dtype=dtype)
    for g in range(group.order):
        moved = actions.act_on_regular(group, g, x)
        assert type(moved) is np.ndarray
        assert moved.dtype == x.dtype
        oracle = actions.act_on_regular(group, g, x.astype(np.float64))
        np.testing.assert_array_equal(moved.astype(np.float64), oracle)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16, jnp.int32], ids=lambda t: t.__name__)
def test_jax_arrays_move_as_numpy_arrays_do(dtype):
    group = groups.p4m()
    x = distinct(1, 3, 4, 8, 2)
    for g in (0, 1, 6):
        moved = actions.act_on_regular(group, g, jnp.asarray(x, dtype))
        assert isinstance(moved, jax.Array)
        expected = actions.act_on_regular(group, g, np.asarray(x, dtype))
        chex.assert_trees_all_equal(moved, jnp.asarray(expected))
        chex.assert_type(moved, dtype)


def check_homomorphism(act, group: Group, f: np.ndarray) -> None:
    """e·f = f and g·(h·f) = (gh)·f for all pairs."""
    np.testing.assert_array_equal(act(group, group.identity, f), f)
    for g, h in itertools.product(range(group.order), repeat=2):
        once = act(group, int(group.product[g, h]), f)
        np.testing.assert_array_equal(act(group, g, act(group, h, f)), once)


@every_group
def test_every_action_is_a_homomorphism(group):
    space = sides(group)
    check_homomorphism(actions.act_on_image, group, distinct(2, *space, 2))
    check_homomorphism(actions.act_on_regular, group, distinct(2, *space, group.order, 2))
    check_homomorphism(actions.act_on_orbit, group, distinct(2, group.order, 3))
    check_homomorphism(actions.act_on_invariant, group, distinct(2, 3))


def test_the_homomorphism_check_rejects_an_anti_homomorphism():
    def inverted(group, g, f):
        return actions.act_on_orbit(group, int(group.inverse[g]), f)

    check_homomorphism(inverted, groups.p4(), distinct(1, 4, 1))  # p4 is abelian
    with pytest.raises(AssertionError):
        check_homomorphism(inverted, groups.p4m(), distinct(1, 8, 1))


@every_group
def test_actions_are_faithful_where_they_should_be(group):
    """Two elements never move distinct entries alike."""
    f = distinct(1, *(3,) * group.dim, 1)
    moved = {actions.act_on_image(group, g, f).tobytes() for g in range(group.order)}
    assert len(moved) == group.order
    slots = distinct(1, group.order, 1)
    moved = {actions.act_on_orbit(group, g, slots).tobytes() for g in range(group.order)}
    assert len(moved) == group.order


def regular_by_loops(group: Group, g: int, f: np.ndarray) -> np.ndarray:
    """(g·f)(p, h) = f(g⁻¹p, g⁻¹h), p counted from the centre, entry by entry."""
    d = group.dim
    backwards = group.matrices[group.inverse[g]]
    before = np.array(f.shape[1 : 1 + d])
    after = np.abs(group.matrices[g]) @ before
    y = np.empty((f.shape[0], *after, *f.shape[1 + d :]), f.dtype)
    for p in itertools.product(*map(range, after)):
        source = (backwards @ (2 * np.array(p) - (after - 1)) + before - 1) // 2
        for h in range(group.order):
            y[:, *p, h] = f[:, *source, group.product[group.inverse[g], h]]
    return y


@every_group
def test_on_regular_fields_space_and_slots_move_by_the_formula(group):
    f = distinct(2, *sides(group), group.order, 2)
    for g in range(group.order):
        np.testing.assert_array_equal(
            actions.act_on_regular(group, g, f), regular_by_loops(group, g, f)
        )


def test_the_formula_rejects_an_action_on_space_alone():
    f = distinct(1, 4, 4, 4, 1)
    alone = actions.act_on_space(groups.p4(), 1, f, (1, 2))
    assert not np.array_equal(alone, regular_by_loops(groups.p4(), 1, f))


@every_group
def test_the_inverse_takes_space_back(group):
    x = distinct(2, *sides(group), 3)
    axes = range(1, group.dim + 1)
    for g in range(group.order):
        there = actions.act_on_space(group, g, x, axes)
        np.testing.assert_array_equal(
            actions.act_on_space(group, int(group.inverse[g]), there, axes), x
        )


def test_space_axes_may_stand_anywhere_and_count_from_the_end():
    x = distinct(3, 2, 4, 5)
    there = actions.act_on_space(groups.p4(), 1, x, (0, 2))
    np.testing.assert_array_equal(there, np.rot90(x, 1, axes=(0, 2)))
    np.testing.assert_array_equal(actions.act_on_space(groups.p4(), 1, x, (-4, -2)), there)
    swapped = actions.act_on_space(groups.p4(), 1, x, (2, 0))
    np.testing.assert_array_equal(swapped, np.rot90(x, 1, axes=(2, 0)))


def test_the_group_axis_may_stand_anywhere():
    f = distinct(2, 4, 3)
    expected = np.roll(f, 1, axis=1)  # (r90·f)(h) = f(r90⁻¹h)
    for axis in (1, -2):
        np.testing.assert_array_equal(actions.act_on_group_axis(groups.p4(), 1, f, axis), expected)
    assert not np.array_equal(expected, np.roll(f, -1, axis=1))


@pytest.mark.parametrize(
    ("name", "mirrored", "swapped"),
    [
        ("line", (), ()),
        ("p1", (), ()),
        ("p2", (0, 1), ()),
        ("pm", (1,), ()),
        ("pmm", (0, 1), ()),
        ("cm", (), ((0, 1),)),
        ("cmm", (0, 1), ((0, 1),)),
        ("p4", (0, 1), ((0, 1),)),
        ("p4m", (0, 1), ((0, 1),)),
        ("mirror", (0,), ()),
        ("quarter", (1, 2), ((1, 2),)),
        ("O", (0, 1, 2), ((0, 1), (0, 2), (1, 2))),
    ],
)
def test_the_axes_that_a_group_mirrors_and_swaps_are_named_with_a_witness(name, mirrored, swapped):
    group = CASES[name]
    assert tuple(sorted(actions.mirrored_axes(group))) == mirrored
    assert tuple(sorted(actions.swapped_axes(group))) == swapped
    for axis, g in actions.mirrored_axes(group).items():
        assert -1 in group.matrices[g][axis]
        assert all(-1 not in group.matrices[h][axis] for h in range(g))
    for (a, b), g in actions.swapped_axes(group).items():
        m = np.abs(group.matrices[g])
        assert m[a, b] or m[b, a]
        assert not any(np.abs(group.matrices[h])[[a, b], [b, a]].any() for h in range(g))


def test_an_element_that_skews_is_no_signed_permutation():
    with pytest.raises(ValueError, match=r"The element r60 = .* of Group\(p6.*skews the axes"):
        actions.signed_permutation(HEX, 1)


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (
            lambda: actions.act_on_image(groups.p4(), 1, distinct(4, 4, 1)),
            r"Under Group\(p4.*an image is \[b, \*space, c\], of rank 4; got shape \(4, 4, 1\)",
        ),
        (
            lambda: actions.act_on_regular(groups.p4(), 1, distinct(1, 4, 4, 1)),
            r"a regular field is \[b, \*space, h, c\], of rank 5; got shape \(1, 4, 4, 1\)",
        ),
        (
            lambda: actions.act_on_orbit(groups.p4(), 1, distinct(4, 4)),
            r"a function on the point group is \[b, h, c\], of rank 3; got shape \(4, 4\)",
        ),
        (
            lambda: actions.act_on_regular(groups.p4(), 0, distinct(1, 4, 4, 8, 1)),
            r"Axis -2 of an array of shape \(1, 4, 4, 8, 1\) should be the group axis of "
            r"Group\(p4.*of length 4\. Does the field come from a layer of another group\?",
        ),
    ],
    ids=["image", "regular", "orbit", "group axis"],
)
def test_a_field_of_another_kind_is_refused(act, message):
    with pytest.raises(ValueError, match=message):
        act()


@pytest.mark.usefixtures("strict")
def test_exact_actions_promote_nothing():
    group = groups.p4m()
    f = jnp.asarray(distinct(1, 3, 4, 8, 2), jnp.bfloat16)
    chex.assert_shape(actions.act_on_regular(group, 5, f), (1, 4, 3, 8, 2))


# The one action that is not exact.


def blob(n: int = 21) -> jax.Array:
    """A smooth image off the centre, and zero at the border."""
    v, u = np.meshgrid(*(np.linspace(-3, 3, n),) * 2, indexing="ij")
    image = np.exp(-((v - 0.8) ** 2) - 2 * (u + 0.4) ** 2)
    return jnp.asarray(image[None, :, :, None], jnp.float32)


@pytest.mark.parametrize("n", [6, 7])
def test_interpolated_rotation_agrees_with_the_exact_one_at_multiples_of_90_degrees(n):
    x = jnp.asarray(np.random.default_rng(0).normal(size=(2, n, n, 3)), jnp.float32)
    for r in range(4):
        turned = actions.rotate_interpolated(x, r * np.pi / 2)
        exact = actions.act_on_image(groups.p4(), r, x)
        # 1e-5: positions are rounded to about n epsilons, times the difference of neighbours
        np.testing.assert_allclose(turned, exact, atol=1e-5)
        if r % 2:  # the other way round is another image
            clockwise = actions.rotate_interpolated(x, -r * np.pi / 2)
            assert np.abs(clockwise - exact).max() > 0.1


def test_interpolated_rotations_compose_to_interpolation_error():
    x = blob()
    twice = actions.rotate_interpolated(actions.rotate_interpolated(x, 0.3), 0.5)
    once = actions.rotate_interpolated(x, 0.8)
    # bilinear: second derivatives (up to 4) times h²/8 (h = 0.3) for each of two passes
    assert np.abs(twice - once).max() < 0.09
    assert np.abs(actions.rotate_interpolated(x, -0.2) - once).max() > 0.2


def test_interpolated_rotation_blurs_and_so_is_not_exact():
    x = blob()
    turned = actions.rotate_interpolated(actions.rotate_interpolated(x, 0.7), -0.7)
    assert 1e-3 < np.abs(turned - x).max() < 0.1


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16], ids=["float32", "bfloat16"])
def test_interpolated_rotation_keeps_the_type_and_the_shape(dtype):
    x = jnp.ones((2, 5, 6, 3), dtype)
    turned = actions.rotate_interpolated(x, jnp.float32(0.4))
    chex.assert_shape(turned, x.shape)
    chex.assert_type(turned, dtype)
