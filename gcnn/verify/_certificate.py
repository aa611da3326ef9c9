"""The zero-tolerance certificate: with small integers, equivariance leaves no rounding at all."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..actions import Action
from ..groups import Group
from ._equivariance import EquivarianceReport, equivariance

_EXACT = 2**24  # integers up to here are exact in a float32 accumulator


def integer_certificate(
    f: Callable[[Any], Any],
    group: Group,
    shape: Sequence[int],
    *,
    dtype: Any = jnp.float32,
    seed: int = 0,
    act_in: Action | None = None,
    act_out: Action | None = None,
) -> EquivarianceReport:
    """Prove that f commutes with every element, with a tolerance of zero.

    Sums and products of small integers are exact in float32, in bfloat16 and in TF32, in
    whatever order a device takes them, as long as partial sums stay below 2²⁴ and factors within
    256. So f, with its parameters replaced by random integers in [-2, 2] and its input by
    integers in [-4, 4], must satisfy f(g·x) = g·f(x) to the last bit: any other value is a bug.
    For one layer, or a few; a deep network passes the bound, and its layers are certified one by
    one. For layers of sums, products and maxima: a constant that is not an integer (a mean over 9
    pixels), a difference of large terms or a division voids the argument.

    Args:
      f: a callable whose parameters are its pytree leaves, as in an NNX module, or a function
        without parameters.
      group: the group.
      shape: of the input batch, an image's or a regular field's.
      dtype: of the input.
      seed: of the random integers.
      act_in: as in `equivariance`.
      act_out: as in `equivariance`.

    Raises:
      ValueError: partial sums may pass 2²⁴, or the input is refused by `equivariance`.

    Example:
      >>> from flax import nnx
      >>> from gcnn import groups, nn, verify
      >>> layer = nn.GroupConv(groups.p4m(), 3, 5, 3, rngs=nnx.Rngs(0))
      >>> verify.integer_certificate(layer, groups.p4m(), (8, 9, 9, 8, 3)).verdict
      'exact'
    """
    rng = np.random.default_rng(seed)

    def is_parameter(leaf: Any) -> bool:
        return isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jnp.floating)

    # drawn and measured on the host, where no shape has to be compiled for
    def integers(leaf: Any) -> Any:
        if not is_parameter(leaf):
            return leaf
        return jnp.asarray(rng.integers(-2, 3, leaf.shape).astype(leaf.dtype))

    def absolute(leaf: Any) -> Any:
        return jnp.asarray(np.abs(np.asarray(leaf))) if is_parameter(leaf) else leaf

    f = jax.tree.map(integers, f)
    x = rng.integers(-4, 5, tuple(shape)).astype(jnp.dtype(dtype))
    bound = np.max(np.asarray(jax.tree.map(absolute, f)(jnp.asarray(np.abs(x))), np.float32))
    if bound >= _EXACT:
        raise ValueError(
            f"The sums of f may reach {float(bound):.1e}, above 2^24 = {_EXACT}, where float32 is "
            f"no longer exact. Certify its layers one by one, or with fewer channels."
        )
    report = equivariance(f, group, x, act_in=act_in, act_out=act_out, tolerance=0.0)
    return dataclasses.replace(report, reason=f"{report.reason} (integers below 2^24)")
