"""What the import of gcnn adds to that of flax.nnx, in fresh interpreters.

The command prints the median and the range:

    python -m benchmarks.import_time
"""

import statistics
import subprocess
import sys

_TIMED = """
import time
from flax import nnx
started = time.perf_counter()
from gcnn import actions, groups, kernels, models, nn, representations, verify
print(time.perf_counter() - started)
"""


def measure(repetitions: int = 7) -> list[float]:
    """Seconds to import all rooms of gcnn once flax.nnx is there, for each interpreter."""
    command = [sys.executable, "-c", _TIMED]
    runs = (
        subprocess.run(command, capture_output=True, text=True, check=True)
        for _ in range(repetitions)
    )
    return [float(done.stdout) for done in runs]


if __name__ == "__main__":
    seconds = measure()
    print(
        f"gcnn adds {statistics.median(seconds):.3f} s to the import of flax.nnx "
        f"(median of {len(seconds)}, {min(seconds):.3f} to {max(seconds):.3f})"
    )
