"""The judge: every verdict that it can give, and every wrong layer that it must not let pass."""

import dataclasses
import json
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from gcnn import actions, groups, nn, verify
from gcnn.groups import Group

P2, P4, P4M = groups.p2(), groups.p4(), groups.p4m()
MIRROR = Group.from_generators([[[-1]]], "mirror")
HEX = Group.from_generators([((0, -1), (1, 1))], "p6")


def normal(*shape: int, dtype=np.float32) -> jax.Array:
    return jnp.asarray(np.random.default_rng(0).normal(size=shape), dtype)


def square(x):
    return x**2


def weighted(x):
    """Not equivariant: the rows of an image count differently."""
    return x * jnp.arange(1.0, x.shape[1] + 1)[:, None, None]


def lightly_weighted(x):
    return x * (1 + 1e-4 * jnp.arange(x.shape[1])[:, None, None])


def summed_by_rows(x):
    """Invariant, but summed in another order for another element."""
    return jnp.cumsum(jnp.cumsum(x, axis=2)[:, :, -1], axis=1)[:, -1]


# The report.


def test_a_report_holds_one_error_for_each_element():
    report = verify.equivariance(square, P4M, normal(8, 5, 5, 2))
    assert report.group == "Group(p4m: order 8, dimension 2)"
    assert report.dtype == "float32"
    assert report.names == P4M.names
    assert report.relative == report.largest == (0.0,) * 8
    assert report.mixed == 0
    assert report.error == 0
    assert report.verdict == "exact"
    assert report.reason == "every difference is 0"
    assert report.holds
    with pytest.raises(dataclasses.FrozenInstanceError):
        report.verdict = "exact"


def test_errors_are_those_of_the_definition():
    x = normal(3, 4, 4, 2)
    report = verify.equivariance(weighted, P4, x)
    for g in range(4):
        y = np.asarray(weighted(x), np.float64)
        turned = np.asarray(weighted(jnp.rot90(x, g, (1, 2))), np.float64)
        difference = turned - np.rot90(y, g, (1, 2))
        relative = np.linalg.norm(difference) / np.linalg.norm(y)
        assert report.relative[g] == pytest.approx(relative, rel=1e-12)
        assert report.largest[g] == pytest.approx(np.abs(difference).max(), rel=1e-12)
    turned = jnp.stack([jnp.rot90(x[i], i) for i in range(3)])  # sample i by element i
    y = np.stack([np.rot90(weighted(x)[i], i) for i in range(3)]).astype(np.float64)
    mixed = np.linalg.norm(np.asarray(weighted(turned), np.float64) - y) / np.linalg.norm(y)
    assert report.mixed == pytest.approx(mixed, rel=1e-12)
    assert report.error == max(*report.relative, report.mixed)


def test_a_report_serialises_to_json_and_prints_as_a_table():
    report = verify.equivariance(weighted, P4, normal(3, 4, 4, 2))
    data = json.loads(json.dumps(report.to_dict()))
    assert data["verdict"] == "not equivariant"
    assert data["holds"] is False
    assert data["error"] == report.error
    assert data["names"] == list(P4.names)
    assert data["relative"] == list(report.relative)
    lines = str(report).splitlines()
    assert lines[0] == "Group(p4: order 4, dimension 2), float32"
    assert lines[1].split() == ["element", "relative", "error", "largest"]
    assert [line.split()[0] for line in lines[3:7]] == list(P4.names)
    assert lines[7].startswith("one per sample")
    assert lines[8] == f"not equivariant: {report.reason}"


# Verdicts.


@pytest.mark.parametrize(
    ("f", "verdict", "reason"),
    [
        (square, "exact", r"^every difference is 0$"),
        (summed_by_rows, "to rounding", r"^relative error .*e-0\d, within 7\.6e-06 for float32$"),
        (
            weighted,
            "not equivariant",
            r"relative error .*, above 7\.6e-06 for float32, the largest at r\d+$",
        ),
        (
            lightly_weighted,
            "not equivariant",
            r"\(small: is the matmul precision of the device below that type\?\), the largest at r",
        ),
        (lambda x: x / 0, "not equivariant", r"^f\(x\) or f\(g·x\) holds NaN or infinity$"),
        (jnp.zeros_like, "vacuous", r"^f\(x\) is 0, which every group leaves alone$"),
        (
            jnp.ones_like,
            "vacuous",
            r"^f\(x\) is the same for every sample: it does not depend on x$",
        ),
    ],
    ids=["exact", "rounding", "wrong", "slightly wrong", "NaN", "zero", "constant"],
)
def test_every_verdict_is_given_with_its_reason(f, verdict, reason):
    report = verify.equivariance(f, P4, normal(4, 5, 5, 3))
    assert report.verdict == verdict
    assert re.search(reason, report.reason)
    assert report.holds == (verdict in ("exact", "to rounding"))


def test_nan_for_one_element_alone_is_a_failure():
    x = normal(2, 4, 4, 1)
    first = x[0, 0, 0, 0]

    def f(x):
        return jnp.where(x[0, 0, 0, 0] == first, x, jnp.nan)

    report = verify.equivariance(f, P4, x)
    assert report.relative[0] == 0
    assert report.verdict == "not equivariant"


def test_what_is_shared_in_the_batch_is_seen_by_the_mixed_check_alone():
    def centred_by_rows(x):  # the mean image of the batch moves along if all samples move alike
        return x - jnp.mean(x, axis=0, keepdims=True)

    report = verify.equivariance(centred_by_rows, P4, normal(4, 5, 5, 2))
    assert max(report.relative) < 1e-6
    assert report.mixed > 0.1
    assert report.verdict == "not equivariant"
    assert "Only samples moved by different elements differ" in report.reason
    centred = verify.equivariance(
        lambda x: x - jnp.mean(x, axis=(0, 1, 2), keepdims=True), P4, normal(4, 5, 5, 2)
    )
    assert centred.holds  # the mean over space as well is BatchNorm's


def test_one_sample_has_no_mixed_check():
    report = verify.equivariance(square, P4, normal(1, 5, 5, 2))
    assert report.mixed is None
    assert report.verdict == "exact"
    assert "one per sample" not in str(report)


def test_images_need_not_be_square():
    report = verify.equivariance(square, P4, normal(4, 4, 6, 2))
    assert report.verdict == "exact"
    assert report.mixed == 0  # samples turned by 180° still fit in one batch
    assert verify.equivariance(weighted, P4, normal(4, 4, 6, 2)).verdict == "not equivariant"


def test_the_tolerance_follows_the_coarser_type():
    layer = nn.LiftingConv(P4, 2, 3, 3, rngs=nnx.Rngs(0))
    low = verify.equivariance(layer, P4, normal(4, 5, 5, 2, dtype=jnp.bfloat16))
    assert low.dtype == "bfloat16"
    assert low.tolerance == 0.05  # 64 epsilons would be 0.5
    assert low.holds
    rounded = verify.equivariance(lambda x: layer(x.astype(jnp.bfloat16)), P4, normal(4, 5, 5, 2))
    assert rounded.dtype == "bfloat16"
    wrong = verify.equivariance(weighted, P4, normal(4, 5, 5, 2, dtype=jnp.bfloat16))
    assert wrong.verdict == "not equivariant"
    with jax.enable_x64(True):
        double = verify.equivariance(summed_by_rows, P4, normal(4, 5, 5, 2, dtype=np.float64))
    assert double.dtype == "float64"
    assert double.tolerance == pytest.approx(64 * 2.0**-52)


def test_a_tolerance_of_ones_own_decides():
    x = normal(4, 5, 5, 3)
    assert verify.equivariance(lightly_weighted, P4, x, tolerance=0.1).verdict == "to rounding"
    assert verify.equivariance(summed_by_rows, P4, x, tolerance=0.0).verdict == "not equivariant"


@pytest.mark.parametrize(
    ("group", "shape", "f"),
    [
        (P4, (3, 4, 4, 2), lambda x: jnp.max(x, axis=(1, 2))),
        (P4, (3, 4, 4, 4, 2), lambda x: jnp.max(x, axis=(1, 2))),
        (P4, (3, 4, 4, 4, 2), lambda x: jnp.max(x, axis=3)),
        (P4, (3, 4, 4, 4, 2), square),
        (MIRROR, (3, 5, 2), square),
        (MIRROR, (3, 5, 2, 3), square),
        (groups.p1(3), (3, 4, 4, 4, 2), square),
    ],
    ids=["invariant", "orbit", "scalar", "regular", "line", "regular on the line", "space"],
)
def test_the_rank_tells_the_field(group, shape, f):
    assert verify.equivariance(f, group, normal(*shape)).verdict == "exact"


def test_the_actions_may_be_named():
    def pooled(x):  # [b, h, c], where a line of two pixels has the same shape
        return jnp.max(x, axis=1)

    f = normal(3, 5, 2, 3)
    named = verify.equivariance(pooled, MIRROR, f, act_out=actions.act_on_orbit)
    assert named.verdict == "exact"
    other = verify.equivariance(pooled, MIRROR, f, act_out=actions.act_on_invariant)
    assert other.verdict == "not equivariant"
    flat = verify.equivariance(square, MIRROR, f[:, 0], act_in=actions.act_on_orbit,
                               act_out=actions.act_on_orbit)  # fmt: skip
    assert flat.verdict == "exact"


# Refusals.


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: verify.equivariance(square, P4, jnp.zeros((0, 4, 4, 1))),
            r"x should be a batch \[b, \.\.\., c\] of one sample or more, got \(0, 4, 4, 1\)",
        ),
        (lambda: verify.equivariance(square, P4, jnp.zeros(3)), r"x should be a batch .*\(3,\)"),
        (
            lambda: verify.equivariance(square, P4, jnp.ones((1, 4, 4, 1), jnp.int32)),
            "x should be of a floating type, got int32",
        ),
        (
            lambda: verify.equivariance(square, P4, normal(1, 4, 4, 1).at[0, 1, 2, 0].set(jnp.nan)),
            "x holds NaN or infinity: the error of f would be NaN whatever f is",
        ),
        (
            lambda: verify.equivariance(square, P4, jnp.ones((2, 4, 4, 1))),
            r"The element r90 of Group\(p4.*leaves x as it is, which proves nothing about f",
        ),
        (
            lambda: verify.equivariance(
                square, P4M, normal(2, 4, 4, 1) + jnp.flip(normal(2, 4, 4, 1), 2)
            ),
            r"The element m of Group\(p4m.*leaves x as it is",
        ),
        (
            lambda: verify.equivariance(lambda x: x[:1], P4, normal(2, 4, 4, 1)),
            r"f maps a batch of shape \(2, 4, 4, 1\) to shape \(1, 4, 4, 1\): it should keep the "
            r"batch size 2 and return \[b, \.\.\., c\]",
        ),
        (
            lambda: verify.equivariance(lambda x: x.sum((1, 2, 3)), P4, normal(2, 4, 4, 1)),
            r"to shape \(2,\): it should keep the batch size",
        ),
        (
            lambda: verify.equivariance(square, P4, normal(2, 4, 4)),
            r"Of shape \(2, 4, 4\), the input is no field of Group\(p4.*an image is \[b, \*space, "
            r"c\] and a regular field \[b, \*space, 4, c\], with 2 space axes",
        ),
        (
            lambda: verify.equivariance(square, P4, normal(2, 4, 4, 8, 1)),
            r"Of shape \(2, 4, 4, 8, 1\), the input is no field of Group\(p4",
        ),
        (
            lambda: verify.equivariance(lambda x: x[:, 0, :3], P4, normal(2, 4, 4, 1)),
            r"Of shape \(2, 3, 1\), the output is no field of Group\(p4.*Name the action with act_",
        ),
        (
            lambda: verify.equivariance(lambda f: f.max(1), MIRROR, normal(3, 5, 2, 3)),
            r"Of shape \(3, 2, 3\), the output is a function on the line \[b, x, c\] or on the "
            r"point group \[b, h, c\]: say which with act_out=actions\.act_on_image or",
        ),
        (
            lambda: verify.equivariance(lambda x: x[:, :2], P4, normal(2, 4, 5, 1)),
            r"For r90, f\(g·x\) has shape \(2, 2, 4, 1\) and g·f\(x\) has shape \(2, 5, 2, 1\)",
        ),
        (
            lambda: verify.equivariance(square, HEX, normal(2, 4, 4, 1)),
            r"of sides \(4, 4\) is not preserved by the element r60 of Group\(p6",
        ),
    ],
    ids=[
        "empty", "no batch", "integers", "NaN", "symmetric", "mirrored", "batch lost",
        "rank lost", "no image", "another group's", "no output", "ambiguous", "cropped", "skewed",
    ],
)  # fmt: skip
def test_what_would_prove_nothing_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# The certificate.


def test_the_certificate_needs_no_tolerance():
    layer = nn.GroupConv(P4, 2, 3, 3, rngs=nnx.Rngs(0))
    before = layer.kernel[...]
    report = verify.integer_certificate(layer, P4, (4, 5, 5, 4, 2))
    assert (report.verdict, report.tolerance, report.error) == ("exact", 0.0, 0.0)
    assert report.reason == "every difference is 0 (integers below 2^24)"
    np.testing.assert_array_equal(layer.kernel[...], before)  # the layer itself is left alone


def test_the_certificate_holds_for_a_function_without_parameters():
    assert verify.integer_certificate(square, P4, (3, 4, 4, 1)).verdict == "exact"


@pytest.mark.parametrize(
    "layer",
    [
        nnx.Conv(2, 3, (3, 3), rngs=nnx.Rngs(0)),
        nn.LiftingConv(groups.pmm(), 2, 3, 3, rngs=nnx.Rngs(0)),
        nn.LiftingConv(P4, 2, 3, 3, 2, allow_inexact=True, rngs=nnx.Rngs(0)),
    ],
    ids=["plain", "another group of order 4", "off centre"],
)
def test_the_certificate_rejects_what_is_not_equivariant(layer):
    report = verify.integer_certificate(layer, P4, (4, 6, 6, 2))
    assert report.verdict == "not equivariant"
    assert report.error > 0.1


def test_the_certificate_sees_one_wrong_weight_that_rounding_would_hide():
    def nearly(x):
        return x + 2.0**-19 * x[:, :1]

    x = normal(4, 5, 5, 2)
    assert verify.equivariance(nearly, P4, x).verdict == "to rounding"
    assert verify.integer_certificate(nearly, P4, (4, 5, 5, 2)).verdict == "not equivariant"


def test_the_certificate_follows_its_seed():
    def shown(x):
        seen.append(np.asarray(x))
        return x

    seen: list[np.ndarray] = []
    for seed in (0, 0, 1):
        verify.integer_certificate(shown, P2, (2, 4, 4, 1), seed=seed)
    runs = seen[:: len(seen) // 3]
    np.testing.assert_array_equal(runs[0], runs[1])
    assert not np.array_equal(runs[0], runs[2])
    assert set(np.unique(seen[1])) <= set(range(-4, 5))


def test_the_certificate_leaves_what_is_no_parameter_alone():
    net = nnx.Sequential(
        nn.LiftingConv(P4, 1, 2, 3, rngs=nnx.Rngs(0)),
        nnx.Dropout(0.5, deterministic=True, rngs=nnx.Rngs(0)),
    )
    assert verify.integer_certificate(net, P4, (2, 5, 5, 1)).verdict == "exact"


def test_the_certificate_refuses_sums_that_are_no_longer_exact():
    def deep(x):
        return (x * 1e3) ** 3

    message = r"The sums of f may reach 6\.4e\+10, above 2\^24 = 16777216, where float32 is no"
    with pytest.raises(ValueError, match=message):
        verify.integer_certificate(deep, P4, (2, 4, 4, 1))


# The laws.

LAWS = [
    "closure",
    "associativity",
    "identity",
    "inverse",
    "matrices multiply as the table",
    "action on images",
    "action on regular fields",
]


@pytest.mark.parametrize(
    "group",
    [groups.p1(1), MIRROR, P2, groups.pm(), groups.cm(), groups.cmm(), P4, P4M],
    ids=lambda g: g.name,
)
def test_the_laws_hold_for_a_group(group):
    report = verify.group_laws(group)
    assert list(report.failures) == LAWS
    assert report.holds
    assert json.loads(json.dumps(report.to_dict()))["holds"] is True
    lines = str(report).splitlines()
    assert lines[0] == str(group)
    assert [line.split("  ")[0] for line in lines[3:]] == LAWS
    assert "no" not in str(report).split()


def corrupted(entries: dict) -> Group:
    """p4m with some entries of its table replaced."""
    group = Group(P4M.elements, "corrupted")
    table = P4M.product.copy()
    for at, value in entries.items():
        table[at] = value
    group.__dict__["product"] = table
    return group


@pytest.mark.parametrize(
    ("entries", "broken", "message"),
    [
        ({(1, 1): 3, (1, 2): 2}, "associativity", r"\(\d·\d\)·\d is not \d·\(\d·\d\)"),
        ({(0, 1): 2, (0, 2): 1}, "identity", "no element e has eg = g = ge"),
        ({(2, 2): 1}, "inverse", "element 2 has none"),
        ({(1, 2): 1}, "matrices multiply as the table", r"ρ\(r90\)ρ\(r180\) is another matrix"),
        ({(1, 1): 8}, "closure", "1·1 = 8 is none of the 8 elements"),
    ],
)
def test_a_corrupted_table_is_rejected_with_the_counter_example(entries, broken, message):
    report = verify.group_laws(corrupted(entries))
    assert not report.holds
    assert report.to_dict()["holds"] is False
    assert re.search(message, report.failures[broken])
    assert re.search(rf"{broken} +no +.*{message}", str(report))


@pytest.mark.parametrize(
    ("law", "name"),
    [("action on images", "act_on_image"), ("action on regular fields", "act_on_regular")],
)
def test_a_wrong_action_is_rejected_with_the_pair_of_elements(law, name, monkeypatch):
    action = getattr(actions, name)

    def inverted(group, g, f):
        return action(group, int(group.inverse[g]), f)

    def shifted(group, g, f):
        return np.roll(action(group, g, f), 1, axis=1)

    monkeypatch.setattr(f"gcnn.verify._laws.{name}", inverted)
    report = verify.group_laws(P4M)
    assert [key for key, why in report.failures.items() if why] == [law]
    assert re.fullmatch(r"(\S+)·\((\S+)·f\) is not \(\1 \2\)·f", report.failures[law])
    monkeypatch.setattr(f"gcnn.verify._laws.{name}", shifted)
    assert verify.group_laws(P4M).failures[law] == "e·f is not f"
