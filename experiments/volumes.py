"""Volumes under the 24 rotations of the cube: an octahedral network beside a plain one.

    python -m experiments.volumes                         # adrenal glands; minutes on two cores
    python -m experiments.volumes --modelnet10 FILE.npz   # or the shapes of ModelNet10
    python -m experiments.volumes --help                  # what can be changed

Trains the same small network plain and under the octahedral group at equal parameters, on volumes
as they come; tests both upright and under every rotation of the cube, and writes
`runs/volumes/page.md` with its figures. A study that was killed goes on where it was.
"""

import dataclasses
import math
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import tyro
from flax import nnx
from rich.console import Console
from rich.markup import escape

from gcnn import actions, export, groups, nn, verify
from gcnn.groups import Group

from .data import adrenal, modelnet10
from .data.adrenal import Volumes
from .drawing import volume_figures
from .fit import Schedule, fit
from .page import figure, table, write_page

TURNS = groups.octahedral()  # what test volumes are turned by
NETWORKS: dict[str, Group] = {"plain": groups.p1(3), "octahedral": TURNS}
_SHOWN = 6  # turns in the figure of one volume

_TEXT = """
Two networks classify volumes: {data}; {train} to train on, {test} to test. They are alike but for
the group: plain (p1, {plain} channels), or the 24 rotations of the cube ({turning} channels for
each of them), which have about equally many parameters. Volumes are halved to
{side} x {side} x {side} voxels, each the mean of eight. Nothing was augmented: what a network knows
of rotations is what it is built of. Nothing was chosen by the results on the test volumes.
"""
_TABLE = """
*Upright* is the accuracy on the test volumes as they come, with its sampling error, and *turned*
the mean over all {turns} rotations of all of them; *worst* is the rotation with the lowest. A
network that always names the most frequent class has {frequent:.1f} %. *Same class* is the share of
volumes whose class is the same under all rotations. {auc}The last column is the largest relative
change of the logits under any rotation, in float64, on {exact} volumes.
"""
_AUC = (
    """*AUC* is the area under the ROC curve, upright and, the mean over all rotations, turned. """
)
_READING = """
The octahedral network gives a volume the same class however it is turned, to rounding, and so has
one accuracy. The plain one gives {changed:.1f} % of the volumes another class under some rotation.
"""


@dataclasses.dataclass(frozen=True)
class Config:
    """The study.

    Attributes:
      epochs: passes over the training volumes.
      batch_size: volumes per step.
      learning_rate: Adam's, at the first step.
      channels: of the first layer of the octahedral network, for each group element; the plain one
        has √24 times as many.
      exact: test volumes behind the errors in float64.
      seed: of initialisation and of the order of volumes.
      modelnet10: an npz file of ModelNet10, to be used instead of the adrenal glands; see
        experiments/data/README.md.
      out: the folder to write.
    """

    epochs: int = 10
    batch_size: int = 32
    learning_rate: float = 5e-3
    channels: int = 3
    exact: int = 4
    seed: int = 0
    modelnet10: Path | None = None
    out: Path = Path("runs/volumes")

    def width(self, group: Group) -> int:
        """Channels of the first layer, for about equally many parameters under every group."""
        return round(self.channels * math.sqrt(TURNS.order / group.order))


def halved(volumes: np.ndarray) -> np.ndarray:
    """What the networks see: the means of 2 x 2 x 2 voxels, `[n, z, y, x]` to `[n, z, y, x, 1]`."""
    n, *space = volumes.shape
    blocks = volumes.reshape(n, *(m for side in space for m in (side // 2, 2)))
    return blocks.mean(axis=(2, 4, 6), dtype=np.float32)[..., None]


def network(group: Group, channels: int, classes: int, seed: int) -> nnx.Sequential:
    """A small network on volumes of side 14, as a function of the group.

    Law: f(g·x) = f(x) for every element g. Strides are centred: an even kernel on 14 voxels, an
    odd one on 7.
    """
    rngs = nnx.Rngs(seed)

    def then(conv: nn.LiftingConv | nn.GroupConv) -> list[Any]:
        return [conv, nnx.BatchNorm(conv.out_features, rngs=rngs), nnx.relu]

    return nnx.Sequential(
        *then(nn.LiftingConv(group, 1, channels, 4, 2, rngs=rngs)),  # to 7 x 7 x 7
        *then(nn.GroupConv(group, channels, 2 * channels, 3, 2, rngs=rngs)),  # to 4 x 4 x 4
        *then(nn.GroupConv(group, 2 * channels, 2 * channels, 3, rngs=rngs)),
        partial(nn.global_avg_pool, group),
        nn.GroupPool(group),
        nnx.Linear(2 * channels, classes, rngs=rngs),
    )


def cross_entropy(logits: jax.Array, labels: jax.Array) -> jax.Array:
    """The mean over the batch."""
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()


def study(config: Config, splits: dict[str, Volumes], console: Console) -> dict[str, Any]:
    """Train and measure every network; by name its "findings" and its "logits" when turned."""
    train, test = splits["train"], splits["test"]
    inputs, targets = halved(train.voxels), train.labels.astype(np.int32)
    x, labels = halved(test.voxels), test.labels
    schedule = Schedule(config.epochs, config.batch_size, config.learning_rate, config.seed)
    studied = {}
    for name, group in NETWORKS.items():
        model = network(group, config.width(group), int(targets.max()) + 1, config.seed)
        fitted = fit(model, inputs, targets, cross_entropy, schedule, config.out / name, console)
        frozen = export.freeze(fitted.model)
        logits = turned_logits(frozen, x)
        right = logits.argmax(axis=-1) == labels  # [g, n]
        upright = right[TURNS.identity]
        findings = {
            "parameters": fitted.parameters,
            "seconds": fitted.seconds,
            "upright": float(upright.mean()),
            "standard_error": float(upright.std(ddof=1) / np.sqrt(len(x))),
            "turned": right.mean(axis=1).tolist(),
            "same_class": float((logits.argmax(-1) == logits[0].argmax(-1)).all(axis=0).mean()),
            "invariance": double_precision(frozen, x[: config.exact]).to_dict(),
        }
        if logits.shape[-1] == 2:
            scores = logits[..., 1] - logits[..., 0]
            findings["auc"] = [area(s, labels) for s in scores]
        studied[name] = {"findings": findings, "logits": logits}
        console.print(f"{name}: {100 * findings['upright']:.1f} % upright")
    return studied


@jax.jit
def _apply(model: Any, x: jax.Array) -> jax.Array:
    return model(x)


def turned_logits(model: Any, x: np.ndarray, batch: int = 100) -> np.ndarray:
    """The logits `[g, n, c]` of all volumes, turned by every element g."""
    return np.stack([
        np.concatenate([_apply(model, gx[i : i + batch]) for i in range(0, len(gx), batch)])
        for gx in (actions.act_on_image(TURNS, g, x) for g in range(TURNS.order))
    ])  # fmt: skip


def area(scores: np.ndarray, labels: np.ndarray) -> float:
    """The area under the ROC curve: how often a 1 scores higher than a 0, a tie counting half."""
    ones, zeros = scores[labels == 1][:, None], scores[labels == 0]
    return float((ones > zeros).mean() + (ones == zeros).mean() / 2)


def double_precision(model: Any, x: np.ndarray) -> verify.EquivarianceReport:
    """The logits of turned volumes against those of upright ones, in float64."""
    with jax.enable_x64(True):
        wide = jax.tree.map(
            lambda a: a.astype("float64") if jnp.issubdtype(a.dtype, jnp.floating) else a, model
        )
        return verify.equivariance(wide, TURNS, x.astype(np.float64))


def rows(findings: dict[str, dict[str, Any]]) -> list[list[str]]:
    """The table of the page, a row for each network."""

    def percent(value: float) -> str:
        return f"{100 * value:.1f} %"

    lines = []
    for name, f in findings.items():
        auc = [f"{f['auc'][TURNS.identity]:.3f}, {np.mean(f['auc']):.3f}"] if "auc" in f else []
        lines.append([
            name,
            str(f["parameters"]),
            f"{f['seconds']:.0f}",
            f"{100 * f['upright']:.1f} ± {percent(f['standard_error'])}",
            percent(np.mean(f["turned"])),
            percent(min(f["turned"])),
            percent(f["same_class"]),
            *auc,
            f"{f['invariance']['error']:.1e}",
        ])  # fmt: skip
    return lines


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit status."""
    console = Console()
    config = tyro.cli(Config, args=arguments, prog="experiments.volumes", description=__doc__)
    started = time.monotonic()
    glands = config.modelnet10 is None
    try:
        splits = modelnet10.load(config.modelnet10) if config.modelnet10 else adrenal.load()
        studied = study(config, splits, console)
    except KeyboardInterrupt:
        console.print(f"\nStopped; the networks that are trained are in {config.out}.")
        return 130
    except (ValueError, OSError) as error:
        console.print(f"[bold red]error:[/] {escape(str(error))}", highlight=False)
        return 2
    folder, test = config.out, splits["test"]
    findings = {name: s["findings"] for name, s in studied.items()}
    volume_figures.turns(folder / "turns.png", findings, TURNS.names)
    shown = np.linspace(0, TURNS.order - 1, _SHOWN).round().astype(int).tolist()
    one = int(np.flatnonzero(test.labels == 1)[0])
    images = [actions.act_on_image(TURNS, g, halved(test.voxels[one : one + 1])) for g in shown]
    volume_figures.one_volume(
        folder / "one.png",
        [image[0, ..., 0] for image in images],
        [TURNS.names[g] for g in shown],
        {
            name: np.asarray(jax.nn.softmax(s["logits"][shown, one]))[:, 1]
            for name, s in studied.items()
        },
    )
    header = ["network", "parameters", "s", "upright", "turned", "worst", "same class",
              *(["AUC"] if glands else []), "turned, float64"]  # fmt: skip
    settings = {k: str(v) for k, v in dataclasses.asdict(config).items() if k != "out"}
    words = {
        "data": "adrenal glands, normal or with hyperplasia (AdrenalMNIST3D of MedMNIST v2)"
        if glands
        else "the shapes of ModelNet10",
        "train": len(splits["train"].labels),
        "test": len(test.labels),
        "plain": config.width(NETWORKS["plain"]),
        "turning": config.channels,
        "side": test.voxels.shape[1] // 2,
        "turns": TURNS.order,
        "frequent": 100 * np.bincount(test.labels).max() / len(test.labels),
        "auc": _AUC.lstrip() if glands else "",
        "exact": config.exact,
        "changed": 100 - 100 * findings["plain"]["same_class"],
    }
    parts = [
        _TEXT.format(**words).strip(),
        table(header, rows(findings)),
        _TABLE.format(**words).strip(),
        figure("turns.png", "Accuracy on all test volumes, under each rotation of the cube"),
        figure("one.png", "One test volume as it turns, seen from above, and the probability of "
               "class 1 that each network gives it"),
        _READING.format(**words).strip(),
    ]  # fmt: skip
    title = "Volumes: does the class stay as the volume turns?"
    seconds = time.monotonic() - started
    name = "volumes" if glands else "modelnet10"
    write_page(folder, "experiments.volumes", title, parts, findings, settings, seconds, name=name)
    console.print(table(header, rows(findings)), highlight=False, markup=False)
    console.print(f"The page is {folder / 'page.md'}.")
    exact, broken = (findings[name]["invariance"]["error"] for name in ("octahedral", "plain"))
    holds = exact <= 1e-12 and broken > 1e-3
    console.print(
        "[bold green]Verified: the octahedral network gives the same logits under all rotations "
        "of the cube, and the plain one does not.[/]"
        if holds
        else "[bold red]Refuted: the table is not what the theory says.[/]"
    )
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
