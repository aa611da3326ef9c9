"""Layers as compiled programs, shared where they differ in constants alone."""

import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import numpy as np
from jax.extend.core import ClosedJaxpr, Jaxpr
from jaxtyping import Array

_programs: dict[tuple[Any, ...], Callable[[Sequence[Array]], list[Array]]] = {}


def compiled(layer: Any) -> Callable[[Array], Array]:
    """The layer, for inputs of one shape, as one program in place of many.

    To compile takes longer than to run. The tables of a group are constants of what JAX traces. As
    arguments of the program, beside the parameters, they leave it the same for every group of the
    order, and it is compiled once. Programs are told apart by their whole text, and by the
    constants of the functions that they call.

    Args:
      layer: a callable pytree, whose leaves become those of what is returned, or a function.
    """
    if not jax.tree_util.all_leaves([layer]):
        return jax.tree_util.Partial(_traced(lambda layer, x: layer(x)), layer)
    of_nothing = _traced(lambda _, x: layer(x))
    return lambda x: of_nothing(None, x)


def _traced(f: Callable[[Any, Array], Array]) -> Callable[[Any, Array], Array]:
    """f(layer, x), traced when it is called first."""
    found: list[tuple[Callable[[Sequence[Array]], list[Array]], Sequence[Array]]] = []

    def call(layer: Any, x: Array) -> Array:
        leaves = jax.tree.leaves((layer, x))
        if not found:
            traced = jax.make_jaxpr(f)(layer, x)
            found.append((_shared(traced, leaves), traced.consts))
        program, constants = found[0]
        (y,) = program([*constants, *leaves])
        return y

    return call


def _shared(traced: ClosedJaxpr, leaves: Sequence[Array]) -> Callable[..., list[Array]]:
    """The program of what was traced, which takes its constants, then the leaves."""
    with np.printoptions(threshold=sys.maxsize, floatmode="unique"):
        text = str(traced.jaxpr)
    key = (text, jax.config.jax_default_matmul_precision, *_constants(traced.jaxpr))
    if key not in _programs:
        split = len(traced.consts)

        def f(values: Sequence[Array]) -> list[Array]:
            return jax.core.eval_jaxpr(traced.jaxpr, values[:split], *values[split:])

        # at level 0, LLVM makes mistakes
        fast = {"xla_backend_optimization_level": 1} if jax.default_backend() == "cpu" else None
        lowered = jax.jit(f, keep_unused=True).lower([*traced.consts, *leaves])
        _programs[key] = lowered.compile(fast)
    return _programs[key]


def _constants(jaxpr: Jaxpr) -> Iterator[tuple[Any, ...]]:
    """The constants of the functions that it calls, which its text does not show."""
    for equation in jaxpr.eqns:
        for value in equation.params.values():
            for inner in value if isinstance(value, tuple | list) else (value,):
                if isinstance(inner, ClosedJaxpr):
                    arrays = [np.asarray(constant) for constant in inner.consts]
                    yield from ((a.dtype, a.shape, a.tobytes()) for a in arrays)
                    yield from _constants(inner.jaxpr)
                elif isinstance(inner, Jaxpr):
                    yield from _constants(inner)
