"""Ctrl-C that lets a run end in order."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def interruptible() -> Iterator[list[int]]:
    """Note Ctrl-C and SIGTERM in the list that is given, in place of acting on them.

    A second one acts at once: it raises KeyboardInterrupt.
    """
    noted: list[int] = []

    def note(signum: int, _: object) -> None:
        noted.append(signum)
        signal.signal(signum, signal.default_int_handler)

    before = {s: signal.signal(s, note) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield noted
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)
