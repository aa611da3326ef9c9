"""The study of deformations: a page from small networks on a few digits."""

import functools
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from experiments import deformation, deformation_findings
from experiments.data import rotated_mnist
from experiments.data.rotated_mnist import Split
from experiments.deformation import architectures

pytestmark = pytest.mark.newest
SMALL = ("--sizes", "40", "80", "--epochs", "2", "--batch-size", "20", "--test", "60", "--samples",
         "12", "--warps", "1", "--deltas", "0.5", "2")  # fmt: skip


@functools.cache
def few() -> dict[str, Split]:
    """Spots in place of digits: the class tells where they are."""
    rng, labels = np.random.default_rng(0), np.arange(80, dtype=np.uint8) % 10
    y, x = np.meshgrid(np.arange(28), np.arange(28), indexing="ij")
    splits = {}
    for name in ("train", "test"):
        v, u = rng.normal(14, 2, (2, 80, 1, 1)) + 6 * np.stack(
            [np.sin(labels), np.cos(labels)]
        ).reshape(2, 80, 1, 1)
        images = 255 * np.exp(-((y - v) ** 2 + (x - u) ** 2) / 8)
        splits[name] = Split(images.astype(np.uint8), labels, None)
    return splits


def perceptrons(config):
    def make():
        return deformation.Perceptron(28 * 28, 8, rngs=nnx.Rngs(config.seed))

    return {"plain": make, "fully connected": make}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The folder of a study of fully connected networks, and its exit status; patched so since."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rotated_mnist, "load", few)
        patch.setattr(deformation, "architectures", perceptrons)
        folder = tmp_path_factory.mktemp("runs") / "deformation"
        yield deformation.main([*SMALL, "--out", str(folder)]), folder


def test_the_page_shows_every_network_before_and_after_training(run):
    status, folder = run
    assert status == 0
    findings = json.loads((folder / "summary.json").read_text())["findings"]
    assert set(findings["start"]) == {"plain", "fully connected"}
    assert [(n["size"], n["warped"]) for n in findings["networks"]] == 2 * [
        (40, False), (40, True), (80, False), (80, True),
    ]  # fmt: skip
    for curve in (*findings["start"].values(), *(n["curve"] for n in findings["networks"])):
        assert [r["delta"] for r in curve] == [0.5, 1, 2]
        assert all(r["r_f"] > 0 and r["samples"] == 12 for r in curve)
    assert [r["delta"] for r in findings["relations"]] == [0.5, 1, 2]
    text = (folder / "page.md").read_text()
    assert "| plain | 80, warped |" in text and "| plain | none |" in text and "{" not in text
    for picture in ("warps.png", "stability.png", "curves.png"):
        assert f"({picture})" in text and (folder / picture).stat().st_size > 10_000


def test_warped_digits_are_other_digits():
    config = deformation.Config()
    x = few()["train"].images[:3, ..., None].astype(np.float32)
    warped = deformation.warp(np.concatenate([x, x]), config)
    change = np.linalg.norm((warped - np.concatenate([x, x])).reshape(6, -1), axis=1)
    assert (change > 0.1 * np.linalg.norm(x.reshape(3, -1), axis=1).max()).all()
    assert np.abs(warped[:3] - warped[3:]).max() > 10  # repeated, but not alike


def test_a_finished_study_trains_nothing_again(run):
    _, folder = run
    before = json.loads((folder / "summary.json").read_text())["findings"]
    assert deformation.main([*SMALL, "--out", str(folder)]) == 0
    after = json.loads((folder / "summary.json").read_text())["findings"]
    assert after == before  # the seconds of training too


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--epochs", "3"), "epochs = 2 (now 3)"),
        (("--sizes", "40", "81"), "sizes (40, 81) should be from 1 to 80 digits"),
        (("--delta", "9"), "delta = 9.0 pixels is outside the range"),
    ],
)
def test_what_cannot_be_run_is_refused(run, capsys, options, message):
    _, folder = run
    assert deformation.main([*SMALL, *options, "--out", str(folder)]) == 2
    assert message in " ".join(capsys.readouterr().out.split())


def test_a_power_law_is_found_again():
    networks = [
        {"test_error_percent": 100 * 0.2 * r**0.5, "curve": [{"delta": 1.0, "r_f": r}]}
        for r in (0.01, 0.1, 0.5)
    ]
    found = deformation_findings.relation(networks, "r_f", 1.0)
    assert found == pytest.approx({"prefactor": 0.2, "exponent": 0.5, "correlation": 1})


def test_pairs_alike_but_for_the_warps_in_training_are_compared():
    networks = [
        {"warped": w, "test_error_percent": e, "curve": [{"delta": 1.0, "r_f": r}]}
        for w, e, r in ((False, 9.0, 1.0), (True, 8.0, 0.5), (False, 5.0, 1.0), (True, 5.0, 0.9))
    ]
    found = deformation_findings.augmentation(networks, 1.0)
    assert found == {"count": 4, "pairs": 2, "stabler": 2, "better": 1}


def test_the_architectures_classify_digits():
    made = architectures(deformation.Config())
    assert set(made) == {"p4", "plain", "fully connected"}
    for make in made.values():
        network = make()
        network.eval()
        logits = jax.eval_shape(network, jnp.zeros((2, 28, 28, 1)))
        assert logits.shape == (2, 10)
