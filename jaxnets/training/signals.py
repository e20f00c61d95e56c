"""Signals that ask a run to end: noted at once, answered when the host looks in next."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

__all__ = ["Asked", "listening"]


class Asked:
    """What a run was asked for.

    Attributes:
      signal: The number of the signal, or None.
    """

    signal: int | None = None


@contextmanager
def listening(*, for_termination: bool) -> Iterator[Asked]:
    """Note Ctrl-C, and a request to terminate where a checkpoint can be saved.

    A handler is set in the main thread only, and for Ctrl-C only in place of Python's own. It
    answers one signal; a second one meets the handler that was there before.
    """
    asked = Asked()
    before: dict[int, Any] = {}

    def note(number: int, frame: FrameType | None) -> None:
        asked.signal = number
        signal.signal(number, before[number])

    if threading.current_thread() is threading.main_thread():
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            before[signal.SIGINT] = signal.signal(signal.SIGINT, note)
        if for_termination and signal.getsignal(signal.SIGTERM) is not None:
            before[signal.SIGTERM] = signal.signal(signal.SIGTERM, note)
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
