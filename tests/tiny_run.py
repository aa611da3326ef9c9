"""Runs `experiments.train` on a network and data so small that a start costs next to nothing."""

import ctypes
import os
import resource
import sys
from collections.abc import Callable
from unittest import mock

import jax
import numpy as np
from flax import nnx

from experiments import train
from experiments.config import Config
from experiments.data import rotated_mnist
from experiments.data.rotated_mnist import Split
from gcnn import groups, nn

# 4 steps an epoch; the step takes about a millisecond.
SETTINGS = ("--batch-size", "16", "--epochs", "60", "--save-every", "20", "--no-curve")
STEPS, SAVE_EVERY = 240, 20


class Tiny(nnx.Module):
    """A network with all that a state can hold: weights, running statistics, keys of dropout."""

    def __init__(
        self,
        rngs: nnx.Rngs,
        rate: float = 0.1,
        activation: Callable[[jax.Array], jax.Array] = nnx.relu,
    ):
        group = groups.p4()
        self.lift = nn.LiftingConv(group, 1, 4, 3, rngs=rngs)
        self.norm = nnx.BatchNorm(4, rngs=rngs)
        self.drop = nnx.Dropout(rate, rngs=rngs)
        self.pool = nn.GroupPool(group)
        self.head = nnx.Linear(4, 10, rngs=rngs)
        self.activation = activation

    def __call__(self, x: jax.Array) -> jax.Array:
        fields = self.activation(self.norm(self.lift(x)))
        return self.head(self.drop(self.pool(fields).mean((1, 2))))


CONFIG = Config("tiny", lambda rngs: Tiny(rngs), groups.p4())


def made(change: int = 0) -> dict[str, Split]:
    """Images of noise whose spread tells the label."""
    random = np.random.default_rng(2016)
    labels = random.integers(10, size=96).astype(np.uint8)
    images = random.integers(20 + 20 * labels[:, None, None], size=(96, 8, 8)).astype(np.uint8)
    images[0, 0, 0] += change
    parts = {"train": slice(48), "valid": slice(48, 64), "test": slice(64, 96)}
    return {name: Split(images[part], labels[part], None) for name, part in parts.items()}


def run(*arguments: str, config: Config = CONFIG, change: int = 0) -> int:
    """`python -m experiments.train ARGUMENTS` with the tiny page alone; returns the exit status."""
    data = made(change)
    with (
        mock.patch.object(rotated_mnist, "load", lambda archive=None: data),
        mock.patch.object(rotated_mnist, "upright", lambda: data),
        mock.patch.object(train, "pages", lambda: {"tiny": ("Tiny.", config)}),
    ):
        return train.main(["tiny", *SETTINGS, *arguments])


def only_read_compiled() -> None:
    """Keep no compiled program for others: JAX writes them in place, and a process that is killed,
    or may write little, leaves half of one, which everyone then stumbles over."""
    jax.config.update("jax_persistent_cache_min_compile_time_secs", float("inf"))


def run_in_the_background(output: str, hindrance: str, *arguments: str) -> None:
    """The same for a process of its own, which writes what it says to the file `output`.

    Args:
      output: path of the file.
      hindrance: "" or "permissions", to obey those of files even as root, or "small files", to
        write none of more than four kilobytes.
      arguments: of the command.
    """
    only_read_compiled()
    descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    if hindrance == "permissions":
        libc = ctypes.CDLL(None)  # capabilities(7): drop CAP_DAC_OVERRIDE, the second bit
        header, sets = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
        assert libc.capget(header, sets) == 0
        sets[0] &= ~2
        assert libc.capset(header, sets) == 0
    elif hindrance == "small files":
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
    sys.exit(run(*arguments))


if __name__ == "__main__":
    only_read_compiled()
    sys.exit(run(*sys.argv[1:]))
