"""All devices of all processes as one: what lies where."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from ..training import compiler
from ..training.step import Program, State

T = TypeVar("T")


class Devices:
    """Where the state and the batches of a run lie, on one device or on many.

    A batch is divided among the devices and the state is on each of them; from the formula of the
    step XLA then finds what to sum over the devices, so that gradients, and the statistics of
    BatchNorm, are those of the whole batch. Several seeds whose number the devices divide are
    divided themselves, and no device needs to hear of another.

    Attributes:
      count: how many devices there are.
      seeds_apart: whether the seeds are divided, and not the batch.
    """

    def __init__(self, batch_size: int, seeds: int = 1, accumulate: int = 1):
        """Take all the devices that JAX has.

        Args:
          batch_size: images per step and seed.
          seeds: how many are trained at once.
          accumulate: micro-batches per step.

        Raises:
          ValueError: neither the seeds nor the batch can be divided among them.
        """
        self.count = jax.device_count()
        self.seeds_apart = self.count > 1 and seeds % self.count == 0
        unit = self.count * accumulate
        if not self.seeds_apart and batch_size % unit:
            below = batch_size // unit * unit
            sizes = f"{below} or {below + unit}" if below else f"{unit}"
            micro = f", in {accumulate} micro-batches," if accumulate > 1 else ""
            raise ValueError(
                f"A batch of {batch_size}{micro} cannot be divided evenly among {self.count} "
                f"devices; use --batch-size {sizes}, or fewer devices."
            )
        mesh = jax.make_mesh((self.count,), ("data",), axis_types=(AxisType.Auto,))
        over_batch = PartitionSpec("data") if seeds == 1 else PartitionSpec(None, "data")
        divided = PartitionSpec("data") if self.seeds_apart else over_batch
        self._mesh = mesh
        self._everywhere = NamedSharding(mesh, PartitionSpec())
        self._divided = NamedSharding(mesh, divided)
        self._state = self._divided if self.seeds_apart else self._everywhere
        self._whole = jax.jit(lambda tree: tree, out_shardings=self._everywhere)

    def step(self, program: Program) -> Callable[..., State]:
        """The compiled step of a program, for all devices; the old state is given away."""
        if self.count == 1:
            return program.step
        if not self.seeds_apart:
            return jax.jit(
                partial(program.update, program.key),
                donate_argnums=0,
                out_shardings=self._everywhere,
                compiler_options=compiler.options(),
            )
        apart, same = PartitionSpec("data"), PartitionSpec()

        def step(state: State, images: Array, labels: Array, chosen: Array | None) -> State:
            data = apart if chosen is None else same
            each = jax.shard_map(
                program.update,
                mesh=self._mesh,
                in_specs=(apart, apart, data, data, apart),
                out_specs=apart,
                check_vma=False,
            )
            return each(program.key, state, images, labels, chosen)

        return jax.jit(step, donate_argnums=0, compiler_options=compiler.options())

    def state(self, tree: T) -> T:
        """The state, laid where steps want it."""
        return tree if self.count == 1 else _put(tree, self._state)

    def everywhere(self, array: np.ndarray) -> jax.Array:
        """The same array on every device."""
        return jnp.asarray(array) if self.count == 1 else _put(array, self._everywhere)

    def divided(self, array: np.ndarray) -> jax.Array | np.ndarray:
        """An array with an entry for each image of a batch, each where its image is needed."""
        return array if self.count == 1 else _put(array, self._divided)

    def parts(self, shape: tuple[int, ...]) -> list[tuple[slice, ...]]:
        """Which part of an array of that shape each device of this process gets, if divided."""
        places = self._divided.addressable_devices_indices_map(shape)
        return [index for index in places.values() if index is not None]

    def assembled(self, shape: tuple[int, ...], parts: Sequence[np.ndarray]) -> Array:
        """The divided array of `[*shape, ...]` that has these parts, in the order of `parts`."""
        shape = (*shape, *parts[0].shape[len(shape) :])
        places = self._divided.addressable_devices_indices_map(shape)
        arrays = [jax.device_put(part, place) for part, place in zip(parts, places, strict=True)]
        return jax.make_array_from_single_device_arrays(shape, self._divided, arrays)

    def whole(self, tree: T) -> T:
        """The state on every device, as checkpoints want it; all processes must ask."""
        return self._whole(tree) if self.seeds_apart else tree

    def local(self, tree: T) -> T:
        """The state on one device of this process; all processes must ask."""
        if self.count == 1:
            return tree
        return jax.tree.map(lambda leaf: leaf.addressable_data(0), self.whole(tree))


def _put(tree: Any, where: NamedSharding) -> Any:
    """Arrays that every process has, laid so; keys by their numbers, as JAX moves no keys."""

    def put(leaf: Any) -> Any:
        if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
            return jax.random.wrap_key_data(
                put(jax.random.key_data(leaf)), impl=jax.random.key_impl(leaf)
            )
        host = np.asarray(leaf)
        return jax.make_array_from_callback(host.shape, where, lambda index: host[index])

    return jax.tree.map(put, tree)
