"""Layers that share a compiled program: each gives its own values."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from gcnn import groups, nn
from gcnn.selfcheck import _programs
from gcnn.selfcheck._programs import compiled


@pytest.fixture
def programs(monkeypatch) -> dict:
    """The programs that were compiled: none yet."""
    monkeypatch.setattr(_programs, "_programs", {})
    return _programs._programs


def conv(group, **options):
    return nn.GroupConv(group, 2, 2, 3, rngs=nnx.Rngs(group.order), **options)


def test_groups_of_one_order_share_a_program_and_each_layer_keeps_its_values(programs):
    x = jax.random.normal(jax.random.key(0), (2, 5, 5, 5, 8, 2))
    found = []
    for group in (groups.d4(), groups.d2d(), groups.c4v()):
        layer = conv(group)
        found.append(np.asarray(compiled(layer)(x)))
        np.testing.assert_allclose(found[-1], layer(x), atol=1e-5)
    assert len(programs) == 1
    assert np.abs(found[0] - found[1]).max() > 0.1 and np.abs(found[1] - found[2]).max() > 0.1


def test_what_takes_other_steps_is_another_program(programs):
    x = jax.random.normal(jax.random.key(0), (2, 7, 7, 4, 2))
    layers = [conv(groups.p4()), conv(groups.p4(), strides=2), conv(groups.p4(), use_bias=False)]
    for layer in layers:
        np.testing.assert_allclose(compiled(layer)(x), layer(x), atol=1e-5)
    assert len(programs) == 3


def test_functions_share_a_program_and_not_their_constants(programs):
    x = jnp.ones((2, 3))
    for table in (np.arange(3.0, dtype=np.float32), np.float32([5, 6, 7])):
        np.testing.assert_array_equal(compiled(lambda x, table=table: x * table)(x), x * table)
    assert len(programs) == 1


def test_constants_that_stay_inside_a_program_tell_it_apart_however_large(programs):
    tables = np.zeros((2, 50_000), np.float32)
    tables[1, 25_000] = 1  # where a text that is cut short would not show it
    x = jnp.ones((1, 50_000))
    for table in tables:
        inside = jax.jit(lambda x, table=table: x * table)
        np.testing.assert_array_equal(compiled(inside)(x), table[None])


def test_the_leaves_are_those_of_the_layer():
    layer = conv(groups.p4())
    x = jax.random.normal(jax.random.key(0), (2, 5, 5, 4, 2))
    program = compiled(layer)
    assert [a.shape for a in jax.tree.leaves(program)] == [a.shape for a in jax.tree.leaves(layer)]
    doubled = jax.tree.map(lambda leaf: 2 * leaf, program)
    np.testing.assert_allclose(doubled(x), 2 * layer(x), atol=1e-5)
