"""What helps on rotated MNIST and what does not, told by the validation images alone.

    python -m experiments.search                          # all variants: about an hour on two cores
    python -m experiments.search --variants base width    # some of them

Changes one thing at a time in a network and its training, trains each on the 10 000 training images
for a few epochs, and measures on the 2 000 validation images: never on a test image. Writes
`runs/search/page.md`. A search that was killed goes on where it was; `--collect` writes the page of
what is finished, wherever that was trained.
"""

import dataclasses
import functools
import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import jax
import tyro
from flax import nnx
from rich.console import Console
from rich.markup import escape

from gcnn import groups, models
from gcnn.groups import Group

from .config import Config
from .cost import macs
from .data import rotated_mnist
from .durable.records import Metrics, stages
from .evaluate import standard_error
from .page import table, write_page
from .train import train
from .training.augment import NO_CHANGE, Augment

_TEXT = """
One thing is changed at a time. The base is `models.DigitResNet` under p4, channels (8, 16, 32),
with the digits turned by a random angle at every use, Adam with a learning rate of 4e-3 that rises
over one epoch and falls on a cosine, batches of 128. Trained on {train} images for {epochs} epochs,
measured on the {valid} validation images at the last one; no test image was read. The cross-entropy
is the less noisy of the two: an error of 2 % has a sampling error of {noise:.2f} points here.
Means over the seeds that are finished, {seeds} at most; with more than one, ± is their standard
deviation. Trained on {devices}. Small differences mean nothing.
"""


def digit_resnet(
    rngs: nnx.Rngs, group: Group, channels: tuple[int, ...], **more: int
) -> nnx.Module:
    """The network, with the group and the widths as arguments."""
    return models.DigitResNet(group, channels=channels, rngs=rngs, **more)


def _network(group: Group, *channels: int, **more: Any) -> dict[str, Any]:
    made = functools.partial(digit_resnet, group=group, channels=channels, **more)
    return {"model": made, "symmetry": group}


TURNED = Augment(rotate=True)
VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "base": ("as described", {}),
    "no_augmentation": ("the digits as they are", {"augment": NO_CHANGE}),
    "stretch": (
        "digits stretched by up to exp(± 0.1), too",
        {"augment": Augment(rotate=True, stretch=0.1)},
    ),
    "shift": ("shifted by up to a pixel, too", {"augment": Augment(rotate=True, shift=1.0)}),
    "average": ("a running average of the weights, of 200 steps", {"average": 0.995}),
    "weight_decay": ("weight decay 0.05", {"weight_decay": 0.05}),
    "half_batch": ("batches of 64", {"batch_size": 64}),
    "learning_rate": ("learning rate 1e-2", {"learning_rate": 1e-2}),
    "width": ("channels (12, 24, 48)", _network(groups.p4(), 12, 24, 48)),
    "depth": ("two blocks in each stage", _network(groups.p4(), 8, 16, 32, blocks=2)),
    "p4m": ("p4m, channels (6, 11, 23)", _network(groups.p4m(), 6, 11, 23, hidden=34)),
    "p1": ("p1 at equal cost, channels (32, 64, 128)", _network(groups.p1(), 32, 64, 128)),
}


@dataclasses.dataclass(frozen=True)
class Search:
    """What to try.

    Attributes:
      variants: by name; all of them if not given.
      epochs: of training.
      seeds: how many of each.
      collect: train nothing, and write the page of the runs that are finished.
      out: the folder that holds the folder of the search.
    """

    variants: tuple[str, ...] = tuple(VARIANTS)
    epochs: int = 6
    seeds: int = 1
    collect: bool = False
    out: Path = Path("runs")

    def __post_init__(self) -> None:
        """Refuse what cannot be run."""
        unknown = sorted(set(self.variants) - set(VARIANTS))
        if unknown:
            raise ValueError(f"No variant {', '.join(unknown)}; there are {', '.join(VARIANTS)}.")
        for what in ("epochs", "seeds"):
            if getattr(self, what) < 1:
                raise ValueError(f"{what} must be 1 or more, got {getattr(self, what)}.")

    def config(self, variant: str, seed: int) -> Config:
        """The run of a variant."""
        base = Config(
            name=f"{variant}_seed{seed}",
            train_on="train",
            augment=TURNED,
            epochs=self.epochs,
            warmup=min(1.0, self.epochs / 2),
            seed=seed,
            out=self.out / "search",
            **_network(groups.p4(), 8, 16, 32),
        )
        return dataclasses.replace(base, **VARIANTS[variant][1])


def runs_of(
    variant: str, options: Search, source: dict[str, rotated_mnist.Split], console: Console
) -> list[dict[str, Any]]:
    """Train each seed of a variant, or take those that are finished; what came out, JSON-ready."""
    runs = []
    for seed in range(options.seeds):
        config = options.config(variant, seed)
        if options.collect:
            metrics = finished(config)
        else:
            trained = train(config, source, console)
            if not trained.finished:
                raise KeyboardInterrupt
            metrics = trained.rows
        if metrics:
            last = metrics[-1]
            runs.append({
                "seed": seed,
                "valid_error_percent": last["valid_error_percent"],
                "valid_loss": last["valid_loss"],
                "train_loss": last["loss"],
                "seconds": sum(row["seconds"] for row in metrics),
                "stages": stages(config.folder),
            })  # fmt: skip
    return runs


def finished(config: Config) -> list[dict[str, Any]]:
    """The metrics of a run that came to its end with these numbers, or none."""
    path = config.folder / "config.json"
    if not path.exists():
        return []
    made = json.loads(path.read_text())
    asked = json.loads(json.dumps(config.numbers()))
    rows = Metrics.read(config.folder / "metrics.jsonl")
    whole = bool(rows) and rows[-1]["epoch"] == config.epochs
    return rows if whole and all(made.get(key) == asked[key] for key in asked) else []


def search(options: Search, console: Console) -> Path:
    """Train and measure all variants; returns the folder of the page.

    Raises:
      ValueError: what is finished is asked for, and nothing is.
    """
    clock = time.monotonic()
    splits = rotated_mnist.load()
    source = {name: splits[name] for name in ("train", "valid")}
    found: dict[str, dict[str, Any]] = {}
    for variant in options.variants:
        runs = runs_of(variant, options, source, console)
        if runs:
            model = options.config(variant, 0).model(nnx.Rngs(0))
            model.eval()
            parameters = jax.tree.leaves(nnx.state(model, nnx.Param))
            found[variant] = {
                "changes": VARIANTS[variant][0],
                "runs": runs,
                "parameters": sum(p.size for p in parameters),
                "macs": macs(model, 1, 28, 28, 1),
            }
    if not found:
        raise ValueError(
            f"No run of {options.epochs} epochs is finished in {options.out / 'search'}; leave out "
            f"--collect to train them."
        )
    folder = options.out / "search"
    rows = [
        [
            name,
            str(v["changes"]),
            str(len(v["runs"])),
            f"{_mean(v, 'valid_error_percent'):.2f} %{_spread(v, 'valid_error_percent', 2)}",
            f"{_mean(v, 'valid_loss'):.4f}{_spread(v, 'valid_loss', 4)}",
            f"{_mean(v, 'train_loss'):.4f}",
            f"{v['parameters']}",
            f"{v['macs'] / 1e6:.1f} M",
            f"{_mean(v, 'seconds'):.0f}",
        ]
        for name, v in sorted(found.items(), key=lambda item: _mean(item[1], "valid_loss"))
    ]
    header = ["variant", "what differs", "seeds", "validation error", "cross-entropy",
              "in training", "parameters", "MACs", "seconds"]  # fmt: skip
    count = len(source["valid"].labels)
    every = (run for v in found.values() for run in v["runs"])
    devices = sorted({stage["device"] for run in every for stage in run["stages"]})
    text = _TEXT.format(
        train=len(source["train"].labels), valid=count, epochs=options.epochs,
        seeds=options.seeds, noise=standard_error(2.0, count),
        devices=" and ".join(devices),
    )  # fmt: skip
    write_page(
        folder,
        "experiments.search",
        "What helps on rotated MNIST",
        [text, table(header, rows)],
        {"variants": found, "devices": devices},
        {"epochs": options.epochs, "seeds": options.seeds},
        time.monotonic() - clock,
    )
    return folder


def _mean(variant: dict, what: str) -> float:
    values = [run[what] for run in variant["runs"]]
    return statistics.fmean(values)


def _spread(variant: dict, what: str, digits: int) -> str:
    values = [run[what] for run in variant["runs"]]
    return f" ± {statistics.stdev(values):.{digits}f}" if len(values) > 1 else ""


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit status."""
    console = Console()
    try:
        folder = search(tyro.cli(Search, args=arguments, prog="experiments.search"), console)
    except KeyboardInterrupt:
        console.print("\nStopped; the same command goes on.")
        return 130
    except (ValueError, OSError) as error:
        console.print(f"[bold red]error:[/] {escape(str(error))}", highlight=False)
        return 2
    console.print(f"{folder / 'page.md'} tells what helped.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
