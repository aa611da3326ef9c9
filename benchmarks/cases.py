"""What the benchmark measures, as data: a row for each case."""

import dataclasses
import itertools
from typing import Literal

from gcnn import groups
from gcnn.groups import Group

Kind = Literal["layer", "residual block", "3D block", "training step", "inference"]

P4, P4M = groups.p4(), groups.p4m()
# The rotations of the cube: by 90° about its first axis, and by 120° about its diagonal.
CUBE = Group.from_generators(
    [[[1, 0, 0], [0, 0, -1], [0, 1, 0]], [[0, 1, 0], [0, 0, 1], [1, 0, 0]]], "O"
)


@dataclasses.dataclass(frozen=True)
class Case:
    """One thing to measure, ours and plain: the plain one has |H|·fields channels.

    Attributes:
      kind: a group convolution with its bias; two of them as a residual block of `models.ResNet`,
        or in space; or `models.P4CNN`, trained and at inference.
      group: the group.
      fields: channels of the input and of the output, for each group element.
      kernel: the size of the kernel along each axis.
      side: pixels along each axis.
      batch: images.
    """

    kind: Kind
    group: Group
    fields: int
    kernel: int
    side: int
    batch: int

    @property
    def name(self) -> str:
        """Says all of it: "p4m layer, 64 fields, 3 x 3, 16 x 16² pixels"."""
        kernel = " x ".join([str(self.kernel)] * self.group.dim)
        pixels = f"{self.batch} x {self.side}{'²³'[self.group.dim - 2]} pixels"
        return f"{self.group.name} {self.kind}, {self.fields} fields, {kernel}, {pixels}"

    @property
    def channels(self) -> int:
        """|H|·fields, the width of what it is compared with."""
        return self.group.order * self.fields


def _layers(group: Group, kernels: tuple[int, ...], sizes: dict[int, tuple[int, int]]):
    """A layer of each kernel size, by fields: pixels along a side, and images."""
    for kernel, (fields, (side, batch)) in itertools.product(kernels, sizes.items()):
        yield Case("layer", group, fields, kernel, side, batch)


# Fewer images where a layer is wide: its cost grows with the square of its width.
_PLANE = {8: (16, 16), 16: (16, 16), 32: (16, 16), 64: (16, 16), 128: (16, 4), 256: (16, 4)}

CASES: tuple[Case, ...] = (
    *_layers(P4M, (1, 3, 5), _PLANE),
    *_layers(P4, (3,), _PLANE),
    *_layers(CUBE, (1, 3), {8: (8, 2), 16: (8, 2), 32: (8, 2)}),
    Case("residual block", P4M, 25, 3, 32, 8),  # of ResNet-26, and so is the next
    Case("residual block", P4M, 50, 3, 16, 8),
    Case("3D block", CUBE, 8, 3, 8, 2),
    Case("3D block", CUBE, 16, 3, 8, 2),
    Case("3D block", CUBE, 32, 3, 8, 2),
    Case("training step", P4, 10, 3, 28, 128),
    Case("inference", P4, 10, 3, 28, 128),
)

# For devices that do many things at once: a batch each.
LARGE: tuple[Case, ...] = (
    *_layers(
        P4M, (3,), {8: (16, 128), 16: (16, 128), 32: (16, 128), 64: (16, 128), 128: (16, 128)}
    ),
    *_layers(P4M, (1,), {16: (16, 128), 64: (16, 128), 128: (16, 128)}),
    *_layers(P4, (3,), {32: (16, 128), 128: (16, 128)}),
    *_layers(CUBE, (3,), {8: (8, 16), 32: (8, 16)}),
    Case("residual block", P4M, 50, 3, 16, 128),
    Case("training step", P4, 10, 3, 28, 128),
    Case("inference", P4, 10, 3, 28, 128),
)

# Compiling takes most of the time of these, and blocks under the rotations of the cube most of all.
QUICK: tuple[Case, ...] = (
    Case("layer", P4M, 16, 3, 16, 4),
    Case("layer", P4M, 64, 3, 16, 4),
    Case("residual block", P4M, 10, 3, 16, 4),
    Case("3D block", CUBE, 4, 3, 8, 2),
    Case("training step", P4, 10, 3, 28, 16),
    Case("inference", P4, 10, 3, 28, 16),
)


def for_escnn(cases: tuple[Case, ...]) -> tuple[Case, ...]:
    """Those that escnn is asked for: layers under p4m of 3 x 3, up to 64 fields."""
    return tuple(
        c for c in cases
        if c.kind == "layer" and c.group == P4M and c.kernel == 3 and c.fields <= 64
    )  # fmt: skip
