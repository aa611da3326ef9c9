"""Record finished runs under results/, and write the tables of what is recorded where people read.

python -m experiments.results runs/p4cnn/summary.json ...
python -m experiments.results runs/shift runs/table         # a study: its page and its figures
python -m experiments.results                               # only the tables

The tables stand between marks in README.md, docs/results.md and docs/guide/blocks.md.
"""

import json
import shutil
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from .durable.records import replace_file, write_json
from .page import table
from .table import kept, markdown, precision_table

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "results"
PAGES = (ROOT / "README.md", ROOT / "docs" / "results.md", ROOT / "docs" / "guide" / "blocks.md")


def record(path: Path, results: Path = RESULTS) -> None:
    """Copy the summary of a finished run to results/NAME.json.

    That of a GPU to results/gpu/NAME.json: it does not take the place of a CPU's.

    Raises:
      ValueError: the run did not come to its end, or its code was not committed, so that nobody
        could make the result again.
    """
    summary = _reproducible(path)
    write_json(of_device(results, _platform(summary)) / f"{summary['name']}.json", summary)


def record_study(folder: Path, results: Path = RESULTS) -> None:
    """Copy the page of a study, its summary and its figures to results/NAME/ (see `record`).

    The summaries of the runs that a table is made of lie beside them, as ROW/seedN.json: with
    `experiments.reproduce --recorded` they count, so that the table can grow from day to day.

    Raises:
      ValueError: as for `record`, or a run is of another kind of device than the page.
    """
    summary = _reproducible(folder / "summary.json")
    ours = _platform(summary)
    target = of_device(results, ours) / summary["name"]
    runs = [*target.glob("*/seed*.json"), *folder.glob("*/seed*/summary.json")]
    for path in runs:
        its = _platform(_reproducible(path))
        if its != ours:
            raise ValueError(f"{path} is of a {its}, the table of a {ours}: give its own --out.")
    beside = target.with_name(f".{target.name}.partial")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    for path in [folder / "page.md", folder / "summary.json", *sorted(folder.glob("*.png"))]:
        shutil.copy(path, beside)
    for path in runs:
        own = path if path.parent.parent == target else path.parent.with_suffix(".json")
        to = beside / own.parent.name / own.name
        to.parent.mkdir(exist_ok=True)
        shutil.copy(path, to)
    shutil.rmtree(target, ignore_errors=True)
    beside.rename(target)


def of_device(results: Path, platform: str) -> Path:
    """Where the results of a kind of device lie: those of CPUs at the top."""
    return results if platform == "cpu" else results / platform


def _platform(summary: dict[str, Any]) -> str:
    """Of the device that did the work; a page can be written on another one."""
    devices = summary.get("findings", {}).get("devices", [summary["device"]])
    return devices[-1].partition(":")[0]


def _reproducible(path: Path) -> dict[str, Any]:
    summary = json.loads(path.read_text())
    if summary["status"] != "finished":
        raise ValueError(f"{path} is of a run that was {summary['status']}; bring it to its end.")
    if not all(run["commit"] and not run["uncommitted_changes"] for run in _runs(summary)):
        raise ValueError(f"{path} was made by code that is not committed: commit, and run again.")
    return summary


def _runs(value: Any) -> Iterator[dict[str, Any]]:
    """The summary itself, and the runs that it was made of."""
    if isinstance(value, dict):
        if "commit" in value:
            yield value
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from _runs(inner)


def runs_table(summaries: list[dict[str, Any]]) -> str:
    """The recorded single runs as a Markdown table, the lowest error first."""
    header = ["run", "trained on", "test error", "parameters", "epochs", "s per epoch",
              "equivariance error, float32 / float64", "device", "command"]  # fmt: skip
    lines = []
    for s in sorted(summaries, key=lambda s: s["test_error_percent"]):
        errors = " / ".join(f"{s['equivariance'][t]['error']:.1e}" for t in ("float32", "float64"))
        lines.append([
            s["name"],
            s["config"]["data"].replace("_", " "),
            f"{s['test_error_percent']:.2f} ± {s['test_error_standard_error']:.2f} %",
            str(s["parameters"]),
            str(s["config"]["epochs"]),
            f"{s['seconds_per_epoch']:.1f}",
            f"{errors} under {s['config']['symmetry']}",
            " and ".join(dict.fromkeys([*(k["device"] for k in s.get("stages", ())), s["device"]])),
            f"`{s['command']}`",
        ])  # fmt: skip
    return table(header, lines)


def convolution_table(cases: dict[str, dict[str, Any]]) -> str:
    """Recorded cases of `benchmarks.convolution`: how much faster ours is than the plain program.

    Args:
      cases: by name, as in the findings of the benchmark.
    """
    header = ["", "evaluation", "forward", "forward and backward"]
    lines = []
    for name, case in cases.items():
        programs = [case.get(mode, {}) for mode in ("forward", "training")]
        for way in (case.get("chosen", "ours"), "frozen"):
            ratios = [found[way]["ratio"][1] if way in found else None for found in programs]
            shown = ["" if ratio is None else f"{ratio:.2f}" for ratio in ratios]
            if any(shown):
                lines.append([name, way.replace("ours", ""), *shown])
    return table(header, lines)


def render(page: str, tables: dict[str, str]) -> str:
    """The page with each table between its marks, where it has them.

    Args:
      page: Markdown.
      tables: by name; a table stands between `<!-- NAME: begin -->` and `<!-- NAME: end -->`.
    """
    for name, text in tables.items():
        begin, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->\n"
        if begin in page:
            before, rest = page.split(begin)
            _, after = rest.split(end)
            page = f"{before}{begin}{text}{end}{after}"
    return page


def tables(results: Path = RESULTS) -> dict[str, str]:
    """All tables of what is recorded."""
    found = {"results": runs_table(recorded(results))}
    for platform in ("cpu", "gpu"):
        folder, mark = of_device(results, platform), "" if platform == "cpu" else f"{platform}_"
        rows = kept(folder / "reproduce")
        if rows:
            found[f"{mark}table"] = markdown(rows)
            found[f"{mark}precision"] = precision_table(rows)
        path = folder / "convolution" / "summary.json"
        if path.exists():
            cases = json.loads(path.read_text())["findings"]["cases"]
            found[f"{mark}convolution"] = convolution_table(cases)
    return found


def recorded(results: Path = RESULTS) -> list[dict[str, Any]]:
    """All recorded summaries, of every kind of device."""
    paths = [*sorted(results.glob("*.json")), *sorted(results.glob("gpu/*.json"))]
    return [json.loads(path.read_text()) for path in paths]


def _write(path: Path, text: str) -> None:
    path.write_text(text)


def main(arguments: list[str]) -> None:
    """The command line."""
    for path in map(Path, arguments):
        (record_study if path.is_dir() else record)(path)
    rendered = tables()
    for page in PAGES:
        replace_file(page, partial(_write, text=render(page.read_text(), rendered)))


if __name__ == "__main__":
    main(sys.argv[1:])
