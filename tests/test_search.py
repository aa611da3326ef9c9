"""The search: trains each variant, and never reads a test image."""

import json

import pytest

from experiments import search
from experiments.data import rotated_mnist
from experiments.search import VARIANTS, Search

from . import small_data


@pytest.fixture
def digits(monkeypatch):
    splits = small_data.shrink(rotated_mnist.generate())
    del splits["test"]  # not there to be read
    monkeypatch.setattr(search.rotated_mnist, "load", lambda: splits)


def test_variants_differ_in_one_thing():
    base = Search().config("base", 0)
    for name, (_, changes) in VARIANTS.items():
        config = Search().config(name, 0)
        assert config.name == f"{name}_seed0" and config.train_on == "train"
        assert len(changes.keys() - {"symmetry"}) == (name != "base")
        for what, value in vars(base).items():
            kept = {"name", "model"} | changes.keys()
            assert what in kept or getattr(config, what) == value, (name, what)


@pytest.mark.newest
def test_a_search_writes_its_page(digits, tmp_path, monkeypatch, capsys):
    def small(group, *channels, **more):
        return {"model": lambda rngs: small_network(rngs, group), "symmetry": group}

    def small_network(rngs, group):
        return search.models.DigitResNet(group, channels=(2, 2, 2), hidden=4, rngs=rngs)

    monkeypatch.setattr(search, "_network", small)
    out = ("--out", str(tmp_path), "--epochs", "1")
    assert search.main(["--variants", "base", "average", *out]) == 0
    summary = json.loads((tmp_path / "search" / "summary.json").read_text())
    assert summary["status"] == "finished" and summary["config"] == {"epochs": 1, "seeds": 1}
    found = summary["findings"]["variants"]
    assert found.keys() == {"base", "average"}
    for variant in found.values():
        assert 0 <= variant["runs"][0]["valid_error_percent"] <= 100
        assert variant["runs"][0]["valid_loss"] > 0 and variant["macs"] > 0
    page = (tmp_path / "search" / "page.md").read_text()
    assert "| base | as described | 1 |" in page and "python -m experiments.search" in page

    def no_training(*_):
        raise AssertionError("trained")

    monkeypatch.setattr(search, "train", no_training)
    collect = ("--variants", "base", "average", "--collect", "--seeds", "2")
    assert search.main([*collect, *out]) == 0
    again = json.loads((tmp_path / "search" / "summary.json").read_text())["findings"]["variants"]
    assert again == found
    metrics = tmp_path / "search" / "average_seed0" / "metrics.jsonl"
    metrics.write_text("".join(metrics.read_text().splitlines(keepends=True)[:-1]))  # cut off
    assert search.main([*collect, *out]) == 0
    again = json.loads((tmp_path / "search" / "summary.json").read_text())["findings"]["variants"]
    assert list(again) == ["base"]
    assert search.main([*collect, "--out", str(tmp_path), "--epochs", "2"]) == 2
    said = " ".join(capsys.readouterr().out.split())
    assert "No run of 2 epochs is finished in" in said and "leave out --collect" in said


def test_an_unknown_variant_is_refused(capsys):
    with pytest.raises(ValueError, match=r"No variant deeper; there are base, no_augmentation"):
        Search(("base", "deeper"))
    try:
        status = search.main(["--epochs", "0"])
    except SystemExit as exit:  # newer versions of tyro tell it themselves
        status = exit.code
    said = capsys.readouterr()
    assert status == 2 and "epochs must be 1 or more, got 0" in said.out + said.err
