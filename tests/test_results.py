"""The recorded results, and the table that is made of them."""

import json
import re

import pytest

from experiments import results
from experiments.durable.records import write_json
from experiments.results import (
    PAGES,
    convolution_table,
    record,
    record_study,
    recorded,
    render,
    runs_table,
    tables,
)

SUMMARY = {
    "name": "made", "status": "finished", "commit": "c0ffee", "uncommitted_changes": False,
    "test_error_percent": 2.5, "test_error_standard_error": 0.07, "parameters": 7,
    "seconds_per_epoch": 1.25, "config": {"data": "rotated_mnist", "epochs": 3, "symmetry": "p4"},
    "command": "python -m experiments.train made", "device": "cpu: cpu",
    "equivariance": {"float32": {"error": 1e-7}, "float64": {"error": 2e-16}},
}  # fmt: skip


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_pages_show_what_is_recorded(page):
    text = page.read_text()
    assert render(text, tables()) == text
    marks = re.findall(r"<!-- (\w+): begin -->", text)
    assert marks and set(marks) <= tables().keys()
    assert all(render(text, {name: "other\n"}) != text for name in marks)


def test_the_table_of_convolutions_shows_what_a_layer_chooses():
    def timed(ratio):
        return {"ms": [1.0, 2.0, 3.0], "ratio": [ratio - 1, ratio, ratio + 1]}

    layer = {way: timed(k) for k, way in enumerate(("plain", "direct", "fourier"), 1)}
    cases = {
        "a layer": {"chosen": "fourier", "forward": layer, "training": {"fourier": timed(4.5)}},
        "a step": {"training": {"ours": timed(1.25)}},
        "a network": {"forward": {"ours": timed(1.5), "frozen": timed(2.0)}},
    }
    assert convolution_table(cases).splitlines()[2:] == [
        "| a layer | fourier | 3.00 | 4.50 |",
        "| a step |  |  | 1.25 |",
        "| a network |  | 1.50 |  |",
        "| a network | frozen | 2.00 |  |",
    ]


def test_the_seeds_of_a_table_are_kept_one_by_one(tmp_path):
    results = tmp_path / "results"
    write_json(results / "table" / "a" / "seed0.json", {**SUMMARY, "name": "a/seed0"})
    folder = tmp_path / "runs" / "table"
    write_json(folder / "summary.json", {**SUMMARY, "name": "table"})
    (folder / "page.md").touch()
    write_json(folder / "a" / "seed1" / "summary.json", {**SUMMARY, "name": "a/seed1"})
    record_study(folder, results)
    found = {path.name for path in (results / "table" / "a").iterdir()}
    assert found == {"seed0.json", "seed1.json"}  # the older one stays
    elsewhere = {**SUMMARY, "name": "a/seed2", "device": "gpu: made up"}
    write_json(folder / "a" / "seed2" / "summary.json", elsewhere)
    with pytest.raises(ValueError, match="is of a gpu, the table of a cpu: give its own --out"):
        record_study(folder, results)
    assert {path.name for path in (results / "table" / "a").iterdir()} == found
    assert [path.name for path in results.iterdir()] == ["table"]  # and nothing half copied


def test_the_table_has_a_row_for_each_run_the_best_first():
    worse = {**SUMMARY, "name": "worse", "test_error_percent": 9.0}
    rows = runs_table([worse, SUMMARY]).splitlines()[2:]
    assert [row.split(" | ")[0] for row in rows] == ["| made", "| worse"]
    assert "2.50 ± 0.07 %" in rows[0] and "1.0e-07 / 2.0e-16 under p4" in rows[0]


def test_recorded_results_say_where_they_come_from():
    assert {"p4cnn", "z2cnn"} <= {summary["name"] for summary in recorded()}
    for summary in recorded():
        assert summary["commit"] and not summary["uncommitted_changes"]
        assert summary["device"] and summary["versions"]["jax"] and summary["config"]["seed"] >= 0
        assert summary["training_seconds"] > 0


def test_a_finished_run_is_recorded(tmp_path):
    write_json(tmp_path / "summary.json", SUMMARY)
    record(tmp_path / "summary.json", tmp_path / "results")
    assert json.loads((tmp_path / "results" / "made.json").read_text()) == SUMMARY


def test_a_gpu_does_not_take_the_place_of_a_cpu(tmp_path):
    folder, kept = tmp_path / "runs" / "made", tmp_path / "results"
    (kept / "made").mkdir(parents=True)
    write_json(folder / "summary.json", {**SUMMARY, "device": "gpu: made up"})
    (folder / "page.md").touch()
    record(folder / "summary.json", kept)
    record_study(folder, kept)
    assert {path.name for path in (kept / "gpu").iterdir()} == {"made.json", "made"}
    assert [path.name for path in (kept / "made").iterdir()] == []
    trained_there = {"findings": {"devices": ["gpu: made up"]}, "name": "page"}
    write_json(folder / "summary.json", {**SUMMARY, **trained_there})
    record_study(folder, kept)
    assert (kept / "gpu" / "page").is_dir()


def test_a_run_names_every_device_that_it_was_made_on():
    went_on = {**SUMMARY, "stages": [{"device": "gpu: made up"}, {"device": "cpu: cpu"}]}
    assert "| gpu: made up and cpu: cpu |" in runs_table([went_on])
    assert "| cpu: cpu |" in runs_table([SUMMARY])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"status": "interrupted"}, "was interrupted; bring it to its end"),
        ({"uncommitted_changes": True}, "not committed: commit, and run again"),
        ({"commit": ""}, "not committed: commit, and run again"),
    ],
)
def test_what_nobody_could_make_again_is_not_recorded(tmp_path, change, message):
    write_json(tmp_path / "summary.json", {**SUMMARY, **change})
    with pytest.raises(ValueError, match=message):
        record(tmp_path / "summary.json", tmp_path / "results")
    assert not (tmp_path / "results").exists()


def test_a_study_is_recorded_with_its_page_and_figures(tmp_path):
    folder = tmp_path / "runs" / "made"
    write_json(folder / "summary.json", SUMMARY)
    for name in ("page.md", "curve.png", "metrics.jsonl"):
        (folder / name).write_text(name)
    (tmp_path / "results" / "made").mkdir(parents=True)
    (tmp_path / "results" / "made" / "old.png").touch()
    record_study(folder, tmp_path / "results")
    found = {path.name for path in (tmp_path / "results" / "made").iterdir()}
    assert found == {"page.md", "curve.png", "summary.json"}
    write_json(folder / "summary.json", {**SUMMARY, "uncommitted_changes": True})
    with pytest.raises(ValueError, match="not committed"):
        record_study(folder, tmp_path / "results")


def test_runs_behind_a_study_must_be_committed_too(tmp_path):
    folder = tmp_path / "made"
    run = {"commit": "abc", "uncommitted_changes": True}
    write_json(folder / "summary.json", {**SUMMARY, "findings": {"rows": {"a": {"runs": [run]}}}})
    with pytest.raises(ValueError, match="not committed"):
        record_study(folder, tmp_path / "results")


def test_the_command_records_and_renders(tmp_path, monkeypatch):
    page = tmp_path / "README.md"
    monkeypatch.setattr(results, "PAGES", (page,))
    page.write_text("a\n<!-- results: begin -->\nold\n<!-- results: end -->\nb\n")
    results.main([])
    text = page.read_text()
    assert "old" not in text and text.startswith("a\n") and text.endswith("b\n")
