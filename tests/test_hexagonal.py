"""Rotated MNIST on hexagons: what the resampling keeps, and the network under p6."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from experiments.config import Config
from experiments.data import hexagonal, mnist, rotated_mnist
from experiments.data.rotated_mnist import Split
from experiments.report import Data
from experiments.training.augment import Augment
from gcnn import actions, export, groups, models, verify

from .test_models_unet import frozen, settled

pytestmark = pytest.mark.newest
P6, P6M = groups.p6(), groups.p6m()


@functools.cache
def digits() -> np.ndarray:
    return mnist.load()[0][:64]


def moved(name: str, images: np.ndarray) -> np.ndarray:
    return actions.act_on_image(P6M, P6M.names.index(name), images[..., None])[..., 0]


def test_what_both_lattices_have_is_kept_to_the_last_bit():
    hexagons = hexagonal.resample(digits())
    assert hexagons.shape == (64, 29, 29) and hexagons.dtype == np.uint8
    for name, same in (
        ("r180", digits()[:, ::-1, ::-1]),
        ("m", digits()[:, :, ::-1]),
        ("m·r180", digits()[:, ::-1]),
    ):
        np.testing.assert_array_equal(moved(name, hexagons), hexagonal.resample(same))
    assert not np.array_equal(moved("r60", hexagons), hexagons)
    turned = hexagonal.resample(np.rot90(digits(), axes=(1, 2)))
    assert all(not np.array_equal(moved(name, hexagons), turned) for name in P6M.names)


def test_the_ink_is_that_of_the_squares():
    ink = hexagonal.resample(digits()).sum((1, 2), dtype=float) / digits().sum((1, 2), dtype=float)
    np.testing.assert_allclose(ink, 1, atol=0.05)
    assert ink.mean() == pytest.approx(1, abs=0.01)
    kept = actions.preserved_pixels(P6, (29, 29))
    assert kept.sum() == 631 and not hexagonal.resample(digits())[:, ~kept].any()
    white = hexagonal.resample(np.full((1, 28, 28), 255, np.uint8))[0]
    assert (white[13:16, 13:16] == 255).all()


def test_a_turn_of_the_lattice_is_a_turn_of_the_digit():
    """60° on hexagons and by interpolation, but for the blur."""
    x = jnp.asarray(digits()[..., None], jnp.float32)
    turned = np.asarray(actions.rotate_interpolated(x, math.pi / 3, "cubic"))[..., 0]
    expected = hexagonal.resample(turned.round().clip(0, 255).astype(np.uint8)).astype(float)
    for name, close in (("r60", True), ("r300", False)):
        found = moved(name, hexagonal.resample(digits())).astype(float)
        relative = np.sqrt(((found - expected) ** 2).sum() / (expected**2).sum())
        assert (relative < 0.2) == close, (name, relative)


def test_the_network_on_hexagons_is_invariant_under_p6_and_under_no_mirror():
    net = models.P4CNN(P6, channels=3, classes=4, rngs=nnx.Rngs(0))
    net = export.freeze(net)
    x = (hexagonal.resample(digits()[:4])[..., None] / 255.0 - 0.13) / 0.3
    with jax.enable_x64(True):
        report = verify.equivariance(frozen(settled(net, np.float64)), P6M, x)
    for name, error in zip(P6M.names, report.relative, strict=True):
        assert (error <= 1e-12) == ("m" not in name)
        assert error <= 1e-12 or error > 1e-3


def test_the_splits_are_those_of_rotated_mnist(monkeypatch):
    images, labels = mnist.load()
    few = {
        "train": Split(images[:8], labels[:8], None),
        "test": Split(images[8:9], labels[8:9], None),
    }
    monkeypatch.setattr(rotated_mnist, "load", lambda archive: few)
    data = Data.load(config())
    assert data.source["train"].images.shape == (8, 29, 29) and data.turnable is None
    assert data.source["train"].labels.tolist() == labels[:8].tolist()
    np.testing.assert_array_equal(data.test.images, hexagonal.resample(images[8:9]))
    assert data.name == "generated rotated MNIST, on hexagons"


def config(**more) -> Config:
    model = functools.partial(models.P4CNN, P6)
    return Config("hexagons", model, P6, data="hexagonal_mnist", **({"curve": False} | more))


def test_what_only_squares_have_is_refused():
    for more in ({"curve": True}, {"turns": 2}):
        with pytest.raises(ValueError, match=r"with hexagonal_mnist use --no-curve and --turns 1"):
            Data.load(config(**more))
    with pytest.raises(ValueError, match="augment changes images of squares, and would skew"):
        config(augment=Augment(rotate=True))
