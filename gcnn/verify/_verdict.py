"""From errors to a verdict: what is exact, what is rounding, and what proves nothing."""

from typing import Any

import numpy as np


def difference(a: np.ndarray, b: np.ndarray, name: str) -> np.ndarray:
    """a - b in float64, where a = f(g·x) and b = g·f(x) for the element of this name.

    Raises:
      ValueError: they differ in shape.
    """
    if a.shape != b.shape:
        raise ValueError(
            f"For {name}, f(g·x) has shape {a.shape} and g·f(x) has shape {b.shape}. Does f "
            f"return the field that act_out takes?"
        )
    with np.errstate(invalid="ignore"):  # inf - inf is NaN, and judged as that
        return a.astype(np.float64) - b


def ratio(error: Any, norm: float) -> float:
    """The error relative to a norm; the error itself, if the norm is 0."""
    return float(error) / norm if norm > 0 else float(error)


def judge(y: np.ndarray, errors: list[float], tolerance: float, dtype: np.dtype) -> tuple[str, str]:
    """A verdict and its reason.

    Args:
      y: f(x), in float64.
      errors: the relative errors that were found.
      tolerance: the largest one to call rounding.
      dtype: the coarser one of the types of input and output.
    """
    if not (np.isfinite(y).all() and np.isfinite(errors).all()):
        return "not equivariant", "f(x) or f(g·x) holds NaN or infinity"
    if not y.any():
        return "vacuous", "f(x) is 0, which every group leaves alone"
    if len(y) > 1 and (y == y[:1]).all():
        return "vacuous", "f(x) is the same for every sample: it does not depend on x"
    worst = max(errors)
    if worst == 0:
        return "exact", "every difference is 0"
    if worst <= tolerance:
        return "to rounding", f"relative error {worst:.1e}, within {tolerance:.1e} for {dtype}"
    why = f"relative error {worst:.1e}, above {tolerance:.1e} for {dtype}"
    if worst < 0.01:
        why += " (small: is the matmul precision of the device below that type?)"
    return "not equivariant", why
