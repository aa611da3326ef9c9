"""Make the table of rotated MNIST again: every network, every seed, tested once at the last epoch.

    python -m experiments.reproduce                          # all of it: hours on two cores
    python -m experiments.reproduce --rows p4cnn --seeds 1   # one seed of one row: minutes
    python -m experiments.reproduce --together               # all seeds of a row at once
    python -m experiments.reproduce --workers 2              # two at a time, each on its cores
    python -m experiments.reproduce --recorded               # only what results/ does not hold yet

Each run is a command of its own, which can be given alone, and goes on where it was killed; what is
finished is not trained again. Writes `runs/table/page.md` and its figure of what is there. Several
at a time share a GPU, and so that it is not the disk that they wait for, `--save-every` has more
steps there.
"""

import dataclasses
import json
import os
import queue
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jax
import tyro
from rich.console import Console
from rich.markup import escape

from .drawing.table_figure import draw
from .page import figure, write_page
from .results import RESULTS, of_device
from .table import ROWS, Row, gather, markdown

_TEXT = """
Test error on {images} test images at the last epoch, mean ± standard deviation over the seeds;
nothing was selected on the test set. Data: {data}. All rows are trained on all 12 000 images, by
Adam on a cosine from 4e-3, but for the published schedule, a constant 1e-3; *turned* means that
every image is turned by an angle of its own, uniform on the circle, each time that it is used. The
difference from the published mean is in standard errors of that difference: the spread of both over
their seeds, and the sampling error of both test sets, which are not the same images if the data are
generated. Seconds are those of training the fastest seed on {device}, beside how many cores it had.
"""
_PUBLISHED = """
Published: Cohen & Welling 2016, table 1; 100 epochs (Z2CNN: 300, with dropout) of Adam at a
constant 1e-3. Their published code turns the training images by ± 3° (it gives radians to a
function that takes degrees), so that rows without turning are the ones to compare.
"""
_TURNS = """
Not in the table, since it takes {turns} times the work: the mean of the probabilities over turns of
each image by multiples of {angle:g}° has a test error of {error:.2f} % ({title}).
"""


@dataclasses.dataclass(frozen=True)
class Reproduce:
    """What to make again.

    Attributes:
      rows: by name; all of them if not given.
      seeds: at most so many seeds of each row.
      together: train the seeds of a row as one vectorised computation. The guide on scale shows
        when that is faster; on a CPU it is not.
      workers: trainings at a time, each on its share of the cores.
      recorded: only those that `results/` does not hold yet, of this kind of device.
      save_every: the checkpoint interval of a run, in steps, if not that of its page.
      out: the folder that holds the folder of the table.
    """

    rows: tuple[str, ...] = tuple(row.name for row in ROWS)
    seeds: int = 5
    together: bool = False
    workers: int = 1
    recorded: bool = False
    save_every: int | None = None
    out: Path = Path("runs")

    def __post_init__(self) -> None:
        """Refuse what there is not."""
        known = [row.name for row in ROWS]
        unknown = sorted(set(self.rows) - set(known))
        if unknown:
            raise ValueError(f"No row {', '.join(unknown)}; there are {', '.join(known)}.")
        for what in ("seeds", "save_every"):
            if (given := getattr(self, what)) is not None and given < 1:
                raise ValueError(f"{what} must be 1 or more, got {given}.")
        cores = len(os.sched_getaffinity(0))
        if not 1 <= self.workers <= cores:
            raise ValueError(
                f"workers must be between 1 and {cores}, the cores there are, got {self.workers}."
            )

    @property
    def folder(self) -> Path:
        """Of the table and of all its runs."""
        return self.out / "table"


def finished(row: Row, options: Reproduce) -> list[dict[str, Any]]:
    """The summaries of the runs of a row that came to their end, seed by seed."""
    found = []
    for seed in range(row.seeds):
        paths = [options.folder / row.name / f"seed{seed}" / "summary.json"]
        if options.recorded:
            kept = of_device(RESULTS, jax.default_backend()) / "reproduce"
            paths.append(kept / row.name / f"seed{seed}.json")
        summaries = [json.loads(path.read_text()) for path in paths if path.exists()]
        found += [s for s in summaries if s["status"] == "finished"][:1]
    return found


def write(options: Reproduce, seconds: float) -> dict[str, dict[str, Any]]:
    """Write the page of all runs that are finished; returns its rows."""
    rows = {}
    for row in ROWS:
        summaries = finished(row, options)
        if summaries:
            rows[row.name] = gather(row, summaries)
    if not rows:
        return rows
    draw(options.folder / "table.png", rows)
    some = next(iter(rows.values()))
    first = some["runs"][0]
    over_turns = [
        _TURNS.format(turns=r["turns"], angle=90 / r["turns"],
                      error=r["mean_over_turns"], title=r["title"])
        for r in rows.values() if "mean_over_turns" in r
    ]  # fmt: skip
    write_page(
        options.folder,
        "experiments.reproduce",
        "Rotated MNIST",
        [
            _TEXT.format(
                images=some["test_images"],
                data=some["data"],
                device=first["device"],
            ),
            markdown(rows),
            *over_turns,
            figure("table.png", "Each seed, its mean, and what was published"),
            _PUBLISHED,
        ],
        {"rows": rows},
        {"rows": list(rows)},
        seconds,
    )
    return rows


def commands(options: Reproduce) -> Iterator[list[str]]:
    """The trainings that are left to do, told as each of them is due."""
    chosen = [row for row in ROWS if row.name in options.rows]
    more = [] if options.save_every is None else ["--save-every", str(options.save_every)]
    if options.together:
        for row in chosen:
            seeds = min(options.seeds, row.seeds)
            if len(finished(row, options)) < seeds:
                yield [*row.together(seeds, options.folder), *more]
        return
    for seed in range(options.seeds):  # a seed of every row first, so that there is a table early
        for row in chosen:
            done = {s["config"]["seed"] for s in finished(row, options)}
            if seed < row.seeds and seed not in done:
                yield [*row.arguments(seed, options.folder), *more]


def run(arguments: list[str], cores: Sequence[int] | None = None) -> int:
    """One training, in a process of its own; its exit status.

    Args:
      arguments: of `experiments.train`.
      cores: that it may use, if it shares them; it then writes what it says to log.txt.
    """
    command = [*_TRAINING, *arguments]
    if cores is None:
        return subprocess.run(command).returncode
    folder = Path(*(arguments[arguments.index(f"--{k}") + 1] for k in ("out", "name")))
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "log.txt").open("a") as log:
        return subprocess.run(
            [sys.executable, "-c", _ON_CORES, ",".join(map(str, cores)), *command],
            stdout=log,
            stderr=subprocess.STDOUT,
        ).returncode


_TRAINING = [sys.executable, "-m", "experiments.train"]
_ON_CORES = """
import os, sys
os.sched_setaffinity(0, map(int, sys.argv[1].split(",")))
os.execv(sys.argv[2], sys.argv[2:])
"""


def run_all(options: Reproduce, console: Console) -> Iterator[int]:
    """Do all trainings; yields the exit status of each as it ends, until one fails."""
    if options.workers == 1:
        yield from map(run, commands(options))
        return
    share = sorted(os.sched_getaffinity(0))
    free: queue.Queue[list[int]] = queue.Queue()
    for worker in range(options.workers):
        free.put(share[worker :: options.workers])
    failed = False

    def next_run(arguments: list[str]) -> int:
        nonlocal failed
        if failed:
            return 0
        cores = free.get()
        name = arguments[arguments.index("--name") + 1]
        console.print(f"{name} on cores {cores}", highlight=False)
        try:
            status = run(arguments, cores)
        finally:
            free.put(cores)
        failed = failed or status != 0
        return status

    with ThreadPoolExecutor(options.workers) as pool:
        yield from pool.map(next_run, list(commands(options)))


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit status of the first run that fails."""
    console = Console()
    try:
        options = tyro.cli(Reproduce, args=arguments, prog="experiments.reproduce")
    except ValueError as error:
        console.print(f"[bold red]error:[/] {escape(str(error))}", highlight=False)
        return 2
    # a process takes most of a GPU's memory at its start, and this is not the only one
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    clock = time.monotonic()
    for status in run_all(options, console):
        if status:
            return status
        write(options, time.monotonic() - clock)
    rows = write(options, time.monotonic() - clock)
    for name, found in rows.items():
        spread = "" if found["deviation"] is None else f" ± {found['deviation']:.2f}"
        console.print(f"{name}: {found['mean']:.2f}{spread} % ({len(found['runs'])} seeds)")
    console.print(f"{options.folder / 'page.md'} holds the table.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
