"""Which callables a model is made of, and marks on what they take and return."""

import contextlib
import functools
import itertools
import uuid
from collections.abc import Callable, Iterator, Mapping, MutableSequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.ad_checkpoint import checkpoint_name

_FOREIGN = {"builtins", "functools", "types", "numpy", "jax", "jaxlib"}  # they hold no layers


@dataclass
class Parts:
    """The callables inside a model, with their paths of attributes.

    Attributes:
      modules: objects whose type defines `__call__`, with their path.
      functions: plain functions in lists, as in a sequential model: list, index and path.
    """

    modules: list[tuple[Any, str]] = field(default_factory=list)
    functions: list[tuple[MutableSequence, int, str]] = field(default_factory=list)


def find_parts(model: Any) -> Parts:
    """Walk the attributes, lists and mappings of a model; a shared part keeps its first path."""
    parts = Parts()
    seen: set[int] = set()

    def walk(value: Any, path: str) -> None:
        if id(value) in seen:
            return
        seen.add(id(value))
        children: Mapping[Any, Any]
        if isinstance(value, MutableSequence | tuple):
            children = dict(enumerate(value))
            if isinstance(value, MutableSequence):
                found = [i for i, v in enumerate(value) if _is_function(v)]
                parts.functions += [(value, i, f"{path}{i}") for i in found]
        elif isinstance(value, Mapping):
            children = value
        elif _is_foreign(value):
            return
        else:
            children = getattr(value, "__dict__", {})
            if path and callable(value):
                parts.modules.append((value, path.removesuffix(".")))
        for name, child in list(children.items()):
            walk(child, f"{path}{name}.")

    walk(model, "")
    return parts


def _is_function(value: Any) -> bool:
    return callable(value) and _is_foreign(value) and not isinstance(value, type)


def _is_foreign(value: Any) -> bool:
    return isinstance(value, type) or type(value).__module__.partition(".")[0] in _FOREIGN


@dataclass
class Call:
    """One call of a part.

    Attributes:
      path: of the part.
      kind: its class, or its name if it is a function.
      is_step: whether it did something, and called no other part that did.
    """

    path: str
    kind: str
    is_step: bool = True


class Mark(NamedTuple):
    """One array of one call.

    Attributes:
      call: the call.
      role: "in", "out", or "end" for what the whole model returns.
      number: which of several arrays.
    """

    call: Call
    role: str
    number: int


class Recorder:
    """Lets the parts of a model mark what they take and return, so that a jaxpr shows it.

    A mark is an identity, `jax.ad_checkpoint.checkpoint_name`, whose name says which call it
    belongs to, whether the array came or went, and which of several arrays it was.
    """

    def __init__(self) -> None:
        """Start without calls."""
        self._calls: list[Call] = []
        self._open: list[tuple[Call, int]] = []  # calls in progress, with the id of the part
        self._token = uuid.uuid4().hex  # a cached trace may hold the marks of another recorder

    def read(self, name: str) -> Mark | None:
        """What the name of a mark says; None for another's mark."""
        token, *rest = name.split("/")
        if token != self._token:
            return None
        return Mark(self._calls[int(rest[0])], rest[1], int(rest[2]))

    def end(self, y: jax.Array, name: str) -> jax.Array:
        """Mark what the model returns; a model of no parts goes by its name."""
        self._calls.append(Call("output" if self._calls else name, ""))
        return self._marked(y, f"{self._token}/{len(self._calls) - 1}/end")

    @contextlib.contextmanager
    def recording(self, model: Any) -> Iterator[None]:
        """Within this context, the parts of the model mark their arrays.

        Special methods are looked up on types, so it is the types that are changed, and changed
        back; other objects of the same types do what they always do.
        """
        parts = find_parts(model)
        paths = {id(part): path for part, path in parts.modules}
        with contextlib.ExitStack() as stack:
            for owner in {type(part) for part, _ in parts.modules}:
                stack.enter_context(self._replaced_call(owner, paths))
            for container, i, path in parts.functions:
                stack.callback(container.__setitem__, i, container[i])
                container[i] = functools.partial(self._call, path, container[i], container[i])
            yield

    @contextlib.contextmanager
    def _replaced_call(self, owner: Any, paths: dict[int, str]) -> Iterator[None]:
        own, original = vars(owner).get("__call__"), owner.__call__

        @functools.wraps(original)
        def call(part: Any, *args: Any, **kwargs: Any) -> Any:
            if id(part) not in paths or any(id(part) == other for _, other in self._open):
                return original(part, *args, **kwargs)  # unknown, or the same part by super()
            return self._call(paths[id(part)], part, original, part, *args, **kwargs)

        owner.__call__ = call
        try:
            yield
        finally:
            if own is None:
                del owner.__call__
            else:
                owner.__call__ = own

    def _call(self, path: str, part: Any, function: Callable, *args: Any, **kwargs: Any) -> Any:
        taken = (args, kwargs)
        if not any(map(_is_floating, _leaves(taken)[0])):
            return function(*args, **kwargs)
        number, call = len(self._calls), Call(path, kind_of(part))
        self._calls.append(call)
        self._open.append((call, id(part)))
        try:
            args, kwargs = taken = self._marked(taken, f"{self._token}/{number}/in")
            result = function(*args, **kwargs)
        finally:
            self._open.pop()
        if any(result is array for array in _leaves(taken)[0]):  # dropout that is switched off
            call.is_step = False
            return result
        if self._open:
            self._open[-1][0].is_step = False
        return self._marked(result, f"{self._token}/{number}/out")

    def _marked(self, value: Any, name: str) -> Any:
        leaves, treedef = _leaves(value)
        numbers = itertools.count()
        marked = [
            checkpoint_name(leaf, f"{name}/{next(numbers)}") if _is_floating(leaf) else leaf
            for leaf in leaves
        ]
        return jax.tree.unflatten(treedef, marked)


def _leaves(value: Any) -> Any:
    """What is in a value that is made of tuples, lists and dictionaries, and how."""
    return jax.tree.flatten(value, is_leaf=lambda v: not isinstance(v, tuple | list | dict))


def _is_floating(value: Any) -> bool:
    return isinstance(value, jax.Array) and jnp.issubdtype(value.dtype, jnp.floating)


def kind_of(part: Any) -> str:
    """The class of an object, or the name of a function."""
    function = part.func if isinstance(part, functools.partial) else part
    return getattr(function, "__name__", type(function).__name__)
