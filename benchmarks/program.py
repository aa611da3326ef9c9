"""Variants as compiled programs: what the compiler takes, what memory they need, and a call."""

import dataclasses
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
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


def compiled(traced: dict[str, Traced]) -> dict[str, Program]:
    """Compile ahead of the first call: on a CPU one after the other, and for others all at once.

    There the host has cores to spare; but the time that each took is then one among others.
    """
    lowered = {name: _lowered(each) for name, each in traced.items()}  # in the caller's context
    with ThreadPoolExecutor(1 if jax.default_backend() == "cpu" else len(traced)) as threads:
        return dict(zip(traced, threads.map(_compiled, lowered.values()), strict=True))


def _lowered(traced: Traced) -> tuple[Any, tuple[Any, ...], float]:
    function, arguments = traced
    started = time.perf_counter()
    return function.lower(*arguments), arguments, time.perf_counter() - started


def _compiled(traced: tuple[Any, tuple[Any, ...], float]) -> Program:
    lowered, arguments, seconds = traced
    started = time.perf_counter()
    program = lowered.compile()
    seconds += time.perf_counter() - started
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
        steps = {k: training_step.program(v.model, case.batch) for k, v in variants.items()}
        found = compiled(steps)
        for name, (_, state) in steps.items():
            # the step eats its state, and returns the next one
            run = training_step.stepping(found[name].executable, state)
            found[name] = dataclasses.replace(found[name], run=run)
        return {"training": found}
    modes = {"forward": compiled({k: forward(v) for k, v in variants.items()})}
    if case.kind != "inference":
        modes["training"] = compiled({k: forward_and_backward(v) for k, v in variants.items()})
    return modes
