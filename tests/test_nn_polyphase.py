"""Polyphase sampling: exact for the group and for every circular shift, and honest about ties."""

import functools
import itertools
from types import SimpleNamespace

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax.tree_util import Partial

from gcnn import actions, groups, nn, verify
from gcnn.groups import Group

from .cases import chosen

GROUPS = chosen("p1", "p2", "pm", "cm", "cmm", "p4", "p4m", "line", "mirror", "quarter", "T")
P1, P4, P4M = GROUPS["p1"], GROUPS["p4"], GROUPS["p4m"]


def normal(*shape: int, dtype=np.float32, seed: int = 0) -> jax.Array:
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape), dtype)


@functools.partial(jax.jit, static_argnums=(0, 2))
def taken_apart(group: Group, x, strides=2):
    """The phase of x, what is sampled, and that put back: one program for all three."""
    phase = nn.polyphase_phase(group, x, strides)
    y = nn.polyphase_sample(group, x, phase)
    return phase, y, nn.polyphase_unsample(group, y, phase)


def apart(group: Group, x, strides=2) -> SimpleNamespace:
    phase, y, back = jax.device_get(taken_apart(group, jnp.asarray(x), strides))
    return SimpleNamespace(phase=phase, y=y, back=back)


def pooled(group: Group, x, strides=2) -> np.ndarray:
    return apart(group, x, strides).y


@jax.jit
def run(layer, x):
    return layer(x)


@functools.partial(jax.jit, static_argnums=0)
def learned(graphdef, state, x):
    """The phase of a learned layer, and what it samples, the second draw in training."""
    layer = nnx.merge(graphdef, state)
    return layer.phase(x), layer(x)


def shifts(group: Group, x) -> list[tuple[int, ...]]:
    return list(itertools.product(*map(range, x.shape[1 : 1 + group.dim])))


def rolled(group: Group, x, shift) -> np.ndarray:
    return np.roll(np.asarray(x), shift, axis=tuple(range(1, 1 + group.dim)))


def far_from_a_roll(group: Group, a, b) -> float:
    """The distance from a to the nearest roll of b, the worst over the batch."""
    rolls = np.stack([rolled(group, b, t) for t in shifts(group, b)])
    return np.abs(rolls - a).reshape(*rolls.shape[:2], -1).max(-1).min(0).max()


def components(group: Group, x, s: int) -> np.ndarray:
    """Every polyphase component by a strided slice, `[component, b, *q, ...]`."""
    offsets = itertools.product(range(s), repeat=group.dim)
    x = np.asarray(x)
    return np.stack([x[(slice(None), *(slice(i, None, s) for i in o))] for o in offsets])


# What the functions compute.


@pytest.mark.parametrize(("name", "s"), [("p4", 2), ("p2", 3), ("line", 2), ("quarter", 2)])
def test_the_component_of_largest_norm_is_sampled_and_put_back(name, s):
    group = GROUPS[name]
    x = normal(3, *(2 * s,) * group.dim, group.order, 2)
    parts = components(group, x, s)
    best = (parts.reshape(*parts.shape[:2], -1) ** 2).sum(-1).argmax(0)
    out = apart(group, x, s)
    np.testing.assert_array_equal(out.phase.reshape(3, -1), np.eye(s**group.dim)[best])
    np.testing.assert_array_equal(out.y, parts[best, range(3)])
    parts[np.arange(len(parts))[:, None] != best] = 0
    np.testing.assert_array_equal(components(group, out.back, s), parts)


def test_strides_may_differ_where_the_group_permits():
    x = normal(2, 6, 4, 5, 3)
    group = groups.Group.from_generators([np.diag([1, -1, 1])], "m")
    report = verify.equivariance(lambda x: pooled(group, x, (3, 2, 1)), group, x)
    assert report.verdict == "exact"
    out = apart(group, x, (3, 2, 1))
    chex.assert_shape((out.phase, out.y), [(2, 3, 2, 1), (2, 2, 2, 5, 3)])


def test_unsampling_is_the_transpose_of_sampling():
    x, y = normal(2, 6, 6, 4, 3), normal(2, 3, 3, 4, 3, seed=1)
    phase = jax.nn.softmax(normal(2, 2, 2), axis=(1, 2))
    back = nn.polyphase_unsample(P4, y, phase)
    np.testing.assert_allclose(
        jnp.vdot(nn.polyphase_sample(P4, x, phase), y), jnp.vdot(x, back), rtol=1e-5
    )
    np.testing.assert_allclose(back.sum(), y.sum(), rtol=1e-5)


# The laws.


@pytest.mark.parametrize(
    ("name", "slots"),
    [(n, True) for n in ("pm", "cm", "cmm", "p4", "p4m", "mirror", "T")]
    + [(n, False) for n in ("p4", "mirror", "quarter")],
)
def test_sampling_commutes_with_every_element_to_the_last_bit(name, slots):
    group = GROUPS[name]
    act = actions.act_on_regular if slots else actions.act_on_image
    x = normal(4, *(4,) * group.dim, *(group.order,) * slots, 2)
    report = verify.equivariance(lambda x: pooled(group, x), group, x, act_out=act)
    assert report.verdict == "exact", report
    out = apart(group, x)
    for g in range(group.order):
        moved = apart(group, act(group, g, x))
        turned = actions.act_on_space(group, g, out.phase, range(1, 1 + group.dim))
        np.testing.assert_array_equal(moved.phase, turned)
        np.testing.assert_array_equal(moved.back, act(group, g, out.back))


@pytest.mark.parametrize(("name", "s"), [("p1", 3), ("p4", 2), ("mirror", 3), ("quarter", 2)])
def test_sampling_commutes_with_every_circular_shift_to_the_last_bit(name, s):
    group = GROUPS[name]
    x = normal(4, *(2 * s,) * group.dim, group.order, 2)
    out = apart(group, x, s)
    chosen = np.argwhere(out.phase)[:, 1:]  # the component of each sample
    for t in shifts(group, x):
        moved = apart(group, rolled(group, x, t), s)
        np.testing.assert_array_equal(moved.phase, rolled(group, out.phase, t))
        np.testing.assert_array_equal(moved.back, rolled(group, out.back, t))
        carried = [rolled(group, out.y[[b]], (i + np.array(t)) // s) for b, i in enumerate(chosen)]
        np.testing.assert_array_equal(moved.y, np.concatenate(carried))


def test_an_oblong_image_under_p4_is_sampled_exactly():
    x = normal(2, 4, 6, 3)
    assert verify.equivariance(lambda x: pooled(P4, x), P4, x).verdict == "exact"


def test_a_whole_net_in_float64_commutes_with_shifts_and_elements_at_once():
    with jax.enable_x64(True):
        options = {"padding": "CIRCULAR", "param_dtype": jnp.float64}
        net = nnx.Sequential(
            nn.LiftingConv(P4M, 1, 2, 3, **options, rngs=nnx.Rngs(0)), nnx.relu,
            nn.PolyphasePool(P4M),
            nn.GroupConv(P4M, 2, 2, 3, **options, rngs=nnx.Rngs(1)), nnx.relu,
            nn.PolyphasePool(P4M),
            functools.partial(nn.global_avg_pool, P4M), nn.GroupPool(P4M),
        )  # fmt: skip
        f = jax.jit(net)
        x = np.random.default_rng(0).normal(size=(2, 8, 8, 1))
        y = np.asarray(f(x))
        errors = [
            np.abs(f(rolled(P4M, actions.act_on_image(P4M, g, x), t)) - y).max()
            for g in range(8)
            for t in shifts(P4M, x)
        ]
    assert np.abs(y).max() > 0.1
    assert max(errors) <= 1e-14


# Controls.


def test_a_fixed_component_is_rejected_by_both_laws():
    x = normal(4, 4, 4, 2)

    def strided(x):
        return x[:, ::2, ::2]

    assert verify.equivariance(strided, P4, x).verdict == "not equivariant"
    assert far_from_a_roll(P4, strided(rolled(P4, x, (1, 0))), strided(x)) > 0.1


def test_a_score_of_one_slot_alone_is_rejected_by_the_group():
    x = normal(8, 4, 4, 4, 2)

    @jax.jit
    def first_slot(x):
        return nn.polyphase_sample(P4, x, nn.polyphase_phase(P4, x[..., :1, :]))

    assert verify.equivariance(first_slot, P4, x).verdict == "not equivariant"
    moved = first_slot(rolled(P4, x, (1, 0)))  # though shifts do not see it
    assert far_from_a_roll(P4, moved, first_slot(x)) == 0


def test_max_pooling_breaks_the_shifts_that_polyphase_keeps():
    x = normal(4, 4, 4, 2)
    moved = jnp.roll(x, 1, axis=2)
    assert far_from_a_roll(P4, pooled(P4, moved), pooled(P4, x)) == 0
    assert far_from_a_roll(P4, nn.max_pool(P4, moved, 2, 2), nn.max_pool(P4, x, 2, 2)) > 0.1


# Ties.


@pytest.mark.parametrize("value", [0.0, 1.5])
@pytest.mark.parametrize("name", ["p1", "p4", "quarter"])
def test_a_constant_field_stays_as_it_is(name, value):
    group = GROUPS[name]
    x = np.full((4, *(4,) * group.dim, 2), value, np.float32)
    np.testing.assert_array_equal(pooled(group, x), x[(..., *(slice(2),) * group.dim, slice(2))])


def test_those_that_tie_share_the_weight():
    x = np.ones((1, 4, 4, 1), np.float32)
    np.testing.assert_array_equal(apart(P4, x).phase, np.full((1, 2, 2), 0.25))
    x = np.float32([[1, 2, 1, 2], [2, 0, 2, 0], [1, 2, 1, 2], [2, 0, 2, 0]])
    np.testing.assert_array_equal(apart(P4, x[None, ..., None]).phase, [[[0, 0.5], [0.5, 0]]])


@pytest.mark.parametrize(("width", "weight"), [(1.5, 1), (2.5, 0.25)])
def test_components_of_a_smooth_field_tie(width, weight):
    """Two Gaussians off the pixels' centres; the norms differ by 4 exp(-π² width² / 4) or so."""
    p = np.arange(32) - 14.3
    bumps = np.exp(-(p**2) / (2 * width**2)) + 0.5 * np.exp(-((p - 5) ** 2) / (2 * width**2))
    x = np.float32(bumps[:, None] * bumps)[None, ..., None]
    assert apart(P1, x).phase.max() == weight


def symmetric(kind: str) -> np.ndarray:
    """Images that a mirror in the gap between two pixels, or a half turn, leaves alone."""
    x = np.asarray(normal(4, 8, 8, 2))
    return x + (x[:, :, ::-1] if kind == "mirror" else x[:, ::-1, ::-1])


@pytest.mark.parametrize("kind", ["mirror", "half turn"])
def test_symmetric_images_commute_with_every_element(kind):
    x = symmetric(kind)
    out = apart(P4M, x)
    assert (out.phase.max(axis=(1, 2)) == 0.5).all()
    for g in range(8):
        moved = apart(P4M, actions.act_on_image(P4M, g, x))
        for a, b in ((moved.y, out.y), (moved.back, out.back)):
            np.testing.assert_allclose(a, actions.act_on_image(P4M, g, b), atol=1e-6)


def test_an_image_that_is_its_own_mirror_image_cannot_commute_with_shifts_too():
    """The argument in the docstring of PolyphasePool."""
    x = symmetric("mirror")
    y = pooled(P4M, x)
    np.testing.assert_allclose(y, y[:, :, ::-1], atol=1e-6)
    assert far_from_a_roll(P4M, pooled(P4M, rolled(P4M, x, (0, 1))), y) > 0.1
    two = pooled(P4M, rolled(P4M, x, (1, 2)))  # other shifts it keeps
    assert far_from_a_roll(P4M, two, y) < 1e-6


@pytest.mark.parametrize("name", ["p1", "line", "p4"])
def test_a_period_prime_to_the_stride_commutes_with_shifts(name):
    group = GROUPS[name]
    x = np.tile(normal(4, *(3,) * group.dim, 2), (1, *(2,) * group.dim, 1))  # period 3, 6 pixels
    out = apart(group, x)
    np.testing.assert_array_equal(out.phase, np.full_like(out.phase, 0.5**group.dim))
    for t in shifts(group, x):
        assert far_from_a_roll(group, pooled(group, rolled(group, x, t)), out.y) < 1e-6
    if group.order > 1:
        assert verify.equivariance(lambda x: pooled(group, x), group, x).holds


def test_equal_norms_of_unlike_components_are_told_apart():
    """Binary images often tie: their norms count pixels."""
    x = (np.asarray(normal(100, 16, 16, 1)) > 0).astype(np.float32)
    norms = np.sort((components(P4, x, 2) ** 2).sum(axis=(2, 3, 4)), axis=0)
    assert 0.1 < (norms[-1] == norms[-2]).mean()
    out = apart(P4, x)
    assert (out.phase.max(axis=(1, 2)) == 1).all()
    assert far_from_a_roll(P4, pooled(P4, rolled(P4, x, (1, 0))), out.y) == 0


def test_ties_are_seen_through_rounding(monkeypatch):
    """A convolution sums in another order after a turn: equal scores differ by a bit or two."""
    x = symmetric("half turn")
    lift = nn.LiftingConv(P4, 2, 8, 3, padding="CIRCULAR", rngs=nnx.Rngs(0))

    def error() -> float:
        f = jax.jit(lambda x: nn.PolyphasePool(P4)(lift(x)))
        y, turns = np.asarray(f(x)), range(1, 4)
        moved = [f(actions.act_on_image(P4, g, x)) for g in turns]
        turned = [actions.act_on_regular(P4, g, y) for g in turns]
        return max(np.abs(a - b).max() for a, b in zip(moved, turned, strict=True))

    assert error() < 1e-5
    monkeypatch.setattr("gcnn.nn._polyphase._TIE", 0)
    assert error() > 0.1


# Gradients, types, values that are not finite.


def test_the_gradient_is_that_of_the_selection():
    x, w = normal(4, 4, 4, 4, 2), normal(4, 2, 2, 4, 2, seed=1)
    f = jax.jit(jax.grad(lambda x: jnp.vdot(w, nn.PolyphasePool(P4)(x))))
    expected = nn.polyphase_unsample(P4, w, jnp.asarray(apart(P4, x).phase))
    np.testing.assert_array_equal(f(x), expected)
    assert "gather" not in (text := str(jax.make_jaxpr(f)(x))) and "scatter" not in text
    along = jax.jit(lambda x: jax.jvp(lambda x: nn.polyphase_phase(P4, x), (x,), (x,))[1])
    assert not along(x).any()


def test_what_is_left_out_may_hold_anything():
    x = normal(1, 4, 4, 1).at[0, 1, 1, 0].set(jnp.inf).at[0, 0, 1, 0].set(jnp.nan)
    phase = jnp.zeros((1, 2, 2)).at[0, 0, 0].set(1)
    f = jax.jit(jax.value_and_grad(lambda x: nn.polyphase_sample(P4, x, phase).sum()))
    y, gradient = f(x)
    assert jnp.isfinite(y) and jnp.isfinite(gradient).all()


def test_infinity_is_chosen_and_nan_is_not_hidden():
    x = np.array(normal(4, 4, 4, 2))
    x[0, 1, 1, 0], x[1, 1, 1, 0] = np.inf, np.nan
    out = apart(P4, x)
    np.testing.assert_array_equal(out.phase[0], [[0, 0], [0, 1]])
    assert np.isnan(out.y[1]).all() and np.isfinite(out.y[2:]).all()


@pytest.mark.usefixtures("strict")
@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float32, jnp.float64])
def test_the_type_of_the_input_is_that_of_the_output(dtype):
    with jax.enable_x64(dtype == jnp.float64):
        x = normal(4, 4, 4, 4, 2, dtype=dtype)
        wide = jnp.float64 if dtype == jnp.float64 else jnp.float32

        @jax.jit
        def both_modes(layer, x):
            layers = layer, nnx.view(layer, deterministic=True)
            return [a for layer in layers for a in (layer.phase(x), layer(x))]

        out = both_modes(nn.LearnedPolyphase(P4, 2, rngs=nnx.Rngs(0)), x)
        assert [a.dtype for a in out] == [wide, dtype, wide, dtype]
        assert [a.dtype for a in taken_apart(P4, x)] == [wide, dtype, dtype]
        assert verify.equivariance(lambda x: pooled(P4, x), P4, x).verdict == "exact"


def test_the_layer_holds_no_array_and_takes_its_place_in_a_sequence():
    layer = nn.PolyphasePool(P4)
    assert not jax.tree.leaves(layer)
    x = normal(4, 4, 4, 4, 2)
    y = jax.jit(jax.vmap(nnx.Sequential(jnp.abs, layer)))(x[:, None])[:, 0]
    np.testing.assert_array_equal(y, pooled(P4, jnp.abs(x)))
    np.testing.assert_array_equal(layer.phase(x), apart(P4, x).phase)


# The learned score.


@pytest.mark.parametrize("name", ["p1", "p4m", "mirror"])
def test_in_evaluation_a_learned_score_commutes_with_elements_and_shifts(name):
    group = GROUPS[name]
    layer = nn.LearnedPolyphase(group, 2, hidden_features=3, rngs=nnx.Rngs(0))
    f = Partial(run, nnx.view(layer, deterministic=True))
    x = normal(4, *(4,) * group.dim, group.order, 2)
    if group.order > 1:
        report = verify.equivariance(f, group, x, act_out=actions.act_on_regular)
        assert report.verdict == "exact"
    y = f(x)
    assert not np.array_equal(y, pooled(group, x))  # a score of its own
    for t in shifts(group, x):
        assert far_from_a_roll(group, f(rolled(group, x, t)), y) == 0


def test_a_learned_score_of_images_lifts_them():
    layer = nn.LearnedPolyphase(P4, 2, lift=True, deterministic=True, rngs=nnx.Rngs(0))
    report = verify.equivariance(Partial(run, layer), P4, normal(4, 4, 4, 2))
    assert report.verdict == "exact"
    assert isinstance(layer.conv, nn.LiftingConv)


def test_the_mean_of_a_second_circular_convolution_is_the_linear_map_used():
    layer = nn.LearnedPolyphase(P4, 2, hidden_features=3, deterministic=True, rngs=nnx.Rngs(0))
    second = nn.GroupConv(P4, 3, 5, 3, padding="CIRCULAR", rngs=nnx.Rngs(1))
    layer.weight[...] = second.kernel[...].sum((0, 1, 2)).mean(-1)
    x = normal(4, 8, 8, 4, 2)
    both = nnx.Sequential(layer.conv, nnx.relu, second)
    paper = [run(both, jnp.asarray(part)).mean((1, 2, 3, 4)) for part in components(P4, x, 2)]
    scores, scale = layer._scores(x)
    np.testing.assert_allclose(scores.reshape(4, 4), np.stack(paper, axis=-1), atol=1e-5)
    assert (scale >= jnp.abs(scores)).all()
    phase, _ = learned(*nnx.split(layer), x)
    np.testing.assert_array_equal(phase.reshape(4, 4), np.eye(4)[np.argmax(paper, axis=0)])


def test_equal_learned_scores_fall_back_on_the_norm():
    layer = nn.LearnedPolyphase(P4, 2, deterministic=True, rngs=nnx.Rngs(0))
    layer.weight[...] = jnp.zeros(2)
    x = normal(4, 4, 4, 4, 2)
    np.testing.assert_array_equal(run(layer, x), pooled(P4, x))
    np.testing.assert_array_equal(run(layer, jnp.ones_like(x)), jnp.ones((4, 2, 2, 4, 2)))


def test_in_training_components_are_mixed_and_the_score_learns():
    layer = nn.LearnedPolyphase(P4, 2, rngs=nnx.Rngs(0, gumbel=1))
    graphdef, params, rest = nnx.split(layer, nnx.Param, ...)
    rest = nnx.as_pure(rest)
    x = normal(4, 4, 4, 4, 2)

    @jax.jit
    @functools.partial(jax.grad, has_aux=True)
    def gradient(params, x):
        layer = nnx.merge(graphdef, params, rest)
        phase = layer.phase(x)
        return jnp.sum(nn.polyphase_sample(P4, x, phase) ** 2), (phase, layer.phase(x))

    slopes, (phase, again) = gradient(params, x)
    np.testing.assert_allclose(phase.sum((1, 2)), 1, rtol=1e-6)
    assert ((phase > 0) & (phase < 1)).all()
    assert not np.array_equal(phase, again)  # drawn anew
    assert jnp.abs(slopes["weight"][...]).min() > 0
    assert jnp.abs(slopes["conv"]["kernel"][...]).max() > 0
    f = functools.partial(learned, *nnx.split(layer))
    report = verify.equivariance(lambda x: f(x)[1], P4, x)
    assert report.verdict == "not equivariant"  # the noise does not turn
    other = nn.LearnedPolyphase(P4, 2, rngs=nnx.Rngs(0, gumbel=2))
    assert not np.array_equal(learned(*nnx.split(other), x)[0], f(x)[0])


def test_the_noise_makes_a_choice_with_the_probabilities_of_a_softmax():
    """Gumbel's theorem: score + noise is largest at i with probability softmax(score)_i."""
    layer = nn.LearnedPolyphase(P1, 1, temperature=1e-3, rngs=nnx.Rngs(0))
    x = jnp.tile(normal(1, 4, 4, 1, 1), (4000, 1, 1, 1, 1))
    expected = jax.nn.softmax(layer._scores(x[:1])[0], axis=(1, 2))[0]
    phase, _ = learned(*nnx.split(layer), x)
    assert expected.max() - expected.min() > 0.05
    assert (phase.max((1, 2)) > 0.99).mean() > 0.95  # a low temperature: hardly mixed
    np.testing.assert_allclose((phase > 0.5).mean(0), expected, atol=0.03)


def test_train_and_eval_switch_a_learned_score():
    net = nnx.Sequential(nn.LearnedPolyphase(P4, 2, rngs=nnx.Rngs(0)))
    layer = net.layers[0]
    assert not layer.deterministic
    net.eval()
    assert layer.deterministic
    net.train()
    assert not layer.deterministic
    assert nnx.view(net, deterministic=True).layers[0].deterministic


# Messages.


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: nn.PolyphasePool(P4)(jnp.ones((1, 5, 6, 1))),
            r"polyphase_phase: the sides \(5, 6\) are not multiples of the strides \(2, 2\).*"
            r"Pad the images to \(6, 6\), or crop them",
        ),
        (
            lambda: nn.PolyphasePool(P4, (2, 3)),
            r"PolyphasePool: strides \(2, 3\) differ along axes 0 and 1, which the element r90 of "
            r".*swaps. Use equal strides along both",
        ),
        (lambda: nn.PolyphasePool(P4, 0), "strides 0 should be one positive integer"),
        (
            lambda: nn.polyphase_phase(P4, jnp.ones((1, 4, 4))),
            r"polyphase_phase under .* takes an image .* or a regular field .*got shape \(1, 4, 4",
        ),
        (
            lambda: nn.polyphase_sample(P4, jnp.ones((3, 4, 4, 1)), jnp.ones((3, 2))),
            r"polyphase_sample under .* takes a phase \[b, 2 strides\] with b = 3, got shape "
            r"\(3, 2\). polyphase_phase returns one",
        ),
        (
            lambda: nn.polyphase_sample(P4, jnp.ones((1, 5, 4, 1)), jnp.ones((1, 2, 2))),
            r"polyphase_sample: the sides \(5, 4\) are not multiples",
        ),
        (
            lambda: nn.polyphase_unsample(P4, jnp.ones((1, 4, 4, 1)), jnp.ones((1, 2))),
            r"polyphase_unsample under .* takes a phase",
        ),
        (
            lambda: nn.polyphase_unsample(P4, jnp.ones((1, 4, 4)), jnp.ones((1, 2, 2))),
            r"polyphase_unsample under .* takes an image",
        ),
        (
            lambda: nn.LearnedPolyphase(P4, 1, temperature=0.0, rngs=nnx.Rngs(0)),
            "LearnedPolyphase: temperature must be positive, got 0.0",
        ),
        (
            lambda: nn.LearnedPolyphase(P4, 1, (2, 1), rngs=nnx.Rngs(0)),
            r"LearnedPolyphase: strides \(2, 1\) differ",
        ),
        (
            lambda: nn.LearnedPolyphase(P4, 1, rngs=nnx.Rngs(0))(jnp.ones((1, 5, 5, 4, 1))),
            "LearnedPolyphase: the sides",
        ),
        (
            lambda: nn.LearnedPolyphase(P4, 1, rngs=nnx.Rngs(0))(jnp.ones((1, 4, 4, 1))),
            "GroupConv under .* An image, without a group axis, needs LiftingConv first",
        ),
    ],
    ids=[
        "sides", "swapped strides", "stride 0", "rank", "phase of a line", "sides of a sample",
        "phase of a coarse field", "rank of a coarse field", "temperature", "learned strides",
        "learned sides", "learned image",
    ],
)  # fmt: skip
def test_messages_name_what_is_wrong_and_what_to_do(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_the_initialiser_draws_the_kernel_and_the_score():
    layer = nn.LearnedPolyphase(P4, 3, kernel_init=nnx.initializers.ones, rngs=nnx.Rngs(0))
    assert (layer.conv.kernel[...] == 1).all() and (layer.weight[...] == 1).all()
