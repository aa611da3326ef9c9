"""What defines a run: a model, its symmetry, data, a schedule and a seed."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import optax
import tyro
from flax import nnx

from gcnn.groups import Group


@dataclasses.dataclass(frozen=True)
class Config:
    """One training run.

    Attributes:
      name: of the run, and of its folder.
      model: makes the network from random keys; a page sets it, the command line does not.
      symmetry: the group to verify the trained network against.
      claims_symmetry: whether the network should be invariant under it; the plain CNN, which is
        the control, should not.
      digits: what to train on; the test is always on rotated digits.
      train_on: "train" holds the 2 000 validation images back and measures on them every epoch;
        "train+valid" is all 12 000, the protocol of the published numbers.
      epochs: passes over the training images, of floor(n / batch_size) steps each.
      batch_size: images per step.
      learning_rate: Adam's, at the first step.
      schedule: "cosine" decays to zero over the run, "constant" does not.
      seed: of initialisation, order of the images and dropout.
      save_every: checkpoint interval, in steps; a run that is killed loses at most as many.
      out: the folder that holds the folders of runs.
      archive: the original mnist_rotation_new.zip, to be used in place of the generated data.
      beside: summaries of other finished runs, to draw beside this one.
    """

    name: str
    model: tyro.conf.Suppress[Callable[[nnx.Rngs], nnx.Module]]
    symmetry: tyro.conf.Suppress[Group]
    claims_symmetry: tyro.conf.Suppress[bool] = True
    digits: Literal["rotated", "upright"] = "rotated"
    train_on: Literal["train", "train+valid"] = "train+valid"
    epochs: int = 12
    batch_size: int = 128
    learning_rate: float = 4e-3
    schedule: Literal["cosine", "constant"] = "cosine"
    seed: int = 0
    save_every: int = 93
    out: Path = Path("runs")
    archive: Path | None = None
    beside: tuple[Path, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what cannot be run, before any data is read."""
        for what in ("epochs", "batch_size", "save_every", "learning_rate"):
            if getattr(self, what) <= 0:
                raise ValueError(f"{what} must be positive, got {getattr(self, what)}.")

    @property
    def folder(self) -> Path:
        """Where everything that the run leaves behind lies."""
        return self.out / self.name

    def optimizer(self, steps: int) -> optax.GradientTransformation:
        """Adam on the schedule, for a run of `steps` steps."""
        if self.schedule == "constant":
            return optax.adam(self.learning_rate)
        return optax.adam(optax.cosine_decay_schedule(self.learning_rate, steps))

    def numbers(self) -> dict[str, Any]:
        """What decides the numbers of a run, JSON-ready: a checkpoint belongs to these alone."""
        kept = ("digits", "train_on", "epochs", "batch_size", "learning_rate", "schedule", "seed")
        return {"symmetry": self.symmetry.name, **{k: getattr(self, k) for k in kept}}
