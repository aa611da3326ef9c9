"""Cosets: what becomes of a regular field under pooling over them, and under fewer symmetries."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from gcnn import actions, groups, nn, selfcheck, verify
from gcnn.groups import Group

from .cases import chosen

GROUPS = chosen("p1", "pmm", "p4", "p4m", "mirror", "quarter", "T")
P4, P4M, T = GROUPS["p4"], GROUPS["p4m"], GROUPS["T"]
SKEWED = chosen("p3m1", "D3h")
P3M1, D3H = SKEWED["p3m1"], SKEWED["D3h"]
REVERSED = Group(tuple(reversed(P4M.elements)), "p4m from the end")  # its identity comes last
MIRROR = (0, 4)  # a subgroup of p4m that is not normal: its left and right cosets differ
PAIRS = [
    *((P4M, subgroup) for subgroup in P4M.subgroups),
    (GROUPS["p1"], (0,)), (P4, (0, 2)), (P4, (2, 0)), (GROUPS["mirror"], (0, 1)),
    (GROUPS["quarter"], (0, 2)), (T, (0, 1, 2)), (T, (0, 3)), (REVERSED, (7, 3)),
    (P3M1, (0, 3)), (D3H, D3H.generate([3])),
]  # fmt: skip
every_pair = pytest.mark.parametrize(("group", "subgroup"), PAIRS, ids=str)


def field(group: Group, slots: int | None = None, dtype=np.float32) -> np.ndarray:
    """Random numbers, without a symmetry; on cosets with as many slots as there are."""
    shape = (2, *(3,) * group.dim, slots or group.order, 2)
    return np.random.default_rng(0).normal(size=shape).astype(dtype)


def judged(f, group: Group, x, act_in, act_out) -> verify.EquivarianceReport:
    return verify.equivariance(f, group, x, act_in=act_in, act_out=act_out)


# The action on cosets.


@every_pair
def test_the_action_on_cosets_is_a_homomorphism(group, subgroup):
    act = actions.act_on_quotient(group, subgroup)
    f = field(group, len(group.left_cosets(subgroup)))
    np.testing.assert_array_equal(act(group, group.identity, f), f)
    moved = [act(group, g, f) for g in range(group.order)]
    for g in range(group.order):
        for h in group.generators:
            np.testing.assert_array_equal(act(group, g, moved[h]), moved[group.product[g, h]])


@pytest.mark.parametrize("group", [*GROUPS.values(), REVERSED], ids=str)
def test_it_runs_from_regular_fields_to_images(group):
    f, x = field(group), field(group, 1)
    trivial = actions.act_on_quotient(group, (group.identity,))
    whole = actions.act_on_quotient(group, range(group.order))
    for g in range(group.order):
        np.testing.assert_array_equal(trivial(group, g, f), actions.act_on_regular(group, g, f))
        turned = actions.act_on_image(group, g, x[..., 0, :])
        np.testing.assert_array_equal(whole(group, g, x)[..., 0, :], turned)


def test_slots_are_taken_in_any_order_and_no_gradient_scatters():
    f = jnp.arange(24.0).reshape(2, 4, 3)
    for slots in ((2, 3, 0), (3, 2, 1, 0), (1,)):
        np.testing.assert_array_equal(actions.take_slots(f, slots, 1), f[:, slots])
        np.testing.assert_array_equal(actions.take_slots(np.asarray(f), slots, -2), f[:, slots])

    def loss(f):
        f = nn.Restrict(P4M, MIRROR)(nn.CosetUnpool(P4M, MIRROR)(nn.CosetPool(P4M, MIRROR)(f)))
        f = nn.Induce(P4M, MIRROR)(f)
        return jnp.sum(f**2)

    program = jax.jit(jax.grad(loss)).lower(jnp.ones((1, 2, 2, 8, 1))).compile()
    assert "scatter(" not in program.as_text()


# Pooling.


@every_pair
def test_pooling_over_cosets_commutes_with_every_element(group, subgroup):
    f, quotient = field(group), actions.act_on_quotient(group, subgroup)
    pool = jax.jit(nn.CosetPool(group, subgroup))
    y = pool(f)
    expected = [f[..., coset, :].max(axis=-2) for coset in map(list, group.left_cosets(subgroup))]
    np.testing.assert_array_equal(y, np.stack(expected, axis=-2))
    if group.order > 1:
        report = judged(pool, group, f, actions.act_on_regular, quotient)
        assert report.verdict == "exact"
        unpool = jax.jit(nn.CosetUnpool(group, subgroup))
        for g in range(group.order):
            gy = actions.act_on_regular(group, g, np.asarray(unpool(y)))
            np.testing.assert_array_equal(unpool(quotient(group, g, y)), gy)
        np.testing.assert_array_equal(pool(unpool(y)), y)


def test_pooling_runs_from_the_identity_to_group_pooling():
    f = jnp.asarray(field(P4M))
    np.testing.assert_array_equal(nn.CosetPool(P4M, (0,))(f), f)
    np.testing.assert_array_equal(nn.CosetUnpool(P4M, (0,))(f), f)
    whole = nn.CosetPool(P4M, range(8))(f)
    np.testing.assert_array_equal(whole[..., 0, :], nn.GroupPool(P4M)(f))
    mean = nn.CosetPool(P4M, MIRROR, jnp.mean)
    np.testing.assert_allclose(mean(f).mean(-2), f.mean(-2), atol=1e-6)
    quotient = actions.act_on_quotient(P4M, MIRROR)
    assert judged(mean, P4M, f, actions.act_on_regular, quotient).holds


def test_pooling_over_right_cosets_is_rejected():
    def over_right_cosets(f):
        return jnp.stack(
            [f[..., c, :].max(-2) for c in map(np.array, P4M.right_cosets(MIRROR))], -2
        )

    quotient = actions.act_on_quotient(P4M, MIRROR)
    report = judged(over_right_cosets, P4M, field(P4M), actions.act_on_regular, quotient)
    assert report.verdict == "not equivariant"


# Restriction.


def act_of_subgroup(group: Group, subgroup) -> actions.Action:
    """The elements of a subgroup, acting on a regular field of the group around it."""
    return lambda small, k, f: actions.act_on_regular(group, subgroup[k], f)


@every_pair
def test_restriction_commutes_with_the_subgroup(group, subgroup):
    f, restrict = field(group), nn.Restrict(group, subgroup)
    y = np.asarray(restrict(jnp.asarray(f)))
    for j, coset in enumerate(group.right_cosets(subgroup)):
        for i, slot in enumerate(coset):
            np.testing.assert_array_equal(y[..., i, 2 * j : 2 * j + 2], f[..., slot, :])
    induce = nn.Induce(group, subgroup)
    np.testing.assert_array_equal(induce(jnp.asarray(y)), f)
    small = group.subgroup(subgroup)
    assert restrict.subgroup == induce.subgroup == small
    if len(subgroup) > 1:
        in_group = act_of_subgroup(group, subgroup)
        report = judged(restrict, small, f, in_group, actions.act_on_regular)
        assert report.verdict == "exact"
        assert judged(induce, small, y, actions.act_on_regular, in_group).verdict == "exact"


def test_restriction_along_left_cosets_is_rejected():
    def along_left_cosets(f):
        slots = np.array(P4M.left_cosets(MIRROR)).T  # [k, j]
        return f[..., slots, :].reshape(*f.shape[:-2], 2, 8)

    small = P4M.subgroup(MIRROR)
    act_in = act_of_subgroup(P4M, MIRROR)
    report = judged(along_left_cosets, small, field(P4M), act_in, actions.act_on_regular)
    assert report.verdict == "not equivariant"


def test_a_net_keeps_the_smaller_symmetry_behind_a_restriction_and_loses_the_larger():
    restrict = nn.Restrict(P4, (0, 2))
    net = nnx.Sequential(
        nn.LiftingConv(P4, 1, 3, 3, rngs=nnx.Rngs(0)),
        restrict,
        nn.GroupConv(restrict.subgroup, 6, 2, 3, rngs=nnx.Rngs(1)),
        nn.GroupPool(restrict.subgroup),
    )
    x = np.random.default_rng(0).normal(size=(2, 5, 5, 1)).astype(np.float32)
    f = jax.jit(net)
    assert verify.equivariance(f, groups.p2(), x).holds
    assert verify.equivariance(f, P4, x).verdict == "not equivariant"


def test_induction_along_left_cosets_is_rejected():
    small, in_group = P4M.subgroup(MIRROR), act_of_subgroup(P4M, MIRROR)
    slots = np.array(P4M.left_cosets(MIRROR)).T.ravel()  # [k, j]
    mixed = lambda x: x.reshape(*x.shape[:-2], 8, 2)[..., np.argsort(slots), :]  # noqa: E731
    x = np.random.default_rng(0).normal(size=(2, 3, 3, 2, 8))
    report = judged(mixed, small, x, actions.act_on_regular, in_group)
    assert report.verdict == "not equivariant"


# The sums of the docstrings, for all groups: their layers are certified by `gcnn.selfcheck`.


def pooled(f: np.ndarray, cosets: np.ndarray) -> np.ndarray:
    return f[..., cosets, :].max(-2)


def spread(y: np.ndarray, cosets: np.ndarray) -> np.ndarray:
    return np.repeat(y, cosets.shape[1], axis=-2)[..., np.argsort(cosets.ravel()), :]


@pytest.mark.parametrize("make", selfcheck.ALL_GROUPS, ids=lambda make: make().name)
def test_every_kind_of_subgroup_of_every_named_group(make):
    """On one pixel, where an element permutes slots and does nothing else."""
    group = make()
    f = np.random.default_rng(0).normal(size=(1, *(1,) * group.dim, group.order, 1))
    moved = [actions.act_on_regular(group, g, f) for g in range(group.order)]
    for subgroup, *_ in groups.subgroup_classes(group):
        quotient, small = actions.act_on_quotient(group, subgroup), group.subgroup(subgroup)
        left, right = (np.array(c(subgroup)) for c in (group.left_cosets, group.right_cosets))
        y, wrong = pooled(f, left), []
        for g, gf in enumerate(moved):
            gy = quotient(group, g, y)
            np.testing.assert_array_equal(pooled(gf, left), gy)
            up = actions.act_on_regular(group, g, spread(y, left))
            np.testing.assert_array_equal(spread(gy, left), up)
            wrong.append((pooled(gf, right) != quotient(group, g, pooled(f, right))).any())
        assert any(wrong) != groups.is_normal(group, subgroup)
        for k, h in enumerate(subgroup):
            restricted = actions.act_on_regular(small, k, f[..., right.T, 0])
            np.testing.assert_array_equal(moved[h][..., right.T, 0], restricted)


# Types and messages.


@pytest.mark.usefixtures("strict")
@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float32, jnp.float64, jnp.int32])
def test_the_type_of_the_input_is_that_of_the_output(dtype):
    with jax.enable_x64(dtype == jnp.float64):
        f = jnp.ones((1, 2, 2, 8, 3), dtype)
        y = nn.CosetPool(P4M, MIRROR)(f)
        chex.assert_shape(y, (1, 2, 2, 4, 3))
        assert y.dtype == nn.CosetUnpool(P4M, MIRROR)(y).dtype == dtype
        restricted = nn.Restrict(P4M, MIRROR)(f)
        assert restricted.dtype == nn.Induce(P4M, MIRROR)(restricted).dtype == dtype


def test_layers_hold_no_array_and_share_one_trace():
    traces = []

    @functools.partial(jax.jit, static_argnums=0)
    def forward(graphdef, f):
        traces.append(graphdef)
        return nnx.merge(graphdef, {})(f)

    f = jnp.asarray(field(P4M))
    for group in (P4M, Group(P4M.elements, "again")):
        for layer in (nn.CosetPool(group, MIRROR), nn.Restrict(group, MIRROR)):
            assert not jax.tree.leaves(layer)
            forward(nnx.split(layer)[0], f)
    assert len(traces) == 2


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: nn.CosetPool(P4, (0, 1)),
            r"\['e', 'r90'\] is not a subgroup of p4; the smallest one around it is",
        ),
        (lambda: nn.CosetUnpool(P4, (1, 2)), "is not a subgroup of p4"),
        (lambda: nn.Restrict(P4, (2,)), "is not a subgroup of p4"),
        (lambda: actions.act_on_quotient(P4, (0, 3)), "is not a subgroup of p4"),
        (
            lambda: nn.CosetPool(P4, (0, 2))(jnp.ones((1, 3, 3, 2))),
            r"CosetPool under .* takes \[..., 4, channels\], got shape \(1, 3, 3, 2\), which has "
            r"no axis of 4 slots",
        ),
        (
            lambda: nn.CosetUnpool(P4, (0, 2))(jnp.ones((1, 3, 3, 4, 2))),
            r"CosetUnpool under .* takes \[..., 2, channels\]",
        ),
        (
            lambda: nn.Restrict(P4, (0, 2))(jnp.ones((1, 3, 3, 8, 2))),
            r"Restrict under .* takes \[..., 4, channels\]",
        ),
        (lambda: nn.Induce(P4, (2,)), "is not a subgroup of p4"),
        (
            lambda: nn.Induce(P4, (0, 2))(jnp.ones((1, 3, 3, 4, 2))),
            r"Induce under .* takes \[..., 2, channels\]",
        ),
        (
            lambda: nn.Induce(P4M, (0, 4))(jnp.ones((1, 3, 3, 2, 6))),
            r"among 4 cosets, and their number 6 is no multiple of that. Use 8 channels",
        ),
        (
            lambda: actions.act_on_quotient(P4, (0, 2))(P4, 1, np.ones((1, 3, 3, 4, 2))),
            r"field on the 2 cosets of \['e', 'r180'\] in .* is \[b, \*space, 2, c\] with 2 space "
            r"axes; got shape \(1, 3, 3, 4, 2\)",
        ),
        (
            lambda: actions.act_on_quotient(P4, (0, 2))(P4M, 1, np.ones((1, 3, 3, 2, 2))),
            r"on cosets is one of Group\(p4: .*and not of Group\(p4m",
        ),
    ],
)
def test_messages_name_what_is_wrong(call, message):
    with pytest.raises(ValueError, match=message):
        call()
