"""The identity of a program: what JAX traces a function to, as one number."""

import hashlib
import re
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import ClosedJaxpr, Jaxpr


def program_sha256(f: Callable[..., Any], *arguments: Any) -> str:
    """SHA-256 of what JAX traces `f` to: operations, sizes, numbers and arrays closed over.

    It is the same in every process, and changes with what no shape shows: an activation, a rate of
    dropout, a table. It may change with the versions of JAX and of Flax, too.

    Args:
      f: a function of arrays; if it is jitted, calling it later does not trace it again.
      arguments: to trace it with; only their types and shapes count.
    """
    # a jitted function traces itself: inside another trace its compiler options are refused
    traced = (f if hasattr(f, "trace") else jax.jit(f)).trace(*arguments).jaxpr
    text = re.sub(r"0x[0-9a-f]+", "", str(traced))  # addresses of functions
    digest = hashlib.sha256(text.encode())
    for array in _closed_over(traced):
        if jnp.issubdtype(array.dtype, jax.dtypes.prng_key):
            array = jax.random.key_data(array)
        digest.update(np.asarray(array).tobytes())
    return digest.hexdigest()


def _closed_over(program: ClosedJaxpr) -> Iterator[Any]:
    """The arrays that a program and those within it close over, which its text does not show."""
    found, seen = [program], {id(program)}
    for one in found:
        yield from getattr(one, "consts", ())  # from JAX 0.12 on, every program has them
        for equation in one.eqns:
            for value in jax.tree.leaves(list(equation.params.values())):
                if isinstance(value, ClosedJaxpr | Jaxpr) and id(value) not in seen:
                    found.append(value)
                    seen.add(id(value))
