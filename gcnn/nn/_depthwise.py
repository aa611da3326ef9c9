"""Convolutions that do not mix what a group convolution mixes at once: in space, or over H."""

from collections.abc import Sequence

import jax.numpy as jnp
from flax import nnx
from flax.typing import Dtype, Initializer, PrecisionLike
from jaxtyping import Array, Num

from ..actions import check_sides, fill_outside
from ..groups import Group
from ..kernels import check_kernel_size, folded, initial_kernel, lifting_bank
from ._conv import GroupConv
from ._correlate import depthwise
from ._window import Padding, check_swaps, make_window, padded


class DepthwiseConv(nnx.Module):
    """Convolution of a regular field in space alone: slots and channels stay apart.

    y(p, h, c) = Σ_u x(s·p + u, h, c) W(h⁻¹u, c) + b(c)

    Law: with (g·x)(p, h) = x(g⁻¹p, g⁻¹h), and y likewise, the layer maps g·x to g·y, exactly, for
    every element g. It is the group convolution whose kernel is 0 but at k = e and at i = o.

    Attributes:
      kernel: W, `[*kernel_size, 1, features]`, as in `nnx.Conv` with as many feature groups.
      bias: b, `[features]`, or None.

    Example:
      >>> import jax.numpy as jnp
      >>> from flax import nnx
      >>> from gcnn import groups, nn
      >>> layer = nn.DepthwiseConv(groups.p4(), 10, 3, rngs=nnx.Rngs(0))
      >>> layer(jnp.ones((2, 28, 28, 4, 10))).shape, layer.kernel.shape
      ((2, 28, 28, 4, 10), (3, 3, 1, 10))
    """

    def __init__(
        self,
        group: Group,
        features: int,
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
        rngs: nnx.Rngs,
    ):
        """Create the layer; arguments as in `GroupConv`, with one number of channels.

        Args:
          group: the group.
          features: channels of the input and of the output.
          kernel_size: as in `GroupConv`, and so are all that follow.
          strides: likewise.
          padding: likewise.
          kernel_dilation: likewise.
          use_bias: likewise.
          dtype: likewise.
          param_dtype: likewise.
          precision: likewise.
          kernel_init: likewise; the fan-in is the number of pixels of the kernel.
          bias_init: likewise.
          allow_inexact: likewise.
          rngs: random keys.

        Raises:
          ValueError: as in `GroupConv`.
        """
        window = make_window("DepthwiseConv", group, kernel_size, strides, kernel_dilation, padding)
        check_kernel_size(group, window.size)
        if not allow_inexact:
            check_swaps("DepthwiseConv", group, window)
        if features < 1:
            raise ValueError(f"DepthwiseConv: features must be at least 1, got {features}.")
        shape = (*window.size, 1, features)
        kernel = initial_kernel(group, kernel_init, rngs.params(), shape, param_dtype)
        self.kernel = nnx.Param(kernel)
        self.bias = nnx.data(
            nnx.Param(bias_init(rngs.params(), (features,), param_dtype)) if use_bias else None
        )
        self.group = group
        self.features = features
        self.window = window
        self.dtype = dtype
        self.precision = precision
        self.allow_inexact = allow_inexact

    def __call__(self, x: Num[Array, "b *space h c"]) -> Num[Array, "b *space_out h c"]:
        """Convolve a batch of regular fields.

        Args:
          x: regular field `[b, *space, h, c]`.

        Returns:
          A regular field `[b, *space, h, c]`.

        Raises:
          ValueError: the shape is not a regular field's, or breaks the downsampling law.
        """
        d, expected = self.group.dim, (self.group.order, self.features)
        if x.ndim != d + 3 or x.shape[-2:] != expected:
            raise ValueError(
                f"DepthwiseConv under {self.group} takes [batch, {d} space axes, {expected[0]}, "
                f"{expected[1]}], got shape {x.shape}. An image, without a group axis, needs "
                f"LiftingConv first."
            )
        check_sides(self.group, x.shape[1 : 1 + d], "DepthwiseConv: an input")
        own = x.dtype if jnp.issubdtype(x.dtype, jnp.inexact) else self.kernel.dtype
        dtype = own if self.dtype is None else self.dtype
        space = range(1, 1 + d)
        x = fill_outside(self.group, x.astype(dtype), space, 0)
        x, pads = padded("DepthwiseConv", self.group, self.window, x, self.allow_inexact)
        bank = lifting_bank(self.group, self.kernel[...].astype(dtype))  # [*u, 1, h, c]
        y = depthwise(
            x.reshape(*x.shape[: 1 + d], -1),
            bank.reshape(*self.window.size, 1, -1),
            self.window.strides,
            pads,
            self.window.dilation,
            self.precision,
        )
        y = y.reshape(*y.shape[:-1], *expected)
        if self.bias is not None:
            y = y + self.bias[...].astype(dtype).reshape((1,) * (y.ndim - 1) + (-1,))
        return fill_outside(self.group, y, space, 0)


class SeparableGroupConv(nnx.Module):
    """A group convolution with a kernel that is a product: over H and channels, then in space.

    W(u, k, i, o) = V(k, i, o) w(u, o)

    A convolution of one pixel mixes slots and channels, and a depthwise one sees the neighbours:
    |H|²·C² + |H|·C·|u| products for a pixel in place of |H|²·C²·|u| (Knigge et al. 2022).

    Law: that of its two parts, and so that of `GroupConv`.

    Attributes:
      pointwise: V, a `GroupConv` with a kernel of one pixel and no bias.
      depthwise: w and the bias, a `DepthwiseConv`.

    Example:
      >>> import jax.numpy as jnp
      >>> from flax import nnx
      >>> from gcnn import groups, nn
      >>> layer = nn.SeparableGroupConv(groups.p4(), 10, 20, 3, rngs=nnx.Rngs(0))
      >>> layer(jnp.ones((2, 28, 28, 4, 10))).shape
      (2, 28, 28, 4, 20)
    """

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
        rngs: nnx.Rngs,
    ):
        """Create the layer; arguments as in `GroupConv`.

        Args:
          group: the group.
          in_features: channels of the input.
          out_features: channels of the output.
          kernel_size: of w, and so are all that follow.
          strides: likewise.
          padding: likewise.
          kernel_dilation: likewise.
          use_bias: add one bias per output channel.
          dtype: of both parts.
          param_dtype: of both parts.
          precision: of both parts.
          kernel_init: of both parts.
          bias_init: initialiser of the bias.
          allow_inexact: accept a layer that breaks the downsampling law.
          rngs: random keys.

        Raises:
          ValueError: as in `GroupConv`.
        """
        self.pointwise = GroupConv(
            group, in_features, out_features, 1, use_bias=False, dtype=dtype,
            param_dtype=param_dtype, precision=precision, kernel_init=kernel_init, rngs=rngs,
        )  # fmt: skip
        self.depthwise = DepthwiseConv(
            group, out_features, kernel_size, strides, padding=padding,
            kernel_dilation=kernel_dilation, use_bias=use_bias, dtype=dtype,
            param_dtype=param_dtype, precision=precision, kernel_init=kernel_init,
            bias_init=bias_init, allow_inexact=allow_inexact, rngs=rngs,
        )  # fmt: skip

    def __call__(self, x: Num[Array, "b *space k i"]) -> Num[Array, "b *space_out h o"]:
        """Convolve a batch of regular fields, `[b, *space, k, i]` to `[b, *space, h, o]`.

        Raises:
          ValueError: the shape is not a regular field's, or breaks the downsampling law.
        """
        return self.depthwise(self.pointwise(x))
