"""The study of volumes and its data: what travels along, what does not, and the page."""

import hashlib
import json
import lzma
import shutil
from pathlib import Path

import numpy as np
import pytest

from experiments import volumes
from experiments.data import adrenal, modelnet10, pack_adrenal
from experiments.data.adrenal import Volumes
from gcnn import actions, groups

pytestmark = pytest.mark.newest
SHARED = Path(__file__).parents[2] / "shared" / "data"
GLANDS = SHARED / "adrenalmnist3d" / "adrenalmnist3d.npz"
SHAPES = SHARED / "modelnet10_vox30" / "modelnet10_vox30.npz"


# Adrenal glands


def test_the_glands_are_whole():
    splits = adrenal.load()
    assert {name: len(split.labels) for name, split in splits.items()} == adrenal.SIZES
    for split in splits.values():
        assert split.voxels.shape == (len(split.labels), 28, 28, 28)
        assert split.voxels.dtype == np.bool_ and split.labels.dtype == np.uint8
        assert split.voxels.any(axis=(1, 2, 3)).all()  # none is empty
        assert 0.2 < split.labels.mean() < 0.25  # enlarged
    assert hashlib.sha256(adrenal.PATH.read_bytes()).hexdigest() == adrenal.FILE_SHA256
    assert adrenal.PATH.stat().st_size < 200_000


def test_enlarged_glands_are_larger():
    train = adrenal.load()["train"]
    sizes = train.voxels.sum(axis=(1, 2, 3))
    assert sizes[train.labels == 1].mean() > 1.2 * sizes[train.labels == 0].mean()


def test_damaged_other_and_missing_glands_are_told(tmp_path):
    path = tmp_path / "adrenal.xz"
    with pytest.raises(FileNotFoundError, match=r"glands is not at .*adrenal\.xz .*git"):
        adrenal.load(path)
    path.write_bytes(adrenal.PATH.read_bytes()[:-100])
    with pytest.raises(ValueError, match=rf"is corrupt or truncated .*{adrenal.FILE_SHA256}.*git"):
        adrenal.load(path)
    path.write_bytes(lzma.compress(b"others"))
    expected = rf"is not the set of adrenal glands: .*{adrenal.CONTENT_SHA256}.*pack_adrenal"
    with pytest.raises(ValueError, match=expected):
        adrenal.load(path)


@pytest.mark.skipif(not GLANDS.is_file(), reason="adrenalmnist3d.npz is not beside the project")
def test_the_official_file_packs_to_the_same_glands(tmp_path):
    packed = []
    with pytest.MonkeyPatch.context() as patch:  # the strongest preset takes seconds
        patch.setattr(lzma, "compress", lambda content, **_: packed.append(content) or b"")
        pack_adrenal.pack(GLANDS, tmp_path / "adrenal.xz")
    assert packed == [lzma.decompress(adrenal.PATH.read_bytes())]


def test_only_the_official_file_is_packed(tmp_path):
    path, target = tmp_path / "glands.npz", tmp_path / "adrenal.xz"
    np.savez(path, train_images=np.zeros(8))
    with pytest.raises(ValueError, match=r"glands\.npz is no npz file with `train_images`"):
        pack_adrenal.pack(path, target)
    images = {f"{s}_images": np.zeros((2, 4, 4, 4)) for s in ("train", "val", "test")}
    labels = {f"{s}_labels": np.zeros((2, 1)) for s in ("train", "val", "test")}
    np.savez(path, **images, **labels)
    with pytest.raises(ValueError, match=rf"holds other glands: .*{adrenal.CONTENT_SHA256}"):
        pack_adrenal.pack(path, target)
    assert not target.exists()


# ModelNet10


def shapes(n: int = 3, side: int = 30, label: int = 2) -> dict[str, np.ndarray]:
    x = np.zeros((n, side, side, side), np.uint8)
    x[:, 3:20, 4:9, 5:12] = 1
    y = np.full(n, label, np.uint8)
    return {"x_train": x, "y_train": y, "x_test": x[:1], "y_test": y[:1]}


def test_shapes_are_read_from_a_file_and_cut(tmp_path):
    np.savez(tmp_path / "shapes.npz", **shapes())
    splits = modelnet10.load(tmp_path / "shapes.npz")
    assert splits["train"].voxels.shape == (3, 28, 28, 28)
    assert splits["test"].labels.tolist() == [2]
    np.testing.assert_array_equal(
        splits["test"].voxels[0], shapes()["x_train"][0, 1:-1, 1:-1, 1:-1]
    )


def test_what_is_no_file_of_shapes_is_told(tmp_path):
    path = tmp_path / "shapes.npz"
    with pytest.raises(FileNotFoundError, match=r"no npz file of ModelNet10 at .*README"):
        modelnet10.load(path)
    for broken, message in (
        ({"x_train": np.zeros(3)}, "is no npz file with `x_train`, `y_train`"),
        (shapes(side=28), r"x_train should be 3 volumes of 30 x 30 x 30.* got shape \(3, 28"),
        (
            {**shapes(), "x_test": np.full((1, 30, 30, 30), 2)},
            "x_test should be 1 volumes .* 0 or 1",
        ),
        (shapes(label=10), "y_train should be 0 to 9"),
        ({**shapes(), "x_test": np.ones((1, 30, 30, 30))}, "y_test .* the outermost voxels empty"),
    ):
        np.savez(path, **broken)
        with pytest.raises(ValueError, match=message):
            modelnet10.load(path)


@pytest.mark.skipif(not SHAPES.is_file(), reason="modelnet10_vox30.npz is not beside the project")
def test_the_shapes_that_we_had_are_read():
    splits = modelnet10.load(SHAPES)
    assert {name: len(split.labels) for name, split in splits.items()} == {
        "train": 3991,
        "test": 908,
    }


# The study


def bars() -> dict[str, Volumes]:
    """Bars along the first axis, above or below the centre: long ones are class 1."""
    rng = np.random.default_rng(0)

    def some(n: int) -> Volumes:
        labels = rng.integers(0, 2, n).astype(np.uint8)
        voxels = np.zeros((n, 28, 28, 28), bool)
        for volume, label in zip(voxels, labels, strict=True):
            y, x = rng.integers(2, 12, 2)
            volume[14 - 5 * (1 + label) : 14 + 3 * (1 + label), y : y + 5, x : x + 5] = True
        return Volumes(voxels, labels)

    return {"train": some(64), "test": some(12)}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The folder of a study under the half turns, and its exit status."""
    with pytest.MonkeyPatch.context() as patch:
        half_turns = groups.d2()
        patch.setattr(adrenal, "load", bars)
        patch.setattr(volumes, "TURNS", half_turns)
        patch.setattr(volumes, "NETWORKS", {"plain": groups.p1(3), "octahedral": half_turns})
        folder = tmp_path_factory.mktemp("runs") / "volumes"
        settings = ("--epochs", "4", "--batch-size", "16", "--channels", "2", "--exact", "2")
        status = volumes.main([*settings, "--out", str(folder)])
    return status, folder


def test_the_page_shows_which_network_is_invariant(run):
    status, folder = run
    assert status == 0
    findings = json.loads((folder / "summary.json").read_text())["findings"]
    plain, turning = findings["plain"], findings["octahedral"]
    assert turning["invariance"]["error"] <= 1e-12 and plain["invariance"]["error"] > 1e-3
    assert turning["same_class"] == 1 and len(set(turning["turned"])) == 1
    assert 0.8 < plain["parameters"] / turning["parameters"] < 1.25
    for f in (plain, turning):
        assert f["upright"] == f["turned"][0] and len(f["turned"]) == len(f["auc"]) == 4
    text = (folder / "page.md").read_text()
    assert "| octahedral |" in text and "AUC" in text and "{" not in text
    for picture in ("turns.png", "one.png"):
        assert f"({picture})" in text and (folder / picture).stat().st_size > 10_000


def test_shapes_do_not_take_the_place_of_the_glands(run, monkeypatch, tmp_path):
    _, folder = run
    assert json.loads((folder / "summary.json").read_text())["name"] == "volumes"
    copy = shutil.copytree(folder, tmp_path / "shapes")  # trained already
    monkeypatch.setattr(modelnet10, "load", lambda path: bars())
    monkeypatch.setattr(volumes, "TURNS", groups.d2())
    monkeypatch.setattr(volumes, "NETWORKS", {"plain": groups.p1(3), "octahedral": groups.d2()})
    settings = ["--epochs", "4", "--batch-size", "16", "--channels", "2", "--exact", "2"]
    assert volumes.main([*settings, "--modelnet10", "made up", "--out", str(copy)]) == 0
    assert json.loads((copy / "summary.json").read_text())["name"] == "modelnet10"


def test_a_file_that_is_not_there_is_named(tmp_path, capsys):
    arguments = ["--modelnet10", str(tmp_path / "none.npz"), "--out", str(tmp_path)]
    assert volumes.main(arguments) == 2
    assert "no npz file of ModelNet10 at" in " ".join(capsys.readouterr().out.split())


def test_the_networks_of_the_study_have_equally_many_parameters():
    config = volumes.Config()
    assert [config.width(group) for group in volumes.NETWORKS.values()] == [15, 3]


def test_halving_takes_means_and_commutes_with_turns():
    cube = groups.octahedral()
    x = np.random.default_rng(0).integers(0, 2, (2, 4, 4, 4)).astype(bool)
    np.testing.assert_array_equal(
        volumes.halved(x)[:, 1, 0, 1, 0], x[:, 2:, :2, 2:].mean((1, 2, 3))
    )
    for g in range(cube.order):
        turned = actions.act_on_image(cube, g, x[..., None])[..., 0]
        moved = actions.act_on_image(cube, g, volumes.halved(x))
        np.testing.assert_array_equal(volumes.halved(turned), moved)


def test_the_area_under_the_curve_counts_pairs():
    labels = np.array([0, 0, 1, 1])
    assert volumes.area(np.array([1.0, 2.0, 3.0, 4.0]), labels) == 1
    assert volumes.area(np.array([1.0, 3.0, 2.0, 4.0]), labels) == 0.75
    assert volumes.area(np.ones(4), labels) == 0.5
