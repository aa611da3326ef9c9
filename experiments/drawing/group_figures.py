"""What a plane group is made of: elements, products, and the kernels that it shares and copies."""

from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.patches import Polygon

from gcnn.actions import act_on_space
from gcnn.groups import Group
from gcnn.kernels import lifting_bank

from .lattice import (
    INK,
    PLAIN,
    draw_pixels,
    element_colours,
    embedding,
    frame,
    isometries,
    pixel_offsets,
    pixel_outline,
    text_colour,
)
from .wallpaper import centre_symbol, mark, symmetry_elements

SIGNS = LinearSegmentedColormap.from_list("signs", [PLAIN, "#f3d9c8", "white", "#c9d6ec", INK])
SHADES = LinearSegmentedColormap.from_list(
    "shades", ["#173a70", "#2a93a8", "#8cc084", "#f1d780", "#df8a4c", "#a33b52"]
)


def draw_elements(ax: Axes, group: Group) -> None:
    """A mark about a pixel under every element, with its name; mirrors and the axis of rotation."""
    basis, colours = embedding(group), element_colours(group)
    angle = _between(group)
    at = np.array([-np.sin(angle), np.cos(angle)])
    size = 0.36 if group.order < 8 else 0.25
    shapes = (size * mark() + at) @ np.swapaxes(isometries(group), 1, 2)
    for offset in pixel_offsets(group, 3):
        outline = 0.98 * pixel_outline(basis) + offset @ basis
        ax.add_patch(Polygon(outline[:, ::-1], facecolor="#f4f2ec", edgecolor="none", zorder=0))
    found = symmetry_elements(group)
    for point, along in found.mirrors:
        if np.abs(point).max() < 1e-6:
            ends = np.stack([-1.32 * along, 1.32 * along])
            ax.plot(ends[:, 1], ends[:, 0], color="0.25", lw=0.8, zorder=1)
    for n, centres in found.centres.items():
        if (np.abs(centres).max(axis=1) < 1e-6).any():
            ax.add_patch(centre_symbol((0, 0), n, 0.1))
    for shape, place, colour, name in zip(shapes, isometries(group) @ at, colours, group.names):
        ax.add_patch(Polygon(shape[:, ::-1], facecolor=colour, edgecolor="none", zorder=2))
        y, x = (1 + size + 0.2) * place * [1, 1.12]  # names are wider than high
        ax.text(x, y, name, ha="center", va="center", fontsize=6.5, color="0.15")
    frame(ax, 1.85)


def _between(group: Group) -> float:
    """An angle whose images under the group lie as far apart as can be: the first such one."""
    angles = np.deg2rad(np.arange(2, 90, 0.5))
    points = np.stack([-np.sin(angles), np.cos(angles)])  # [(y, x), n]
    distance = np.linalg.norm(isometries(group) @ points - points, axis=1)  # [h, n]
    nearest = np.delete(distance, group.identity, axis=0).min(axis=0, initial=2.0)
    return float(angles[np.argmax(nearest.round(6))])


def draw_table(
    ax: Axes, group: Group, colours: np.ndarray | None = None, *, names: bool = True
) -> None:
    """The Cayley table: row g and column h hold the colour, and if it fits the name, of gh."""
    colours = element_colours(group) if colours is None else colours
    n = group.order
    ax.imshow(colours[group.product], extent=(0, n, n, 0))
    line = 0.7 if n <= 12 else 0
    ax.hlines(range(1, n), 0, n, color="white", lw=line)
    ax.vlines(range(1, n), 0, n, color="white", lw=line)
    ax.set(xlim=(0, n), ylim=(n, 0), aspect="equal")
    labels = group.names if names else ()
    ticks = np.arange(len(labels)) + 0.5
    ax.set_xticks(ticks, labels, fontsize=6.5, rotation=90 if n > 4 else 0)
    ax.set_yticks(ticks, labels, fontsize=6.5)
    ax.tick_params(length=0, pad=2, top=True, labeltop=True, bottom=False, labelbottom=False)
    ax.spines[:].set_visible(False)
    for g, row in enumerate(group.product if n <= 4 else []):
        for h, gh in enumerate(row):
            ax.text(h + 0.5, g + 0.5, group.names[gh], ha="center", va="center", fontsize=6.5,
                    color=text_colour(colours[gh]))  # fmt: skip


def kernel_orbits(group: Group, size: int) -> np.ndarray:
    """Which weights of a kernel are one and the same if the kernel is to be invariant.

    Returns:
      `[*u]`: offsets u and v have the same number if and only if v = gu for an element g. Numbers
      are 0, 1, ... from the centre outwards, and -1 where an orbit leaves the kernel.
    """
    shape = (size,) * group.dim
    index = np.arange(size**group.dim).reshape(shape)
    moved = [act_on_space(group, g, index, range(group.dim)) for g in range(group.order)]
    first = np.min(moved, axis=0)
    inside = pixel_offsets(group, size)
    places = tuple((inside + (size - 1) / 2).astype(int).T)
    radius = np.linalg.norm(inside @ embedding(group), axis=1).round(6)
    order = np.lexsort((first[places], radius))
    numbers = {f: i for i, f in enumerate(dict.fromkeys(first[places][order].tolist()))}
    orbits = np.full(shape, -1)
    orbits[places] = [numbers[f] for f in first[places].tolist()]
    return orbits


def draw_kernel_orbits(ax: Axes, group: Group, size: int) -> None:
    """An invariant kernel: pixels of one colour and number hold one weight."""
    orbits = kernel_orbits(group, size)
    count = orbits.max() + 1
    shades = SHADES(np.linspace(0, 1, count))[:, :3]
    draw_pixels(ax, group, shades[orbits], edge="white")
    basis = embedding(group)
    for offset in pixel_offsets(group, size):
        number = orbits[tuple((offset + (size - 1) / 2).astype(int))]
        y, x = offset @ basis
        ax.text(
            x, y, number, ha="center", va="center", fontsize=5.5, color=text_colour(shades[number])
        )
    frame(ax, size / 2 + 0.1)


def draw_kernel_planes(ax: Axes, group: Group, size: int) -> None:
    """An invariant kernel of a volume, plane by plane of its first axis, from above to below."""
    orbits = kernel_orbits(group, size)
    shades = SHADES(np.linspace(0, 1, max(orbits.max() + 1, 2)))[:, :3]
    basis = embedding(group)[1:, 1:]
    outline = pixel_outline(basis)
    for offset in pixel_offsets(group, size):
        index = tuple((offset + (size - 1) / 2).astype(int))
        at = offset[1:] @ basis + [1.2 * size * index[0], 0]
        number = orbits[index]
        ax.add_patch(Polygon((outline + at)[:, ::-1], fc=shades[number], ec="white", lw=0.6))
        ax.text(at[1], at[0], number, ha="center", va="center", fontsize=6,
                color=text_colour(shades[number]))  # fmt: skip
    middle = 1.2 * size * (size - 1) / 2
    frame(ax, (middle + size / 2 + 0.2, size / 2 + 0.3), (middle, 0))


def sample_kernel(group: Group, size: int) -> np.ndarray:
    """A kernel without symmetry, `[y, x]`: a bright spot and a dark one, beside the centre."""
    index = np.indices((size, size)).reshape(2, -1).T - (size - 1) / 2
    y, x = (index @ embedding(group)).T * 5 / size
    bright = np.exp(-((y + 1.05) ** 2 + (x - 0.75) ** 2) / 1.1)
    dark = np.exp(-((y - 0.1) ** 2 + (x - 1.25) ** 2) / 0.7) + 0.6 * np.exp(
        -(y**2 + (x + 0.7) ** 2)
    )
    return (bright - dark).reshape(size, size)


def draw_copies(ax: Axes, group: Group, size: int) -> None:
    """One kernel of a lifting layer in its |H| copies: slot h of the bank, framed in h's colour."""
    weight = sample_kernel(group, size)[:, :, None, None].astype(np.float32)
    bank = np.asarray(lifting_bank(group, jnp.asarray(weight)))[:, :, 0, :, 0]  # [y, x, h]
    shades = SIGNS(0.5 + 0.5 * bank / np.abs(bank).max())[..., :3]
    columns = int(np.ceil(np.sqrt(group.order)))
    step, tall = 1.35 * size, 1.5 * size
    for h, (name, colour) in enumerate(zip(group.names, element_colours(group))):
        y, x = (h // columns) * tall, (h % columns) * step
        draw_pixels(ax, group, shades[:, :, h], (y, x), border=colour, width=3)
        ax.text(x, y - 0.58 * size, name, ha="center", va="bottom", fontsize=6)
    rows = -(-group.order // columns)
    half = max(rows * tall, columns * step) / 2
    frame(ax, half, ((rows - 1) * tall / 2 - 0.09 * size, (columns - 1) * step / 2))


def draw_row(axes: Sequence[Axes], group: Group) -> None:
    """Four figures of a group: elements, products, shared weights, and copies of a kernel."""
    draw_elements(axes[0], group)
    draw_table(axes[1], group)
    draw_kernel_orbits(axes[2], group, 7)
    draw_copies(axes[3], group, 5)
    orbits = kernel_orbits(group, 7)
    axes[0].set_title(group.name, loc="left", fontsize=12, weight="bold")
    axes[2].set_title(f"{(orbits >= 0).sum()} pixels, {orbits.max() + 1} weights", fontsize=8)
    axes[3].set_title(f"{group.order} x the same kernel", fontsize=8)
