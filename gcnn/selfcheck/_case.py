"""A layer under a group, as it is to be checked, and what such layers are made of."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array

from ..actions import Action, skewed_axes
from ..groups import Group


@dataclasses.dataclass(frozen=True)
class Case:
    """One layer under one group.

    Attributes:
      name: of the layer and its settings.
      layer: the callable; its parameters, if it has any, are its pytree leaves.
      size: pixels along every axis of the input.
      on_group: whether the input is a regular field, rather than an image.
      integer: whether the layer maps integers to integers, so that the certificate applies.
      control: whether the layer breaks the symmetry, and must be rejected.
      again: whether it only checks what has a case already, with other settings or in a network.
      act_in: how the group acts on the input, where its shape does not tell.
      act_out: likewise, on the output.
      field: components and channels of the input, if it is neither an image nor a regular field.
      under: the group whose elements act, if they are not those of the fields.
    """

    name: str
    layer: Callable[[Array], Array]
    size: int
    on_group: bool
    integer: bool = True
    control: bool = False
    again: bool = False
    act_in: Action | None = None
    act_out: Action | None = None
    field: tuple[int, int] | None = None
    under: Group | None = None


def options() -> dict[str, Any]:
    """What every layer with weights is made of."""
    return {"kernel_init": normal, "bias_init": normal, "rngs": nnx.Rngs(0)}


def channels(group: Group) -> int:
    """Few, but more than one: channels that mix up would show."""
    return 3 if group.dim < 3 else 2


def side(group: Group) -> int:
    """Pixels along an axis: odd, and enough for a dilated window, or for strides."""
    return 9 if group.dim < 3 else 5


def few(group: Group) -> int:
    """Pixels along an axis: every tap of a window of three meets one, and volumes stay small."""
    return 2 if group.dim > 2 and not skewed_axes(group) else 3


def large(group: Group) -> bool:
    """Whether it acts on space and has more than 8 elements: what takes longest is left out."""
    return group.dim > 2 and group.order > 8


def by(group: Group, k: int) -> str:
    """A kernel's sizes: "3x3"."""
    return "x".join([str(k)] * group.dim)


def normal(key: Array, shape: Sequence[int], dtype: Any = jnp.float32) -> Array:
    """An initialiser that draws on the host, where no shape has to be compiled for."""
    seed = np.asarray(jax.random.key_data(key)).tolist()
    return jnp.asarray(np.random.default_rng(seed).normal(size=tuple(shape)).astype(dtype))
