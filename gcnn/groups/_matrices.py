"""Integer matrices: which are symmetries of the lattice Z^d, their products and their closure."""

from typing import Any

import numpy as np

Matrix = tuple[tuple[int, ...], ...]

# Order of the largest finite group of d x d integer matrices (Plesken & Pohst 1977 for d = 4).
_LARGEST_FINITE = {1: 2, 2: 12, 3: 48, 4: 1152}


def closure(generators: list[Matrix], max_order: int | None = None) -> tuple[Matrix, ...]:
    """Dimino's algorithm: the group of the first generators, extended coset by coset."""
    limit = _LARGEST_FINITE.get(len(generators[0])) if max_order is None else max_order
    if limit is None:
        raise ValueError(f"For d = {len(generators[0])} > 4, give max_order, the order to stop at.")
    elements = [identity(len(generators[0]))]
    for i, s in enumerate(generators):
        if s in elements:
            continue
        smaller = list(elements)
        representatives = [elements[0]]
        for r, t in ((r, t) for r in representatives for t in generators[: i + 1]):
            if (rt := matmul(r, t)) in elements:
                continue
            representatives.append(rt)
            elements += [matmul(h, rt) for h in smaller]
            if len(elements) > limit:
                raise ValueError(_too_large(generators, limit))
    return tuple(elements)


def _too_large(generators: list[Matrix], limit: int) -> str:
    e = identity(len(generators[0]))
    for s in generators:
        power = s
        for _ in range(limit):
            if power == e:
                break
            power = matmul(power, s)
        else:
            return (
                f"The closure passes max_order = {limit} elements: no power of the generator "
                f"{show(s)} up to {limit} is the identity."
            )
    return (
        f"The closure of {[show(s) for s in generators]} passes max_order = {limit} elements: "
        f"their products are infinitely many, or give a larger max_order."
    )


def lattice_matrix(matrix: Any) -> Matrix:
    """The matrix as nested tuples of Python integers, refused if it is no symmetry of Z^d."""
    m = np.asarray(matrix)
    if m.ndim != 2 or m.shape[0] != m.shape[1] or m.size == 0:
        raise ValueError(f"An element is a square matrix [d, d], got shape {m.shape}.")
    if not (
        np.issubdtype(m.dtype, np.number)
        and np.isfinite(m).all()
        and np.array_equal(m, np.round(m.real))
    ):
        raise ValueError(
            f"The matrix {m.tolist()} does not preserve the lattice: its entries must be integers, "
            f"or it maps lattice points between lattice points."
        )
    rows = tuple(tuple(int(v.real) for v in row) for row in m.tolist())
    if abs(det := _determinant(rows)) != 1:
        raise ValueError(
            f"The matrix {show(rows)} does not preserve the lattice: its determinant is {det}, "
            f"so it maps Z^{len(rows)} onto a part of it; it must be 1 or -1."
        )
    return rows


def _determinant(m: Matrix) -> int:
    """By the first row: exact, and matrices are small."""
    if len(m) == 1:
        return m[0][0]
    minors = [tuple(row[:j] + row[j + 1 :] for row in m[1:]) for j in range(len(m))]
    return sum((-1) ** j * m[0][j] * _determinant(minor) for j, minor in enumerate(minors))


def matmul(a: Matrix, b: Matrix) -> Matrix:
    """The exact product: Python integers do not overflow."""
    return tuple(tuple(sum(map(int.__mul__, row, col)) for col in zip(*b)) for row in a)


def identity(dim: int) -> Matrix:
    """The d x d identity."""
    return tuple(tuple(int(i == j) for j in range(dim)) for i in range(dim))


def show(m: Matrix) -> str:
    """The matrix as a person would type it."""
    return str([list(row) for row in m])
