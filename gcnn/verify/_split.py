"""The error of one step of a model, split into its causes by controlled comparison."""

import itertools
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ..actions import signed_permutation
from ._bench import Bench, check_shape

_NOTHING = 1e-20  # of the squared norm of the output: more than the rounding of float64 leaves

Grid = tuple[tuple[int, int], ...]  # per axis (s, m): s pixels of the input are m of the output


class Move(NamedTuple):
    """First the element g, then a shift by t pixels of the step's own input."""

    g: int
    t: tuple[int, ...]


class Energies(NamedTuple):
    """The squared errors of a step, over the squared norm of what it returns."""

    precision: float
    boundary: float
    downsampling: float
    lattice: float
    rim: float
    interior: float


class StepTest:
    """One step on the bench: as the model works, in float64, and there with padding wrapped.

    Attributes:
      grid: for each axis (s, m), such that a shift of the input by s pixels moves the output by m.
    """

    def __init__(self, bench: Bench, index: int):
        """Run the step unmoved, and find out how the grid of its output lies in the input's."""
        self.bench, self.index, self.d = bench, index, bench.group.dim
        self.name, self.kind = bench.names[index], bench.kinds[index]
        self.inputs = bench.apart(bench.nodes[0].shape).steps[index].inputs
        self.still = Move(bench.group.identity, (0,) * self.d)
        self.working = bench.nodes[index + 1].astype(np.float64)
        self.y = self.run(self.still)
        self.wrapped = self.run(self.still, circular=True)
        self.norm2 = energy(self.y) or 1.0
        before, after = self._lengths()
        self.grid = tuple(self._find_axis(*axis) for axis in zip(range(self.d), before, after))
        self.rim = self._reached(self.still, self.grid)

    def split(self, move: Move) -> Energies:
        """The error under one move; each cause is what its remedy takes away.

        The remedies come one after the other: float64; padding that wraps around; and the best
        position of the sampling grid. What they all leave is the lattice's.
        """
        error, chosen = self.nearest(self.run(move), self.images(self.y, move, self.grid))
        images = self.images(self.working, move, self.grid)
        rounding = self.run(move, wide=False) - images[chosen, np.arange(len(chosen))] - error
        rim = self.rim
        if move.g != self.still.g:
            turned = self.bench.act(self.index + 1, move.g, rim).astype(bool)
            rim = turned | self._reached(Move(move.g, self.still.t), self.grid)
        mended = sampled = total = energy(error)
        if total > _NOTHING * self.norm2:
            mended, sampled = self._mend(move, ~rim)
            mended = min(total, mended)
            sampled = min(mended, sampled)
        parts = energy(rounding), total - mended, mended - sampled, sampled
        places = energy(error * rim), energy(error * ~rim)
        return Energies(*(part / self.norm2 for part in (*parts, *places)))

    def _mend(self, move: Move, inside: np.ndarray) -> tuple[float, float]:
        """What is left without a boundary, and then with the sampling grid at its best.

        Where wrapping is no remedy, what the boundary does not reach stands for all pixels: after
        a crop, and if all the error that is left in the end lies on the rim (mirrored padding).
        """
        more = itertools.product(*(range(s) for s, _ in self._turned(self.grid, move.g)))
        moves = [Move(move.g, tuple(np.add(move.t, t).tolist())) for t in more]
        results = [
            (self.run(m, circular=True), self.images(self.wrapped, m, self.grid)) for m in moves
        ]

        def left(weight: np.ndarray) -> tuple[float, float]:
            errors = [self.nearest(*pair, weight)[0] for pair in results]
            energies = [energy(e * weight) / max(weight.mean(), 1 / weight.size) for e in errors]
            return energies[0], min(energies)

        everywhere, within = left(np.ones_like(inside)), left(inside)
        if inside.any() and within[1] <= _NOTHING * self.norm2 < everywhere[1]:
            return within
        if self._crops() and any(move.t):
            return within  # 0 where the boundary reaches everything
        if self._crops() and inside.any():
            return everywhere[0], within[1]
        return everywhere

    # Running the step.

    def run(
        self, move: Move, *, wide: bool = True, circular: bool = False, ring: Grid | None = None
    ) -> np.ndarray:
        """What the step makes of its moved inputs, in float64.

        Args:
          move: of the inputs; where their grids differ, the coarsest moves by whole pixels.
          wide: compute in float64, or as the model does.
          circular: wrap its padding around.
          ring: put NaN into the padding, and into the outermost s pixels of the inputs.
        """
        apart = self.bench.apart(self.bench.moved(0, move.g).shape, wide=wide)
        values = [self.bench.moved(j, move.g) for j in self.inputs]
        spaces = [self.space(v) for v in values if self.space(v)]
        for k, v in enumerate(values):
            if space := self.space(v):
                pixels = np.rint(np.divide(space, np.min(spaces, axis=0))).astype(int)
                values[k] = self.rolled(v, (pixels * move.t).tolist())
                if ring:
                    turned = self._turned(ring, move.g)
                    widths = [s * n for (s, _), n in zip(turned, pixels.tolist(), strict=True)]
                    values[k] = np.where(self._edge(v, widths), np.nan, v)
        y = apart.steps[self.index](values, circular, np.nan if ring else 0.0)
        return y.astype(np.float64)

    def _reached(self, move: Move, grid: Grid) -> np.ndarray:
        """Which outputs the boundary reaches: the outermost ones, and those that NaN reaches."""
        y = self.run(move, ring=grid)
        return np.isnan(y) | self._edge(y, [m for _, m in self._turned(grid, move.g)])

    # The grids.

    def _find_axis(self, axis: int, before: int, after: int) -> tuple[int, int]:
        """(s, m) for an axis: its lengths tell, unless they differ by what was cropped off."""
        ratio = scale(before, after)
        if after == 1 or ratio == (1, 1):
            return 1, 1

        def misfit(s: int, m: int) -> float:
            grid = tuple((s, m) if a == axis else (1, 1) for a in range(self.d))
            move = Move(self.still.g, tuple(s if a == axis else 0 for a in range(self.d)))
            fits = before * m == after * s
            inside = np.array(True) if fits else ~self._reached(self.still, grid)
            images = self.images(self.wrapped, move, grid)
            error, _ = self.nearest(self.run(move, circular=True), images, inside)
            return energy(error * inside) / inside.mean() if inside.any() else math.inf

        return min(((1, 1), ratio), key=lambda pair: misfit(*pair))

    def _lengths(self) -> tuple[Sequence[int], Sequence[int]]:
        """Of the space axes, of the coarsest input and of the output; 1 if there are none."""
        spaces = [s for j in self.inputs if (s := self.space(self.bench.nodes[j]))]
        after = self.space(self.y)
        before = np.min(spaces, axis=0).tolist() if spaces else after
        return (before, after) if after else ((1,) * self.d,) * 2

    def _crops(self) -> bool:
        lengths = zip(*self._lengths(), self.grid, strict=True)
        return any(before * m != after * s for before, after, (s, m) in lengths)

    def _turned(self, grid: Grid, g: int) -> Grid:
        """The grid in the axes of g·x."""
        source, _ = signed_permutation(self.bench.group, g)
        return tuple(grid[a] for a in source)

    # Fields and their space axes.

    def space(self, v: np.ndarray) -> tuple[int, ...]:
        """The lengths of the space axes of a field, () if there are none."""
        return v.shape[1 : 1 + self.d] if v.ndim >= self.d + 2 else ()

    def rolled(self, v: np.ndarray, pixels: Sequence[int]) -> np.ndarray:
        """The field shifted on the torus."""
        return np.roll(v, tuple(pixels), axis=tuple(range(1, 1 + self.d)))

    def _edge(self, v: np.ndarray, widths: Sequence[int]) -> np.ndarray:
        """The outermost pixels along each space axis; none of an array without space."""
        edge = np.ones(v.shape, bool)
        inner = (slice(w, max(n - w, w)) for w, n in zip(widths, self.space(v)))
        edge[(slice(None), *inner)] = False
        return edge

    def images(self, y: np.ndarray, move: Move, grid: Grid) -> np.ndarray:
        """`[k, *y]`: y moved, to the whole pixels on either side of where each axis goes."""
        y = self.bench.act(self.index + 1, move.g, y)
        if not self.space(y):
            return y[None]
        goes = [t * m / s for t, (s, m) in zip(move.t, self._turned(grid, move.g), strict=True)]
        sides = [sorted({math.floor(pixels), math.ceil(pixels)}) for pixels in goes]
        return np.stack([self.rolled(y, pixels) for pixels in itertools.product(*sides)])

    def nearest(
        self, y: np.ndarray, images: np.ndarray, weight: Any = 1.0
    ) -> tuple[np.ndarray, np.ndarray]:
        """y minus the nearest image, for each sample its own; and which one that was."""
        check_shape(y, images[0], self.name)
        errors = y - images
        chosen = (errors**2 * weight).reshape(*errors.shape[:2], -1).sum(axis=-1).argmin(axis=0)
        return errors[chosen, np.arange(len(chosen))], chosen


def energy(error: np.ndarray) -> float:
    """The sum of squares."""
    return float((error**2).sum())


def scale(before: int, after: int) -> tuple[int, int]:
    """(s, m): so many pixels of an axis of length `before` are so many of one of `after`."""
    return (round(before / after), 1) if before > after else (1, round(after / before))
