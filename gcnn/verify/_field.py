"""Which action an array asks for, told by its shape."""

from ..actions import Action, act_on_image, act_on_invariant, act_on_orbit, act_on_regular
from ..groups import Group


def field_action(group: Group, shape: tuple[int, ...], which: str, *, invariant: bool) -> Action:
    """The action that the rank of an array tells."""
    d, rank = group.dim, len(shape)
    orbit = invariant and rank == 3 and shape[1] == group.order
    if orbit and d == 1:
        raise ValueError(
            f"Of shape {shape}, {which} is a function on the line [b, x, c] or on the point group "
            f"[b, h, c]: say which with act_out=actions.act_on_image or actions.act_on_orbit."
        )
    if rank == d + 2:
        return act_on_image
    if rank == d + 3 and shape[-2] == group.order:
        return act_on_regular
    if orbit:
        return act_on_orbit
    if invariant and rank == 2:
        return act_on_invariant
    raise ValueError(
        f"Of shape {shape}, {which} is no field of {group}: an image is [b, *space, c] and a "
        f"regular field [b, *space, {group.order}, c], with {d} space axes. Name the action with "
        f"act_in or act_out."
    )
