"""Polyphase sampling by a score that is learned, and that the group leaves alone."""

import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from flax import nnx
from flax.typing import Dtype, Initializer
from jaxtyping import Array, Float

from ..groups import Group
from ..kernels import folded
from ._conv import GroupConv, LiftingConv
from ._polyphase import (
    check_sides,
    checked_strides,
    choose,
    norm_and_texture,
    polyphase_sample,
    single_or_wider,
    split,
)


class LearnedPolyphase(nnx.Module):
    """Polyphase sampling by a learned score (Rojas-Gomez et al. 2022), under a group.

    score(x_i) = Σ_o w(o) · mean_q mean_h relu(conv(x_i))(q, h, o)

    One circular 3 x ... x 3 convolution over the group serves all components x_i. The paper
    scores by the mean of a second circular convolution; that is a linear map of the mean, and so
    it is w here.

    In evaluation the component of the largest score is taken, and the law is that of
    `PolyphasePool`: the layer maps g·x to g·y for every element g, and a circular shift of x to a
    circular shift of y, exactly. In training components are mixed, with the weights

    phase = softmax((score + Gumbel noise) / temperature),

    so that the score has a gradient. The noise is drawn for each component of each sample, and
    does not move with them: the law holds for the distribution of y, and not for one draw.

    Attributes:
      conv: the convolution, to `hidden_features` channels.
      weight: w, `[hidden_features]`.
      temperature: of the softmax; lower it in training, and the mixture becomes a choice.
      deterministic: take the largest score; `train()`, `eval()` and `nnx.view` set it.

    Example:
      >>> import jax.numpy as jnp
      >>> from flax import nnx
      >>> from gcnn import groups, nn
      >>> pool = nn.LearnedPolyphase(groups.p4(), 10, rngs=nnx.Rngs(0))
      >>> pool(jnp.ones((2, 28, 28, 4, 10))).shape
      (2, 14, 14, 4, 10)
    """

    def __init__(
        self,
        group: Group,
        in_features: int,
        strides: int | Sequence[int] = 2,
        *,
        lift: bool = False,
        hidden_features: int | None = None,
        temperature: float = 1.0,
        deterministic: bool = False,
        param_dtype: Dtype = jnp.float32,
        kernel_init: Initializer = folded(nnx.initializers.lecun_normal()),
        rng_collection: str = "gumbel",
        rngs: nnx.Rngs,
    ):
        """Create the layer.

        Args:
          group: the group.
          in_features: channels of the input.
          strides: s, one integer, or one for each space axis.
          lift: the input is an image, without a group axis.
          hidden_features: channels of the convolution; as many as the input has if not given.
          temperature: of the softmax in training.
          deterministic: take the component of the largest score, as in evaluation.
          param_dtype: the type of the parameters.
          kernel_init: initialiser of the convolution's kernel and of w.
          rng_collection: the stream of random keys for training.
          rngs: random keys.

        Raises:
          ValueError: the strides differ along axes that the group swaps, or the temperature is
            not positive.
        """
        self.group = group
        self.strides = checked_strides("LearnedPolyphase", group, strides)
        if not temperature > 0:
            raise ValueError(f"LearnedPolyphase: temperature must be positive, got {temperature}.")
        hidden = in_features if hidden_features is None else hidden_features
        conv = LiftingConv if lift else GroupConv
        self.conv = conv(
            group,
            in_features,
            hidden,
            3,
            padding="CIRCULAR",
            param_dtype=param_dtype,
            kernel_init=kernel_init,
            rngs=rngs,
        )
        self.weight = nnx.Param(kernel_init(rngs.params(), (hidden, 1), param_dtype)[:, 0])
        self.temperature = temperature
        self.deterministic = deterministic
        self.rngs = rngs[rng_collection].fork()

    def set_view(self, deterministic: bool | None = None) -> None:
        """Called by `nnx.view`.

        Args:
          deterministic: if True, takes the largest score, without noise.
        """
        if deterministic is not None:
            self.deterministic = deterministic

    def phase(self, x: Float[Array, "b *field"]) -> Float[Array, "b *s"]:
        """The weights of the components of x; in training every call draws anew.

        Raises:
          ValueError: the strides do not divide the sides, or the channels are not those of the
            layer.
        """
        check_sides("LearnedPolyphase", self.group, x, self.strides)
        scores, scale = self._scores(x)
        if self.deterministic:
            learned = jax.lax.stop_gradient((scores, scale))
            return choose([learned, *norm_and_texture(x, self.strides)])
        noise = jax.random.gumbel(self.rngs(), scores.shape, scores.dtype)
        return jax.nn.softmax((scores + noise) / self.temperature, axis=range(1, scores.ndim))

    def __call__(self, x: Float[Array, "b *field"]) -> Float[Array, "b *coarse"]:
        """Sample a field, or in training mix its components."""
        return polyphase_sample(self.group, x, self.phase(x))

    def _scores(self, x: Array) -> tuple[Array, Array]:
        """The score of each component `[b, *s]`, and the scale of its rounding."""
        d, b = self.group.dim, x.shape[0]
        x = split(x, self.strides)  # [b, y, s, x, s, ..., c]
        offsets, positions = range(2, 2 * d + 2, 2), range(1, 2 * d + 1, 2)
        x = x.transpose(0, *offsets, *positions, *range(2 * d + 1, x.ndim))
        x = x.reshape(b * math.prod(self.strides), *x.shape[1 + d :])  # components as samples
        hidden = single_or_wider(nnx.relu(self.conv(x)))
        mean = jnp.mean(hidden, axis=range(1, d + 2))  # [b s s, o]
        terms = mean * self.weight[...].astype(mean.dtype)[None]
        scores, scale = jnp.sum(terms, axis=-1), jnp.sum(jnp.abs(terms), axis=-1)
        return scores.reshape(b, *self.strides), scale.reshape(b, *self.strides)
