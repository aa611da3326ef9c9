"""What a network costs: multiplications and additions, counted in its traced program."""

from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np


def macs(f: Callable[[jax.Array], Any], *shape: int) -> int:
    """Multiply-accumulates of the convolutions and matrix products of f on one float32 array.

    A convolution of C to D channels in g groups takes |y| · |u| · C / g of them, for an output of
    |y| numbers and windows of |u| pixels, padding counted as if it were pixels; a product of
    matrices [m, k] and [k, n], m · k · n. All else (norms, pooling, building a filter bank) is
    not counted.

    Args:
      f: a network.
      shape: of its input.
    """
    jaxpr = jax.make_jaxpr(f)(jax.ShapeDtypeStruct(shape, np.float32))
    total = 0
    for equation in _equations(jaxpr.jaxpr):
        out = equation.outvars[0].aval.size
        left, right = (variable.aval.shape for variable in equation.invars)
        if equation.primitive.name == "conv_general_dilated":
            features = right[equation.params["dimension_numbers"].rhs_spec[0]]
            total += out * int(np.prod(right)) // features
        else:
            (contracted, _), _ = equation.params["dimension_numbers"]
            total += out * int(np.prod([left[axis] for axis in contracted]))
    return total


def _equations(jaxpr: Any) -> Iterator[Any]:
    """The convolutions and products, also those of the functions that it calls."""
    for equation in jaxpr.eqns:
        if equation.primitive.name in ("conv_general_dilated", "dot_general"):
            yield equation
        for inner in jax.tree.leaves(list(equation.params.values()), is_leaf=_is_program):
            if _is_program(inner):
                yield from _equations(getattr(inner, "jaxpr", inner))


def _is_program(value: Any) -> bool:
    return hasattr(value, "eqns") or hasattr(value, "jaxpr")
