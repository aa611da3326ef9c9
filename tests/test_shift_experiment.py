"""The study of shifts: a page from two ways to downsample, on digits of a few pixels."""

import json

import numpy as np
import pytest

from experiments import shift
from experiments.data import rotated_mnist
from experiments.data.rotated_mnist import Split
from gcnn import models

pytestmark = pytest.mark.newest
SMALL = ("--images", "64", "--epochs", "1", "--batch-size", "32", "--channels", "2", "--test", "40",
         "--shifted", "3")  # fmt: skip


def tiny() -> dict[str, Split]:
    """The middle 8 x 8 pixels of a few digits."""
    return {
        name: Split(split.images[:64, 10:18, 10:18], split.labels[:64], None)
        for name, split in rotated_mnist.generate().items()
    }


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The folder of a study of max-pooling and polyphase sampling, and its exit status."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rotated_mnist, "load", tiny)
        chosen = {k: shift.DOWNSAMPLINGS[k] for k in ("max-pool", "polyphase")}
        patch.setattr(shift, "DOWNSAMPLINGS", chosen)
        folder = tmp_path_factory.mktemp("runs") / "shift"
        yield shift.main([*SMALL, "--out", str(folder)]), folder


def test_the_page_shows_which_networks_are_exact(run):
    status, folder = run
    assert status == 0
    findings = json.loads((folder / "summary.json").read_text())["findings"]
    assert set(findings) == {
        f"{group}, {pool}" for group in ("plain", "p4") for pool in ("max-pool", "polyphase")
    }
    exact = {name: f["shifts_and_group"] for name, f in findings.items()}
    assert exact["p4, polyphase"]["error"] <= 1e-12
    assert exact["p4, polyphase"]["shifts"] == 64
    assert exact["plain, polyphase"]["relative"][0] <= 1e-12  # shifts alone
    for name in ("plain, max-pool", "plain, polyphase", "p4, max-pool"):
        assert exact[name]["error"] > 1e-3
    for name in ("plain, polyphase", "p4, polyphase"):
        assert findings[name]["circular"]["consistency"] == 1
        assert max(findings[name]["field_error"]) < 1e-5
        assert max(findings[name.replace("polyphase", "max-pool")]["field_error"]) > 0.01
    text = (folder / "page.md").read_text()
    assert "| p4, polyphase |" in text and "{" not in text
    for picture in ("consistency.png", "maps.png", "fields.png"):
        assert f"({picture})" in text and (folder / picture).stat().st_size > 10_000


def test_a_finished_study_trains_nothing_again(run, monkeypatch):
    _, folder = run
    before = json.loads((folder / "summary.json").read_text())["findings"]
    monkeypatch.setattr(shift, "DOWNSAMPLINGS", {"polyphase": models.polyphase_downsampling})
    monkeypatch.setattr(shift, "field_error", lambda *_: [])
    monkeypatch.setattr(shift, "double_precision", lambda *_, **__: _Exact)
    config = shift.Config(images=64, epochs=1, batch_size=32, channels=2, test=40, shifted=3,
                          out=folder)  # fmt: skip
    again = shift.study(config, tiny(), shift.Console(quiet=True))
    for name in ("plain, polyphase", "p4, polyphase"):
        assert again[name]["seconds"] == before[name]["seconds"]
        assert again[name]["test_error_percent"] == before[name]["test_error_percent"]


class _Exact:
    @staticmethod
    def to_dict():
        return {}


def test_another_study_in_the_same_folder_is_refused(run, monkeypatch, capsys):
    _, folder = run
    monkeypatch.setattr(shift.rotated_mnist, "load", tiny)
    assert shift.main([*SMALL, "--epochs", "2", "--out", str(folder)]) == 2
    assert "epochs = 1 (now 2)" in " ".join(capsys.readouterr().out.split())


def test_the_error_of_a_field_that_moves_along_is_zero():
    class Moves:
        downsamplings = hidden = (staticmethod(lambda x: x),)
        lift = staticmethod(lambda x: x[:, ::2, ::2])

    x = np.random.default_rng(0).normal(size=(2, 8, 8, 1)).astype(np.float32)
    errors = shift.field_error(Moves, x, count=3)
    assert errors[0] == errors[2] == 0
    assert errors[1] > 0.1
