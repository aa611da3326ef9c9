"""Lifting and group convolution: one ordinary convolution with an expanded filter bank."""

import abc
import math
from collections.abc import Sequence
from typing import ClassVar

import jax
import jax.numpy as jnp
from flax import nnx
from flax.typing import Dtype, Initializer, PrecisionLike
from jaxtyping import Array, Num

from ..actions import check_sides, fill_outside
from ..groups import Group
from ..kernels import (
    cheaper_evaluation,
    check_kernel_size,
    folded,
    fourier_convolution,
    group_bank,
    initial_kernel,
    lifting_bank,
)
from ._correlate import correlate
from ._window import Padding, Pads, Window, check_swaps, make_window, padded, resolve_pads


class AbstractConv(nnx.Module):
    """What all convolutions share; `LiftingConv`, `GroupConv` and the transposed ones are final."""

    _hint: ClassVar[str]  # what to do about an input of another shape
    _evaluations: ClassVar[tuple[str, ...]] = ("direct",)

    def __init__(
        self,
        group: Group,
        in_features: int,
        out_features: int,
        kernel_size: int | Sequence[int],
        strides: int | Sequence[int] | None = 1,
        *,
        padding: Padding = "SAME",
        kernel_dilation: int | Sequence[int] | None = 1,
        use_bias: bool = True,
        dtype: Dtype | None = None,
        param_dtype: Dtype = jnp.float32,
        precision: PrecisionLike = None,
        kernel_init: Initializer = folded(nnx.initializers.lecun_normal()),
        bias_init: Initializer = nnx.initializers.zeros_init(),
        allow_inexact: bool = False,
        evaluation: str | None = None,
        rngs: nnx.Rngs,
    ):
        """Create the layer; arguments are those of the Flax layer, after the group.

        Args:
          group: the group.
          in_features: channels of the input (of each slot of its group axis, if it has one).
          out_features: channels of the output, for each of its |H| slots.
          kernel_size: one integer, or one for each space axis; equal along axes that the group
            swaps, even sizes included.
          strides: likewise.
          padding: "SAME", "VALID", "CIRCULAR", or explicit: an integer, or an integer or a pair
            (lo, hi) for each space axis. All as in Flax, of `nnx.ConvTranspose` if transposed.
          kernel_dilation: likewise.
          use_bias: add one bias per output channel, shared by the group axis.
          dtype: the type to compute in and to return. The default is the input's own (where
            Flax promotes it with the parameters').
          param_dtype: the type of the parameters.
          precision: as in `jax.lax.conv_general_dilated`.
          kernel_init: initialiser of the kernel. Fan-in is the kernel's size but the last axis,
            so that it counts |H| in a group convolution, and only the taps that a skewed lattice
            has (see `kernels.initial_kernel`).
          bias_init: initialiser of the bias.
          allow_inexact: accept a layer that breaks the downsampling law.
          evaluation: "direct", one convolution with the bank; or "fourier", for `GroupConv`
            alone, blocks in the irreducible representations of H. They give the same numbers, to
            rounding. Not given, `kernels.cheaper_evaluation` chooses where the layer is traced.
          rngs: random keys.

        Raises:
          ValueError: the group does not preserve the kernel's shape, strides, dilation or
            padding, naming the element; a size is not positive; or the layer has no such
            evaluation.
        """
        name = type(self).__name__
        window = make_window(name, group, kernel_size, strides, kernel_dilation, padding)
        check_kernel_size(group, window.size)
        if not allow_inexact:
            self._check_window(group, window)
        for what, n in (("in_features", in_features), ("out_features", out_features)):
            if n < 1:
                raise ValueError(f"{name}: {what} must be at least 1, got {n}.")
        if evaluation not in (None, *self._evaluations):
            raise ValueError(
                f"{name}: evaluation {evaluation!r} is none of {', '.join(self._evaluations)}; "
                f"leave it out to have the cheaper one chosen."
            )
        shape = (*window.size, *self._slots(group), in_features, out_features)
        kernel = initial_kernel(group, kernel_init, rngs.params(), shape, param_dtype)
        self.kernel = nnx.Param(kernel)
        self.bias = nnx.data(
            nnx.Param(bias_init(rngs.params(), (out_features,), param_dtype)) if use_bias else None
        )
        self.group = group
        self.in_features = in_features
        self.out_features = out_features
        self.window = window
        self.dtype = dtype
        self.precision = precision
        self.allow_inexact = allow_inexact
        self.evaluation = evaluation

    @staticmethod
    @abc.abstractmethod
    def _slots(group: Group) -> tuple[int, ...]:
        """The group axis of the input, () if it has none."""

    @classmethod
    def _check_window(cls, group: Group, window: Window) -> None:
        """Raise a ValueError if the window breaks the law on images of every size."""
        check_swaps(cls.__name__, group, window)

    @classmethod
    def pads(
        cls, group: Group, window: Window, space: Sequence[int], allow_inexact: bool = False
    ) -> Pads:
        """(lo, hi) around an image of these sides, on every axis.

        Raises:
          ValueError: the layer would break the downsampling law there, or have no output.
        """
        return resolve_pads(cls.__name__, group, window, space, allow_inexact)

    @abc.abstractmethod
    def bank(self) -> Array:
        """The expanded filters, `[*kernel_size, (k,) i, h, o]`."""

    def _convolve(self, x: Array) -> Array:
        """Cross-correlate `[b, *space, (k,) i]` with the bank; returns `[b, *space, h, o]`."""
        d, slots = self.group.dim, self._slots(self.group)
        expected = (*slots, self.in_features)
        if x.ndim != 1 + d + len(expected) or x.shape[1 + d :] != expected:
            raise ValueError(
                f"{type(self).__name__} under {self.group} takes [batch, {d} space axes, "
                f"{', '.join(map(str, expected))}], got shape {x.shape}. {self._hint}"
            )
        check_sides(self.group, x.shape[1 : 1 + d], f"{type(self).__name__}: an input")
        own = x.dtype if jnp.issubdtype(x.dtype, jnp.inexact) else self.kernel.dtype
        dtype = own if self.dtype is None else self.dtype
        space = range(1, 1 + d)
        y = self._evaluate(fill_outside(self.group, x.astype(dtype), space, 0))
        if self.bias is not None:  # on |H|·o channels, since few would make short loops
            flat = y.reshape(*y.shape[:-2], -1)
            bias = jnp.tile(self.bias[...].astype(dtype), self.group.order)
            y = (flat + bias.reshape((1,) * (flat.ndim - 1) + (-1,))).reshape(y.shape)
        return fill_outside(self.group, y, space, 0)

    def _evaluate(self, x: Array) -> Array:
        """The convolution without its bias, with the bank."""
        x = x.reshape(*x.shape[: 1 + self.group.dim], -1)
        bank = self.bank().astype(x.dtype)
        filters = (*self.window.size, x.shape[-1], self.group.order * self.out_features)
        y = self._correlate(x, bank.reshape(filters))
        return y.reshape(*y.shape[:-1], self.group.order, self.out_features)

    def _correlate(self, x: Array, filters: Array) -> Array:
        """Slide filters `[*kernel_size, i, o]` over `[b, *space, i]`, by the stride."""
        x, pads = padded(type(self).__name__, self.group, self.window, x, self.allow_inexact)
        return correlate(
            x, filters, self.window.strides, pads, self.window.dilation, self.precision
        )


class LiftingConv(AbstractConv):
    """Convolution that lifts an image to the group (Cohen & Welling 2016, eq. 10).

    y(p, h, o) = Σ_u Σ_i x(p + u, i) W(h⁻¹u, i, o) + b(o)

    Law: with (g·x)(p) = x(g⁻¹p) and (g·y)(p, h) = y(g⁻¹p, g⁻¹h), the layer maps g·x to g·y,
    exactly, for every element g; and for every translation where padding permits.

    Attributes:
      kernel: W, `[*kernel_size, in_features, out_features]`.
      bias: b, `[out_features]`, or None.

    Example:
      >>> import jax.numpy as jnp
      >>> from flax import nnx
      >>> from gcnn import groups, nn
      >>> layer = nn.LiftingConv(groups.p4(), 1, 10, 3, rngs=nnx.Rngs(0))
      >>> layer(jnp.ones((2, 28, 28, 1))).shape
      (2, 28, 28, 4, 10)
    """

    _hint: ClassVar[str] = (
        "An image needs batch and channel axes; a field with a group axis needs GroupConv."
    )

    @staticmethod
    def _slots(group: Group) -> tuple[int, ...]:
        return ()

    def bank(self) -> Num[Array, "*u i h o"]:
        """B[u, i, h, o] = W[h⁻¹u, i, o]."""
        return lifting_bank(self.group, self.kernel[...])

    def __call__(self, x: Num[Array, "b *space i"]) -> Num[Array, "b *space_out h o"]:
        """Lift a batch of images.

        Args:
          x: images `[b, *space, i]`.

        Returns:
          A regular field `[b, *space, h, o]`.

        Raises:
          ValueError: the shape is not an image's, or breaks the downsampling law.
        """
        return self._convolve(x)


class GroupConv(AbstractConv):
    """Convolution of regular fields over the group (Cohen & Welling 2016, eq. 11).

    y(p, h, o) = Σ_u Σ_k Σ_i x(p + u, k, i) W(h⁻¹u, h⁻¹k, i, o) + b(o)

    Law: with (g·x)(p, h) = x(g⁻¹p, g⁻¹h), and y likewise, the layer maps g·x to g·y, exactly,
    for every element g; and for every translation where padding permits.

    Attributes:
      kernel: W, `[*kernel_size, |H|, in_features, out_features]`.
      bias: b, `[out_features]`, or None.

    Example:
      >>> import jax.numpy as jnp
      >>> from flax import nnx
      >>> from gcnn import groups, nn
      >>> layer = nn.GroupConv(groups.p4(), 10, 20, 3, rngs=nnx.Rngs(0))
      >>> layer(jnp.ones((2, 28, 28, 4, 10))).shape
      (2, 28, 28, 4, 20)
    """

    _hint: ClassVar[str] = "An image, without a group axis, needs LiftingConv first."
    _evaluations: ClassVar[tuple[str, ...]] = ("direct", "fourier")

    @staticmethod
    def _slots(group: Group) -> tuple[int, ...]:
        return (group.order,)

    def bank(self) -> Num[Array, "*u k i h o"]:
        """B[u, k, i, h, o] = W[h⁻¹u, h⁻¹k, i, o]."""
        return group_bank(self.group, self.kernel[...])

    def _evaluate(self, x: Array) -> Array:
        name = type(self).__name__
        wrapped, pads = padded(name, self.group, self.window, x, self.allow_inexact)
        space = x.shape[1 : 1 + self.group.dim]
        outputs = [self.window.outputs(axis, n) for axis, n in enumerate(space)]
        batch = x.shape[0] if isinstance(x.shape[0], int) else 1  # symbolic, where it is exported
        chosen = self.evaluation or cheaper_evaluation(
            self.group,
            self.window.size,
            self.out_features,
            batch * math.prod(outputs),
            jax.default_backend(),
            x.dtype.name,
        )
        if chosen == "direct":
            return super()._evaluate(x)
        return fourier_convolution(
            self.group,
            wrapped,
            self.kernel[...].astype(x.dtype),
            self.window.strides,
            pads,
            self.window.dilation,
            self.precision,
        )

    def __call__(self, x: Num[Array, "b *space k i"]) -> Num[Array, "b *space_out h o"]:
        """Convolve a batch of regular fields.

        Args:
          x: regular field `[b, *space, k, i]`.

        Returns:
          A regular field `[b, *space, h, o]`.

        Raises:
          ValueError: the shape is not a regular field's, or breaks the downsampling law.
        """
        return self._convolve(x)
