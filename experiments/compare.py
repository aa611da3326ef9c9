"""Compare runs: what they were asked for, how far they came and what they reached.

    python -m experiments.compare runs/p4cnn runs/z2cnn
    python -m experiments.compare runs/p4cnn results/z2cnn.json --out runs/comparison

A run is its folder, or the summary of a recorded one. It may be unfinished, killed, or at work just
now: it is compared as far as it came. Prints what differs, as a table; with --out FOLDER, writes
it to comparison.md there, with a figure of the learning curves and of the errors at the end.
"""

import dataclasses
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tyro
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from .drawing.compare_figure import draw_comparison
from .durable.records import replace_file
from .durable.runs import Run, names, read_run
from .page import figure, table

_NONE = "–"
_Rows = list[tuple[str, list[str]]]


def differences(runs: Sequence[Run]) -> _Rows:
    """The settings, versions and devices that are not the same for all: name, and one cell each."""
    keys = {key: None for run in runs for key in run.config}
    found = []
    for key in keys:
        values = [run.config.get(key) for run in runs]
        hidden = key.endswith("sha256") and None in values  # a summary does not hold these
        if not hidden and any(value != values[0] for value in values):
            length = 8 if key.endswith("sha256") else 24
            found.append((key, [_NONE if v is None else str(v)[:length] for v in values]))
    return found


def results(runs: Sequence[Run]) -> _Rows:
    """What every run reached: name, and one cell each."""

    def each(name: str, cell: Any) -> tuple[str, list[str]]:
        return name, [_NONE if (text := cell(run)) is None else text for run in runs]

    def from_summary(key: str, form: str) -> Any:
        return lambda run: None if run.summary.get(key) is None else form.format(run.summary[key])

    def at(epoch: float, key: str, form: str) -> Any:
        def cell(run: Run) -> str | None:
            values = [r[key] for r in run.rows if key in r and r["epoch"] <= epoch + 1e-6]
            return form.format(values[-1]) if values else None

        return cell

    found = [
        each("status", lambda run: run.status),
        each("steps", lambda run: str(run.last.get("step", 0))),
        each("epochs", lambda run: _epochs(run)),
    ]
    common = min(run.last.get("epoch", 0) for run in runs)
    ends = [("", math.inf)]
    if any(run.last.get("epoch") != common for run in runs) and common:
        ends.append((f" at epoch {common:g}", common))
    for where, epoch in ends:
        found += [
            each(f"training loss{where}", at(epoch, "loss", "{:.4f}")),
            each(f"training error{where}", at(epoch, "train_error_percent", "{:.2f} %")),
            each(f"validation error{where}", at(epoch, "valid_error_percent", "{:.2f} %")),
        ]
    found += [
        each("test error", _test_error),
        each("test error over turns", from_summary("test_error_percent_over_turns", "{:.2f} %")),
        each("test images", from_summary("test_images", "{}")),
        each("parameters", from_summary("parameters", "{}")),
        each("multiplications per image", from_summary("macs", "{}")),
        each("seconds of training", lambda run: _seconds(run)),
        each("equivariance error, float32", lambda run: _equivariance(run, "float32")),
        each("equivariance error, float64", lambda run: _equivariance(run, "float64")),
        each("commit", lambda run: (run.summary.get("commit") or "")[:12] or None),
    ]
    return [(name, cells) for name, cells in found if set(cells) != {_NONE}]


def comparisons(runs: Sequence[Run]) -> list[str]:
    """The test error of each run against that of the first, in standard errors.

    The standard error of d = p₁ - p₂ is sqrt(s₁² + s₂²), that of two samples. Where both runs were
    tested on the same images, mistakes that they share make the true one smaller.
    """
    lines = []
    tested = [run for run in runs if "test_error_percent" in run.summary]
    for run in tested[1:]:
        first, other = tested[0].summary, run.summary
        if any(first[key] != other[key] for key in ("data", "test_images")):
            lines.append(f"{run.name} and {tested[0].name} were not tested on the same images.")
            continue
        d = other["test_error_percent"] - first["test_error_percent"]
        s = math.hypot(*(each["test_error_standard_error"] for each in (first, other)))
        times = f"{abs(d) / s:.1f}" if s else "no number of"
        lines.append(
            f"{run.name} errs by {d:+.2f} ± {s:.2f} % against {tested[0].name}: {times} standard "
            f"errors, unpaired, of {other['test_images']} test images; seeds not counted."
        )
    return lines


def _test_error(run: Run) -> str | None:
    if "test_error_percent" not in run.summary:
        return None
    error, s = (run.summary[f"test_error_{what}"] for what in ("percent", "standard_error"))
    return f"{error:.2f} ± {s:.2f} %"


def _epochs(run: Run) -> str:
    done, asked = run.last.get("epoch", 0), run.config.get("epochs")
    return f"{done:g}" if run.status == "finished" else f"{done:.3g} of {asked}"


def _seconds(run: Run) -> str:
    known = sum(row["seconds"] for row in run.rows)
    return f"{run.summary.get('training_seconds', 0) if run.status == 'finished' else known:.0f}"


def _equivariance(run: Run, dtype: str) -> str | None:
    verdict = run.summary.get("equivariance", {}).get(dtype)
    return verdict and f"{verdict['error']:.1e}"


@dataclasses.dataclass(frozen=True)
class Comparison:
    """What to compare.

    Attributes:
      runs: folders of runs, and summaries of recorded ones; the first is what the others are
        compared with.
      out: a folder for comparison.md and comparison.png.
    """

    runs: tyro.conf.Positional[tuple[Path, ...]]
    out: Path | None = None


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit status."""
    console = Console()
    asked = tyro.cli(Comparison, args=arguments, prog="experiments.compare")
    try:
        if len(set(asked.runs)) < max(1, len(asked.runs)):
            raise ValueError("Give the runs to compare, one or more, each once.")
        runs = [read_run(path, name) for path, name in zip(asked.runs, names(asked.runs))]
        write(runs, asked.out, console)
    except (ValueError, OSError) as error:
        console.print(f"[bold red]error:[/] {escape(str(error))}", highlight=False)
        return 2
    return 0


def write(runs: Sequence[Run], out: Path | None, console: Console) -> None:
    """Print the comparison, and write it to a folder if there is one."""
    parts = {"What differs in what was asked for": differences(runs), "Results": results(runs)}
    text = ["# Runs compared\n"]
    for title, lines in parts.items():
        printed = Table("", *(escape(run.name) for run in runs), title=title)
        for name, cells in lines:
            printed.add_row(name, *map(escape, cells))
        console.print(printed if lines else f"{title}: nothing.")
        header = ["", *(run.name for run in runs)]
        body = table(header, [(name, *cells) for name, cells in lines])
        text += [f"## {title}\n", body if lines else "Nothing.\n"]
    for line in comparisons(runs):
        console.print(line, highlight=False, markup=False)
        text.append(f"{line}\n")
    if out is not None:
        draw_comparison(out / "comparison.png", runs)
        caption = "Learning curves, and the errors at the end with their standard errors"
        text.append(figure("comparison.png", caption))
        page = "\n".join(text)
        replace_file(out / "comparison.md", lambda partial: partial.write_text(page))
        console.print(f"The page is {out / 'comparison.md'}.", highlight=False, markup=False)


if __name__ == "__main__":
    sys.exit(main())
