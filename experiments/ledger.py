"""Where the error of a trained network comes from: its ledger, as tables, a figure and JSON.

    python -m experiments.ledger p4cnn                   # of the finished run in runs/p4cnn
    python -m experiments.ledger p4cnn --name p4cnn_seed1 --images 32

Restores the network that `experiments.train` left, takes it apart on test images, and writes
`ledger.json` and `ledger.png` beside its other results.
"""

import dataclasses
import json
import sys
from pathlib import Path

import numpy as np
import tyro
from rich.console import Console
from rich.markup import escape

from gcnn import verify

from .config import Config
from .configs import pages
from .drawing.ledger_figure import draw_ledger
from .durable.records import provenance, write_json
from .report import Data, Trained
from .train import train
from .training.augment import Augment


@dataclasses.dataclass(frozen=True)
class Request:
    """Which network to take apart.

    Attributes:
      page: the page of its run.
      name: the name of its run, if it is not the page's own.
      out: the folder that holds the folders of runs.
      archive: the archive that it was trained on, if it was one.
      images: how many test images to measure on.
    """

    page: tyro.conf.Positional[str]
    name: str | None = None
    out: Path = Path("runs")
    archive: Path | None = None
    images: int = 16


def find_run(request: Request) -> Config:
    """The config of a finished run, with the numbers that it was made with.

    Raises:
      ValueError: there is no such page, no such run, or it is not finished.
    """
    known = pages()
    if request.page not in known:
        raise ValueError(f"There is no page {request.page!r}; there are {', '.join(known)}.")
    _, page = known[request.page]
    config = dataclasses.replace(
        page, name=request.name or page.name, out=request.out, archive=request.archive, beside=()
    )
    summary, numbers = config.folder / "summary.json", config.folder / "config.json"
    if not summary.exists() or json.loads(summary.read_text())["status"] != "finished":
        raise ValueError(
            f"{config.folder} holds no finished run. Train it, or bring it to its end, with "
            f"python -m experiments.train {request.page} --name {config.name} --out {config.out}."
        )
    made = json.loads(numbers.read_text())
    made["augment"] = Augment(**made["augment"])
    fields = {field.name for field in dataclasses.fields(Config)} - {"symmetry"}
    return dataclasses.replace(config, **{k: v for k, v in made.items() if k in fields})


def measure(config: Config, trained: Trained, images: np.ndarray) -> verify.Ledger:
    """The ledger of a trained network on uint8 images `[b, y, x]`."""
    x = ((images - trained.mean) / trained.std)[..., None].astype(np.float32)
    return verify.ledger(trained.model, config.symmetry, x)


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit status."""
    console = Console()
    request = tyro.cli(Request, args=arguments, prog="experiments.ledger")
    try:
        config = find_run(request)
        data = Data.load(config)
        if not 0 < request.images <= len(data.test.images):
            raise ValueError(
                f"images should be from 1 to {len(data.test.images)}, got {request.images}."
            )
        trained = train(config, data.source, Console(quiet=True))  # at its end: it is restored
    except (ValueError, OSError) as error:
        console.print(f"[bold red]error:[/] {escape(str(error))}", highlight=False)
        return 2
    with console.status("taking the network apart"):
        ledger = measure(config, trained, data.test.images[: request.images])
    folder = config.folder
    findings = {"run": config.name, "images": request.images, **ledger.to_dict()}
    write_json(folder / "ledger.json", {**findings, **provenance("experiments.ledger")})
    draw_ledger(folder / "ledger.png", ledger)
    print(ledger)  # whole lines, however narrow the terminal is
    console.print(f"\nIn {folder}: ledger.json and ledger.png.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
