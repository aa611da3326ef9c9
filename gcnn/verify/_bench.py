"""A model on the bench: taken apart, with the action of a group on all that its steps pass on."""

import contextlib
from collections.abc import Callable, Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np

from ..actions import Action
from ..groups import Group
from ._batch import checked_batch
from ._field import field_action
from ._steps import Apart, take_apart

Overrides = Mapping[str, Action | None]


class Bench:
    """A model, a group and a batch.

    Attributes:
      group: the group.
      names: of the steps; step i makes node i + 1, and node 0 is the batch.
      kinds: of the steps, see `Step`.
      nodes: the values of all nodes, in the type that the model works in.
      actions: how the group acts on each.
      output: the node that the model returns.
    """

    def __init__(
        self,
        f: Callable[[Any], Any],
        group: Group,
        x: Any,
        act_in: Action | None,
        act_out: Action | None,
        act: Overrides | None,
    ):
        """Take the model apart, and run it once.

        Raises:
          ValueError: the batch is refused, or an element leaves it as it is; a rank fits no
            field; `act` names no step; or a step returns NaN or infinity.
        """
        self._f, self.group, x = f, group, checked_batch(x)
        act_in = act_in or field_action(group, x.shape, "the input", invariant=False)
        for g in range(group.order):
            if g != group.identity and np.array_equal(act_in(group, g, x), x):
                raise ValueError(
                    f"The element {group.names[g]} of {group} leaves x as it is, which proves "
                    f"nothing about f. Use data without that symmetry, such as random values."
                )
        act = act or {}
        actions: dict[str, Action] = {}
        asked: set[str] = set()

        def is_field(name: str, shape: tuple[int, ...]) -> bool:
            asked.add(name)
            action = act.get(name)
            if name not in act and shape[0] == len(x):
                with contextlib.suppress(ValueError):
                    action = field_action(group, shape, name, invariant=True)
            if action is not None:
                actions[name] = action
            return action is not None

        apart = take_apart(f, x, group.dim, is_field)
        self._aparts = {(x.shape, False): apart}
        self.names = tuple(step.name for step in apart.steps)
        self.kinds = tuple(step.kind for step in apart.steps)
        if unknown := sorted(act.keys() - asked - set(self.names)):
            raise ValueError(
                f"act speaks of {unknown[0]!r}, which is none of the steps of f: "
                f"{', '.join([*self.names, *sorted(asked - set(self.names))])}."
            )
        self.nodes, self.output = apart.nodes(x), apart.output
        y, last = self.nodes[self.output], self.names[self.output - 1]
        act_out = act_out or act.get(last)
        actions[last] = act_out or field_action(group, y.shape, "the output", invariant=True)
        self.actions = [act_in, *(actions[name] for name in self.names)]

    def apart(self, shape: tuple[int, ...], *, wide: bool = False) -> Apart:
        """The same steps for an input of another shape, or in float64.

        Raises:
          ValueError: they are not the same.
        """
        if (shape, wide) not in self._aparts:
            x = np.zeros(shape, self.nodes[0].dtype)
            apart = take_apart(self._f, x, self.group.dim, self.names, wide=wide)
            if (names := tuple(step.name for step in apart.steps)) != self.names:
                raise ValueError(
                    f"f goes other ways for an input of shape {shape}"
                    f"{' in float64' if wide else ''}: its steps are {', '.join(names)} there, "
                    f"and were {', '.join(self.names)}."
                )
            self._aparts[shape, wide] = apart
        return self._aparts[shape, wide]

    @property
    def dtype(self) -> np.dtype:
        """The coarsest type of all nodes."""
        return max((v.dtype for v in self.nodes), key=lambda t: float(jnp.finfo(t).eps))

    def act(self, i: int, g: int, v: np.ndarray) -> np.ndarray:
        """g·v for an array of the kind of node i."""
        return np.asarray(self.actions[i](self.group, g, v))

    def moved(self, i: int, g: int) -> np.ndarray:
        """g·v for the value v of node i."""
        return self.act(i, g, self.nodes[i])


def check_shape(y: np.ndarray, expected: np.ndarray, where: str) -> None:
    """Compare what a step makes of its moved input with its moved output.

    Raises:
      ValueError: the shapes differ.
    """
    if y.shape != expected.shape:
        raise ValueError(
            f"At {where}: φ(g·v) has shape {y.shape}, and g·φ(v) has shape {expected.shape}. Does "
            f"the step return the field that its action takes? If its rank misleads, name another "
            f"action in act, or None to end the step later."
        )
