"""The stereographic projections of crystallography: a point group of space on one disc."""

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Circle

from gcnn.groups import Group

from .lattice import INK, PLAIN, frame, isometries
from .wallpaper import centre_symbol

_NEAR = 1e-6  # entries are roots of 2, of 3 and fractions


@dataclass(frozen=True)
class Axis:
    """A line that elements turn about.

    Attributes:
      direction: a unit vector along it, (z, y, x).
      order: of the largest rotation about it, 1 if there is none.
      improper: of the largest rotation about it that is in the group with the inversion behind it.
    """

    direction: np.ndarray
    order: int
    improper: int


def axes_of(group: Group) -> list[Axis]:
    """The axes of rotations and rotoinversions of order 2 and more, mirrors (of order 2) left out.

    Every element is R or -R with a rotation R, whose axis is its eigenvector of eigenvalue 1.
    """
    found: dict[tuple[float, ...], list[int]] = {}
    for isometry in isometries(group):
        sign = round(float(np.linalg.det(isometry)))
        rotation = sign * isometry
        angle = np.arccos(np.clip((np.trace(rotation) - 1) / 2, -1, 1))
        order = round(2 * np.pi / angle) if angle > _NEAR else 1
        if order == 1 or (sign < 0 and order == 2):
            continue
        direction = _axis(rotation)
        orders = found.setdefault(tuple(direction.round(6) + 0.0), [1, 1])
        orders[sign < 0] = max(order, orders[sign < 0])
    return [Axis(np.array(d), *orders) for d, orders in found.items()]


def mirror_normals(group: Group) -> np.ndarray:
    """Unit vectors across the mirror planes, `[k, (z, y, x)]`: -g is the rotation by 180°."""
    mirrors = [
        m for m in isometries(group) if np.linalg.det(m) < 0 and abs(np.trace(m) - 1) < _NEAR
    ]
    return np.array([_axis(-m) for m in mirrors]).reshape(-1, 3)


def _axis(rotation: np.ndarray) -> np.ndarray:
    """The axis as a unit vector: away from us, or if it lies in the page down or to the right."""
    values, vectors = np.linalg.eig(rotation)
    axis = np.real(vectors[:, np.argmin(np.abs(values - 1))])
    first = axis[np.flatnonzero(np.abs(axis) > _NEAR)[0]]
    return axis * np.sign(first)


def project(points: np.ndarray) -> np.ndarray:
    """Unit vectors `[..., (z, y, x)]` on the disc, `[..., (x, y)]`, from the pole that is far."""
    return points[..., :0:-1] / (1 + np.abs(points[..., :1]))


def general_point(group: Group) -> np.ndarray:
    """A unit vector (z, y, x) on the near side whose image on the disc stands free.

    Of a grid, the point that is farthest from the rim, from all axes, and from its own images but
    for the one right behind it.
    """
    tilt, turn = np.meshgrid(np.deg2rad(np.arange(12, 84, 2)), np.deg2rad(np.arange(3, 90, 3)))
    points = np.stack([-np.cos(tilt), -np.sin(tilt) * np.sin(turn), np.sin(tilt) * np.cos(turn)])
    points = points.reshape(3, -1).T  # [n, (z, y, x)]
    at = project(points)
    images = project(np.einsum("hij,nj->hni", isometries(group), points))
    symbols = [project(s * axis.direction) for axis in axes_of(group) for s in (1, -1)]
    apart = np.linalg.norm(images - at, axis=2)  # [h, n]
    others = apart.max(axis=1) > _NEAR  # neither the identity nor the mirror behind the disc
    room = apart[others].min(axis=0, initial=2.0)
    for symbol in [np.zeros(2), *symbols]:
        room = np.minimum(room, 1.2 * np.linalg.norm(at - symbol, axis=1))
    room = np.minimum(room, 2 * (1 - np.linalg.norm(at, axis=1)))
    return points[np.argmax(room.round(6))]


def draw_stereogram(ax: Axes, group: Group) -> None:
    """Mirrors as great circles, axes as symbols, and a point under every element.

    The axis z points away from us, as the planes of an array do. A dot lies on the near side, a
    ring on the far one; rotations make blue ones, and elements that reverse the sense of rotation
    orange ones. An axis that turns further with the inversion behind the turn has an open symbol
    around its own, and a white point marks the inversion.
    """
    normals = mirror_normals(group)
    flat = (np.abs(normals[:, 0]) > 1 - _NEAR).any()
    rim = {"lw": 1.7, "ec": "0.2"} if flat else {"lw": 0.7, "ec": "0.7"}
    ax.add_patch(Circle((0, 0), 1, fc="#faf8f3", **rim))
    for n in normals[np.abs(normals[:, 0]) < 1 - _NEAR]:
        across = np.cross([1.0, 0.0, 0.0], n)
        across /= np.linalg.norm(across)
        up = np.cross(n, across)
        t = np.linspace(0, np.pi, 60)[:, None]
        arc = np.cos(t) * across - np.sin(t) * up * np.sign(up[0])
        ax.plot(*project(arc).T, color="0.3", lw=0.8, zorder=1)
    has_inversion = any((m == -np.eye(3)).all() for m in group.matrices)
    axes = axes_of(group)
    for axis in axes:
        in_plane = abs(axis.direction[0]) < _NEAR
        for end in (1, -1) if in_plane else (-1,):
            x, y = project(end * axis.direction)
            _draw_axis(ax, (x, y), axis, has_inversion)
    if has_inversion and not any(axis.direction[0] > 1 - _NEAR for axis in axes):
        ax.add_patch(Circle((0, 0), 0.04, fc="white", ec="0.1", lw=0.8, zorder=4))
    point = general_point(group)
    for isometry in isometries(group):
        image = isometry @ point
        x, y = project(image)
        colour = INK if np.linalg.det(isometry) > 0 else PLAIN
        if image[0] < 0:
            ax.add_patch(Circle((x, y), 0.045, fc=colour, ec="none", zorder=5))
        else:
            ax.add_patch(Circle((x, y), 0.08, fill=False, ec=colour, lw=1.1, zorder=5))
    frame(ax, 1.14)


def _draw_axis(ax: Axes, at: tuple[float, float], axis: Axis, has_inversion: bool) -> None:
    """A filled symbol; within an open one, if the axis turns further with the inversion behind."""
    if axis.improper > axis.order:
        outer = centre_symbol(at, axis.improper, 0.14)
        outer.set(facecolor="white", edgecolor="0.1", linewidth=0.9)
        ax.add_patch(outer)
    if axis.order > 1:
        ax.add_patch(centre_symbol(at, axis.order, 0.09))
    if has_inversion:
        ax.add_patch(Circle(at, 0.03, fc="white", ec="none", zorder=4))
