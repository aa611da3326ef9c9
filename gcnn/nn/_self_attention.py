"""Self-attention within a window, whose encoding of relative positions the group acts upon."""

import abc
import functools
import math
from collections.abc import Sequence
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from flax.typing import Dtype, Initializer, PrecisionLike
from jaxtyping import Array, Num

from ..actions import check_sides, fill_outside, preserved_pixels, take_slots
from ..groups import Group
from ..kernels import check_kernel_size, folded, group_bank, initial_kernel, lifting_bank
from ._window import Padding, check_swaps, make_window, resolve_pads
from ._windows import windows

_MODES = ("SAME", "CIRCULAR")


class AbstractSelfAttention(nnx.Module):
    """What both share; `LiftingSelfAttention` and `GroupSelfAttention` are final."""

    _hint: ClassVar[str]  # what to do about an input of another shape

    def __init__(
        self,
        group: Group,
        in_features: int,
        out_features: int,
        kernel_size: int | Sequence[int],
        num_heads: int = 1,
        *,
        qkv_features: int | None = None,
        padding: Padding = "SAME",
        kernel_dilation: int | Sequence[int] | None = 1,
        use_bias: bool = True,
        dtype: Dtype | None = None,
        param_dtype: Dtype = jnp.float32,
        precision: PrecisionLike = None,
        kernel_init: Initializer = folded(nnx.initializers.lecun_normal()),
        bias_init: Initializer = nnx.initializers.zeros_init(),
        encoding_init: Initializer = folded(nnx.initializers.normal(1.0)),
        rngs: nnx.Rngs,
    ):
        """Create the layer; arguments as in `GroupConv` and `nnx.MultiHeadAttention`.

        Args:
          group: the group.
          in_features: channels of the input.
          out_features: channels of the output, for each of its |H| slots.
          kernel_size: of the window, one integer or one for each space axis; odd along axes that
            the group reverses, equal along those that it swaps.
          num_heads: heads, each with weights of its own.
          qkv_features: channels of queries, keys and values, of all heads together;
            `out_features` if not given.
          padding: "SAME", where a window sees no pixel beyond the border, or "CIRCULAR".
          kernel_dilation: pixels between those of the window, as `kernel_size`.
          use_bias: add biases to queries, keys, values and the output.
          dtype: the type to compute in and to return. The default is the input's own. The softmax
            of 16-bit types is taken in float32.
          param_dtype: the type of the parameters.
          precision: of the products, as in `jax.lax.dot_general`.
          kernel_init: initialiser of the four matrices.
          bias_init: initialiser of their biases.
          encoding_init: initialiser of the encoding.
          rngs: random keys.

        Raises:
          ValueError: the group does not preserve the window's shape or dilation, naming the
            element; the padding is another; a size is not positive; or the heads do not divide
            `qkv_features`.
        """
        name = type(self).__name__
        window = make_window(name, group, kernel_size, 1, kernel_dilation, padding, modes=_MODES)
        if not isinstance(window.padding, str):
            raise ValueError(
                f"{name}: padding {padding} would be pixels to attend to. Use SAME, where a window "
                f"ends at the border, or CIRCULAR."
            )
        check_kernel_size(group, window.size)
        check_swaps(name, group, window)
        width = out_features if qkv_features is None else qkv_features
        for what, n in (
            ("in_features", in_features), ("out_features", out_features),
            ("num_heads", num_heads), ("qkv_features", width),
        ):  # fmt: skip
            if n < 1:
                raise ValueError(f"{name}: {what} must be at least 1, got {n}.")
        if width % num_heads:
            raise ValueError(
                f"{name}: {width} channels of queries, keys and values cannot be shared out among "
                f"{num_heads} heads. Use qkv_features={-(-width // num_heads) * num_heads}."
            )
        linear = functools.partial(
            nnx.Linear, use_bias=use_bias, param_dtype=param_dtype, kernel_init=kernel_init,
            bias_init=bias_init, rngs=rngs,
        )  # fmt: skip
        self.query = linear(in_features, width)
        self.key = linear(in_features, width)
        self.value = linear(in_features, width)
        self.out = linear(width, out_features)
        shape = (*window.size, *self._slots(group), num_heads, width // num_heads)
        encoding = initial_kernel(group, encoding_init, rngs.params(), shape, param_dtype)
        self.encoding = nnx.Param(encoding)
        self.group = group
        self.in_features = in_features
        self.out_features = out_features
        self.num_heads = num_heads
        self.window = window
        self.dtype = dtype
        self.precision = precision

    @staticmethod
    @abc.abstractmethod
    def _slots(group: Group) -> tuple[int, ...]:
        """The group axis of the input, () if it has none."""

    @abc.abstractmethod
    def bank(self) -> Array:
        """The encoding as each slot h sees it, `[*kernel_size, (k,) n, h, d]`."""

    def _attend(self, x: Array) -> Array:
        """Attend within `[b, *space, (k,) i]`; returns `[b, *space, h, o]`."""
        group, dim, slots = self.group, self.group.dim, self._slots(self.group)
        name, expected = type(self).__name__, (*slots, self.in_features)
        if x.ndim != 1 + dim + len(expected) or x.shape[1 + dim :] != expected:
            raise ValueError(
                f"{name} under {group} takes [batch, {dim} space axes, "
                f"{', '.join(map(str, expected))}], got shape {x.shape}. {self._hint}"
            )
        sides = x.shape[1 : 1 + dim]
        check_sides(group, sides, f"{name}: an input")
        pads = resolve_pads(name, group, self.window, sides, allow_inexact=False)
        own = x.dtype if jnp.issubdtype(x.dtype, jnp.inexact) else self.encoding.dtype
        dtype = own if self.dtype is None else self.dtype
        space = range(1, 1 + dim)
        x = fill_outside(group, x.astype(dtype), space, 0)
        if not slots:
            x = x[..., None, :]  # [b, *space, k, i], with a single k
        q, k, v = (self._heads(self._linear(m, x)) for m in (self.query, self.key, self.value))
        k, v = (windows(group, self.window, pads, y, 1) for y in (k, v))  # [b, *space, u, k, n, d]
        seen = windows(group, self.window, pads, preserved_pixels(group, sides), 0)  # [*space, u]
        weights = self._weights(q, k, seen[None, ..., None, None, :, None])
        y = jnp.einsum("...hnuk,...uknd->...hnd", weights, v, precision=self.precision)
        y = self._linear(self.out, y.reshape(*y.shape[:-2], -1))
        return fill_outside(group, y, space, 0)

    def _weights(self, q: Array, k: Array, seen: np.ndarray) -> Array:
        """How much slot h of each pixel attends to what its window sees, `[b, *space, h, n, u, k]`.

        Args:
          q: queries `[b, *space, h, n, d]`; of an image, with a single h.
          k: keys `[b, *space, u, k, n, d]`.
          seen: where there is a pixel, and none beyond the border; it broadcasts to the result.
        """
        n, d = q.shape[-2:]
        r = self.bank().astype(q.dtype).reshape(-1, k.shape[-3], n, self.group.order, d)
        taps = np.flatnonzero(preserved_pixels(self.group, self.window.size))
        r = take_slots(r, taps.tolist(), 0)
        q = q / math.sqrt(d)
        each = jnp.broadcast_to(q, (*q.shape[:-3], self.group.order, n, d))
        logits = jnp.einsum("...hnd,...uknd->...hnuk", q, k, precision=self.precision)
        logits += jnp.einsum("...hnd,uknhd->...hnuk", each, r, precision=self.precision)
        if jnp.finfo(q.dtype).bits < 32:
            logits = logits.astype(jnp.float32)
        logits = jnp.where(seen, logits, jnp.finfo(logits.dtype).min)
        return jax.nn.softmax(logits, axis=(-2, -1)).astype(q.dtype)

    def _linear(self, layer: nnx.Linear, x: Array) -> Array:
        """The layer in the type of its input, to which Flax would add that of the parameters."""
        y = jnp.matmul(x, layer.kernel[...].astype(x.dtype), precision=self.precision)
        if layer.bias is None:
            return y
        return y + layer.bias[...].astype(x.dtype).reshape((1,) * (y.ndim - 1) + (-1,))

    def _heads(self, x: Array) -> Array:
        return x.reshape(*x.shape[:-1], self.num_heads, -1)


class LiftingSelfAttention(AbstractSelfAttention):
    """Self-attention that lifts an image to the group (Romero & Cordonnier 2021).

    y(p, h) = Σ_u softmax_u( q(p)·(k(p + u) + r(h⁻¹u)) / √d ) v(p + u)

    for each head, where q, k and v are linear maps of x with d channels, r is the encoding, and u
    runs over the window; another linear map joins the heads. Pixels beyond the border take no part
    in the softmax, nor do those that the group does not preserve, of windows and of images.

    Law: with (g·x)(p) = x(g⁻¹p) and (g·y)(p, h) = y(g⁻¹p, g⁻¹h), the layer maps g·x to g·y, to
    rounding, for every element g; and with padding "CIRCULAR" for every translation.

    The encoding is added to the keys, and not to the input that they are made of, as there: it is
    learned, a vector for each place of the window.

    Attributes:
      query: the linear map to q, an `nnx.Linear`.
      key: that to k.
      value: that to v.
      out: that which joins the heads.
      encoding: r, `[*kernel_size, num_heads, d]`.

    Example:
      >>> import jax.numpy as jnp
      >>> from flax import nnx
      >>> from gcnn import groups, nn
      >>> layer = nn.LiftingSelfAttention(groups.p4(), 1, 10, 5, num_heads=2, rngs=nnx.Rngs(0))
      >>> layer(jnp.ones((2, 28, 28, 1))).shape, layer.encoding.shape
      ((2, 28, 28, 4, 10), (5, 5, 2, 5))
    """

    _hint: ClassVar[str] = (
        "An image needs batch and channel axes; a field with a group axis needs GroupSelfAttention."
    )

    @staticmethod
    def _slots(group: Group) -> tuple[int, ...]:
        return ()

    def bank(self) -> Num[Array, "*u n h d"]:
        """r(h⁻¹u) for each element h."""
        return lifting_bank(self.group, self.encoding[...])

    def __call__(self, x: Num[Array, "b *space i"]) -> Num[Array, "b *space h o"]:
        """Lift a batch of images.

        Args:
          x: images `[b, *space, i]`.

        Returns:
          A regular field `[b, *space, h, o]`.

        Raises:
          ValueError: the shape is not an image's, or breaks the downsampling law.
        """
        return self._attend(x)


class GroupSelfAttention(AbstractSelfAttention):
    """Self-attention of regular fields over the group (Romero & Cordonnier 2021).

    y(p, h) = Σ_u Σ_k softmax_uk( q(p, h)·(k(p + u, k) + r(h⁻¹u, h⁻¹k)) / √d ) v(p + u, k)

    for each head, where q, k and v are linear maps of x with d channels, r is the encoding, u runs
    over the window and k over all of H; another linear map joins the heads. Pixels beyond the
    border take no part in the softmax, as in `LiftingSelfAttention`.

    Law: with (g·x)(p, h) = x(g⁻¹p, g⁻¹h), and y likewise, the layer maps g·x to g·y, to rounding,
    for every element g; and with padding "CIRCULAR" for every translation.

    Here slot h asks for itself. The paper lets every slot ask for every other, and sums: |H| times
    as many weights. Those of this layer are |H|²·|u| numbers for each pixel and head, |u| the
    pixels of the window, and the windows of keys and values 2·|H|·|u|·d more. Training keeps them,
    unless `nnx.remat` makes them anew: for p4m, 3 x 3 pixels and 4 heads of 8 channels, some 7000
    numbers a pixel, where a `GroupConv` of 32 channels keeps 256.

    Attributes:
      query: the linear map to q, an `nnx.Linear`.
      key: that to k.
      value: that to v.
      out: that which joins the heads.
      encoding: r, `[*kernel_size, |H|, num_heads, d]`.

    Example:
      >>> import jax.numpy as jnp
      >>> from flax import nnx
      >>> from gcnn import groups, nn
      >>> layer = nn.GroupSelfAttention(groups.p4(), 10, 20, 3, num_heads=2, rngs=nnx.Rngs(0))
      >>> layer(jnp.ones((2, 28, 28, 4, 10))).shape, layer.encoding.shape
      ((2, 28, 28, 4, 20), (3, 3, 4, 2, 10))
    """

    _hint: ClassVar[str] = "An image, without a group axis, needs LiftingSelfAttention first."

    @staticmethod
    def _slots(group: Group) -> tuple[int, ...]:
        return (group.order,)

    def bank(self) -> Num[Array, "*u k n h d"]:
        """r(h⁻¹u, h⁻¹k) for each element h."""
        return group_bank(self.group, self.encoding[...])

    def __call__(self, x: Num[Array, "b *space k i"]) -> Num[Array, "b *space h o"]:
        """Attend within a batch of regular fields.

        Args:
          x: regular field `[b, *space, k, i]`.

        Returns:
          A regular field `[b, *space, h, o]`.

        Raises:
          ValueError: the shape is not a regular field's, or breaks the downsampling law.
        """
        return self._attend(x)
