"""The ledger: nets with exactly one fault, and the fault is named with its cause."""

import functools
import json
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from gcnn import groups, nn, verify
from gcnn.groups import Group
from gcnn.verify._ledger import PARTS
from gcnn.verify._steps import take_apart

LINE, P1, P2, P4 = groups.p1(1), groups.p1(), groups.p2(), groups.p4()
MIRROR = Group.from_generators([[[-1]]], "mirror")


def normal(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def accounts(f, group, x, **options) -> dict[str, verify.Account]:
    return {a.moves: a for a in verify.ledger(f, group, x, **options).accounts}


def only(row: verify.LedgerRow, part: str) -> None:
    """The error has one cause."""
    assert getattr(row, part) > 1e-3
    assert all(getattr(row, other) <= 1e-6 for other in PARTS if other != part)


def exact(row: verify.LedgerRow) -> None:
    assert row.total <= 1e-6 and row.boundary == row.downsampling == 0
    assert row.lattice <= 1e-14


# One fault among exact steps.


def lifting(**options) -> nn.LiftingConv:
    return nn.LiftingConv(P4, 1, 2, 3, **{"padding": "CIRCULAR", **options}, rngs=nnx.Rngs(0))


def mean(x):
    return x.mean((1, 2))


def halved(x):
    return nn.max_pool(P4, x, 2, 2)


def small_sums(x):
    """All pixels summed, one after the other, in bfloat16."""
    rows = jnp.cumsum(x.astype(jnp.bfloat16), axis=1)[:, -1:]
    return jnp.cumsum(rows, axis=2)[:, :, -1:].astype(x.dtype)


def flatten(x):
    return x.reshape(len(x), -1)


FAULTS = {
    # the steps but for the lifting convolution; for elements and for shifts, the fault
    "exact": ([nnx.relu, nn.GroupPool(P4), mean], None, None),
    "plain convolution": (
        [nn.GroupPool(P4), nnx.Conv(2, 2, (3, 3), padding="CIRCULAR", rngs=nnx.Rngs(1))],
        ("layers.2", "lattice"), None,
    ),
    "off-centre stride": (
        [nn.GroupConv(P4, 2, 2, 3, 2, padding="CIRCULAR", allow_inexact=True, rngs=nnx.Rngs(1))],
        ("layers.1", "downsampling"), ("layers.1", "downsampling"),
    ),
    "max-pooling": ([nnx.relu, halved], None, ("layers.2", "downsampling")),
    "zero padding": (
        [nn.GroupConv(P4, 2, 2, 3, rngs=nnx.Rngs(1)), nnx.relu], None, ("layers.1", "boundary")
    ),
    "cropping": (
        [nn.GroupConv(P4, 2, 2, 3, padding="VALID", rngs=nnx.Rngs(1))],
        None, ("layers.1", "boundary"),
    ),
    "mirrored padding": (
        [lambda x: jnp.pad(x, [(0, 0), (1, 1), (1, 1), (0, 0), (0, 0)], mode="reflect"),
         nn.GroupConv(P4, 2, 2, 3, padding="VALID", rngs=nnx.Rngs(1)), nn.GroupPool(P4)],
        None, ("layers.2", "boundary"),
    ),
    "rounding": ([small_sums, mean], ("layers.1", "precision"), ("layers.1", "precision")),
    "flattening": (
        [nn.GroupPool(P4), flatten, nnx.Linear(128, 3, rngs=nnx.Rngs(1))],
        ("layers.2", "lattice"), ("layers.2", "lattice"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_the_only_fault_is_named_with_its_cause(name):
    layers, *faults = FAULTS[name]
    act = {"layers.1": None} if name == "mirrored padding" else None  # padded and cropped again
    ledger = verify.ledger(nnx.Sequential(lifting(), *layers), P4, normal(2, 8, 8, 1), act=act)
    assert [account.moves for account in ledger.accounts] == ["elements", "shifts"]
    for account, fault in zip(ledger.accounts, faults, strict=True):
        assert account.culprit == ledger.culprit[account.moves] == fault
        for row in account.rows:
            if fault is not None and row.name == fault[0]:
                only(row, fault[1])
            else:
                exact(row)
        if name == "exact":
            assert account.working <= 1e-6 and account.float64 <= 1e-14


def test_an_error_in_the_whole_type_is_split_in_float64():
    """Without x64 it would hide what is smaller than the rounding."""

    def nearly(x):
        return x + 1e-9 * x[:, :1] * jnp.ones_like(x)

    (row,) = accounts(nearly, P2, normal(2, 4, 4, 1))["elements"].rows
    assert 1e-10 < row.lattice < 1e-8
    assert row.boundary == row.downsampling == 0


# Known truths.


def box(x):
    """The sum over three pixels, zeros outside."""
    one = jnp.ones((3, 1, 1), x.dtype)
    return jax.lax.conv_general_dilated(
        x, one, (1,), [(1, 1)], dimension_numbers=("NWC", "WIO", "NWC")
    )


def delta(at: int, n: int = 8) -> np.ndarray:
    return np.eye(n, dtype=np.float32)[None, at, :, None]


@pytest.mark.parametrize(
    ("at", "squared"),
    [
        (3, 0.0),  # far from the boundary
        (6, 1 / 3),  # (5, 6, 7) goes to (6, 7), and should to (6, 7, 0)
        (7, 2 / 2),  # (6, 7) goes to (0, 1), and should to (7, 0)
        (0, 0.0),  # (0, 1) goes to (1, 2), and there are three: (0, 1, 2), counted below
    ],
)
def test_the_error_of_a_box_filter_at_the_boundary(at, squared):
    (row,) = accounts(box, LINE, delta(at))["shifts"].rows
    squared += (at == 0) * 1 / 2
    assert row.total == row.boundary == row.rim == pytest.approx(math.sqrt(squared))
    assert row.interior == row.lattice == row.downsampling == row.precision == 0


def test_the_error_of_a_shifted_filter_under_a_mirror():
    """Delta functions two pixels apart, each of norm 1."""

    def shifted(x):
        return jnp.roll(x, -1, axis=1)

    found = accounts(shifted, MIRROR, delta(3))
    (row,) = found["elements"].rows
    assert row.lattice == row.total == pytest.approx(math.sqrt(2))
    assert found["shifts"].rows[0].total == 0


@pytest.mark.parametrize("at", [2, 3])
def test_the_error_of_sampling_every_second_pixel(at):
    def sampled(x):
        return x[:, ::2] + 0 * x[:, :1]

    x = np.concatenate([delta(at), delta(at + 1)])  # one is lost before the shift, one after
    (row,) = accounts(sampled, LINE, x)["shifts"].rows
    assert row.total == row.downsampling == pytest.approx(math.sqrt(2))


def polyphase(x):
    """Every second pixel of each axis, from where the energy is the largest."""
    phases = jnp.stack([x[:, i::2, j::2] for i in range(2) for j in range(2)], axis=1)
    best = (phases**2).sum(range(2, phases.ndim)).argmax(axis=1)
    return jnp.take_along_axis(phases, best.reshape(-1, *(1,) * (phases.ndim - 1)), axis=1)[:, 0]


def doubled(x):
    return x.repeat(2, axis=1).repeat(2, axis=2)


class Skip(nnx.Module):
    """Down and up again, beside what stays: a step that reads two grids."""

    def __init__(self):
        self.down, self.up = nnx.Sequential(polyphase), nnx.Sequential(doubled)
        self.last = nnx.Sequential(jnp.tanh)

    def __call__(self, x):
        return self.last(jnp.concatenate([x, self.up(self.down(jnp.sin(x)))], axis=-1))


def test_grids_of_several_resolutions_move_together():
    """Up to one pixel of the coarsest, all of this commutes with shifts."""
    found = accounts(Skip(), P1, normal(3, 8, 8, 2))
    assert found.keys() == {"shifts"}  # the trivial group has no other element
    by_name = {row.name: row for row in found["shifts"].rows}
    assert list(by_name) == [
        "before down.layers.0", "down.layers.0", "up.layers.0", "before last.layers.0",
        "last.layers.0",
    ]  # fmt: skip
    for row in by_name.values():
        exact(row)


def test_a_position_added_to_an_image_is_found():
    class Positions(nnx.Module):
        def __init__(self):
            self.table = nnx.Param(jnp.asarray(normal(1, 6, 6, 2)))

        def __call__(self, x):
            return x + self.table[...]

    for account in accounts(nnx.Sequential(jnp.tanh, Positions()), P2, normal(2, 6, 6, 2)).values():
        assert account.culprit == ("layers.1", "lattice")


def test_images_that_are_not_square():
    net = nnx.Sequential(lifting(), halved, nn.GroupConv(P4, 2, 2, 3, rngs=nnx.Rngs(1)))
    elements, shifts = verify.ledger(net, P4, normal(2, 6, 8, 1)).accounts
    assert elements.culprit is None
    assert {row.name for row in shifts.rows if row.total > 1e-3} == {"layers.1", "layers.2"}


# The sums.


def test_the_squares_add_up():
    conv = nnx.Conv(2, 2, (3, 3), (2, 2), rngs=nnx.Rngs(0))  # most faults at once
    x = normal(1, 12, 12, 2)
    ledger = verify.ledger(conv, P2, x)
    for (row,) in (account.rows for account in ledger.accounts):
        assert row.total**2 == pytest.approx(sum(getattr(row, part) ** 2 for part in PARTS))
        mended = row.boundary**2 + row.downsampling**2 + row.lattice**2
        assert mended == pytest.approx(row.rim**2 + row.interior**2)
        assert min(row.rim, row.interior, row.downsampling) > 0.1
    measured = verify.layer_equivariance(conv, P2, x).rows[0].error
    assert ledger.accounts[0].rows[0].total == pytest.approx(measured, rel=1e-5)
    assert ledger.accounts[0].working == pytest.approx(measured, rel=1e-5)


def test_the_error_of_the_whole_model_in_three_settings():
    net = nnx.Sequential(nnx.Conv(1, 2, (3, 3), rngs=nnx.Rngs(0)), jnp.tanh)
    x = normal(2, 6, 6, 1)
    shifts = accounts(net, P1, x)["shifts"]
    y = np.asarray(net(x), np.float64)
    squares = [
        np.sum((np.asarray(net(np.roll(x, 1, axis)), np.float64) - np.roll(y, 1, axis)) ** 2)
        for axis in (1, 2)
    ]
    assert shifts.working == pytest.approx(math.sqrt(np.mean(squares) / np.sum(y**2)), rel=1e-5)
    assert shifts.float64 == pytest.approx(shifts.working, rel=1e-5)
    assert shifts.circular < 1e-14


# Padding rewritten.


def run(f, x, circular: bool) -> np.ndarray:
    """f in float64, as it is or with its padding wrapped around."""
    apart = take_apart(f, x, x.ndim - 2, ("output",), wide=True)
    return apart.nodes(x, circular=circular)[apart.output]


def pools(pool, **options):
    return lambda x, padding: pool(P1, x, 3, padding=padding, allow_inexact=True, **options)


def convolves(**options):
    def f(x, padding):
        conv = nnx.Conv(2, 3, padding=padding, rngs=nnx.Rngs(0), **options)
        return conv(x)

    return f


def strided(x, padding):
    """Of an even length, padded behind alone."""
    if padding == "CIRCULAR":
        x, padding = jnp.pad(x, [(0, 0), (0, 1), (0, 1), (0, 0)], mode="wrap"), "VALID"
    kernel = jnp.arange(18, dtype=x.dtype).reshape(3, 3, 2, 1)
    dims = ("NHWC", "HWIO", "NHWC")
    return jax.lax.conv_general_dilated(x, kernel, (2, 2), padding, dimension_numbers=dims)


def padded_before(x, padding):
    kernel = jnp.ones((3, 3, 2, 1), x.dtype)
    x = jnp.pad(
        x, [(0, 0), (1, 1), (1, 1), (0, 0)], "wrap" if padding == "CIRCULAR" else "constant"
    )
    dims = ("NHWC", "HWIO", "NHWC")
    return jax.lax.conv_general_dilated(x, kernel, (1, 1), "VALID", dimension_numbers=dims)


def log_sum_exp(x, padding):
    if padding == "CIRCULAR":
        x, padding = jnp.pad(x, [(0, 0), (1, 1), (1, 1), (0, 0)], mode="wrap"), "VALID"
    first = jnp.asarray(-jnp.inf, x.dtype)
    return jax.lax.reduce_window(x, first, jnp.logaddexp, (1, 3, 3, 1), (1, 1, 1, 1), padding)


@pytest.mark.parametrize(
    "f",
    [
        convolves(kernel_size=(3, 3)), convolves(kernel_size=(2, 5), kernel_dilation=2), strided,
        pools(nn.max_pool), pools(nn.avg_pool), padded_before, log_sum_exp,
    ],
    ids=["3x3", "dilated 2x5", "stride", "max", "mean", "padded before", "log-sum-exp"],
)  # fmt: skip
def test_wrapped_padding_is_that_of_a_net_built_with_it(f):
    x = normal(2, 6, 8, 2)
    same, wrapped = (jax.jit(functools.partial(f, padding=p)) for p in ("SAME", "CIRCULAR"))
    with jax.enable_x64(True):
        x64 = jnp.asarray(x, jnp.float64)
        given, wanted = np.asarray(same(x64)), np.asarray(wrapped(x64))
    assert np.abs(given - wanted).max() > 0.1
    np.testing.assert_allclose(run(same, x, circular=True), wanted, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(run(same, x, circular=False), given, rtol=1e-6, atol=1e-6)


def test_a_transposed_convolution_wraps_with_its_gaps():
    def up(x):
        kernel = jnp.arange(1.0, 4, dtype=x.dtype).reshape(3, 1, 1)
        return jax.lax.conv_transpose(
            x, kernel, (2,), "SAME", dimension_numbers=("NWC", "WIO", "NWC")
        )

    x = normal(1, 6, 1)
    y = run(up, x, circular=True)
    np.testing.assert_allclose(run(up, np.roll(x, 1, 1), circular=True), np.roll(y, 2, 1))
    np.testing.assert_array_equal(y[:, 2:-2], run(up, x, circular=False)[:, 2:-2])
    assert np.abs(run(up, np.roll(x, 1, 1), circular=False) - np.roll(y, 2, 1)).max() > 0.1


@pytest.mark.parametrize(
    "f",
    [
        lambda x: convolves(kernel_size=(3, 3))(x, "VALID"),
        lambda x: jnp.pad(x, [(0, 0), (0, 0), (0, 0), (1, 1)]),  # channels
        lambda x: jnp.pad(x, [(0, 0), (1, 1), (1, 1), (0, 0)], mode="reflect"),
        lambda x: jax.lax.pad(x, x.dtype.type(0), [(0, 0, 0), (0, 1, 1), (0, 1, 1), (0, 0, 0)]),
        lambda x: jnp.cumsum(x, axis=1),
    ],
    ids=["valid", "channels", "mirrored", "unpooling", "sum"],
)
def test_what_is_no_padding_of_an_image_is_left_alone(f):
    x = normal(2, 6, 8, 2)
    np.testing.assert_array_equal(run(f, x, circular=True), run(f, x, circular=False))


def test_float64_reaches_what_the_model_casts_down():
    @jax.checkpoint
    def rounded(x):
        y = jax.lax.reduce_precision(x.astype(jnp.float16), 5, 3)
        return jax.nn.silu(y).astype(x.dtype)  # calls of calls

    def looped(x):
        return jax.lax.scan(lambda c, _: (c * jnp.float32(1.1), None), x, length=3)[0]

    x = normal(2, 4, 4, 1)
    with jax.enable_x64(True):
        wanted = np.asarray(jax.nn.silu(jnp.asarray(x, jnp.float64)))
    np.testing.assert_allclose(run(rounded, x, circular=False), wanted, rtol=1e-12)
    assert np.abs(np.asarray(rounded(x)) - wanted).max() > 1e-3
    np.testing.assert_allclose(run(looped, x, circular=False), x * 1.331, rtol=1e-6)


# Reports.


def test_a_ledger_serialises_to_json_and_prints_as_tables():
    ledger = verify.ledger(nnx.Sequential(jnp.tanh, box), MIRROR, normal(2, 6, 1))
    data = json.loads(json.dumps(ledger.to_dict()))
    assert [account["moves"] for account in data["accounts"]] == ["elements", "shifts"]
    assert data["accounts"][1]["culprit"] == ["layers.1", "boundary"]
    row = data["accounts"][1]["rows"][1]
    assert row["name"] == "layers.1" and row["kind"] == "box"
    assert row["total"] == ledger.accounts[1].rows[1].total
    text = str(ledger)
    lines = text.splitlines()
    assert lines[0] == "Group(mirror: order 2, dimension 1), float32"
    assert lines[2] == "elements" and "no part is above 7.6e-06" in lines
    assert lines[3].split() == ["step", "kind", "total", *PARTS, "rim", "interior"]
    assert text.count("the whole model: ") == 2
    assert lines[-1] == "the largest part is the boundary of layers.1"


def test_the_tolerance_decides_what_is_worth_naming():
    assert verify.ledger(box, LINE, normal(2, 6, 1), tolerance=10.0).culprit == {"shifts": None}


def test_nan_under_a_move_is_refused_and_not_overlooked():
    first = normal(2, 4, 4, 1)

    def f(x):
        return jnp.where(x[0, 0, 0, 0] == first[0, 0, 0, 0], x, jnp.nan)

    with pytest.raises(ValueError, match=r"The step f \(slice\) returns NaN or infinity"):
        verify.ledger(f, P2, first)


def test_a_wrong_action_is_refused():
    def crop(x):
        return x[:, :2]

    with pytest.raises(ValueError, match=r"At crop: φ\(g·v\) has shape \(2, 2, 4, 1\), and g·φ"):
        verify.ledger(crop, P4, normal(2, 4, 4, 1))
