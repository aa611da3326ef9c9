"""Variants as compiled programs: what the compiler takes, what memory they need, and a call."""

import dataclasses
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from . import training_step
from .cases import Case
from .variants import Variant

Traced = tuple[Any, tuple[Any, ...]]  # a jitted function, and its arguments


@dataclasses.dataclass(frozen=True)
class Program:
    """A function that is compiled for its arguments.

    Attributes:
      executable: what the compiler made of it.
      run: call it with these arguments, and wait for its end.
      text: what the compiler was given.
      compile_seconds: for tracing, lowering and compiling.
      megabytes: of its arguments, results and what it needs in between, by the compiler's own
        account; None where that gives none.
    """

    executable: Any
    run: Callable[[], Any]
    text: str
    compile_seconds: float
    megabytes: float | None


def forward(variant: Variant) -> Traced:
    """The output, with averaged statistics where there are any."""
    variant.model.eval()
    graph, *states = nnx.split(variant.model, nnx.Param, ...)
    params, rest = map(nnx.as_pure, states)
    return jax.jit(lambda params, rest, x: nnx.merge(graph, params, rest)(x)), (
        params, rest, variant.x,
    )  # fmt: skip


def forward_and_backward(variant: Variant) -> Traced:
    """The output, and what one fixed random cotangent is pulled back to: parameters and input."""
    variant.model.train()
    graph, *states = nnx.split(variant.model, nnx.Param, ...)
    params, rest = map(nnx.as_pure, states)

    def apply(params, rest, x):
        model = nnx.merge(graph, params, rest)
        return model(x), nnx.as_pure(nnx.state(model, nnx.Not(nnx.Param)))

    def both(params, rest, x, cotangent):
        y, pull, rest_out = jax.vjp(lambda p, x: apply(p, rest, x), params, x, has_aux=True)
        return y, pull(cotangent), rest_out

    shape = jax.eval_shape(apply, params, rest, variant.x)[0].shape
    cotangent = jnp.asarray(np.random.default_rng(1).standard_normal(shape), variant.x.dtype)
    return jax.jit(both), (params, rest, variant.x, cotangent)


def text(traced: Traced) -> str:
    """What the compiler would be given."""
    function, arguments = traced
    return function.lower(*arguments).as_text()


def compiled(traced: Traced) -> Program:
    """Compile ahead of the first call."""
    function, arguments = traced
    started = time.perf_counter()
    lowered = function.lower(*arguments)
    program = lowered.compile()
    seconds = time.perf_counter() - started
    needs = program.memory_analysis()
    parts = ("argument_size_in_bytes", "output_size_in_bytes", "temp_size_in_bytes")
    return Program(
        program,
        lambda: jax.block_until_ready(program(*arguments)),
        lowered.as_text(),
        seconds,
        sum(getattr(needs, part) for part in parts) / 1e6 if needs else None,
    )


def programs(case: Case, variants: dict[str, Variant]) -> dict[str, dict[str, Program]]:
    """Every variant compiled, by "forward" and "training"; a case may have but one of them."""
    if case.kind == "training step":
        steps = {}
        for name, variant in variants.items():
            step, state = training_step.program(variant.model, case.batch)
            program = compiled((step, state))
            # the step eats its state, and returns the next one
            run = training_step.stepping(program.executable, state)
            steps[name] = dataclasses.replace(program, run=run)
        return {"training": steps}
    found = {"forward": {k: compiled(forward(v)) for k, v in variants.items()}}
    if case.kind != "inference":
        found["training"] = {k: compiled(forward_and_backward(v)) for k, v in variants.items()}
    return found
