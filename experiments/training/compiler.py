"""How XLA is to compile what a run computes."""

import jax


def options() -> dict[str, str] | None:
    """Options for `jax.jit`; they hold for one program, not for the process.

    On a CPU, convolutions are left to Eigen: YNNPACK, to which the newest XLA hands them, takes
    longer, and for the gradient of a kernel two to four times as long. `python -m
    benchmarks.compiler` measures what that is for a training step.
    """
    if jax.default_backend() != "cpu":
        return None
    # what YNNPACK still gets: matrix products and sums, in which it is the faster one
    types = ["LIBRARY_FUSION_TYPE_INDIVIDUAL_DOT"]
    if jax.__version_info__ >= (0, 11):  # sums of several seeds at once crash the process in 0.10
        types.append("LIBRARY_FUSION_TYPE_REDUCE")
    return {"xla_cpu_experimental_ynn_fusion_type": ",".join(types)}
