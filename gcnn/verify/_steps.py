"""A model taken apart: the steps between its layers, each a program of its own."""

import contextlib
import functools
import types
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import Literal

from ._circular import bind, cast, in_float64, interpret, switched_padding, widened
from ._marks import Mark, Recorder, kind_of

Ends = Callable[[str, tuple[int, ...]], bool]  # of a node's name and shape: does a step end here?

# Of a step between layers, these primitives are named; all others act on each pixel alone.
_MIXING = (
    "arg", "concatenate", "cond", "conv_", "cum", "dot_", "dynamic_", "fft", "gather", "pad",
    "reduce_", "reshape", "rev", "scan", "scatter", "slice", "sort", "transpose", "while",
)  # fmt: skip


@dataclass(frozen=True)
class Step:
    """One layer, or what happens between two.

    Attributes:
      name: the path of the layer, or "before" that of the next one.
      kind: the class of the layer, or what a step in between computes.
      inputs: the nodes that it reads; node 0 is the input of the model, node i what step i - 1
        returns.
      program: (arrays, values of the inputs, circular, extra) to its value.
      arrays: parameters of the model that it reads.
      wide: whether it computes in float64.
    """

    name: str
    kind: str
    inputs: tuple[int, ...]
    program: Callable[..., jax.Array]
    arrays: list[Any]
    wide: bool

    def __call__(
        self, values: Sequence[np.ndarray], circular: bool = False, extra: float = 0.0
    ) -> np.ndarray:
        """What the step makes of the values of its inputs; see `switched_padding` for the rest.

        Raises:
          ValueError: it returns NaN or infinity, without being given any.
        """
        with jax.enable_x64(True) if self.wide else contextlib.nullcontext():
            values = [v.astype(np.float64) for v in values] if self.wide else values
            y = np.asarray(self.program(self.arrays, list(values), circular, extra))
        if extra == 0 and not np.isfinite(y.astype(np.float64)).all():
            raise ValueError(
                f"The step {self.name} ({self.kind}) returns NaN or infinity: no error can be "
                f"measured. Look at its parameters, and at the range of x."
            )
        return y


@dataclass(frozen=True)
class Apart:
    """A model taken apart.

    Attributes:
      steps: in the order of evaluation.
      output: the node that the model returns.
    """

    steps: list[Step]
    output: int

    def nodes(self, x: np.ndarray, *, circular: bool = False) -> list[np.ndarray]:
        """The values of all nodes, the first being x."""
        values = [x]
        for step in self.steps:
            values.append(step([values[i] for i in step.inputs], circular))
        return values


def take_apart(
    f: Callable[[Any], Any],
    x: np.ndarray,
    space: int,
    ends: Ends | tuple[str, ...],
    *,
    wide: bool = False,
) -> Apart:
    """Cut f where its layers take and return arrays.

    Args:
      f: the model; its parameters are the arrays among its pytree leaves.
      x: an input of the shape and type to trace for.
      space: how many space axes there are.
      ends: whether a step may end at a node; or the names of those where one does, and no other.
      wide: compute in float64, with a switch for the padding.

    Raises:
      ValueError: f changes the batch size, or returns no batch.
    """
    leaves, treedef = jax.tree.flatten(f)
    places = [i for i, leaf in enumerate(leaves) if isinstance(leaf, jax.Array | np.ndarray)]
    recorder = Recorder()
    kinds: dict[str, str] = {}
    counts: Counter[str] = Counter()
    passed: list[Any] = []

    def call(*arguments: jax.Array) -> jax.Array:
        own, (*arrays, x) = leaves.copy(), arguments
        for i, array in zip(places, arrays, strict=True):
            own[i] = array
        model = jax.tree.unflatten(treedef, own)
        with recorder.recording(model):
            y = _checked(model(x), x)
        return recorder.end(y, kind_of(f))

    def rule(eqn: Any, inputs: list[Any]) -> list[Any] | None:
        if eqn.primitive.name != "name":
            return in_float64(eqn, inputs) if wide else None
        mark = recorder.read(eqn.params["name"])
        if mark is None or not mark.call.is_step:
            return inputs
        name = _node_name(mark)
        counts[name] += 1
        name = name if counts[name] == 1 else f"{name} (call {counts[name]})"
        kinds[name] = mark.call.kind if mark.role == "out" else ""
        if isinstance(ends, tuple):
            here = name in ends
        else:  # not where what comes in went out of a step that does not end
            here = not any(inputs[0] is array for array in passed) and ends(name, inputs[0].shape)
        if here or mark.role == "end":
            return bind(eqn, inputs, name=name)
        passed.append(inputs[0])
        return inputs

    with jax.enable_x64(True) if wide else contextlib.nullcontext():
        arguments = [jnp.asarray(array) for array in (*(leaves[i] for i in places), x)]
        if wide:
            arguments = [cast(array, widened(array.dtype)) for array in arguments]
        flat = _rewritten(jax.make_jaxpr(call)(*arguments), rule, arguments)
        if wide:
            padded = functools.partial(switched_padding, space)
            flat = _rewritten(flat, padded, arguments, False, 0.0)
    named = ends if isinstance(ends, tuple) else None
    return _cut(flat, arguments[:-1], kinds, named, settings=2 if wide else 0)


def _rewritten(jaxpr: Any, rule: Callable[..., Any], arguments: list[Any], *settings: Any) -> Any:
    """The jaxpr by another rule, without calls; settings of the rule are its first inputs."""

    def run(*inputs: Any) -> Any:
        own, rest = inputs[: len(settings)], inputs[len(settings) :]
        return interpret(jaxpr.jaxpr, jaxpr.consts, rest, functools.partial(rule, *own))[0]

    return jax.make_jaxpr(run)(*settings, *arguments)


def _cut(
    flat: Any,
    arrays: list[Any],
    kinds: dict[str, str],
    named: tuple[str, ...] | None,
    settings: int,
) -> Apart:
    """The steps between the marks of a jaxpr; its inputs are settings, parameters and node 0."""
    jaxpr = flat.jaxpr
    *parameters, x = jaxpr.invars[settings:]
    known = dict(zip([*jaxpr.constvars, *parameters], [*flat.consts, *arrays], strict=True))
    node_of = {x: 0}
    steps: list[Step] = []
    before: list[Any] = []
    for eqn in jaxpr.eqns:
        if eqn.primitive.name != "name":
            before.append(eqn)
            continue
        (source,), (node,), name = eqn.invars, eqn.outvars, eqn.params["name"]
        wanted = set() if isinstance(source, Literal) else {source}
        idle = bool(wanted & node_of.keys())  # nothing happened since the last mark
        only = not steps and node is jaxpr.outvars[0]
        if idle and (not only if named is None else name not in named):
            node_of[node] = node_of[source]
            continue
        equations: list[Any] = []
        for earlier in reversed(before):
            if any(v in wanted and v not in node_of for v in earlier.outvars):
                equations.insert(0, earlier)
                wanted |= {v for v in earlier.invars if not isinstance(v, Literal)}
        read = [v for v in node_of if v in wanted]
        own = [v for v in known if v in wanted]
        code = types.SimpleNamespace(
            constvars=own,
            invars=[*jaxpr.invars[:settings], *read],
            eqns=equations,
            outvars=[source],
        )
        steps.append(
            Step(
                name,
                kinds[name] or _computes(equations),
                tuple(node_of[v] for v in read),
                jax.jit(functools.partial(_run, code, settings)),
                [known[v] for v in own],
                bool(settings),
            )
        )
        node_of[node] = len(steps)
        if not isinstance(source, Literal):
            node_of.setdefault(source, len(steps))  # where a skip connection reads it
    return Apart(steps, node_of[jaxpr.outvars[0]])


def _run(code: Any, settings: int, arrays: Any, values: Any, *given: Any) -> jax.Array:
    return interpret(code, arrays, [*given[:settings], *values], lambda eqn, inputs: None)[0]


def _node_name(mark: Mark) -> str:
    more = f", {'argument' if mark.role == 'in' else 'output'} {mark.number + 1}"
    name = f"before {mark.call.path}" if mark.role == "in" else mark.call.path
    return name + more if mark.number else name


def _computes(equations: list[Any]) -> str:
    names = dict.fromkeys(eqn.primitive.name for eqn in equations)
    return ", ".join(name for name in names if name.startswith(_MIXING)) or "pointwise"


def _checked(y: Any, x: jax.Array) -> jax.Array:
    if not isinstance(y, jax.Array) or y.ndim < 2 or y.shape[0] != x.shape[0]:
        raise ValueError(
            f"f maps a batch of shape {x.shape} to {getattr(y, 'shape', type(y).__name__)}: it "
            f"should keep the batch size {x.shape[0]} and return one array [b, ..., c]."
        )
    return y
