"""Training, resuming, recording: runs on a few hundred digits, and on made data."""

import dataclasses
import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp
import pytest
from flax import nnx

from experiments import figures, records
from experiments.checkpoints import Checkpoints
from experiments.config import Config
from experiments.configs import pages
from experiments.evaluate import error_by_angle, errors, percent, standard_error
from experiments.records import Metrics, claim_folder, replace_file, write_json
from experiments.report import Data
from gcnn import groups, models

from . import small_data

ROOT = Path(__file__).parents[1]
SMALL = ("--batch-size", "32", "--epochs", "6", "--save-every", "5")  # 8 steps an epoch, 48 in all
PNG = b"\x89PNG"


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


def final_state(folder: Path) -> dict[str, np.ndarray]:
    manager = ocp.CheckpointManager((folder / "checkpoints").absolute())
    state = manager.restore(manager.latest_step(), args=ocp.args.StandardRestore())
    manager.close()

    def numbers(leaf):
        is_key = jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
        return np.asarray(jax.random.key_data(leaf) if is_key else leaf)

    return {path: numbers(leaf) for path, leaf in state.items()}


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


@pytest.mark.newest
def test_a_run_that_is_killed_ends_bit_identical(finished, tmp_path):
    """SIGKILL at random moments, then Ctrl-C, then to the end."""
    folder = tmp_path / "p4cnn"
    command = [sys.executable, "-m", "tests.small_data", *arguments("p4cnn", tmp_path, "--beside")]
    moments = random.Random(2016)

    def start() -> subprocess.Popen:
        return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)

    def start_and_send(signum: signal.Signals) -> tuple[int, str]:
        """Start, let it write a line of metrics of its own, and send the signal soon after."""
        path, deadline = folder / "metrics.jsonl", time.monotonic() + 120
        opened = path.stat().st_mtime_ns if path.exists() else 0
        process, own = start(), None
        while own is None or len(path.read_text().splitlines()) <= own:
            if own is None and path.exists() and path.stat().st_mtime_ns != opened:
                own = len(path.read_text().splitlines())
            assert process.poll() is None, "it ended before it could be killed"
            assert time.monotonic() < deadline, "no progress"
            time.sleep(0.01)
        time.sleep(moments.uniform(0, 0.15))
        process.send_signal(signum)
        out, _ = process.communicate()
        return process.returncode, out

    for _ in range(2):
        status, _ = start_and_send(signal.SIGKILL)
        assert status == -signal.SIGKILL
        assert not (folder / "summary.json").exists()

    status, out = start_and_send(signal.SIGINT)
    assert status == 130, out
    assert summary(folder)["status"] == "interrupted"
    assert (folder / "learning_curves.png").read_bytes().startswith(PNG)
    step = summary(folder)["steps"]
    assert 0 < step < 48

    process = start()
    out, _ = process.communicate()
    assert process.returncode == 0, out
    assert f"going on after step {step} of 48" in " ".join(out.split())
    assert rows(folder) == rows(finished)
    assert summary(folder)["test_error_percent"] == summary(finished)["test_error_percent"]
    undisturbed, disturbed = final_state(finished), final_state(folder)
    assert undisturbed.keys() == disturbed.keys()
    for path in undisturbed:
        np.testing.assert_array_equal(undisturbed[path], disturbed[path], err_msg=path)
    other = tmp_path / "other"  # the control: another seed ends with other bits
    assert small_data.run(*arguments("p4cnn", other, "--beside", "--seed", "1")) == 0
    assert rows(other / "p4cnn") != rows(finished)


def test_a_checkpoint_of_another_model_is_refused(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(3, {"w": jnp.ones((2, 3))})
    checkpoints.close()
    with pytest.raises(ValueError, match=r"\['w'\] has shape \(2, 3\) there and \(2, 4\) here"):
        Checkpoints(tmp_path).restore({"w": jnp.ones((2, 4))})
    with pytest.raises(ValueError, match=r"\['v'\] has shape None there and \(1,\) here"):
        Checkpoints(tmp_path).restore({"w": jnp.ones((2, 3)), "v": jnp.ones(1)})


def test_a_checkpoint_gives_back_what_was_saved(tmp_path):
    state = ({"w": jnp.arange(3.0)}, [jnp.int32(7), jax.random.key(1)])
    checkpoints = Checkpoints(tmp_path)
    assert checkpoints.restore(state)[0] == 0
    checkpoints.save(3, state)
    checkpoints.save(3, state)  # once more is not an error
    checkpoints.close()
    step, found = Checkpoints(tmp_path).restore(jax.tree.map(jnp.zeros_like, state[0]) and state)
    assert step == 3
    assert jax.tree.structure(found) == jax.tree.structure(state)
    np.testing.assert_array_equal(found[0]["w"], state[0]["w"])
    assert jnp.array_equal(jax.random.key_data(found[1][1]), jax.random.key_data(state[1][1]))


def test_a_file_is_whole_or_absent(tmp_path):
    path = tmp_path / "a" / "value.json"
    write_json(path, {"x": 1})

    def fail(partial: Path) -> None:
        partial.write_text("half")
        raise OSError("no space left on device")

    with pytest.raises(OSError, match="no space left"):
        replace_file(path, fail)
    assert json.loads(path.read_text()) == {"x": 1}
    assert list(path.parent.iterdir()) == [path]


def test_metrics_forget_what_lies_behind_the_checkpoint(tmp_path):
    path = tmp_path / "metrics.jsonl"
    metrics = Metrics(path, 0)
    for step in (1, 2, 3):
        metrics.append(step=step, loss=0.5)
    with path.open("a") as file:
        file.write('{"step": 4, "lo')  # killed while writing
    assert [row["step"] for row in Metrics(path, 2).rows] == [1, 2]
    assert path.read_text().splitlines() == ['{"step": 1, "loss": 0.5}', '{"step": 2, "loss": 0.5}']


def test_a_folder_belongs_to_one_run(tmp_path):
    claim_folder(tmp_path, {"seed": 0, "epochs": 2})
    claim_folder(tmp_path, {"seed": 0, "epochs": 2})
    with pytest.raises(ValueError, match=r"holds a run with epochs = 2 \(now 3\)"):
        claim_folder(tmp_path, {"seed": 0, "epochs": 3})


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
        assert isinstance(config.model(nnx.Rngs(0)), nnx.Module)
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


def test_the_schedules():
    cosine = dataclasses.replace(CONFIG, learning_rate=1.0).optimizer(10)
    constant = dataclasses.replace(CONFIG, learning_rate=1.0, schedule="constant").optimizer(10)
    for optimizer, last in ((cosine, 0.0), (constant, 1.0)):
        state = optimizer.init(jnp.ones(()))
        for step in range(11):
            update, state = optimizer.update(jnp.ones(()), state)
            if step == 0:
                assert update == pytest.approx(-1.0, rel=1e-3)
        assert update == pytest.approx(-last, rel=1e-3, abs=1e-6)


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
