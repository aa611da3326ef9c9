"""The benchmarks run, measure what they say, and compare programs that compute the same."""

import dataclasses
import json
import subprocess
import sys

import jax
import jax.numpy as jnp
import pytest
from flax import nnx

from benchmarks import (
    build_time,
    cases,
    convolution,
    interleaved,
    measure,
    program,
    training_step,
    variants,
)
from benchmarks.cases import CUBE, P4, P4M, Case
from benchmarks.interleaved import Times
from experiments.results import RESULTS
from gcnn import groups, kernels, models, nn
from gcnn.export import FrozenConv

from .cases import GROUPS

pytestmark = pytest.mark.newest
SMALL = (Case("layer", P4M, 1, 3, 4, 1), Case("3D block", GROUPS["quarter"], 1, 1, 3, 1))


def test_the_ratio_is_measured():
    found = training_step.measure(training_step.Options(repetitions=3, batch=4))
    assert found["p4cnn_ms"] > 0 and found["plain_ms"] > 0
    low, high = found["ratio_quartiles"]
    assert 0 < low <= found["ratio"] <= high


def test_both_networks_convolve_the_same_channels():
    p4 = models.P4CNN(groups.p4(), rngs=nnx.Rngs(0))
    plain = models.P4CNN(groups.p1(), channels=40, rngs=nnx.Rngs(0))
    for a, b in zip(p4.hidden, plain.hidden, strict=True):
        bank, dense = a.conv.bank(), b.conv.bank()
        assert bank.size == dense.size == 3 * 3 * 40 * 40


def test_the_time_to_build_a_layer_is_measured_in_a_fresh_interpreter():
    first, second = build_time.measure("nnx.Linear(2, 2, rngs=rngs)", repetitions=1)
    assert first > 0 and second > 0
    with pytest.raises(subprocess.CalledProcessError):
        build_time.measure("nn.NoSuchLayer()", repetitions=1)


class Clock:
    """Programs that take as long as they say, and a clock that only they move."""

    def __init__(self, monkeypatch):
        self.now, self.calls = 0.0, []
        monkeypatch.setattr(interleaved.time, "perf_counter", lambda: self.now)

    def runs(self, **seconds):
        def run(name):
            self.calls.append(name)
            self.now += seconds[name]

        return {name: lambda name=name: run(name) for name in seconds}


def test_the_order_turns_round_from_one_repetition_to_the_next(monkeypatch):
    clock = Clock(monkeypatch)
    times = interleaved.interleaved(clock.runs(a=1, b=2, c=3), 3, warm_up=1)
    assert "".join(clock.calls) == "cba" + "abc" + "cba" + "abc"
    assert times.seconds == {"a": [1] * 3, "b": [2] * 3, "c": [3] * 3}
    assert times.ratio("c", "a").median == 3


def test_a_ratio_is_one_of_neighbours():
    times = Times({"a": [1.0, 20.0, 3.0], "b": [1.0, 10.0, 1.0]})
    assert times.ratio("a", "b").to_list() == [1.5, 2, 2.5]
    medians = times.milliseconds("a").median / times.milliseconds("b").median
    assert medians == 3  # which is the ratio of no repetition but the last


@pytest.mark.parametrize(("budget", "repetitions"), [(5, 3), (41, 5), (1000, 8)])
def test_a_budget_ends_the_repetitions_and_leaves_enough_of_them(monkeypatch, budget, repetitions):
    clock = Clock(monkeypatch)
    times = interleaved.interleaved(clock.runs(a=9), 8, warm_up=0, budget=budget)
    assert len(times.seconds["a"]) == repetitions


def test_one_repetition_has_no_spread():
    with pytest.raises(ValueError, match="2 repetitions or more; got 1, and 3 at least"):
        interleaved.interleaved({"a": print}, 1)


def test_a_case_is_there_once_and_the_full_table_has_what_was_asked_for():
    for table in (cases.CASES, cases.QUICK, cases.LARGE):
        assert len({case.name for case in table}) == len(table)
    layers = {(c.fields, c.kernel) for c in cases.CASES if c.kind == "layer" and c.group == P4M}
    assert layers == {(c, k) for c in (8, 16, 32, 64, 128, 256) for k in (1, 3, 5)}
    assert [c.fields for c in cases.for_escnn(cases.CASES)] == [8, 16, 32, 64]
    assert P4M.order == 8 and CUBE.order == 24
    assert cases.QUICK[0].name == "p4m layer, 16 fields, 3 x 3, 4 x 16² pixels"


SHAPES = {
    (c.kind, c.group, c.kernel): dataclasses.replace(c, fields=1, batch=1) for c in cases.CASES
}


@pytest.mark.parametrize("case", SHAPES.values(), ids=lambda case: case.name)
def test_every_case_builds_and_its_variants_give_as_many_numbers(case):
    built = variants.build(case)
    assert next(iter(built)) == "plain"
    sizes = set()
    for name, variant in built.items():
        traced, arguments = program.forward(variant)
        sizes.add((jax.eval_shape(traced, *arguments).size, variant.x.size))
        if case.kind == "layer":
            assert getattr(variant.model, "evaluation", name) == (
                None if name == "chosen" else name
            )
    assert len(sizes) == 1


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The exit status and the folder of two small cases, with an escnn that answers at once."""
    times = {"ms": [1.0, 2.0, 3.0], "ratio": [0.4, 0.5, 0.6]}
    peer = {
        "versions": {"torch": "2", "escnn": "1"},
        "threads": 2,
        "cases": [
            {
                "fields": 1, "kernel": 3, "side": 4, "batch": 1,
                "forward": {"plain": times, "escnn": times, "frozen": times},
                "training": {"plain": times, "escnn": times},
            }
        ],
    }  # fmt: skip
    tmp = tmp_path_factory.mktemp("bench")
    python = tmp / "python"
    python.write_text(f"#!/bin/sh\necho a warning\necho '{json.dumps(peer)}'\n")
    python.chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cases, "QUICK", SMALL)
        arguments = ["--quick", "--processes", "2", "--repetitions", "2"]
        arguments += ["--out", str(tmp / "out")]
        status = convolution.main([*arguments, "--escnn", str(python)])
    return status, tmp / "out"


def test_the_variants_of_a_layer_and_of_a_block_agree_to_rounding(run):
    _, folder = run
    found = json.loads((folder / "summary.json").read_text())["findings"]["cases"]
    assert list(found) == [case.name for case in SMALL]
    for f in found.values():
        assert f["difference"] < 2e-6
    assert found[SMALL[0].name]["chosen"] == "direct"  # few pixels


def test_every_variant_has_times_memory_and_time_to_compile(run):
    status, folder = run
    assert status == 0
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["name"] == "convolution" and summary["status"] == "finished"
    layer, block = summary["findings"]["cases"].values()
    assert set(layer["forward"]) == set(layer["training"]) == {"plain", "direct", "fourier"}
    assert set(block["forward"]) == set(block["training"]) == {"plain", "ours"}
    for f in (layer, block):
        for mode in ("forward", "training"):
            assert f[mode]["plain"]["ratio"] == [1, 1, 1]
            for p in f[mode].values():
                assert p["repetitions"] == 4  # two in each of the processes
                assert 0 < p["ms"][0] <= p["ms"][1] <= p["ms"][2]
                assert p["compile_seconds"] > 0 and p["megabytes"] > 0


def test_the_page_has_its_tables_and_its_figure(run):
    _, folder = run
    text = (folder / "page.md").read_text()
    assert "{" not in text
    assert f"| {SMALL[0].name} | training |" in text and f"| {SMALL[1].name} | forward |" in text
    assert "| 1 | forward | 2 (1 to 3) | 2 (1 to 3) | 0.5 (0.4 to 0.6) | 2 (1 to 3) |" in text
    assert "(ratio.png)" in text and (folder / "ratio.png").stat().st_size > 10_000


def test_variants_that_do_not_compute_the_same_are_refused(monkeypatch):
    share = variants.share

    def turned(ours, plain, group):
        share(ours, plain, group)
        plain.kernel[...] = jnp.rot90(plain.kernel[...])

    monkeypatch.setattr(variants, "share", turned)
    case = Case("layer", P4, 1, 3, 4, 1)
    with pytest.raises(ValueError, match=r"p4 layer, 1 fields.* do not compute the same"):
        measure.measure(case, measure.Effort(repetitions=2))


def test_repetitions_of_all_processes_count_and_ratios_are_within_each():
    def run(scale, difference):
        seconds = {"plain": [2.0 * scale, 2.0 * scale], "ours": [1.0 * scale, 0.5 * scale]}
        kept = {"compile_seconds": scale, "megabytes": 1.0}
        forward = {name: {"seconds": found, **kept} for name, found in seconds.items()}
        return {"kind": "3D block", "difference": difference, "forward": forward}

    found = measure.pooled([run(1, 1e-7), run(10, 2e-7), run(100, 0.0)])
    ours = found["forward"]["ours"]
    assert ours["ratio"] == [2, 3, 4]  # though the processes differ a hundredfold
    assert ours["ms"][1] == 1e3 * (5 + 10) / 2 and ours["repetitions"] == 6
    assert ours["compile_seconds"] == 1 and found["difference"] == 2e-7
    assert found["kind"] == "3D block" and "training" not in found


def test_plain_ones_are_made_of_convolutions_of_flax():
    for case in (
        Case("residual block", P4, 1, 3, 4, 1),
        Case("training step", P4, 1, 3, 28, 2),
        Case("inference", P4, 1, 3, 28, 2),
    ):
        found = {
            name: {
                type(module)
                for _, module in nnx.iter_modules(variant.model)
                if hasattr(module, "kernel_size") or isinstance(module, nn.GroupConv)
            }
            for name, variant in variants.build(case).items()
        }
        assert found.pop("plain") == found.pop("frozen", {FrozenConv}) == {FrozenConv}
        assert nn.GroupConv in found.pop("ours") and not found


def test_layers_choose_what_was_measured_to_be_the_faster_one_where_that_is_clear():
    recorded = json.loads((RESULTS / "convolution" / "summary.json").read_text())
    clear = set()
    for case in cases.CASES:
        if case.kind != "layer":
            continue
        times = recorded["findings"]["cases"][case.name]["training"]
        direct, fourier = (times[way]["ms"][1] for way in ("direct", "fourier"))
        if max(direct, fourier) < 1.5 * min(direct, fourier):
            continue
        size, pixels = (case.kernel,) * case.group.dim, case.batch * case.side**case.group.dim
        chosen = kernels.cheaper_evaluation(case.group, size, case.fields, pixels, "cpu")
        assert chosen == ("direct" if direct < fourier else "fourier"), case.name
        clear.add((chosen, case.group.dim))
    assert clear == {("direct", 2), ("fourier", 2), ("fourier", 3)}  # in space blocks win, or tie


def test_a_step_goes_on_from_the_state_that_it_left(monkeypatch):
    def counting(model, batch):
        return jax.jit(lambda n: (n + batch,), donate_argnums=0), (jnp.zeros(()),)

    monkeypatch.setattr(training_step, "program", counting)
    case = Case("training step", P4, 1, 3, 28, 2)
    found = program.programs(case, {"plain": variants.Variant(models, jnp.zeros(()))})
    assert set(found) == {"training"}
    for _ in range(3):
        found["training"]["plain"].run()  # a state that is given away cannot be used twice


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"repetitions": 1}, "--repetitions 2 or more, got 1"),
        ({"processes": 0}, "--processes must be 1 or more, got 0"),
        ({"only": "p6"}, r"No case begins with 'p6'. There are\n  p4m layer, 8 fields"),
        ({"quick": True, "large": True}, "choose one of them"),
        ({"precision": "bfloat16", "only": "p4 training"}, "No case begins with"),
        ({"only": "p4m layer, 128", "escnn": sys.executable}, "none of these is among the cases"),
    ],
)
def test_options_that_measure_nothing_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        convolution.chosen_cases(convolution.Options(**arguments))


@pytest.mark.parametrize(
    ("precision", "types", "asked"),
    [("default", "f32", "DEFAULT"), ("float32", "f32", "HIGHEST"), ("bfloat16", "bf16", "DEFAULT")],
)
def test_products_have_the_precision_that_was_asked_for(
    monkeypatch, tmp_path, precision, types, asked
):
    given = []
    whole = program.forward

    def spy(variant):
        function, arguments = whole(variant)
        given.append(function.lower(*arguments).as_text())
        return function, arguments

    monkeypatch.setattr(cases, "QUICK", SMALL[:1])
    monkeypatch.setattr(program, "forward", spy)
    monkeypatch.setattr(
        convolution, "measure_apart", lambda *given: measure.pooled([measure.measure(*given)])
    )
    out = tmp_path / "out"
    arguments = ["--quick", "--repetitions", "2", "--precision", precision, "--out", str(out)]
    assert convolution.main(arguments) == 0
    plain = given[0]
    [line] = [line for line in plain.splitlines() if "stablehlo.convolution" in line]
    assert f"x{types}>" in line and f"precision {asked}>" in line
    name = json.loads((out / "summary.json").read_text())["name"]
    assert name == ("convolution" if precision == "default" else f"convolution_{precision}")


def test_an_interpreter_without_escnn_is_told_before_anything_is_measured(tmp_path, capsys):
    folder = tmp_path / "out"
    for python, message in (
        (sys.executable, "No module named 'torch'. It needs PyTorch and escnn;"),
        (str(tmp_path / "none"), "cannot be started: No such file or directory"),
    ):
        assert convolution.main(["--escnn", python, "--out", str(folder)]) == 2
        assert message in " ".join(capsys.readouterr().out.split())
    assert not folder.exists()
