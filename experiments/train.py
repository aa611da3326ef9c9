"""Train a network, test it, and prove or disprove that it is equivariant.

    python -m experiments.train p4cnn            # a page of experiments/configs
    python -m experiments.train p4cnn --seed 1 --name p4cnn_seed1
    python -m experiments.train --help           # all pages, and what can be changed

Everything lands in `runs/NAME`: config.json, metrics.jsonl, checkpoints, summary.json and figures.
The same command goes on where a run was killed, and ends with the same numbers, bit for bit.
"""

import signal
import sys
import time
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import tyro
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from .checkpoints import Checkpoints
from .config import Config
from .configs import pages
from .data.rotated_mnist import Split
from .evaluate import held_out
from .records import Metrics, claim_folder, fingerprint
from .report import Data, Trained, report, report_interrupted
from .step import build, epoch_order

_LOG_EVERY = 31  # steps between lines of metrics.jsonl: three an epoch, at batch size 128


def train(config: Config, source: dict[str, Split], console: Console) -> Trained:
    """Train on `source` to the end of the schedule, or until Ctrl-C."""
    names = config.train_on.split("+")
    images = np.concatenate([source[name].images for name in names])
    labels = np.concatenate([source[name].labels for name in names])
    n, batch = len(labels), config.batch_size
    if batch > n:
        raise ValueError(f"batch_size {batch} is more than the {n} training images.")
    steps_per_epoch = n // batch
    total = config.epochs * steps_per_epoch
    mean, std = float(images.mean()), float(images.std())
    program = build(config, total, mean, std)
    state = program.start()

    # Resume, or start.
    folder = config.folder
    claim_folder(folder, {
        **config.numbers(),
        "parameters": sum(p.size for p in jax.tree.leaves(state.params)),
        "data_sha256": fingerprint(images, labels),
    })  # fmt: skip
    checkpoints = Checkpoints(folder / "checkpoints")
    done, state = checkpoints.restore(state)
    metrics = Metrics(folder / "metrics.jsonl", done)
    if done:
        console.print(f"{folder}: going on after step {done} of {total}")

    # Ctrl-C and SIGTERM end the run after the step in progress; a second one, at once.
    interrupted = []

    def interrupt(signum, frame):
        interrupted.append(signum)
        signal.signal(signum, signal.default_int_handler)

    before = {s: signal.signal(s, interrupt) for s in (signal.SIGINT, signal.SIGTERM)}

    # Train. The data are on the device, as bytes, and batches are gathered there. The loop is
    # Python's: in a lax.scan, convolutions on a CPU take 30 times as long.
    pixels, classes = jnp.asarray(images), jnp.asarray(labels.astype(np.int32))
    order, clock = None, time.monotonic()
    columns = [TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[now]}")]
    with Progress(*columns, TimeRemainingColumn(), console=console) as progress:
        bar = progress.add_task(config.name, total=total, completed=done, now="")
        while done < total and not interrupted:
            epoch, position = divmod(done, steps_per_epoch)
            if order is None or position == 0:
                order = epoch_order(config.seed, epoch, n, batch)
            state = program.step(state, pixels, classes, order[position])
            done += 1
            epoch_ends = position + 1 == steps_per_epoch
            if done % _LOG_EVERY == 0 or epoch_ends:
                loss, wrong, steps = np.asarray(state.sums)
                row = {"step": done, "epoch": done / steps_per_epoch,
                       "loss": float(loss / steps),
                       "train_error_percent": 100 * float(wrong / steps),
                       "seconds": time.monotonic() - clock}  # fmt: skip
                if epoch_ends and config.train_on == "train":
                    held = source["valid"]
                    classify = partial(program.logits, state)
                    row |= held_out(classify, held.images, held.labels)
                metrics.append(**row)
                state, clock = state._replace(sums=jnp.zeros(3)), time.monotonic()
                now = f"loss {row['loss']:.3f}  error {row['train_error_percent']:5.2f} %"
                progress.update(bar, completed=done, now=now)
            if done % config.save_every == 0 or done == total or interrupted:
                checkpoints.save(done, state)
    checkpoints.close()
    for signum, handler in before.items():
        signal.signal(signum, handler)

    return Trained(
        classify=partial(program.logits, state),
        model=program.model(state),
        mean=mean,
        std=std,
        rows=metrics.rows,
        steps=done,
        finished=done == total,
    )


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit status."""
    console = Console()
    configs = {name: (text.splitlines()[0], config) for name, (text, config) in pages().items()}
    config = tyro.extras.overridable_config_cli(configs, args=arguments, prog="experiments.train")
    try:
        data = Data.load(config)
        trained = train(config, data.source, console)
    except KeyboardInterrupt:
        console.print(f"\nStopped at once; what was saved of {config.folder} is there.")
        return 130
    except (ValueError, OSError) as error:
        console.print(f"[bold red]error:[/] {escape(str(error))}", highlight=False)
        return 2
    if not trained.finished:
        report_interrupted(config, trained, data, console)
        return 130
    return report(config, trained, data, console)


if __name__ == "__main__":
    sys.exit(main())
