"""The network for digits: invariant under its group, plain under the trivial one."""

import jax
import pytest
from flax import nnx

from gcnn import groups, models, verify

X = jax.random.normal(jax.random.key(0), (3, 12, 12, 1))
SMALL = {"channels": (2, 3, 4), "side": 12, "hidden": 5}


def evaluated(group, **more):
    network = models.DigitResNet(group, **SMALL, **more, rngs=nnx.Rngs(0))
    network.eval()
    return network


@pytest.mark.parametrize("group", [groups.p4(), groups.p4m(), groups.pm()], ids=lambda g: g.name)
def test_it_is_invariant(group):
    network = evaluated(group)
    assert network(X).shape == (3, 10)
    assert verify.equivariance(network, group, X).holds


def test_the_plain_one_is_not():
    assert verify.equivariance(evaluated(groups.p1(), blocks=2), groups.p4(), X).error > 0.01


def test_its_size_is_as_it_says():
    params = nnx.state(nnx.eval_shape(lambda: models.DigitResNet(rngs=nnx.Rngs(0))), nnx.Param)
    assert sum(p.size for p in jax.tree.leaves(params)) == 376_130


def test_training_drops_neurons_and_evaluation_does_not():
    network = models.DigitResNet(groups.p4(), **SMALL, dropout_rate=0.5, rngs=nnx.Rngs(0))
    assert not (network(X) == network(X)).all()
    network.eval()
    assert (network(X) == network(X)).all()


def test_a_side_that_cannot_be_halved_is_refused():
    with pytest.raises(
        ValueError, match=r"halves the side 10 of its images 2 times.*multiple of 4"
    ):
        models.DigitResNet(**{**SMALL, "side": 10}, rngs=nnx.Rngs(0))
    with pytest.raises(ValueError, match="must be multiples of 4"):
        evaluated(groups.p4())(X[:, :10, :10])
