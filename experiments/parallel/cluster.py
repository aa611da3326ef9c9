"""The processes that train together, on one machine or on several."""

import dataclasses
import os
import sys
import time
from collections.abc import Callable

import jax
import numpy as np
from jax.experimental import multihost_utils


@dataclasses.dataclass(frozen=True)
class Cluster:
    """The processes that train together, each started by the same command but for its number.

    Attributes:
      processes: how many there are; 1 is this process alone.
      process_id: which of them this one is, from 0.
      coordinator: HOST:PORT at which process 0 listens and the others find it.
      distributed: let JAX find these three, where a cluster tells them (SLURM, Open MPI, TPU).
    """

    processes: int = 1
    process_id: int | None = None
    coordinator: str | None = None
    distributed: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot work, before anybody waits for anybody."""
        if self.processes < 1:
            raise ValueError(f"processes must be 1 or more, got {self.processes}.")
        if self.processes == 1:
            return
        if self.distributed:
            raise ValueError(
                f"Either --distributed, which finds out by itself, or --processes "
                f"{self.processes} with --process-id and --coordinator; not both."
            )
        if self.coordinator is None or ":" not in self.coordinator:
            raise ValueError(
                f"{self.processes} processes need --coordinator HOST:PORT, the same for all: an "
                f"address of the machine of process 0, and a free port there; got "
                f"{self.coordinator}."
            )
        if self.process_id is None or not 0 <= self.process_id < self.processes:
            raise ValueError(
                f"Each of {self.processes} processes needs a --process-id of its own, from 0 to "
                f"{self.processes - 1}; got {self.process_id}."
            )

    def join(self) -> None:
        """Meet the other processes, if there are any; JAX then knows the devices of all.

        Raises:
          ValueError: --distributed, and nothing that JAX knows has started this process.
        """
        if self.processes > 1:
            jax.distributed.initialize(self.coordinator, self.processes, self.process_id)
        elif self.distributed:
            try:
                jax.distributed.initialize()
            except (ValueError, RuntimeError) as error:
                raise ValueError(
                    f"--distributed found no cluster that JAX knows ({error}). Describe it with "
                    f"--processes, --process-id and --coordinator."
                ) from error


ALONE = Cluster()


def together(act: Callable[[], object]) -> None:
    """Let process 0 act, the one that writes files; if it fails, all do.

    Raises:
      ValueError, OSError: as `act` does; elsewhere a ValueError that says where to look.
    """
    failure: Exception | None = None
    if jax.process_index() == 0:
        try:
            act()
        except (ValueError, OSError) as error:
            failure = error
    failed = in_any(failure is not None)
    if failure is not None:
        raise failure
    if failed:
        raise ValueError("Process 0 could not go on; it says why.")


def in_any(flag: bool) -> bool:
    """Whether it is so in any process; all must ask.

    Raises:
      jax.errors.JaxRuntimeError: a process was lost.
    """
    if jax.process_count() == 1:
        return flag
    try:
        return bool(np.any(multihost_utils.process_allgather(np.array(flag))))
    except ValueError as error:  # as which some of them come
        raise jax.errors.JaxRuntimeError(str(error)) from error


def leave(status: int) -> int:
    """The exit status of a run that failed; one of several processes exits at once.

    It would otherwise wait for the others, who wait for it in the middle of a sum.
    """
    if jax.process_count() > 1:
        time.sleep(1)  # where all have failed, all come to say so
        sys.stdout.flush()
        os._exit(status)
    return status
