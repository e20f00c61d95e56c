"""The work of the host between the chunks of a run: collect, save, show, look in and stop."""

import contextlib
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import FrameType
from typing import Any, Generic, NamedTuple, TypeVar

import jax
import numpy as np
from tqdm import tqdm

from jaxnets.checks import check_callable, check_choice, check_flag
from jaxnets.errors import ArgumentTypeError, describe, fail
from jaxnets.files.checkpoint import Checkpoint
from jaxnets.model import Params
from jaxnets.training.arguments import fail_traced
from jaxnets.training.columns import Columns
from jaxnets.training.evaluation import Stop
from jaxnets.training.failures import TrainingInterrupted
from jaxnets.training.history import History
from jaxnets.training.results import Fit, Sweep
from jaxnets.training.run import Progress, Run
from jaxnets.training.saving import Saver, open_saver

__all__ = ["Asked", "Ended", "Host", "Look", "Outlook", "listening"]

CHUNK_SECONDS = 0.5
"""About how long a chunk takes, and Ctrl-C may go unanswered."""

SHOWN_SECONDS = 0.1
"""The same where there is a bar to move or a time to keep."""

BLOCK_SECONDS = 0.005
"""The least time for a block of members, so that its start does not cost more than its steps."""

FIRST_WORK = 2**24
"""The most products of examples and parameters in the first chunk, whose pace is unknown."""

MOST_GROWTH = 64
"""The most that a chunk may have in steps, as a multiple of the one before."""

TRACED = (jax.errors.ConcretizationTypeError, jax.errors.TracerArrayConversionError)
"""The errors of JAX where the value of a traced array is asked for."""

R = TypeVar("R", Fit, Sweep)


class Look(NamedTuple):
    """The part of a run since ``watch`` was called last.

    Attributes:
      step: Steps made so far.
      steps: The step that the run ends before.
      seconds: Wall time since it began to run.
      history: The records since the last look.
      validation: The evaluations since the last look.
      params: The parameters that the result would have now.
    """

    step: int
    steps: int
    seconds: float
    history: History
    validation: History
    params: Params


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
        given: Any = self.checkpoint
        if given is not None and not isinstance(given, Checkpoint):
            rule, remedy = "be a Checkpoint", 'Pass jn.Checkpoint("runs/first").'
            fail("checkpoint", rule, describe(given), remedy, error=ArgumentTypeError)
        if self.watch is not None:
            check_callable("watch", self.watch, "Pass a function watch(look) -> bool.")


class Ended(NamedTuple):
    """A run that has ended.

    Attributes:
      progress: How far it came: the last finite state and everything recorded.
      status: ``"completed"``, ``"seconds"``, ``"watch"``, ``"interrupted"``, or what
        `Run.ended` said.
      error: The error on the way, to raise once the result is made, or None.
    """

    progress: Progress
    status: str
    error: BaseException | None


@dataclass(frozen=True)
class Host(Generic[R]):
    """A run with what looks in on it.

    Attributes:
      run: The run.
      outlook: What looks in.
      result: ``result(progress, status, seconds)``, what the user gets.
    """

    run: Run
    outlook: Outlook
    result: Callable[[Progress, str, dict[str, float]], R]

    def drive(self, function: str) -> tuple[R, Ended]:
        """Run to the end; ``function`` is the public one that runs it, for warnings.

        Raises:
          TrainingInterrupted: If Ctrl-C ended the run and an error is wanted.
          BaseException: Of a chunk, or of what looked in, which then carries the result so far.
        """
        self.run.check_steps()
        try:
            ended, seconds = self._run(function)
        except TRACED:
            # A value that the model, the loss or the optimizer closes over is being traced.
            fail_traced("what its functions close over", "a traced array")
        found = self.result(ended.progress, ended.status, seconds)
        if ended.error is not None:
            with contextlib.suppress(AttributeError, TypeError):
                ended.error.result = found  # type: ignore[attr-defined]
            ended.error.add_note("error.result holds the run up to there")
            raise ended.error
        stop = self.outlook.stop
        if stop is not None and self.run.unjudged(ended.progress):
            got = f"got NaN at every evaluation of {stop.metric!r}, which is never better"
            text = f"{function}: stop.metric must be a number; {got}. Mend the metric."
            warnings.warn(text, stacklevel=2)
        if ended.status == "interrupted" and self.outlook.on_interrupt == "raise":
            raise TrainingInterrupted(found)
        return found, ended

    def _run(self, function: str) -> tuple[Ended, dict[str, float]]:
        """Compile and run; return how that ended and its wall time by part."""
        started = time.perf_counter()
        start, checkpoint = self.run.start(), self.outlook.checkpoint
        progress, saver = start, None
        with contextlib.ExitStack() as stack:
            asked = stack.enter_context(listening(for_termination=checkpoint is not None))
            if checkpoint is not None:
                # Opened first: one of another run is refused before anything large is compiled.
                saver = stack.enter_context(open_saver(function, checkpoint, self.run, start))
                progress = saver.resumed()
            self.run.compile(progress)
            compiled = time.perf_counter()
            ended = self._run_chunks(progress, saver, asked)
            if saver is not None:
                try:
                    saver.save(ended.progress)
                except OSError as error:
                    ended = ended._replace(error=ended.error or error)
        if asked.signal == signal.SIGTERM:
            signal.raise_signal(signal.SIGTERM)
        return ended, {"compile": compiled - started, "run": time.perf_counter() - compiled}

    def _run_chunks(self, progress: Progress, saver: Saver | None, asked: "Asked") -> Ended:
        """Run chunk after chunk until the steps are made or something ends the run."""
        run, outlook, began = self.run, self.outlook, time.perf_counter()
        made, spent = 0, 0.0
        error: BaseException | None = None
        looked_at = outlook.watch is not None or run.validation is not None
        with tqdm(
            total=run.end - run.first,
            initial=progress.step - run.first,
            disable=not outlook.progress,
            unit="step",
        ) as bar:
            while not (status := self._status(progress, asked, began)):
                started, before = time.perf_counter(), progress
                end = min(before.step + self._size(before, made, spent), run.end)
                try:
                    progress = run.advance(before, end if saver is None else saver.cut(before, end))
                    made, spent = progress.step - before.step, time.perf_counter() - started
                    if saver is not None:
                        saver.save_if_due(progress)
                    if outlook.progress:
                        _move(bar, made, progress)
                    enough = looked_at and self._look(before, progress, began)
                except TRACED:
                    raise
                except BaseException as raised:  # a run is worth more than what went wrong beside
                    enough, error = True, raised
                if enough:
                    status = self._status(progress, asked, began) or "watch"
                    break
        return Ended(progress, status, error)

    def _status(self, progress: Progress, asked: "Asked", began: float) -> str:
        """The reason why the run has ended; empty if it has not."""
        if reason := self.run.ended(progress):
            return reason
        if progress.step >= self.run.end:
            return "completed"
        if asked.signal is not None:
            return "interrupted"
        limit = None if self.outlook.stop is None else self.outlook.stop.seconds
        over = limit is not None and time.perf_counter() - began >= limit
        return "seconds" if over else ""

    def _size(self, progress: Progress, made: int, spent: float) -> int:
        """Steps of the next chunk, by the pace of the last, or by the work that a step is."""
        schedule, blocks = self.run.program.schedule, len(self.run.blocks)
        if made:
            stop = self.outlook.stop
            shown = self.outlook.progress or (stop is not None and stop.seconds is not None)
            seconds = max(SHOWN_SECONDS if shown else CHUNK_SECONDS, BLOCK_SECONDS * blocks)
            size = min(int(made / spent * seconds), MOST_GROWTH * made)
        else:
            parameters = sum(leaf.size for leaf in jax.tree.leaves(progress.positions[0].state[0]))
            work = parameters * blocks * max(1, schedule.batching.size)
            size = FIRST_WORK // max(1, work)
        return max(1, min(size, schedule.longest_chunk))

    def _look(self, before: Progress, now: Progress, began: float) -> bool:
        """Check the first evaluation, or that of the end; true if who watches ends the run."""
        elapsed = time.perf_counter() - began
        evaluated = [len(progress.validation.get("step", ())) > 0 for progress in (before, now)]
        if not evaluated[0] and (evaluated[1] or now.step >= self.run.end):
            self.run.check_predictions(now)
        if self.outlook.watch is None:
            return False
        found = self.result(now, "", {})
        history = _since(found.history, before.history)
        validation = _since(found.validation, before.validation)
        look = Look(now.step, self.run.end, elapsed, history, validation, found.params)
        answer = self.outlook.watch(look)
        try:
            return bool(answer)
        except (TypeError, ValueError):  # of an array of many
            rule, remedy = "return True or False", "Reduce it with .any()."
            fail("watch", rule, describe(answer), remedy, error=ArgumentTypeError)


def _since(history: History, before: Columns) -> History:
    """The records that were not there before, for whoever watches to keep or to change."""
    rows = len(before.get("step", ()))
    return History({name: column[..., rows:].copy() for name, column in history.items()})


def _move(bar: tqdm, steps: int, progress: Progress) -> None:
    losses = progress.history["loss"][-1:]
    if len(finite := losses[np.isfinite(losses)]):
        bar.set_postfix(loss=f"{np.median(finite):.6g}", refresh=False)
    bar.update(steps)


class Asked:
    """The request of a signal: ``signal`` is its number, or None if there was none."""

    signal: int | None = None


@contextlib.contextmanager
def listening(*, for_termination: bool) -> Iterator[Asked]:
    """Note Ctrl-C, and a request to terminate where a checkpoint can be saved.

    A handler is set in the main thread only, and for Ctrl-C only in place of Python's own. It
    answers one signal; a second one meets the handler that was there before.
    """
    asked, before = Asked(), dict[int, Any]()

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
