"""A network whose convolutions over a group have become ordinary ones."""

from typing import Any

import jax
from flax import nnx

from ..nn import BatchNorm, GroupConv, GroupConvTranspose, LiftingConv, LiftingConvTranspose
from ._frozen import FrozenConv, FrozenConvTranspose

_PLAIN = (LiftingConv, GroupConv)
_TRANSPOSED = (LiftingConvTranspose, GroupConvTranspose)
_CALLS = {kind.__call__ for kind in (*_PLAIN, *_TRANSPOSED)}


def freeze(model: nnx.Module) -> Any:
    """A copy of a model in which every convolution over a group is an ordinary one.

    freeze(f)(x) = f(x)

    A `LiftingConv` or a `GroupConv`, wherever it is among the attributes, lists, tuples and
    dictionaries of the model, becomes a `FrozenConv`, which is an `nnx.Conv`; a transposed one a
    `FrozenConvTranspose`, an `nnx.ConvTranspose`. Their filters are expanded here, and no more when
    the model is called; they are |H| times as many numbers. An `nnx.BatchNorm` becomes an
    `nn.BatchNorm`, which is one, and faster on few channels. Everything else is copied as it is:
    `GroupPool` and its like have no filters to expand. The copy keeps the mode of the model,
    training or evaluation, and shares no variable with it.

    What is called from two places stays one layer. Layers made by `nnx.vmap`, with one more axis
    in front of each parameter, are expanded one by one. A layer that lies hidden in a function, and
    a layer of a class of your own that has its own `__call__`, are left as they are: that costs
    some time, and changes no number.

    Args:
      model: a module, or a single layer.

    Returns:
      The frozen model; of a single layer, the layer of Flax.

    Raises:
      ValueError: a transposed convolution has more than three space axes.

    Example:
      >>> from flax import nnx
      >>> from gcnn import export, groups, models
      >>> net = export.freeze(models.P4CNN(groups.p4(), rngs=nnx.Rngs(0)))
      >>> net.top.kernel.shape
      (4, 4, 40, 40)
    """
    return _frozen(nnx.clone(model), {})


def _frozen(node: Any, seen: dict[int, tuple[Any, Any]]) -> Any:
    """What takes the place of a node; `seen` keeps both alive, so that no id serves twice."""
    if id(node) in seen:
        return seen[id(node)][1]
    if isinstance(node, (*_PLAIN, *_TRANSPOSED)) and type(node).__call__ in _CALLS:
        seen[id(node)] = node, _expanded(node)
    elif type(node) is nnx.BatchNorm:
        seen[id(node)] = node, _batch_norm(node)
    elif isinstance(node, nnx.Variable):
        return node
    elif isinstance(node, nnx.Pytree):
        seen[id(node)] = node, node  # before its parts, which may refer to it
        for name, part in list(vars(node).items()):
            if (new := _frozen(part, seen)) is not part:
                setattr(node, name, nnx.data(new))
    elif isinstance(node, list | tuple | dict):
        parts, treedef = jax.tree.flatten(node, is_leaf=lambda part: part is not node)
        new = [_frozen(part, seen) for part in parts]
        if all(a is b for a, b in zip(new, parts, strict=True)):
            return node
        seen[id(node)] = node, jax.tree.unflatten(treedef, new)
    else:
        return node
    return seen[id(node)][1]


def _expanded(
    layer: LiftingConv | GroupConv | LiftingConvTranspose | GroupConvTranspose,
) -> FrozenConv | FrozenConvTranspose:
    make: Any = FrozenConvTranspose if isinstance(layer, _TRANSPOSED) else FrozenConv
    own = layer.group.dim + (2 if isinstance(layer, LiftingConv | LiftingConvTranspose) else 3)
    for _ in range(layer.kernel[...].ndim - own):
        make = nnx.vmap(make)
    return make(layer)


def _batch_norm(norm: nnx.BatchNorm) -> BatchNorm:
    """The faster one, with the statistics, parameters and options of Flax's."""
    fast = BatchNorm(
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
    fast.mean, fast.var, fast.scale, fast.bias = norm.mean, norm.var, norm.scale, norm.bias
    return fast
