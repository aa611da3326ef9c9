"""What defines a run: a model, its symmetry, data, a schedule and a seed."""

import dataclasses
import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import jax
import optax
import tyro
from flax import nnx

from gcnn.groups import Group

from .parallel.cluster import ALONE, Cluster
from .training.augment import NO_CHANGE, Augment


@dataclasses.dataclass(frozen=True)
class Config:
    """One training run.

    Attributes:
      name: of the run, and of its folder.
      model: makes the network from random keys; a page sets it, the command line does not.
      symmetry: the group to verify the trained network against.
      claims_symmetry: whether the network should be invariant under it; the plain CNN, which is
        the control, should not.
      data: what to train and test on. "upright_mnist" trains on upright digits, and tests on
        rotated ones; "hexagonal_mnist" is rotated MNIST resampled on hexagons.
      archive: where the data lie, if not in the project: the original mnist_rotation_new.zip, to
        be used in place of the generated digits; or CIFAR-10 (see experiments/data/README.md).
      whiten: normalise the contrast of photographs, and whiten them by the covariance of the
        training images in all positions that `symmetry` knows.
      train_on: "train" holds the validation images back and measures on them every epoch;
        "train+valid" is all of them, the protocol of the published numbers.
      augment: random changes of the training images.
      epochs: passes over the training images, of floor(n / batch_size) steps each.
      batch_size: images per step.
      optimizer: "adam"; or "sgd", with Nesterov momentum 0.9.
      learning_rate: at its highest.
      warmup: epochs in which the learning rate rises linearly from zero.
      schedule: "cosine" decays to zero over the run, "constant" does not.
      weight_decay: of all parameters but biases and the scales of norms: decoupled for Adam (as
        AdamW), added to the gradient for SGD.
      average: the decay of a running average of the weights, over as many as 1/(1 - average)
        steps; what is tested is the average. 0 tests the last weights.
      seed: of initialisation, order of the images, augmentation and dropout.
      seeds: how many runs to train at once: with seed, seed + 1, ..., each in a folder of its own.
      compute: the type of images, activations and weights in a step; parameters, the optimiser's
        moments, the statistics of BatchNorm, logits and loss are always float32.
      accumulate: micro-batches per step, one after the other, which need less memory; their
        gradients are averaged. BatchNorm then has the statistics of a micro-batch.
      remat: compute norms, activations and padding a second time in the backward pass, in place of
        keeping them, which needs less memory.
      pipeline: where batches are put together, which changes no number: on the "device", that
        holds all images; or by "grain", in threads of the host, for data that do not fit there.
      cluster: the processes that train together.
      save_every: checkpoint interval, in steps; a run that is killed loses at most as many.
      turns: the test is repeated with the mean of the probabilities over so many turns of each
        image, by multiples of 90°/turns. A network that is invariant under quarter turns sees
        the whole circle so. Reported apart from the plain test error.
      curve: whether to measure the test error as a function of the angle, too.
      out: the folder that holds the folders of runs.
      beside: summaries of other finished runs, to draw beside this one.
    """

    name: str
    model: tyro.conf.Suppress[Callable[[nnx.Rngs], nnx.Module]]
    symmetry: tyro.conf.Suppress[Group]
    claims_symmetry: tyro.conf.Suppress[bool] = True
    data: Literal["rotated_mnist", "upright_mnist", "hexagonal_mnist", "cifar10"] = "rotated_mnist"
    archive: Path | None = None
    whiten: bool = False
    train_on: Literal["train", "train+valid"] = "train+valid"
    augment: Augment = NO_CHANGE
    epochs: int = 12
    batch_size: int = 128
    optimizer: Literal["adam", "sgd"] = "adam"
    learning_rate: float = 4e-3
    warmup: float = 0.0
    schedule: Literal["cosine", "constant"] = "cosine"
    weight_decay: float = 0.0
    average: float = 0.0
    seed: int = 0
    seeds: int = 1
    compute: Literal["float32", "bfloat16"] = "float32"
    accumulate: int = 1
    remat: bool = False
    pipeline: Literal["device", "grain"] = "device"
    cluster: tyro.conf.OmitArgPrefixes[Cluster] = ALONE
    save_every: int = 93
    turns: int = 1
    curve: bool = True
    out: Path = Path("runs")
    beside: tuple[Path, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what cannot be run, before any data is read."""
        for what in ("epochs", "batch_size", "save_every", "learning_rate", "turns", "seeds",
                     "accumulate"):  # fmt: skip
            if getattr(self, what) <= 0:
                raise ValueError(f"{what} must be positive, got {getattr(self, what)}.")
        if self.weight_decay < 0:
            raise ValueError(f"weight_decay is {self.weight_decay}; it must be 0 or more.")
        if self.whiten and self.data != "cifar10":
            raise ValueError(f"whiten is for photographs; leave it out with {self.data}.")
        if self.data == "hexagonal_mnist" and self.augment != NO_CHANGE:
            raise ValueError(
                "augment changes images of squares, and would skew those of hexagons: leave it out "
                "with hexagonal_mnist."
            )
        if not 0 <= self.average < 1:
            raise ValueError(f"average is {self.average}; it must be 0 or more, and less than 1.")
        if not 0 <= self.warmup < self.epochs:
            raise ValueError(
                f"warmup is {self.warmup} epochs of {self.epochs}; it must be 0 or more, and less."
            )

        if self.batch_size % self.accumulate:
            near = self.batch_size // self.accumulate * self.accumulate
            sizes = " or ".join(str(n) for n in (near, near + self.accumulate) if n)
            raise ValueError(
                f"A batch of {self.batch_size} cannot be divided into {self.accumulate} equal "
                f"micro-batches; use --batch-size {sizes}."
            )
        if self.pipeline == "grain" and importlib.util.find_spec("grain") is None:
            raise ValueError(
                "pipeline = grain needs the package grain: pip install 'gcnn[grain]', or use "
                "--pipeline device."
            )

    @property
    def folder(self) -> Path:
        """Where everything that the run leaves behind lies."""
        return self.out / self.name

    def each_seed(self) -> list["Config"]:
        """The config of each run that is trained, as it would be alone."""
        if self.seeds == 1:
            return [self]
        return [
            dataclasses.replace(self, name=f"{self.name}/seed{seed}", seed=seed, seeds=1)
            for seed in range(self.seed, self.seed + self.seeds)
        ]

    def transformation(self, steps: int) -> optax.GradientTransformation:
        """The optimiser on its schedule, for a run of `steps` steps."""
        rate: float | optax.Schedule = self.learning_rate
        rising = round(self.warmup / self.epochs * steps)
        if self.schedule == "cosine":
            rate = optax.cosine_decay_schedule(self.learning_rate, steps - rising)
        if rising:
            after = rate if callable(rate) else optax.constant_schedule(rate)
            rise = optax.linear_schedule(0.0, self.learning_rate, rising)
            rate = optax.join_schedules([rise, after], [rising])
        decay = optax.add_decayed_weights(self.weight_decay, mask=_kernels)
        if self.optimizer == "sgd":
            return optax.chain(decay, optax.sgd(rate, momentum=0.9, nesterov=True))
        return optax.chain(optax.scale_by_adam(), decay, optax.scale_by_learning_rate(rate))

    def numbers(self) -> dict[str, Any]:
        """What decides the numbers of a run, JSON-ready: a checkpoint belongs to these alone."""
        others = ("name", "model", "symmetry", "claims_symmetry", "archive", "seeds", "pipeline",
                  "cluster", "save_every", "turns", "curve", "out", "beside")  # fmt: skip
        values = {k: v for k, v in vars(self).items() if k not in others}
        return {"symmetry": self.symmetry.name, **values, "augment": vars(self.augment)}


def _kernels(params: Any) -> Any:
    """True where weights decay: not on biases, nor on scales and offsets of norms."""
    return jax.tree.map(lambda p: p.ndim > 1, params)
