"""Train a network, test it, and prove or disprove that it is equivariant.

    python -m experiments.train p4cnn            # a page of experiments/configs
    python -m experiments.train p4cnn --seed 1 --name p4cnn_seed1
    python -m experiments.train --help           # all pages, and what can be changed

All devices that JAX finds share the work. Everything lands in `runs/NAME`: config.json,
metrics.jsonl, TensorBoard's events, checkpoints, summary.json and figures.
The same command goes on where a run was killed, and ends with the same numbers, bit for bit.
"""

import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import tyro
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from .config import Config
from .configs import pages
from .data.rotated_mnist import Split
from .durable.checkpoints import Checkpoints, room
from .durable.identity import program_sha256
from .durable.interrupt import interruptible
from .durable.journal import Journal
from .durable.records import alone, claim_folder, fingerprint
from .evaluate import held_out
from .parallel.batches import Order, batches
from .parallel.cluster import in_any, leave, together
from .parallel.devices import Devices
from .parallel.seeds import apart, side_by_side
from .report import Data, Trained, report, report_interrupted
from .training.step import Program, build

_LOG_EVERY = 31  # steps between lines of metrics.jsonl: three an epoch, at batch size 128


def train(config: Config, source: dict[str, Split], console: Console) -> Trained:
    """Train on `source` to the end of the schedule, or until Ctrl-C."""
    return train_seeds(config, source, console)[0]


def train_seeds(config: Config, source: dict[str, Split], console: Console) -> list[Trained]:
    """The same for all seeds of `config` at once; the list has an entry for each.

    Of several processes, only the first one has the rows of the metrics.
    """
    names = config.train_on.split("+")
    images = np.concatenate([source[name].images for name in names])
    labels = np.concatenate([source[name].labels for name in names])
    n, batch = len(labels), config.batch_size
    if batch > n:
        raise ValueError(f"batch_size {batch} is more than the {n} training images.")
    devices = Devices(batch, config.seeds, config.accumulate)
    runs = config.each_seed()
    order = Order([run.seed for run in runs], n, batch)
    total = config.epochs * order.steps_per_epoch
    mean, std = float(images.mean()), float(images.std())
    programs = [build(run, total, mean, std) for run in runs]
    program = programs[0] if config.seeds == 1 else side_by_side(programs)
    state = devices.state(program.start())

    # Resume, or start. Process 0 writes; checkpoints are saved by all.
    folder, say = config.folder, partial(console.print, markup=False, highlight=False)
    space = room(state)
    journals: list[Journal] = []

    def claim() -> None:
        _claim(config, program, images, labels, order(0), space, say)
        if runs != [config]:  # and the folder of each
            for s, (run, its) in enumerate(zip(runs, programs, strict=True)):
                _claim(run, its, images, labels, order(0)[s], space, say)

    together(claim)
    checkpoints = Checkpoints(folder / "checkpoints", say)
    done, state = checkpoints.restore(devices.whole(state))
    state = devices.state(state)
    together(lambda: journals.extend(Journal(run.folder, done) for run in runs))
    if done:
        console.print(f"{folder}: going on after step {done} of {total}")

    # Train. The loop is Python's: in a lax.scan, convolutions on a CPU take 30 times as long.
    # Ctrl-C and SIGTERM end it after the step in progress; a second one, at once. Checkpoints are
    # saved twice in every interval, since the newest may be half written when the run is killed.
    step = devices.step(program)
    feed = batches(config, images, labels, order, devices, range(done, total))
    stop, clock = False, time.monotonic()
    columns = [TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[now]}")]
    progress = Progress(*columns, TimeRemainingColumn(), console=console)
    with interruptible() as interrupted, progress:
        bar = progress.add_task(config.name, total=total, completed=done, now="")
        while done < total and not stop:
            state = step(state, *next(feed))
            done += 1
            epoch_ends = done % order.steps_per_epoch == 0
            measured = done % _LOG_EVERY == 0 or epoch_ends
            if measured:
                sums = np.asarray(devices.local(state.sums)).reshape(len(runs), 3)
                seconds = (time.monotonic() - clock) / len(runs)
                hold = epoch_ends and config.train_on == "train"
                parts = apart(devices.local(state), len(runs)) if hold else []
                for s, journal in enumerate(journals):
                    loss, wrong, steps = sums[s]
                    row = {"step": done, "epoch": done / order.steps_per_epoch,
                           "loss": float(loss / steps),
                           "train_error_percent": 100 * float(wrong / steps),
                           "seconds": seconds}  # fmt: skip
                    if hold:
                        held = source["valid"]
                        classify = partial(program.logits, parts[s])
                        row |= held_out(classify, held.images, held.labels)
                    journal.append(**row)
                zero = jnp.zeros(state.sums.shape)
                state, clock = state._replace(sums=devices.state(zero)), time.monotonic()
                loss, wrong, steps = sums.sum(0)
                now = f"loss {loss / steps:.3f}  error {100 * wrong / steps:5.2f} %"
                progress.update(bar, completed=done, now=now)
            if measured or jax.process_count() == 1:
                stop = in_any(bool(interrupted))
            if done % max(config.save_every // 2, 1) == 0 or done == total or stop:
                checkpoints.save(done, devices.whole(state))
    checkpoints.close()
    for journal in journals:
        journal.close()
    if done == total and runs != [config]:  # leave each as if it had been alone
        for run, part in zip(runs, apart(devices.whole(state), len(runs)), strict=True):
            its_own = Checkpoints(run.folder / "checkpoints", say)
            its_own.save(done, part)
            its_own.close()

    return [
        Trained(
            classify=partial(its.logits, part),
            model=its.model(part),
            mean=mean,
            std=std,
            rows=journals[s].rows if journals else [],
            steps=done,
            finished=done == total,
        )
        for s, (its, part) in enumerate(
            zip(programs, apart(devices.local(state), len(runs)), strict=True)
        )
    ]


def _claim(
    run: Config,
    program: Program,
    images: np.ndarray,
    labels: np.ndarray,
    chosen: np.ndarray,
    space: int,
    say: Callable[[str], object],
) -> None:
    """Make the folder the run's own; refuse, if another config, data set or program was there."""
    state = jax.eval_shape(program.start)
    parameters = sum(p.size for p in jax.tree.leaves(state.params)) // run.seeds
    identity = {**run.numbers(), "parameters": parameters}
    identity["data_sha256"] = fingerprint(images, labels)
    if run.seeds > 1:
        identity["seeds"] = run.seeds
    run.folder.mkdir(parents=True, exist_ok=True)
    traced = program_sha256(program.step, state, images, labels.astype(np.int32), chosen)
    claim_folder(run.folder, identity, program=traced, room=space, say=say)


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit status."""
    console = Console()
    configs = {name: (text.splitlines()[0], config) for name, (text, config) in pages().items()}
    config = tyro.extras.overridable_config_cli(configs, args=arguments, prog="experiments.train")
    runs = config.each_seed()
    try:
        config.cluster.join()
        console.quiet = jax.process_index() > 0
        data = Data.load(config)
        with ExitStack() as locks:
            folders = {config.folder: None} | {run.folder: None for run in runs}
            together(lambda: [locks.enter_context(alone(folder)) for folder in folders])
            trained = train_seeds(config, data.source, console)
            statuses = [0]
            if jax.process_index() == 0:
                statuses = [
                    _conclude(run, its, data, console)
                    for run, its in zip(runs, trained, strict=True)
                ]
            return max(statuses)
    except KeyboardInterrupt:
        console.print(f"\nStopped at once; what was saved of {config.folder} is there.")
        return leave(130)
    except (ValueError, OSError) as error:
        Console().print(f"[bold red]error:[/] {escape(str(error))}", highlight=False)
        return leave(2)
    except jax.errors.JaxRuntimeError as error:
        if jax.process_count() == 1:
            raise
        lost = f"error: another process was lost ({error}). Start all again: the run goes on."
        Console().print(lost, markup=False, highlight=False)
        return leave(2)


def _conclude(config: Config, trained: Trained, data: Data, console: Console) -> int:
    """Report on what was trained; returns the exit status."""
    if trained.finished:
        return report(config, trained, data, console)
    report_interrupted(config, trained, data, console)
    return 130


if __name__ == "__main__":
    sys.exit(main())
