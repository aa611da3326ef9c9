"""Two processes train as one does, and fail as one."""

import dataclasses
import json
import socket
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np
import pytest

from experiments.durable.checkpoints import Checkpoints
from experiments.parallel.cluster import ALONE, Cluster, together
from experiments.training.step import build

from . import tiny_run
from .eight_devices import SGD, distance, numbers

ROOT = Path(__file__).parent.parent
ROUNDING = 1e-5  # a few sums in another order, of numbers around 1, over some steps
SHORT = ("--optimizer", "sgd", "--learning-rate", "0.01", "--epochs", "20")


def start(process: int, port: int, *arguments: str) -> subprocess.Popen[str]:
    cluster = ("--processes", "2", "--process-id", str(process))
    command = [sys.executable, "-W", "error", "-m", "tests.tiny_run", *arguments, *cluster]
    return subprocess.Popen([*command, "--coordinator", f"127.0.0.1:{port}"], cwd=ROOT, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)  # fmt: skip


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def start_both(*arguments: str) -> list[subprocess.Popen[str]]:
    port = free_port()
    return [start(process, port, *arguments) for process in range(2)]


def rows(folder: Path) -> list[dict]:
    path = folder / "metrics.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@pytest.mark.newest
def test_two_processes_give_what_one_gives_even_if_one_is_killed(tmp_path):
    seldom = ("--save-every", "60")  # so that it is lost between checkpoints, and not within one
    both = start_both(*SHORT, *seldom, "--out", str(tmp_path / "both"))
    folder = tmp_path / "both" / "tiny"
    while not any(path.name.isdigit() for path in folder.glob("checkpoints/*")):
        assert both[0].poll() is None, both[0].communicate()[0]
        time.sleep(0.01)
    both[1].kill()
    both[1].communicate()
    said = both[0].communicate(timeout=60)[0]  # it does not wait for the one that is lost
    assert "another process was lost" in " ".join(said.split()) and both[0].returncode == 2, said
    assert not (folder / "summary.json").exists()

    first, second = (process.communicate()[0] for process in start_both(
        *SHORT, "--out", str(tmp_path / "both")))  # fmt: skip
    assert "going on after step" in " ".join(first.split()), first
    assert "Verified" in first and "Verified" not in second  # only one reports

    assert tiny_run.run(*SHORT, "--out", str(tmp_path / "one")) == 0
    alone, ours = (rows(tmp_path / name / "tiny") for name in ("one", "both"))
    assert [row["step"] for row in ours] == [row["step"] for row in alone]
    np.testing.assert_allclose(
        [row["loss"] for row in ours], [row["loss"] for row in alone], rtol=ROUNDING
    )
    start = build(dataclasses.replace(SGD, learning_rate=0.01), 80, 127.0, 74.0).start()
    ends = []
    for name in ("one", "both"):
        checkpoints = Checkpoints(tmp_path / name / "tiny" / "checkpoints")
        done, state = checkpoints.restore(start)
        assert done == 80
        ends.append(numbers(state))
        checkpoints.close()
    assert 0 < distance(*ends) < ROUNDING


REFUSE = """
import jax
from experiments.parallel.cluster import Cluster, leave, together

def refuse():
    raise ValueError("the first says why")

Cluster(2, {process}, "127.0.0.1:{port}").join()
together(lambda: print("only here"))
try:
    together(refuse)
except ValueError as error:
    print(error)
    leave(2)
"""


@pytest.mark.newest
def test_what_one_process_refuses_the_other_does_not_wait_for():
    port = free_port()
    both = [
        subprocess.Popen([sys.executable, "-c", REFUSE.format(process=i, port=port)], cwd=ROOT,
                         text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for i in range(2)
    ]  # fmt: skip
    first, second = (process.communicate(timeout=60)[0] for process in both)
    assert "only here" in first and "only here" not in second
    assert "the first says why" in first
    assert "Process 0 could not go on; it says why." in second
    assert [process.returncode for process in both] == [2, 2]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"processes": 0}, "processes must be 1 or more, got 0"),
        ({"processes": 2, "process_id": 0}, r"need --coordinator HOST:PORT.*got None"),
        ({"processes": 2, "process_id": 0, "coordinator": "host"}, r"a free port there; got host"),
        ({"processes": 2, "coordinator": "host:1"}, r"from 0 to 1; got None"),
        ({"processes": 2, "coordinator": "host:1", "process_id": 2}, r"from 0 to 1; got 2"),
        ({"processes": 2, "distributed": True}, "not both"),
    ],
)
def test_a_cluster_is_described_in_full(options, message):
    with pytest.raises(ValueError, match=message):
        Cluster(**options)


def test_without_a_cluster_there_is_none_to_join(monkeypatch):
    def none() -> None:
        raise ValueError("coordinator_address should be defined.")

    monkeypatch.setattr(jax.distributed, "initialize", none)
    ALONE.join()  # nothing to do
    with pytest.raises(ValueError, match="found no cluster that JAX knows"):
        Cluster(distributed=True).join()


def test_a_process_alone_fails_as_it_does():
    def full() -> None:
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="the disk is full"):
        together(full)
