"""Layer by layer: models of every build are taken apart, and the broken layer is named."""

import dataclasses
import functools
import json
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from gcnn import actions, groups, nn, verify
from gcnn.groups import Group

P1, P2, P4 = groups.p1(), groups.p2(), groups.p4()
MIRROR = Group.from_generators([[[-1]]], "mirror")
X = np.random.default_rng(0).normal(size=(3, 6, 6, 2)).astype(np.float32)


def names(report: verify.LayerReport) -> list[str]:
    return [row.name for row in report.rows]


def weighted(x):
    """Not equivariant: the rows of an image count differently."""
    return x * jnp.arange(1.0, x.shape[1] + 1)[:, None, None]


def mean(x):
    return x.mean((1, 2))


class Block(nnx.Module):
    def __init__(self, conv: nnx.Module, features: int):
        self.conv = conv
        self.norm = nnx.BatchNorm(features, use_running_average=True, rngs=nnx.Rngs(0))

    def __call__(self, x):
        return nnx.relu(self.norm(self.conv(x)))


class Net(nnx.Module):
    """Blocks in a list, functions in between, a skip connection."""

    def __init__(self, middle: nnx.Module | None = None):
        rngs = nnx.Rngs(0)
        self.lift = Block(nn.LiftingConv(P4, 2, 3, 3, rngs=rngs), 3)
        self.hidden = nnx.List([Block(nn.GroupConv(P4, 3, 3, 3, rngs=rngs), 3) for _ in range(2)])
        if middle is not None:
            self.hidden[0].conv = middle
        self.pool = nn.GroupPool(P4)
        self.dropout = nnx.Dropout(0.5, deterministic=True, rngs=rngs)

    def __call__(self, x):
        x = nn.max_pool(P4, self.dropout(self.lift(x)), 2, 2)
        for block in self.hidden:
            x = x + block(x)
        return nn.global_max_pool(P4, self.pool(x))


@pytest.fixture(scope="module")
def report() -> verify.LayerReport:
    return verify.layer_equivariance(Net(), P4, X)


# Taking apart.


def test_every_layer_is_a_step_and_so_is_what_happens_in_between(report):
    assert [(row.name, row.kind) for row in report.rows] == [
        ("lift.conv", "LiftingConv"),
        ("lift.norm", "BatchNorm"),
        ("before hidden.0.conv", "reshape, reduce_max"),
        ("hidden.0.conv", "GroupConv"),
        ("hidden.0.norm", "BatchNorm"),
        ("before hidden.1.conv", "pointwise"),
        ("hidden.1.conv", "GroupConv"),
        ("hidden.1.norm", "BatchNorm"),
        ("before pool", "pointwise"),
        ("pool", "GroupPool"),
        ("output", "reduce_max"),
    ]


def test_a_function_is_a_single_step():
    report = verify.layer_equivariance(weighted, P2, X)
    assert names(report) == ["weighted"]
    alone = verify.equivariance(weighted, P2, X)
    assert report.rows[0].error == pytest.approx(alone.error, rel=1e-6)
    assert report.rows[0].accumulated == report.rows[0].error


def test_a_layer_alone_is_a_single_step():
    assert names(
        verify.layer_equivariance(nn.LiftingConv(P2, 2, 2, 3, rngs=nnx.Rngs(0)), P2, X)
    ) == ["LiftingConv"]


def test_functions_in_a_list_are_steps_of_their_own():
    pool = functools.partial(nnx.avg_pool, window_shape=(2, 2), strides=(2, 2))
    net = nnx.Sequential(weighted, nnx.relu, pool, mean)
    layers = list(net.layers)
    report = verify.layer_equivariance(net, P2, X)
    assert [(row.name, row.kind) for row in report.rows] == [
        ("layers.0", "weighted"), ("layers.1", "relu"), ("layers.2", "avg_pool"),
        ("layers.3", "mean"),
    ]  # fmt: skip
    assert report.culprit == "layers.0"
    assert list(net.layers) == layers  # as they were


@jax.tree_util.register_dataclass
@dataclasses.dataclass
class Scale:
    """No framework at all."""

    weight: jax.Array

    def __call__(self, x, *, twice=False):
        return x * self.weight * (2 if twice else 1)


class Rows(Scale):
    def __call__(self, x):
        return super().__call__(weighted(x))


jax.tree_util.register_dataclass(Rows, ["weight"], [])


class Outer:
    """Not even a pytree: layers in a dictionary and a tuple, one of them called twice."""

    def __init__(self):
        self.parts = {"a": (Scale(jnp.array(2.0)),), "b": Rows(jnp.array(3.0))}

    def __call__(self, x):
        first = self.parts["a"][0]
        return first(x=first(self.parts["b"](x), twice=True))


def test_a_model_needs_no_framework():
    report = verify.layer_equivariance(Outer(), P2, X)
    assert names(report) == ["parts.b", "parts.a.0", "parts.a.0 (call 2)"]
    assert [row.kind for row in report.rows] == ["Rows", "Scale", "Scale"]
    assert report.culprit == "parts.b"


def test_the_types_are_left_as_they_were():
    before = Scale.__call__, Rows.__call__, vars(nn.GroupPool)["__call__"]
    verify.layer_equivariance(Outer(), P2, X)
    with pytest.raises(ZeroDivisionError):
        verify.layer_equivariance(
            nnx.Sequential(nn.GroupPool(P2), lambda x: 1 / 0), P2, X[..., None]
        )
    assert (Scale.__call__, Rows.__call__, vars(nn.GroupPool)["__call__"]) == before


class Inherited(nn.GroupPool):
    pass


def test_an_inherited_call_is_left_inherited():
    net = nnx.Sequential(Inherited(P2), mean)
    x = np.stack([X, X[::-1]], axis=-2)
    assert verify.layer_equivariance(net, P2, x).rows[0].kind == "Inherited"
    assert "__call__" not in vars(Inherited)


class Two(nnx.Module):
    """Two arrays in, two out."""

    def __call__(self, x, y, scale=2.0):
        return {"sum": x + y, "product": (scale * x * y,)}


class Pair(nnx.Module):
    def __init__(self):
        self.two = Two()

    def __call__(self, x):
        both = self.two(weighted(x), x[:, ::-1, ::-1])
        return both["sum"] + both["product"][0]


def test_several_arrays_are_told_apart():
    report = verify.layer_equivariance(Pair(), P2, X)
    assert names(report) == [
        "before two", "before two, argument 2", "two", "two, output 2", "output"
    ]  # fmt: skip
    assert report.culprit == "before two"
    assert [row.error > 0.1 for row in report.rows] == [True, False, False, False, False]


def test_what_is_compiled_apart_belongs_to_the_step_around_it():
    net = nnx.Sequential(nn.LiftingConv(P2, 2, 2, 3, rngs=nnx.Rngs(0)), nn.GroupPool(P2))
    report = verify.layer_equivariance(nnx.jit(lambda x: net(x)), P2, X)
    assert [row.name for row in report.rows] == ["<lambda>"]

    class Compiled(nnx.Module):
        def __init__(self):
            self.inner, self.last = net, nnx.BatchNorm(2, rngs=nnx.Rngs(0))

        def __call__(self, x):
            return self.last(nnx.jit(lambda net, x: net(x))(self.inner, x))

    report = verify.layer_equivariance(Compiled(), P2, X)
    assert names(report) == ["before last", "last"] and report.holds


def test_a_model_in_training_stays_as_it_is():
    net = nnx.Sequential(nnx.BatchNorm(2, rngs=nnx.Rngs(0)), nnx.Dropout(0.5, rngs=nnx.Rngs(0)))
    report = verify.layer_equivariance(net, P2, X)
    assert report.culprit == "layers.1"  # drops other pixels of a turned image
    assert report.rows[0].verdict == "to rounding"
    np.testing.assert_array_equal(net.layers[0].mean[...], np.zeros(2))
    assert net.layers[1].rngs.count[...] == 0


# Judging.


def test_a_net_of_exact_layers_is_equivariant_in_every_step(report):
    assert report.holds and report.culprit is None
    assert {row.verdict for row in report.rows} == {"exact", "to rounding"}
    assert max(row.accumulated for row in report.rows) < 1e-5
    assert report.tolerance == pytest.approx(64 * 2.0**-23)


@pytest.mark.parametrize("shape", [(3, 6, 8, 2), (1, 4, 6, 2)], ids=str)
def test_images_that_are_not_square_are_turned(shape):
    x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    assert verify.layer_equivariance(Net(), P4, x).holds


class Plain(nnx.Module):
    """An ordinary convolution that knows nothing of the group axis."""

    def __init__(self):
        self.kernel = nnx.Param(jax.random.normal(jax.random.key(0), (3, 3, 12, 12)) / 10)

    def __call__(self, f):
        x = f.reshape(*f.shape[:3], 12)
        dims = ("NHWC", "HWIO", "NHWC")
        y = jax.lax.conv_general_dilated(
            x, self.kernel[...], (1, 1), "SAME", dimension_numbers=dims
        )
        return y.reshape(f.shape)


def test_the_broken_layer_is_named_and_its_error_stays_its_own():
    report = verify.layer_equivariance(Net(Plain()), P4, X)
    assert report.culprit == "hidden.0.conv" and not report.holds
    broken = names(report).index("hidden.0.conv")
    for i, row in enumerate(report.rows):
        assert (row.verdict == "not equivariant") == (i == broken)
        assert (row.accumulated > 1e-3) == (i >= broken)
    assert report.rows[broken].error > 0.3
    assert report.rows[broken].element in (*P4.names, "one per sample")
    assert str(report).endswith("not equivariant: hidden.0.conv")


def test_each_of_two_broken_layers_is_named():
    report = verify.layer_equivariance(nnx.Sequential(weighted, nnx.relu, weighted), P2, X)
    assert [row.verdict for row in report.rows] == ["not equivariant", "exact", "not equivariant"]
    assert report.culprit == "layers.0"


def test_what_is_shared_in_the_batch_is_found_by_moving_each_sample_its_own_way():
    def shared(x):
        return x - x.mean(0, keepdims=True)

    row = verify.layer_equivariance(shared, P2, X).rows[0]
    assert row.element == "one per sample" and row.verdict == "not equivariant"
    assert verify.layer_equivariance(shared, P2, X[:1] + 0).rows[0].error == 0


def test_a_step_that_returns_zero_proves_nothing():
    report = verify.layer_equivariance(nnx.Sequential(jnp.zeros_like, weighted), P2, X)
    assert [row.verdict for row in report.rows] == ["vacuous", "vacuous"]
    assert report.culprit is None and not report.holds
    assert str(report).endswith("vacuous: layers.0, layers.1")


def test_a_coarse_type_gets_a_coarse_tolerance():
    x = jnp.asarray(X, jnp.bfloat16)
    conv = nn.LiftingConv(P4, 2, 4, 3, rngs=nnx.Rngs(0))
    report = verify.layer_equivariance(nnx.Sequential(conv, nn.GroupPool(P4)), P4, x)
    assert report.dtype == "bfloat16" and report.tolerance == 0.05 and report.holds
    strict = verify.layer_equivariance(weighted, P2, X, tolerance=10.0)
    assert strict.holds and strict.rows[0].verdict == "to rounding"


def test_on_a_line():
    def drift(x):
        return x + jnp.roll(x, 1, axis=1)

    report = verify.layer_equivariance(nnx.Sequential(jnp.tanh, drift), MIRROR, X[:, 0])
    assert report.culprit == "layers.1"


def test_the_trivial_group_has_nothing_to_break():
    assert verify.layer_equivariance(weighted, P1, X).rows[0].verdict == "exact"


# Actions.


def flatten(x):
    return x.reshape(len(x), -1)


def test_the_step_that_flattens_is_blamed_unless_it_is_no_end():
    net = nnx.Sequential(jnp.tanh, flatten, lambda v: v @ jnp.ones((72, 3)))
    assert verify.layer_equivariance(net, P4, X).culprit == "layers.1"
    merged = verify.layer_equivariance(net, P4, X, act={"layers.1": None})
    assert names(merged) == ["layers.0", "layers.2"]
    assert merged.holds

    def turned(group, g, v):
        return flatten(actions.act_on_image(group, g, v.reshape(-1, 6, 6, 2)))

    named = verify.layer_equivariance(net, P4, X, act={"layers.1": turned})
    assert [row.verdict for row in named.rows] == ["exact", "exact", "to rounding"]


def test_an_array_that_is_no_field_is_no_end_of_a_step():
    def tokens(x):
        return x.reshape(len(x), 36, 2)

    def back(t):
        return t.reshape(3, 6, 6, 2)

    net = nnx.Sequential(tokens, jnp.tanh, back, lambda x: x.reshape(9, 2, 6, 2), back)
    assert names(verify.layer_equivariance(net, P4, X)) == ["layers.2", "layers.4"]


def test_input_and_output_take_actions_too():
    regular = np.moveaxis(X, -1, 1)[:, :, :, None]  # [b, h, y, x, 1] for p2, axes in another order

    def act(group, g, f):
        return np.asarray(actions.act_on_group_axis(group, g, f[..., ::-1, ::-1] if g else f, 1))

    field = np.ascontiguousarray(regular.transpose(0, 1, 3, 2, 4))
    report = verify.layer_equivariance(jnp.tanh, P2, field, act_in=act, act_out=act)
    assert report.holds


# Reports.


def test_a_report_serialises_to_json_and_prints_as_a_table(report):
    data = json.loads(json.dumps(report.to_dict()))
    assert data["culprit"] is None and data["holds"] is True
    assert data["rows"][0].keys() == {
        "name", "kind", "error", "element", "accumulated", "verdict"
    }  # fmt: skip
    lines = str(report).splitlines()
    assert lines[0] == "Group(p4: order 4, dimension 2), float32"
    assert re.split(r"\s{2,}", lines[1]) == [
        "step", "kind", "own error", "worst at", "accumulated", "verdict"
    ]  # fmt: skip
    assert [line.split("  ")[0] for line in lines[3:-1]] == names(report)
    assert lines[-1] == "every step is equivariant"


# Refusals.


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: verify.layer_equivariance(nnx.Sequential(jnp.tanh, jnp.log), P2, X),
            r"The step layers\.1 \(log\) returns NaN or infinity: no error can be measured",
        ),
        (
            lambda: verify.layer_equivariance(jnp.tanh, P2, np.ones_like(X)),
            r"The element r180 of Group\(p2.*leaves x as it is, which proves nothing about f",
        ),
        (
            lambda: verify.layer_equivariance(lambda x: x[:2], P2, X),
            r"f maps a batch of shape \(3, 6, 6, 2\) to \(2, 6, 6, 2\): it should keep the batch",
        ),
        (
            lambda: verify.layer_equivariance(lambda x: (x, x), P2, X),
            r"to tuple: it should keep the batch size 3 and return one array \[b, \.\.\., c\]",
        ),
        (
            lambda: verify.layer_equivariance(lambda x: x[:, 0, :3], P4, X),
            r"Of shape \(3, 3, 2\), the output is no field of Group\(p4",
        ),
        (
            lambda: verify.layer_equivariance(nnx.Sequential(jnp.tanh), P2, X, act={"top": None}),
            r"act speaks of 'top', which is none of the steps of f: layers\.0",
        ),
        (
            lambda: verify.layer_equivariance(
                nnx.Sequential(lambda x: x[:, :4], jnp.tanh), P4, X,
                act={"layers.0": actions.act_on_invariant},
            ),
            r"At r90, layers\.1: φ\(g·v\) has shape \(3, 4, 6, 2\), and g·φ\(v\) has shape "
            r"\(3, 6, 4, 2\)\. Does the step return the field that its action takes\?",
        ),
        (
            lambda: verify.layer_equivariance(
                nnx.Sequential(jnp.tanh, lambda x: x if x.shape[1] == 4 else x + 1), P4, X[:, :4]
            ),
            r"f goes other ways for an input of shape \(3, 6, 4, 2\): its steps are layers\.0, "
            r"output there, and were layers\.0\.",
        ),
    ],
    ids=[
        "NaN", "symmetric", "batch lost", "tuple", "no output", "unknown", "wrong action",
        "other ways",
    ],
)  # fmt: skip
def test_what_cannot_be_judged_is_refused(call, message):
    with pytest.raises(ValueError, match=message), np.errstate(invalid="ignore"):
        call()
