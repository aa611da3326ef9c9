"""Whether networks that are stable to small warps are the ones that classify well.

    python -m experiments.deformation            # about three minutes on two cores
    python -m experiments.deformation --help     # what can be changed

After L. Petrini, A. Favero, M. Geiger, M. Wyart, "Relative stability toward diffeomorphisms
indicates performance in deep nets", NeurIPS 2021. Trains plain, p4 and fully connected networks on
more and more rotated digits, measures the relative stability R_f of each before and after, and
writes `runs/deformation/page.md` with its figures. A study that was killed goes on where it was.
"""

import dataclasses
import itertools
import sys
import time
from collections.abc import Callable
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

from gcnn import actions, groups, models, verify

from .data import rotated_mnist
from .data.rotated_mnist import Split
from .deformation_findings import MEASURES, at, augmentation, relation, rows
from .drawing import deformation_figures as pictures
from .evaluate import errors, percent
from .fit import Fitted, Schedule, fit
from .page import figure, table, write_page

_TEXT = """
The relative stability R_f = D_f / G_f compares what a small smooth warp τ of the image does to the
logits f with what Gaussian noise of the same size does (`gcnn.verify.deformation_stability`; means
over {samples} test images with {warps} warps and noises each, and random fields of maximal entropy
with a root mean square displacement of {delta} pixel and cut {cut}). Three architectures: the
P4CNN of Cohen & Welling with {channels} channels for each of its 4 elements, the same network plain
(p1, {plain} channels), and a fully connected one, the control. Each is trained on few and on many
rotated digits, as they are or in {rows} different warps, and all take as many steps; nothing was
chosen on the test set. Before training, statistics are those of the batch.
"""
_FOUND = """
Digits that are warped in training give a lower R_f in {stabler} of {pairs} pairs of networks that
differ in nothing else, and a lower test error in {better}. Over all {count} networks, one of each
kind, error ≈ {prefactor:.2g} · R_f^{exponent:.2g} at δ = {delta}. The paper finds error ≈ 0.2 ·
R_f^0.5 for 15 larger networks on CIFAR-10, whose images are smoother, and a weaker relation to D_f
than to R_f. Whether that holds here, the correlations of the logarithms tell:
"""


class Perceptron(nnx.Module):
    """A fully connected classifier, which knows nothing of space: the control."""

    def __init__(self, pixels: int, features: int = 64, *, rngs: nnx.Rngs):
        """Create the network.

        Args:
          pixels: of an image.
          features: of each of the two hidden layers.
          rngs: random keys.
        """
        self.first = nnx.Linear(pixels, features, rngs=rngs)
        self.second = nnx.Linear(features, features, rngs=rngs)
        self.top = nnx.Linear(features, 10, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        """The logits of images `[b, y, x, 1]`."""
        x = nnx.relu(self.first(x.reshape(x.shape[0], -1)))
        return self.top(nnx.relu(self.second(x)))


@dataclasses.dataclass(frozen=True)
class Config:
    """The study.

    Attributes:
      sizes: digits to train on; each architecture is trained on each number of them, as they are
        and warped.
      epochs: passes over the largest of these; all networks take as many steps.
      batch_size: images per step.
      learning_rate: Adam's, at the first step.
      channels: of the p4 network, for each group element; the plain one has twice as many.
      test: test images behind the error.
      samples: test images behind R_f.
      warps: warps, and noises, for each of them.
      delta: displacement behind the table, and in training, in pixels.
      deltas: those of the curves.
      cut: the highest frequency of the warps.
      seed: of initialisation, of the order of images and of the warps.
      out: the folder to write.
    """

    sizes: tuple[int, ...] = (600, 6000)
    epochs: int = 5
    batch_size: int = 64
    learning_rate: float = 5e-3
    channels: int = 6
    test: int = 5000
    samples: int = 300
    warps: int = 4
    delta: float = 1.0
    deltas: tuple[float, ...] = (0.25, 0.5, 1.0, 1.5, 2.0, 2.5)
    cut: int = 3
    seed: int = 0
    out: Path = Path("runs/deformation")


def architectures(config: Config) -> dict[str, Callable[[], Any]]:
    """The networks by name, each made anew when it is called."""

    def rngs() -> nnx.Rngs:
        return nnx.Rngs(config.seed)

    return {
        "p4": lambda: models.P4CNN(groups.p4(), channels=config.channels, rngs=rngs()),
        "plain": lambda: models.P4CNN(groups.p1(), channels=2 * config.channels, rngs=rngs()),
        "fully connected": lambda: Perceptron(28 * 28, rngs=rngs()),
    }


def study(config: Config, splits: dict[str, Split], console: Console) -> dict[str, Any]:
    """Train and measure every network; the findings, JSON-ready."""
    train, test = splits["train"], splits["test"]
    total = max(config.sizes)
    if min(config.sizes) < 1 or total > len(train.labels):
        raise ValueError(f"sizes {config.sizes} should be from 1 to {len(train.labels)} digits.")
    mean, std = float(train.images[:total].mean()), float(train.images[:total].std())

    def standardise(images: np.ndarray) -> np.ndarray:
        return ((images.astype(np.float32) - mean) / std)[..., None]

    def loss(logits: jax.Array, labels: jax.Array) -> jax.Array:
        return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()

    def stability(network: Any) -> list[dict[str, Any]]:
        return verify.deformation_curve(
            network, standardise(test.images[: config.samples]), displacements(config),
            cut=config.cut, warps=config.warps, seed=config.seed,
        ).to_dict()["reports"]  # fmt: skip

    def trained(make: Callable[[], Any], size: int, warped: bool, folder: Path) -> Fitted:
        chosen = np.resize(np.arange(size), total)  # again and again, to as many steps
        inputs = standardise(train.images[chosen])
        if warped:
            inputs = warp(inputs, config)
        targets = train.labels[chosen].astype(np.int32)
        return fit(make(), inputs, targets, loss, schedule, folder, console)

    def error(network: Any) -> float:
        classify = jax.jit(partial(_call, network))
        wrong = errors(
            lambda images: classify(standardise(images)),
            test.images[: config.test], test.labels[: config.test],
        )  # fmt: skip
        return percent(wrong)

    schedule = Schedule(config.epochs, config.batch_size, config.learning_rate, config.seed)
    start: dict[str, Any] = {}
    networks: list[dict[str, Any]] = []
    for name, make in architectures(config).items():
        untrained = make()
        untrained.train()
        start[name] = stability(untrained)
        for size, warped in itertools.product(config.sizes, (False, True)):
            folder = config.out / f"{name.replace(' ', '_')}_{size}{'_warped' if warped else ''}"
            fitted = trained(make, size, warped, folder)
            networks.append({
                "architecture": name, "size": size, "warped": warped,
                "parameters": fitted.parameters, "seconds": fitted.seconds,
                "test_error_percent": error(fitted.model), "curve": stability(fitted.model),
            })  # fmt: skip
            r_f = at(networks[-1]["curve"], config.delta)["r_f"]
            console.print(
                f"{folder.name}: error {networks[-1]['test_error_percent']:.2f} %, R_f {r_f:.3g}"
            )
    return {
        "start": start,
        "networks": networks,
        "relations": [
            {"delta": delta, **{key: relation(networks, key, delta) for key in MEASURES}}
            for delta in displacements(config)
        ],
    }


def _call(model: Any, x: jax.Array) -> jax.Array:
    return model(x)


def warp(x: np.ndarray, config: Config) -> np.ndarray:
    """Each image along a field of its own, none of them one that the stability is measured by."""
    t = actions.temperature_of(config.delta, x.shape[1], config.cut)
    moved = []
    for i, part in enumerate(np.array_split(x, -(-len(x) // 1000))):
        key = jax.random.fold_in(jax.random.key(config.seed + 1), i)
        d = actions.max_entropy_displacement(key, x.shape[1], config.cut, t, (len(part),))
        moved.append(np.asarray(actions.warp_interpolated(jnp.asarray(part), d)))
    return np.concatenate(moved)


def displacements(config: Config) -> list[float]:
    """Those of the curves, and the one of the table."""
    return sorted({*config.deltas, config.delta})


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit status."""
    console = Console()
    config = tyro.cli(Config, args=arguments, prog="experiments.deformation", description=__doc__)
    started = time.monotonic()
    try:
        splits = rotated_mnist.load()
        findings = study(config, splits, console)
    except KeyboardInterrupt:
        console.print(f"\nStopped; the networks that are trained are in {config.out}.")
        return 130
    except (ValueError, OSError) as error:
        console.print(f"[bold red]error:[/] {escape(str(error))}", highlight=False)
        return 2
    folder, delta = config.out, config.delta
    relations = findings["relations"]
    pictures.stability(folder / "stability.png", findings, delta)
    pictures.curves(folder / "curves.png", findings)
    pictures.warps(
        folder / "warps.png", splits["test"].images[0], config.cut, displacements(config)
    )
    header = ["architecture", "digits", "parameters", "s", "test error", "D_f", "G_f", "R_f"]
    settings = {k: str(v) for k, v in dataclasses.asdict(config).items() if k != "out"}
    parts = [
        _TEXT.format(**settings, plain=2 * config.channels, rows=max(config.sizes)).strip(),
        figure("warps.png", "A digit under warps, and with noise of the same size"),
        table(header, rows(findings, delta)),
        _FOUND.format(**augmentation(findings["networks"], delta), delta=delta,
                      **at(relations, delta)["r_f"]).strip(),
        table(
            ["δ [pixels]", "error and R_f", "error and D_f", "error and G_f"],
            [
                [f"{r['delta']:g}", *(f"{r[key]['correlation']:.2f}" for key in MEASURES)]
                for r in relations
            ],
        ),
        figure("stability.png", "Relative stability, training and test error"),
        figure("curves.png", "Relative stability against the displacement"),
    ]  # fmt: skip
    title = "Deformations: relative stability and test error"
    seconds = time.monotonic() - started
    write_page(folder, "experiments.deformation", title, parts, findings, settings, seconds)
    console.print(table(header, rows(findings, delta)), highlight=False, markup=False,
                  soft_wrap=True)  # fmt: skip
    console.print(f"The page is {folder / 'page.md'}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
