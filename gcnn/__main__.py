"""The command: `python -m gcnn verify`, also installed as `gcnn`."""

import argparse
import functools
import importlib.metadata
import itertools
import json
import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any


def main(arguments: list[str] | None = None) -> int:
    """Parse and run; returns the exit status: 0 if everything holds, 1 if something fails."""
    parser = argparse.ArgumentParser(prog="gcnn", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser(
        "verify",
        help="check groups and layers on the device that JAX finds",
        description="Check the laws of groups in one, two and three dimensions, and the "
        "equivariance of every layer under them: exactly, with small integers, and to rounding, "
        "with Gaussian data. Controls, which break the symmetry, must be rejected. Exits with 1 if "
        "anything is not as it should be.",
    )
    command.add_argument(
        "--group", action="append", metavar="NAME", help="only this group; may be repeated"
    )
    command.add_argument(
        "--all",
        action="store_true",
        help="every named group, rather than some of each kind, with one setting and one kind of "
        "check for each layer",
    )
    command.add_argument(
        "--workers",
        type=int,
        default=os.cpu_count() or 1,
        metavar="N",
        help="processes to share the groups out to, on a CPU; 1 for none but this one",
    )
    command.add_argument("--json", type=Path, metavar="PATH", help="write the findings there")
    options = parser.parse_args(arguments)

    import jax  # parsing, and --help, should not wait for JAX

    from .selfcheck import ALL_GROUPS, GROUPS, KINDS

    chosen = [make() for make in (ALL_GROUPS if options.all or options.group else GROUPS)]
    names = list(dict.fromkeys(group.name for group in chosen))
    if unknown := sorted(set(options.group or ()) - set(names)):
        parser.error(f"unknown group {', '.join(unknown)}; there are {', '.join(names)}")
    if options.group:
        chosen = [group for group in chosen if group.name in options.group]
    # the largest first, or all would wait for it at the end; side by side what shares programs
    chosen.sort(key=lambda group: (-group.order, group.dim))

    started = time.monotonic()
    device = jax.devices()[0]
    print(f"device: {device.platform} ({device.device_kind}), jax {jax.__version__}")
    print(
        "integers must leave no error at all; then Gaussian data, the largest relative error over"
    )
    print("all elements\n")
    line = "{:<6} {:<31} {:>9} {:>9} {:>9} {:>9}  {}"
    print(line.format("group", "layer", "int f32", "int bf16", "float32", "float64", "verdict"))
    laws, outcomes = [], []
    workers = options.workers if device.platform == "cpu" else 1  # one process holds a GPU
    certified = _certified(chosen, workers, brief=options.all)
    for group, (report, found) in zip(chosen, certified, strict=True):
        laws.append(report)
        outcomes += found
        print(line.format(group.name, "laws and actions", *[""] * 4, _verdict(report.holds)))
        for outcome in found:
            errors = [
                f"{outcome.reports[kind].error:.1e}" if kind in outcome.reports else ""
                for kind in KINDS
            ]
            word = _verdict(outcome.passed)
            if outcome.control:
                word = f"{'rejected' if outcome.passed else 'NOT REJECTED'} (control)"
            print(line.format(group.name, outcome.case, *errors, word), flush=True)
    failures = sum(not r.holds for r in laws) + sum(not o.passed for o in outcomes)
    seconds = time.monotonic() - started
    print(f"\n{len(laws) + len(outcomes)} checks, {failures} failed, {seconds:.0f} s")
    if options.json:
        packages = ("gcnn", "jax", "flax", "numpy")
        _write(options.json, {
            "device": f"{device.platform}: {device.device_kind}",
            "versions": {name: importlib.metadata.version(name) for name in packages},
            "seconds": seconds,
            "failures": failures,
            "laws": [report.to_dict() for report in laws],
            "layers": [outcome.to_dict() for outcome in outcomes],
        })  # fmt: skip
    return 1 if failures else 0


def _certified(chosen: list[Any], workers: int, brief: bool) -> Iterator[Any]:
    """What `selfcheck.certify` finds for each group, in their order."""
    from . import selfcheck

    alike = [list(part) for _, part in itertools.groupby(chosen, lambda g: (g.order, g.dim))]
    workers = min(workers, len(alike))
    if workers < 2:
        with ThreadPoolExecutor() as threads:  # most of the time goes to compilation
            yield from (selfcheck.certify(group, threads.map, brief=brief) for group in chosen)
        return
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        certify_each = functools.partial(selfcheck.certify_each, brief=brief)
        yield from itertools.chain.from_iterable(pool.map(certify_each, alike))


def _verdict(holds: bool) -> str:
    return "holds" if holds else "FAILS"


def _write(path: Path, value: dict[str, Any]) -> None:
    """Write JSON beside `path`, then rename: nobody sees half a file."""
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(json.dumps(value, indent=2) + "\n")
    os.replace(partial, path)


if __name__ == "__main__":
    sys.exit(main())
