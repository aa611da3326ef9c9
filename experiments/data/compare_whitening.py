"""The table of README.md: what fitting the whitening on the orbit of the images does.

python -m experiments.data.compare_whitening PATH
"""

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gcnn import groups
from gcnn.actions import act_on_image

from . import cifar10, whitening

_MOVED = 100  # test images behind each error


def compare(
    train: NDArray[np.uint8], test: NDArray[np.uint8]
) -> dict[str, tuple[float, float, float]]:
    """For a fit on the images, and on their orbits under p4 and p4m, on test images:

    the largest ‖z(g·x) - g·z(x)‖ / ‖z(x)‖ over p4m, of 100 images; the standard deviation of all
    values; the largest value there is.
    """
    table = {}
    p4m, x = groups.p4m(), test[:_MOVED]
    for group in (groups.p1(), groups.p4(), p4m):
        whiten = whitening.fit(train, group)
        z, white = whiten(x), whiten(test)
        moved = [
            np.linalg.norm(whiten(act_on_image(p4m, g, x)) - act_on_image(p4m, g, z))
            for g in range(p4m.order)
        ]
        error = max(moved) / np.linalg.norm(z)
        table[group.name] = (float(error), float(white.std()), float(np.abs(white).max()))
    return table


if __name__ == "__main__":
    splits = cifar10.load(Path(sys.argv[1]))
    for name, (error, std, largest) in compare(
        splits["train"].images, splits["test"].images
    ).items():
        print(f"| {name} | {error:.1e} | {std:.2f} | {largest:.0f} |")
