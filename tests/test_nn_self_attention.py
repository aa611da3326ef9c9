"""Self-attention over the group: equivariant to rounding, and the sums of the docstrings."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from gcnn import actions, groups, nn, verify
from gcnn.groups import Group

from .cases import chosen

EVERY = chosen("mirror", "cm", "p4m", "p6", "quarter")  # selfcheck has all
P4, P6 = groups.p4(), groups.p6()
LAYERS = (nn.LiftingSelfAttention, nn.GroupSelfAttention)
each_layer = pytest.mark.parametrize("kind", LAYERS, ids=lambda kind: kind.__name__)


def normal(key, shape, dtype=jnp.float32) -> jax.Array:
    """As an initialiser draws, and nothing to compile."""
    seed = np.asarray(jax.random.key_data(key)).tolist()
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape), dtype)


def made(kind, group: Group, size: int = 3, **options):
    """Two channels to three, in two heads of two; biases that are not 0."""
    drawn = dict.fromkeys(("kernel_init", "bias_init", "encoding_init"), normal)
    return kind(group, 2, 3, size, 2, qkv_features=4, rngs=nnx.Rngs(0), **drawn, **options)


def draw(kind, group: Group, side: int, batch: int = 3, dtype=jnp.float32) -> jax.Array:
    slots = (group.order,) if kind is nn.GroupSelfAttention else ()
    shape = (batch, *(side,) * group.dim, *slots, 2)
    return normal(jax.random.key(1), shape, dtype)


@jax.jit
def run(layer, x):
    return layer(x)


def certify(layer, group: Group, x: jax.Array) -> verify.EquivarianceReport:
    return verify.equivariance(lambda x: run(layer, x), group, x)


# The law.


@each_layer
@pytest.mark.parametrize("group", EVERY.values(), ids=EVERY.keys())
def test_it_commutes_with_every_element(kind, group):
    side = 3 if group.dim > 2 else 5
    with jax.enable_x64(True):
        layer = made(kind, group, param_dtype=jnp.float64)
        report = certify(layer, group, draw(kind, group, side, dtype=jnp.float64))
    assert report.holds and report.error < 1e-12, report


@each_layer
def test_a_window_may_be_periodic_or_wide(kind):
    x = draw(kind, P4, 6)
    around = made(kind, P4, padding="CIRCULAR")
    assert certify(around, P4, x).holds
    moved = run(around, jnp.roll(x, (2, 1), (1, 2)))
    np.testing.assert_allclose(moved, jnp.roll(run(around, x), (2, 1), (1, 2)), atol=2e-6)
    if kind is nn.GroupSelfAttention:
        assert certify(made(kind, P6, 5, kernel_dilation=2), P6, draw(kind, P6, 7)).holds


class Absolute(nn.GroupSelfAttention):
    """Adds to each pixel a code of where it is."""

    def __call__(self, x):
        code = jnp.sin(jnp.arange(x.shape[1] * x.shape[2] * 1.0)).reshape(1, *x.shape[1:3], 1, 1)
        return super().__call__(x + code)


class Upright(nn.GroupSelfAttention):
    """Shows every slot the encoding as it is."""

    def bank(self):
        r = self.encoding[...]
        return jnp.broadcast_to(r[..., None, :], (*r.shape[:-1], self.group.order, r.shape[-1]))


class UprightLift(nn.LiftingSelfAttention):
    """Likewise, for images."""

    bank = Upright.bank


@pytest.mark.parametrize(
    ("kind", "group"), [(Absolute, P4), (Upright, P4), (UprightLift, P4), (Upright, P6)], ids=str
)
def test_positions_that_the_group_does_not_act_upon_are_rejected(kind, group):
    base = nn.LiftingSelfAttention if kind is UprightLift else nn.GroupSelfAttention
    report = certify(made(kind, group), group, draw(base, group, 5))
    assert report.verdict == "not equivariant" and report.error > 0.01


def test_corners_neither_matter_nor_come_out():
    kept = actions.preserved_pixels(P6, (5, 5))
    for kind in LAYERS:
        layer, x = made(kind, P6), draw(kind, P6, 5)
        filled = actions.fill_outside(P6, x, (1, 2), 1e6)
        y = np.asarray(run(layer, x))
        np.testing.assert_array_equal(y, run(layer, filled))
        assert not y[:, ~kept].any() and y[:, kept].all()
        assert not np.asarray(layer.encoding[...])[0, 0].any()  # beside the hexagon of 3 x 3
        assert np.asarray(layer.encoding[...])[0, 1].all()


# The sums, term by term.


def linear(layer: nnx.Linear, x: np.ndarray) -> np.ndarray:
    return x @ np.asarray(layer.kernel[...]) + np.asarray(layer.bias[...])


def written_out(layer, x: np.ndarray) -> np.ndarray:
    """y(p, h) of one sample of a regular field `[*space, k, i]`, over a dictionary of pixels."""
    group, size = layer.group, layer.window.size
    n, middle = layer.num_heads, layer.query.kernel.shape[-1]
    q, key, v = (linear(m, x) for m in (layer.query, layer.key, layer.value))
    r = np.asarray(layer.encoding[...]).reshape(*size, group.order, n, -1)
    sides = x.shape[: group.dim]
    pixels = [tuple(p) for p in np.argwhere(actions.preserved_pixels(group, sides))]
    taps = [
        tuple(t) for t in np.argwhere(actions.preserved_pixels(group, size)) - np.array(size) // 2
    ]
    y = np.zeros((*sides, group.order, layer.out_features))
    for p, h in itertools.product(pixels, range(group.order)):
        seen = []
        for u in taps:
            at = tuple(a + layer.window.dilation[0] * b for a, b in zip(p, u, strict=True))
            if layer.window.padding == "CIRCULAR":
                at = tuple(a % m for a, m in zip(at, sides, strict=True))
            if at in pixels:
                seen += [(at, u, k) for k in range(group.order)]
        back = group.inverse[h]
        logits, values = np.zeros((len(seen), n)), np.zeros((len(seen), n, middle // n))
        for j, (at, u, k) in enumerate(seen):
            place = tuple(group.matrices[back] @ np.array(u) + np.array(size) // 2)
            summed = key[at][k].reshape(n, -1) + r[place][group.product[back, k]]
            logits[j] = (q[p][h].reshape(n, -1) * summed).sum(-1) / np.sqrt(middle // n)
            values[j] = v[at][k].reshape(n, -1)
        weights = np.exp(logits - logits.max(0))
        weights /= weights.sum(0)
        y[p][h] = linear(layer.out, (weights[..., None] * values).sum(0).reshape(-1))
    return y


@pytest.mark.parametrize("group", [groups.cm(), P6], ids=str)
def test_it_is_the_sum_of_the_docstring(group):
    layer = made(nn.GroupSelfAttention, group)
    x = draw(nn.GroupSelfAttention, group, 5, batch=1)
    expected = written_out(layer, np.asarray(x[0], np.float64))
    np.testing.assert_allclose(run(layer, x)[0], expected, atol=2e-5)
    layer.encoding[...] = layer.encoding[...][::-1]
    assert np.abs(run(layer, x)[0] - expected).max() > 0.01


def test_lifting_is_the_same_sum_where_all_slots_are_one_image():
    lift, conv = (made(kind, P6) for kind in LAYERS)
    conv.encoding[...] = jnp.repeat(lift.encoding[...][:, :, None], 6, axis=2)
    x = draw(nn.LiftingSelfAttention, P6, 5)
    copies = jnp.repeat(x[..., None, :], 6, axis=-2)
    np.testing.assert_allclose(run(lift, x), run(conv, copies), atol=1e-4)


def plainly(layer, x: np.ndarray, step: int, around: bool) -> np.ndarray:
    """Local self-attention of one image `[y, x, c]` (Ramachandran et al. 2019), without a group."""
    q, key, v = (linear(m, x) for m in (layer.query, layer.key, layer.value))
    r = np.asarray(layer.encoding[...]).reshape(3, 3, 2, 2)  # [u, v, head, channel]
    y = np.zeros((*x.shape[:2], 3))
    for i, j in np.ndindex(x.shape[:2]):
        places = [(a, b, i + step * (a - 1), j + step * (b - 1)) for a, b in np.ndindex(3, 3)]
        if around:
            places = [(a, b, s % x.shape[0], t % x.shape[1]) for a, b, s, t in places]
        places = [p for p in places if 0 <= p[2] < x.shape[0] and 0 <= p[3] < x.shape[1]]
        heads = []
        for n in (0, 1):
            own = slice(2 * n, 2 * n + 2)
            logits = [q[i, j, own] @ (key[s, t, own] + r[a, b, n]) for a, b, s, t in places]
            weights = np.exp(np.array(logits) / np.sqrt(2))
            found = np.array([v[s, t, own] for _, _, s, t in places])
            heads.append(weights @ found / weights.sum())
        y[i, j] = linear(layer.out, np.concatenate(heads))
    return y


@each_layer
@pytest.mark.parametrize(("padding", "step"), [("SAME", 1), ("CIRCULAR", 1), ("SAME", 2)])
def test_under_the_trivial_group_it_is_plain_local_self_attention(kind, padding, step):
    layer = made(kind, groups.p1(), padding=padding, kernel_dilation=step)
    x = normal(jax.random.key(2), (1, 4, 5, 2))
    y = run(layer, x if kind is nn.LiftingSelfAttention else x[..., None, :])
    expected = plainly(layer, np.asarray(x[0], np.float64), step, padding == "CIRCULAR")
    np.testing.assert_allclose(y[0, ..., 0, :], expected, atol=2e-5)


# Types, gradients and messages.


@each_layer
def test_the_type_of_the_input_is_that_of_the_output(kind, strict):
    x = draw(kind, P4, 4)
    exact, rough = run(made(kind, P4), x), run(made(kind, P4), x.astype(jnp.bfloat16))
    assert exact.dtype == jnp.float32 and rough.dtype == jnp.bfloat16
    assert exact.shape == (3, 4, 4, 4, 3)
    difference = np.asarray(rough, np.float32) - np.asarray(exact)
    assert np.abs(difference).max() < 0.1 * np.abs(exact).max()
    chosen = made(kind, P4, dtype=jnp.bfloat16, use_bias=False)
    assert jax.eval_shape(chosen, x).dtype == jnp.bfloat16


def test_gradients_are_finite_and_take_no_scatter():
    layer = made(nn.GroupSelfAttention, P6)
    x = draw(nn.GroupSelfAttention, P6, 5)
    gradient = jax.jit(jax.grad(lambda layer, x: jnp.sum(layer(x) ** 2), (0, 1)))
    compiled = gradient.lower(layer, x).compile()
    leaves = jax.tree.leaves(compiled(layer, x))
    assert all(jnp.isfinite(leaf).all() and leaf.any() for leaf in leaves)
    assert "scatter(" not in compiled.as_text()


LIFT, GROUP = LAYERS
REFUSED = {
    "heads": (
        lambda: LIFT(P4, 1, 3, 3, 2, rngs=nnx.Rngs(0)),
        r"LiftingSelfAttention: 3 channels of queries, keys and values cannot be shared out among "
        r"2 heads\. Use qkv_features=4",
    ),
    "no heads": (
        lambda: LIFT(P4, 1, 2, 3, 0, rngs=nnx.Rngs(0)), "num_heads must be at least 1, got 0",
    ),
    "no channels": (
        lambda: GROUP(P4, 0, 2, 3, rngs=nnx.Rngs(0)), "in_features must be at least 1, got 0",
    ),
    "zeros to attend to": (
        lambda: GROUP(P4, 1, 2, 3, padding=1, rngs=nnx.Rngs(0)),
        "GroupSelfAttention: padding 1 would be pixels to attend to. Use SAME",
    ),
    "no padding": (
        lambda: GROUP(P4, 1, 2, 3, padding="VALID", rngs=nnx.Rngs(0)),
        "padding 'VALID' is none of SAME, CIRCULAR",
    ),
    "periodic hexagon": (
        lambda: GROUP(P6, 1, 2, 3, padding="CIRCULAR", rngs=nnx.Rngs(0)),
        r"GroupSelfAttention: padding CIRCULAR continues a rectangle, and Group\(p6.* none",
    ),
    "unequal window": (
        lambda: LIFT(P4, 1, 2, (3, 5), rngs=nnx.Rngs(0)), r"A kernel of shape \(3, 5\) is not",
    ),
    "unequal dilation": (
        lambda: LIFT(P4, 1, 2, 3, kernel_dilation=(1, 2), rngs=nnx.Rngs(0)),
        r"LiftingSelfAttention: dilation \(1, 2\) differs along axes 0 and 1",
    ),
    "even window": (
        lambda: LIFT(P4, 1, 2, 2, rngs=nnx.Rngs(0))(jnp.ones((1, 4, 4, 1))),
        r"LiftingSelfAttention would not commute with the element r90 .* size 2",
    ),
    "no group axis": (
        lambda: GROUP(P4, 1, 2, 3, rngs=nnx.Rngs(0))(jnp.ones((1, 4, 4, 1))),
        r"GroupSelfAttention under .* takes \[batch, 2 space axes, 4, 1\], got shape "
        r"\(1, 4, 4, 1\). An image, without a group axis, needs LiftingSelfAttention first",
    ),
    "a group axis": (
        lambda: LIFT(P4, 1, 2, 3, rngs=nnx.Rngs(0))(jnp.ones((1, 4, 4, 4, 1))),
        r"takes \[batch, 2 space axes, 1\], .* with a group axis needs GroupSelfAttention",
    ),
    "even hexagon": (
        lambda: LIFT(P6, 1, 2, 3, rngs=nnx.Rngs(0))(jnp.ones((1, 4, 4, 1))),
        r"LiftingSelfAttention: an input of sides \(4, 4\) .* use 5 along each",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("build", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_messages_name_what_is_wrong(build, message):
    with pytest.raises(ValueError, match=message):
        build()
