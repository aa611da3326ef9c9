"""Convolutions of Flax whose filters are the bank of a convolution over a group."""

import math
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, DTypeLike, Num

from ..actions import fill_outside
from ..groups import Group
from ..nn import GroupConv, GroupConvTranspose, LiftingConv, LiftingConvTranspose


@dataclass(frozen=True)
class _Fields:
    """What a layer takes and returns, and what it refuses.

    Attributes:
      layer: its class.
      group: its group.
      window: its `window`.
      allow_inexact: its `allow_inexact`.
      taken: the axes of its input behind space, (k, i) or (i,).
      returned: those of its output, (h, o).
    """

    layer: type[LiftingConv | GroupConv | LiftingConvTranspose | GroupConvTranspose]
    group: Group
    window: Any
    allow_inexact: bool
    taken: tuple[int, ...]
    returned: tuple[int, ...]

    def flat(self, x: Array) -> Array:
        """`[b, *space, (k,) i]` as `[b, *space, k·i]`.

        Raises:
          ValueError: the layer would refuse x.
        """
        d = self.group.dim
        if x.ndim != 1 + d + len(self.taken) or x.shape[1 + d :] != self.taken:
            raise ValueError(
                f"A frozen {self.layer.__name__} under {self.group} takes [batch, {d} space axes, "
                f"{', '.join(map(str, self.taken))}], as the layer does; got shape {x.shape}."
            )
        self.layer.pads(self.group, self.window, x.shape[1 : 1 + d], self.allow_inexact)
        x = fill_outside(self.group, x, range(1, 1 + d), 0)
        return x.reshape(*x.shape[: 1 + d], math.prod(self.taken))

    def regular(self, y: Array) -> Array:
        """`[b, *space, h·o]` as `[b, *space, h, o]`."""
        y = y.reshape(*y.shape[:-1], *self.returned)
        return fill_outside(self.group, y, range(1, 1 + self.group.dim), 0)


class FrozenConv(nnx.Conv):
    """A `LiftingConv` or a `GroupConv` as an ordinary convolution, `nnx.Conv`.

    y(p, h·O + o) = Σ_u Σ_k Σ_i x(p + u, k·I + i) B[u, k, i, h, o] + b(o)

    with the bank B = `layer.bank()`, of I channels in and O out. It takes and returns the fields
    of the layer, with their group axes, which it folds into the channels and unfolds again; and it
    refuses what the layer refuses. In between it is `nnx.Conv`, so that what works on one works on
    it.

    Law: returns what the layer returns.

    The filters of different slots are no longer tied: to train it breaks the symmetry.

    Attributes:
      kernel: B, `[*kernel_size, |H|·I, |H|·O]`, or `[*kernel_size, I, |H|·O]` of a `LiftingConv`.
      bias: b for every slot, `[|H|·O]`, or None.

    Example:
      >>> import jax.numpy as jnp
      >>> from flax import nnx
      >>> from gcnn import export, groups, nn
      >>> conv = export.FrozenConv(nn.GroupConv(groups.p4(), 10, 20, 3, rngs=nnx.Rngs(0)))
      >>> conv.kernel.shape, conv.bias.shape
      ((3, 3, 40, 80), (80,))
      >>> conv(jnp.ones((2, 28, 28, 4, 10))).shape
      (2, 28, 28, 4, 20)
    """

    def __init__(self, layer: LiftingConv | GroupConv):
        """Expand the filters of a layer, in their own type."""
        fields, options = _options(layer)
        super().__init__(**options)
        self.fields = fields

    def __call__(
        self, inputs: Num[Array, "b *field"], out_sharding: Any = None
    ) -> Num[Array, "b *space_out h o"]:
        """Convolve a batch of images or regular fields, as the layer did.

        Raises:
          ValueError: as the layer.
        """
        return self.fields.regular(super().__call__(self.fields.flat(inputs), out_sharding))


class FrozenConvTranspose(nnx.ConvTranspose):
    """A `LiftingConvTranspose` or a `GroupConvTranspose` as an ordinary `nnx.ConvTranspose`.

    All else is as in `FrozenConv`.
    """

    def __init__(self, layer: LiftingConvTranspose | GroupConvTranspose):
        """Expand the filters of a layer, in their own type.

        Raises:
          ValueError: the group has more than three space axes, which Flax does not know.
        """
        if layer.group.dim > 3:
            raise ValueError(
                f"nnx.ConvTranspose has at most 3 space axes, and a {type(layer).__name__} under "
                f"{layer.group} has {layer.group.dim}. Leave this layer as it is."
            )
        fields, options = _options(layer)
        super().__init__(**options)
        self.fields = fields

    def __call__(self, inputs: Num[Array, "b *field"]) -> Num[Array, "b *space_out h o"]:
        """Convolve a batch of images or regular fields, as the layer did.

        Raises:
          ValueError: as the layer.
        """
        return self.fields.regular(super().__call__(self.fields.flat(inputs)))


def _options(
    layer: LiftingConv | GroupConv | LiftingConvTranspose | GroupConvTranspose,
) -> tuple[_Fields, dict[str, Any]]:
    """What to know of a layer, and the arguments of the layer of Flax."""
    window, group = layer.window, layer.group
    bank = layer.bank()  # [*kernel_size, (k,) i, h, o]
    taken, returned = bank.shape[group.dim : -2], bank.shape[-2:]
    fields = _Fields(type(layer), group, window, layer.allow_inexact, taken, returned)
    filters = bank.reshape(*window.size, math.prod(taken), math.prod(returned))
    bias = None if layer.bias is None else jnp.tile(layer.bias[...], group.order)
    return fields, {
        "in_features": filters.shape[-2],
        "out_features": filters.shape[-1],
        "kernel_size": window.size,
        "strides": window.strides,
        "padding": window.padding,  # of the same meaning in Flax, which does not check the law
        "kernel_dilation": window.dilation,
        "use_bias": bias is not None,
        "dtype": layer.dtype,
        "param_dtype": filters.dtype,
        "precision": layer.precision,
        "kernel_init": lambda *_: filters,
        "bias_init": lambda *_: bias,
        "promote_dtype": _in_the_type_of_the_input,
        "rngs": nnx.Rngs(0),  # nothing is drawn
    }


def _in_the_type_of_the_input(
    arrays: tuple[Array, Array, Array | None], /, *, dtype: DTypeLike | None = None
) -> tuple[Array | None, ...]:
    """Input, kernel and bias in the type that a layer of `gcnn` computes in."""
    x, kernel, _ = arrays
    if dtype is None:
        dtype = x.dtype if jnp.issubdtype(x.dtype, jnp.inexact) else kernel.dtype
    return tuple(None if array is None else array.astype(dtype) for array in arrays)
