"""Names of point-group elements that a person can read, from their matrices.

A name is true as an equation between matrices: in "m·r90", the mirror m and the rotation by 90°
are multiplied, the rotation acting first. In the plane both factors are elements of the group.
"""

import numpy as np


def element_names(matrices: np.ndarray) -> tuple[str, ...]:
    """One name per element.

    Args:
      matrices: the elements of a finite group of integer matrices, `[h, d, d]`.
    """
    dim = matrices.shape[-1]
    if dim == 1:
        return tuple("e" if m[0, 0] == 1 else "m" for m in matrices)
    if dim == 2:
        return _planar(matrices)
    if dim == 3:
        return tuple(map(_spatial, matrices))
    return tuple("e" if (m == np.eye(dim)).all() else f"g{i}" for i, m in enumerate(matrices))


def _planar(matrices: np.ndarray) -> tuple[str, ...]:
    """Rotations by their angle; mirrors as the group's first mirror times a rotation."""
    mirrors = [m for m in matrices if _det(m) < 0]
    names = []
    for m in matrices:
        if _det(m) > 0:
            names.append(_rotation(m))
        elif (turn := _rotation(mirrors[0] @ m)) == "e":  # a mirror is its own inverse
            names.append("m")
        else:
            names.append(f"m·{turn}")
    return tuple(names)


def _rotation(m: np.ndarray) -> str:
    """The angle from the trace 2 cos θ, counter-clockwise if m turns the y axis towards x."""
    angle = _angle(int(np.trace(m)))
    return "e" if angle == 0 else f"r{angle if m[1, 0] >= 0 else 360 - angle}"


def _spatial(m: np.ndarray) -> str:
    """A rotation by its angle and axis; "m[axis]" the mirror across it, "i" the inversion."""
    proper = m * _det(m)
    angle = _angle(int(np.trace(proper)) - 1)
    if angle == 0:
        return "e" if _det(m) > 0 else "i"
    # Σ mᵏ projects onto the axis n. The turn is right-handed about n if det(n, v, mv) > 0 for a v
    # beside it, in a basis of any angles; at 180° it vanishes.
    powers = np.array([np.linalg.matrix_power(proper, k) for k in range(360 // angle)])
    column = max(powers.sum(axis=0).T.tolist(), key=lambda c: np.abs(c).sum())
    axis = np.array(column) // np.gcd.reduce(column)
    turns = [_det(np.stack([axis, v, proper @ v])) for v in np.eye(3, dtype=int)]
    first = axis[np.flatnonzero(axis)[0]]
    axis = axis * int(np.sign(max(turns, key=abs) or first))
    if angle == 180 and _det(m) < 0:
        kind = "m"
    else:
        kind = f"r{angle}" if _det(m) > 0 else f"i·r{angle}"
    return f"{kind}[{' '.join(map(str, axis.tolist()))}]"


def _angle(twice_cosine: int) -> int:
    """The crystallographic angle in degrees, from 2 cos θ, an integer."""
    return {2: 0, 1: 60, 0: 90, -1: 120, -2: 180}[twice_cosine]


def _det(m: np.ndarray) -> int:
    return round(float(np.linalg.det(m)))
