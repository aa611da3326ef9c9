"""Many devices, processes, seeds and micro-batches give the numbers of one, to rounding."""

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from benchmarks import pipeline
from benchmarks.seeds import Options, measure
from experiments.config import Config
from experiments.parallel.batches import Order, batches
from experiments.parallel.devices import Devices
from experiments.parallel.seeds import apart, side_by_side
from experiments.report import Trained, verify_trained
from experiments.training.augment import Augment
from experiments.training.remat import recomputed
from experiments.training.step import State, build, epoch_order

from . import tiny_run
from .eight_devices import SGD, distance, numbers

ROOT = Path(__file__).parent.parent
DATA = tiny_run.made()["train"]
# A few sums in another order, of numbers around 1, over a few steps.
ROUNDING = 1e-5


def trained(config: Config, steps: int = 3) -> State:
    """The state on one device after some steps."""
    devices = Devices(config.batch_size, config.seeds, config.accumulate)
    runs = config.each_seed()
    programs = [build(run, 50, 127.0, 74.0) for run in runs]
    program = programs[0] if len(runs) == 1 else side_by_side(programs)
    order = Order([run.seed for run in runs], len(DATA.labels), config.batch_size)
    state = program.start()
    for batch in batches(config, DATA.images, DATA.labels, order, devices, range(steps)):
        state = program.step(state, *batch)
    return state


@pytest.fixture(scope="module")
def one() -> list[np.ndarray]:
    return numbers(trained(SGD))


# Devices.


@pytest.mark.newest
def test_eight_devices_give_what_one_gives():
    virtual = {**os.environ, "XLA_FLAGS": "--xla_force_host_platform_device_count=8"}
    done = subprocess.run([sys.executable, "-W", "error", "-m", "tests.eight_devices"],
                          capture_output=True, text=True, cwd=ROOT, env=virtual)  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout)
    for same in ("eight devices", "seeds apart", "seeds side by side"):
        assert found[same] < ROUNDING, same
    assert found["grain and device"] == 0
    for differs in ("another seed", "statistics of each device"):
        assert found[differs] > 100 * ROUNDING, differs
    # gradients and statistics are summed, and no image travels; seeds apart need nothing at all
    assert found["sums"].pop("all-reduce") > 0
    assert not any(found["sums"].values()) and not any(found["sums of seeds apart"].values())


@pytest.mark.parametrize(
    ("batch", "accumulate", "message"),
    [
        (100, 1, r"batch of 100 cannot be divided evenly among 8 devices; use --batch-size 96 or"),
        (4, 1, r"use --batch-size 8, or fewer devices"),
        (72, 2, r"in 2 micro-batches, cannot .* use --batch-size 64 or 80"),
    ],
)
def test_a_batch_that_devices_cannot_share_is_refused(monkeypatch, batch, accumulate, message):
    monkeypatch.setattr(jax, "device_count", lambda: 8)
    with pytest.raises(ValueError, match=message):
        Devices(batch, accumulate=accumulate)


# Batches.


def test_both_pipelines_give_the_same_batches_from_any_step():
    devices = Devices(16)
    order = Order([3], len(DATA.labels), 16)
    feeds = {
        name: batches(dataclasses.replace(SGD, pipeline=name), DATA.images, DATA.labels, order,
                      devices, range(2, 9))
        for name in ("device", "grain")
    }  # fmt: skip
    count = 0
    for step, (ours, grain) in enumerate(zip(*feeds.values(), strict=True), 2):
        pixels, classes, chosen = map(np.asarray, ours)
        np.testing.assert_array_equal(chosen, epoch_order(3, step // 3, 48, 16)[step % 3])
        np.testing.assert_array_equal(grain[0], pixels[chosen])
        np.testing.assert_array_equal(grain[1], classes[chosen])
        assert grain[0].dtype == np.uint8 and grain[1].dtype == np.int32 and grain[2] is None
        count += 1
    assert count == 7


def test_both_pipelines_train_to_the_same_bits(one):
    by_grain = numbers(trained(dataclasses.replace(SGD, pipeline="grain")))
    assert distance(one, by_grain) == 0


def test_grain_is_asked_for_if_it_is_missing(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"pip install 'gcnn\[grain\]'"):
        dataclasses.replace(SGD, pipeline="grain")


# Seeds.


def test_seeds_side_by_side_are_as_each_alone(one):
    moved = dataclasses.replace(SGD, augment=Augment(mirror=True))
    first, second = apart(trained(dataclasses.replace(moved, seeds=2)), 2)
    alone = numbers(trained(dataclasses.replace(moved, seed=1)))
    assert distance(alone, numbers(second)) < ROUNDING
    for other in (numbers(first), one):
        assert distance(alone, other) > 100 * ROUNDING


@pytest.mark.newest
def test_every_seed_leaves_a_folder_as_if_it_had_been_alone(tmp_path, capsys):
    short = ("--epochs", "4", "--out", str(tmp_path))
    assert tiny_run.run(*short, "--seeds", "2", "--seed", "1") == 0
    summaries = [
        json.loads((tmp_path / "tiny" / f"seed{seed}" / "summary.json").read_text())
        for seed in (1, 2)
    ]
    assert [s["config"]["seed"] for s in summaries] == [1, 2]
    assert summaries[0]["last"]["loss"] != summaries[1]["last"]["loss"]
    capsys.readouterr()
    alone = ("--name", "tiny/seed2", "--seed", "2")
    assert tiny_run.run(*short, *alone) == 0
    assert "going on after step 16 of 16" in " ".join(capsys.readouterr().out.split())
    again = json.loads((tmp_path / "tiny" / "seed2" / "summary.json").read_text())
    for same in ("config", "steps", "parameters", "test_error_percent", "last"):
        assert again[same] == summaries[1][same]
    # and the two together go on, too, while another number of them is another run
    assert tiny_run.run(*short, "--seeds", "2", "--seed", "1") == 0
    assert tiny_run.run(*short, "--seeds", "3", "--seed", "1") == 2
    assert "seeds = 2 (now 3)" in " ".join(capsys.readouterr().out.split())


# Larger models: types, micro-batches, memory.


def plain(**changes) -> Config:
    """Without BatchNorm and dropout, the only layers in which images of a batch meet."""
    return dataclasses.replace(SGD, model=lambda rngs: Plain(rngs), **changes)


class Plain(nnx.Module):
    def __init__(self, rngs: nnx.Rngs):
        self.conv = nnx.Conv(1, 4, (3, 3), rngs=rngs)
        self.head = nnx.Linear(4, 10, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.head(nnx.relu(self.conv(x)).mean((1, 2)))


def test_micro_batches_do_not_matter_where_images_do_not_meet():
    whole, parts = (numbers(trained(plain(accumulate=k))) for k in (1, 4))
    assert 0 < distance(whole, parts) < ROUNDING  # with BatchNorm: see "statistics of each device"
    peaks = []
    for k in (1, 4):
        program = build(plain(accumulate=k), 50, 127.0, 74.0)
        lowered = program.step.lower(program.start(), DATA.images, DATA.labels, np.arange(16))
        peaks.append(lowered.compile().memory_analysis().temp_size_in_bytes)
    assert peaks[1] < 0.75 * peaks[0]  # the parameters, which do not shrink, have a share here


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"accumulate": 3}, "16 cannot be divided into 3 equal micro-batches; .* 15 or 18"),
        ({"accumulate": 0}, "accumulate must be positive, got 0"),
        ({"seeds": 0}, "seeds must be positive, got 0"),
    ],
)
def test_parts_that_cannot_be_made_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(SGD, **change)


def test_bfloat16_computes_in_bfloat16_and_keeps_float32():
    seen = set()

    def watch(x: jax.Array) -> jax.Array:
        seen.add(x.dtype)
        return nnx.relu(x)

    config = dataclasses.replace(
        SGD, model=lambda rngs: tiny_run.Tiny(rngs, activation=watch), compute="bfloat16"
    )
    state = trained(config)
    assert seen == {np.dtype("bfloat16")}
    assert {leaf.dtype for leaf in numbers(state)} == {np.dtype("float32")}
    program = build(config, 50, 127.0, 74.0)
    # kernels move nearly alike; a bias before BatchNorm has a gradient of rounding errors alone
    here, there, origin = (
        [leaf for leaf in numbers(s.params) if leaf.ndim > 1]
        for s in (trained(SGD), state, program.start())
    )
    assert 10 * ROUNDING < distance(here, there) < 0.1 * distance(here, origin)
    assert program.logits(state, DATA.images).dtype == jnp.float32


def test_an_accelerator_is_judged_at_full_precision_and_as_it_computes(monkeypatch):
    asked = []

    def watch(x: jax.Array) -> jax.Array:
        asked.append(jax.config.jax_default_matmul_precision)
        return nnx.relu(x)

    config = dataclasses.replace(SGD, model=lambda rngs: tiny_run.Tiny(rngs, activation=watch))
    model = config.model(nnx.Rngs(0))
    model.eval()
    run = Trained(lambda x: x, model, 127.0, 74.0, [], 1, True)
    monkeypatch.setattr(jax, "default_backend", lambda: "made up")
    found = verify_trained(config, run, DATA.images[:4])
    assert list(found) == ["default precision", "float32", "float64"]
    assert asked == [None, "highest", "highest"]
    assert found["default precision"].tolerance == 0.05 > 1e3 * found["float32"].tolerance


class Layer(nnx.Module):
    def __init__(self, rngs: nnx.Rngs):
        self.conv = nnx.Conv(8, 8, (3, 3), rngs=rngs)
        self.norm = nnx.BatchNorm(8, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        return nnx.relu(self.norm(self.conv(x)))


def loss_of(call):
    """A loss, its parameters and images; it gives the network's state afterwards, too."""
    stack = nnx.Sequential(*(Layer(nnx.Rngs(i)) for i in range(6)))
    graph, params, rest = nnx.split(stack, nnx.Param, ...)
    params, rest = nnx.as_pure(params), nnx.as_pure(rest)

    def loss(params, x):
        model = nnx.merge(graph, params, rest)
        value = jnp.sum(call(model, x) ** 2)
        return value, nnx.as_pure(nnx.state(model, nnx.Not(nnx.Param)))

    return loss, params, jax.random.normal(jax.random.key(0), (16, 16, 16, 8))


CALLS = (lambda model, x: model(x), recomputed)


def test_remat_keeps_less_and_changes_no_gradient():
    gradients, kept = [], []
    for call in CALLS:
        loss, params, x = loss_of(call)
        gradients.append(jax.tree.leaves(jax.jit(jax.grad(loss, has_aux=True))(params, x)))
        backward = jax.eval_shape(lambda p, f=loss, x=x: jax.vjp(f, p, x, has_aux=True)[1], params)
        kept.append(sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(backward)))
    for a, b in zip(*gradients, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4 * np.abs(a).max())
    assert kept[1] < 0.6 * kept[0]


@pytest.mark.newest  # the oldest JAX, on a CPU, finds the second computation equal to the first
def test_remat_lowers_the_peak_of_memory():
    peaks = []
    for call in CALLS:
        loss, *arguments = loss_of(call)
        compiled = jax.jit(jax.grad(loss, has_aux=True)).lower(*arguments).compile()
        peaks.append(compiled.memory_analysis().temp_size_in_bytes)
    assert peaks[1] < 0.7 * peaks[0]


def test_remat_needs_blocks():
    with pytest.raises(ValueError, match=r"Plain has none: put its blocks into one"):
        recomputed(Plain(nnx.Rngs(0)), jnp.ones((1, 8, 8, 1)))


# What it costs.


def test_seeds_are_timed_apart_and_at_once():
    found = measure("perceptron", Options(seeds=2, repetitions=3))
    low, high = found["ratio_quartiles"]
    assert 0 < low <= found["ratio"] <= high and min(found["apart_ms"], found["at_once_ms"]) > 0


def test_pipelines_are_timed_on_the_same_images(monkeypatch):
    monkeypatch.setattr(pipeline, "SHAPES", {"small": (1000, 28, 28)})
    found = pipeline.measure(pipeline.Options(repetitions=1, batches=3))
    assert {name: makers.keys() for name, makers in found.items()} == {
        "small": {"device", "grain"}, "small, decoded": {"in line", "grain"}
    }  # fmt: skip
    assert all(ms > 0 for makers in found.values() for ms in makers.values())


def test_compressed_images_are_decoded_as_they_were():
    files = pipeline.Compressed(DATA.images)
    np.testing.assert_array_equal(files[np.array([3, 1, 3])], DATA.images[[3, 1, 3]])


@pytest.mark.newest
def test_the_report_tells_what_bfloat16_costs(tmp_path):
    assert tiny_run.run("--epochs", "4", "--compute", "bfloat16", "--out", str(tmp_path)) == 0
    summary = json.loads((tmp_path / "tiny" / "summary.json").read_text())
    assert 0 <= summary["test_error_percent_in_float32"] <= 100
    verdicts = summary["equivariance"]
    assert verdicts["bfloat16"]["dtype"] == "bfloat16" and verdicts["bfloat16"]["holds"]
    assert verdicts["float32"]["error"] > 10 * verdicts["float64"]["error"] > 0
