"""Batches of training images: which ones, and how they come to the devices."""

import functools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ..config import Config
from ..training.step import epoch_order
from .devices import Devices

Batch = tuple[Any, Any, Any]  # images, labels and chosen, as a step takes them

_AHEAD = 8  # batches that grain keeps ready
_THREADS = 2  # that it makes them in


class Order:
    """The images of every step as indices, `[b]`, or of several seeds `[seeds, b]`.

    A function of the step alone, so that a run goes on from a number.
    """

    def __init__(self, seeds: Sequence[int], n: int, batch: int):
        """Of epochs over n images, each seed in an order of its own."""
        self.steps_per_epoch = n // batch

        @functools.lru_cache(maxsize=2)  # an epoch, and the next for batches made ahead
        def epoch(number: int) -> np.ndarray:
            orders = [epoch_order(seed, number, n, batch) for seed in seeds]
            return orders[0] if len(orders) == 1 else np.stack(orders, axis=1)

        self._epoch = epoch

    def __call__(self, step: int) -> np.ndarray:
        """The indices of a step."""
        epoch, position = divmod(step, self.steps_per_epoch)
        return self._epoch(epoch)[position]


def batches(
    config: Config,
    images: np.ndarray,
    labels: np.ndarray,
    order: Order,
    devices: Devices,
    steps: range,
) -> Iterator[Batch]:
    """What each of the steps is to be called with.

    Args:
      config: says which pipeline; they give the same numbers.
      images: all of them, `[n, y, x, ...]`; for grain anything that takes an array of indices.
      labels: `[n]`.
      order: of the images.
      devices: where the batches go.
      steps: from where the run goes on to where it ends.
    """
    labels = labels.astype(np.int32)
    make = on_device if config.pipeline == "device" else by_grain
    return make(images, labels, order, devices, steps)


def on_device(
    images: np.ndarray, labels: np.ndarray, order: Order, devices: Devices, steps: range
) -> Iterator[Batch]:
    """All images lie on each device, as bytes, and a step gathers those that are chosen."""
    pixels, classes = devices.everywhere(images), devices.everywhere(labels)
    for step in steps:
        yield pixels, classes, devices.divided(order(step))


def by_grain(
    images: np.ndarray, labels: np.ndarray, order: Order, devices: Devices, steps: range
) -> Iterator[Batch]:
    """Threads of the host gather batches ahead of time; each process its own part of them."""
    import grain

    def gather(step: int) -> list[tuple[np.ndarray, np.ndarray]]:
        chosen = order(step)
        parts = [chosen[part] for part in devices.parts(chosen.shape)]
        return [(images[part], labels[part]) for part in parts]

    ahead = grain.ReadOptions(num_threads=_THREADS, prefetch_buffer_size=_AHEAD)
    made = grain.MapDataset.range(steps.start, steps.stop).map(gather).to_iter_dataset(ahead)
    for step, parts in zip(steps, made, strict=True):
        pixels, classes = zip(*parts, strict=True)
        shape = order(step).shape
        yield devices.assembled(shape, pixels), devices.assembled(shape, classes), None
