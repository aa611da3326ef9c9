"""Transposed convolution: a group convolution that goes up in resolution.

A stride s puts s - 1 zeros between neighbouring pixels, and the same bank slides over the result
with stride 1. So there are (N - 1)s + 1 + lo + hi - d(k - 1) outputs, and of the downsampling law,
with a remainder of 0, this is left: such a layer commutes with an element that reverses an axis, on
images of every size, if and only if

    lo = hi.
"""

from collections.abc import Sequence
from typing import ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Num

from ..actions import mirrored_axes
from ..groups import Group
from ..kernels import group_bank, lifting_bank
from ._conv import AbstractConv
from ._correlate import channels_last
from ._window import Pads, Window


class AbstractConvTranspose(AbstractConv):
    """What both transposed convolutions share: another law, and zeros between the pixels."""

    @classmethod
    def _check_window(cls, group: Group, window: Window) -> None:
        super()._check_window(group, window)
        for axis, g in mirrored_axes(group).items():
            lo, hi = transposed_pads(window, axis)
            if lo != hi:
                padding = window.padding if isinstance(window.padding, str) else "explicit"
                raise ValueError(
                    f"{cls.__name__} would not commute with the element {group.names[g]} of "
                    f"{group}: size {window.size[axis]}, stride {window.strides[axis]}, dilation "
                    f"{window.dilation[axis]}, padding {padding} = {(lo, hi)} (axis {axis}) is not "
                    f"symmetric. Use {' or '.join(_remedies(window, axis))}; allow_inexact=True "
                    f"accepts an inexact layer."
                )

    @classmethod
    def pads(
        cls, group: Group, window: Window, space: Sequence[int], allow_inexact: bool = False
    ) -> Pads:
        """(lo, hi) around the pixels and the zeros between them, on every axis.

        Raises:
          ValueError: the layer would have no output.
        """
        pads: Pads = tuple(transposed_pads(window, axis) for axis in range(group.dim))
        for axis, (n, (lo, hi)) in enumerate(zip(space, pads, strict=True)):
            padded = (n - 1) * window.strides[axis] + 1 + lo + hi
            if padded < window.extent(axis):
                raise ValueError(
                    f"{cls.__name__}: {n} pixels along axis {axis} with stride "
                    f"{window.strides[axis]}, padded by {(lo, hi)}, are {padded}, fewer than the "
                    f"{window.extent(axis)} that a window spans. Pad more, or use a smaller window."
                )
        return pads

    def _correlate(self, x: Array, filters: Array) -> Array:
        """Slide filters `[*kernel_size, i, o]` over `[b, *space, i]` with zeros in between."""
        d, strides = self.group.dim, self.window.strides
        pads = self.pads(self.group, self.window, x.shape[1 : 1 + d], self.allow_inexact)
        if self.window.padding == "CIRCULAR":
            # Whole pixels of the next period, and of what is left only zeros between pixels.
            wrap = tuple((lo // s, hi // s) for (lo, hi), s in zip(pads, strides, strict=True))
            pads = tuple((lo % s, hi % s) for (lo, hi), s in zip(pads, strides, strict=True))
            x = jnp.pad(x, ((0, 0), *wrap, (0, 0)), mode="wrap")
        return jax.lax.conv_general_dilated(
            x,
            filters,
            (1,) * d,
            pads,
            lhs_dilation=strides,
            rhs_dilation=self.window.dilation,
            dimension_numbers=channels_last(d),
            precision=self.precision,
        )


def transposed_pads(window: Window, axis: int) -> tuple[int, int]:
    """(lo, hi) around the pixels and the zeros between them, as in `nnx.ConvTranspose`."""
    k, s = window.extent(axis), window.strides[axis]
    if window.padding == "VALID":
        return k - 1, max(k, s) - 1  # whatever a pixel reaches
    if window.padding in ("SAME", "CIRCULAR"):  # N·s outputs
        lo = k - 1 - max(k - s, 0) // 2
        return lo, k + s - 2 - lo
    return window.pads(axis, 0)  # explicit: the number of pixels plays no part


def _remedies(window: Window, axis: int) -> list[str]:
    """The nearest settings that obey the law, each changing one thing."""
    k, d, s = window.size[axis], window.dilation[axis], window.strides[axis]
    remedies = []
    if isinstance(window.padding, str):
        for size in (*range(k + 1, k + s + 2), k - 1):
            lo, hi = transposed_pads(Window((size,), (s,), (d,), window.padding), 0)
            if size > 0 and lo == hi:
                remedies.append(f"size {size}")
                break
    lo, hi = sorted(transposed_pads(window, axis))
    return [*remedies, f"padding ({lo}, {lo})", f"padding ({hi}, {hi})"]


class LiftingConvTranspose(AbstractConvTranspose):
    """Transposed convolution that lifts an image to the group.

    y(p, h, o) = Σ_u Σ_i x↑(p + u, i) W(h⁻¹u, i, o) + b(o)

    with x↑(s·p, i) = x(p, i), and 0 in between. Laws and padding are those of
    `GroupConvTranspose`.

    Attributes:
      kernel: W, `[*kernel_size, in_features, out_features]`.
      bias: b, `[out_features]`, or None.
    """

    _hint: ClassVar[str] = (
        "An image needs batch and channel axes; a field with a group axis needs GroupConvTranspose."
    )

    @staticmethod
    def _slots(group: Group) -> tuple[int, ...]:
        return ()

    def bank(self) -> Num[Array, "*u i h o"]:
        """B[u, i, h, o] = W[h⁻¹u, i, o], as that of `LiftingConv`."""
        return lifting_bank(self.group, self.kernel[...])

    def __call__(self, x: Num[Array, "b *space i"]) -> Num[Array, "b *space_out h o"]:
        """Lift a batch of images to a finer grid.

        Args:
          x: images `[b, *space, i]`.

        Returns:
          A regular field `[b, *space, h, o]`.

        Raises:
          ValueError: the shape is not an image's, or the image is smaller than the window.
        """
        return self._convolve(x)


class GroupConvTranspose(AbstractConvTranspose):
    """Transposed convolution of regular fields over the group: up in resolution by the stride.

    y(p, h, o) = Σ_u Σ_k Σ_i x↑(p + u, k, i) W(h⁻¹u, h⁻¹k, i, o) + b(o)

    with x↑(s·p, k, i) = x(p, k, i), and 0 in between.

    Law: with (g·x)(p, h) = x(g⁻¹p, g⁻¹h), and y likewise, the layer maps g·x to g·y, exactly, for
    every element g, if and only if the padding is symmetric, lo = hi, on every axis that is
    reversed. For "SAME" and "CIRCULAR", which give N·s outputs, that is where d(k - 1) + 1 - s is
    even and not negative: sizes 2 and 4 double the resolution, size 3 cannot. With "CIRCULAR", a
    circular shift of x by t pixels is one of y by s·t.

    Padding is that of `nnx.ConvTranspose`: "VALID" keeps whatever a pixel reaches, and explicit
    (lo, hi) pads the image with its zeros in between, for (N - 1)s + 1 + lo + hi - d(k - 1)
    outputs. If the size is a multiple of the stride, without dilation, every output away from the
    border is a sum of equally many terms.

    Attributes:
      kernel: W, `[*kernel_size, |H|, in_features, out_features]`, as that of `GroupConv`.
      bias: b, `[out_features]`, or None.

    Example:
      >>> import jax.numpy as jnp
      >>> from flax import nnx
      >>> from gcnn import groups, nn
      >>> layer = nn.GroupConvTranspose(groups.p4(), 20, 10, 4, 2, rngs=nnx.Rngs(0))
      >>> layer(jnp.ones((2, 14, 14, 4, 20))).shape
      (2, 28, 28, 4, 10)
    """

    _hint: ClassVar[str] = "An image, without a group axis, needs LiftingConvTranspose."

    @staticmethod
    def _slots(group: Group) -> tuple[int, ...]:
        return (group.order,)

    def bank(self) -> Num[Array, "*u k i h o"]:
        """B[u, k, i, h, o] = W[h⁻¹u, h⁻¹k, i, o], as that of `GroupConv`."""
        return group_bank(self.group, self.kernel[...])

    def __call__(self, x: Num[Array, "b *space k i"]) -> Num[Array, "b *space_out h o"]:
        """Convolve a batch of regular fields on a finer grid.

        Args:
          x: regular field `[b, *space, k, i]`.

        Returns:
          A regular field `[b, *space, h, o]`.

        Raises:
          ValueError: the shape is not a regular field's, or the field is smaller than the window.
        """
        return self._convolve(x)
