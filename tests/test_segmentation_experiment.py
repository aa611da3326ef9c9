"""The study of segmentation: a page from three small U-Nets, on bright squares."""

import json

import numpy as np
import pytest

from experiments import segmentation, segmentation_scenes
from experiments.data import nuclei
from experiments.data.nuclei import Split

pytestmark = pytest.mark.newest
SMALL = ("--epochs", "6", "--learning-rate", "0.03", "--batch-size", "8", "--channels", "4",
         "--depth", "1", "--moved", "3", "--exact", "1")  # fmt: skip
SIDE = 12


def squares(archive=None) -> dict[str, Split]:
    """Bright squares on a dark ground with noise, and where they are."""
    rng = np.random.default_rng(0)
    place = np.arange(SIDE)

    def some(n: int) -> Split:
        first, width = rng.integers(0, SIDE - 4, (2, n, 1)), rng.integers(3, 6, (n, 1))
        down, right = ((a <= place) & (place < a + width) for a in first)
        masks = down[:, :, None] & right[:, None, :]
        images = 20 + 150 * masks + rng.integers(0, 40, masks.shape)
        return Split(images.astype(np.uint8), masks)

    return {"train": some(96), "valid": some(8), "test": some(6)}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The folder of a study, and its exit status."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nuclei, "load", squares)
        chosen = {k: v for k, v in segmentation.NETWORKS.items() if k != "plain, max-pool"}
        patch.setattr(segmentation, "NETWORKS", chosen)
        patch.setattr(segmentation, "WARPS", (0.2, 1.0))
        patch.setattr(segmentation, "ANGLES", (0, 30, 90))
        folder = tmp_path_factory.mktemp("runs") / "segmentation"
        status = segmentation.main([*SMALL, "--out", str(folder)])
    return status, folder


def test_the_page_shows_which_networks_are_exact(run):
    status, folder = run
    assert status == 0
    findings = json.loads((folder / "summary.json").read_text())["findings"]
    assert list(findings) == ["plain, polyphase", "p4, max-pool", "p4, polyphase"]
    exact = {name: f["shifts_and_group"] for name, f in findings.items()}
    assert exact["p4, polyphase"]["error"] <= 1e-12
    assert exact["p4, polyphase"]["shifts"] == SIDE**2
    assert exact["plain, polyphase"]["relative"][0] <= 1e-12  # shifts alone
    assert max(exact["p4, max-pool"]["unshifted"]) <= 1e-12  # elements alone
    for name in ("plain, polyphase", "p4, max-pool"):
        assert exact[name]["error"] > 1e-3
    for name, f in findings.items():
        shifts, elements, joint, rotations, warps = f["moved"]["rows"]
        assert f["test_iou"] > 0.5  # it has learnt what a bright square is
        assert len(joint["names"]) == 4 * (len(shifts["names"]) - 1) + 1
        assert (elements["verdict"] == "to rounding") == name.startswith("p4")
        assert (shifts["verdict"] in ("exact", "to rounding")) == name.endswith("polyphase")
        assert len(rotations["iou"]) == 3 and len(warps["iou"]) == 2
    text = (folder / "page.md").read_text()
    assert "| p4, polyphase |" in text and "{" not in text
    for picture in ("moves.png", "differences.png", "curves.png"):
        assert f"({picture})" in text and (folder / picture).stat().st_size > 10_000


def test_a_finished_study_trains_nothing_again(run, monkeypatch):
    _, folder = run
    before = json.loads((folder / "summary.json").read_text())["findings"]["p4, polyphase"]
    chosen = {"p4, polyphase": segmentation.NETWORKS["p4, polyphase"]}
    monkeypatch.setattr(segmentation, "NETWORKS", chosen)
    monkeypatch.setattr(segmentation, "follow", lambda *_: _Nothing)
    monkeypatch.setattr(segmentation, "double_precision", lambda *_: _Nothing)
    config = segmentation.Config(
        epochs=6, learning_rate=0.03, batch_size=8, channels=4, depth=1, out=folder
    )
    (again,) = segmentation.study(config, squares(), segmentation.Console(quiet=True)).values()
    for what in ("seconds", "test_iou", "parameters"):
        assert again.findings[what] == before[what]


class _Nothing:
    @staticmethod
    def to_dict():
        return {}


def test_another_study_in_the_same_folder_is_refused(run, monkeypatch, capsys):
    _, folder = run
    monkeypatch.setattr(nuclei, "load", squares)
    chosen = {"p4, polyphase": segmentation.NETWORKS["p4, polyphase"]}
    monkeypatch.setattr(segmentation, "NETWORKS", chosen)
    assert segmentation.main([*SMALL, "--epochs", "2", "--out", str(folder)]) == 2
    assert "epochs = 6 (now 2)" in " ".join(capsys.readouterr().out.split())


def test_an_archive_that_is_not_there_is_named(tmp_path, capsys):
    arguments = ["--archive", str(tmp_path / "none.npz"), "--out", str(tmp_path)]
    assert segmentation.main(arguments) == 2
    assert "no npz file at" in " ".join(capsys.readouterr().out.split())


def test_warps_are_as_large_as_they_say():
    fields = segmentation.warps((20, 64, 64, 1), seed=0)
    assert fields.shape == (len(segmentation.WARPS), 20, 64, 64, 2)
    found = np.sqrt((fields**2).sum(axis=-1).mean(axis=(1, 2, 3)))
    assert found == pytest.approx(np.array(segmentation.WARPS) * found[0] / 0.5, rel=1e-5)
    assert found[0] == pytest.approx(0.5, rel=0.2)  # of 20 fields


def test_a_mask_that_is_found_by_brightness_moves_along_in_every_scene():
    x = segmentation.brightness(squares()["test"].images)[:1]
    ramp = np.linspace(0.3, 0.9, SIDE)[:, None]
    networks = {"threshold": lambda x: x - 0.5, "ramp": lambda x: x - ramp}
    found = segmentation_scenes.scenes(networks, x, np.zeros((1, SIDE, SIDE, 2), np.float32))
    assert [scene["title"] for scene in found][:3] == [
        "the image",
        "shifted by (1, 4)",
        "turned by 90°",
    ]
    for scene in found:
        ours, theirs = scene["masks"]["threshold"]
        assert (ours == theirs)[scene["inside"]].all()
    assert any((a != b).any() for a, b in (scene["masks"]["ramp"] for scene in found))
    changed = segmentation_scenes.changes(networks, x)
    assert changed["threshold"].max() < 1e-6 < 0.1 < changed["ramp"].max()
