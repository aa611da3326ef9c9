"""Batches gathered on the device against batches gathered by grain on the host.

    python -m benchmarks.pipeline
    python -m benchmarks.pipeline --repetitions 20 --json pipeline.json

What is measured is the time until a batch of 128 lies on the device as float32, all else left out:
images like those of rotated MNIST and of CIFAR-10, which the device can hold; and images that have
to be decoded first (compressed by zlib, as PNGs are), which only the host can do. The latter come
with something to compute, while which grain makes further batches, against both one after the
other. All are interleaved; medians are given.
"""

import dataclasses
import statistics
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import tyro

from experiments.durable.records import provenance, write_json
from experiments.parallel.batches import Batch, Order, by_grain, on_device
from experiments.parallel.devices import Devices

_BATCH = 128
SHAPES = {"rotated MNIST": (12_000, 28, 28), "CIFAR-10": (50_000, 32, 32, 3)}


@dataclasses.dataclass(frozen=True)
class Options:
    """What to measure.

    Attributes:
      repetitions: of each, of so many batches as follow.
      batches: of 128 images.
      json: where to write the figures, if anywhere.
    """

    repetitions: int = 7
    batches: int = 30
    json: Path | None = None


class Compressed:
    """Images that are decoded when they are asked for."""

    def __init__(self, images: np.ndarray):
        """Compress each of `[n, ...]`."""
        self.shape = images.shape
        self.files = [zlib.compress(image.tobytes()) for image in images]

    def __getitem__(self, chosen: np.ndarray) -> np.ndarray:
        """Those with these indices."""
        decoded = b"".join(zlib.decompress(self.files[i]) for i in chosen)
        return np.frombuffer(decoded, np.uint8).reshape(len(chosen), *self.shape[1:])


@jax.jit
def arrive(images: jax.Array, labels: jax.Array, chosen: jax.Array | None) -> tuple[Any, Any]:
    """The batch, as a step begins with it."""
    if chosen is not None:
        images, labels = jnp.take(images, chosen, axis=0), jnp.take(labels, chosen)
    return images.astype(jnp.float32), labels


@jax.jit
def compute(x: jax.Array) -> jax.Array:
    """Something that takes some milliseconds, and needs the batch."""
    x = x.reshape(len(x), -1)[:, :784]
    for _ in range(2):
        x = jnp.tanh(x @ (x.T @ x) / x.size)
    return x


def in_line(
    images: np.ndarray, labels: np.ndarray, order: Order, devices: Devices, steps: range
) -> Iterator[Batch]:
    """The host gathers a batch when it is asked for it."""
    for step in steps:
        yield images[order(step)], labels[order(step)], None


def milliseconds(feed: Iterator[Batch], then: Callable[[Any], Any]) -> float:
    """Per batch, the first one left out: with it comes what has to be set up."""
    jax.block_until_ready(then(arrive(*next(feed))[0]))
    started, count = time.perf_counter(), 0
    for batch in feed:
        jax.block_until_ready(then(arrive(*batch)[0]))
        count += 1
    return 1e3 * (time.perf_counter() - started) / count


def measure(options: Options) -> dict[str, dict[str, float]]:
    """Medians of milliseconds per batch, by data and by who gathers."""
    devices, rng = Devices(_BATCH), np.random.default_rng(0)
    times: dict[str, dict[str, list[float]]] = {}
    cases: list[tuple[str, str, Any, np.ndarray, Any, Callable[[Any], Any]]] = []
    for name, shape in SHAPES.items():
        # smooth images, as photographs are, and not noise, which nothing compresses
        few = np.cumsum(rng.integers(-3, 4, (1000, *shape[1:]), np.int8), 1, np.uint8)
        images = np.concatenate([few] * (shape[0] // 1000))
        labels = rng.integers(0, 10, shape[0]).astype(np.int32)
        for maker, make in (("device", on_device), ("grain", by_grain)):
            cases.append((name, maker, images, labels, make, lambda x: x))
        files = Compressed(few)
        for maker, make in (("in line", in_line), ("grain", by_grain)):
            cases.append((f"{name}, decoded", maker, files, labels[:1000], make, compute))
    for repetition in range(options.repetitions + 1):  # the first compiles and warms up
        for name, maker, images, labels, make, then in cases:
            order = Order([0], len(labels), _BATCH)
            feed = make(images, labels, order, devices, range(options.batches))
            found = milliseconds(feed, then)
            if repetition:
                times.setdefault(name, {}).setdefault(maker, []).append(found)
    return {
        name: {maker: statistics.median(ms) for maker, ms in makers.items()}
        for name, makers in times.items()
    }


def main() -> None:
    """Measure and print."""
    options = tyro.cli(Options, description=__doc__)
    found = measure(options)
    for name, makers in found.items():
        print(f"{name}: " + ", ".join(f"{maker} {ms:.3f} ms" for maker, ms in makers.items()))
    print(f"per batch of {_BATCH}, on {jax.devices()[0].device_kind}")
    if options.json:
        write_json(options.json, {"ms_per_batch": found, **provenance("benchmarks.pipeline")})


if __name__ == "__main__":
    main()
