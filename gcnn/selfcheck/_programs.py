"""Layers as compiled programs, shared where they differ in constants alone."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
from jax.extend.core import ClosedJaxpr
from jaxtyping import Array

_programs: dict[str, Callable[[Sequence[Array]], list[Array]]] = {}


def compiled(layer: Any) -> Callable[[Array], Array]:
    """The layer, for inputs of one shape, as one program in place of many.

    To compile takes longer than to run. The tables of a group are constants of what JAX traces. As
    arguments of the program, beside the parameters, they leave it the same for every group of the
    order, and it is compiled once. Programs are told apart by their whole text.

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
    split = len(traced.consts)

    def f(values: Sequence[Array]) -> list[Array]:
        return jax.core.eval_jaxpr(traced.jaxpr, values[:split], *values[split:])

    values = [*traced.consts, *leaves]
    lowered = jax.jit(f, keep_unused=True).lower(values)
    text = lowered.as_text()
    if text not in _programs:
        # at level 0, LLVM makes mistakes
        fast = {"xla_backend_optimization_level": 1} if jax.default_backend() == "cpu" else None
        _programs[text] = lowered.compile(fast)
    return _programs[text]
