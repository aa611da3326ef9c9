"""Convolution between fields of any two representations: one ordinary convolution again."""

from collections.abc import Sequence

import jax.numpy as jnp
from flax import nnx
from flax.typing import Dtype, Initializer, PrecisionLike
from jaxtyping import Array, Num

from ..actions import check_sides, fill_outside
from ..kernels import KernelSpace, check_kernel_size, folded, kernel_bank
from ..representations import Representation, trivial
from ._correlate import correlate
from ._window import Padding, check_swaps, make_window, padded


class SteerableConv(nnx.Module):
    """Convolution of a field of ρ_in to a field of ρ_out (Cohen & Welling 2017, "Steerable CNNs").

    y(p, h, o) = Σ_u Σ_k Σ_i K(u)[h, k, i, o] x(p + u, k, i) + b(h, o)

    K runs over all kernels with K(gu) = ρ_out(g) K(u) ρ_in(g)⁻¹, and b over what ρ_out leaves
    alone. There are no other equivariant layers with this window. From the trivial to the regular
    representation it is `LiftingConv`, between regular ones `GroupConv`, and to the trivial one a
    pooling that learns.

    Law: with (g·x)(p) = ρ_in(g) x(g⁻¹p) and (g·y)(p) = ρ_out(g) y(g⁻¹p), the layer maps g·x to
    g·y for every element g; and for every translation where padding permits. Exactly, as long as
    both permute the components up to signs, and to rounding otherwise.

    After it, a function of each component, such as `nnx.relu`, is equivariant only if ρ_out
    permutes the components: see `pointwise`, `NormNonlinearity` and `GatedNonlinearity`.

    Attributes:
      kernel: W, `[n, in_features, out_features]`, a coefficient for each of the n kernels of
        `KernelSpace`.
      bias: `[m, out_features]`, a coefficient for each of m invariant vectors of ρ_out; None if
        there are none.

    Example:
      >>> import jax.numpy as jnp
      >>> from flax import nnx
      >>> from gcnn import groups, nn, representations as r
      >>> p4 = groups.p4()
      >>> layer = nn.SteerableConv(r.trivial(p4), r.standard(p4), 1, 10, 3, rngs=nnx.Rngs(0))
      >>> layer(jnp.ones((2, 28, 28, 1, 1))).shape  # 10 vector fields from an image
      (2, 28, 28, 2, 10)
    """

    def __init__(
        self,
        rho_in: Representation,
        rho_out: Representation,
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
        """Create the layer; arguments are those of `GroupConv`, after two representations.

        Args:
          rho_in: ρ_in, of the input.
          rho_out: ρ_out, of the output.
          in_features: fields in the input.
          out_features: fields in the output.
          kernel_size: one integer, or one for each space axis; equal along axes that the group
            swaps, even sizes included.
          strides: likewise.
          padding: as in `GroupConv`.
          kernel_dilation: likewise.
          use_bias: add a bias, one per output field and invariant vector of ρ_out.
          dtype: the type to compute in and to return. The default is the input's own.
          param_dtype: the type of the parameters.
          precision: as in `jax.lax.conv_general_dilated`.
          kernel_init: initialiser of the kernel. Its fan-in is n·in_features; what it returns is
            scaled so that the output then has the variance of the input, whatever ρ_in and ρ_out.
          bias_init: initialiser of the bias.
          allow_inexact: accept a layer that breaks the downsampling law.
          rngs: random keys.

        Raises:
          ValueError: the group does not preserve the kernel's shape, strides, dilation or
            padding, naming the element; a size is not positive; the representations are of
            different groups; or no kernel but 0 commutes with the group.
        """
        group = rho_in.group
        window = make_window("SteerableConv", group, kernel_size, strides, kernel_dilation, padding)
        check_kernel_size(group, window.size)
        if not allow_inexact:
            check_swaps("SteerableConv", group, window)
        for what, count in (("in_features", in_features), ("out_features", out_features)):
            if count < 1:
                raise ValueError(f"SteerableConv: {what} must be at least 1, got {count}.")
        space = KernelSpace(rho_in, rho_out, window.size)
        if space.dimension == 0:
            raise ValueError(
                f"SteerableConv: no kernel of size {window.size} but 0 maps {rho_in} to "
                f"{rho_out} equivariantly. Use a larger kernel, or other representations."
            )
        shape = (space.dimension, in_features, out_features)
        scale = jnp.asarray(space.scales(), param_dtype)[:, None, None]
        self.kernel = nnx.Param(kernel_init(rngs.params(), shape, param_dtype) * scale)
        constant = KernelSpace(trivial(group), rho_out, (1,) * group.dim)
        self.bias = nnx.data(
            nnx.Param(bias_init(rngs.params(), (constant.dimension, out_features), param_dtype))
            if use_bias and constant.dimension
            else None
        )
        self.group = group
        self.space = space
        self.constant = constant
        self.in_features = in_features
        self.out_features = out_features
        self.window = window
        self.dtype = dtype
        self.precision = precision
        self.allow_inexact = allow_inexact

    def bank(self) -> Num[Array, "*u k i h o"]:
        """K(u), `[*u, k, i, h, o]`, k and h the components of input and output."""
        return kernel_bank(self.space, self.kernel[...])

    def __call__(self, x: Num[Array, "b *space k i"]) -> Num[Array, "b *space_out h o"]:
        """Convolve a batch of fields.

        Args:
          x: a field of ρ_in, `[b, *space, k, i]`.

        Returns:
          A field of ρ_out, `[b, *space, h, o]`.

        Raises:
          ValueError: the shape is not a field's of ρ_in, or breaks the downsampling law.
        """
        d = self.group.dim
        rho_in, rho_out = self.space.rho_in, self.space.rho_out
        if x.ndim != d + 3 or x.shape[1 + d :] != (rho_in.dim, self.in_features):
            raise ValueError(
                f"SteerableConv from {rho_in} takes [batch, {d} space axes, {rho_in.dim}, "
                f"{self.in_features}], got shape {x.shape}. An image needs an axis of length 1 "
                f"before its channels: x[..., None, :]."
            )
        own = x.dtype if jnp.issubdtype(x.dtype, jnp.inexact) else self.kernel.dtype
        dtype = own if self.dtype is None else self.dtype
        check_sides(self.group, x.shape[1 : 1 + d], "SteerableConv: an input")
        space = range(1, 1 + d)
        x = fill_outside(self.group, x.astype(dtype), space, 0)
        x, pads = padded("SteerableConv", self.group, self.window, x, self.allow_inexact)
        x = x.reshape(*x.shape[: 1 + d], -1)
        filters = self.bank().astype(dtype).reshape(*self.window.size, x.shape[-1], -1)
        window = self.window
        y = correlate(x, filters, window.strides, pads, window.dilation, self.precision)
        y = y.reshape(*y.shape[:-1], rho_out.dim, self.out_features)
        if self.bias is not None:
            bias = kernel_bank(self.constant, self.bias[...][:, None, :])
            y = y + bias.astype(dtype).reshape((1,) * (1 + d) + y.shape[-2:])
        return fill_outside(self.group, y, space, 0)
