"""The action on the components of a field, by the matrices of a representation."""

from ..groups import Group
from ..representations import Representation
from ._exact import Action, AnyArray, act_on_space
from ._quotient import take_slots


def act_on_field(representation: Representation) -> Action:
    """The action on fields of a representation ρ: (g·f)(p) = ρ(g) f(g⁻¹p).

    The field is `[b, *space, i, c]`, with one slot i for each component of ρ. Of the regular
    representation this is `act_on_regular`, and of one on cosets `act_on_quotient`.

    Args:
      representation: ρ.

    Returns:
      An action: a function of the group, the index of g, and the field.

    Example:
      >>> import jax
      >>> from gcnn import actions, groups, representations
      >>> p4 = groups.p4()
      >>> act = actions.act_on_field(representations.standard(p4))
      >>> flow = jax.random.normal(jax.random.key(0), (1, 8, 8, 2, 1))
      >>> act(p4, 1, flow).shape
      (1, 8, 8, 2, 1)
    """

    def act(group: Group, g: int, f: AnyArray) -> AnyArray:
        d = group.dim
        if group != representation.group:
            raise ValueError(f"{representation} says nothing of {group}.")
        if f.ndim != d + 3:
            raise ValueError(
                f"A field of {representation} is [b, *space, {representation.dim}, c] with {d} "
                f"space axes, got shape {f.shape}."
            )
        moved = act_on_space(group, g, f, range(1, d + 1))
        return act_on_components(representation, g, moved, -2)

    return act


def act_on_components(representation: Representation, g: int, f: AnyArray, axis: int) -> AnyArray:
    """ρ(g) on an axis of an array: y[i] = Σ_j ρ(g)[i, j] f[j], all other axes untouched.

    A permutation is one gather, as in `act_on_group_axis`, and any other sums what is not 0,
    without a matrix product: what the device makes of those at low precision has no part in it.

    Args:
      representation: ρ.
      g: index of the element.
      f: an array with `representation.dim` entries along `axis`.
      axis: the axis of components.

    Raises:
      ValueError: the axis has another length.
    """
    if f.shape[axis] != representation.dim:
        raise ValueError(
            f"Axis {axis} of an array of shape {f.shape} should hold the {representation.dim} "
            f"components of {representation}."
        )
    if g == representation.group.identity:
        return f
    if representation.sources is not None:
        return take_slots(f, representation.sources[g].tolist(), axis)
    axis %= f.ndim
    before = (slice(None),) * axis
    rows = [
        sum(_times(value, f[(*before, slice(j, j + 1))]) for j, value in enumerate(row) if value)
        for row in representation.matrices[g].tolist()
    ]
    return f.__array_namespace__().concat(rows, axis=axis)


def _times(value: float, f: AnyArray) -> AnyArray:
    """The multiple, of the same type where it can be: integers stay integers under 1 and -1."""
    return f if value == 1 else f * (int(value) if value.is_integer() else value)
