"""Comparing runs: finished, killed and recorded ones, made up here."""

import json
import math
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

from experiments.compare import comparisons, differences, main, results
from experiments.durable.records import write_json
from experiments.durable.runs import names, read_run

CONFIG = {"symmetry": "p4", "epochs": 4, "seed": 0, "augment": {"rotate": False, "shift": 0.0}}
ROOT = Path(__file__).parents[1]


def made(folder: Path, name: str, epochs: int, error: float | None = None, **config) -> Path:
    """A run of 10 steps an epoch whose loss is 2^-epoch, finished if it has a test error."""
    path = folder / name
    asked = {**CONFIG, **config}
    stage = {"program_sha256": "a" * 64, "jax": "0.12", "device": "cpu: cpu"}
    write_json(path / "config.json", {**asked, "parameters": 7, "made_with": [{}, stage]})
    rows = [
        {"step": 10 * e, "epoch": float(e), "loss": 2.0**-e, "train_error_percent": 40.0 / e,
         "valid_error_percent": 50.0 / e, "seconds": 3.0}
        for e in range(1, epochs + 1)
    ]  # fmt: skip
    (path / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    if error is not None:
        summary = {
            "name": name, "status": "finished", "steps": 10 * epochs, "parameters": 7,
            "training_seconds": 3.0 * epochs, "last": rows[-1], "config": asked, "commit": "c0ffee",
            "versions": {"jax": "0.12"}, "device": "cpu: cpu", "data": "made",
            "test_images": 1000, "test_error_percent": error, "test_error_standard_error": 0.3,
            "equivariance": {"float32": {"error": 1e-7}, "float64": {"error": 2e-16}},
        }  # fmt: skip
        write_json(path / "summary.json", summary)
    return path


@pytest.fixture
def three(tmp_path) -> list[Path]:
    """A finished run, a recorded one, and one that was killed in the middle of a line."""
    finished = made(tmp_path, "finished", 4, 5.0)
    recorded = tmp_path / "recorded.json"
    other = made(tmp_path, "other", 4, 6.0, seed=1)
    recorded.write_text((other / "summary.json").read_text())
    killed = made(tmp_path, "killed", 2, augment={"rotate": True, "shift": 0.0})
    with (killed / "metrics.jsonl").open("a") as file:
        file.write('{"step": 25, "lo')
    return [finished, recorded, killed]


def read(paths: list[Path]) -> list:
    return [read_run(path, name) for path, name in zip(paths, names(paths))]


def test_differences_are_all_that_differs_and_nothing_else(three):
    assert differences(read(three)) == [
        ("seed", ["0", "1", "0"]),
        ("augment.rotate", ["False", "False", "True"]),
    ]
    assert differences(read(three[:1] * 2)) == []


def test_results_are_compared_as_far_as_every_run_came(three):
    found = dict(results(read(three)))
    assert found["status"] == ["finished", "finished", "unfinished"]
    assert found["steps"] == ["40", "40", "20"]
    assert found["epochs"] == ["4", "4", "2 of 4"]
    assert found["training loss"] == ["0.0625", "0.0625", "0.2500"]
    assert found["training loss at epoch 2"] == ["0.2500", "–", "0.2500"]  # a recorded run: its end
    assert found["validation error"] == ["12.50 %", "12.50 %", "25.00 %"]
    assert found["validation error at epoch 2"] == ["25.00 %", "–", "25.00 %"]
    assert found["test error"] == ["5.00 ± 0.30 %", "6.00 ± 0.30 %", "–"]
    assert found["parameters"] == ["7"] * 3
    assert found["seconds of training"] == ["12", "12", "6"]
    assert found["equivariance error, float32"] == ["1.0e-07", "1.0e-07", "–"]
    assert "test error over turns" not in found  # nobody measured it
    assert not any("at epoch" in name for name, _ in results(read(three[:2])))


def test_an_interrupted_run_that_went_on_is_unfinished(tmp_path):
    path = made(tmp_path, "a", 3)
    write_json(path / "summary.json", {"status": "interrupted", "steps": 30, "config": CONFIG})
    assert read_run(path, "a").status == "interrupted"
    write_json(path / "summary.json", {"status": "interrupted", "steps": 20, "config": CONFIG})
    assert read_run(path, "a").status == "unfinished"


def test_test_errors_are_told_in_standard_errors(three):
    (line,) = comparisons(read(three))
    d, s = 1.0, math.hypot(0.3, 0.3)
    assert f"recorded errs by +{d:.2f} ± {s:.2f} % against finished" in line
    assert f"{d / s:.1f} standard errors, unpaired, of 1000 test images" in line
    summary = json.loads(three[1].read_text())
    write_json(three[1], {**summary, "test_images": 999})
    (line,) = comparisons(read(three))
    assert line == "recorded and finished were not tested on the same images."


def test_names_are_as_short_as_they_can_be():
    assert names([Path("runs/a"), Path("results/b.json")]) == ["a", "b"]
    assert names([Path("x/a"), Path("y/a")]) == ["x/a", "y/a"]
    assert names([Path("v0.5/a"), Path("v0.6/a")]) == ["v0.5/a", "v0.6/a"]


def test_the_command_prints_and_writes(three, tmp_path, capsys):
    out = tmp_path / "out"
    assert main([*map(str, three), "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    page = (out / "comparison.md").read_text()
    for text in ("augment.rotate", "2 of 4", "5.00 ± 0.30 %", "errs by +1.00"):
        assert text in printed and text in page
    assert "| test error | 5.00 ± 0.30 % | 6.00 ± 0.30 % | – |" in page
    assert "](comparison.png)" in page
    pixels = plt.imread(out / "comparison.png")
    assert pixels.shape[1] > 1000 and pixels.std() > 0.05


def test_runs_that_have_only_begun_are_drawn(tmp_path, capsys):
    paths = [made(tmp_path, name, 0) for name in ("a", "b")]
    assert main([*map(str, paths), "--out", str(tmp_path)]) == 0
    assert "0 of 4" in capsys.readouterr().out


def test_the_recorded_results_can_be_compared(capsys):
    assert main([str(ROOT / "results" / f"{name}.json") for name in ("p4cnn", "z2cnn")]) == 0
    assert "z2cnn errs by +" in capsys.readouterr().out


def test_a_killed_run_alone_is_drawn_as_far_as_it_came(three, tmp_path):
    assert main([str(three[2]), "--out", str(tmp_path / "out")]) == 0
    assert "| epochs | 2 of 4 |" in (tmp_path / "out" / "comparison.md").read_text()
    assert (tmp_path / "out" / "comparison.png").exists()


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("nothing", "is not the folder of a run: it has no config.json"),
        ("study.json", "is not a run of experiments.train"),
        ("absent.json", "is not a run of experiments.train"),
        ("broken.json", "is not JSON"),
        ("finished", "Give the runs to compare, one or more, each once"),
    ],
)
def test_what_is_no_run_is_refused(three, tmp_path, capsys, what, message):
    (tmp_path / "nothing").mkdir()
    write_json(tmp_path / "study.json", {"name": "shift", "findings": {}, "config": {}})
    (tmp_path / "broken.json").write_text("{")
    assert main([str(three[0]), str(tmp_path / what)]) == 2
    assert message in " ".join(capsys.readouterr().out.split())
