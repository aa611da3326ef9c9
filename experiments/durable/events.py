"""The metrics of a run for TensorBoard: `tensorboard --logdir runs` shows all runs side by side."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tensorboardX.event_file_writer import EventsWriter
from tensorboardX.proto.event_pb2 import Event
from tensorboardX.proto.summary_pb2 import Summary

from .records import unwritten

_AXES = ("step", "epoch")


class Events:
    """The lines of metrics.jsonl once more, as TensorBoard's events.

    The lines are the source. When a run goes on, its events are written anew from the lines that
    it kept, so that nothing is doubled that lay behind its checkpoint. TensorBoard's relative time
    is that of training: the pauses between the parts of a run do not count.
    """

    def __init__(self, folder: Path, rows: Sequence[dict[str, Any]]):
        """Write the events of `rows` to `folder`, in place of those that are there.

        Raises:
          OSError: they cannot be written.
        """
        self.folder = folder
        self.seconds, self.began = 0.0, time.time() - sum(row["seconds"] for row in rows)
        try:
            for path in folder.glob("events.out.tfevents.*"):
                path.unlink()
            # The writer of files alone: the usual one has a thread, and hangs on a full disk.
            self.writer = EventsWriter(str(folder / "events"))
        except OSError as error:
            raise unwritten(folder / "events", error) from error
        self._write(rows)

    def append(self, row: dict[str, Any]) -> None:
        """Write all numbers of one line of metrics, at its step.

        Raises:
          OSError: they cannot be written.
        """
        self._write([row])

    def close(self) -> None:
        """Close the file."""
        self.writer.close()

    def _write(self, rows: Sequence[dict[str, Any]]) -> None:
        try:
            for row in rows:
                self.seconds += row["seconds"]
                numbers = [Summary.Value(tag=name, simple_value=value)
                           for name, value in row.items() if name not in _AXES]  # fmt: skip
                at, summary = self.began + self.seconds, Summary(value=numbers)
                self.writer.write_event(Event(wall_time=at, step=row["step"], summary=summary))
            self.writer.flush()
        except OSError as error:
            raise unwritten(self.folder / "events", error) from error
