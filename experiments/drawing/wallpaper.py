"""A mark under all of a wallpaper group, with the mirrors and centres of the pattern it makes."""

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.patches import Ellipse, Polygon, RegularPolygon

from gcnn.groups import Group

from .lattice import element_colours, embedding, frame, isometries

_NEAR = 1e-5  # coordinates are fractions of a pixel with small denominators, to six digits


def mark() -> np.ndarray:
    """A mark without any symmetry, within the unit disc: the outline of a comma, `[k, (y, x)]`."""
    turn = np.linspace(0, 1, 40)
    angle = -2.4 * turn + 0.4
    spine = np.stack([0.28 - 0.82 * np.sin(angle), 0.46 - 0.82 * np.cos(angle)], axis=1)
    along = np.gradient(spine, axis=0)
    across = along[:, ::-1] * [1, -1] / np.linalg.norm(along, axis=1, keepdims=True)
    width = (0.42 * np.sqrt(1 - turn) * (0.55 + 0.45 * (1 - turn)))[:, None]
    head = np.linspace(0, np.pi, 24)[1:-1, None]
    cap = spine[0] + width[0] * (np.cos(head) * across[0] - np.sin(head) * _unit(along[0]))
    outline = np.concatenate([spine + width * across, (spine - width * across)[::-1], cap[::-1]])
    middle = (outline.max(axis=0) + outline.min(axis=0)) / 2
    return (outline - middle) / np.linalg.norm(outline - middle, axis=1).max()


def _unit(v: np.ndarray) -> np.ndarray:
    return v / np.linalg.norm(v)


def place(group: Group, steps: int = 36) -> tuple[np.ndarray, float]:
    """Where a mark has most room among its images under the group, translations included.

    Of a grid of offsets in the cell about the origin, the one whose nearest image is farthest; of
    several, the one nearest to a direction within every sector.

    Returns:
      The offset p, `[d]`, and half of the distance to the nearest image: discs of this radius
      about all images do not meet.
    """
    basis = embedding(group)
    grid = (np.arange(steps) + 0.5) / steps - 0.5
    p = np.array(list(itertools.product(grid, repeat=group.dim)))
    t = np.array(list(itertools.product((-1, 0, 1), repeat=group.dim)))
    images = np.einsum("hij,nj->nhi", group.matrices, p)[:, :, None] + t  # [n, h, t, d]
    distance = np.linalg.norm((images - p[:, None, None]) @ basis, axis=-1)
    itself = (np.arange(group.order)[:, None] == group.identity) & (t == 0).all(axis=1)
    room = np.where(itself, np.inf, distance).min(axis=(1, 2)) / 2
    wanted = np.linalg.norm(p @ basis - 0.4 * np.array([-np.sin(0.26), np.cos(0.26)]), axis=1)
    best = np.lexsort((wanted, -room.round(6)))[0]
    return p[best], float(room[best])


@dataclass(frozen=True)
class SymmetryElements:
    """What a pattern under a plane group G leaves fixed.

    Attributes:
      centres: for each order n of a rotation, the points about which turns by 360°/n are in G,
        and no smaller ones, `[k, (i, j)]`, as offsets in pixels.
      mirrors: lines, `[k, 2, (y, x)]` in the plane: a point, and a unit vector along it.
      glides: likewise, lines of glide reflections that are not mirrors.
    """

    centres: dict[int, np.ndarray]
    mirrors: np.ndarray
    glides: np.ndarray


def symmetry_elements(group: Group, reach: int = 2) -> SymmetryElements:
    """The centres, mirrors and glides of G = Λ ⋊ H, from x ↦ gx + t with t up to `reach`.

    The centre of a rotation is c = (1 - g)⁻¹ t. With t = t∥ + t⊥ along and across the line of a
    mirror g, x ↦ gx + t is a glide by t∥ along the line through t⊥/2. The line is a mirror if some
    t has no t∥, that is, if t⊥ is itself a vector of the lattice.
    """
    basis, e = embedding(group), np.eye(2)
    shifts = np.array(list(itertools.product(range(-reach, reach + 1), repeat=2)))
    proper = np.linalg.det(group.matrices) > 0
    turns = [g for g in group.matrices[proper] if not np.array_equal(g, e)]
    centres = {tuple(c) for g in turns for c in (shifts @ np.linalg.inv(e - g).T).round(6) + 0.0}
    by_order: dict[int, list[tuple[float, ...]]] = {}
    for c in sorted(centres):
        about = [g for g in turns if _is_lattice_vector((e - g) @ c)]
        by_order.setdefault(len(about) + 1, []).append(c)  # with the identity, a cyclic group
    mirrors: dict[tuple[float, ...], np.ndarray] = {}
    glides: dict[tuple[float, ...], np.ndarray] = {}
    for isometry in isometries(group)[~proper]:
        values, vectors = np.linalg.eig(isometry)
        along = np.real(vectors[:, np.argmax(np.real(values))])
        for across in shifts @ basis @ (e - isometry).T / 2:  # t⊥
            is_mirror = _is_lattice_vector(across @ np.linalg.inv(basis))
            line = np.stack([across / 2, along])
            (mirrors if is_mirror else glides)[tuple(line.round(6).ravel().tolist())] = line
    return SymmetryElements(
        {n: np.array(by_order[n]) for n in sorted(by_order)},
        *(np.array(list(lines.values())).reshape(-1, 2, 2) for lines in (mirrors, glides)),
    )


def _is_lattice_vector(v: np.ndarray) -> bool:
    return bool(np.abs(v - v.round()).max() < _NEAR)


def draw_wallpaper(ax: Axes, group: Group) -> None:
    """Draw the mark under all elements and translations, a cell, and the symmetry elements."""
    basis, colours = embedding(group), element_colours(group)
    p, room = place(group)
    half = float(np.clip(5.5 * room, 0.8, 1.25))  # closer to smaller marks
    shapes = (0.88 * room * mark() + p @ basis) @ np.swapaxes(isometries(group), 1, 2)  # [h, k, 2]
    shifts = np.array(list(itertools.product(range(-4, 5), repeat=2))) @ basis
    cell = np.array([[-1, -1], [-1, 1], [1, 1], [1, -1]]) / 2 @ basis
    ax.add_patch(Polygon(cell[:, ::-1], facecolor="#f1ede2", edgecolor="none", zorder=0))
    for shape, colour in zip(shapes, colours):
        copies = (shape + shifts[:, None])[..., ::-1]
        ax.add_collection(PolyCollection(list(copies), facecolors=[colour], linewidths=0, zorder=1))
    frame(ax, half)
    draw_symmetry_elements(ax, group, half, size=0.065 * half)


def draw_symmetry_elements(ax: Axes, group: Group, half: float, size: float) -> None:
    """Mirrors as lines, glides dashed, and centres as the polygons of crystallography."""
    found = symmetry_elements(group, reach=4)
    for lines, style, colour in (
        (found.mirrors, "solid", "0.25"), (found.glides, (0, (4, 3)), "0.5"),
    ):  # fmt: skip
        ends = lines[:, :1] + 9 * np.array([[-1], [1]]) * lines[:, 1:]  # [k, 2, (y, x)]
        ax.add_collection(
            LineCollection(
                list(ends[..., ::-1]), linestyles=[style], colors=colour, lw=0.8, zorder=2
            )
        )
    for n, centres in found.centres.items():
        for y, x in centres @ embedding(group):
            if max(abs(y), abs(x)) < half:
                ax.add_patch(centre_symbol((x, y), n, size))


def centre_symbol(xy: tuple[float, float], n: int, size: float) -> Ellipse | RegularPolygon:
    """The symbol of a rotation axis of order n: a lens for 2, a polygon of n sides from 3 on."""
    style: dict[str, Any] = {
        "facecolor": "0.1",
        "edgecolor": "white",
        "linewidth": 0.6,
        "zorder": 3,
    }
    if n == 2:
        return Ellipse(xy, 1.0 * size, 2.0 * size, **style)
    return RegularPolygon(
        xy, n, radius=1.15 * size, orientation=np.pi / n if n != 3 else np.pi, **style
    )
