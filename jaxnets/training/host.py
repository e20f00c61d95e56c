"""The work of the host between the chunks of a run: collect, save, show, look in and stop."""

import contextlib
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

import jax
import numpy as np

from jaxnets.checks import check_callable, check_choice, check_flag
from jaxnets.errors import ArgumentTypeError, describe, fail
from jaxnets.files.checkpoint import Checkpoint
from jaxnets.model import Params
from jaxnets.training.arguments import fail_traced
from jaxnets.training.columns import Columns
from jaxnets.training.evaluation import Stop
from jaxnets.training.history import History
from jaxnets.training.identity import identify
from jaxnets.training.listening import Interrupted, Listener
from jaxnets.training.pace import Pace
from jaxnets.training.progress import Progress
from jaxnets.training.results import Fit, Sweep
from jaxnets.training.run import Run
from jaxnets.training.saving import Saver, open_saver

__all__ = ["UNSCORED", "Ended", "Host", "Look", "Outlook"]

CHUNK_SECONDS = 0.25
"""About how long a chunk takes: a quarter of the second in which a signal is to be answered."""

SHOWN_SECONDS = 0.1
"""The same where there is a bar to move or a time to keep."""

BLOCK_SECONDS = 0.005
"""The least time for a block of members, so that its start does not cost more than its steps."""

UNSCORED = ("", "interrupted")
"""The statuses without an evaluation of the parameters: in passing, and in haste."""

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

    def listener(self) -> Listener:
        """What hears signals for the run; a request to terminate where a checkpoint can answer."""
        return Listener(self.on_interrupt, for_termination=self.checkpoint is not None)


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
      listener: What hears signals.
      result: ``result(progress, status, seconds)``, what the user gets; with status ``""`` what
        who watches may see of it.
    """

    run: Run
    outlook: Outlook
    listener: Listener
    result: Callable[[Progress, str, dict[str, float]], R]

    def drive(self, function: str) -> tuple[R, Ended]:
        """Run to the end; ``function`` is the public one that runs it, for warnings.

        Raises:
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
        self.listener.result = found
        return found, ended

    def _run(self, function: str) -> tuple[Ended, dict[str, float]]:
        """Compile and run; return how that ended and its wall time by part."""
        started = compiled = time.perf_counter()
        progress = self.run.start()
        with contextlib.ExitStack() as stack:
            saver, checkpoint = None, self.outlook.checkpoint
            try:
                if checkpoint is not None:
                    # Opened first: another run's is refused before anything large is compiled.
                    saver = stack.enter_context(self._open_saver(function, checkpoint, progress))
                    progress = saver.resumed()
                if self.listener.signal is None:
                    # Waited for: an error that is raised while JAX compiles may crash the process.
                    self.run.compile(progress)
                compiled = time.perf_counter()
                ended = self._run_chunks(progress, saver)
            except Interrupted as raised:
                if not self.listener.raised(raised):
                    raise
                ended = Ended(progress, "interrupted", None)
            if saver is not None:
                try:
                    saver.save(ended.progress)
                except OSError as error:
                    ended = ended._replace(error=ended.error or error)
        self.listener.hand_on()
        return ended, {"compile": compiled - started, "run": time.perf_counter() - compiled}

    def _open_saver(
        self, function: str, checkpoint: Checkpoint, start: Progress
    ) -> contextlib.AbstractContextManager[Saver]:
        """What saves the run; the folder is not left open by a signal."""
        with self.listener.at_once():
            identity = identify(self.run, start)
        return open_saver(function, checkpoint, identity, start, self.run.end)

    def _run_chunks(self, progress: Progress, saver: Saver | None) -> Ended:
        """Run chunk after chunk until the steps are made or something ends the run."""
        run, began, pace = self.run, time.perf_counter(), self._pace(progress)
        looked_at = self.outlook.watch is not None or run.validation is not None
        with self._bar(progress) as bar:
            while not (status := self._status(progress, began)):
                before, error = progress, None
                try:
                    progress = self._advance(before, pace, saver)
                    if saver is not None:
                        saver.save_if_due(progress)
                    if self.outlook.progress:
                        _move(bar, progress.step - before.step, progress)
                    enough = looked_at and self._look(before, progress, began)
                except TRACED:
                    raise
                except BaseException as raised:  # a run is worth more than what went wrong beside
                    enough = True
                    error = None if self.listener.raised(raised) else raised
                if enough:
                    return Ended(progress, self._status(progress, began) or "watch", error)
        return Ended(progress, status, None)

    def _bar(self, progress: Progress) -> contextlib.AbstractContextManager[Any]:
        if not self.outlook.progress:
            return contextlib.nullcontext()
        from tqdm import tqdm  # here, because most runs show none

        first = self.run.first
        steps, made = self.run.end - first, progress.step - first
        bar: contextlib.AbstractContextManager[Any] = tqdm(total=steps, initial=made, unit="step")
        return bar

    def _advance(self, progress: Progress, pace: Pace, saver: Saver | None) -> Progress:
        """The run after one chunk more."""
        started = time.perf_counter()
        end = min(progress.step + pace.steps(progress.step), self.run.end)
        if saver is not None:
            end = saver.cut(progress, end)
        # Blocks that wait for a thread need not begin; a single one is waited for, and kept.
        many = len(self.run.blocks) > 1
        with self.listener.at_once() if many else contextlib.nullcontext():
            after = self.run.advance(progress, end)
        pace.made(after.step - progress.step, time.perf_counter() - started)
        return after

    def _status(self, progress: Progress, began: float) -> str:
        """The reason why the run has ended; empty if it has not."""
        if reason := self.run.ended(progress):
            return reason
        if progress.step >= self.run.end:
            return "completed"
        if self.listener.signal is not None:
            return "interrupted"
        limit = None if self.outlook.stop is None else self.outlook.stop.seconds
        over = limit is not None and time.perf_counter() - began >= limit
        return "seconds" if over else ""

    def _pace(self, start: Progress) -> Pace:
        """How long the chunks are to be."""
        schedule, blocks, stop = self.run.program.schedule, len(self.run.blocks), self.outlook.stop
        shown = self.outlook.progress or (stop is not None and stop.seconds is not None)
        parameters = sum(leaf.size for leaf in jax.tree.leaves(start.positions[0].state[0]))
        return Pace(
            max(SHOWN_SECONDS if shown else CHUNK_SECONDS, BLOCK_SECONDS * blocks),
            work=parameters * blocks * max(1, schedule.batching.size),
            evaluate_every=schedule.evaluate_every,
            longest=schedule.longest_chunk,
        )

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
        with self.listener.at_once():
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


def _move(bar: Any, steps: int, progress: Progress) -> None:
    losses = progress.history["loss"][-1:]
    if len(finite := losses[np.isfinite(losses)]):
        bar.set_postfix(loss=f"{np.median(finite):.6g}", refresh=False)
    bar.update(steps)
