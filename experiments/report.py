"""What is said about a trained network: its test error, its verdict, its pictures, in one file."""

import dataclasses
import json
import statistics
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from rich.console import Console

from gcnn import models, verify
from gcnn.actions import act_on_image

from .config import Config
from .cost import macs
from .data import cifar10, hexagonal, rotated_mnist, whitening
from .data.rotated_mnist import Split
from .drawing import figures
from .durable.records import provenance, stages, write_json
from .evaluate import (
    Classifier,
    error_by_angle,
    errors,
    errors_over_turns,
    percent,
    standard_error,
)
from .training.precision import in_bfloat16

_VERIFIED = 64  # test images that the verdict rests on
_TURNED = 1500  # test images behind each point of the error as a function of the angle
_COARSE = 0.05  # what `verify.equivariance` allows types of ten bits and fewer


@dataclass(frozen=True)
class Data:
    """The images of a run.

    Attributes:
      source: the splits to train on.
      test: the test images.
      turnable: test images to turn by every angle: upright, where we know which way is up. None
        for photographs, which have corners, and for hexagons.
      name: which data this is.
      beside: the summaries of the runs to draw beside this one, by name.
    """

    source: dict[str, Split]
    test: Split
    turnable: Split | None
    name: str
    beside: dict[str, dict[str, Any]]

    @classmethod
    def load(cls, config: Config) -> "Data":
        """Read or generate everything, before the first step is made.

        Raises:
          ValueError: the data are corrupt, or there are none of that kind to be turned.
          FileNotFoundError: there is no archive, or no summary of a run to draw beside.
        """
        beside = {}
        for path in config.beside:
            if not path.exists():
                raise FileNotFoundError(
                    f"--beside {path}: there is no such file. It is the summary.json of a finished "
                    f"run, or one of the recorded ones in results/."
                )
            summary = json.loads(path.read_text())
            if "error_by_angle" not in summary:
                raise ValueError(f"--beside {path}: that run did not come to its end.")
            beside[summary["name"]] = summary
        if config.data == "cifar10":
            if config.curve or config.turns > 1:
                raise ValueError(
                    "Photographs have corners, so that turning them by any angle says little: with "
                    "cifar10 use --no-curve and --turns 1."
                )
            photographs = cifar10.load(config.archive)
            name = cifar10.description(photographs)
            if config.whiten:
                names = config.train_on.split("+")
                images = np.concatenate([photographs[split].images for split in names])
                whitened = whitening.fit(images, config.symmetry)
                photographs = {
                    name: dataclasses.replace(split, images=whitened(split.images))
                    for name, split in photographs.items()
                }
            return cls(photographs, photographs["test"], None, name, beside)
        name = "generated rotated MNIST" if config.archive is None else config.archive.name
        if config.data == "hexagonal_mnist":
            if config.curve or config.turns > 1:
                raise ValueError(
                    "Images are turned by other angles as images of squares are: with "
                    "hexagonal_mnist use --no-curve and --turns 1."
                )
            hexagons = hexagonal.load(config.archive)
            return cls(hexagons, hexagons["test"], None, f"{name}, on hexagons", beside)
        rotated, upright = rotated_mnist.load(config.archive), rotated_mnist.upright()
        return cls(
            source=upright if config.data == "upright_mnist" else rotated,
            test=rotated["test"],
            turnable=upright["test"] if config.archive is None else rotated["test"],
            name=name,
            beside=beside,
        )


@dataclass(frozen=True)
class Trained:
    """What training leaves in memory.

    Attributes:
      classify: uint8 images `[b, y, x]` to logits `[b, c]`, in evaluation mode.
      model: the network itself, on standardised images, in evaluation mode.
      mean: of the training pixels (0 to 255), subtracted from all images.
      std: of the training pixels, by which all images are divided.
      rows: of metrics.jsonl.
      steps: how many were made.
      finished: whether that is all of them.
    """

    classify: Classifier
    model: nnx.Module
    mean: float
    std: float
    rows: list[dict[str, Any]]
    steps: int
    finished: bool

    def in_float32(self, pixels: np.ndarray) -> jax.Array:
        """As `classify`, in float32, whatever the type that it computes in."""
        return _logits(self.model, _standardised(self, pixels))


def report(config: Config, trained: Trained, data: Data, console: Console) -> int:
    """Test, verify, draw and record; returns the exit status: 0 if the verdict is as claimed."""
    test, folder = data.test, config.folder
    measured: dict[str, Any] = {}
    with console.status(f"testing on {len(test.labels)} images"):
        error = percent(errors(trained.classify, test.images, test.labels))
    if config.compute != "float32":
        with console.status("testing in float32"):
            wrong = errors(trained.in_float32, test.images, test.labels)
            measured["test_error_percent_in_float32"] = percent(wrong)
    if config.turns > 1:
        with console.status(f"testing on {config.turns} turns of each image"):
            wrong = errors_over_turns(trained.classify, test.images, test.labels, config.turns)
            measured["turns"] = config.turns
            measured["test_error_percent_over_turns"] = percent(wrong)
    if config.curve and data.turnable is not None:
        with console.status("turning the test images"):
            measured["error_by_angle"] = error_by_angle(
                trained.classify, data.turnable.images[:_TURNED], data.turnable.labels[:_TURNED]
            )
    with console.status("verifying"):
        verdicts = verify_trained(config, trained, test.images[:_VERIFIED])
        holds = all(verdict.holds for verdict in verdicts.values())
    write_json(
        folder / "summary.json",
        {
            **_summary(config, trained, data, "finished"),
            "data": data.name,
            "test_images": len(test.labels),
            "test_error_percent": error,
            "test_error_standard_error": standard_error(error, len(test.labels)),
            "equivariance": {name: verdict.to_dict() for name, verdict in verdicts.items()},
            **measured,
        },
    )
    draw(config, trained, data, error, measured.get("error_by_angle"))

    console.print(
        f"\n[bold]{config.name}[/]: test error {error:.2f} % on {len(test.labels)} images\n"
    )
    for verdict in verdicts.values():
        console.print(str(verdict), highlight=False, markup=False)
        console.print()
    console.print(f"Everything is in {folder}: summary.json, metrics.jsonl and the figures.")
    if config.claims_symmetry:
        console.print(
            f"[bold green]Verified: the trained network is invariant under {config.symmetry.name}, "
            f"to rounding, on {_VERIFIED} test images.[/]"
            if holds
            else f"[bold red]Refuted: the network is not invariant under {config.symmetry.name}.[/]"
        )
        return 0 if holds else 1
    console.print(
        f"[bold red]The control was found to be invariant under {config.symmetry.name}.[/]"
        if holds
        else f"As it should be, the control is not invariant under {config.symmetry.name}."
    )
    return 1 if holds else 0


def report_interrupted(config: Config, trained: Trained, data: Data, console: Console) -> None:
    """Leave a usable run: its curves so far, and a summary that says how far it came."""
    write_json(config.folder / "summary.json", _summary(config, trained, data, "interrupted"))
    if trained.rows:
        figures.learning_curves(
            config.folder / "learning_curves.png", trained.rows, f"{config.name}, interrupted"
        )
    console.print(
        f"\nInterrupted after step {trained.steps}, which is saved. The same command goes on from "
        f"there; {config.folder} holds the metrics and the curves so far."
    )


def verify_trained(
    config: Config, trained: Trained, images: np.ndarray
) -> dict[str, verify.EquivarianceReport]:
    """The equivariance of the network on real images, in float32, in float64 and as it computes.

    float64 tells rounding from a small but real error. Both are computed at full precision: by
    default an accelerator rounds the factors of float32 to fewer bits, and what that leaves of
    equivariance is told apart, as "default precision".
    """
    x = _standardised(trained, images)
    verdicts = {}
    if config.compute == "bfloat16":
        f = partial(_logits, in_bfloat16(trained.model))
        verdicts["bfloat16"] = verify.equivariance(f, config.symmetry, x.astype(jnp.bfloat16))
    elif jax.default_backend() != "cpu":
        f = partial(_logits, trained.model)
        verdicts["default precision"] = verify.equivariance(
            f, config.symmetry, x.astype(np.float32), tolerance=_COARSE
        )
    for dtype in ("float32", "float64"):
        with jax.enable_x64(dtype == "float64"), jax.default_matmul_precision("highest"):
            model = jax.tree.map(
                lambda a, dtype=dtype: (
                    a.astype(dtype) if jnp.issubdtype(a.dtype, jnp.floating) else a
                ),
                trained.model,
            )
            f = partial(_logits, model)
            verdicts[dtype] = verify.equivariance(f, config.symmetry, x.astype(dtype))
    return verdicts


def _standardised(trained: Trained, pixels: np.ndarray) -> np.ndarray:
    x = (pixels - trained.mean) / trained.std
    return x if x.ndim == 4 else x[..., None]


@nnx.jit
def _logits(model: Any, x: Any) -> jax.Array:
    return model(x)


def draw(
    config: Config,
    trained: Trained,
    data: Data,
    error: float,
    curve: dict[str, list[float]] | None,
) -> None:
    """All figures of a finished run."""
    folder = config.folder
    figures.learning_curves(folder / "learning_curves.png", trained.rows, config.name, error)
    if curve is not None:
        curves = {config.name: curve}
        curves |= {name: summary["error_by_angle"] for name, summary in data.beside.items()}
        trained_on = "upright" if config.data == "upright_mnist" else "rotated"
        figures.error_by_angle(
            folder / "error_by_angle.png",
            curves,
            f"Test error by angle, trained on {trained_on} digits",
        )
    model = trained.model
    if data.turnable is not None and isinstance(model, models.P4CNN) and model.group.order > 1:
        group = model.group
        digit = data.turnable.images[:1, ..., None]
        turned = np.concatenate([act_on_image(group, g, digit) for g in range(group.order)])
        x = jnp.asarray((turned - trained.mean) / trained.std, jnp.float32)
        fields = np.asarray(model.lift(x))
        strongest = int(fields.std(axis=(0, 1, 2, 3)).argmax())
        figures.feature_maps(
            folder / "feature_maps.png", turned[..., 0], fields[..., strongest], list(group.names)
        )


def _summary(config: Config, trained: Trained, data: Data, status: str) -> dict[str, Any]:
    """What a finished and an interrupted run have in common."""
    image = data.test.images.shape[1:]
    shape = image if len(image) == 3 else (*image, 1)
    rows = trained.rows
    per_epoch: dict[int, float] = {}
    for row in rows:
        epoch = int(np.ceil(row["epoch"]))
        per_epoch[epoch] = per_epoch.get(epoch, 0.0) + row["seconds"]
    state = nnx.state(trained.model, nnx.Param)
    return {
        "name": config.name,
        "status": status,
        "steps": trained.steps,
        "parameters": sum(p.size for p in jax.tree.leaves(state)),
        "macs": macs(trained.model, 1, *shape),
        "training_seconds": sum(row["seconds"] for row in rows),
        "seconds_per_epoch": statistics.median(per_epoch.values()) if per_epoch else None,
        "last": rows[-1] if rows else None,
        "mean": trained.mean,
        "std": trained.std,
        "config": config.numbers(),
        "stages": stages(config.folder),
        **provenance(),
    }
