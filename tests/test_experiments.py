"""Training, resuming, recording: runs on a few hundred digits, and on made data."""

import dataclasses
import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from experiments import report, train
from experiments.config import Config
from experiments.configs import pages
from experiments.drawing import figures
from experiments.durable import records
from experiments.durable.records import write_json
from experiments.evaluate import error_by_angle, errors, percent, standard_error
from experiments.report import Data
from gcnn import groups, models

from . import small_data

SMALL = ("--batch-size", "32", "--epochs", "6", "--save-every", "5")  # 8 steps an epoch, 48 in all
PNG = b"\x89PNG"

pytestmark = pytest.mark.newest  # training, which no user's model touches


def arguments(page: str, out: Path, *more: str) -> list[str]:
    return [page, *SMALL, "--out", str(out), *more]


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    """The folder of an undisturbed run."""
    out = tmp_path_factory.mktemp("runs")
    assert small_data.run(*arguments("p4cnn", out, "--beside")) == 0
    return out / "p4cnn"


def summary(folder: Path) -> dict:
    return json.loads((folder / "summary.json").read_text())


def rows(folder: Path) -> list[dict]:
    """The metrics but for the seconds, which no two runs share."""
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    return [{k: v for k, v in json.loads(line).items() if k != "seconds"} for line in lines]


def test_a_run_learns_and_leaves_everything_behind(finished):
    s = summary(finished)
    assert s["status"] == "finished" and s["steps"] == 48
    assert s["parameters"] == 24_680
    assert s["test_images"] == small_data.SIZES["test"]
    assert s["test_error_percent"] < 60  # chance is 90
    assert s["test_error_standard_error"] == pytest.approx(
        100 * np.sqrt(s["test_error_percent"] / 100 * (1 - s["test_error_percent"] / 100) / 256)
    )
    assert {"python", "jax", "flax", "optax"} <= s["versions"].keys()
    assert s["device"] and s["command"].startswith("python -m experiments.train")
    assert s["seconds_per_epoch"] > 0
    assert rows(finished)[-1]["loss"] < 0.6 * rows(finished)[0]["loss"]
    for name in ("learning_curves", "error_by_angle", "feature_maps"):
        assert (finished / f"{name}.png").read_bytes().startswith(PNG)
    assert not list(finished.glob("*partial*"))


def test_the_trained_network_is_proven_invariant(finished):
    verdicts = summary(finished)["equivariance"]
    assert verdicts["float32"]["holds"] and 0 < verdicts["float32"]["error"] <= 1e-5
    assert verdicts["float64"]["holds"] and 0 < verdicts["float64"]["error"] <= 1e-13


def test_the_error_of_the_trained_network_repeats_every_quarter_turn(finished):
    curve = np.array(summary(finished)["error_by_angle"]["error_percent"])
    assert len(curve) == 24
    np.testing.assert_array_equal(curve, np.roll(curve, 6))


def test_a_finished_run_is_not_trained_again(finished, capsys):
    before = summary(finished), rows(finished)
    assert small_data.run(*arguments("p4cnn", finished.parent, "--beside")) == 0
    assert summary(finished)["test_error_percent"] == before[0]["test_error_percent"]
    assert rows(finished) == before[1]
    assert "going on after step 48 of 48" in " ".join(capsys.readouterr().out.split())


def test_another_config_in_the_same_folder_is_refused(finished, capsys):
    assert small_data.run(*arguments("p4cnn", finished.parent, "--seed", "1")) == 2
    out = " ".join(capsys.readouterr().out.split())
    assert "seed = 0 (now 1)" in out and "--name" in out


def test_the_control_must_fail_the_verdict(tmp_path, capsys):
    assert small_data.run(*arguments("z2cnn", tmp_path, "--epochs", "1")) == 0
    s = summary(tmp_path / "z2cnn")
    assert s["parameters"] == 21_750
    assert s["equivariance"]["float32"]["error"] > 0.1
    assert not s["equivariance"]["float32"]["holds"]
    out = " ".join(capsys.readouterr().out.split())
    assert "the control is not invariant under p4" in out
    assert not (tmp_path / "z2cnn" / "feature_maps.png").exists()


def test_a_false_claim_is_refuted(tmp_path, capsys, monkeypatch):
    text, config = pages()["z2cnn"]
    liar = dataclasses.replace(config, claims_symmetry=True)
    monkeypatch.setattr("experiments.train.pages", lambda: {"z2cnn": (text, liar)})
    # with a single page, there is nothing to choose
    assert small_data.run(*arguments("z2cnn", tmp_path, "--epochs", "1")) == 1
    assert "Refuted" in capsys.readouterr().out


def test_validation_images_are_held_back_on_request(tmp_path):
    assert small_data.run(
        *arguments("p4cnn", tmp_path, "--train-on", "train", "--epochs", "1", "--beside")
    ) == 0  # fmt: skip
    assert summary(tmp_path / "p4cnn")["steps"] == 192 // 32
    assert 0 <= rows(tmp_path / "p4cnn")[-1]["valid_error_percent"] <= 100


def test_errors_counts_every_image_once():
    labels = np.arange(7) % 3
    images = np.zeros((7, 2, 2), np.uint8)
    images[:, 0, 0] = labels
    images[2, 0, 0] = 1  # one mistake

    def classify(x):
        assert len(x) == 4
        return jax.nn.one_hot(jnp.asarray(x)[:, 0, 0], 3)

    wrong = errors(classify, images, labels, batch=4)
    assert wrong.tolist() == [False, False, True, False, False, False, False]
    assert percent(wrong) == pytest.approx(100 / 7)
    assert standard_error(50.0, 2500) == pytest.approx(1.0)


def test_the_error_by_angle_sees_which_way_is_up():
    images = np.zeros((4, 28, 28), np.uint8)
    images[:, 2:6, 13:15] = 255  # a bar at the top

    def top(x):
        ink = jnp.asarray(x, jnp.float32)
        return jnp.stack([ink[:, :14].sum((1, 2)), ink[:, 14:].sum((1, 2))], -1)

    def anywhere(x):
        ink = jnp.asarray(x, jnp.float32).sum((1, 2))
        return jnp.stack([ink, 0 * ink], -1)

    labels = np.zeros(4, int)
    assert error_by_angle(top, images, labels, 4)["error_percent"][::2] == [0.0, 100.0]
    assert error_by_angle(anywhere, images, labels, 4)["error_percent"] == [0.0] * 4
    assert error_by_angle(top, images, labels, 4)["degrees"] == [0, 90, 180, 270]


def test_every_page_says_what_it_is():
    assert {"p4cnn", "p4cnn_rp", "z2cnn", "upright_p4cnn", "upright_z2cnn"} <= pages().keys()
    for name, (text, config) in pages().items():
        assert config.name == name
        assert f"python -m experiments.train {name}" in text
        model = nnx.eval_shape(lambda config=config: config.model(nnx.Rngs(0)))
        assert isinstance(model, nnx.Module)
        assert json.dumps(config.numbers())


CONFIG = Config("made", lambda rngs: models.P4CNN(rngs=rngs), groups.p4())


@pytest.mark.parametrize("what", ["epochs", "batch_size", "save_every", "learning_rate"])
def test_settings_are_positive(what):
    with pytest.raises(ValueError, match=f"{what} must be positive, got 0"):
        dataclasses.replace(CONFIG, **{what: 0})


def test_a_batch_larger_than_the_data_is_refused(tmp_path, capsys):
    assert small_data.run("p4cnn", "--batch-size", "300", "--out", str(tmp_path), "--beside") == 2
    out = " ".join(capsys.readouterr().out.split())
    assert "batch_size 300 is more than the 256 training images" in out


def test_runs_to_draw_beside_must_be_there_and_finished(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"is the summary\.json of a finished run"):
        Data.load(dataclasses.replace(CONFIG, beside=(tmp_path / "none.json",)))
    write_json(tmp_path / "begun.json", {"name": "begun"})
    with pytest.raises(ValueError, match="did not come to its end"):
        Data.load(dataclasses.replace(CONFIG, beside=(tmp_path / "begun.json",)))


def rates(steps: int, **changes) -> list[float]:
    """The first updates of a parameter whose gradient is always 1."""
    config = dataclasses.replace(CONFIG, learning_rate=1.0, **changes)
    optimizer = config.transformation(steps)
    weight = jnp.zeros((1, 1))
    state, updates = optimizer.init(weight), []
    for _ in range(steps + 1):
        update, state = optimizer.update(jnp.ones((1, 1)), state, weight)
        updates.append(-float(update[0, 0]))
    return updates


def test_the_schedules():
    assert rates(10)[::10] == pytest.approx([1.0, 0.0], abs=1e-3)
    assert rates(10, schedule="constant")[::10] == pytest.approx([1.0, 1.0], rel=1e-3)
    warm = rates(10, epochs=5, warmup=1)
    assert warm[:3] == pytest.approx([0.0, 0.5, 1.0], rel=1e-3) and warm[10] < 1e-3
    flat = rates(10, epochs=5, warmup=1, schedule="constant")
    assert flat == pytest.approx([0.0, 0.5] + [1.0] * 9, rel=1e-3)


def test_sgd_gathers_momentum():
    # with Nesterov's momentum 0.9 the first updates are 1 + 0.9 and 1 + 0.9 (1 + 0.9)
    assert rates(10, optimizer="sgd", schedule="constant")[:2] == pytest.approx([1.9, 2.71])


@pytest.mark.parametrize(("optimizer", "after"), [("adam", 0.9), ("sgd", 0.81)])
def test_weights_decay_and_biases_do_not(optimizer, after):
    config = dataclasses.replace(
        CONFIG, optimizer=optimizer, learning_rate=1.0, weight_decay=0.1, schedule="constant"
    )
    params = {"kernel": jnp.ones((2, 2)), "bias": jnp.ones(2)}
    transformation = config.transformation(10)
    zero = jax.tree.map(jnp.zeros_like, params)
    updates, _ = transformation.update(zero, transformation.init(params), params)
    moved = jax.tree.map(jnp.add, params, updates)
    np.testing.assert_allclose(moved["kernel"], after)
    np.testing.assert_array_equal(moved["bias"], 1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weight_decay": -1.0}, r"weight_decay is -1.0; it must be 0 or more"),
        ({"whiten": True}, r"whiten is for photographs; leave it out with rotated_mnist"),
        ({"average": 1.0}, r"average is 1.0; it must be 0 or more, and less than 1"),
        ({"warmup": 12.0}, r"warmup is 12.0 epochs of 12"),
    ],
)
def test_settings_that_make_no_sense_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(CONFIG, **change)


def photographs(path: Path) -> Path:
    """A made-up CIFAR-10 of 40 + 16 photographs: one class is red, the others are not."""
    drawn = np.random.default_rng(0)
    arrays = {}
    for split, n in (("train", 40), ("test", 16)):
        y = np.arange(n, dtype=np.uint8) % 10
        x = drawn.integers(0, 100, (n, 32, 32, 3), np.uint8)
        x[y == 3, ..., 0] += 150
        arrays |= {f"x_{split}": x, f"y_{split}": y}
    np.savez(path, **arrays)
    return path


@pytest.mark.newest
def test_photographs_are_trained_on_and_tested(tmp_path, monkeypatch):
    def small(rngs):
        return models.ResNet(groups.p4(), channels=(2, 2), blocks=1, rngs=rngs)

    config = Config("small", small, groups.p4(), data="cifar10", curve=False, batch_size=8)
    monkeypatch.setattr("experiments.train.pages", lambda: {"small": ("Made.", config)})
    archive = photographs(tmp_path / "made.npz")
    arguments = ["small", "--archive", str(archive), "--out", str(tmp_path), "--epochs", "1",
                 "--optimizer", "sgd", "--augment.mirror", "--augment.shift", "2"]  # fmt: skip
    assert train.main(arguments) == 0
    s = summary(tmp_path / "small")
    assert s["data"] == "CIFAR-10, 40 of its 50 000 training images"
    assert s["steps"] == 5 and s["test_images"] == 16 and s["equivariance"]["float64"]["holds"]
    assert "error_by_angle" not in s and not (tmp_path / "small" / "error_by_angle.png").exists()


def test_whitened_photographs_are_those_of_the_whitening(tmp_path, monkeypatch):
    asked = []

    def fit(images, group):
        asked.append((len(images), group.name))
        return lambda images: images.astype(np.float32) / 255

    monkeypatch.setattr(report.whitening, "fit", fit)
    config = dataclasses.replace(
        CONFIG, data="cifar10", archive=photographs(tmp_path / "made.npz"), curve=False,
        whiten=True, train_on="train",
    )  # fmt: skip
    data = Data.load(config)
    assert asked == [(32, "p4")]  # the training images alone
    assert data.test.images.dtype == np.float32 and data.test.images.max() <= 1


def test_photographs_are_not_turned(tmp_path):
    for change in ({"turns": 2, "curve": False}, {"curve": True}):
        config = dataclasses.replace(CONFIG, data="cifar10", **change)
        with pytest.raises(ValueError, match="have corners"):
            Data.load(config)


def test_figures_of_made_data(tmp_path):
    made = [{"epoch": e, "loss": 1 / e, "train_error_percent": 10 / e} for e in (1.0, 2.0)]
    made[1]["valid_error_percent"] = 7.0
    figures.learning_curves(tmp_path / "curves.png", made, "made", 5.0)
    curve = {"degrees": [0.0, 90.0, 180.0, 270.0], "error_percent": [1.0, 2.0, 1.0, 2.0]}
    figures.error_by_angle(tmp_path / "angle.png", {"a": curve, "b": curve}, "made")
    figures.feature_maps(
        tmp_path / "maps.png", np.ones((2, 5, 5)), np.ones((2, 5, 5, 2)), ["e", "m"]
    )
    for name in ("curves", "angle", "maps"):
        assert (tmp_path / f"{name}.png").read_bytes().startswith(PNG)


def test_provenance_outside_a_checkout(monkeypatch, tmp_path):
    def no_git(*args, **kwargs):
        raise FileNotFoundError("git")

    monkeypatch.setattr(records.subprocess, "run", no_git)
    assert records.provenance()["commit"] == ""
