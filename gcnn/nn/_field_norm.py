"""Batch normalisation of fields of any representation."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from flax.typing import Dtype, Initializer
from jaxtyping import Array, Bool, Float

from ..kernels import KernelSpace, kernel_bank
from ..representations import Representation, isotypic_projections, trivial


class FieldNorm(nnx.Module):
    """Batch normalisation (Ioffe & Szegedy 2015) as far as a representation ρ lets it.

    y = Σ_λ γ_λ P_λ (x - μ) / √(σ_λ² + ε) + β

    P_λ projects on what ρ holds of an irreducible representation λ
    (`representations.isotypic_projections`). The mean is that of what no element changes, with P₁
    for the trivial representation, and each λ has a variance of its own, both over the batch and
    over space, for each channel:

    μ = E[P₁ x],  σ_λ² = E[‖P_λ (x - μ)‖²] / tr P_λ

    A length ‖·‖ is one that no element changes: the Euclidean one if ρ is orthogonal, and else
    the root of the mean of ‖ρ(h) x‖² over H. γ_λ scales each part, and β is a sum of vectors that
    ρ leaves alone.

    Law: P_λ commutes with ρ(g), and no element changes μ, σ_λ and β, so that the layer maps g·x
    to g·y, to rounding, also when each sample of a batch is moved by an element of its own. Of
    the trivial representation it is `nnx.BatchNorm`; and where ρ permutes the components, as the
    regular one does, `nnx.BatchNorm` is equivariant, too, with one variance for all λ.

    Running averages are kept and used as in `nnx.BatchNorm`: `model.eval()` takes them.

    Attributes:
      mean: running average of μ, `[dim, features]`.
      var: running average of σ_λ², `[n, features]`, for n parts λ.
      scale: γ, `[n, features]`, or None.
      bias: `[m, features]`, a coefficient for each of m invariant vectors; None if there are none.

    Example:
      >>> import jax.numpy as jnp
      >>> from flax import nnx
      >>> from gcnn import groups, nn, representations as r
      >>> p4 = groups.p4()
      >>> rho = r.direct_sum(r.trivial(p4), r.standard(p4))
      >>> norm = nn.FieldNorm(rho, 10, rngs=nnx.Rngs(0))
      >>> norm(jnp.ones((2, 28, 28, 3, 10))).shape, norm.var.shape, norm.bias.shape
      ((2, 28, 28, 3, 10), (2, 10), (1, 10))
    """

    def __init__(
        self,
        representation: Representation,
        features: int,
        *,
        use_running_average: bool = False,
        momentum: float = 0.99,
        epsilon: float = 1e-5,
        param_dtype: Dtype = jnp.float32,
        use_bias: bool = True,
        use_scale: bool = True,
        bias_init: Initializer = nnx.initializers.zeros_init(),
        scale_init: Initializer = nnx.initializers.ones_init(),
        rngs: nnx.Rngs,
    ):
        """Create the layer; arguments as in `nnx.BatchNorm`, after the representation.

        Args:
          representation: ρ.
          features: channels.
          use_running_average: take the running averages, rather than those of the batch.
          momentum: the weight of the past in the running averages.
          epsilon: ε, added to variances.
          param_dtype: the type of γ and β.
          use_bias: add β.
          use_scale: multiply by γ.
          bias_init: initialiser of β.
          scale_init: initialiser of γ.
          rngs: random keys.

        Raises:
          ValueError: the number of channels is not positive.
        """
        if features < 1:
            raise ValueError(f"FieldNorm: features must be at least 1, got {features}.")
        parts = len(isotypic_projections(representation))
        invariant = KernelSpace(
            trivial(representation.group), representation, (1,) * representation.group.dim
        )
        self.mean = nnx.BatchStat(jnp.zeros((representation.dim, features), jnp.float32))
        self.var = nnx.BatchStat(jnp.ones((parts, features), jnp.float32))
        self.scale = nnx.data(
            nnx.Param(scale_init(rngs.params(), (parts, features), param_dtype))
            if use_scale
            else None
        )
        self.bias = nnx.data(
            nnx.Param(bias_init(rngs.params(), (invariant.dimension, features), param_dtype))
            if use_bias and invariant.dimension
            else None
        )
        self.representation = representation
        self.features = features
        self.invariant = invariant
        self.use_running_average = use_running_average
        self.momentum = momentum
        self.epsilon = epsilon

    def __call__(
        self,
        x: Float[Array, "*rest i c"],
        use_running_average: bool | None = None,
        *,
        mask: Bool[Array, "*rest_of_mask"] | None = None,
    ) -> Float[Array, "*rest i c"]:
        """Normalise `[..., i, c]`, with i the components of ρ.

        Args:
          x: the field.
          use_running_average: in place of that of the layer.
          mask: where to take mean and variance from, `[..., 1, 1]`, which broadcasts to x.

        Raises:
          ValueError: another number of components or of channels, or a mask that tells apart
            components or channels.
        """
        dim = self.representation.dim
        if x.ndim < 3 or x.shape[-2:] != (dim, self.features):
            raise ValueError(
                f"FieldNorm of {self.representation} takes [..., {dim}, {self.features}] with a "
                f"batch axis before, got shape {x.shape}."
            )
        if mask is not None and mask.shape[-2:] != (1, 1):
            raise ValueError(
                f"FieldNorm: a mask is [..., 1, 1], since it may tell apart places, and neither "
                f"components nor channels; got shape {mask.shape}."
            )
        wide = x.dtype if jnp.finfo(x.dtype).bits >= 32 else jnp.float32  # 16 bits are too few
        field = x.astype(wide)
        if use_running_average is None:
            use_running_average = self.use_running_average
        if use_running_average:
            # projected again, since rounding to another type moved it off what no element changes
            mean = self._invariant(self.mean[...].astype(wide))
            var = self.var[...].astype(wide)
        else:
            mean, var = self._statistics(field, mask)
            for running, new in ((self.mean, mean), (self.var, var)):
                old, new = running[...], new.astype(running.dtype)
                running[...] = self.momentum * old + (1 - self.momentum) * new
        factors = jax.lax.rsqrt(var + self.epsilon)
        if self.scale is not None:
            factors = factors * self.scale[...].astype(wide)
        projections = jnp.asarray(isotypic_projections(self.representation), wide)
        matrices = _einsum("nji,nc->jic", projections, factors)
        y = _einsum("jic,...ic->...jc", matrices, field - _last(mean, x.ndim))
        if self.bias is not None:
            bias = kernel_bank(self.invariant, self.bias[...][:, None, :])
            y = y + _last(bias.astype(wide).reshape(dim, self.features), x.ndim)
        return y.astype(x.dtype)

    def _statistics(self, x: Array, mask: Array | None) -> tuple[Array, Array]:
        """μ and σ² of a batch, `[i, c]` and `[n, c]`."""
        seen = None if mask is None else jnp.broadcast_to(mask, (*x.shape[:-2], 1, 1))
        mean = self._invariant(jnp.mean(x, tuple(range(x.ndim - 2)), where=seen))
        rest = x - _last(mean, x.ndim)
        rest = rest if seen is None else jnp.where(seen, rest, 0)
        rest = rest.reshape(-1, *x.shape[-2:])
        count = jnp.asarray(len(rest), x.dtype) if seen is None else jnp.sum(seen, dtype=x.dtype)
        moments = _einsum("pic,pkc->ikc", rest, rest) / count  # each σ² is a part of them
        lengths = jnp.asarray(_squared_lengths(self.representation), x.dtype)
        return mean, jnp.maximum(_einsum("nik,ikc->nc", lengths, moments), 0)

    def _invariant(self, mean: Array) -> Array:
        """P₁ of a vector `[i, c]`, 0 if ρ leaves none alone."""
        if not self.representation.multiplicities[0]:
            return jnp.zeros_like(mean)
        first = jnp.asarray(isotypic_projections(self.representation)[0], mean.dtype)
        return _einsum("ji,ic->jc", first, mean)


@functools.cache
def _squared_lengths(representation: Representation) -> np.ndarray:
    """Q with Σ_ik Q[n, i, k] x_i x_k = ‖P_n x‖² / tr P_n."""
    p, rho = isotypic_projections(representation), representation.matrices
    metric = np.einsum("hji,hjk->ik", rho, rho) / len(rho)
    traces = p.trace(axis1=1, axis2=2)[:, None, None]
    return p.swapaxes(1, 2) @ metric @ p / traces


def _einsum(formula: str, *factors: Array) -> Array:
    """At full precision: these matrices are small, and their entries statistics."""
    return jnp.einsum(formula, *factors, precision=jax.lax.Precision.HIGHEST)


def _last(a: Array, rank: int) -> Array:
    return a.reshape((1,) * (rank - 2) + a.shape)
