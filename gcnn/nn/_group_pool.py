"""Pooling over the group axis: from a regular field to a scalar field."""

from collections.abc import Callable

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Num

from ..groups import Group


class GroupPool(nnx.Module):
    """Pool a regular field over the group axis (Cohen & Welling 2016, section 6.3).

    y(..., c) = max_h x(..., h, c)

    Law: g permutes the group axis, and the maximum (or the mean) does not see the order, so that
    a regular field becomes a scalar field, and a function on H alone becomes an invariant.

    Example:
      >>> import jax.numpy as jnp
      >>> from gcnn import groups, nn
      >>> nn.GroupPool(groups.p4())(jnp.ones((2, 28, 28, 4, 10))).shape
      (2, 28, 28, 10)
    """

    def __init__(
        self,
        group: Group,
        reduce: Callable[..., Array] = jnp.max,
        *,
        rngs: nnx.Rngs | None = None,
    ):
        """Create the layer.

        Args:
          group: the group.
          reduce: `jnp.max`, `jnp.mean` or any reduction called as `reduce(x, axis=...)` that
            does not depend on the order of the entries.
          rngs: not used; `nnx.bridge.to_linen` gives it to every layer.
        """
        del rngs
        self.group = group
        self.reduce = reduce

    def __call__(self, x: Num[Array, "*rest h c"]) -> Num[Array, "*rest c"]:
        """Pool `[..., h, c]` to `[..., c]`.

        Raises:
          ValueError: the array has no group axis of this group's order.
        """
        if x.ndim < 2 or x.shape[-2] != self.group.order:
            raise ValueError(
                f"GroupPool under {self.group} takes [..., {self.group.order}, channels], got "
                f"shape {x.shape}, which has no such group axis. Lift images with LiftingConv."
            )
        return self.reduce(x, axis=-2)
