"""BatchNorm of Flax by running statistics, on the channels of all slots as one axis."""

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Num

_NARROW = 64  # channels; loops over fewer are too short for a CPU


class FrozenBatchNorm(nnx.BatchNorm):
    """An `nnx.BatchNorm` that is faster on fields of few channels.

    y(…, h, c) = (x(…, h, c) - mean(c)) · scale(c) / √(var(c) + ε) + bias(c)

    computed with the last two axes of x as one, on which the statistics are repeated, so that
    loops are |H| times as long. In training, or along another axis, or with many channels, it is
    `nnx.BatchNorm`.

    Law: returns what the `nnx.BatchNorm` returns.
    """

    def __init__(self, norm: nnx.BatchNorm):
        """Take over the statistics, parameters and options of a layer."""
        super().__init__(
            norm.num_features,
            use_running_average=norm.use_running_average,
            axis=norm.axis,
            momentum=norm.momentum,
            epsilon=norm.epsilon,
            dtype=norm.dtype,
            param_dtype=norm.param_dtype,
            use_bias=norm.use_bias,
            use_scale=norm.use_scale,
            axis_name=norm.axis_name,
            axis_index_groups=norm.axis_index_groups,
            use_fast_variance=norm.use_fast_variance,
            promote_dtype=norm.promote_dtype,
            rngs=nnx.Rngs(0),  # nothing is drawn that stays
        )
        self.mean, self.var, self.scale, self.bias = norm.mean, norm.var, norm.scale, norm.bias

    def __call__(
        self,
        x: Num[Array, "*field"],
        use_running_average: bool | None = None,
        *,
        mask: Array | None = None,
    ) -> Num[Array, "*field"]:
        """Normalise; arguments as of `nnx.BatchNorm`."""
        running = self.use_running_average if use_running_average is None else use_running_average
        if not running or self.axis not in (-1, x.ndim - 1) or x.ndim < 3 or x.shape[-1] >= _NARROW:
            return super().__call__(x, use_running_average, mask=mask)
        flat = x.reshape(*x.shape[:-2], -1)
        scale = None if self.scale is None else self.scale[...]
        bias = None if self.bias is None else self.bias[...]
        flat, mean, var, scale, bias = self.promote_dtype(
            (flat, self.mean[...], self.var[...], scale, bias), dtype=self.dtype
        )
        factor = jax.lax.rsqrt(var + self.epsilon)
        if scale is not None:
            factor *= scale

        def repeated(statistic: Array) -> Array:
            return jnp.tile(statistic, x.shape[-2]).reshape((1,) * (flat.ndim - 1) + (-1,))

        y = (flat - repeated(mean)) * repeated(factor)
        if bias is not None:
            y += repeated(bias)
        return y.reshape(x.shape)
