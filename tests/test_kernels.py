"""Filter banks against their formulas, entry by entry, and what their gradients are made of."""

import functools
import itertools
import re

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from gcnn import groups, kernels, models, nn
from gcnn import representations as r
from gcnn.groups import Group

from .cases import GROUPS

CASES = {
    "p1": (groups.p1(), (2, 3)),
    "p2": (groups.p2(), (2, 3)),
    "pm": (groups.pm(), (3, 2)),
    "pmm": (groups.pmm(), (4, 3)),
    "cm": (groups.cm(), None),
    "cmm": (groups.cmm(), None),
    "p4": (groups.p4(), None),
    "p4m": (groups.p4m(), None),
    "mirror": (GROUPS["mirror"], (5,)),
    "quarter": (GROUPS["quarter"], (2, 3, 3)),
    "T": (GROUPS["T"], None),
}
SIZES = [
    pytest.param(group, size, id=f"{name}-{'x'.join(map(str, size))}")
    for name, (group, oblong) in CASES.items()
    for size in (*((k,) * group.dim for k in (1, 2, 3)), oblong, (4, 4) if name == "p4m" else None)
    if size is not None
]


def random_integers(*shape: int) -> np.ndarray:
    return np.random.default_rng(7).integers(-9, 10, shape).astype(np.float32)


def source(group: Group, h: int, u: tuple[int, ...], size: tuple[int, ...]) -> tuple[int, ...]:
    """h⁻¹u, with kernel positions counted from the centre of the kernel."""
    last = np.array(size) - 1
    return tuple((group.matrices[group.inverse[h]] @ (2 * np.array(u) - last) + last) // 2)


def lifting_bank_by_loops(group: Group, w: np.ndarray) -> np.ndarray:
    """B[u, i, h, o] = W[h⁻¹u, i, o]."""
    size = w.shape[: group.dim]
    bank = np.empty((*w.shape[:-1], group.order, w.shape[-1]), w.dtype)
    for u in itertools.product(*map(range, size)):
        for h in range(group.order):
            bank[*u, :, h, :] = w[source(group, h, u, size)]
    return bank


def group_bank_by_loops(group: Group, w: np.ndarray) -> np.ndarray:
    """B[u, k, i, h, o] = W[h⁻¹u, h⁻¹k, i, o]."""
    size = w.shape[: group.dim]
    bank = np.empty((*w.shape[:-1], group.order, w.shape[-1]), w.dtype)
    for u in itertools.product(*map(range, size)):
        for h, k in itertools.product(range(group.order), repeat=2):
            hk = group.product[group.inverse[h], k]
            bank[*u, k, :, h, :] = w[*source(group, h, u, size), hk]
    return bank


SCATTER = re.compile(r"scatter\(")  # an instruction of a compiled program

BANKS = {
    "lifting": (kernels.lifting_bank, lifting_bank_by_loops, lambda group: ()),
    "group": (kernels.group_bank, group_bank_by_loops, lambda group: (group.order,)),
}
every_bank = pytest.mark.parametrize(
    ("bank", "by_loops", "slots"), BANKS.values(), ids=BANKS.keys()
)


@every_bank
@pytest.mark.parametrize(("group", "size"), SIZES)
def test_banks_follow_their_formula(bank, by_loops, slots, group, size):
    w = random_integers(*size, *slots(group), 2, 3)
    expanded = jax.jit(bank, static_argnums=0)(group, jnp.asarray(w))
    chex.assert_shape(expanded, (*w.shape[:-1], group.order, 3))
    np.testing.assert_array_equal(expanded, by_loops(group, w))


@every_bank
def test_the_formula_rejects_the_bank_of_the_inverse_elements(bank, by_loops, slots):
    w = random_integers(3, 3, *slots(groups.p4()), 2, 3)
    backwards = np.asarray(bank(groups.p4(), jnp.asarray(w)))[..., groups.p4().inverse, :]
    assert not np.array_equal(backwards, by_loops(groups.p4(), w))


@every_bank
@pytest.mark.parametrize("name", CASES)
def test_the_slot_of_the_identity_is_the_weight(bank, by_loops, slots, name):
    group, _ = CASES[name]
    w = random_integers(*(2,) * group.dim, *slots(group), 1, 2)
    np.testing.assert_array_equal(bank(group, jnp.asarray(w))[..., group.identity, :], w)


@every_bank
def test_the_program_of_a_bank_is_as_long_for_48_elements_as_for_4(bank, by_loops, slots):
    lengths = []
    for name in ("p4", "Oh"):
        group = GROUPS[name]
        w = random_integers(*(2,) * group.dim, *slots(group), 1, 2)
        expanded = jax.jit(bank, static_argnums=0).lower(group, jnp.asarray(w))
        np.testing.assert_array_equal(expanded.compile()(w), by_loops(group, w))
        lengths.append(len(expanded.as_text().splitlines()))
    assert lengths[0] == lengths[1]


def adjoint_by_loops(group: Group, w: np.ndarray, weights: np.ndarray, by_loops) -> np.ndarray:
    """Σ over the slots: each entry of the weight collects what its copies in the bank are given."""
    address = by_loops(group, np.arange(w.size).reshape(w.shape))
    return np.bincount(address.ravel(), weights.ravel(), w.size).reshape(w.shape)


@every_bank
@pytest.mark.parametrize("name", CASES)
def test_the_gradient_is_the_sum_over_slots_and_does_not_scatter(bank, by_loops, slots, name):
    group, oblong = CASES[name]
    w = random_integers(*(oblong or (3,) * group.dim), *slots(group), 1, 2)
    weights = random_integers(*w.shape[:-1], group.order, 2)

    @jax.jit
    @jax.grad
    def gradient(w):
        return jnp.sum(bank(group, w) * weights)

    compiled = gradient.lower(jnp.asarray(w)).compile()
    np.testing.assert_array_equal(compiled(w), adjoint_by_loops(group, w, weights, by_loops))
    assert not SCATTER.search(compiled.as_text())


def test_the_search_for_scatters_finds_one_where_there_is_one():
    def gathered(w):
        return jnp.sum(w[jnp.array([1, 1, 0])] ** 2)

    compiled = jax.jit(jax.grad(gathered)).lower(jnp.ones(3)).compile()
    assert SCATTER.search(compiled.as_text())


@every_bank
@pytest.mark.usefixtures("strict")
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16, jnp.int8], ids=lambda t: t.__name__)
def test_banks_keep_the_type_and_promote_nothing(bank, by_loops, slots, dtype):
    w = jnp.ones((3, 3, *slots(groups.p4m()), 2, 3), dtype)
    chex.assert_type(bank(groups.p4m(), w), dtype)


@pytest.mark.parametrize(
    ("name", "size", "element"),
    [
        ("p4", (2, 3), "r90"),
        ("p4m", (3, 1), "r90"),
        ("cm", (3, 2), "m"),
        ("cmm", (1, 2), "m"),
        ("quarter", (3, 3, 2), r"r90\[1 0 0\]"),
    ],
)
@every_bank
def test_a_kernel_that_changes_shape_is_refused_with_the_element(
    bank, by_loops, slots, name, size, element
):
    group, _ = CASES[name]
    message = (
        rf"A kernel of shape \({', '.join(map(str, size))}\) is not preserved by the element "
        rf"{element} of Group\({name}.*which swaps axes . and .*Use equal sizes along these axes"
    )
    with pytest.raises(ValueError, match=message):
        bank(group, jnp.ones((*size, *slots(group), 1, 1)))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (
            lambda: kernels.lifting_bank(groups.p4(), jnp.ones((3, 3, 4, 1, 1))),
            r"the weight is \[\*kernel_size, in, out\], of rank 4; got shape \(3, 3, 4, 1, 1\)",
        ),
        (
            lambda: kernels.group_bank(groups.p4(), jnp.ones((3, 3, 1, 1))),
            r"is \[\*kernel_size, \|H\|, in, out\], of rank 5; got shape \(3, 3, 1, 1\)",
        ),
        (
            lambda: kernels.group_bank(groups.p4(), jnp.ones((3, 3, 8, 1, 1))),
            r"Axis 2 of an array of shape \(3, 3, 8, 1, 1\) should be the group axis of Group\(p4",
        ),
        (
            lambda: kernels.lifting_bank(
                Group.from_generators([((0, -1), (1, 1))], "p6"), jnp.ones((4, 4, 1, 1))
            ),
            r"of sides \(4, 4\) is not preserved by the element r60 of Group\(p6",
        ),
    ],
    ids=["lifting", "group", "order", "hexagonal"],
)
def test_weights_of_another_kind_are_refused(build, message):
    with pytest.raises(ValueError, match=message):
        build()


@pytest.mark.parametrize("shape", [(3, 3, 4, 5, 6), (3, 2, 1), (4, 5)])
def test_a_folded_draw_is_the_same_where_its_law_knows_no_fan_out(shape):
    key = jax.random.key(3)
    init = nnx.initializers
    for draw, dtype in (
        (init.lecun_normal(), jnp.float32), (init.he_normal(), jnp.float32),
        (init.normal(0.035), jnp.float32), (init.lecun_normal(), jnp.bfloat16),
    ):  # fmt: skip
        found, expected = kernels.folded(draw)(key, shape, dtype), draw(key, shape, dtype)
        # of float32, one unit in the last place: JAX 0.10 rounds `normal` elsewhere
        chex.assert_trees_all_close(found, expected, rtol=2e-7, atol=0)
        chex.assert_trees_all_equal_dtypes(found, expected)
    if len(shape) > 2:
        draw = init.glorot_normal()
        assert not np.allclose(kernels.folded(draw)(key, shape), draw(key, shape), rtol=1e-3)


def drawn(build):
    """The shapes that are drawn where `build` makes a layer."""
    traced = jax.make_jaxpr(lambda: jax.tree.leaves(nnx.state(build(rngs=nnx.Rngs(0)))))()
    return [
        tuple(map(int, re.findall(r"\d+", shape)))
        for shape in re.findall(r"random_bits\[[^]]*shape=\(([^)]*)\)", str(traced))
    ]


def test_layers_draw_matrices_which_are_compiled_at_once():
    p4 = groups.p4()
    for build in (
        functools.partial(nn.LiftingConv, p4, 2, 2, 3),
        functools.partial(nn.GroupConv, p4, 2, 2, 3),
        functools.partial(nn.GroupConvTranspose, p4, 2, 2, 4, 2),
        functools.partial(nn.SeparableGroupConv, p4, 2, 2, 3),
        functools.partial(nn.LiftingSelfAttention, p4, 2, 2, 3),
        functools.partial(nn.GroupSelfAttention, p4, 2, 2, 3),
        functools.partial(nn.SteerableConv, r.regular(p4), r.standard(p4), 2, 2, 3),
        functools.partial(models.ResNet, p4, blocks=1, channels=(2, 2), classes=2),
        functools.partial(models.AllCNN, p4, channels=2, classes=2),
    ):
        shapes = drawn(build)
        assert shapes and all(len(shape) <= 2 for shape in shapes), shapes
    assert (3, 3, 2, 2) in drawn(functools.partial(nnx.Conv, 2, 2, (3, 3)))
