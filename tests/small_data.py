"""Runs `experiments.train` on a few hundred digits, in the tests' process or in one of its own."""

import sys
from unittest import mock

from experiments import train
from experiments.data import rotated_mnist
from experiments.data.rotated_mnist import Split

SIZES = {"train": 192, "valid": 64, "test": 256}


def shrink(splits: dict[str, Split]) -> dict[str, Split]:
    """The first digits of every split."""
    return {
        name: Split(splits[name].images[:n], splits[name].labels[:n], splits[name].angles[:n])
        for name, n in SIZES.items()
    }


def run(*arguments: str) -> int:
    """`python -m experiments.train ARGUMENTS` on the small data; returns the exit status."""
    small, upright = shrink(rotated_mnist.generate()), shrink(rotated_mnist.upright())
    with (
        mock.patch.object(rotated_mnist, "load", lambda archive=None: small),
        mock.patch.object(rotated_mnist, "upright", lambda: upright),
    ):
        return train.main(list(arguments))


if __name__ == "__main__":
    sys.exit(run(*sys.argv[1:]))
