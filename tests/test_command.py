"""The command `python -m gcnn verify`."""

import inspect
import json
import re
import subprocess
import sys

import jax
import pytest
from flax import nnx

from gcnn import groups, nn, selfcheck, verify
from gcnn.__main__ import _certified, main
from gcnn.actions import skewed_axes
from gcnn.selfcheck import Case, cases, check


@pytest.mark.newest
def test_one_group_is_certified(tmp_path, capsys):
    path = tmp_path / "found.json"
    assert main(["verify", "--group", "pm", "--json", str(path)]) == 0
    out = capsys.readouterr().out
    assert "rejected (control)" in out and "0 failed" in out
    found = json.loads(path.read_text())
    assert found["failures"] == 0
    assert found["device"] and found["versions"]["jax"]
    layers = {layer["case"]: layer for layer in found["layers"]}
    assert layers["nnx.Conv"]["control"]
    for layer in layers.values():
        assert layer["passed"]
        if not layer["control"] and "integers float32" in layer["reports"]:
            assert layer["reports"]["integers float32"]["error"] == 0
            assert layer["reports"]["integers bfloat16"]["error"] == 0
    assert list(tmp_path.iterdir()) == [path]


def broken(group):
    """A plain convolution that claims to be a layer of ours."""
    yield Case("liar", nnx.Conv(3, 3, (3, 3), rngs=nnx.Rngs(0)), 9, False)


def too_good(group):
    """A layer of ours that is listed as a control."""
    yield Case("innocent", next(cases(group)).layer, 9, False, control=True)


@pytest.mark.parametrize(("made_up", "word"), [(broken, "FAILS"), (too_good, "NOT REJECTED")])
def test_a_failure_is_an_exit_status(monkeypatch, capsys, made_up, word):
    monkeypatch.setattr("gcnn.selfcheck._check.cases", made_up)
    assert main(["verify", "--group", "p4"]) == 1
    out = capsys.readouterr().out
    assert word in out and "1 failed" in out


def test_broken_laws_are_an_exit_status(monkeypatch, capsys):
    report = verify.LawReport("made up", {"closure": "1·1 is missing"})
    monkeypatch.setattr(verify, "group_laws", lambda group: report)
    monkeypatch.setattr("gcnn.selfcheck._check.cases", lambda group: iter(()))
    assert main(["verify", "--group", "p4"]) == 1


def test_an_unknown_group_is_refused(capsys):
    with pytest.raises(SystemExit):
        main(["verify", "--group", "p5"])
    assert "unknown group p5; there are p1, p2, pm" in capsys.readouterr().err


def test_every_named_group_is_checked():
    cached = [value for value in vars(groups).values() if hasattr(value, "cache_info")]
    named = [f for f in cached if inspect.signature(f).return_annotation is groups.Group]
    assert len(named) == 45  # 13 of the plane, the mirror of the line, 31 of space
    assert {make() for make in named} <= {make() for make in selfcheck.ALL_GROUPS}


def test_the_default_has_some_groups_of_each_kind():
    chosen = [make() for make in selfcheck.GROUPS]
    assert set(chosen) < {make() for make in selfcheck.ALL_GROUPS}
    assert {group.dim for group in chosen} == {1, 2, 3}
    assert {bool(skewed_axes(group)) for group in chosen} == {False, True}


@pytest.mark.newest
def test_a_skewed_lattice_in_three_dimensions_is_certified():
    group = groups.c3()
    for case in cases(group):
        outcome = check(group, case)
        assert outcome.passed, case.name
        if not case.control:
            kind, bound = ("integers float32", 0) if case.integer else ("float64", 1e-12)
            assert outcome.reports[kind].error <= bound


@pytest.mark.newest
def test_groups_are_shared_out_to_processes_and_come_back_in_order():
    chosen = [groups.line_mirror(), groups.p1(1)]
    for group, (laws, outcomes) in zip(chosen, _certified(chosen, 2, brief=True), strict=True):
        assert laws.holds and laws.group == str(group)
        assert [o.case for o in outcomes] == [c.name for c in cases(group) if not c.again]
        assert all(outcome.passed and len(outcome.reports) == 1 for outcome in outcomes)


def test_all_is_an_option(monkeypatch, capsys):
    report = verify.LawReport("not looked at", {"closure": ""})
    monkeypatch.setattr(verify, "group_laws", lambda group: report)
    monkeypatch.setattr("gcnn.selfcheck._check.cases", lambda group: iter(()))
    assert main(["verify", "--all", "--workers", "1"]) == 0
    assert f"{len(selfcheck.ALL_GROUPS)} checks, 0 failed" in capsys.readouterr().out


ALONG_ONE_AXIS = {"BlurPool", "MaxBlurPool", "PolyphasePool", "LearnedPolyphase", "upsample"}
INSIDE_OF_OTHERS = {  # and what each is certified as a part of
    "DepthwiseConv": "SeparableGroupConv",
    "polyphase_phase": "PolyphasePool",
    "polyphase_sample": "PolyphasePool",
    "pointwise": "",  # returns the function that it is given
    "polyphase_unsample": "",  # of two arguments: tests/test_nn_polyphase.py
}


@pytest.mark.parametrize("make", [groups.line_mirror, groups.p4m, groups.p6, groups.c4v, groups.c3])
def test_every_layer_is_certified(make):
    group = make()
    kept = [case.name for case in cases(group) if not case.control and not case.again]
    words = set(re.findall(r"\w+", " ".join(kept)))
    missing = {name for name, value in vars(nn).items() if callable(value)} - words
    refused = ALONG_ONE_AXIS if skewed_axes(group) else set()
    assert missing == set(INSIDE_OF_OTHERS) | refused


@pytest.mark.parametrize("make", [groups.p1, groups.cm, groups.p4], ids=lambda make: make.__name__)
def test_controls_are_there_where_they_can_fail(make):
    controls = [case.name for case in cases(make()) if case.control]
    expected = {"p1": 0, "cm": 3, "p4": 6}  # the diagonal mirror of cm swaps, and reverses nothing
    assert len(controls) == expected[make().name]


def test_a_control_passes_only_if_every_kind_of_check_rejects_it():
    group = groups.pm()
    control = next(case for case in cases(group) if case.control)
    outcome = check(group, control)
    assert outcome.passed and set(outcome.reports) == set(selfcheck.KINDS[:3])


def test_gaussian_data_are_computed_at_full_precision_and_integers_as_by_default():
    asked = []

    def watch(x):
        asked.append((str(x.dtype), jax.config.jax_default_matmul_precision))
        return x

    check(groups.pm(), Case("made up", watch, 3, False))
    assert asked == [("float32", None), ("bfloat16", None), ("float32", "highest")]


def test_brief_is_one_kind_of_check_a_layer():
    group = groups.pm()
    found = {case.integer: check(group, case, brief=True) for case in cases(group)}
    assert set(found[True].reports) == {"integers float32"}
    assert set(found[False].reports) == {"float64"}


@pytest.mark.newest
def test_the_installed_module_runs():
    done = subprocess.run(
        [sys.executable, "-m", "gcnn", "verify", "--help"], capture_output=True, text=True
    )
    assert done.returncode == 0 and "must be rejected" in " ".join(done.stdout.split())
