"""Runs that are killed, run out of disk or find another's files: nothing is lost or damaged."""

import dataclasses
import json
import multiprocessing
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp
import pytest
from flax import nnx
from tensorboardX.proto.event_pb2 import Event

from experiments.config import Config
from experiments.durable import records
from experiments.durable.checkpoints import Checkpoints, room
from experiments.durable.events import Events
from experiments.durable.identity import program_sha256
from experiments.durable.interrupt import interruptible
from experiments.durable.records import Metrics, alone, claim_folder, replace_file, write_json

from . import tiny_run
from .tiny_run import CONFIG, SAVE_EVERY, STEPS, Tiny

ROOT = Path(__file__).parents[1]

# Processes that are born with all imports made, so that many can be started and killed.
processes = multiprocessing.get_context("forkserver")
processes.set_forkserver_preload(["tests.tiny_run"])


def start(out: Path, *more: str, hindrance: str = "") -> BaseProcess:
    """A run in the folder `out`, in a process of its own, whose words go to `out`.log."""
    arguments = (f"{out}.log", hindrance, "--out", str(out), *more)
    process = processes.Process(target=tiny_run.run_in_the_background, args=arguments)
    process.start()
    return process


def end(process: BaseProcess) -> int | None:
    process.join(60)
    return process.exitcode


def said(out: Path) -> str:
    """The words of the last run, in one line."""
    return " ".join(Path(f"{out}.log").read_text().split())


def summary(out: Path) -> dict:
    return json.loads((out / "tiny" / "summary.json").read_text())


def rows(out: Path) -> list[dict]:
    """The whole lines of metrics but for the seconds, which no two runs share."""
    path = out / "tiny" / "metrics.jsonl"
    lines = path.read_text().splitlines(keepends=True) if path.exists() else []
    found = [json.loads(line) for line in lines if line.endswith("\n")]
    return [{k: v for k, v in row.items() if k != "seconds"} for row in found]


def saved(out: Path) -> list[int]:
    """The steps that are saved."""
    names = [path.name for path in (out / "tiny" / "checkpoints").glob("*")]
    return sorted(int(name) for name in names if name.isdigit())


def final_state(out: Path) -> dict[str, np.ndarray]:
    manager = ocp.CheckpointManager((out / "tiny" / "checkpoints").absolute())
    state = manager.restore(manager.latest_step(), args=ocp.args.StandardRestore())
    manager.close()

    def numbers(leaf):
        is_key = jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
        return np.asarray(jax.random.key_data(leaf) if is_key else leaf)

    return {path: numbers(leaf) for path, leaf in state.items()}


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a run but the lock, which holds nothing of it."""
    paths = [path for path in folder.rglob("*") if path.is_file() and path.name != ".lock"]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def same(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> bool:
    return a.keys() == b.keys() and all(np.array_equal(a[path], b[path]) for path in a)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("undisturbed") / "runs"
    assert tiny_run.run("--out", str(out)) == 0  # here, so that the others find it compiled
    return out


@pytest.fixture
def begun(tmp_path, undisturbed) -> Path:
    """A copy of a run, to be disturbed."""
    shutil.copytree(undisturbed, tmp_path / "runs")
    return tmp_path / "runs"


# --- killed -------------------------------------------------------------------------------------


def is_saving(out: Path) -> bool:
    return any((out / "tiny" / "checkpoints").glob("*tmp*"))


def is_training(out: Path) -> Callable[[], bool]:
    """Tells whether the run that is about to start has written a line of its own."""
    path = out / "tiny" / "metrics.jsonl"
    opened = path.stat().st_ino if path.exists() else None

    def grown() -> bool:
        if not path.exists() or path.stat().st_ino == opened:
            return False
        lines = path.read_text().splitlines()
        first.append(len(lines))
        return len(lines) > first[0]

    first: list[int] = []
    return grown


@pytest.mark.newest
def test_a_run_that_is_killed_many_times_ends_bit_identical(undisturbed, tmp_path):
    out, moments = tmp_path / "runs", random.Random(2016)
    lost = []
    plan = ["start", "claim", "training", "saving", "start", "training", "saving", "training"]
    for moment in plan:
        training = is_training(out)
        reached = {
            "start": lambda: True,
            "claim": lambda: (out / "tiny" / "config.json").exists(),
            "training": training,
            "saving": lambda training=training: training() and is_saving(out),
        }[moment]
        process = start(out)
        while not reached() and process.is_alive():
            time.sleep(0.001)
        longest = {"start": 1.0, "claim": 0.5, "training": 0.5, "saving": 0.02}[moment]
        time.sleep(moments.uniform(0, longest))
        process.kill()
        assert end(process) == -signal.SIGKILL, said(out)
        assert not (out / "tiny" / "summary.json").exists()
        step = max((row["step"] for row in rows(out)), default=0)
        lost.append(step - max(saved(out), default=0))
    assert max(lost) <= SAVE_EVERY, lost
    assert 0 < max(saved(out)) < STEPS  # it was killed within

    training = is_training(out)
    process = start(out)
    while not training() and process.is_alive():
        time.sleep(0.001)
    os.kill(process.pid, signal.SIGINT)
    assert end(process) == 130, said(out)
    assert summary(out)["status"] == "interrupted"
    assert (out / "tiny" / "learning_curves.png").exists()
    step = summary(out)["steps"]
    assert step == max(saved(out)) < STEPS

    assert end(start(out)) == 0
    assert f"going on after step {step} of {STEPS}" in said(out)
    assert rows(out) == rows(undisturbed)
    assert summary(out)["test_error_percent"] == summary(undisturbed)["test_error_percent"]
    assert same(final_state(out), final_state(undisturbed))


@pytest.mark.newest
def test_another_seed_ends_with_other_bits(undisturbed, tmp_path):
    out = tmp_path / "runs"
    assert end(start(out, "--seed", "1")) == 0
    assert rows(out) != rows(undisturbed)
    assert not same(final_state(out), final_state(undisturbed))


# --- the folder ---------------------------------------------------------------------------------


def test_two_runs_in_one_folder_are_refused(begun, capsys):
    before = contents(begun)
    with alone(begun / "tiny"):
        assert tiny_run.run("--out", str(begun)) == 2
        out = " ".join(capsys.readouterr().out.split())
        assert f"Process {os.getpid()} is at work in" in out and "--name" in out
    assert contents(begun) == before
    with alone(begun / "tiny"):  # free again
        pass


@pytest.mark.parametrize("where", ["runs", "runs/tiny"])
def test_a_file_in_the_way_is_left_alone(tmp_path, capsys, where):
    path = tmp_path / where
    path.parent.mkdir(exist_ok=True)
    path.write_text("mine")
    assert tiny_run.run("--out", str(tmp_path / "runs")) == 2
    out = " ".join(capsys.readouterr().out.split())
    assert "cannot be written" in out and "--out" in out
    assert path.read_text() == "mine"


@pytest.mark.skipif(sys.platform != "linux", reason="gives up rights as Linux has them")
def test_a_folder_without_permission_is_refused(tmp_path):
    folder = tmp_path / "read_only"
    folder.mkdir(mode=0o555)
    process = start(folder, hindrance="permissions")
    assert end(process) == 2
    out = "".join(said(folder).split())  # the console breaks lines within a path
    assert f"{folder}/tinycannotbewritten" in out and "Permissiondenied" in out
    assert list(folder.iterdir()) == []


def test_a_full_disk_is_found_before_the_first_step(tmp_path, capsys, monkeypatch):
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(records.shutil, "disk_usage", lambda path: usage)
    assert tiny_run.run("--out", str(tmp_path)) == 2
    out = " ".join(capsys.readouterr().out.split())
    assert "has 0.0 MB free, and the checkpoints need 0.0 MB. Free some" in out
    assert contents(tmp_path) == {}


def test_room_is_that_of_three_checkpoints_less_what_lies_there(tmp_path, monkeypatch):
    state = {"w": jnp.zeros((10, 100)), "b": jnp.zeros(50, jnp.bfloat16)}
    assert room(state) == 3 * (4000 + 100)
    usage = shutil.disk_usage(tmp_path)._replace(free=room(state) - 1)
    monkeypatch.setattr(records.shutil, "disk_usage", lambda path: usage)
    for folder in (tmp_path, tmp_path / "not" / "yet"):
        with pytest.raises(OSError, match="Free some, or choose another folder with --out"):
            claim_folder(folder, {}, room=room(state))
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "checkpoint").write_bytes(b"1")
    claim_folder(tmp_path, {}, room=room(state))


@pytest.mark.newest
def test_a_checkpoint_that_the_system_refuses_ends_the_run_in_order(undisturbed, tmp_path):
    out = tmp_path / "runs"
    assert end(start(out, hindrance="small files")) == 2, said(out)
    assert "A checkpoint could not be written" in said(out) and "File too large" in said(out)
    assert "There is none yet; once this is mended, the same command goes on." in said(out)
    assert "Traceback" not in said(out)
    assert saved(out) == []
    assert end(start(out)) == 0
    assert rows(out) == rows(undisturbed)
    assert same(final_state(out), final_state(undisturbed))


FULL = """
mount -t tmpfs -o size=2m tmpfs "$1" || exit 99
(while [ ! -d "$1"/runs/tiny/checkpoints/20 ]; do sleep 0.01; done; cat /dev/zero > "$1"/ballast) &
"$3" -m tests.tiny_run --out "$1"/runs > "$2".log; status=$?
rm "$1"/ballast; cp -r "$1"/runs "$2"; exit $status
"""


@pytest.mark.newest
@pytest.mark.skipif(shutil.which("unshare") is None, reason="no disk of our own to fill")
def test_a_disk_that_fills_up_ends_the_run_in_order_and_loses_nothing(undisturbed, tmp_path):
    disk, out = tmp_path / "disk", tmp_path / "runs"
    disk.mkdir()
    command = ["unshare", "--mount", "--map-root-user", "sh", "-c", FULL, "sh", disk, out]
    done = subprocess.run([*command, sys.executable], cwd=ROOT, capture_output=True, text=True)
    if done.returncode not in (0, 2):
        pytest.skip(f"no disk of our own to fill: {done.stderr}")
    assert done.returncode == 2, said(out)
    assert "No space left on device" in said(out) and "the same command goes on" in said(out)
    whole = saved(out)
    assert 20 <= max(whole) < STEPS
    assert end(start(out)) == 0
    (step,) = re.findall(rf"going on after step (\d+) of {STEPS}", said(out))
    assert int(step) == max(whole) or "is damaged" in said(out)
    assert rows(out) == rows(undisturbed)
    assert same(final_state(out), final_state(undisturbed))


def test_a_line_that_cannot_be_written_is_an_error(tmp_path):
    metrics = Metrics(tmp_path / "metrics.jsonl", 0)
    metrics.path.unlink()
    metrics.path.symlink_to("/dev/full")
    with pytest.raises(OSError, match=r"metrics\.jsonl could not be written: No space left"):
        metrics.append(step=1)


# --- another run's files ------------------------------------------------------------------------


def with_model(**changes) -> Config:
    return dataclasses.replace(CONFIG, model=lambda rngs: Tiny(rngs, **changes))


@pytest.mark.parametrize(
    ("arguments", "changes", "message"),
    [
        (["--seed", "1"], {}, r"holds a run with seed = 0 \(now 1\)"),
        ([], {"change": 1}, r"holds a run with data_sha256 = '\w+' \(now '\w+'\)"),
        ([], {"config": with_model(rate=0.2)}, "of another program, though its config and all"),
        ([], {"config": with_model(activation=jnp.tanh)}, "of another program, though its config"),
    ],
    ids=["config", "data", "dropout", "activation"],
)
def test_what_changed_under_a_checkpoint_is_refused(begun, capsys, arguments, changes, message):
    before = contents(begun)
    assert tiny_run.run("--out", str(begun), *arguments, **changes) == 2
    out = " ".join(capsys.readouterr().out.split())
    assert re.search(message, out) and "--name" in out
    assert contents(begun) == before


def test_a_folder_belongs_to_one_run(tmp_path):
    claim_folder(tmp_path, {"seed": 0, "epochs": 2})
    claim_folder(tmp_path, {"seed": 0, "epochs": 2})
    with pytest.raises(ValueError, match=r"holds a run with epochs = 2 \(now 3\)"):
        claim_folder(tmp_path, {"seed": 0, "epochs": 3})
    (tmp_path / "config.json").write_text('{"seed": 0, "ep')
    with pytest.raises(ValueError, match=r"config\.json is damaged"):
        claim_folder(tmp_path, {"seed": 0, "epochs": 2})


def test_other_versions_are_said_and_remembered(tmp_path):
    def claim(program: str) -> list[str]:
        heard: list[str] = []
        claim_folder(tmp_path, {"seed": 0}, program=program, say=heard.append)
        return heard

    assert claim("a") == claim("a") == []
    path = tmp_path / "config.json"
    config = json.loads(path.read_text())
    now = config["made_with"][0]["jax"]
    config["made_with"][0]["jax"] = "0.1"
    write_json(path, config)
    (words,) = claim("a")
    assert f"goes on under jax {now} (was 0.1): the numbers may differ in the last bits" in words
    assert "cannot be told" not in words
    assert claim("a") == []  # it was said
    assert [stage["jax"] for stage in json.loads(path.read_text())["made_with"]] == ["0.1", now]

    write_json(path, config)
    (words,) = claim("b")
    assert "Whether the model is still the same cannot be told." in words
    with pytest.raises(ValueError, match="another program"):
        claim("a")


def test_the_identity_of_a_program_is_all_that_decides_its_numbers():
    def network(rate: float, activation: Callable) -> Callable:
        graph, *states = nnx.split(Tiny(nnx.Rngs(0), rate, activation), nnx.Param, ...)
        params, rest = map(nnx.as_pure, states)
        return lambda x: nnx.merge(graph, params, rest)(x)

    def reads(table: np.ndarray) -> Callable:
        return lambda x: x + jax.jit(lambda x: jnp.asarray(table)[0] * x)(x).sum()

    x, wide = jnp.ones((2, 8, 8, 1)), jnp.ones((3, 8, 8, 1))
    key = jax.random.key(0)
    ours = program_sha256(network(0.1, nnx.relu), x)
    assert ours == program_sha256(jax.jit(network(0.1, nnx.relu)).__wrapped__, x + 1)
    others = [
        program_sha256(network(0.2, nnx.relu), x),
        program_sha256(network(0.1, jnp.tanh), x),
        program_sha256(network(0.1, nnx.relu), wide),
        program_sha256(reads(np.arange(3.0)), x),
        program_sha256(reads(np.arange(3.0) + 1), x),
        program_sha256(lambda x: x + jax.random.uniform(key), x),
        program_sha256(lambda x: x + jax.random.uniform(jax.random.key(1)), x),
    ]
    assert len({ours, *others}) == 1 + len(others)


# --- checkpoints --------------------------------------------------------------------------------

STATE = ({"w": jnp.arange(3000.0) ** 0.5}, [jnp.int32(7), jax.random.key(1)])


def at(step: int) -> tuple:
    return jax.tree.map(jnp.copy, ({"w": STATE[0]["w"] + step}, STATE[1]))


@pytest.fixture
def checkpoints(tmp_path) -> Path:
    """A folder with the checkpoints of steps 5 and 10."""
    opened = Checkpoints(tmp_path / "checkpoints")
    for step in (3, 5, 10):
        opened.save(step, at(step))
    opened.close()
    return tmp_path / "checkpoints"


def numbers_of(folder: Path, step: int) -> Path:
    """The file that holds the array, by far the largest."""
    return max((folder / str(step)).rglob("d/*"), key=lambda path: path.stat().st_size)


def flip_bits(folder: Path, step: int) -> None:
    """Damage every file of numbers: where all are small, a save leaves some that no one reads."""
    for path in (folder / str(step)).rglob("d/*"):
        flip_a_bit(path)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip_a_bit(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 16
    path.write_bytes(data)


def test_a_checkpoint_gives_back_what_was_saved(checkpoints):
    heard: list[str] = []
    opened = Checkpoints(checkpoints, heard.append)
    step, found = opened.restore(jax.tree.map(jnp.copy, STATE))
    assert (step, heard) == (10, [])
    assert jax.tree.structure(found) == jax.tree.structure(STATE)
    np.testing.assert_array_equal(found[0]["w"], STATE[0]["w"] + 10)
    assert found[1][0] == 7
    assert jnp.array_equal(jax.random.key_data(found[1][1]), jax.random.key_data(STATE[1][1]))
    opened.save(10, STATE)  # once more is not an error
    opened.close()
    assert sorted(path.name for path in checkpoints.iterdir()) == ["10", "5"]


def test_without_a_checkpoint_the_state_is_as_it_was(tmp_path):
    assert Checkpoints(tmp_path).restore(STATE) == (0, STATE)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # orbax's own
@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: truncate(numbers_of(folder, 10)),
        lambda folder: flip_a_bit(numbers_of(folder, 10)),
        lambda folder: (folder / "10/default/manifest.ocdbt").unlink(),
        lambda folder: (folder / "10/default/_METADATA").unlink(),
        lambda folder: truncate(folder / "10/default/_METADATA"),
    ],
    ids=["truncated", "bit", "manifest", "no_contents", "half_contents"],
)
def test_a_damaged_checkpoint_is_passed_over(checkpoints, damage):
    damage(checkpoints)
    before, heard = contents(checkpoints), []
    opened = Checkpoints(checkpoints, heard.append)
    step, found = opened.restore(STATE)
    assert step == 5
    np.testing.assert_array_equal(found[0]["w"], STATE[0]["w"] + 5)
    assert len(heard) == 1
    assert "The checkpoint of step 10 is damaged" in heard[0] and "from step 5" in heard[0]
    aside = checkpoints.with_name("checkpoints_damaged")
    assert before == {
        **contents(checkpoints),
        **{path.replace("10.0/", "10/"): data for path, data in contents(aside).items()},
    }
    opened.save(10, at(10))
    opened.close()
    assert Checkpoints(checkpoints).restore(STATE)[0] == 10


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # orbax's own
def test_without_a_whole_checkpoint_nothing_is_touched(checkpoints):
    for step in (5, 10):
        flip_a_bit(numbers_of(checkpoints, step))
    before = contents(checkpoints)
    with pytest.raises(ValueError, match=r"No checkpoint in .* can be read \(step 10: its numbers"):
        Checkpoints(checkpoints).restore(STATE)
    assert contents(checkpoints) == before


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # orbax's own
def test_a_run_goes_on_from_the_newest_whole_checkpoint(begun, undisturbed, capsys):
    (begun / "tiny" / "summary.json").unlink()
    checkpoints, (older, newest) = begun / "tiny" / "checkpoints", saved(begun)
    flip_bits(checkpoints, newest)
    assert tiny_run.run("--out", str(begun)) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert f"The checkpoint of step {newest} is damaged" in out
    assert f"going on after step {older} of {STEPS}" in out
    assert rows(begun) == rows(undisturbed)
    assert same(final_state(begun), final_state(undisturbed))

    for step in saved(begun):
        flip_bits(checkpoints, step)
    before = contents(begun)
    assert tiny_run.run("--out", str(begun)) == 2
    assert "No checkpoint in" in " ".join(capsys.readouterr().out.split())
    assert contents(begun) == before


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({"w": jnp.ones((2, 4))}, r"\['w'\] is float32\[2,3\] there and float32\[2,4\] here"),
        ({"w": jnp.ones((2, 3), jnp.bfloat16)}, r"float32\[2,3\] there and bfloat16\[2,3\] here"),
        ({"w": jnp.ones((2, 3)), "v": jnp.ones(1)}, r"\['v'\] is absent there and float32\[1\]"),
    ],
)
def test_a_checkpoint_of_another_model_is_refused(tmp_path, state, message):
    opened = Checkpoints(tmp_path)
    opened.save(3, {"w": jnp.ones((2, 3))})
    opened.close()
    before = contents(tmp_path)
    with pytest.raises(ValueError, match=message):
        Checkpoints(tmp_path).restore(state)
    assert contents(tmp_path) == before


def test_a_lost_process_is_not_taken_for_a_disk_that_fails(tmp_path, monkeypatch):
    opened = Checkpoints(tmp_path)

    def lost(*args, **options):
        raise ValueError("UNKNOWN: Gloo AllGather failed: Connection reset by peer")

    monkeypatch.setattr(opened.manager, "save", lost)
    with pytest.raises(OSError, match="A checkpoint could not be written"):
        opened.save(1, {"w": jnp.ones(2)})
    monkeypatch.setattr(jax, "process_count", lambda: 2)
    with pytest.raises(jax.errors.JaxRuntimeError, match="Connection reset by peer"):
        opened.save(1, {"w": jnp.ones(2)})


# --- files --------------------------------------------------------------------------------------


def test_a_file_is_whole_or_absent(tmp_path):
    path = tmp_path / "a" / "value.json"
    write_json(path, {"x": 1})

    def fail(partial: Path) -> None:
        partial.write_text("half")
        raise OSError("no space left on device")

    with pytest.raises(OSError, match=r"value\.json could not be written: no space left"):
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


def events(folder: Path) -> list[Event]:
    """What TensorBoard reads: records of length, two checksums and an event."""
    (path,) = folder.glob("events.out.tfevents.*")
    data, found = path.read_bytes(), []
    while data:
        length = int.from_bytes(data[:8], "little")
        found.append(Event.FromString(data[12 : 12 + length]))
        data = data[16 + length :]
    return found


def scalars(folder: Path) -> list[tuple[int, str, float]]:
    return [(e.step, v.tag, v.simple_value) for e in events(folder) for v in e.summary.value]


def test_events_are_the_lines_of_metrics(tmp_path):
    lines = [{"step": 2 * i, "epoch": i / 2, "loss": 0.5**i, "seconds": 10.0} for i in (1, 2, 3)]
    written = Events(tmp_path, [])
    for line in lines:
        written.append(line)
    expected = [(line["step"], tag, line[tag]) for line in lines for tag in ("loss", "seconds")]
    assert scalars(tmp_path) == expected  # on disk before the file is closed
    written.close()

    resumed = Events(tmp_path, lines[:1])  # killed, and gone on from step 2
    assert scalars(tmp_path) == expected[:2]
    for line in lines[1:]:
        resumed.append(line)
    resumed.close()
    assert scalars(tmp_path) == expected
    times = [event.wall_time for event in events(tmp_path) if event.summary.value]
    np.testing.assert_allclose(np.diff(times), 10.0, atol=1e-4)


def test_the_events_of_a_run_are_its_metrics(undisturbed):
    found = scalars(undisturbed / "tiny")
    losses = [(step, value) for step, tag, value in found if tag == "loss"]
    assert losses == [(row["step"], np.float32(row["loss"])) for row in rows(undisturbed)]


def test_events_that_cannot_be_written_are_an_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="events could not be written: Not a directory"):
        Events(tmp_path / "file", [])


def test_the_first_interrupt_is_noted_and_the_second_acts():
    before = signal.getsignal(signal.SIGINT)
    with interruptible() as noted:
        assert noted == []
        os.kill(os.getpid(), signal.SIGINT)
        assert noted == [signal.SIGINT]
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before
