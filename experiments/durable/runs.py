"""Runs that were made: what is known of each, finished or not."""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .records import Metrics


@dataclasses.dataclass(frozen=True)
class Run:
    """What is known of a run.

    Attributes:
      name: to tell it from the others.
      status: "finished", "interrupted" or "unfinished".
      config: what it was asked for, and what it was made with; flat.
      rows: of its metrics; the last one alone, if it is a recorded run.
      summary: of a finished run; what is known of another.
    """

    name: str
    status: str
    config: dict[str, Any]
    rows: list[dict[str, Any]]
    summary: dict[str, Any]

    @property
    def last(self) -> dict[str, Any]:
        """The last row, or an empty one."""
        return self.rows[-1] if self.rows else {}


def read_run(path: Path, name: str) -> Run:
    """The run in a folder, or the one that a summary is of.

    Raises:
      ValueError: there is no run of a network.
    """
    if path.name == "summary.json" and path.with_name("config.json").exists():
        path = path.parent
    if path.is_dir():
        if not (path / "config.json").exists():
            raise ValueError(f"{path} is not the folder of a run: it has no config.json.")
        config = json.loads((path / "config.json").read_text())
        made_with = config.pop("made_with", [{}])[-1]
        rows = Metrics.read(path / "metrics.jsonl")
        summary = _json(path / "summary.json") or {"parameters": config.get("parameters")}
    else:
        summary = _json(path)
        config, rows = summary.get("config", {}), [summary["last"]] if summary.get("last") else []
        made_with = {**summary.get("versions", {}), "device": summary.get("device")}
    if not summary or "findings" in summary or "symmetry" not in config:
        raise ValueError(
            f"{path} is not a run of experiments.train: give its folder, runs/NAME, or the summary "
            f"of a recorded one, results/NAME.json."
        )
    status = summary.get("status", "unfinished")
    if status == "interrupted" and rows and rows[-1]["step"] > summary["steps"]:
        status = "unfinished"  # it went on since
    config = _flat({k: v for k, v in config.items() if k != "parameters"})
    return Run(name, status, config | made_with, rows, summary)


def names(paths: Sequence[Path]) -> list[str]:
    """The shortest ends of the paths that tell them apart."""
    parts = [path.with_suffix("").parts if path.suffix else path.parts for path in paths]
    for count in range(1, max(map(len, parts)) + 1):
        short = ["/".join(part[-count:]) for part in parts]
        if len(set(short)) == len(short):
            break
    return short


def _json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text()) if path.exists() else {}
    except ValueError as error:
        raise ValueError(f"{path} is not JSON: {error}.") from error
    return value if isinstance(value, dict) else {}


def _flat(config: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in config.items():
        flat |= _flat(value, f"{key}.") if isinstance(value, dict) else {prefix + key: value}
    return flat
