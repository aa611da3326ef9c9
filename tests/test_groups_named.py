"""The groups by name: the 13 symmorphic wallpaper groups, the 32 crystal classes, lattices."""

import numpy as np
import pytest
from flax import nnx

from gcnn import actions, groups, nn, verify
from gcnn.groups import Group

from .test_groups import check_names, check_table

# Order, conjugacy classes, mirrors, whether the inversion is there, and rotations by 180, 120, 90
# and 60 degrees: from the character tables, for the 32 crystal classes.
CLASSES = {
    "p1": (1, 1, 0, False, (0, 0, 0, 0)),
    "ci": (2, 2, 0, True, (0, 0, 0, 0)),
    "c2": (2, 2, 0, False, (1, 0, 0, 0)),
    "cs": (2, 2, 1, False, (0, 0, 0, 0)),
    "c2h": (4, 4, 1, True, (1, 0, 0, 0)),
    "d2": (4, 4, 0, False, (3, 0, 0, 0)),
    "c2v": (4, 4, 2, False, (1, 0, 0, 0)),
    "d2h": (8, 8, 3, True, (3, 0, 0, 0)),
    "c4": (4, 4, 0, False, (1, 0, 2, 0)),
    "s4": (4, 4, 0, False, (1, 0, 0, 0)),
    "c4h": (8, 8, 1, True, (1, 0, 2, 0)),
    "d4": (8, 5, 0, False, (5, 0, 2, 0)),
    "c4v": (8, 5, 4, False, (1, 0, 2, 0)),
    "d2d": (8, 5, 2, False, (3, 0, 0, 0)),
    "d4h": (16, 10, 5, True, (5, 0, 2, 0)),
    "c3": (3, 3, 0, False, (0, 2, 0, 0)),
    "s6": (6, 6, 0, True, (0, 2, 0, 0)),
    "d3": (6, 3, 0, False, (3, 2, 0, 0)),
    "c3v": (6, 3, 3, False, (0, 2, 0, 0)),
    "d3d": (12, 6, 3, True, (3, 2, 0, 0)),
    "c6": (6, 6, 0, False, (1, 2, 0, 2)),
    "c3h": (6, 6, 1, False, (0, 2, 0, 0)),
    "c6h": (12, 12, 1, True, (1, 2, 0, 2)),
    "d6": (12, 6, 0, False, (7, 2, 0, 2)),
    "c6v": (12, 6, 6, False, (1, 2, 0, 2)),
    "d3h": (12, 6, 4, False, (3, 2, 0, 0)),
    "d6h": (24, 12, 7, True, (7, 2, 0, 2)),
    "tetrahedral": (12, 4, 0, False, (3, 8, 0, 0)),
    "pyritohedral": (24, 8, 3, True, (3, 8, 0, 0)),
    "octahedral": (24, 5, 0, False, (9, 8, 6, 0)),
    "full_tetrahedral": (24, 5, 6, False, (3, 8, 0, 0)),
    "full_octahedral": (48, 10, 9, True, (9, 8, 6, 0)),
}
CUBIC = tuple(CLASSES)[-5:]
PRISM = tuple(CLASSES)[15:27]


def named(name: str) -> Group:
    return groups.p1(3) if name == "p1" else getattr(groups, name)()


def described(group: Group) -> tuple:
    sense = np.round(np.linalg.det(group.matrices)).astype(int)
    trace = np.trace(group.matrices, axis1=1, axis2=2)
    turns = tuple(int(((sense == 1) & (trace == t)).sum()) for t in (-1, 0, 1, 2))
    mirrors = int(((sense == -1) & (trace == 1)).sum())
    inversion = bool(((sense == -1) & (trace == -3)).any())
    return group.order, len(group.conjugacy_classes), mirrors, inversion, turns


@pytest.mark.parametrize("name", CLASSES)
def test_the_crystal_classes_are_those_of_the_textbook(name):
    group = named(name)
    assert described(group) == CLASSES[name]
    assert named(name) is group  # made once
    check_table(group)
    check_names(group)


def test_the_descriptions_tell_all_classes_apart():
    assert len(CLASSES) == len(set(CLASSES.values())) == 32


LATTICE_OF = {
    "p1": "RECTANGULAR", "p2": "RECTANGULAR", "pm": "RECTANGULAR", "pmm": "RECTANGULAR",
    "cm": "SQUARE", "cmm": "SQUARE", "p4": "SQUARE", "p4m": "SQUARE", "p3": "HEXAGONAL",
    "p3m1": "HEXAGONAL", "p31m": "HEXAGONAL", "p6": "HEXAGONAL", "p6m": "HEXAGONAL",
}  # fmt: skip


def test_the_symmorphic_wallpaper_groups_are_thirteen_and_have_their_lattice():
    """Thirteen classes of point groups up to a change of basis, told by what they do mod 2 and 3.

    A change of basis keeps the orbits of sublattices: the numbers of vectors mod n that each
    element fixes. They tell pm from cm, and p3m1 from p31m.
    """
    seen = set()
    for name, lattice in LATTICE_OF.items():
        group = getattr(groups, name)()
        groups.check_lattice(group, getattr(groups, lattice))
        fixed = []
        for m in group.matrices:
            counts = []
            for n in (2, 3):
                v = np.indices((n, n)).reshape(2, -1)
                counts.append(int(((m @ v - v) % n == 0).all(axis=0).sum()))
            fixed.append((int(np.trace(m)), *counts))
        seen.add(tuple(sorted(fixed)))
    # p3m1 and p31m differ as a whole: mod 3, the vectors that all elements fix
    assert len(seen) == 12
    all_fixed = []
    for name in ("p3m1", "p31m"):
        v = np.indices((3, 3)).reshape(2, -1)
        moved = getattr(groups, name)().matrices @ v - v
        all_fixed.append(int((moved % 3 == 0).all(axis=(0, 1)).sum()))
    assert sorted(all_fixed) == [1, 3]


def test_p3m1_has_its_mirrors_between_neighbours_and_p31m_along_them():
    """Every mirror of p31m leaves a neighbour where it is, none of p3m1 does."""
    neighbours = np.array([(1, 0), (0, 1), (-1, 1), (-1, 0), (0, -1), (1, -1)]).T
    for name, count in (("p31m", 2), ("p3m1", 0)):
        for m in getattr(groups, name)().matrices[3:]:
            assert (m @ neighbours == neighbours).all(axis=0).sum() == count


def test_hexagonal_elements_are_the_rotations_and_mirrors_that_their_names_tell():
    """In the plane, y downwards: r60 is counter-clockwise, and m the mirror x ↦ -x."""
    basis = groups.hexagonal_basis()  # rows (y, x)
    for name in ("p3", "p3m1", "p31m", "p6", "p6m"):
        group = getattr(groups, name)()
        mirror = np.diag([-1.0, 1.0] if name == "p31m" else [1.0, -1.0])
        for word, m in zip(group.names, group.matrices, strict=True):
            t = np.radians(int(word.partition("r")[2] or 0))
            # seen with y downwards, counter-clockwise turns x (right) towards -y (up)
            turn = np.array([[np.cos(t), -np.sin(t)], [np.sin(t), np.cos(t)]])
            expected = mirror @ turn if word[0] == "m" else turn
            in_plane = basis.T @ m @ np.linalg.inv(basis.T)
            np.testing.assert_allclose(in_plane, expected, atol=1e-12, err_msg=word)
    up = np.array([[0, -1], [1, 0]]) @ np.array([0, 1])
    np.testing.assert_array_equal(up, [-1, 0])


METRICS = {
    "CUBIC": [*CUBIC, "d4h"],
    "TETRAGONAL": ["d4h", "d2d", "c4h", "s4", "d2h"],
    "ORTHORHOMBIC": ["d2h", "c2v", "d2", "ci"],
    "HEXAGONAL_PRISM": list(PRISM),
}


@pytest.mark.parametrize("lattice", METRICS)
def test_a_lattice_has_its_groups(lattice):
    for name in METRICS[lattice]:
        groups.check_lattice(named(name), getattr(groups, lattice))
    spacing = np.diag(np.sqrt(np.diag(groups.ORTHORHOMBIC)))
    groups.check_lattice(groups.d2h(), spacing**2)  # to rounding


@pytest.mark.parametrize(
    ("name", "metric", "message"),
    [
        ("p4", groups.RECTANGULAR, r"r90 = \[\[0, -1\], \[1, 0\]\] of Group\(p4.* no isometry"),
        ("p6", groups.SQUARE, r"The element r60 = .* gᵀMg is \[\[1.0, 1.0\], \[1.0, 2.0\]\]"),
        ("p4", groups.HEXAGONAL, r"The element r90 = .* a subgroup without it, or resample"),
        ("octahedral", groups.TETRAGONAL, r"The element r120\[.* of Group\(O"),
        ("c4", groups.ORTHORHOMBIC, r"The element r90\[1 0 0\] = "),
        ("d6h", groups.CUBIC, r"The element r60\[1 0 0\] = "),
        ("p4", groups.CUBIC, r"is 2 x 2, got shape \(3, 3\)"),
        (
            "p4",
            ((1, 2), (2, 1)),
            "no table of scalar products: it must be symmetric",
        ),
        ("p4", ((1, 1), (0, 1)), "no table of scalar products"),
        ("p4", ((np.nan, 0), (0, 1)), "no table of scalar products"),
    ],
)
def test_a_group_that_a_lattice_lacks_is_refused_with_the_element(name, metric, message):
    with pytest.raises(ValueError, match=message):
        groups.check_lattice(named(name), metric)


def test_a_direct_product_acts_on_axes_of_its_own():
    p4, mirror = groups.p4(), groups.line_mirror()
    product = groups.direct_product(mirror, p4)
    assert product.name == "mirror×p4"
    assert set(product.elements) == set(groups.c4h().elements)
    assert set(groups.direct_product(mirror, groups.p6()).elements) == set(groups.c6h().elements)
    check_table(product)
    x = np.arange(3 * 4 * 5).reshape(3, 4, 5)
    for j in range(4):
        for i in range(2):
            one = actions.act_on_space(mirror, i, x, (0,))
            both = actions.act_on_space(p4, j, one, (1, 2))
            moved = actions.act_on_space(product, 2 * j + i, x, (0, 1, 2))
            np.testing.assert_array_equal(moved, both)
    other = groups.direct_product(p4, mirror)
    assert other.elements != product.elements
    groups.check_lattice(other, np.diag([1, 1, 7]))


@pytest.mark.parametrize("name", ["d2d", "c6v", "pyritohedral"])
def test_layers_in_three_dimensions_are_exact(name):
    group = named(name)
    layer = nn.LiftingConv(group, 1, 2, 3, rngs=nnx.Rngs(0))
    assert verify.integer_certificate(layer, group, (2, 5, 5, 5, 1)).verdict == "exact"
    pool = verify.integer_certificate(
        lambda x: nn.max_pool(group, x, 3, 2, "VALID"), group, (2, *(7,) * 3, group.order, 1)
    )
    assert pool.verdict == "exact"
