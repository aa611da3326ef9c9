"""Nonlinearities for fields of any representation: what may be done to a component, and what not.

A function of each component alone commutes with ρ(g) if ρ(g) permutes the components. Where it
mixes them, the length of the vector is still left alone by an orthogonal ρ, and a scalar field can
open and close any other like a gate (Weiler et al. 2018, "3D Steerable CNNs", section 4.3).
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from flax import nnx
from flax.typing import Dtype, Initializer
from jaxtyping import Array, Float, Num

from ..representations import Representation


def pointwise(
    representation: Representation, function: Callable[[Array], Array]
) -> Callable[[Array], Array]:
    """The function itself, if a field of ρ may be put through it component by component.

    ρ(g) φ(f) = φ(ρ(g) f)

    for every φ, if and only if ρ(g) permutes the components.

    Args:
      representation: ρ.
      function: φ, of each entry alone, such as `nnx.relu`.

    Raises:
      ValueError: an element mixes components or changes their sign; the message names it.

    Example:
      >>> from flax import nnx
      >>> from gcnn import groups, nn, representations as r
      >>> nn.pointwise(r.regular(groups.p4()), nnx.relu) is nnx.relu
      True
    """
    if not representation.is_permutation:
        mixes = ~((representation.matrices == 0) | (representation.matrices == 1)).all(axis=(1, 2))
        g = int(mixes.argmax())
        raise ValueError(
            f"A function of each component would break the symmetry of fields of "
            f"{representation}: the element {representation.group.names[g]} does not permute the "
            f"components, its matrix is {representation.matrices[g].round(3).tolist()}. Use "
            f"nn.NormNonlinearity or nn.GatedNonlinearity, or map to a representation that "
            f"permutes them, such as the regular one, with nn.SteerableConv."
        )
    return function


class NormNonlinearity(nnx.Module):
    """A function of the length of a vector (Worrall et al. 2017, "Harmonic Networks", section 3).

    y = φ(‖x‖ + b) x / ‖x‖

    Law: an orthogonal ρ(g) keeps ‖x‖, and y turns with x, to rounding. The length is over all
    components of ρ, one for each channel; b is learned, one per channel.

    Attributes:
      bias: b, `[features]`.

    Example:
      >>> import jax.numpy as jnp
      >>> from flax import nnx
      >>> from gcnn import groups, nn, representations as r
      >>> layer = nn.NormNonlinearity(r.standard(groups.p4()), 10, rngs=nnx.Rngs(0))
      >>> layer(jnp.ones((2, 28, 28, 2, 10))).shape
      (2, 28, 28, 2, 10)
    """

    def __init__(
        self,
        representation: Representation,
        features: int,
        function: Callable[[Array], Array] = nnx.relu,
        *,
        epsilon: float = 1e-5,
        param_dtype: Dtype = jnp.float32,
        bias_init: Initializer = nnx.initializers.zeros_init(),
        rngs: nnx.Rngs,
    ):
        """Create the layer.

        Args:
          representation: ρ.
          features: channels.
          function: φ, of each entry alone.
          epsilon: lengths are √(Σ x² + ε²), so that the gradient at 0 is finite.
          param_dtype: the type of the bias.
          bias_init: initialiser of the bias.
          rngs: random keys.

        Raises:
          ValueError: ρ is not orthogonal, so that an element changes lengths.
        """
        if not representation.is_orthogonal:
            raise ValueError(
                f"NormNonlinearity needs lengths that no element changes, and {representation} is "
                f"not orthogonal. Use nn.GatedNonlinearity, or one of representations.irreps."
            )
        self.representation = representation
        self.features = features
        self.function = function
        self.epsilon = epsilon
        self.bias = nnx.Param(bias_init(rngs.params(), (features,), param_dtype))

    def __call__(self, x: Float[Array, "*rest i c"]) -> Float[Array, "*rest i c"]:
        """Change the lengths of `[..., i, c]`, with i the components of ρ.

        Raises:
          ValueError: another number of components or of channels.
        """
        _check_shape("NormNonlinearity", x, self.representation.dim, self.features)
        epsilon = jnp.asarray(self.epsilon**2, x.dtype)
        length = jnp.sqrt(jnp.sum(x * x, axis=-2, keepdims=True) + epsilon)
        bias = self.bias[...].astype(x.dtype).reshape((1,) * (x.ndim - 1) + (-1,))
        return x * (self.function(length + bias) / length)


class GatedNonlinearity(nnx.Module):
    """A scalar field opens and closes another field (Weiler et al. 2018, section 4.3).

    y = φ(s) x

    The input is a field of `direct_sum(ρ, trivial)`: the components x of ρ, and then the gate s,
    which a `SteerableConv` makes along with x. The output is a field of ρ.

    Law: no element changes s, so that y moves as x does, whatever ρ is: exactly, where it does so
    without rounding.

    Example:
      >>> import jax.numpy as jnp
      >>> from gcnn import groups, nn, representations as r
      >>> nn.GatedNonlinearity(r.standard(groups.p4()))(jnp.ones((2, 28, 28, 3, 10))).shape
      (2, 28, 28, 2, 10)
    """

    def __init__(
        self,
        representation: Representation,
        function: Callable[[Array], Array] = jax.nn.sigmoid,
        *,
        rngs: nnx.Rngs | None = None,
    ):
        """Create the layer.

        Args:
          representation: ρ, of the output.
          function: φ, of the gate.
          rngs: not used; `nnx.bridge.to_linen` gives it to every layer.
        """
        del rngs
        self.representation = representation
        self.function = function

    def __call__(self, x: Num[Array, "*rest i_and_gate c"]) -> Num[Array, "*rest i c"]:
        """Gate `[..., dim ρ + 1, c]`; returns `[..., dim ρ, c]`.

        Raises:
          ValueError: another number of components.
        """
        dim = self.representation.dim
        _check_shape("GatedNonlinearity", x, dim + 1, x.shape[-1])
        return x[..., :dim, :] * self.function(x[..., dim:, :])


def _check_shape(layer: str, x: Array, components: int, features: int) -> None:
    if x.ndim < 2 or x.shape[-2:] != (components, features):
        raise ValueError(f"{layer} takes [..., {components}, {features}], got shape {x.shape}.")
