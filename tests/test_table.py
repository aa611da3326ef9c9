"""The table: what it says about runs, and that it runs what it says."""

import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest

from experiments import reproduce
from experiments.configs import pages
from experiments.drawing import table_figure
from experiments.durable.records import write_json
from experiments.reproduce import Reproduce
from experiments.table import ROWS, Published, Row, gather, kept, markdown, precision_table

ROW = Row("p4cnn", "p4cnn", "P4CNN", published=Published(2.28, 0.04, 5))


def summary(seed: int, error: float, **more) -> dict:
    return {
        "status": "finished", "test_error_percent": error, "test_images": 50_000,
        "macs": 11_673_760, "parameters": 24_680,
        "config": {"seed": seed, "epochs": 3, "data": "rotated_mnist"},
        "data": "made", "training_seconds": 100.0 + seed, "command": f"train --seed {seed}",
        "commit": "abc", "uncommitted_changes": False, "versions": {"jax": "0"}, "device": "cpu",
        "cores": 2, "equivariance": {"float32": {"error": 1e-7 * (1 + seed)}}, **more,
    }  # fmt: skip


ERRORS = (2.4, 2.5, 2.3)
SUMMARIES = [summary(seed, error) for seed, error in enumerate(ERRORS)]


def test_a_row_is_the_mean_and_the_deviation_of_its_seeds():
    row = gather(ROW, SUMMARIES)
    assert row["mean"] == pytest.approx(np.mean(ERRORS))
    assert row["deviation"] == pytest.approx(np.std(ERRORS, ddof=1))
    assert row["seconds"] == 100 and row["equivariance"] == {"float32": pytest.approx(3e-7)}
    assert [run["seed"] for run in row["runs"]] == [0, 1, 2] and "seed" not in row["config"]
    assert json.dumps(row)


def test_the_difference_counts_seeds_and_both_test_sets():
    drawn = np.random.default_rng(0)
    n, trials = 3, 40_000
    wrong = drawn.binomial(50_000, 0.0228, (2, trials)) / 500  # both test sets, in percent
    ours = wrong[0] + drawn.normal(0, 0.1, (n, trials)).mean(0)
    theirs = wrong[1] + drawn.normal(0, 0.04, (5, trials)).mean(0)
    spread = (ours - theirs).std()  # what a standard error of the difference is
    got = gather(ROW, SUMMARIES)["standard_errors_from_published"]
    assert got == pytest.approx((np.mean(ERRORS) - 2.28) / spread, rel=0.02)


def test_the_recorded_runs_of_a_folder_make_its_rows(tmp_path):
    for s in SUMMARIES:
        write_json(tmp_path / "p4cnn" / f"seed{s['config']['seed']}.json", s)
    rows = kept(tmp_path)
    assert list(rows) == ["p4cnn"] and rows["p4cnn"]["mean"] == pytest.approx(np.mean(ERRORS))
    assert precision_table(rows).splitlines()[::2] == [
        "| network | float32 |",
        "| P4CNN | 3.0e-07 |",
    ]


def test_one_seed_has_no_spread():
    row = gather(ROW, SUMMARIES[:1])
    assert row["deviation"] is None and "standard_errors_from_published" not in row


def test_the_test_over_turns_is_reported_apart():
    turned = [summary(s, 2.0, turns=4, test_error_percent_over_turns=1.0 + s) for s in (0, 1)]
    row = gather(Row("p4cnn", "p4cnn", "P4CNN"), turned)
    assert row["mean"] == 2.0 and row["mean_over_turns"] == 1.5 and "published" not in row


def test_the_markdown_shows_ours_beside_what_was_published():
    line = markdown({"p4cnn": gather(ROW, SUMMARIES)}).splitlines()[2]
    assert line.startswith("| P4CNN | 2.40 % ± 0.10 | 3 | 2.28 ± 0.04 % | +1.1 | 24680 | 11.67 M |")
    assert "`train --seed 0`" in line


def test_every_row_is_a_page_that_can_be_trained():
    assert len({row.name for row in ROWS}) == len(ROWS)
    for row in ROWS:
        assert row.page in pages() and row.seeds >= 3
        arguments = row.arguments(3, Path("out"))
        assert arguments[arguments.index("--name") + 1] == f"{row.name}/seed3"
        assert arguments[arguments.index("--seed") + 1] == "3"


@pytest.fixture
def runs(monkeypatch):
    """Commands that were run: each leaves a summary, as training does."""
    commands = []

    def run(command: list[str], cores: list[int] | None = None) -> int:
        commands.append(command)
        name, out, seed = (command[command.index(f"--{k}") + 1] for k in ("name", "out", "seed"))
        write_json(Path(out) / name / "summary.json", summary(int(seed), 2.0 + int(seed)))
        return 0

    monkeypatch.setattr(reproduce, "run", run)
    return commands


def test_rows_are_run_seed_by_seed_and_not_twice(runs, tmp_path, capsys):
    arguments = ["--rows", "z2cnn", "p4cnn", "--seeds", "2", "--out", str(tmp_path)]
    assert reproduce.main(arguments) == 0
    names = [command[command.index("--name") + 1] for command in runs]
    assert names == ["z2cnn/seed0", "p4cnn/seed0", "z2cnn/seed1", "p4cnn/seed1"]
    page = (tmp_path / "table" / "page.md").read_text()
    assert "2.50 % ± 0.71 | 2 |" in page and "50000 test images" in page
    assert (tmp_path / "table" / "table.png").read_bytes().startswith(b"\x89PNG")
    assert reproduce.main(arguments) == 0
    assert len(runs) == 4


def test_workers_share_the_rows_and_the_cores(runs, monkeypatch, tmp_path):
    given = []
    plain = reproduce.run
    monkeypatch.setattr(reproduce.os, "sched_getaffinity", lambda pid: {0, 1, 2, 3})
    monkeypatch.setattr(
        reproduce, "run", lambda command, cores: given.append(cores) or plain(command)
    )
    arguments = ["--rows", "z2cnn", "p4cnn", "--seeds", "2", "--workers", "2"]
    assert reproduce.main([*arguments, "--out", str(tmp_path)]) == 0
    assert len(runs) == 4 and {tuple(cores) for cores in given} == {(0, 2), (1, 3)}


def test_a_run_on_its_share_of_the_cores_writes_a_log(monkeypatch, tmp_path):
    code = "import os; print('cores', sorted(os.sched_getaffinity(0)))"
    monkeypatch.setattr(reproduce, "_TRAINING", [sys.executable, "-c", code])
    mine = min(os.sched_getaffinity(0))
    assert reproduce.run(["--out", str(tmp_path), "--name", "a/seed0"], [mine]) == 0
    assert (tmp_path / "a" / "seed0" / "log.txt").read_text() == f"cores [{mine}]\n"


def test_a_worker_that_fails_ends_the_command(monkeypatch, tmp_path):
    tried = []
    monkeypatch.setattr(reproduce.os, "sched_getaffinity", lambda pid: {0, 1})
    monkeypatch.setattr(reproduce, "run", lambda command, cores: tried.append(command) or 2)
    arguments = ["--rows", "z2cnn", "p4cnn", "--workers", "2", "--out", str(tmp_path)]
    assert reproduce.main(arguments) == 2
    assert len(tried) <= 2  # those that were under way


def test_recorded_runs_count_when_asked_for(runs, monkeypatch, tmp_path):
    recorded = tmp_path / "results"
    write_json(recorded / "reproduce" / "p4cnn" / "seed1.json", summary(1, 4.0))
    monkeypatch.setattr(reproduce, "RESULTS", recorded)
    arguments = ["--rows", "p4cnn", "--seeds", "2", "--out", str(tmp_path)]
    assert reproduce.main([*arguments, "--recorded"]) == 0
    assert [command[command.index("--seed") + 1] for command in runs] == ["0"]
    assert "3.00 % ± 1.41 | 2 |" in (tmp_path / "table" / "page.md").read_text()
    assert reproduce.main(arguments) == 0  # and otherwise they are made again
    assert len(runs) == 2


def test_the_seeds_of_a_row_can_be_run_together(monkeypatch, tmp_path):
    commands = []
    monkeypatch.setattr(reproduce, "run", lambda arguments: commands.append(arguments) or 0)
    assert reproduce.main(["--rows", "p4cnn", "--together", "--out", str(tmp_path)]) == 0
    (command,) = commands
    assert command[-4:] == ["--name", "p4cnn", "--seeds", "5"]


def test_the_checkpoint_interval_is_passed_on(runs, tmp_path):
    arguments = ["--rows", "p4cnn", "--seeds", "1", "--save-every", "7", "--out", str(tmp_path)]
    assert reproduce.main(arguments) == 0
    assert runs[0][-2:] == ["--save-every", "7"]


def test_no_process_takes_the_whole_memory_of_a_gpu(runs, monkeypatch, tmp_path):
    monkeypatch.delenv("XLA_PYTHON_CLIENT_PREALLOCATE", raising=False)
    assert reproduce.main(["--rows", "p4cnn", "--seeds", "1", "--out", str(tmp_path)]) == 0
    assert os.environ["XLA_PYTHON_CLIENT_PREALLOCATE"] == "false"


def test_a_run_that_fails_ends_the_command(monkeypatch, tmp_path):
    monkeypatch.setattr(reproduce, "run", lambda arguments: 2)
    assert reproduce.main(["--rows", "p4cnn", "--out", str(tmp_path)]) == 2
    assert not (tmp_path / "table").exists()


def test_rows_that_are_not_there_are_refused(capsys):
    try:
        status = reproduce.main(["--rows", "p5cnn"])
    except SystemExit as exit:  # newer versions of tyro tell it themselves
        status = exit.code
    said = capsys.readouterr()
    assert status == 2 and "No row p5cnn" in said.out + said.err
    with pytest.raises(ValueError, match=r"No row p5cnn; there are z2cnn, z2cnn_published,"):
        Reproduce(("p5cnn",))
    with pytest.raises(ValueError, match="seeds must be 1 or more, got 0"):
        Reproduce(seeds=0)
    with pytest.raises(ValueError, match="save_every must be 1 or more, got 0"):
        Reproduce(save_every=0)
    with pytest.raises(
        ValueError, match=r"workers must be between 1 and \d+, the cores there are, got 0"
    ):
        Reproduce(workers=0)


def test_the_figure_shows_rows_without_a_published_number(tmp_path):
    rows = {"a": gather(ROW, SUMMARIES), "b": gather(Row("b", "b", "B"), SUMMARIES)}
    table_figure.draw(tmp_path / "table.png", rows)
    assert (tmp_path / "table.png").read_bytes().startswith(b"\x89PNG")
