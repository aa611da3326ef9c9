"""A network as a program that another process runs, with JAX alone."""

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.export import Exported

from ._freeze import freeze


def to_stablehlo(
    model: nnx.Module,
    x: Any,
    *,
    platforms: Sequence[str] = ("cpu", "cuda", "tpu"),
) -> Exported:
    """A model in evaluation mode as a program in StableHLO, parameters included.

    exported.call(x) = model(x)

    The model is frozen first, if it is not. The program takes one array of the shape and type of
    x, with a batch of any size.

    Args:
      model: the model, in evaluation mode.
      x: a batch, or its shape and type as a `jax.ShapeDtypeStruct`.
      platforms: what the program may run on, in the words of JAX.

    Returns:
      The program, to be called, or written by `save`. Its `mlir_module()` is StableHLO as text.

    Raises:
      ValueError: a part of the model is in training mode; x has no batch axis; or the model
        refuses x.

    Example:
      >>> import jax
      >>> from flax import nnx
      >>> from gcnn import export, groups, models
      >>> net = models.P4CNN(groups.p4(), rngs=nnx.Rngs(0))
      >>> net.eval()
      >>> exported = export.to_stablehlo(net, jax.ShapeDtypeStruct((1, 28, 28, 1), "float32"))
      >>> exported.in_avals, exported.out_avals
      ((ShapedArray(float32[b,28,28,1]),), (ShapedArray(float32[b,10]),))
    """
    if training := _training(model):
        raise ValueError(
            f"to_stablehlo writes a model for evaluation, and {', '.join(training)} "
            f"{'is' if len(training) == 1 else 'are'} in training mode. Call model.eval() first."
        )
    given = jax.eval_shape(lambda x: x, x)
    if not given.shape:
        raise ValueError("to_stablehlo needs x with a batch axis, got a single number.")
    shape = (*jax.export.symbolic_shape("b"), *given.shape[1:])
    graph, state = nnx.split(freeze(model))
    state = jax.tree.map(_on_the_host, state)

    def program(x: jax.Array) -> jax.Array:
        return nnx.merge(graph, jax.tree.map(jnp.asarray, state))(x)

    export = jax.export.export(jax.jit(program), platforms=tuple(platforms))
    return export(jax.ShapeDtypeStruct(shape, given.dtype))


def _on_the_host(array: Any) -> Any:
    """A copy without a device: a program asks for as many as its constants lie on."""
    if not isinstance(array, jax.Array):
        return array
    is_key = jnp.issubdtype(array.dtype, jax.dtypes.prng_key)  # of dropout: idle in evaluation
    return np.asarray(jax.random.key_data(array) if is_key else array)


def save(path: str | Path, exported: Exported) -> None:
    """Write a program to a file, beside it first, so that the file is whole or not there.

    To run it takes JAX, and neither Flax nor this package:

        from jax import export
        program = export.deserialize(bytearray(Path(path).read_bytes()))
        y = program.call(x)

    Args:
      path: the file, in a folder that exists.
      exported: the program, of `to_stablehlo` or any other.

    Raises:
      ImportError: the package `flatbuffers` is missing, which JAX writes with: install
        `gcnn[export]`.
    """
    path = Path(path)
    data = exported.serialize()
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_bytes(data)
        beside.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            beside.unlink()
        raise


def _training(model: nnx.Module) -> list[str]:
    """The modules that are not in evaluation mode, as `nnx.Module.eval` sets it."""
    return [
        f"{'.'.join(map(str, path)) or 'the model'} ({type(module).__name__})"
        for path, module in nnx.iter_modules(model)
        if getattr(module, "deterministic", True) is False
        or getattr(module, "use_running_average", True) is False
    ]
