"""The page of the benchmark: its tables, and how to read them."""

from collections.abc import Iterator
from typing import Any

from experiments.page import figure, table

from .convolution_figure import panels

_TEXT = """
*Plain* is a convolution of |H| times the channels (`nnx.Conv`; in blocks and networks the same
module under the trivial group, with every convolution an `nnx.Conv`, as `export.freeze` makes it).
It has the filters of ours and computes the same numbers, but where
the statistics of a batch are taken, and but for P4CNN, whose plain twin pools no orbit. *Direct* is
`nn.GroupConv` as one convolution with its bank, which is built in every call; *fourier* the same
layer in blocks of irreducible representations; the one in bold is what the layer chooses by itself.
*Training* is forward and backward, by parameters and input; of the step of P4CNN, all of it, with
Adam. *Frozen* is inference of what `export.freeze` makes of ours.

A ratio is the time of the plain program over that of ours, in the same repetition: above 1, ours is
the faster one. Medians, with quartiles in brackets. The variants of a case share a process, and no
two cases do; a case that has several processes has the repetitions of all of them.
"""
_COST = """
Memory is the compiler's own account of arguments, results and what lies between them; time to
compile includes tracing. *Difference* is the largest between programs that are one function, in
units of the largest value: rounding, and no more.
"""
_ESCNN = """
escnn {escnn} on PyTorch {torch}, {threads} threads, in a process of its own after all the others.
Its ratios are to `torch.nn.Conv2d` of equal width, timed in turn with it; ours, in the last column,
to `nnx.Conv`. *Frozen* keeps the expanded filters, as in evaluation mode.
"""


def parts(findings: dict[str, Any]) -> list[str]:
    """Paragraphs, tables and the figure, in order."""
    cases = findings["cases"]
    layers = {name: f for name, f in cases.items() if f["kind"] == "layer"}
    nets = {name: f for name, f in cases.items() if f["kind"] != "layer"}
    found = [_TEXT.strip()]
    if panels(cases):
        found.append(figure("ratio.png", "Time of the plain program over that of ours"))
    if layers:
        found += ["## Layers", _speed(layers, ("direct", "fourier"))]
    if nets:
        found += ["## Blocks and networks", _speed(nets, ("ours", "frozen"))]
    found += ["## Memory and time to compile", _cost(cases), _COST.strip()]
    if "escnn" in findings:
        peer = findings["escnn"]
        text = _ESCNN.strip().format(**peer["versions"], threads=peer["threads"])
        found += ["## escnn", _escnn(peer["cases"], layers), text]
    return found


def _speed(cases: dict[str, dict[str, Any]], ways: tuple[str, ...]) -> str:
    header = ["case", "", "plain [ms]"]
    header += [column for way in ways for column in (f"{way} [ms]", "ratio")]
    return table(header, _speed_rows(cases, ways))


def _speed_rows(cases: dict[str, dict[str, Any]], ways: tuple[str, ...]) -> Iterator[list[str]]:
    for name, f, mode, each in _programs(cases):
        cells = []
        for way in ways:
            pair = (
                [_spread(each[way]["ms"]), _spread(each[way]["ratio"])]
                if way in each
                else ["–"] * 2
            )
            cells += [f"**{cell}**" for cell in pair] if way == f.get("chosen") else pair
        yield [name, mode, _spread(each["plain"]["ms"]), *cells]


def _cost(cases: dict[str, dict[str, Any]]) -> str:
    header = ["case", "", "memory [MB]", "to compile [s]", "difference"]
    lines = []
    for name, f, mode, each in _programs(cases):
        megabytes = [
            f"{way} " + ("–" if p["megabytes"] is None else f"{p['megabytes']:.1f}")
            for way, p in each.items()
        ]
        seconds = [f"{way} {p['compile_seconds']:.2f}" for way, p in each.items()]
        apart = "–" if f["difference"] is None else f"{f['difference']:.0e}"
        lines.append([name, mode, ", ".join(megabytes), ", ".join(seconds), apart])
    return table(header, lines)


def _escnn(peers: list[dict[str, Any]], layers: dict[str, dict[str, Any]]) -> str:
    header = ["fields", "", "Conv2d [ms]", "escnn [ms]", "ratio", "frozen [ms]", "ratio",
              "nnx.Conv [ms]", "ours [ms]", "ratio"]  # fmt: skip
    keys = ("fields", "kernel", "side", "batch")
    lines = []
    for peer in peers:
        [ours] = [
            f for f in layers.values()
            if f["group"] == "p4m" and all(f[key] == peer[key] for key in keys)
        ]  # fmt: skip
        for mode in ("forward", "training"):
            each, here = peer[mode], ours[mode]
            cells = [_spread(each["plain"]["ms"])]
            for way in ("escnn", "frozen"):
                known = way in each
                cells += [_spread(each[way][k]) if known else "–" for k in ("ms", "ratio")]
            cells.append(_spread(here["plain"]["ms"]))
            cells += [_spread(here[ours["chosen"]][k]) for k in ("ms", "ratio")]
            lines.append([str(peer["fields"]), mode, *cells])
    return table(header, lines)


def _programs(cases: dict[str, dict[str, Any]]) -> Iterator[tuple[str, dict, str, dict]]:
    """Name and findings of each case, a mode that it has, and what was measured there."""
    for name, f in cases.items():
        for mode in ("forward", "training"):
            if mode in f:
                yield name, f, mode, f[mode]


def _spread(values: list[float]) -> str:
    """The median with its quartiles: "12.3 (12.1 to 12.6)"."""
    low, median, high = (_digits(v) for v in values)
    return f"{median} ({low} to {high})"


def _digits(value: float) -> str:
    """Three figures, or the whole number."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"
