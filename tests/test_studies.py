"""What the studies share: a short training that resumes, and a page that says where it is from."""

import json

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from rich.console import Console

from experiments import page
from experiments.fit import Schedule, fit

QUIET = Console(quiet=True)
X = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
Y = X @ np.array([[1.0], [-2.0], [0.5]], np.float32)


def squares(outputs, targets):
    return jnp.mean((outputs - targets) ** 2)


def train(folder, schedule, seed=0, features=1):
    model = nnx.Sequential(nnx.Linear(3, features, rngs=nnx.Rngs(seed)))
    return fit(model, X, Y, squares, schedule, folder, QUIET)


def test_a_line_is_learnt(tmp_path):
    fitted = train(tmp_path / "a", Schedule(60, 8, 0.1))
    assert fitted.parameters == 4
    assert len(fitted.rows) == 60 and fitted.rows[-1]["step"] == 300
    assert fitted.seconds == sum(row["seconds"] for row in fitted.rows)
    np.testing.assert_allclose(fitted.model(X), Y, atol=1e-3)
    barely = train(tmp_path / "b", Schedule(1, 8, 1e-6))
    assert squares(barely.model(X), Y) > 0.1  # it is the training that learns


def test_a_run_that_was_killed_ends_with_the_same_numbers(tmp_path, monkeypatch):
    schedule = Schedule(4, 8, 0.1)
    whole = train(tmp_path / "whole", schedule)
    seen = []

    def stop(self, message):
        seen.append(message)
        if len(seen) == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Console, "print", stop)
        with pytest.raises(KeyboardInterrupt):
            train(tmp_path / "killed", schedule)
    again = train(tmp_path / "killed", schedule)
    assert [row["step"] for row in again.rows] == [5, 10, 15, 20]
    np.testing.assert_array_equal(again.model(X), whole.model(X))
    once_more = train(tmp_path / "killed", schedule)
    assert once_more.rows == again.rows  # finished: nothing is trained again


def test_a_folder_belongs_to_one_network(tmp_path):
    train(tmp_path, Schedule(1, 8, 0.1))
    with pytest.raises(ValueError, match=r"epochs = 1 \(now 2\)"):
        train(tmp_path, Schedule(2, 8, 0.1))
    with pytest.raises(ValueError, match=r"parameters = 4 \(now 8\)"):
        train(tmp_path, Schedule(1, 8, 0.1), features=2)


@pytest.mark.parametrize("change", ["epochs", "batch_size", "learning_rate"])
def test_a_schedule_that_cannot_run_is_refused(change):
    with pytest.raises(ValueError, match=f"{change} must be positive, got 0"):
        Schedule(**{"epochs": 1, "batch_size": 1, "learning_rate": 1.0, change: 0})


def test_a_batch_needs_as_many_samples(tmp_path):
    with pytest.raises(ValueError, match="batch_size 64 is more than the 40 training samples"):
        train(tmp_path, Schedule(1, 64, 0.1))


def test_a_page_shows_its_parts_and_where_they_come_from(tmp_path):
    parts = ["Words.", page.table(["a", "b"], [["1", "2"]]), page.figure("x.png", "An x.")]
    findings, config = {"error": 0.5}, {"seed": 3}
    page.write_page(tmp_path, "experiments.made", "A title", parts, findings, config, 12.3)
    text = (tmp_path / "page.md").read_text()
    assert text.startswith("# A title\n\nWords.\n\n| a | b |\n| --- | --- |\n| 1 | 2 |\n\n![An x.]")
    assert "python -m experiments.made" in text and "12 s" in text and "seed = 3" in text
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["name"] == "made" and summary["findings"] == findings
    assert summary["commit"] in text or summary["commit"][:12] in text
    assert {"versions", "device", "config", "seconds", "command"} <= set(summary)
