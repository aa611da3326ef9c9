"""The lattice of a group as it lies in space, with pixels of their true shape.

Drawings are in image coordinates, (y, x) with y downwards: `frame` turns the axes of a figure so.
"""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.colors import LinearSegmentedColormap

from gcnn.actions import preserved_pixels
from gcnn.groups import Group

INK, PLAIN, GREY = "#1f4e9c", "#c2571a", "#9aa0a6"
# Angles on a circle: at 0° the blue of all figures, opposite to it their orange.
_CIRCLE = LinearSegmentedColormap.from_list(
    "circle", [INK, "#2a93a8", "#4f9d4a", PLAIN, "#b83d6b", "#7a4fa8", INK]
)


def embedding(group: Group) -> np.ndarray:
    """Steps in space along the array axes, `[i, d]`: row i is the vector that axis i steps along.

    The pixel at offset p lies at p @ basis. Averaging over the group makes a metric that every
    element preserves, gᵀ M g = M for M = Σ_h hᵀ h, and M is taken for basis basisᵀ: the elements
    of any finite group of integer matrices are rotations and mirrors of such a lattice. Of the
    last axis, steps are 1 along the last coordinate, as in `gcnn.groups.hexagonal_basis`.
    """
    metric = np.einsum("hji,hjk->ik", group.matrices, group.matrices)[::-1, ::-1]
    basis = np.linalg.cholesky(metric.astype(np.float64))[::-1, ::-1]
    return basis / basis[-1, -1]


def isometries(group: Group) -> np.ndarray:
    """The elements as rotations and mirrors of space, `[h, d, d]`: orthogonal matrices."""
    basis = embedding(group)
    return basis.T @ group.matrices @ np.linalg.inv(basis.T)


def element_colours(group: Group) -> np.ndarray:
    """A colour for each element of a plane group, `[h, 3]`: its angle as a hue, mirrors pale.

    The angle is that of the image of the x axis: of a rotation its own, of a mirror twice that of
    its line.
    """
    moved = isometries(group) @ [0.0, 1.0]  # [h, (y, x)]
    turns = np.arctan2(-moved[:, 0], moved[:, 1]) / (2 * np.pi) % 1
    strong = _CIRCLE(turns)[:, :3]
    mirrors = np.linalg.det(group.matrices) < 0
    return np.where(mirrors[:, None], 1 - 0.52 * (1 - strong), strong)


def text_colour(colour: np.ndarray) -> str:
    """What can be read on a colour `[3]`: black or white."""
    return "white" if colour @ np.array([0.3, 0.6, 0.1]) < 0.56 else "0.1"


def pixel_offsets(group: Group, size: int) -> np.ndarray:
    """Offsets of the pixels that the group preserves in an array of sides `size`, `[n, d]`."""
    kept = np.argwhere(preserved_pixels(group, (size,) * group.dim))
    return kept - (size - 1) / 2


def pixel_outline(basis: np.ndarray) -> np.ndarray:
    """The corners of a pixel of the plane, `[k, (y, x)]`: all points that are nearest to it.

    They are equally far from the pixel and from two neighbours that follow each other around it:
    a square has four, a hexagon six, of which some coincide in the square.
    """
    around = np.array([[1, 0], [0, 1], [-1, 1]]) @ basis
    around = np.concatenate([around, -around])
    around = around[np.argsort(np.arctan2(around[:, 0], around[:, 1]))]
    pairs = np.stack([around, np.roll(around, -1, axis=0)], axis=1)  # [k, 2, (y, x)]
    return np.linalg.solve(pairs, (pairs**2).sum(axis=2, keepdims=True) / 2)[..., 0]


def draw_pixels(
    ax: Axes,
    group: Group,
    colours: np.ndarray,
    centre: tuple[float, float] = (0.0, 0.0),
    scale: float = 1.0,
    *,
    edge: object = "face",
    border: object = None,
    width: float = 4.0,
) -> None:
    """Draw an array of colours `[y, x, 3]`, as pixels of the lattice about a point (y, x).

    Pixels that the group does not preserve are left out: of an array under p6, a hexagon remains.
    A `border` is the colour of a line around all of them, of half the `width` in points.
    """
    size = len(colours)
    offsets = pixel_offsets(group, size)
    basis = embedding(group)
    corners = (offsets @ basis)[:, None] + pixel_outline(basis)  # [n, k, (y, x)]
    places = (offsets + (size - 1) / 2).astype(int)
    faces = colours[tuple(places.T)]
    polygons = list((scale * corners + np.asarray(centre))[..., ::-1])
    if border is not None:
        ax.add_collection(
            PolyCollection(polygons, facecolors=[border], edgecolors=[border], lw=width)
        )
    ax.add_collection(PolyCollection(polygons, facecolors=faces, edgecolors=edge, lw=0.4))


def frame(
    ax: Axes, half: float | tuple[float, float], centre: tuple[float, float] = (0, 0)
) -> None:
    """Show what lies within `half` of a point (y, x), y downwards, without ticks and box."""
    tall, wide = half if isinstance(half, tuple) else (half, half)
    ax.set(
        xlim=(centre[1] - wide, centre[1] + wide),
        ylim=(centre[0] + tall, centre[0] - tall),
        aspect="equal",
    )
    ax.set_axis_off()
