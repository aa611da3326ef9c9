"""The rows of the table of rotated MNIST, and the table made of their runs."""

import dataclasses
import json
import math
import statistics
from pathlib import Path
from typing import Any

from .evaluate import standard_error
from .page import table

_PUBLISHED_TEST = 50_000  # images behind every published error


@dataclasses.dataclass(frozen=True)
class Published:
    """A published error, in percent.

    Attributes:
      error: the mean over seeds.
      deviation: the standard deviation over seeds.
      seeds: how many.
    """

    error: float
    deviation: float
    seeds: int


@dataclasses.dataclass(frozen=True)
class Row:
    """One network and one way to train it.

    Attributes:
      name: of the row; its runs are NAME/seed0, NAME/seed1, ...
      page: of experiments/configs.
      title: what the table calls it.
      changes: arguments that change the page.
      seeds: how many runs.
      published: what to compare with.
    """

    name: str
    page: str
    title: str
    changes: tuple[str, ...] = ()
    seeds: int = 5
    published: Published | None = None

    def arguments(self, seed: int, out: Path) -> list[str]:
        """The arguments of `python -m experiments.train` that make one run of it."""
        return [*self._page(out), "--name", f"{self.name}/seed{seed}", "--seed", str(seed)]

    def together(self, seeds: int, out: Path) -> list[str]:
        """The arguments that make the first seeds of it in one vectorised computation."""
        return [*self._page(out), "--name", self.name, "--seeds", str(seeds)]

    def _page(self, out: Path) -> list[str]:
        return [self.page, *self.changes, "--out", str(out), "--no-curve", "--beside"]


_TURNED = ("--augment.rotate",)
_Z2, _RP, _P4 = Published(5.03, 0.20, 5), Published(3.21, 0.12, 5), Published(2.28, 0.04, 5)
ROWS = (
    Row("z2cnn", "z2cnn", "Z2CNN", published=_Z2),
    Row("z2cnn_published", "z2cnn_published", "Z2CNN, published schedule", published=_Z2),
    Row("p4cnn_rp", "p4cnn_rp", "P4CNN, rotation pooling", published=_RP),
    Row("p4cnn", "p4cnn", "P4CNN", published=_P4),
    Row("z2cnn_turned", "z2cnn", "Z2CNN, turned", _TURNED, published=_Z2),
    Row("p4cnn_rp_turned", "p4cnn_rp", "P4CNN, rotation pooling, turned", _TURNED, published=_RP),
    Row("p4cnn_turned", "p4cnn", "P4CNN, turned", _TURNED, published=_P4),
    Row("digit_resnet", "digit_resnet", "DigitResNet, turned and stretched"),
)  # fmt: skip


def gather(row: Row, summaries: list[dict[str, Any]]) -> dict[str, Any]:
    """What the runs of a row say together.

    With means m and n runs of standard deviation s here, and p, k, σ published, the difference in
    standard errors is (m - p) / √(s²/n + σ²/k + e(m)² + e(p)²), e being the sampling error of a
    test set: the images that the two were tested on are not the same.

    Args:
      row: the row.
      summaries: summary.json of each of its finished runs, one or more.
    """
    errors = [s["test_error_percent"] for s in summaries]
    mean, n = statistics.fmean(errors), len(errors)
    deviation = statistics.stdev(errors) if n > 1 else None
    first = summaries[0]
    kept = ("test_error_percent", "test_error_percent_over_turns", "training_seconds", "command",
            "commit", "uncommitted_changes", "versions", "device", "cores")  # fmt: skip
    found: dict[str, Any] = {
        "title": row.title,
        "config": {k: v for k, v in first["config"].items() if k != "seed"},
        "data": first["data"],
        "test_images": first["test_images"],
        "parameters": first["parameters"],
        "macs": first["macs"],
        "mean": mean,
        "deviation": deviation,
        "sampling_error": standard_error(mean, first["test_images"]),
        "seconds": min(s["training_seconds"] for s in summaries),
        "equivariance": {
            kind: max(s["equivariance"][kind]["error"] for s in summaries)
            for kind in first["equivariance"]
            if all(kind in s["equivariance"] for s in summaries)
        },
        "runs": [
            {"seed": s["config"]["seed"], **{k: s[k] for k in kept if k in s}} for s in summaries
        ],
    }
    if "test_error_percent_over_turns" in first:
        found["turns"] = first["turns"]
        found["mean_over_turns"] = statistics.fmean(
            s["test_error_percent_over_turns"] for s in summaries
        )
    if row.published is not None:
        found["published"] = dataclasses.asdict(row.published)
        if deviation is not None:
            found["standard_errors_from_published"] = _difference(
                mean, deviation, n, first["test_images"], row.published
            )
    return found


def kept(folder: Path) -> dict[str, dict[str, Any]]:
    """The rows of the recorded runs: FOLDER/ROW/seedN.json, of as many seeds as there are."""
    found = {}
    for row in ROWS:
        paths = sorted((folder / row.name).glob("seed*.json"))
        if paths:
            found[row.name] = gather(row, [json.loads(path.read_text()) for path in paths])
    return found


def precision_table(rows: dict[str, dict[str, Any]]) -> str:
    """The largest equivariance error of the seeds of each row, in all precisions of the first."""
    chosen = [rows[row.name] for row in ROWS if row.name in rows]
    kinds = list(chosen[0]["equivariance"])
    lines = (
        [found["title"], *(f"{found['equivariance'][kind]:.1e}" for kind in kinds)]
        for found in chosen
    )
    return table(["network", *kinds], lines)


def _difference(mean: float, deviation: float, n: int, images: int, other: Published) -> float:
    variance = (
        deviation**2 / n
        + other.deviation**2 / other.seeds
        + standard_error(mean, images) ** 2
        + standard_error(other.error, _PUBLISHED_TEST) ** 2
    )
    return (mean - other.error) / math.sqrt(variance)


def markdown(rows: dict[str, dict[str, Any]]) -> str:
    """The table of all gathered rows, by their names, in the order of ROWS."""
    header = ["network", "test error", "seeds", "published", "difference in standard errors",
              "parameters", "MACs", "epochs", "seconds a seed (cores)", "first seed"]  # fmt: skip
    lines = []
    for row in ROWS:
        if row.name not in rows:
            continue
        found = rows[row.name]
        published = found.get("published")
        difference = found.get("standard_errors_from_published")
        fastest = min(found["runs"], key=lambda run: run["training_seconds"])
        lines.append([
            row.title,
            f"{found['mean']:.2f} %" + _spread(found["deviation"]),
            str(len(found["runs"])),
            f"{published['error']:.2f} ± {published['deviation']:.2f} %" if published else "",
            f"{difference:+.1f}" if difference is not None else "",
            str(found["parameters"]),
            f"{found['macs'] / 1e6:.2f} M",
            str(found["config"]["epochs"]),
            f"{fastest['training_seconds']:.0f} ({fastest['cores']})",
            f"`{found['runs'][0]['command']}`",
        ])  # fmt: skip
    return table(header, lines)


def _spread(deviation: float | None) -> str:
    return f" ± {deviation:.2f}" if deviation is not None else ""
