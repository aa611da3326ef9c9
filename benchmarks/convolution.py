"""Our layers, blocks and training steps against plain ones of equal width, side by side.

    python -m benchmarks.convolution                  # all cases: some twenty minutes
    python -m benchmarks.convolution --processes 3    # medians over three processes: forty
    python -m benchmarks.convolution --quick          # a few small ones: about a minute
    python -m benchmarks.convolution --only "p4m layer, 64"
    python -m benchmarks.convolution --large --precision float32    # for a GPU, and without TF32

On the device it finds: forward, and forward and backward; medians and quartiles of interleaved
repetitions; the compiler's account of the memory, and its time. No two cases share a process.
It writes runs/convolution/page.md with a figure, and summary.json, for
`python -m experiments.results runs/convolution` to record.

With `--escnn PYTHON`, escnn and PyTorch are timed, too, by an interpreter of their own. escnn
1.0.11 needs numpy below 2, which no environment of ours can have, and a Fortran compiler for what
it is built on; these commands were run with Python 3.11 and torch 2.13.0:

    apt-get install gfortran
    python3.11 -m venv escnn-env
    escnn-env/bin/python -m pip install torch 'numpy<2' escnn
    python -m benchmarks.convolution --escnn escnn-env/bin/python
"""

import dataclasses
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import tyro
from rich.console import Console
from rich.markup import escape

from experiments.page import write_page

from . import cases as rows
from .cases import Case
from .convolution_figure import draw, panels
from .convolution_page import parts
from .measure import Effort, measure_apart

ROOT = Path(__file__).parents[1]


@dataclasses.dataclass(frozen=True)
class Options(Effort):
    """What to measure, and how often.

    Attributes:
      quick: a few small cases instead of all.
      large: cases for a device that does many things at once, in place of those for a CPU.
      only: those cases whose name begins so.
      escnn: the Python of an environment with PyTorch and escnn.
      out: the folder to write.
    """

    quick: bool = False
    large: bool = False
    only: str = ""
    escnn: Path | None = None
    out: Path = Path("runs/convolution")


def chosen_cases(options: Options) -> tuple[Case, ...]:
    """The cases to measure.

    Raises:
      ValueError: there are none, or none for escnn, or too few repetitions or processes; or two
        sets of cases.
    """
    if options.repetitions < 2:
        raise ValueError(f"A spread needs --repetitions 2 or more, got {options.repetitions}.")
    if options.processes < 1:
        raise ValueError(f"--processes must be 1 or more, got {options.processes}.")
    if options.quick and options.large:
        raise ValueError("--quick has a few small cases, and --large others; choose one of them.")
    cases = rows.QUICK if options.quick else rows.LARGE if options.large else rows.CASES
    if options.precision == "bfloat16":
        cases = tuple(c for c in cases if c.kind not in ("training step", "inference"))
    found = tuple(case for case in cases if case.name.startswith(options.only))
    if not found:
        names = "\n  ".join(case.name for case in cases)
        raise ValueError(f"No case begins with {options.only!r}. There are\n  {names}")
    if options.escnn and not rows.for_escnn(found):
        raise ValueError(
            "escnn is timed for layers under p4m of 3 x 3, up to 64 fields, and none of these is "
            "among the cases; leave out --escnn, or ask for more with --only."
        )
    return found


def ask_escnn(python: Path, code: list[str]) -> str:
    """What the other interpreter prints.

    Raises:
      ValueError: it cannot do that, with its own words.
    """
    try:
        done = subprocess.run([python.absolute(), *code], capture_output=True, text=True, cwd=ROOT)
    except OSError as error:
        raise ValueError(f"--escnn {python} cannot be started: {error.strerror}.") from error
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise ValueError(
            f"--escnn {python} failed: {last}. It needs PyTorch and escnn; "
            f"`python -m benchmarks.convolution --help` says how to set it up."
        )
    return done.stdout


def measure_escnn(cases: tuple[Case, ...], options: Options, python: Path) -> dict[str, Any]:
    """The layers that escnn has, too, in an interpreter of its own.

    Raises:
      ValueError: it failed.
    """
    keys = ("fields", "kernel", "side", "batch")
    asked = {
        "cases": [{k: getattr(case, k) for k in keys} for case in rows.for_escnn(cases)],
        "repetitions": options.repetitions,
        "budget": options.seconds,
    }
    answer = ask_escnn(python, ["-m", "benchmarks.escnn_layers", json.dumps(asked)])
    return json.loads(answer.splitlines()[-1])


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit status."""
    console = Console()
    options = tyro.cli(Options, args=arguments, prog="benchmarks.convolution", description=__doc__)
    started = time.monotonic()
    try:
        cases = chosen_cases(options)
        if options.escnn:  # told before the first case, and not after the last
            ask_escnn(options.escnn, ["-c", "import torch, escnn"])
        findings: dict[str, Any] = {"cases": {}}
        for number, case in enumerate(cases, 1):
            begun = time.monotonic()
            findings["cases"][case.name] = measure_apart(case, options)
            console.print(
                f"{number}/{len(cases)} {case.name}: {time.monotonic() - begun:.0f} s",
                highlight=False,
            )
        if options.escnn:
            findings["escnn"] = measure_escnn(cases, options, options.escnn)
    except KeyboardInterrupt:
        console.print("\nStopped; nothing was written.")
        return 130
    except ValueError as error:
        console.print(f"[bold red]error:[/] {escape(str(error))}", highlight=False)
        return 2
    if panels(findings["cases"]):
        draw(options.out / "ratio.png", findings["cases"])
    settings = {k: str(v) for k, v in dataclasses.asdict(options).items() if k != "out"}
    title = "Speed: our layers against plain ones of equal width"
    seconds = time.monotonic() - started
    page = parts(findings)
    name = "convolution" if options.precision == "default" else f"convolution_{options.precision}"
    write_page(
        options.out, "benchmarks.convolution", title, page, findings, settings, seconds, name=name
    )
    for part in page:
        console.print(part, highlight=False, markup=False)
    console.print(f"The page is {options.out / 'page.md'}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
