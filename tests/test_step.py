"""One step of training: what it changes, what it averages, and which batch it sees."""

import dataclasses
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from experiments.config import Config
from experiments.cost import macs
from experiments.training import compiler
from experiments.training.step import build, epoch_order, evaluated
from gcnn import groups, models

CONFIG = Config(
    "made", lambda rngs: models.ShiftCNN(groups.p4(), channels=2, depth=1, rngs=rngs), groups.p4()
)
IMAGES = np.random.default_rng(0).integers(0, 256, (24, 8, 8), np.uint8)
LABELS = np.arange(24, dtype=np.int32) % 10


def trained(steps: int, **changes):
    program = build(dataclasses.replace(CONFIG, **changes), 10, 127.0, 74.0)
    states = [program.start()]
    for k in range(steps):
        kept = jax.tree.map(jnp.copy, states[-1])  # the step gives its buffers away
        chosen = epoch_order(0, 0, 24, 8)[k]
        states[-1:] = [kept, program.step(states[-1], IMAGES, LABELS, chosen)]
    return program, states


def test_a_step_moves_the_parameters_and_the_statistics():
    _, (before, after) = trained(1)
    assert int(after.step) == 1 and float(after.sums[2]) == 1
    for part in ("params", "rest"):
        old, new = (jax.tree.leaves(getattr(s, part)) for s in (before, after))
        assert any(not np.array_equal(a, b) for a, b in zip(old, new, strict=True))


def test_the_average_of_the_weights_is_their_average():
    _, states = trained(3, average=0.999)
    params = [jax.tree.leaves(s.params)[0] for s in states]
    # decays 0, 1/10 and 2/11 while the average is young, so that it forgets the first weights
    expected = params[1]
    for decay, now in zip((1 / 10, 2 / 11), params[2:], strict=True):
        expected = decay * expected + (1 - decay) * now
    np.testing.assert_allclose(jax.tree.leaves(states[-1].average[0])[0], expected, rtol=1e-5)
    assert evaluated(states[-1]) is states[-1].average
    _, plain = trained(1)
    assert evaluated(plain[-1])[0] is plain[-1].params


def test_augmentation_is_a_function_of_seed_and_step():
    changes = {"augment": dataclasses.replace(CONFIG.augment, rotate=True)}
    ends = [trained(2, **c)[1][-1].params for c in (changes, changes, {})]
    first, again, without = (jax.tree.leaves(end)[0] for end in ends)
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, without)


def test_the_tested_network_is_the_one_of_the_logits():
    program, states = trained(1)
    network = program.model(states[-1])
    x = (IMAGES.astype(np.float32)[..., None] - 127.0) / 74.0
    np.testing.assert_allclose(
        program.logits(states[-1], IMAGES), network(jnp.asarray(x)), atol=1e-5
    )


def test_an_epoch_sees_every_image_once_in_an_order_of_its_own():
    first = epoch_order(0, 0, 26, 8)
    assert first.shape == (3, 8) and len(np.unique(first)) == 24
    np.testing.assert_array_equal(first, epoch_order(0, 0, 26, 8))
    assert not np.array_equal(first, epoch_order(0, 1, 26, 8))
    assert not np.array_equal(first, epoch_order(1, 0, 26, 8))


@pytest.mark.parametrize(
    ("model", "published"), [(models.P4CNN, 11.67), (models.Z2CNN, 2.98)]
)  # in millions: Cohen & Welling's networks, counted by hand
def test_multiplications_are_counted(model, published):
    network = model(rngs=nnx.Rngs(0))
    network.eval()
    assert macs(network, 1, 28, 28, 1) / 1e6 == pytest.approx(published, abs=0.005)


def test_multiplications_of_one_layer():
    conv = jax.lax.conv_general_dilated
    kernel = jnp.ones((3, 5, 2, 6))

    def grouped(x):  # 4 channels in 2 groups of 2
        y = conv(x, kernel, (2, 1), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC"),
                 feature_group_count=2)  # fmt: skip
        return jax.jit(lambda y: y @ jnp.ones((6, 7)))(y)

    assert macs(grouped, 1, 9, 9, 4) == 4 * 5 * 6 * (3 * 5 * 2) + 4 * 5 * 6 * 7


def test_on_a_cpu_no_convolution_is_handed_to_the_slower_library():
    x, w = jnp.ones((8, 16, 16, 32)), jnp.ones((3, 3, 32, 32))
    layout = ("NHWC", "HWIO", "NHWC")

    def gradient(x, w):
        conv = partial(jax.lax.conv_general_dilated, dimension_numbers=layout)
        y, back = jax.vjp(lambda x, w: conv(x, w, (1, 1), "SAME"), x, w)
        return back(y)

    def handed_over(options):
        text = jax.jit(gradient, compiler_options=options).lower(x, w).compile().as_text()
        assert "conv_general_dilated" in text
        return [line for line in text.splitlines() if "= " in line and "ynn" in line.split("(")[0]]

    assert compiler.options() is not None  # tests run on a CPU
    assert not handed_over(compiler.options())
    if jax.__version_info__ >= (0, 12):  # older ones never hand over a convolution
        assert handed_over(None)
