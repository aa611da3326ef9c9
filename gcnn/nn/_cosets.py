"""Between a group and its subgroups: pooling over cosets, restriction, and the way back of both."""

from collections.abc import Callable, Sequence

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Num

from ..actions import take_slots
from ..groups import Group


class CosetPool(nnx.Module):
    """Pool a regular field over the left cosets of a subgroup K (Cohen & Welling 2016, 6.3).

    y(..., hK, c) = max_{k ∈ K} x(..., hk, c)

    Law: g carries the coset hK to ghK, so that a regular field becomes a field on the cosets, and
    the layer maps g·x to g·y with the action of `actions.act_on_quotient`. With K = {e} nothing
    is pooled; with K = H it is `GroupPool`, with an axis of length 1 left in its place.

    Example:
      >>> import jax.numpy as jnp
      >>> from gcnn import groups, nn
      >>> p4m = groups.p4m()
      >>> nn.CosetPool(p4m, subgroup=(0, 4))(jnp.ones((2, 28, 28, 8, 10))).shape
      (2, 28, 28, 4, 10)
    """

    def __init__(
        self,
        group: Group,
        subgroup: Sequence[int],
        reduce: Callable[..., Array] = jnp.max,
        *,
        rngs: nnx.Rngs | None = None,
    ):
        """Create the layer.

        Args:
          group: the group H.
          subgroup: the elements of K, by their indices.
          reduce: `jnp.max`, `jnp.mean` or any reduction called as `reduce(x, axis=...)` that
            does not depend on the order of the entries.
          rngs: not used; `nnx.bridge.to_linen` gives it to every layer.

        Raises:
          ValueError: the elements are not a subgroup.
        """
        del rngs
        self.group = group
        self.cosets = group.left_cosets(tuple(subgroup))
        self.reduce = reduce

    def __call__(self, x: Num[Array, "*rest h c"]) -> Num[Array, "*rest coset c"]:
        """Pool `[..., h, c]` to `[..., coset, c]`, in the order of `group.left_cosets`.

        Raises:
          ValueError: the array has no group axis of this group's order.
        """
        _check_slots("CosetPool", self.group, x, self.group.order)
        x = take_slots(x, [h for coset in self.cosets for h in coset], -2)
        x = x.reshape(*x.shape[:-2], len(self.cosets), -1, x.shape[-1])
        return self.reduce(x, axis=-2)


class CosetUnpool(nnx.Module):
    """Spread a field on the left cosets of a subgroup K over the group.

    y(..., h, c) = x(..., hK, c)

    Law: the layer maps g·x to g·y, where x is a field on the cosets, on which
    `actions.act_on_quotient` acts, and y a regular field. `CosetPool` undoes it.
    """

    def __init__(self, group: Group, subgroup: Sequence[int], *, rngs: nnx.Rngs | None = None):
        """Create the layer.

        Args:
          group: the group H.
          subgroup: the elements of K, by their indices.
          rngs: not used; `nnx.bridge.to_linen` gives it to every layer.

        Raises:
          ValueError: the elements are not a subgroup.
        """
        del rngs
        self.group = group
        self.cosets = group.left_cosets(tuple(subgroup))

    def __call__(self, x: Num[Array, "*rest coset c"]) -> Num[Array, "*rest h c"]:
        """Spread `[..., coset, c]` over `[..., h, c]`.

        Raises:
          ValueError: the array has no axis of as many cosets as there are.
        """
        _check_slots("CosetUnpool", self.group, x, len(self.cosets))
        each = [h for coset in self.cosets for h in coset]  # the slots of the copies below
        shape = (*x.shape[:-1], len(each) // len(self.cosets), x.shape[-1])
        copies = jnp.broadcast_to(x[..., None, :], shape)
        copies = copies.reshape(*x.shape[:-2], len(each), x.shape[-1])
        return take_slots(copies, [each.index(h) for h in range(len(each))], -2)


class _OfRightCosets(nnx.Module):
    """What `Restrict` and `Induce` are made of: a subgroup K and its right cosets."""

    def __init__(self, group: Group, subgroup: Sequence[int], *, rngs: nnx.Rngs | None = None):
        """Create the layer.

        Args:
          group: the group H.
          subgroup: the elements of K, by their indices in H.
          rngs: not used; `nnx.bridge.to_linen` gives it to every layer.

        Raises:
          ValueError: the elements are not a subgroup.
        """
        del rngs
        self.group = group
        self.indices = tuple(subgroup)
        self.cosets = group.right_cosets(self.indices)
        self.subgroup = group.subgroup(self.indices)


class Restrict(_OfRightCosets):
    """Forget a part of the symmetry: a regular field of H becomes one of a subgroup K.

    y(..., k_i, j·C + c) = x(..., k_i r_j, c)

    Here K r_j are the right cosets of K, `group.right_cosets(K)[j][i]` is the index of k_i r_j,
    and C is the number of channels of x: y has |H|/|K| times as many.

    Law: the layer maps k·x to k·y for every k in K. Behind it come the layers of `subgroup`, whose
    kernels are free to differ where those of H were tied. `Induce` undoes it. Where H skews the
    lattice, K may move pixels that H does not preserve: they should be 0, as layers leave them.

    Attributes:
      subgroup: K as a group of its own; slot i of its axis is slot `indices[i]` of H's.

    Example:
      >>> import jax.numpy as jnp
      >>> from flax import nnx
      >>> from gcnn import groups, nn
      >>> p4 = groups.p4()
      >>> restrict = nn.Restrict(p4, (0, 2))
      >>> x = restrict(jnp.ones((2, 28, 28, 4, 10)))
      >>> x.shape
      (2, 28, 28, 2, 20)
      >>> nn.GroupConv(restrict.subgroup, 20, 10, 3, rngs=nnx.Rngs(0))(x).shape
      (2, 28, 28, 2, 10)
    """

    def __call__(self, x: Num[Array, "*rest h c"]) -> Num[Array, "*rest k jc"]:
        """Restrict `[..., |H|, c]` to `[..., |K|, |H|/|K|·c]`.

        Raises:
          ValueError: the array has no group axis of this group's order.
        """
        _check_slots("Restrict", self.group, x, self.group.order)
        x = take_slots(x, [coset[i] for i in range(len(self.indices)) for coset in self.cosets], -2)
        return x.reshape(*x.shape[:-2], len(self.indices), len(self.cosets) * x.shape[-1])


class Induce(_OfRightCosets):
    """Fields of a subgroup K, side by side, as a regular field of H.

    y(..., k_i r_j, c) = x(..., k_i, j·C + c)

    Here K r_j are the right cosets of K, as in `Restrict`, which this undoes: functions on H are
    those on K, induced (`representations.induce`), and x has |H|/|K| fields for each of y.

    Law: the layer maps k·x to k·y for every k in K; the other elements of H do not act on x. If the
    fields are not meant to be different cosets, `CosetUnpool` spreads one over all of H.

    Attributes:
      subgroup: K as a group of its own; slot i of its axis is slot `indices[i]` of H's.

    Example:
      >>> import jax.numpy as jnp
      >>> from gcnn import groups, nn
      >>> nn.Induce(groups.p4(), (0, 2))(jnp.ones((2, 28, 28, 2, 20))).shape
      (2, 28, 28, 4, 10)
    """

    def __call__(self, x: Num[Array, "*rest k jc"]) -> Num[Array, "*rest h c"]:
        """Take `[..., |K|, |H|/|K|·c]` to `[..., |H|, c]`.

        Raises:
          ValueError: the array has no group axis of the subgroup's order, or a number of channels
            that is no multiple of |H|/|K|.
        """
        _check_slots("Induce", self.group, x, len(self.indices))
        if x.shape[-1] % len(self.cosets):
            raise ValueError(
                f"Induce under {self.group} shares out channels among {len(self.cosets)} cosets, "
                f"and their number {x.shape[-1]} is no multiple of that. Use "
                f"{-(-x.shape[-1] // len(self.cosets)) * len(self.cosets)} channels."
            )
        x = x.reshape(*x.shape[:-2], self.group.order, -1)
        slots = [coset[i] for i in range(len(self.indices)) for coset in self.cosets]
        return take_slots(x, [slots.index(h) for h in range(self.group.order)], -2)


def _check_slots(layer: str, group: Group, x: Array, slots: int) -> None:
    if x.ndim < 2 or x.shape[-2] != slots:
        raise ValueError(
            f"{layer} under {group} takes [..., {slots}, channels], got shape {x.shape}, which has "
            f"no axis of {slots} slots before the channels."
        )
