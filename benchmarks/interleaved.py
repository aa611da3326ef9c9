"""Several programs timed in turn, so that whatever else the machine does hits all of them alike.

A ratio is taken within each repetition, between neighbours in time, and only then its median: a
machine that is slow for a minute changes both and not their ratio. Nothing but the standard library
is imported, so that other interpreters can time with it, too.
"""

import dataclasses
import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence


@dataclasses.dataclass(frozen=True)
class Spread:
    """The median of some values, and the quartiles around it."""

    low: float
    median: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Of two values or more; quartiles as in `statistics.quantiles`, inside the values."""
        return cls(*statistics.quantiles(values, n=4, method="inclusive"))

    def to_list(self) -> list[float]:
        """[low, median, high]."""
        return [self.low, self.median, self.high]


@dataclasses.dataclass(frozen=True)
class Times:
    """Seconds by name; entry r of each was taken in repetition r.

    Attributes:
      seconds: by name, a value for each repetition.
    """

    seconds: dict[str, list[float]]

    def milliseconds(self, name: str) -> Spread:
        """How long one took."""
        return Spread.of([1e3 * s for s in self.seconds[name]])

    def ratio(self, a: str, b: str) -> Spread:
        """How many times as long a took as b, in the same repetition."""
        return Spread.of([s / t for s, t in zip(self.seconds[a], self.seconds[b], strict=True)])


def interleaved(
    runs: Mapping[str, Callable[[], object]],
    repetitions: int,
    *,
    warm_up: int = 2,
    budget: float = math.inf,
    least: int = 3,
) -> Times:
    """Time each once in every repetition, and turn the order round from one to the next.

    Args:
      runs: what to time, by name; each returns when its work is done, and not before.
      repetitions: that count.
      warm_up: repetitions before those, which do not count.
      budget: seconds after which no further repetition begins, once there are `least`.
      least: repetitions that are made whatever they take.

    Raises:
      ValueError: too few repetitions to have a spread.
    """
    if min(repetitions, least) < 2:
        raise ValueError(
            f"A spread needs 2 repetitions or more; got {repetitions}, and {least} at least."
        )
    names = list(runs)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    begun = time.perf_counter()
    for repetition in range(-warm_up, repetitions):
        if repetition >= least and time.perf_counter() - begun > budget:
            break
        for name in names if repetition % 2 == 0 else reversed(names):
            started = time.perf_counter()
            runs[name]()
            if repetition >= 0:
                seconds[name].append(time.perf_counter() - started)
    return Times(seconds)
