"""How a case is measured: in fresh processes, whose repetitions are taken together."""

import dataclasses
import tempfile
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any, Literal

import jax

from .cases import Case
from .interleaved import Times, interleaved
from .program import Program, forward, programs, text
from .variants import apart, build, in_bfloat16

MODES = ("forward", "training")
_TOLERANCE = 0.05  # of types of few bits, and far below what another function would differ by
_PRODUCTS = {"default": None, "float32": "highest", "bfloat16": None}


@dataclasses.dataclass(frozen=True)
class Effort:
    """How, and how often.

    Attributes:
      precision: of products. "default" is the device's own, in which a GPU rounds the factors of
        float32 to TF32; "float32" rounds none; "bfloat16" has parameters and fields of that type,
        for layers and blocks.
      processes: that measure a case, one after the other. Where its memory comes to lie makes one
        faster than the next, all through its life.
      repetitions: at most, in each of them.
      seconds: after which it begins no further repetition, once it has three, or of several
        processes two.
    """

    precision: Literal["default", "float32", "bfloat16"] = "default"
    processes: int = 1
    repetitions: int = 100
    seconds: float = 1.5


def measure_apart(case: Case, effort: Effort) -> dict[str, Any]:
    """As `measure`, in processes of their own, and pooled.

    One that has measured others is slower: by a third for a plain convolution, and by a half for
    blocks, under the rotations of the cube at 32 fields.
    """
    runs = []
    with tempfile.TemporaryDirectory() as compiled:
        for _ in range(effort.processes):
            with ProcessPoolExecutor(1, get_context("spawn")) as process:
                runs.append(process.submit(_measure_keeping, compiled, case, effort).result())
    return pooled(runs)


def _measure_keeping(compiled: str, case: Case, effort: Effort) -> dict[str, Any]:
    # the first compiles, which takes its time, and the others read what it made
    jax.config.update("jax_compilation_cache_dir", compiled)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    return measure(case, effort)


def measure(case: Case, effort: Effort) -> dict[str, Any]:
    """The seconds of every repetition of every variant of a case, memory, and time to compile.

    Raises:
      ValueError: the variants do not compute the same.
    """
    variants = build(case)
    if effort.precision == "bfloat16":
        variants = {name: in_bfloat16(variant) for name, variant in variants.items()}
    left_to_layer = variants.pop("chosen", None)
    with jax.default_matmul_precision(_PRODUCTS[effort.precision]):
        modes = programs(case, variants)
        given = text(forward(left_to_layer)) if left_to_layer else None
    found: dict[str, Any] = {
        **{k: getattr(case, k) for k in ("kind", "fields", "kernel", "side", "batch", "channels")},
        "group": case.group.name,
        "difference": difference(case, modes),
    }
    if given:
        # the layer chooses where it is traced: the same program is the same choice
        [found["chosen"]] = (k for k, p in modes["forward"].items() if p.text == given)
    for mode, each in modes.items():
        times = interleaved(
            {name: program.run for name, program in each.items()},
            effort.repetitions,
            warm_up=1,
            budget=effort.seconds,
            least=3 if effort.processes == 1 else 2,
        )
        found[mode] = {
            name: {
                "seconds": times.seconds[name],
                "compile_seconds": program.compile_seconds,
                "megabytes": program.megabytes,
            }
            for name, program in each.items()
        }
    return found


def pooled(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """What processes that measured the same case found together: medians over all repetitions.

    A ratio is of two times of one process. The time to compile and the memory are the first one's.
    """
    found = {k: v for k, v in runs[0].items() if k not in MODES}
    if found["difference"] is not None:
        found["difference"] = max(run["difference"] for run in runs)
    for mode in (mode for mode in MODES if mode in runs[0]):
        times = Times({
            name: [second for run in runs for second in run[mode][name]["seconds"]]
            for name in runs[0][mode]
        })  # fmt: skip
        found[mode] = {
            name: {
                "ms": times.milliseconds(name).to_list(),
                "ratio": times.ratio("plain", name).to_list(),
                "repetitions": len(times.seconds[name]),
                "compile_seconds": first["compile_seconds"],
                "megabytes": first["megabytes"],
            }
            for name, first in runs[0][mode].items()
        }
    return found


def difference(case: Case, modes: dict[str, dict[str, Program]]) -> float | None:
    """The largest difference between variants that are one function, in units of the largest value.

    Of the output; of a layer also the gradient by its input.

    Raises:
      ValueError: it is too large for the rounding of any device.
    """
    if case.kind == "training step":  # networks that differ
        return None
    reference = "ours" if case.kind == "inference" else "plain"
    values = {
        name: [program.run()] for name, program in modes["forward"].items()
        if case.kind != "inference" or name != "plain"
    }  # fmt: skip
    if case.kind == "layer":
        for name, program in modes["training"].items():
            y, (_, by_input), _ = program.run()
            values[name] += [y, by_input]
    worst, name = max(
        (apart(a, b), name)
        for name, found in values.items()
        for a, b in zip(found, values[reference], strict=True)
    )
    if not worst <= _TOLERANCE:
        raise ValueError(
            f"{case.name}: {name} differs from {reference} by {worst:.2g} of the largest value, "
            f"so that they do not compute the same, and their times cannot be compared."
        )
    return worst
