"""Between a run and its user: what looks in on it, and results that errors carry."""

import contextlib
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from jaxnets.errors import (
    ArgumentTypeError,
    check_callable,
    check_choice,
    check_flag,
    describe,
    require,
)
from jaxnets.files.checkpoint import Checkpoint
from jaxnets.training.evaluation import Stop
from jaxnets.training.failures import TrainingInterrupted
from jaxnets.training.history import History
from jaxnets.training.host import Ended, Looks, run_on_host
from jaxnets.training.results import Fit, Look, Sweep
from jaxnets.training.run import Progress, Run

__all__ = ["Outlook", "drive"]

R = TypeVar("R", Fit, Sweep)


class Outlook(NamedTuple):
    """The arguments of a run that say what looks in on it, as they were given."""

    stop: Stop | None
    checkpoint: Checkpoint | None
    watch: Callable[[Look], Any] | None
    progress: bool
    on_interrupt: str

    def check(self) -> None:
        """Raise unless each has its type."""
        check_flag("progress", self.progress)
        check_choice("on_interrupt", self.on_interrupt, ("raise", "return"))
        good = self.checkpoint is None or isinstance(self.checkpoint, Checkpoint)
        rule, remedy = "be a Checkpoint", 'Pass jn.Checkpoint("runs/first").'
        require(
            good, "checkpoint", rule, describe(self.checkpoint), remedy, error=ArgumentTypeError
        )
        if self.watch is not None:
            check_callable("watch", self.watch, "Pass a function watch(look) -> bool.")


def drive(
    function: str,
    run: Run,
    outlook: Outlook,
    result: Callable[[Progress, str, dict[str, float]], R],
) -> tuple[R, Ended]:
    """Run to the end, looked in on as asked.

    Args:
      function: The public function that runs it, for warnings.
      run: The run.
      outlook: What looks in.
      result: ``result(progress, status, seconds)``, what the user gets.

    Raises:
      TrainingInterrupted: If Ctrl-C ended the run and an error is wanted.
      Exception: What looked in may raise anything, which then carries the result so far.
    """
    ended = run_on_host(function, run, _looks(outlook, run, result))
    found = result(ended.progress, ended.status, ended.seconds)
    if ended.error is not None:
        with contextlib.suppress(AttributeError):
            ended.error.result = found  # type: ignore[attr-defined]
        ended.error.add_note("error.result holds the run up to there")
        raise ended.error
    if ended.status == "interrupted" and outlook.on_interrupt == "raise":
        raise TrainingInterrupted(found)
    return found, ended


def _looks(
    outlook: Outlook, run: Run, result: Callable[[Progress, str, dict[str, float]], R]
) -> Looks:
    """What the host has to know of an outlook."""
    watch, seconds = outlook.watch, None if outlook.stop is None else outlook.stop.seconds
    if watch is None:
        return Looks(seconds, outlook.checkpoint, None, outlook.progress)

    def watched(before: Progress, now: Progress, elapsed: float) -> bool:
        found = result(now, "", {})
        history = _since(found.history, len(before.history["step"]))
        validation = _since(found.validation, len(before.validation.get("step", ())))
        look = Look(now.step, run.end, elapsed, history, validation, found.params)
        return bool(watch(look))

    return Looks(seconds, outlook.checkpoint, watched, outlook.progress)


def _since(history: History, rows: int) -> History:
    """The records after the first ``rows``."""
    return History({name: column[..., rows:] for name, column in history.items()})
