"""Feature maps as the input moves: maps move with it, and are permuted over the group axis."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from gcnn.groups import Group

from .group_figures import SIGNS
from .lattice import draw_pixels, element_colours, embedding, pixel_offsets, pixel_outline


def sources(group: Group, g: int) -> np.ndarray:
    """Where the maps of g·f come from, `[h]`: (g·f)(p, h) = f(g⁻¹p, g⁻¹h) is map g⁻¹h, moved."""
    return group.product[group.inverse[g]]


def extent(group: Group, size: int) -> tuple[float, float]:
    """The height and the width of an array of sides `size` as it is drawn, in steps of a row."""
    basis = embedding(group)
    reach = np.abs(pixel_offsets(group, size) @ basis).max(axis=0, initial=0.0)
    tall, wide = 2 * (reach + np.abs(pixel_outline(basis)).max(axis=0))
    return float(tall), float(wide)


def draw_field(
    ax: Axes,
    group: Group,
    image: np.ndarray,
    field: np.ndarray,
    came_from: Sequence[int] | np.ndarray,
    *,
    corner: tuple[float, float] = (0.0, 0.0),
    names: bool = False,
) -> float:
    """An image, and to its right its maps, each in a frame of the colour of an element.

    Args:
      ax: where to draw.
      group: the group.
      image: `[y, x]`, 0 for paper and 1 for ink.
      field: `[y, x, h]`, from -1 to 1.
      came_from: `[h]`, the element whose colour frames slot h.
      corner: the upper left corner (y, x), in steps of the lattice.
      names: write the names of the slots above them.

    Returns:
      The width of it all.
    """
    size = len(image)
    tall, wide = extent(group, size)
    y, x = corner[0] + tall / 2, corner[1] + wide / 2
    paper = np.repeat(1 - 0.85 * image[..., None], 3, axis=-1)
    draw_pixels(ax, group, paper, (y, x), border="0.62", width=3)
    step, colours = wide + 0.14 * size, element_colours(group)
    for h, (k, name) in enumerate(zip(came_from, group.names)):
        x = corner[1] + wide / 2 + (h + 1.1) * step
        shades = SIGNS(0.5 + 0.5 * field[:, :, h])[..., :3]
        draw_pixels(ax, group, shades, (y, x), border=colours[k], width=3)
        if names:
            ax.text(x, corner[0] - 0.09 * size, name, ha="center", va="bottom", fontsize=5.5)
    return wide + (group.order + 0.1) * step
