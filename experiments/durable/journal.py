"""What a run writes while it trains: each line of metrics, and the same for TensorBoard."""

from pathlib import Path
from typing import Any

from .events import Events
from .records import Metrics


class Journal:
    """The measurements of one run, in metrics.jsonl and in events."""

    def __init__(self, folder: Path, step: int):
        """Open those in `folder`, and forget what lies behind `step`, where the run goes on."""
        self.metrics = Metrics(folder / "metrics.jsonl", step)
        self.events = Events(folder, self.metrics.rows)

    @property
    def rows(self) -> list[dict[str, Any]]:
        """All lines so far."""
        return self.metrics.rows

    def append(self, **row: Any) -> None:
        """Write one line.

        Raises:
          OSError: it cannot be written.
        """
        self.metrics.append(**row)
        self.events.append(row)

    def close(self) -> None:
        """Close the files."""
        self.events.close()
