"""How long it takes to build a layer, the first time in a process and the second.

Nearly all of the first time is XLA's, to compile the draw of the weights. `nnx.Conv` is as wide as
the `GroupConv` above it. The command prints a table, in a minute:

    python -m benchmarks.build_time
"""

import json
import statistics
import subprocess
import sys

_LAYERS = {
    "GroupConv, p4, 3 x 3, 10 fields": "nn.GroupConv(groups.p4(), 10, 10, 3, rngs=rngs)",
    "nnx.Conv, 3 x 3, 40 channels": "nnx.Conv(40, 40, (3, 3), rngs=rngs)",
    "GroupConv, p4m, 3 x 3, 64 fields": "nn.GroupConv(groups.p4m(), 64, 64, 3, rngs=rngs)",
    "nnx.Conv, 3 x 3, 512 channels": "nnx.Conv(512, 512, (3, 3), rngs=rngs)",
    "GroupConv, p6m, 7 x 7, 64 fields": "nn.GroupConv(groups.p6m(), 64, 64, 7, rngs=rngs)",
    "GroupConv, Oh, 5 x 5 x 5, 16 fields":
        "nn.GroupConv(groups.full_octahedral(), 16, 16, 5, rngs=rngs)",
    "SeparableGroupConv, p4m, 5 x 5, 32 fields":
        "nn.SeparableGroupConv(groups.p4m(), 32, 32, 5, rngs=rngs)",
    "GroupSelfAttention, p4m, 5 x 5, 32 fields":
        "nn.GroupSelfAttention(groups.p4m(), 32, 32, 5, num_heads=4, rngs=rngs)",
    "SteerableConv, O, regular to regular, 3 x 3 x 3":
        "nn.SteerableConv(r.regular(groups.octahedral()), r.regular(groups.octahedral()), 8, 8, 3, "
        "rngs=rngs)",
    "SteerableConv, Oh, regular to vectors, 5 x 5 x 5":
        "nn.SteerableConv(r.regular(groups.full_octahedral()), "
        "r.standard(groups.full_octahedral()), 8, 8, 5, rngs=rngs)",
    "the network P4CNN": "models.P4CNN(rngs=rngs)",
    "the network DigitResNet": "models.DigitResNet(groups.p4(), rngs=rngs)",
}  # fmt: skip
_TIMED = """
import json, time
import jax
from flax import nnx
from gcnn import groups, models, nn, representations as r
rngs, seconds = nnx.Rngs(0), []
rngs.params()  # the device is there
for _ in range(2):
    started = time.perf_counter()
    jax.block_until_ready(nnx.state({layer}))
    seconds.append(time.perf_counter() - started)
print(json.dumps(seconds))
"""


def measure(layer: str, repetitions: int = 3) -> tuple[float, float]:
    """The medians over fresh interpreters of the seconds to build it once, and once more."""
    command = [sys.executable, "-c", _TIMED.format(layer=layer)]
    runs = [
        json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        for _ in range(repetitions)
    ]
    first, second = (statistics.median(seconds) for seconds in zip(*runs, strict=True))
    return first, second


if __name__ == "__main__":
    print(f"{'':48} {'first':>7} {'second':>7}")
    for name, made in _LAYERS.items():
        print("{:48} {:5.2f} s {:5.3f} s".format(name, *measure(made)), flush=True)
