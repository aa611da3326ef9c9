"""What the window of each pixel sees, side by side."""

import numpy as np

from ..actions import AnyArray, preserved_pixels
from ..groups import Group
from ._window import Pads, Window


def windows(group: Group, window: Window, pads: Pads, x: AnyArray, first: int) -> AnyArray:
    """What the window of each pixel sees, on an axis u behind those of space: `[*space, u, ...]`.

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
    x = xp.pad(x, (*((0, 0),) * first, *pads, *rest), mode=mode)
    taps = np.argwhere(preserved_pixels(group, window.size)) * window.dilation
    views = [
        x[(*(slice(None),) * first, *(slice(a, a + n) for a, n in zip(tap, sides, strict=True)))]
        for tap in taps.tolist()
    ]
    return xp.stack(views, axis=first + group.dim)
