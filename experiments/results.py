"""Record finished runs under results/, and write the table of all recorded ones into README.md.

python -m experiments.results runs/p4cnn/summary.json ...
python -m experiments.results runs/shift                    # a study: its page and its figures
python -m experiments.results                               # only the table
"""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

from .records import replace_file, write_json

ROOT = Path(__file__).parents[1]
RESULTS, README = ROOT / "results", ROOT / "README.md"
_BEGIN, _END = "<!-- results: begin -->\n", "<!-- results: end -->\n"


def record(path: Path, results: Path = RESULTS) -> None:
    """Copy the summary of a finished run to results/NAME.json.

    Raises:
      ValueError: the run did not come to its end, or its code was not committed, so that nobody
        could make the result again.
    """
    summary = _reproducible(path)
    write_json(results / f"{summary['name']}.json", summary)


def record_study(folder: Path, results: Path = RESULTS) -> None:
    """Copy the page of a study, its summary and its figures to results/NAME/.

    Raises:
      ValueError: as for `record`.
    """
    summary = _reproducible(folder / "summary.json")
    target = results / summary["name"]
    partial = target.with_name(f".{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    for path in [folder / "page.md", folder / "summary.json", *sorted(folder.glob("*.png"))]:
        shutil.copy(path, partial)
    shutil.rmtree(target, ignore_errors=True)
    partial.rename(target)


def _reproducible(path: Path) -> dict[str, Any]:
    summary = json.loads(path.read_text())
    if summary["status"] != "finished":
        raise ValueError(f"{path} is of a run that was {summary['status']}; bring it to its end.")
    if summary["uncommitted_changes"] or not summary["commit"]:
        raise ValueError(f"{path} was made by code that is not committed: commit, and run again.")
    return summary


def table(summaries: list[dict[str, Any]]) -> str:
    """The recorded runs as a Markdown table, the lowest error first."""
    lines = [
        "| run | trained on | test error | parameters | epochs | s per epoch | equivariance "
        "error under p4, float32 / float64 | command |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for s in sorted(summaries, key=lambda s: s["test_error_percent"]):
        errors = " / ".join(f"{s['equivariance'][t]['error']:.1e}" for t in ("float32", "float64"))
        lines.append(
            f"| {s['name']} | {s['config']['digits']} | {s['test_error_percent']:.2f} ± "
            f"{s['test_error_standard_error']:.2f} % | {s['parameters']} | {s['config']['epochs']} "
            f"| {s['seconds_per_epoch']:.1f} | {errors} | `{s['command']}` |"
        )
    return "\n".join(lines) + "\n"


def render(readme: str, summaries: list[dict[str, Any]]) -> str:
    """The README with the table of `summaries` between its two marks."""
    before, rest = readme.split(_BEGIN)
    _, after = rest.split(_END)
    return f"{before}{_BEGIN}{table(summaries)}{_END}{after}"


def recorded(results: Path = RESULTS) -> list[dict[str, Any]]:
    """All recorded summaries."""
    return [json.loads(path.read_text()) for path in sorted(results.glob("*.json"))]


def main(arguments: list[str]) -> None:
    """The command line."""
    for path in map(Path, arguments):
        (record_study if path.is_dir() else record)(path)
    text = render(README.read_text(), recorded())
    replace_file(README, lambda partial: partial.write_text(text))


if __name__ == "__main__":
    main(sys.argv[1:])
