"""The benchmark runs, and measures what it says."""

from flax import nnx

from benchmarks.training_step import Options, measure
from gcnn import groups, models


def test_the_ratio_is_measured():
    found = measure(Options(repetitions=3, batch=4))
    assert found["p4cnn_ms"] > 0 and found["plain_ms"] > 0
    low, high = found["ratio_quartiles"]
    assert 0 < low <= found["ratio"] <= high


def test_both_networks_convolve_the_same_channels():
    p4 = models.P4CNN(groups.p4(), rngs=nnx.Rngs(0))
    plain = models.P4CNN(groups.p1(), channels=40, rngs=nnx.Rngs(0))
    for a, b in zip(p4.hidden, plain.hidden, strict=True):
        bank, dense = a.conv.bank(), b.conv.bank()
        assert bank.size == dense.size == 3 * 3 * 40 * 40
