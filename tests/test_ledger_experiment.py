"""The ledger of a trained run, from its checkpoint to its figure."""

import dataclasses
import json

import numpy as np
import pytest
from rich.console import Console

from experiments import ledger
from experiments.configs import pages
from experiments.data import rotated_mnist
from experiments.durable.records import write_json
from experiments.train import train
from gcnn import groups, verify

from . import small_data

pytestmark = pytest.mark.newest
PNG = b"\x89PNG"


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    """The folder of runs: "done", which is finished, and "begun", which is not."""
    out = tmp_path_factory.mktemp("runs")
    splits = small_data.shrink(rotated_mnist.generate())
    _, page = pages()["p4cnn"]
    config = dataclasses.replace(page, name="done", out=out, epochs=1, batch_size=128, seed=3)
    assert train(config, splits, Console(quiet=True)).finished
    for name, status in (("done", "finished"), ("begun", "interrupted")):
        write_json(out / name / "summary.json", {"status": status})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rotated_mnist, "load", lambda archive=None: splits)
        patch.setattr(rotated_mnist, "upright", lambda: splits)
        yield out


def said(capsys) -> str:
    return " ".join(capsys.readouterr().out.split())


def test_the_ledger_of_a_run_lies_beside_its_results(out, capsys):
    before = (out / "done" / "metrics.jsonl").read_bytes()
    assert ledger.main(["p4cnn", "--name", "done", "--out", str(out), "--images", "2"]) == 0
    written = json.loads((out / "done" / "ledger.json").read_text())
    assert (out / "done" / "ledger.png").read_bytes().startswith(PNG)
    assert (out / "done" / "metrics.jsonl").read_bytes() == before  # nothing was trained
    assert written["run"] == "done" and written["images"] == 2
    assert written["command"].startswith("python -m experiments.ledger")

    elements, shifts = written["accounts"]
    assert elements["culprit"] is None
    assert 0 < elements["working"] <= 1e-5 and 0 < elements["float64"] <= 1e-13
    by_name = {row["name"]: row for row in shifts["rows"]}
    pooled = by_name["before hidden.1.conv"]
    assert pooled["downsampling"] == pytest.approx(pooled["total"]) and pooled["total"] > 0.1
    for name in ("lift.conv", "hidden.0.conv", "hidden.4.conv", "top"):  # they crop
        assert by_name[name]["boundary"] == pytest.approx(by_name[name]["total"])
        assert by_name[name]["interior"] == 0
    assert by_name["hidden.0.norm"]["total"] <= 1e-6
    assert shifts["float64"] == shifts["circular"] > 0.01  # there is no padding to wrap
    text = said(capsys)
    assert "before hidden.1.conv reshape, reduce_max" in text
    assert text.endswith("ledger.json and ledger.png.")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nothing",), "There is no page 'nothing'; there are "),
        (("p4cnn", "--name", "begun"), "begun holds no finished run. Train it, or bring it to its"),
        (("z2cnn",), "--name z2cnn --out"),
        (("p4cnn", "--name", "done", "--images", "0"), "images should be from 1 to 256, got 0."),
    ],
)
def test_what_cannot_be_measured_is_refused(out, capsys, arguments, message):
    assert ledger.main([*arguments, "--out", str(out)]) == 2
    assert message in said(capsys)


def test_the_figure_takes_a_ledger_of_any_group(tmp_path):
    x = np.random.default_rng(0).normal(size=(2, 6, 1)).astype(np.float32)
    of_a_line = verify.ledger(lambda x: x.cumsum(1), groups.p1(1), x)  # one family, one step
    ledger.draw_ledger(tmp_path / "ledger.png", of_a_line)
    assert (tmp_path / "ledger.png").read_bytes().startswith(PNG)
    assert [path.name for path in tmp_path.iterdir()] == ["ledger.png"]
