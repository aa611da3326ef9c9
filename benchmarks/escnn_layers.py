"""escnn's convolution under p4m beside PyTorch's of equal width, for another interpreter to run.

    python -m benchmarks.convolution --escnn escnn-env/bin/python

starts this file with that interpreter, which needs PyTorch and escnn and nothing of ours:
`benchmarks.convolution` says how to set it up. The argument is JSON, and so is what is printed.

escnn expands its filters from a basis in every call of a layer in training mode, and keeps them in
evaluation mode: that is "frozen". Arrays are as both libraries take them, channels first.
"""

import functools
import json
import sys
from collections.abc import Callable
from typing import Any

import escnn
import torch

from .interleaved import interleaved


def measure(case: dict[str, Any], repetitions: int, budget: float) -> dict[str, Any]:
    """Times and ratios of one layer, forward, and forward and backward."""
    space = escnn.gspaces.flipRot2dOnR2(N=4)
    fields = escnn.nn.FieldType(space, case["fields"] * [space.regular_repr])
    size, padding = case["kernel"], case["kernel"] // 2
    torch.manual_seed(0)
    x = torch.randn(case["batch"], fields.size, case["side"], case["side"])
    cotangent = torch.randn_like(x)
    layer = escnn.nn.R2Conv(fields, fields, kernel_size=size, padding=padding)
    kept = escnn.nn.R2Conv(fields, fields, kernel_size=size, padding=padding).eval()
    plain = torch.nn.Conv2d(fields.size, fields.size, size, padding=padding)
    layers: dict[str, tuple[torch.nn.Module, Callable[[torch.Tensor], torch.Tensor]]] = {
        "plain": (plain, plain),
        "escnn": (layer, lambda x: layer(escnn.nn.GeometricTensor(x, fields)).tensor),
        "frozen": (kept, lambda x: kept(escnn.nn.GeometricTensor(x, fields)).tensor),
    }

    def forward(apply: Callable[[torch.Tensor], torch.Tensor]) -> None:
        with torch.no_grad():
            apply(x)

    def training(module: torch.nn.Module, apply: Callable[[torch.Tensor], torch.Tensor]) -> None:
        leaf = x.clone().requires_grad_()
        torch.autograd.grad(apply(leaf), [leaf, *module.parameters()], cotangent)

    runs = {
        "forward": {k: functools.partial(forward, apply) for k, (_, apply) in layers.items()},
        "training": {
            k: functools.partial(training, *pair) for k, pair in layers.items() if k != "frozen"
        },
    }
    found: dict[str, Any] = {**case, "channels": fields.size}
    for mode, each in runs.items():
        times = interleaved(each, repetitions, budget=budget)
        found[mode] = {
            name: {
                "ms": times.milliseconds(name).to_list(),
                "ratio": times.ratio("plain", name).to_list(),
            }
            for name in each
        }
    return found


if __name__ == "__main__":
    asked = json.loads(sys.argv[1])
    found = [measure(case, asked["repetitions"], asked["budget"]) for case in asked["cases"]]
    versions = {"torch": torch.__version__, "escnn": escnn.__version__}
    print(json.dumps({"versions": versions, "threads": torch.get_num_threads(), "cases": found}))
