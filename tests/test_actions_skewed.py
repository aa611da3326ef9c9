"""Skewed lattices: the pixels that a group preserves, and how they move, against a dictionary."""

import itertools
import re

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import event, given, settings

from gcnn import actions, groups
from gcnn.groups import Group

from .cases import GROUPS, SKEWED
from .test_actions import check_homomorphism
from .test_groups import brute_force_closure, generator_sets

every_group = pytest.mark.parametrize("group", SKEWED.values(), ids=SKEWED.keys())


def sides(group: Group, n: int = 5) -> tuple[int, ...]:
    """Odd and equal along axes that are skewed, any length along the others."""
    return tuple(n if a in actions.skewed_axes(group) else 4 for a in range(group.dim))


def distinct(*shape: int) -> np.ndarray:
    return np.arange(np.prod(shape), dtype=np.float32).reshape(shape)


def act_by_dictionary(group: Group, g: int, x: np.ndarray) -> np.ndarray:
    """y[p] = x[g⁻¹p] where the whole orbit of p is in the array, and y[p] = x[p] elsewhere.

    Twice the offset from the centre is an integer for even and odd sides alike. Axes that are
    not skewed need no orbit: an element moves them in any case.
    """
    skewed = [a for a in range(group.dim) if a in actions.skewed_axes(group)]
    last = np.array(x.shape) - 1
    value = {tuple(2 * np.array(p) - last): x[p] for p in np.ndindex(x.shape)}

    def apply(h: int, p: tuple[int, ...]) -> tuple[int, ...]:
        return tuple((group.matrices[h] @ np.array(p)).tolist())

    y = np.empty_like(x)
    for p in value:
        stays = all(all(abs(apply(h, p)[a]) <= last[a] for a in skewed) for h in range(group.order))
        source = apply(int(group.inverse[g]), p)
        if not stays:  # the skewed coordinates are left, the others move
            source = tuple(p[a] if a in skewed else source[a] for a in range(group.dim))
        y[tuple((np.array(p) + last) // 2)] = value[source]
    return y


@every_group
def test_elements_move_pixels_as_the_dictionary_says(group):
    for n in (3, 7) if group.dim == 2 else (5,):
        x = distinct(*sides(group, n))
        for g in range(group.order):
            moved = actions.act_on_space(group, g, x, range(group.dim))
            np.testing.assert_array_equal(moved, act_by_dictionary(group, g, x))


def test_the_dictionary_rejects_the_inverse_and_the_moving_corners():
    p6, x = groups.p6(), distinct(5, 5)
    clockwise = actions.act_on_space(p6, 5, x, (0, 1))
    assert not np.array_equal(clockwise, act_by_dictionary(p6, 1, x))
    assert not np.array_equal(x[::-1, ::-1], act_by_dictionary(p6, 3, x))  # turns the corners too


@every_group
def test_the_actions_are_homomorphisms(group):
    space = sides(group)
    check_homomorphism(actions.act_on_image, group, distinct(2, *space, 1))
    check_homomorphism(actions.act_on_regular, group, distinct(1, *space, group.order, 2))


@pytest.mark.parametrize("radius", [1, 2, 3, 4])
def test_under_the_hexagonal_groups_the_pixels_are_a_hexagon(radius):
    """3R² + 3R + 1 pixels at no more than R steps between neighbours; p3 needs the same."""
    i, j = np.indices((2 * radius + 1,) * 2) - radius
    hexagon = np.maximum(abs(i + j), np.maximum(abs(i), abs(j))) <= radius
    assert hexagon.sum() == 3 * radius**2 + 3 * radius + 1
    for name in ("p3", "p3m1", "p31m", "p6", "p6m"):
        kept = actions.preserved_pixels(SKEWED[name], hexagon.shape)
        np.testing.assert_array_equal(kept, hexagon)


@pytest.mark.parametrize("name", GROUPS)
def test_a_group_of_flips_and_transpositions_preserves_every_pixel(name):
    group = GROUPS[name]
    assert actions.skewed_axes(group) == {}
    assert actions.preserved_pixels(group, (3, 4, 5, 6)[: group.dim]).all()
    x = distinct(*(3,) * group.dim)
    assert actions.fill_outside(group, x, range(group.dim), 0) is x


def test_the_largest_set_is_taken():
    """Any larger set that the group preserves would hold a pixel whose orbit leaves the array."""
    for group in (SKEWED["p31m"], SKEWED["fcc"], SKEWED["sheared"]):
        space = sides(group)
        kept = actions.preserved_pixels(group, space)
        radius = np.array(space)[:, None] // 2
        images = group.matrices @ (np.argwhere(kept).T - radius)
        assert (abs(images) <= radius).all()
        assert all(kept[tuple(p)] for g in images for p in (g + radius).T)
        outside = group.matrices @ (np.argwhere(~kept).T - radius)
        assert (abs(outside) > radius).any(axis=(0, 1)).all()


@pytest.mark.parametrize(
    ("name", "skewed", "mirrored", "swapped"),
    [
        ("p3", (0, 1), (0, 1), ((0, 1),)),
        ("p6m", (0, 1), (0, 1), ((0, 1),)),
        ("sheared", (0, 1), (0, 1), ((0, 1),)),
        ("prism", (1, 2), (0, 1, 2), ((1, 2),)),
        ("fcc", (0, 1, 2), (0, 1, 2), ((0, 1), (0, 2), (1, 2))),
    ],
)
def test_axes_are_told_with_a_witness(name, skewed, mirrored, swapped):
    group = SKEWED[name]
    assert tuple(sorted(actions.skewed_axes(group))) == skewed
    assert tuple(sorted(actions.mirrored_axes(group))) == mirrored
    assert tuple(sorted(actions.swapped_axes(group))) == swapped
    for g in actions.skewed_axes(group).values():
        assert (np.abs(group.matrices[g]).sum(axis=1) > 1).any()


def test_axes_stand_anywhere_and_jax_moves_as_numpy_does():
    p6 = groups.p6()
    x = distinct(3, 5, 2, 5)
    for axes in ((1, 3), (3, 1), (-3, -1)):
        moved = actions.act_on_space(p6, 1, x, axes)
        oracle = np.moveaxis(x, axes, (0, 1))
        oracle = actions.act_on_space(p6, 1, np.ascontiguousarray(oracle), (0, 1))
        np.testing.assert_array_equal(np.moveaxis(moved, axes, (0, 1)), oracle)
        on_device = actions.act_on_space(p6, 1, jnp.asarray(x), axes)
        np.testing.assert_array_equal(on_device, moved)
        filled = actions.fill_outside(groups.p31m(), x, axes, -1)
        assert (filled == -1).sum() == 6 * 6  # two corners of 1 + 2 pixels


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "int8", "bool"])
@pytest.mark.usefixtures("strict")
def test_types_stay_what_they_are(dtype):
    x = jnp.asarray(distinct(1, 5, 5, 6, 1) % 100, dtype)
    moved = actions.act_on_regular(groups.p6(), 1, x)
    chex.assert_type(moved, x.dtype)
    there = actions.act_on_regular(groups.p6(), 1, np.asarray(x))
    assert type(there) is np.ndarray
    np.testing.assert_array_equal(np.asarray(moved), there)
    chex.assert_type(actions.fill_outside(groups.p6(), x, (1, 2), 0), x.dtype)


SCATTER = re.compile(r"scatter\(")


def test_the_gradient_is_the_inverse_element_and_holds_no_scatter():
    p6 = groups.p6()
    x, w = (jax.random.normal(jax.random.key(i), (2, 5, 5, 3)) for i in range(2))

    def backwards(f):
        return jax.jit(lambda ct: jax.vjp(f, x)[1](ct)[0]).lower(w).compile()

    compiled = backwards(lambda x: actions.act_on_image(p6, 1, x))
    np.testing.assert_array_equal(compiled(w), actions.act_on_image(p6, 5, w))
    assert not SCATTER.search(compiled.as_text())
    indexed = backwards(lambda x: x[:, np.array([4, 2, 0, 1, 3])])
    assert SCATTER.search(indexed.as_text())


def test_forward_mode_and_batching_go_through():
    p6 = groups.p6()
    x, v = (jax.random.normal(jax.random.key(i), (2, 5, 5, 1)) for i in range(2))

    def turn(x):
        return actions.act_on_image(p6, 1, x)

    np.testing.assert_array_equal(jax.jvp(turn, (x,), (v,))[1], turn(v))
    many = jnp.stack([x, v])
    np.testing.assert_array_equal(jax.vmap(turn)(many), jnp.stack([turn(x), turn(v)]))
    np.testing.assert_array_equal(jax.vjp(jax.vmap(turn), many)[1](many)[0][1], turn_back(v))


def turn_back(x):
    return actions.act_on_image(groups.p6(), 5, x)


@pytest.mark.parametrize(
    ("name", "space", "message"),
    [
        ("p6", (4, 4), r"sides \(4, 4\) .* element r60 of Group\(p6.* axes \(0, 1\).* use 5 along"),
        ("p3", (5, 7), r"sides \(5, 7\) .* element r120 of Group\(p3.* odd and equal: use 7"),
        ("prism", (4, 5, 6), r"sides \(4, 5, 6\) .* skews axes \(1, 2\) .* use 7 along"),
    ],
)
def test_an_array_without_a_pixel_at_its_centre_is_refused(name, space, message):
    group = SKEWED[name]
    for act in (actions.act_on_image, lambda *a: actions.fill_outside(a[0], a[2], (1, 2, 3), 0)):
        if group.dim == 3 or act is actions.act_on_image:
            with pytest.raises(ValueError, match=message):
                act(group, 1, np.ones((1, *space, 1)))
    with pytest.raises(ValueError, match=message):
        actions.preserved_pixels(group, space)


@settings(max_examples=60)
@given(generator_sets)
def test_every_group_of_integer_matrices_acts_on_arrays(generators):
    """In 1, 2 and 3 dimensions: whatever is a group acts, as a homomorphism, by permutations."""
    if brute_force_closure(generators) is None:
        event("no group")
        return
    group = Group.from_generators(generators)
    event(f"d = {group.dim}, order {group.order}, skewed {len(actions.skewed_axes(group))}")
    x = distinct(*sides(group))
    axes = range(group.dim)
    moved = [actions.act_on_space(group, g, x, axes) for g in range(group.order)]
    for g, y in enumerate(moved):
        assert sorted(y.ravel().tolist()) == list(range(x.size))
        for s in group.generators:
            once = moved[group.product[s, g]]
            np.testing.assert_array_equal(actions.act_on_space(group, s, y, axes), once)
    for g in itertools.islice(range(group.order), 0, None, 7):
        np.testing.assert_array_equal(moved[g], act_by_dictionary(group, g, x))


def test_an_axis_is_permuted_by_a_gather_and_so_is_its_gradient():
    x, source = np.arange(24.0, dtype=np.float32).reshape(2, 4, 3), np.array([2, 0, 3, 1])
    np.testing.assert_array_equal(actions.permute_axis(x, source, -2), x[:, source])
    run = jax.jit(lambda x: actions.permute_axis(x, source, 1))
    np.testing.assert_array_equal(run(x), x[:, source])
    gradient = jax.jit(jax.grad(lambda x: jnp.sum(run(x) * x))).lower(x).compile()
    np.testing.assert_array_equal(gradient(x), x[:, source] + x[:, np.argsort(source)])
    assert "scatter(" not in gradient.as_text()
