"""Ctrl-C and requests to terminate: noted while a run lasts, and answered where nothing is lost."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType, TracebackType
from typing import Any

from jaxnets.training.failures import TrainingInterrupted
from jaxnets.training.results import Fit, Sweep

__all__ = ["Interrupted", "Listener"]


class Interrupted(KeyboardInterrupt):
    """A signal that ``listener`` answers at once; its run knows what there is to save."""

    def __init__(self, listener: "Listener") -> None:
        self.listener = listener
        super().__init__("interrupted")


class Listener:
    """Hears the signals of a run from its first check to its result, then puts back who listened.

    Signals belong to the main thread: in any other nothing is heard. Ctrl-C is heard where Python
    itself would answer it, and a request to terminate, which a handler of one's own gets
    afterwards, where a checkpoint can be saved. Further signals ask for the same once more.

    Args:
      on_interrupt: What to do at the end with the result of a run that was asked to end:
        ``"raise"`` `TrainingInterrupted` with it, or ``"return"``.
      for_termination: Whether to hear SIGTERM.

    Attributes:
      signal: The number of the signal that was heard, of SIGTERM if it was among them; or None.
      result: The result of the run, once it is there.
    """

    def __init__(self, on_interrupt: str, *, for_termination: bool) -> None:
        self.signal: int | None = None
        self.result: Fit | Sweep | None = None
        self._raises = on_interrupt == "raise"
        self._for_termination = for_termination
        self._at_once = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "Listener":
        if threading.current_thread() is threading.main_thread():
            if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
                self._before[signal.SIGINT] = signal.signal(signal.SIGINT, self._note)
            if self._for_termination and signal.getsignal(signal.SIGTERM) is not None:
                self._before[signal.SIGTERM] = signal.signal(signal.SIGTERM, self._note)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._put_back()
        if self.signal is None:
            return
        self.hand_on()
        ours = error is None or self.raised(error)
        if ours and (self.result is None or self._raises):
            raise TrainingInterrupted(self.result) from None

    @contextlib.contextmanager
    def at_once(self) -> Iterator[None]:
        """Within, a signal is answered at once, by raising `Interrupted`; elsewhere it is noted."""
        try:
            # Set before it is asked: a signal may come between the two.
            self._at_once = True
            if self.signal is not None:
                raise Interrupted(self)
            yield
        finally:
            self._at_once = False

    def raised(self, error: BaseException) -> bool:
        """Whether an error is this listener's own answer, not that of a run around this one."""
        return isinstance(error, Interrupted) and error.listener is self

    def hand_on(self) -> None:
        """End by the signal if it asked the process to terminate, unless a handler prevents it."""
        if self.signal == signal.SIGTERM and self._for_termination:
            self._for_termination = False
            self._put_back()
            signal.raise_signal(signal.SIGTERM)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.signal = signal.SIGTERM if self.signal == signal.SIGTERM else number
        if self._at_once:
            self._at_once = False
            raise Interrupted(self)

    def _put_back(self) -> None:
        while self._before:
            signal.signal(*self._before.popitem())
