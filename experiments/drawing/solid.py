"""Marks on the faces of a cube or a hexagonal prism, under a point group of space."""

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Polygon

from gcnn.groups import Group

from .lattice import INK, PLAIN, embedding, isometries, pixel_outline
from .wallpaper import mark


@dataclass(frozen=True)
class Copy:
    """A mark that an element has moved: its outline `[k, (z, y, x)]`, the face, and the element."""

    outline: np.ndarray
    face: int
    element: int


def faces(group: Group) -> list[np.ndarray]:
    """The faces of a voxel, corners `[k, (z, y, x)]` in turn: for planes at right angles to z."""
    basis = embedding(group)
    flat = pixel_outline(basis[1:, 1:])
    flat = flat[np.linalg.norm(flat - np.roll(flat, 1, axis=0), axis=1) > 1e-9]
    half = basis[0, 0] / 2
    lids = [np.insert(flat, 0, z, axis=1) for z in (half, -half)]
    sides = [
        np.array([[-half, *a], [-half, *b], [half, *b], [half, *a]])
        for a, b in zip(flat, np.roll(flat, -1, axis=0))
    ]
    return [*lids, *sides]


def marks(group: Group) -> list[Copy]:
    """A mark on one face of every orbit of faces, and its images under the group."""
    moves, all_faces = isometries(group), faces(group)
    centres = np.array([f.mean(axis=0) for f in all_faces])
    distance = np.linalg.norm((moves @ centres.T)[..., None] - centres.T[:, None], axis=1)
    target = distance.argmin(axis=2)  # [h, face]: where the element carries the face
    copies = []
    for first in range(len(all_faces)):
        if target[:, first].min() < first:
            continue  # an earlier face of its orbit bears the mark
        outline = _mark_on(all_faces[first], moves, group.identity)
        copies += [
            Copy(outline @ m.T, int(t), h) for h, (m, t) in enumerate(zip(moves, target[:, first]))
        ]
    return copies


def _mark_on(face: np.ndarray, moves: np.ndarray, identity: int) -> np.ndarray:
    """The mark where it has most room, from its images and from the edges: `[k, (z, y, x)]`."""
    centre = face.mean(axis=0)
    normal = centre / np.linalg.norm(centre)
    right = face[1] - face[0]
    right /= np.linalg.norm(right)
    down = np.cross(normal, right)
    grid = np.arange(-0.5, 0.5, 0.02) + 0.01
    local = np.stack(np.meshgrid(grid, grid, indexing="ij"), axis=-1).reshape(-1, 2)
    points = centre + local @ np.stack([down, right])
    edges = np.cross(np.roll(face, -1, axis=0) - face, normal)
    edges /= np.linalg.norm(edges, axis=1, keepdims=True)
    inward = -np.einsum("kd,nkd->nk", edges * np.sign((edges * (face - centre)).sum(1))[:, None],
                        points[:, None] - face)  # fmt: skip
    distance = np.linalg.norm(moves @ points.T - points.T, axis=1)
    room = np.minimum(
        np.delete(distance, identity, axis=0).min(axis=0, initial=np.inf) / 2, inward.min(axis=1)
    )
    best = int(np.argmax(room.round(6)))
    return points[best] + 0.9 * room[best] * mark() @ np.stack([down, right])


def draw_solid(ax: Axes, group: Group, turn: float = 28.0, tilt: float = 24.0) -> None:
    """The solid from above, z upwards, its far side shining through.

    Rotations make blue copies of the marks, and elements that reverse the sense of rotation
    orange ones.
    """
    a, b = np.deg2rad([turn, tilt])
    to_screen = np.array([  # (z, y, x) to right, up, towards us; y points away
        [0, np.sin(a), np.cos(a)],
        [np.cos(b), np.cos(a) * np.sin(b), -np.sin(a) * np.sin(b)],
        [np.sin(b), -np.cos(a) * np.cos(b), np.sin(a) * np.cos(b)],
    ])  # fmt: skip
    all_faces = faces(group)
    seen = [to_screen[2] @ f.mean(axis=0) > 0 for f in all_faces]
    colours = [INK if np.linalg.det(m) > 0 else PLAIN for m in group.matrices]
    for near in (False, True):
        for i, face in enumerate(all_faces):
            if seen[i] == near:
                light = 0.9 + 0.08 * abs(to_screen[2] @ face.mean(axis=0)) if near else 0.97
                shade = (light, light, 0.97 * light, 0.82 if near else 1)
                edge, width = ("0.35", 0.9) if near else ("0.8", 0.6)
                ax.add_patch(Polygon(face @ to_screen[:2].T, fc=shade, ec=edge, lw=width))
        for copy in marks(group):
            if seen[copy.face] == near:
                flat = copy.outline @ to_screen[:2].T
                colour = colours[copy.element]
                ax.add_patch(Polygon(flat, fc=colour, ec="none", alpha=1 if near else 0.45))
    reach = max(np.abs(face @ to_screen[:2].T).max() for face in all_faces)
    ax.set(xlim=(-1.05 * reach, 1.05 * reach), ylim=(-1.05 * reach, 1.05 * reach), aspect="equal")
    ax.set_axis_off()
