"""Frozen networks return what the networks return, in every option; and do so elsewhere."""

import itertools
import os
import re
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from gcnn import export, groups, models, nn, verify
from gcnn.actions import fill_outside
from gcnn.groups import Group

from .cases import chosen

P4 = groups.p4()
GROUPS = chosen("line", "mirror", "p1", "p4m", "quarter", "O")
KINDS = (nn.LiftingConv, nn.GroupConv, nn.LiftingConvTranspose, nn.GroupConvTranspose)
PADDINGS = ("SAME", "VALID", "CIRCULAR", 1, ((0, 2),))
WINDOWS = [
    pytest.param({"padding": padding, "strides": s, "kernel_dilation": d}, id=f"{padding} {s} {d}")
    for padding, s, d in itertools.product(PADDINGS, (1, 2), (1, 2))
]
ROUNDING = 1e-6  # of Flax's own sum of what a circular transposed convolution wraps around

each_kind = pytest.mark.parametrize("kind", KINDS)


def _is_variable(node) -> bool:
    return isinstance(node, nnx.Variable)


def normal(*shape: int, dtype=jnp.float32) -> jax.Array:
    return jnp.asarray(np.random.default_rng(0).normal(size=shape), dtype)


def made(kind: type, group: Group, k: int = 3, **options) -> nn.GroupConv:
    """A layer from 2 to 3 channels, whose bias is not zero; inexact ones are accepted."""
    options = {"bias_init": nnx.initializers.normal(), "allow_inexact": True} | options
    if isinstance(options.get("padding"), tuple):
        options["padding"] *= group.dim
    return kind(group, 2, 3, k, **options, rngs=nnx.Rngs(0))


def field(layer: nn.GroupConv, *space: int, dtype=jnp.float32) -> jax.Array:
    slots = layer.kernel.shape[layer.group.dim : -2]
    return normal(2, *space, *slots, layer.in_features, dtype=dtype)


def assert_same(frozen, layer, x: jax.Array) -> None:
    """Equal in shape, type and every bit; to rounding, where XLA is asked for another operation."""
    got, expected = frozen(x), layer(x)
    assert got.dtype == expected.dtype
    sums = isinstance(frozen, nnx.ConvTranspose) and frozen.padding == "CIRCULAR"
    sums = sums or (hasattr(layer, "window") and set(layer.window.size) == {1})  # a matrix product
    tolerance = ROUNDING * float(jnp.max(jnp.abs(expected))) if sums else 0
    np.testing.assert_allclose(got, expected, rtol=0, atol=tolerance, strict=True)


# One layer.


@pytest.mark.parametrize("kind", [nn.GroupConv, nn.GroupConvTranspose])
@pytest.mark.parametrize("options", WINDOWS)
def test_a_frozen_layer_returns_what_the_layer_returns(kind, options):
    for k, use_bias in ((3, True), (2, False)):
        layer = made(kind, P4, k, use_bias=use_bias, **options)
        frozen = export.freeze(layer)
        assert isinstance(frozen, nnx.ConvTranspose if "Transpose" in kind.__name__ else nnx.Conv)
        assert_same(frozen, layer, field(layer, 7, 8))  # both remainders of the stride


@each_kind
@pytest.mark.parametrize("padding", ["SAME", "CIRCULAR"])
@pytest.mark.parametrize("name", GROUPS)
def test_under_every_group_and_in_every_dimension(name, padding, kind):
    group = GROUPS[name]
    layer = made(kind, group, 1 if name == "O" else 3, strides=2, padding=padding)
    assert_same(export.freeze(layer), layer, field(layer, *range(5, 5 + group.dim)))


@each_kind
def test_on_a_skewed_lattice_what_lies_beside_the_hexagon_stays_out(kind):
    layer = made(kind, groups.p6(), strides=1)
    x = field(layer, 7, 7)
    assert_same(export.freeze(layer), layer, x)
    inside = export.freeze(layer)(fill_outside(groups.p6(), x, (1, 2), 0))
    np.testing.assert_array_equal(export.freeze(layer)(x), inside)


@each_kind
def test_kernels_strides_and_dilations_may_differ_along_the_axes(kind):
    layer = made(kind, groups.pmm(), (3, 4), strides=(1, 2), kernel_dilation=(2, 1))
    assert_same(export.freeze(layer), layer, field(layer, 9, 6))


@each_kind
@pytest.mark.parametrize(
    "options", [{"padding": "SAME"}, {"padding": "VALID"}, {"use_bias": False}]
)
def test_the_comparison_rejects_another_padding_and_a_lost_bias(kind, options):
    layer = made(kind, P4, padding="CIRCULAR")
    other = made(kind, P4, **{"padding": "CIRCULAR"} | options)  # the same weights
    np.testing.assert_array_equal(layer.kernel[...], other.kernel[...])
    with pytest.raises(AssertionError):
        assert_same(export.freeze(other), layer, field(layer, 8, 8))


@pytest.mark.parametrize("kind", [nn.GroupConv, nn.GroupConvTranspose])
@pytest.mark.parametrize("dtype", [None, jnp.bfloat16])
@pytest.mark.parametrize("param_dtype", [jnp.float32, jnp.bfloat16])
def test_types_are_those_of_the_layer(kind, dtype, param_dtype):
    layer = made(kind, P4, dtype=dtype, param_dtype=param_dtype)
    frozen = export.freeze(layer)
    assert frozen.kernel.dtype == frozen.bias.dtype == param_dtype
    for given in (jnp.float32, jnp.bfloat16, jnp.int32):
        assert_same(frozen, layer, field(layer, 5, 5, dtype=given))


def test_float64_stays_float64():
    with jax.enable_x64(True):
        layer = made(nn.GroupConv, P4)
        x = field(layer, 5, 5, dtype=jnp.float64)
        assert export.freeze(layer)(x).dtype == jnp.float64
        assert_same(export.freeze(layer), layer, x)


@each_kind
def test_the_precision_is_kept(kind):
    layer = made(kind, P4, precision="highest")
    program = str(jax.make_jaxpr(export.freeze(layer))(field(layer, 5, 5)))
    assert "precision=(Precision.HIGHEST, Precision.HIGHEST)" in program


@each_kind
def test_a_frozen_layer_holds_the_bank_and_computes_none(kind):
    layer = made(kind, P4)
    frozen = export.freeze(layer)
    np.testing.assert_array_equal(frozen.kernel[...].ravel(), layer.bank().ravel())
    np.testing.assert_array_equal(frozen.bias[...], jnp.tile(layer.bias[...], 4))
    program = [e.primitive.name for e in jax.make_jaxpr(frozen)(field(layer, 5, 5)).eqns]
    assert {"reshape", "conv_general_dilated"} <= set(program)
    assert not {"rev", "transpose", "concatenate", "gather"} & set(program)


# What is refused.


def test_a_frozen_layer_refuses_what_the_layer_refuses():
    layer = nn.GroupConv(P4, 2, 3, 3, 2, rngs=nnx.Rngs(0))
    frozen = export.freeze(layer)
    assert_same(frozen, layer, field(layer, 7, 7))
    for f in (layer, frozen):
        with pytest.raises(ValueError, match=r"GroupConv would not commute .* on 8 pixels"):
            f(field(layer, 8, 8))
    with pytest.raises(ValueError, match=r"A frozen GroupConv under .* takes .*2 space axes, 4, 2"):
        frozen(normal(2, 7, 7, 8))
    up = export.freeze(made(nn.LiftingConvTranspose, P4, 5, padding=0))
    with pytest.raises(ValueError, match=r"LiftingConvTranspose: 2 pixels .* are 2, fewer than"):
        up(normal(1, 2, 2, 2))


def test_a_transposed_layer_of_four_axes_is_refused():
    layer = made(nn.LiftingConvTranspose, chosen("hypercube")["hypercube"], 1)
    with pytest.raises(
        ValueError, match=r"at most 3 space axes, and a LiftingConvTranspose .* has 4"
    ):
        export.freeze(layer)


# Networks.


class Nested(nnx.Module):
    """Layers in every container that Flax has, one of them twice, and one that points back."""

    def __init__(self, rngs: nnx.Rngs):
        def conv():
            return nn.GroupConv(P4, 2, 2, 3, rngs=rngs)

        self.lift = nn.LiftingConv(P4, 1, 2, 3, rngs=rngs)
        self.sequence = nnx.Sequential(conv(), nnx.relu, nnx.Sequential(conv()))
        self.list = nnx.List([conv()])
        self.dict = nnx.Dict(inner=conv())
        self.tuple = nnx.data(((conv(),), {"inner": [conv()]}))
        self.again = self.list[0]
        self.whole = nnx.data(self)

    def __call__(self, x):
        x = self.sequence(self.lift(x))
        (first,), rest = self.tuple
        for layer in (self.list[0], self.dict["inner"], first, rest["inner"][0], self.again):
            x = x + layer(x)
        return x


def frozen_and_not(model: nnx.Module) -> tuple[int, int]:
    kinds = [module for _, module in nnx.iter_modules(model)]
    frozen = [k for k in kinds if isinstance(k, export.FrozenConv | export.FrozenConvTranspose)]
    return len(frozen), sum(isinstance(k, KINDS) for k in kinds)


def test_layers_are_found_wherever_a_module_keeps_them():
    net = Nested(nnx.Rngs(0))
    frozen = export.freeze(net)
    assert frozen_and_not(frozen) == (7, 0)
    assert frozen_and_not(net) == (0, 7)
    assert frozen.again is frozen.list[0] and frozen.whole is frozen
    assert_same(frozen, net, normal(2, 5, 5, 1))
    assert frozen_and_not(export.freeze(frozen)) == (7, 0)  # nothing is left to do


def test_the_model_itself_is_left_as_it_was():
    net = nnx.Sequential(
        nn.LiftingConv(P4, 1, 2, 3, rngs=nnx.Rngs(0)), nnx.BatchNorm(2, rngs=nnx.Rngs(0))
    )
    before = jax.tree.map(np.array, nnx.to_pure_dict(nnx.state(net)))
    frozen = export.freeze(net)
    frozen(normal(2, 5, 5, 1))  # in training mode: moves the statistics of the copy
    after = nnx.to_pure_dict(nnx.state(net))
    jax.tree.map(np.testing.assert_array_equal, after, before)
    mean = frozen.layers[1].mean[...]
    assert not np.array_equal(mean, before["layers"][1]["mean"])


def test_layers_in_a_stack_are_frozen_one_by_one():
    stack = nnx.vmap(lambda key: nn.GroupConv(P4, 2, 2, 3, rngs=nnx.Rngs(key)))(
        jax.random.split(jax.random.key(0), 3)
    )
    frozen = export.freeze(nnx.Sequential(stack)).layers[0]
    assert frozen.kernel.shape == (3, 3, 3, 8, 8) and frozen.bias.shape == (3, 8)

    def run(layers):
        return nnx.scan(
            lambda x, layer: (layer(x), None), in_axes=(nnx.Carry, 0), out_axes=(nnx.Carry, 0)
        )(normal(2, 5, 5, 4, 2), layers)[0]

    np.testing.assert_array_equal(run(frozen), run(stack))


@pytest.mark.parametrize("options", [{}, {"use_bias": False}, {"use_scale": False}, {"axis": 2}])
@pytest.mark.parametrize("running", [True, False])
@pytest.mark.parametrize("shape", [(2, 5, 3, 4, 3), (2, 5, 3, 64), (7, 3)])
def test_a_frozen_batch_norm_returns_what_it_returned(options, running, shape):
    options = options | ({"axis": -1} if options.get("axis", 0) >= len(shape) else {})
    norm = nnx.BatchNorm(shape[options.get("axis", -1)], **options, rngs=nnx.Rngs(0))
    for k, variable in enumerate(jax.tree.leaves(nnx.state(norm), is_leaf=_is_variable)):
        variable[...] = 1 + jnp.abs(normal(*variable.shape) + k)
    norm.use_running_average = running
    frozen = export.freeze(norm)
    assert isinstance(frozen, nn.BatchNorm)
    assert_same(frozen, norm, normal(*shape))
    assert_same(frozen, norm, normal(*shape))  # after statistics have moved
    whole, bfloat16 = normal(*shape), normal(*shape, dtype=jnp.bfloat16)
    np.testing.assert_array_equal(frozen(whole, True), norm(whole, True))
    assert frozen(bfloat16).dtype == norm(bfloat16).dtype
    mask = whole > 0
    np.testing.assert_array_equal(frozen(whole, mask=mask), norm(whole, mask=mask))


def test_few_channels_are_normalised_as_one_axis_with_the_slots():
    norm = nnx.BatchNorm(3, use_running_average=True, rngs=nnx.Rngs(0))
    frozen = export.freeze(norm)
    x = normal(2, 5, 3, 4, 3)
    assert "[2,5,3,12]" in str(jax.make_jaxpr(frozen)(x))
    assert "[2,5,3,12]" not in str(jax.make_jaxpr(norm)(x))


class Doubled(nn.GroupConv):
    def __call__(self, x):
        return 2 * super().__call__(x)


class Halved(nn.GroupConv):
    def bank(self):
        return super().bank() / 2


def test_a_class_of_ones_own_keeps_its_call():
    net = nnx.Sequential(*(kind(P4, 2, 2, 3, rngs=nnx.Rngs(0)) for kind in (Doubled, Halved)))
    frozen = export.freeze(net)
    assert [type(layer) for layer in frozen.layers] == [Doubled, export.FrozenConv]
    assert_same(frozen, net, normal(2, 5, 5, 4, 2))


MODELS = {
    "P4CNN": (lambda rngs: models.P4CNN(rngs=rngs), 28, 1),
    "ResNet": (lambda rngs: models.ResNet(P4, channels=(2, 3), blocks=1, rngs=rngs), 8, 3),
    "UNet": (lambda rngs: models.UNet(P4, 1, 2, channels=2, depth=1, rngs=rngs), 8, 1),
    "learned": (
        lambda rngs: models.ShiftCNN(P4, models.learned_downsampling, depth=1, rngs=rngs), 8, 1,
    ),
    "strided": (
        lambda rngs: models.ShiftCNN(P4, models.strided_downsampling, depth=1, rngs=rngs), 8, 1,
    ),
}  # fmt: skip


def model(name: str) -> tuple[nnx.Module, jax.Array]:
    make, side, channels = MODELS[name]
    net = make(nnx.Rngs(0))
    net.eval()
    return net, normal(2, side, side, channels)


@pytest.mark.parametrize("name", MODELS)
def test_a_frozen_model_returns_what_the_model_returns(name):
    net, x = model(name)
    frozen = export.freeze(net)
    assert frozen_and_not(frozen) == frozen_and_not(net)[::-1]
    got, expected = jax.jit(frozen)(x), jax.jit(net)(x)
    # every bit, but for kernels of one pixel, which the layer takes for a matrix product
    np.testing.assert_allclose(got, expected, rtol=0, atol=ROUNDING * float(abs(expected).max()))
    exported = export.to_stablehlo(frozen, x)
    assert exported.out_avals[0].shape[1:] == net(x).shape[1:]
    assert not isinstance(exported.out_avals[0].shape[0], int)


def test_a_frozen_model_passes_the_judge_step_by_step():
    net, x = model("strided")
    report = verify.layer_equivariance(export.freeze(net), P4, x)
    assert report.holds, report
    assert [row.kind for row in report.rows].count("FrozenConv") == 4
    assert verify.equivariance(jax.jit(export.freeze(net)), P4, x).holds


# Another process.

ALONE = """
import sys, warnings
warnings.simplefilter("error")
class Wall:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("gcnn", "flax"):
            raise ImportError(f"{name} is behind the wall")
sys.meta_path.insert(0, Wall())
import numpy as np
from jax import export
program = export.deserialize(bytearray(open(sys.argv[1], "rb").read()))
np.save(sys.argv[3], program.call(np.load(sys.argv[2])))
if len(sys.argv) > 4: __import__(sys.argv[4])
assert not {"gcnn", "flax"} & set(sys.modules)
"""


def alone(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", ALONE, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    net, _ = model("P4CNN")
    folder = tmp_path_factory.mktemp("export")
    exported = export.to_stablehlo(net, jax.ShapeDtypeStruct((1, 28, 28, 1), jnp.float32))
    export.save(folder / "p4cnn", exported)
    return net, exported, folder


def test_another_process_runs_it_without_this_package(written, tmp_path):
    net, _, folder = written
    x = normal(5, 28, 28, 1)  # written for one image, called with five
    np.save(tmp_path / "x.npy", x)
    done = alone(folder / "p4cnn", tmp_path / "x.npy", tmp_path / "y.npy")
    assert done.returncode == 0, done.stderr
    np.testing.assert_array_equal(np.load(tmp_path / "y.npy"), jax.jit(net)(x))
    done = alone(folder / "p4cnn", tmp_path / "x.npy", tmp_path / "y.npy", "gcnn")
    assert done.returncode == 1 and "gcnn is behind the wall" in done.stderr


def test_the_program_holds_to_the_shape_and_type_it_was_made_for(written):
    _, exported, _ = written
    assert exported.platforms == ("cpu", "cuda", "tpu") and exported.nr_devices == 1
    assert "stablehlo.convolution" in exported.mlir_module()
    for x in (normal(1, 29, 28, 1), normal(1, 28, 28), normal(1, 28, 28, 1, dtype=jnp.bfloat16)):
        with pytest.raises(ValueError, match="mismatch"):
            exported.call(x)


def test_dropout_and_batch_statistics_are_off_in_it():
    rngs = nnx.Rngs(0)
    net = nnx.Sequential(
        nn.LiftingConv(P4, 1, 2, 3, rngs=rngs),
        nnx.BatchNorm(2, rngs=rngs),
        nnx.Dropout(0.5, rngs=rngs),
    )
    net(3 + normal(4, 5, 5, 1))  # statistics that are not those at the start
    modes = (
        r"layers.1 \(BatchNorm\), layers.2 \(Dropout\) are in training mode. Call model.eval\(\)"
    )
    with pytest.raises(ValueError, match=modes):
        export.to_stablehlo(net, normal(1, 5, 5, 1))
    net.eval()
    x = normal(2, 5, 5, 1)
    exported = export.to_stablehlo(net, np.asarray(x))
    np.testing.assert_array_equal(exported.call(x), jax.jit(net)(x))
    np.testing.assert_array_equal(exported.call(x[:1]), jax.jit(net)(x[:1]))


def test_one_module_in_training_mode_is_named_alone():
    with pytest.raises(ValueError, match=r"and the model \(Dropout\) is in training mode"):
        export.to_stablehlo(nnx.Dropout(0.5), normal(1, 4))


def test_shapes_that_the_model_refuses_are_refused_when_it_is_written():
    layer = nn.GroupConv(P4, 2, 3, 3, 2, rngs=nnx.Rngs(0))
    with pytest.raises(ValueError, match=r"GroupConv would not commute .* on 8 pixels"):
        export.to_stablehlo(layer, field(layer, 8, 8))
    with pytest.raises(ValueError, match=r"frozen GroupConv under .* got shape \(b, 7, 7, 8\)"):
        export.to_stablehlo(layer, normal(1, 7, 7, 8))
    with pytest.raises(ValueError, match="needs x with a batch axis, got a single number"):
        export.to_stablehlo(layer, jnp.float32(1))


def test_a_file_is_whole_or_not_there(written, tmp_path, monkeypatch):
    _, exported, folder = written
    assert os.listdir(folder) == ["p4cnn"]
    (tmp_path / "file").write_bytes(b"the one before")
    monkeypatch.setattr(type(exported), "serialize", lambda self: "not bytes")
    with pytest.raises(TypeError):
        export.save(tmp_path / "file", exported)
    assert os.listdir(tmp_path) == ["file"]
    assert (tmp_path / "file").read_bytes() == b"the one before"


TWO_DEVICES = """
import jax, numpy as np
from flax import nnx
from jax.sharding import NamedSharding, PartitionSpec
from gcnn import export, groups, nn
net = nn.LiftingConv(groups.p4(), 1, 2, 3, rngs=nnx.Rngs(0))
mesh = jax.make_mesh((2,), ("devices",))
graph, state = nnx.split(net)
net = nnx.merge(graph, jax.device_put(state, NamedSharding(mesh, PartitionSpec())))
assert len(net.kernel[...].devices()) == 2
assert export.to_stablehlo(net, np.zeros((1, 5, 5, 1), "float32")).nr_devices == 1
"""


@pytest.mark.newest
def test_a_model_of_two_devices_is_written_for_one():
    environment = {**os.environ, "XLA_FLAGS": "--xla_force_host_platform_device_count=2"}
    command = [sys.executable, "-c", TWO_DEVICES]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


# ONNX, by a converter of others.


def test_a_converter_to_onnx_gives_the_same_numbers(tmp_path):
    jax2onnx = pytest.importorskip("jax2onnx", reason="the converter jax2onnx is not installed")
    runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    if tuple(map(int, re.findall(r"\d+", jax.__version__)[:2])) >= (0, 12):
        pytest.skip("jax2onnx 0.17.1 stops at jax 0.12: jax.core has no ClosedJaxpr any more")
    net, x = model("P4CNN")
    frozen = export.freeze(net)
    jax2onnx.to_onnx(
        frozen, [("B", 28, 28, 1)], return_mode="file", output_path=str(tmp_path / "p4cnn.onnx")
    )
    session = runtime.InferenceSession(str(tmp_path / "p4cnn.onnx"))
    y = session.run(None, {session.get_inputs()[0].name: np.asarray(x)})[0]
    np.testing.assert_allclose(y, net(x), rtol=0, atol=1e-5)  # another library's convolutions
