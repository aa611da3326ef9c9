"""The space of all kernels that commute with the group, between any two representations."""

import functools
import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..actions import take_slots
from ..groups import Group
from ..representations import Representation
from ._bank import check_kernel_size
from ._stabilizer import invariant_maps


@dataclass(frozen=True)
class KernelSpace:
    """The kernels K(u), matrices from ρ_in to ρ_out, whose correlation commutes with the group.

    K(gu) = ρ_out(g) K(u) ρ_in(g)⁻¹

    This is all that there is: every equivariant linear map of such fields that sees a window is a
    correlation with one of them (Cohen & Welling 2017, "Steerable CNNs", section 2; Cohen, Geiger
    & Weiler 2019, theorem 3.1). K is known from one offset of each orbit of H, and there it
    commutes with the stabiliser of the offset: the basis is found orbit by orbit.

    Offsets count from the centre of the window. Where the group skews the axes, offsets whose
    orbit leaves the window have K(u) = 0: of a 3 x 3 window, a hexagon remains.

    A value, frozen and hashable; what follows from it is cached.

    Args:
      rho_in: ρ_in, of the input field.
      rho_out: ρ_out, of the output field.
      kernel_size: the sizes of the window, one for each space axis.

    Raises:
      ValueError: the representations are of different groups, the window has another number of
        axes, or the group does not preserve its shape.

    Example:
      >>> from gcnn import groups, kernels, representations as r
      >>> p4m = groups.p4m()
      >>> kernels.KernelSpace(r.regular(p4m), r.regular(p4m), (3, 3)).dimension
      72
      >>> kernels.KernelSpace(r.trivial(p4m), r.standard(p4m), (3, 3)).dimension
      2
    """

    rho_in: Representation
    rho_out: Representation
    kernel_size: tuple[int, ...]

    def __post_init__(self) -> None:
        """Check that group and window are one."""
        group, size = self.group, self.kernel_size
        if self.rho_out.group != group:
            raise ValueError(
                f"A kernel maps between representations of one group, got {self.rho_in} and "
                f"{self.rho_out}."
            )
        if len(size) != group.dim or min(size) < 1:
            raise ValueError(
                f"Under {group}, a kernel has {group.dim} sizes, one for each space axis, all "
                f"positive; got {size}."
            )
        check_kernel_size(group, size)

    @property
    def group(self) -> Group:
        """The group."""
        return self.rho_in.group

    @property
    def dimension(self) -> int:
        """The number n of independent kernels.

        n = (1/|H|) Σ_g |{u : gu = u}| χ_out(g) χ_in(g)
        """
        return sum(len(orbit.maps) for orbit in _orbits(self))

    def basis(self) -> np.ndarray:
        """The basis kernels, `[n, *u, k, h]`, in float64; for inspection, since it is large."""
        n, size = self.dimension, self.kernel_size
        table = np.zeros((n, int(np.prod(size)), self.rho_in.dim, self.rho_out.dim))
        for orbit in _orbits(self):
            table[np.ix_(orbit.rows, orbit.places)] = orbit.kernels()
        return table.reshape(n, *size, self.rho_in.dim, self.rho_out.dim)

    def scales(self) -> np.ndarray:
        """What to multiply unit weights with so that the output has unit variance, `[n]`.

        Given independent inputs of variance 1 and weights of variance scale²/n, the components of
        the output have variance 1 on average. Between regular representations all are 1.
        """
        norms = np.concatenate([orbit.square_norms for orbit in _orbits(self)])
        return np.sqrt(self.rho_out.dim / norms)


def kernel_bank(space: KernelSpace, weight: Float[Array, "n i o"]) -> Float[Array, "*u k i h o"]:
    """The kernel with these coefficients, for every pair of channels.

    B[u, k, i, h, o] = Σ_n basis[n, u, k, h] W[n, i, o]

    One small contraction for all orbits of offsets of one size, or two where that takes fewer
    products, at full precision: the weight of a single basis kernel with entries 0 and 1 arrives
    unrounded.

    Args:
      space: the space of kernels.
      weight: W, `[n, i, o]`: basis kernels, input channels, output channels.

    Returns:
      `[*u, k, i, h, o]`, k and h the components of input and output.

    Raises:
      ValueError: the weight has another number of basis kernels.
    """
    if weight.ndim != 3 or len(weight) != space.dimension:
        raise ValueError(
            f"The weight of a kernel from {space.rho_in} to {space.rho_out} on a window of "
            f"{space.kernel_size} is [{space.dimension}, in, out]; got shape {weight.shape}."
        )
    blocks: list[Array] = []
    places: list[int] = []
    for orbits in _alike(space):
        rows = [row for orbit in orbits for row in orbit.rows]
        own = take_slots(weight, rows, 0).reshape(len(orbits), -1, *weight.shape[1:])
        (n, k, h), u = orbits[0].maps.shape, len(orbits[0].places)
        if n * u <= n + u * (k + h):  # products for each entry: in one step they are no more
            kernels = np.stack([orbit.kernels() for orbit in orbits])
            block = _contract("xnuKH,xnio->xuKiHo", kernels, own)
        else:
            maps, back, forth = (
                np.stack([getattr(orbit, what) for orbit in orbits])
                for what in ("maps", "moves_in", "moves_out")
            )
            first = _contract("xnkh,xnio->xkhio", maps, own)
            block = _contract("xuKk,xuHh,xkhio->xuKiHo", back, forth, first)
        blocks.append(block.reshape(-1, *block.shape[2:]))
        places += [place for orbit in orbits for place in orbit.places]
    count = int(np.prod(space.kernel_size))
    if outside := sorted(set(range(count)) - set(places)):
        _, i, o = weight.shape
        none = (len(outside), space.rho_in.dim, i, space.rho_out.dim, o)
        blocks.append(jnp.zeros(none, weight.dtype))
        places += outside
    order = np.argsort(places).tolist()
    bank = take_slots(jnp.concatenate(blocks), order, 0)
    return bank.reshape(*space.kernel_size, *bank.shape[1:])


@dataclass(frozen=True, eq=False)
class _Orbit:
    """An orbit of offsets, and the kernels on it.

    Attributes:
      places: the offsets u, as positions in the flattened window.
      rows: the basis kernels on it, among those of the space.
      maps: the basis of what K may be at the first of them, `[n, k, h]`.
      moves_in: for each u, the transpose of ρ_in(g)⁻¹, where g carries the first offset to u.
      moves_out: for each u, ρ_out(g).
    """

    places: tuple[int, ...]
    rows: range
    maps: np.ndarray
    moves_in: np.ndarray
    moves_out: np.ndarray

    def kernels(self) -> np.ndarray:
        """K(u) = ρ_out(g) K ρ_in(g)⁻¹ for each kernel K of the basis, `[n, u, k, h]`."""
        factors = self.moves_in, self.moves_out, self.maps
        return np.einsum("uKk,uHh,nkh->nuKH", *factors, optimize=True)

    @functools.cached_property
    def square_norms(self) -> np.ndarray:
        """Σ_u ‖K(u)‖² of each kernel of the basis, `[n]`.

        ‖ρ_out(g) K ρ_in(g)⁻¹‖² = tr(Kᵀ P K Q), with P and Q the Gram matrices of both factors: the
        same for all u, unless the group stretches vectors.
        """
        grams = [move.swapaxes(1, 2) @ move for move in (self.moves_in, self.moves_out)]
        # equal to rounding, or different by as much as integers are
        same = all(np.allclose(gram, gram[0]) for gram in grams)
        norms = [
            ((p @ self.maps @ q) * self.maps).sum(axis=(1, 2))
            for p, q in itertools.islice(zip(*grams, strict=True), 1 if same else None)
        ]
        return np.mean(norms, axis=0) * len(self.places)


@functools.cache
def _orbits(space: KernelSpace) -> tuple[_Orbit, ...]:
    """The orbits of offsets that lie in the window, in the order of their first offsets."""
    group, rho_in, rho_out = space.group, space.rho_in, space.rho_out
    found, start = [], 0
    for images in _offset_orbits(group, space.kernel_size):
        places = tuple(dict.fromkeys([images[group.identity], *images]))
        stabilizer = [g for g, u in enumerate(images) if u == places[0]]
        maps = invariant_maps(rho_in, rho_out, stabilizer)
        carriers = [images.index(u) for u in places]
        back = rho_in.matrices[group.inverse[carriers]].swapaxes(1, 2)
        rows = range(start, start := start + len(maps))
        found.append(_Orbit(places, rows, maps, back, rho_out.matrices[carriers]))
    return tuple(found)


def _alike(space: KernelSpace) -> list[list[_Orbit]]:
    """The orbits, those with as many offsets and as many kernels together."""
    found: dict[tuple[int, int], list[_Orbit]] = {}
    for orbit in _orbits(space):
        if orbit.rows:
            found.setdefault((len(orbit.places), len(orbit.rows)), []).append(orbit)
    return list(found.values())


def _offset_orbits(group: Group, size: Sequence[int]) -> list[list[int]]:
    """For each orbit inside the window, where g carries its first offset, as positions `[g]`."""
    last = np.array(size) - 1
    offsets = 2 * np.array(list(itertools.product(*map(range, size)))) - last  # half pixels
    place = {tuple(u): i for i, u in enumerate(offsets.tolist())}
    orbits, seen = [], set()
    for u in offsets:
        images = [place.get(tuple(v), -1) for v in (group.matrices @ u).tolist()]
        start = place[tuple(u.tolist())]
        if start not in seen and min(images) >= 0:
            orbits.append(images)
            seen |= set(images)
    return orbits


def _contract(formula: str, *factors: np.ndarray | Array) -> Array:
    """An einsum in the type of the last factor, without rounding the factors."""
    typed = [jnp.asarray(f, factors[-1].dtype) for f in factors]
    return jnp.einsum(formula, *typed, precision=jax.lax.Precision.HIGHEST)
