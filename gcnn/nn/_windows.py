"""What the window of each pixel sees, side by side."""

import numpy as np

from ..actions import AnyArray, preserved_pixels, take_slots
from ..groups import Group
from ._window import Pads, Window


def windows(group: Group, window: Window, pads: Pads, x: AnyArray, first: int) -> AnyArray:
    """What the window of each pixel sees, on an axis u behind those of space: `[*space, u, ...]`.

    One axis of space after the other, so that a compiler has the sum of a window's sides to deal
    with, not their product; slices alone, so that no gradient has a scatter-add.

    Args:
      group: the group.
      window: the window.
      pads: (lo, hi) of every space axis.
      x: an array of NumPy or JAX.
      first: the first of its space axes.
    """
    xp, sides = x.__array_namespace__(), x.shape[first : first + group.dim]
    rest = ((0, 0),) * (x.ndim - first - group.dim)
    mode = "wrap" if window.padding == "CIRCULAR" else "constant"
    u = first + group.dim
    x = xp.expand_dims(xp.pad(x, (*((0, 0),) * first, *pads, *rest), mode=mode), u)
    steps = zip(sides, window.size, window.dilation, strict=True)
    for axis, (n, k, d) in reversed(list(enumerate(steps, first))):
        before = (slice(None),) * axis
        views = [x[(*before, slice(tap, tap + n))] for tap in range(0, k * d, d)]
        x = xp.stack(views, axis=u)
        x = x.reshape(*x.shape[:u], -1, *x.shape[u + 2 :])  # this axis' taps before later ones'
    kept = np.flatnonzero(preserved_pixels(group, window.size))
    return take_slots(x, kept.tolist(), u)
