"""What the figures of the study of segmentation show: images that move, and what the masks do."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np

from gcnn import actions, groups

Network = Callable[[np.ndarray], np.ndarray]  # images [b, y, x, c] to logits [b, y, x, 1]
_rotate = jax.jit(actions.rotate_interpolated)
_warp = jax.jit(actions.warp_interpolated)


def scenes(
    networks: Mapping[str, Network], x: np.ndarray, field: np.ndarray
) -> list[dict[str, Any]]:
    """An image under moves of every kind, and the masks of every network.

    Args:
      networks: by name.
      x: one image `[1, y, x, 1]`.
      field: displacements to warp it by `[1, y, x, 2]`.

    Returns:
      For each move its "title", the moved "image" `[y, x]`, the pixels "inside" which it can be
      judged `[y, x]`, and as "masks" by network the mask of the moved image and the moved mask,
      `[y, x]` each.
    """
    ny, nx = x.shape[1:3]
    far = (ny // 7, nx // 3)  # odd ones, for 64 pixels and for 256
    row, column = (np.arange(n) - (n - 1) / 2 for n in (ny, nx))
    radius = np.hypot(row[:, None], column)
    disc, inner = (radius <= min(ny, nx) / 2 - rim for rim in (0.5, 2.5))
    everywhere = np.ones((ny, nx), bool)

    def roll(a: np.ndarray) -> np.ndarray:
        return np.roll(a, far, axis=(1, 2))

    def turn(a: np.ndarray) -> np.ndarray:
        return actions.act_on_image(groups.p4(), 1, a)

    def rotate(a: np.ndarray) -> np.ndarray:
        return np.asarray(_rotate(a, np.float32(np.deg2rad(30))))

    def warp(a: np.ndarray) -> np.ndarray:
        return np.asarray(_warp(a, field))

    moves: list[tuple[str, Callable[[np.ndarray], np.ndarray], np.ndarray, np.ndarray]] = [
        ("the image", np.copy, everywhere, everywhere),
        (f"shifted by {far}", roll, everywhere, everywhere),
        ("turned by 90°", turn, everywhere, everywhere),
        ("shifted and turned", lambda a: turn(roll(a)), everywhere, everywhere),
        ("turned by 30°", rotate, disc, inner),
        ("warped", warp, everywhere, everywhere),
    ]
    found = []
    for title, move, shown, inside in moves:
        start = x * shown[..., None]
        moved = move(start) * shown[..., None]
        masks = {}
        for name, network in networks.items():
            both = network(moved), move(network(start))
            masks[name] = tuple(y[0, ..., 0] > 0 for y in both)
        image = moved[0, ..., 0]
        found.append({"title": title, "image": image, "inside": inside, "masks": masks})
    return found


def changes(networks: Mapping[str, Network], x: np.ndarray) -> dict[str, np.ndarray]:
    """|T⁻¹ f(T x) - f(x)| of each network `[b, y, x]`, T a shift by (1, 1) and a quarter turn."""
    p4 = groups.p4()
    moved = actions.act_on_image(p4, 1, np.roll(x, (1, 1), axis=(1, 2)))
    found = {}
    for name, network in networks.items():
        back = actions.act_on_image(p4, int(p4.inverse[1]), network(moved))
        found[name] = np.abs(np.roll(back, (-1, -1), axis=(1, 2)) - network(x))[..., 0]
    return found
