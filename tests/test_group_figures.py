"""The atlas of groups: what it draws is the group's own, and counts what it should."""

import itertools

import numpy as np
import pytest
from matplotlib.figure import Figure

from experiments.drawing import group_figures, lattice, solid, stereogram, turned_field, wallpaper
from gcnn import actions, groups, kernels, representations

from .cases import SKEWED
from .test_groups_named import CLASSES, named

SQUARE = [getattr(groups, n)() for n in ("p1", "p2", "pm", "pmm", "cm", "cmm", "p4", "p4m")]
HEXAGONAL = [getattr(groups, n)() for n in ("p3", "p3m1", "p31m", "p6", "p6m")]
PLANE = [*SQUARE, *HEXAGONAL, SKEWED["sheared"]]
SPACE = [*map(named, CLASSES), SKEWED["fcc"]]


def every(cases):
    return pytest.mark.parametrize("group", cases, ids=lambda g: g.name)


def axes():
    return Figure().add_subplot()


@every([*PLANE, *SPACE])
def test_elements_are_isometries_of_the_lattice_that_is_drawn(group):
    moves = lattice.isometries(group)
    assert np.abs(moves @ moves.swapaxes(1, 2) - np.eye(group.dim)).max() < 1e-12
    np.testing.assert_allclose(moves[:, None] @ moves, moves[group.product], atol=1e-12)


def test_pixels_are_squares_or_hexagons_where_they_should_be():
    for group in SQUARE:
        np.testing.assert_allclose(lattice.embedding(group), np.eye(2), atol=1e-12)
    for group in HEXAGONAL:
        np.testing.assert_allclose(lattice.embedding(group), groups.hexagonal_basis(), atol=1e-12)
    for group, area, corners in ((groups.p4(), 1, 4), (groups.p6(), np.sqrt(3) / 2, 6)):
        outline = lattice.pixel_outline(lattice.embedding(group))
        y, x = outline.T
        assert abs(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1))) / 2 == pytest.approx(area)
        assert len({tuple(v) for v in outline.round(9) + 0.0}) == corners
    # control: on square pixels, r60 would be a shear
    r60 = groups.p6().matrices[1]
    assert np.abs(r60 @ r60.T - np.eye(2)).max() > 0.5


def test_colours_tell_elements_apart():
    for group in PLANE:
        colours = lattice.element_colours(group)
        apart = np.abs(colours[:, None] - colours).max(axis=2) + np.eye(group.order)
        assert apart.min() > 0.05
    assert lattice.text_colour(np.ones(3)) == "0.1" and lattice.text_colour(np.zeros(3)) == "white"


def burnside(matrices, u):
    return np.mean([(u @ g.T == u).all(axis=1).sum() for g in matrices])


@pytest.mark.parametrize("size", [4, 5, 7])
@every([*PLANE, groups.full_octahedral(), groups.d3h()])
def test_shared_weights_are_the_orbits_that_burnside_counts(group, size):
    if size == 7 and group.dim == 3:
        pytest.skip("as with 5, and slower")
    if size == 4 and actions.skewed_axes(group):
        pytest.skip("the group turns about a pixel, and sides are odd")
    orbits = group_figures.kernel_orbits(group, size)
    for g in range(group.order):
        np.testing.assert_array_equal(
            actions.act_on_space(group, g, orbits, range(group.dim)), orbits
        )
    scalar, shape = representations.trivial(group), (size,) * group.dim
    count = orbits.max() + 1
    assert count == burnside(group.matrices, lattice.pixel_offsets(group, size))
    assert count == kernels.KernelSpace(scalar, scalar, shape).dimension
    assert set(orbits.ravel().tolist()) - {-1} == set(range(count))


def test_a_wrong_action_has_other_orbits():
    u = lattice.pixel_offsets(groups.p6(), 7)
    right = group_figures.kernel_orbits(groups.p6(), 7)
    assert right.max() + 1 == burnside(groups.p6().matrices, u) == 7
    # as if the pixels of the hexagon were turned like those of a square
    assert burnside(groups.p4().matrices, u) == 10
    assert (np.rot90(right) != right).any()


@every(PLANE)
def test_marks_have_the_room_they_are_said_to_have(group):
    p, room = wallpaper.place(group)
    shifts = np.array(list(itertools.product(range(-3, 4), repeat=2)))
    images = (group.matrices @ p)[:, None] + shifts
    distance = np.linalg.norm((images.reshape(-1, 2) - p) @ lattice.embedding(group), axis=1)
    assert sorted(distance)[0] == 0 and sorted(distance)[1] == pytest.approx(2 * room)
    assert np.linalg.norm(wallpaper.mark(), axis=1).max() == pytest.approx(1)


CENTRES = {  # of each order, in a cell of the lattice: International Tables A, wallpaper groups
    "p1": {}, "pm": {}, "cm": {}, "p2": {2: 4}, "pmm": {2: 4}, "cmm": {2: 4},
    "p4": {2: 2, 4: 2}, "p4m": {2: 2, 4: 2}, "p3": {3: 3}, "p3m1": {3: 3}, "p31m": {3: 3},
    "p6": {2: 3, 3: 2, 6: 1}, "p6m": {2: 3, 3: 2, 6: 1},
}  # fmt: skip


@every([*SQUARE, *HEXAGONAL])
def test_centres_of_rotation(group):
    found = wallpaper.symmetry_elements(group).centres
    in_cell = {n: {tuple(c) for c in (centres % 1).round(3) % 1} for n, centres in found.items()}
    assert {n: len(c) for n, c in in_cell.items()} == CENTRES[group.name]


def across(points, line):
    """The mirror images of points in a line."""
    through, along = line
    return 2 * (through + ((points - through) @ along)[:, None] * along) - points


def preserved(move, group):
    """Whether a motion of the plane maps the orbit of a general point onto itself."""
    basis, orbit = lattice.embedding(group), group.matrices @ [0.1234, 0.3145]
    offsets = move(orbit @ basis) @ np.linalg.inv(basis)
    apart = offsets[:, None] - orbit  # of an image from all others: by a translation from one
    return bool((np.abs(apart - apart.round()).max(axis=2).min(axis=1) < 1e-6).all())


@every(PLANE)
def test_mirrors_are_symmetries_of_the_pattern_and_glides_are_no_mirrors(group):
    found = wallpaper.symmetry_elements(group)
    has_mirrors = bool((np.linalg.det(group.matrices) < 0).any())
    assert (len(found.mirrors) > 0) == has_mirrors
    assert (len(found.glides) > 0) == (has_mirrors and group.name not in ("pm", "pmm"))
    for line in found.mirrors:
        assert preserved(lambda points, line=line: across(points, line), group)
    for line in found.glides:  # the control: a line that must not be drawn as a mirror
        assert not preserved(lambda points, line=line: across(points, line), group)


def test_p3m1_and_p31m_differ_in_the_centres_that_lie_on_mirrors():
    shares = []
    for group in (groups.p3m1(), groups.p31m()):
        found = wallpaper.symmetry_elements(group)
        centres = found.centres[3] @ lattice.embedding(group)
        images = np.stack([across(centres, line) for line in found.mirrors])
        shares.append(np.mean((np.abs(images - centres).max(axis=2) < 1e-6).any(axis=0)))
    assert shares[0] == 1 and 0 < shares[1] < 0.5


@every(SPACE)
def test_axes_hold_every_rotation(group):
    proper = sum(np.linalg.det(m) > 0 for m in group.matrices)
    axes = stereogram.axes_of(group)
    assert sum(axis.order - 1 for axis in axes) == proper - 1
    mirrors = [m for m in group.matrices if np.linalg.det(m) < 0 and np.trace(m) == 1]
    normals = stereogram.mirror_normals(group)
    assert len(normals) == len(mirrors)
    assert len({tuple(n) for n in normals.round(6) + 0.0}) == len(mirrors)


def test_the_axes_of_the_cube_and_of_the_tetrahedron():
    def kinds(group):
        return sorted((axis.order, axis.improper) for axis in stereogram.axes_of(group))

    assert kinds(groups.full_octahedral()) == [(2, 1)] * 6 + [(3, 3)] * 4 + [(4, 4)] * 3
    assert kinds(groups.full_tetrahedral()) == [(2, 4)] * 3 + [(3, 1)] * 4
    assert kinds(groups.c3h()) == [(3, 6)] and kinds(groups.cs()) == []


@every(SPACE)
def test_the_point_of_a_stereogram_is_general(group):
    images = (lattice.isometries(group) @ stereogram.general_point(group)).round(6)
    assert len({tuple(v) for v in images.tolist()}) == group.order
    assert np.linalg.norm(stereogram.project(images), axis=1).max() <= 1


@every([groups.c4(), groups.s4(), groups.full_octahedral(), groups.d3h()])
def test_marks_on_a_solid_lie_on_its_faces(group):
    faces, copies = solid.faces(group), solid.marks(group)
    assert len(faces) == (8 if actions.skewed_axes(group) else 6)
    for copy in copies:
        centre = faces[copy.face].mean(axis=0)
        np.testing.assert_allclose((copy.outline - centre) @ centre, 0, atol=1e-9)  # on the face
    outlines = {tuple(copy.outline.mean(axis=0).round(6)) for copy in copies}
    assert len(outlines) == len(copies) and len(copies) % group.order == 0
    assert {copy.face for copy in copies} == set(range(len(faces)))


def test_sources_are_where_maps_come_from():
    group = groups.p4m()
    field = np.random.default_rng(0).normal(size=(1, 5, 5, group.order, 1))
    for g in range(group.order):
        moved = actions.act_on_image(group, g, field[..., turned_field.sources(group, g), 0])
        np.testing.assert_array_equal(moved, actions.act_on_regular(group, g, field)[..., 0])
    backwards = field[..., group.product[1], 0]  # gh in place of g⁻¹h
    moved = actions.act_on_image(group, 1, backwards)
    assert (moved != actions.act_on_regular(group, 1, field)[..., 0]).any()


@every([groups.p4(), groups.p6m(), SKEWED["sheared"]])
def test_a_row_of_the_atlas(group):
    row = [axes() for _ in range(4)]
    group_figures.draw_row(row, group)
    drawn = np.asarray(row[1].images[0].get_array())  # [g, h, 3]
    for line in (*drawn, *drawn.swapaxes(0, 1)):  # a Latin square: each colour once
        assert len({tuple(c) for c in line.round(6)}) == group.order
    assert [t.get_text() for t in row[1].get_yticklabels()] == list(group.names)
    numbers = {t.get_text() for t in row[2].texts}
    assert len(numbers) == group_figures.kernel_orbits(group, 7).max() + 1
    assert len(row[3].collections) == 2 * group.order  # a border and a kernel for each element
    paper = axes()
    wallpaper.draw_wallpaper(paper, group)
    assert len(paper.collections) >= group.order


def test_figures_of_space_and_of_fields_are_drawn():
    group = groups.d3h()
    disc, cube, planes = axes(), axes(), axes()
    stereogram.draw_stereogram(disc, group)
    solid.draw_solid(cube, group)
    group_figures.draw_kernel_planes(planes, group, 3)
    assert len(planes.texts) == actions.preserved_pixels(group, (3, 3, 3)).sum()
    assert len(cube.patches) == len(solid.faces(group)) + len(solid.marks(group))
    assert len(disc.lines) == len(stereogram.mirror_normals(group)) - 1  # one is the rim
    strip, p6 = axes(), groups.p6()
    image, field = np.ones((5, 5)), np.zeros((5, 5, 6))
    width = turned_field.draw_field(strip, p6, image, field, range(6), names=True)
    assert width > 7 * turned_field.extent(p6, 5)[1]
    assert [t.get_text() for t in strip.texts] == list(p6.names)
