"""The downsampling law: which windowed operations commute with a point group.

A window of size k, dilation d, stride s and padding (lo, hi), slid over N pixels, commutes with
an element that reverses the axis if and only if its sampling grid is centred,

    hi - lo = (N + lo + hi - d(k - 1) - 1) mod s,

which for symmetric padding, lo = hi, says that the remainder is 0; and with an element that swaps
two axes if and only if size, stride, dilation and padding are equal along both. An axis that no
element moves is free.

Along axes that the group skews, elements turn about a pixel: the image, the window and the output
all have an odd number of pixels, besides a centred grid and equal settings.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import jax.numpy as jnp
from jaxtyping import Array

from ..actions import check_sides, mirrored_axes, skewed_axes, swapped_axes
from ..groups import Group

Padding = str | int | Sequence[int | tuple[int, int]]
Pads = tuple[tuple[int, int], ...]  # (lo, hi) of every space axis
MODES = ("SAME", "VALID", "CIRCULAR")


@dataclass(frozen=True)
class Window:
    """A window that slides over the space axes, one entry per axis.

    Attributes:
      size: kernel sizes k.
      strides: strides s.
      dilation: dilations d.
      padding: "SAME" (⌈N/s⌉ outputs, zeros, symmetric), "VALID" (none), "CIRCULAR" (periodic),
        "REFLECT" (as "SAME", but mirrored in the pixels at the edge), or explicit (lo, hi).
      window_shape: sizes m of a dense window that goes before, with stride 1, or None. Together
        the two are one window.
    """

    size: tuple[int, ...]
    strides: tuple[int, ...]
    dilation: tuple[int, ...]
    padding: str | Pads
    window_shape: tuple[int, ...] | None = None

    def extent(self, axis: int) -> int:
        """d(k - 1) + 1, or d(k - 1) + m: the pixels that one window spans."""
        first = 1 if self.window_shape is None else self.window_shape[axis]
        return self.dilation[axis] * (self.size[axis] - 1) + first

    def pads(self, axis: int, n: int) -> tuple[int, int]:
        """(lo, hi) for n pixels; for "SAME" and "CIRCULAR" the lengths are those of `nnx.Conv`."""
        k, s = self.extent(axis), self.strides[axis]
        if self.padding == "VALID":
            return 0, 0
        if self.padding in ("SAME", "REFLECT"):
            total = max((-(-n // s) - 1) * s + k - n, 0)
            return total // 2, total - total // 2
        if self.padding == "CIRCULAR":
            lo = (k - 1) // 2
            last = (n - 1) // s * s - lo  # where the last window starts
            return lo, max(last + k - n, 0)
        return cast(Pads, self.padding)[axis]  # a str was one of the four

    def outputs(self, axis: int, n: int) -> int:
        """How many windows fit on n pixels."""
        return (n + sum(self.pads(axis, n)) - self.extent(axis)) // self.strides[axis] + 1

    def is_centred(self, axis: int, n: int) -> bool:
        """The law, for an axis of n pixels that some element reverses."""
        lo, hi = self.pads(axis, n)
        return hi - lo == (n + lo + hi - self.extent(axis)) % self.strides[axis]


def make_window(
    layer: str,
    group: Group,
    size: int | Sequence[int],
    strides: int | Sequence[int] | None,
    dilation: int | Sequence[int] | None,
    padding: Padding,
    window_shape: int | Sequence[int] | None = None,
    modes: tuple[str, ...] = MODES,
) -> Window:
    """Bring the arguments of a layer, which knows these modes of padding, to one form.

    Raises:
      ValueError: a wrong number of axes, a size below one, an unknown padding, or an even size
        or a periodic padding on a lattice that the group skews.
    """
    before = None
    if window_shape is not None:
        before = per_axis(layer, group, "window_shape", window_shape)
    window = Window(
        per_axis(layer, group, "size", size),
        per_axis(layer, group, "strides", 1 if strides is None else strides),
        per_axis(layer, group, "dilation", 1 if dilation is None else dilation),
        _padding(layer, group, padding, modes),
        before,
    )
    check_sides(group, window.size, f"{layer}: a window")
    if window.padding in ("CIRCULAR", "REFLECT") and skewed_axes(group):
        raise ValueError(
            f"{layer}: padding {window.padding} continues a rectangle, and {group} preserves none: "
            f"the element {group.names[min(skewed_axes(group).values())]} skews its axes. Use "
            f"SAME, VALID or explicit padding."
        )
    return window


def check_field(layer: str, group: Group, shape: Sequence[Any]) -> None:  # a batch may be symbolic
    """Raise a ValueError if this is the shape neither of an image nor of a regular field."""
    if len(shape) not in (group.dim + 2, group.dim + 3):
        raise ValueError(
            f"{layer} under {group} takes an image [b, *space, c] or a regular field "
            f"[b, *space, h, c] with {group.dim} space axes, got shape {tuple(shape)}."
        )


def check_separable(layer: str, group: Group, instead: str) -> None:
    """Refuse an operation that works along one axis at a time on a lattice that is skewed.

    Raises:
      ValueError: the group skews an axis.
    """
    for axis, g in skewed_axes(group).items():
        raise ValueError(
            f"{layer} works along one axis at a time, and would not commute with the element "
            f"{group.names[g]} of {group}, which skews axis {axis}. Use {instead}."
        )


def check_swaps(layer: str, group: Group, window: Window) -> None:
    """Check the part of the law that needs no image size.

    Raises:
      ValueError: the window differs along axes that the group swaps.
    """
    for (a, b), g in swapped_axes(group).items():
        for what in ("size", "window_shape", "strides", "dilation", "padding"):
            values = getattr(window, what)
            if isinstance(values, tuple) and values[a] != values[b]:
                raise ValueError(
                    f"{layer}: {what} {values} differs along axes {a} and {b}, which the element "
                    f"{group.names[g]} of {group} swaps. Use equal values along both, a group "
                    f"without this element, or accept an inexact layer with allow_inexact=True."
                )


def resolve_pads(
    layer: str, group: Group, window: Window, shape: Sequence[int], allow_inexact: bool
) -> Pads:
    """The padding of every axis of an image of this shape, checked against the law.

    Args:
      layer: the name to use in messages.
      group: the group.
      window: the window.
      shape: lengths of the space axes.
      allow_inexact: skip the check.

    Raises:
      ValueError: the operation does not commute with the group, or has no output.
    """
    pads = tuple(window.pads(axis, n) for axis, n in enumerate(shape))
    for axis, n in enumerate(shape):
        lo, hi = pads[axis]
        if n + lo + hi < window.extent(axis):
            raise ValueError(
                f"{layer}: {n} pixels along axis {axis}, padded by {(lo, hi)}, are fewer than the "
                f"{window.extent(axis)} that a window spans. Pad more, or use a smaller window."
            )
        reflects = window.padding == "REFLECT"
        if (reflects or window.padding == "CIRCULAR") and max(lo, hi) > n - reflects:
            raise ValueError(
                f"{layer}: {window.padding} padding of {(lo, hi)} is longer than the "
                f"{f'{n - 1} pixels beside the edge' if reflects else f'{n} pixels'} of axis "
                f"{axis}. Use a smaller window or a larger image."
            )
    check_sides(group, shape, f"{layer}: an input")
    if not allow_inexact:
        for axis, g in mirrored_axes(group).items():
            if not window.is_centred(axis, shape[axis]):
                raise ValueError(_broken(layer, group, window, axis, shape[axis], g))
    for axis, g in skewed_axes(group).items():
        if (outputs := window.outputs(axis, shape[axis])) % 2 == 0:
            raise ValueError(
                f"{layer}: {shape[axis]} pixels along axis {axis} with stride "
                f"{window.strides[axis]} give {outputs} outputs, and it must be an odd number: the "
                f"element {group.names[g]} of {group} skews the axis, and turns about a pixel. Use "
                f"{' or '.join(_remedies(group, window, axis, shape[axis]))}."
            )
    return pads


def padded(
    layer: str, group: Group, window: Window, x: Array, allow_inexact: bool
) -> tuple[Array, Pads]:
    """The input `[b, *space, ...]`, wrapped around if the padding is periodic, and what it lacks.

    Args:
      layer: the name to use in messages.
      group: the group.
      window: the window.
      x: an image or a field.
      allow_inexact: skip the check of the law.

    Raises:
      ValueError: as in `resolve_pads`.
    """
    d = group.dim
    pads = resolve_pads(layer, group, window, x.shape[1 : 1 + d], allow_inexact)
    if window.padding != "CIRCULAR":
        return x, pads
    rest = ((0, 0),) * (x.ndim - 1 - d)
    return jnp.pad(x, ((0, 0), *pads, *rest), mode="wrap"), ((0, 0),) * d


def _broken(layer: str, group: Group, window: Window, axis: int, n: int, g: int) -> str:
    k, d, s = window.size[axis], window.dilation[axis], window.strides[axis]
    lo, hi = window.pads(axis, n)
    padding = window.padding if isinstance(window.padding, str) else "explicit"
    before, first = "", "1"
    if window.window_shape is not None:
        before, first = f"window_shape m = {window.window_shape[axis]}, ", "m"
    return (
        f"{layer} would not commute with the element {group.names[g]} of {group}: "
        f"{before}size {k}, stride {s}, dilation {d}, padding {padding} = {(lo, hi)} on {n} pixels "
        f"(axis {axis}) is not centred. It needs hi - lo = (N + lo + hi - d(k-1) - {first}) mod s, "
        f"and these are {hi - lo} and {(n + lo + hi - window.extent(axis)) % s}. Use "
        f"{' or '.join(_remedies(group, window, axis, n))}; allow_inexact=True accepts an inexact "
        f"layer."
    )


def _remedies(group: Group, window: Window, axis: int, n: int) -> list[str]:
    """The nearest settings that obey the law, each changing one thing."""
    k, d, s = window.size[axis], window.dilation[axis], window.strides[axis]
    before = None if window.window_shape is None else (window.window_shape[axis],)
    skewed = axis in skewed_axes(group)

    def obeys(n: int = n, k: int = k, padding: str | Pads = window.padding) -> bool:
        pads = padding if isinstance(padding, str) else (padding[-1],)
        one = Window((k,), (s,), (d,), pads, before)
        if n + sum(one.pads(0, n)) < one.extent(0) or not one.is_centred(0, n):
            return False
        return not skewed or bool(n % 2 and k % 2 and one.outputs(0, n) % 2)

    own = window.padding if isinstance(window.padding, str) else (window.padding[axis],)
    remedies = []
    sizes = [j for j in (k + 1, k - 1, k + 2, k - 2) if j > 0 and obeys(k=j, padding=own)]
    if sizes:
        remedies.append(f"size {sizes[0]}")
    pixels = [m for m in range(n + 1, n + 2 * s + 1) if obeys(n=m, padding=own)]
    if pixels:
        remedies.append(f"{pixels[0]} pixels")
    lo, _ = window.pads(axis, n)
    explicit = [p for p in (lo, lo + 1, *range(k * d)) if obeys(padding=((p, p),))]
    if explicit:
        remedies.append(f"padding ({explicit[0]}, {explicit[0]})")
    if not remedies:
        remedies = ["stride 1" if isinstance(own, str) else f"stride 1 with padding ({lo}, {lo})"]
    return remedies


def per_axis(layer: str, group: Group, what: str, value: int | Sequence[int]) -> tuple[int, ...]:
    """One positive integer for each space axis.

    Raises:
      ValueError: a wrong number of axes, or a number below one.
    """
    values = (value,) * group.dim if isinstance(value, int) else tuple(value)
    if len(values) != group.dim or any(v < 1 for v in values):
        raise ValueError(
            f"{layer}: {what} {value} should be one positive integer, or one for each of the "
            f"{group.dim} space axes of {group}."
        )
    return values


def _padding(layer: str, group: Group, padding: Padding, modes: tuple[str, ...]) -> str | Pads:
    if isinstance(padding, str):
        if padding not in modes:
            raise ValueError(
                f"{layer}: padding {padding!r} is none of {', '.join(modes)}; explicit padding is "
                f"an integer, or an integer or a pair (lo, hi) for each space axis."
            )
        return padding
    entries = (padding,) * group.dim if isinstance(padding, int) else tuple(padding)
    pads = tuple((p, p) if isinstance(p, int) else tuple(p) for p in entries)
    if len(pads) != group.dim or any(len(p) != 2 or min(p) < 0 for p in pads):
        raise ValueError(
            f"{layer}: padding {padding} should be an integer, or an integer or a pair (lo, hi), "
            f"not negative, for each of the {group.dim} space axes of {group}."
        )
    return cast(Pads, pads)  # every entry was seen to have two integers
