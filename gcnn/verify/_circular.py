"""A jaxpr evaluated otherwise: in float64 throughout, or with its padding wrapped around."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import Literal, jaxprs_in_params

Rule = Callable[[Any, list[Any]], list[Any] | None]  # an equation and its inputs, to its outputs

# Calls that are looked into, and where they keep what they call.
_CALLS = {
    "jit": "jaxpr",
    "pjit": "jaxpr",
    "closed_call": "call_jaxpr",
    "core_call": "call_jaxpr",
    "custom_jvp_call": "call_jaxpr",
    "custom_vjp_call": "call_jaxpr",
    "remat2": "jaxpr",
    "checkpoint": "jaxpr",
}


def interpret(jaxpr: Any, consts: Sequence[Any], arguments: Sequence[Any], rule: Rule) -> list[Any]:
    """Evaluate a jaxpr, each primitive by `rule`, or as ever where that returns None.

    Nested calls are looked into; loops and branches (scan, while, cond) count as primitives.
    """
    values = dict(zip([*jaxpr.constvars, *jaxpr.invars], [*consts, *arguments], strict=True))

    def read(variable: Any) -> Any:
        return variable.val if isinstance(variable, Literal) else values[variable]

    for eqn in jaxpr.eqns:
        inputs = list(map(read, eqn.invars))
        if eqn.primitive.name in _CALLS:
            inner = eqn.params[_CALLS[eqn.primitive.name]]
            inner, consts = getattr(inner, "jaxpr", inner), getattr(inner, "consts", ())
            outputs = interpret(inner, consts, inputs, rule)
        else:
            ruled = rule(eqn, inputs)
            outputs = bind(eqn, inputs) if ruled is None else ruled
        values.update(zip(eqn.outvars, outputs, strict=True))
    return list(map(read, jaxpr.outvars))


def bind(eqn: Any, inputs: Sequence[Any], **changed: Any) -> list[Any]:
    """Apply the primitive of an equation to other inputs, with some parameters changed."""
    params = eqn.primitive.get_bind_params({**eqn.params, **changed})
    outputs = eqn.primitive.bind(*inputs, **params)
    return list(outputs) if eqn.primitive.multiple_results else [outputs]


def widened(dtype: Any) -> Any:
    """float64 for every floating type, complex128 for every complex one, and the rest as it is."""
    if jnp.issubdtype(dtype, jnp.floating):
        return np.dtype(np.float64)
    return np.dtype(np.complex128) if jnp.issubdtype(dtype, jnp.complexfloating) else dtype


def cast(value: Any, dtype: Any) -> Any:
    """The value in another type, or itself if it has that type."""
    return value if value.dtype == dtype else jax.lax.convert_element_type(value, dtype)


def in_float64(eqn: Any, inputs: list[Any]) -> list[Any]:
    """The rule that computes in float64, whatever narrower type the equation asks for.

    Casts to a narrower floating type do nothing. Loops, branches and bit casts stay in the types
    that they were traced in.
    """
    if list(jaxprs_in_params(eqn.params)) or eqn.primitive.name == "bitcast_convert_type":
        return bind(eqn, [cast(v, a.aval.dtype) for v, a in zip(inputs, eqn.invars, strict=True)])
    inputs = [cast(v, widened(v.dtype)) for v in inputs]
    match eqn.primitive.name:
        case "reduce_precision":
            return inputs
        case "convert_element_type":
            return [cast(inputs[0], widened(eqn.params["new_dtype"]))]
    named = {k: eqn.params.get(k) for k in ("dtype", "preferred_element_type")}
    return bind(eqn, inputs, **{k: widened(v) for k, v in named.items() if v is not None})


# What windowed reductions are padded with.
_NEUTRAL = {"reduce_window_max": -np.inf, "reduce_window_min": np.inf, "reduce_window_sum": 0.0}


def switched_padding(
    space: int, circular: Any, extra: Any, eqn: Any, inputs: list[Any]
) -> list[Any] | None:
    """The rule that pads by wrapping around, or as the model does, and with what it does.

    It rules convolutions (transposed ones too), windowed reductions, and constant padding of the
    space axes of a field. What a model mirrors or repeats at the edge is no padding to XLA, and
    stays.

    Args:
      space: how many space axes there are, behind the batch axis.
      circular: whether to wrap around; may be traced.
      extra: added to the padding where it does not wrap around: 0, or NaN to see how far it
        reaches; may be traced.
      eqn: the equation.
      inputs: its inputs.
    """
    p, name = eqn.params, eqn.primitive.name
    x: Any = inputs[0] if inputs else None
    if name == "pad":
        pads = [
            (axis, int(lo), int(hi), 1)
            for axis, (lo, hi, _) in enumerate(p["padding_config"])
            if lo or hi
        ]
        inner = any(interior for *_, interior in p["padding_config"])
        if inner or x.ndim < space + 2 or not all(0 < axis <= space for axis, *_ in pads):
            return None
        return [_padded(x, pads, inputs[1], circular, extra)]
    if name == "conv_general_dilated":
        axes, dilation, value = p["dimension_numbers"].lhs_spec[2:], "lhs_dilation", 0.0
    elif name in _NEUTRAL:
        axes, dilation, value = range(x.ndim), "base_dilation", _NEUTRAL[name]
    elif name == "reduce_window" and len(inputs) == 2:
        axes, dilation, value = range(x.ndim), "base_dilation", inputs[1]
    else:
        return None
    pads = [(a, *lohi, d) for a, lohi, d in zip(axes, p["padding"], p[dilation], strict=True)]
    if all(lo <= 0 and hi <= 0 for _, lo, hi, _ in pads):
        return None
    x = _padded(x, pads, value, circular, extra)
    none = {"padding": ((0, 0),) * len(pads), dilation: (1,) * len(pads)}
    return bind(eqn, [x, *inputs[1:]], **none)


def _padded(x: Any, pads: list[tuple], value: Any, circular: Any, extra: Any) -> Any:
    """x with each axis dilated and padded by (axis, lo, hi, dilation), in one way or the other."""
    value = jnp.asarray(value, x.dtype)
    # dilated, an axis of n pixels has the period n·d: a gap behind the last pixel too
    wrapped = jax.lax.pad(x, value, _config(x, {a: (0, d - 1, d - 1) for a, _, _, d in pads}))
    given = jax.lax.pad(x, value, _config(x, {a: (0, 0, d - 1) for a, _, _, d in pads}))
    edges = _config(x, {a: (lo, hi, 0) for a, lo, hi, _ in pads})
    given = jax.lax.pad(given, value + extra, edges)
    for axis, lo, _, _ in pads:
        source = (np.arange(given.shape[axis]) - lo) % wrapped.shape[axis]
        wrapped = jnp.take(wrapped, source, axis=axis)
    return jnp.where(circular, wrapped, given)


def _config(x: Any, pads: dict[int, tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    return [pads.get(axis, (0, 0, 0)) for axis in range(x.ndim)]
