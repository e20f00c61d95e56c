"""What the host does between the chunks of a run: collect, save, show and stop."""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
from tqdm import tqdm

from jaxnets.training.checkpoint import PROGRAM, Checkpoint
from jaxnets.training.fingerprint import fingerprint
from jaxnets.training.loop import Chunk, Schedule, Table
from jaxnets.training.resume import Columns, Progress, Saver, open_saver
from jaxnets.training.shapes import fail_traced

__all__ = ["Ended", "Failure", "Run", "run_on_host"]

FIRST_LOOK = 1000
"""Steps before the host looks in first, at most, as it does not know yet how long they take."""

LOOKS_PER_SECOND = 10
"""How often the host looks in, about, when there is something to show, to save or to stop."""


class Run(NamedTuple):
    """A run that is checked and ready: of one network, or of many in lockstep.

    Attributes:
      function: The public function that runs it, for errors.
      schedule: When things happen.
      start: ``start() -> (state, best)``, before the first step.
      advance: ``advance(state, best, stop) -> Chunk``, compiled.
      ended: ``ended(progress)`` says why the run ends before its last step; empty if it goes on.
      identity: What must be equal for a checkpoint to be of this run.
      steps: Updates to make.
      seconds: Wall time after which the run ends, or None.
      checkpoint: Where to save, or None.
      progress: Whether to draw a bar.
    """

    function: str
    schedule: Schedule
    start: Callable[[], tuple[Any, Any]]
    advance: Callable[[Any, Any, Any], Chunk]
    ended: Callable[[Progress], str]
    identity: Callable[[Progress], dict[str, str]]
    steps: int
    seconds: float | None
    checkpoint: Checkpoint | None
    progress: bool


class Failure(NamedTuple):
    """A step that was not finite.

    Attributes:
      before: The state one step before the last finite one, or None where that is not at hand.
      after: The state after the step.
    """

    before: Any
    after: Any


class Ended(NamedTuple):
    """A run that has ended.

    Attributes:
      progress: How far it came: the last finite state and everything recorded.
      status: ``"completed"``, ``"diverged"``, ``"seconds"`` or what ``ended`` said.
      seconds: Wall time by part: ``"compile"`` and ``"run"``.
      failure: The step that was not finite, if there was one.
    """

    progress: Progress
    status: str
    seconds: dict[str, float]
    failure: Failure | None


def run_on_host(run: Run) -> Ended:
    """Runs chunk after chunk until the steps are made or something ends the run."""
    try:
        return _run(run)
    except (jax.errors.ConcretizationTypeError, jax.errors.TracerArrayConversionError):
        # A value that the model, the loss or the optimizer closes over is being traced.
        fail_traced(run.function, "what its functions close over", "a traced array")


def _run(run: Run) -> Ended:
    started = time.perf_counter()
    start = _start(run)
    # Opened first: a checkpoint of another run is refused before anything large is compiled.
    with open_saver(run.function, run.checkpoint, lambda: _identity(run, start), start) as saver:
        progress = saver.resumed(run.steps)
        jax.block_until_ready(run.advance(progress.state, progress.best, 0))
        compiled = time.perf_counter()
        progress, failure, status = _run_chunks(run, progress, saver, compiled)
        saver.save(progress)
    seconds = {"compile": compiled - started, "run": time.perf_counter() - compiled}
    return Ended(progress, status, seconds, failure)


def _run_chunks(
    run: Run, progress: Progress, saver: Saver, began: float
) -> tuple[Progress, Failure | None, str]:
    """Runs to the end; returns how far it came, the step that failed and the status."""
    schedule = run.schedule
    looks_in = run.progress or run.checkpoint is not None or run.seconds is not None
    size = min(schedule.record_every, FIRST_LOOK) if looks_in else schedule.longest_chunk
    earlier = failure = None
    at = int(progress.state.step)
    with tqdm(total=run.steps, initial=at, disable=not run.progress, unit="step") as bar:
        while not (status := _status(run, progress, failure, time.perf_counter() - began)):
            started = time.perf_counter()
            stop = min(at + size, run.steps, saver.next_save(at))
            (progress, failure), earlier = _run_chunk(run, progress, stop, earlier), progress
            made, at = int(progress.state.step) - at, int(progress.state.step)
            pace = made / (time.perf_counter() - started)
            saver.save_if_due(progress)
            if looks_in:
                _move(bar, made, progress)
                size = _chunk_size(pace / LOOKS_PER_SECOND, schedule)
    return progress, failure, status


def _run_chunk(
    run: Run, progress: Progress, stop: int, earlier: Progress | None
) -> tuple[Progress, Failure | None]:
    """One chunk, up to the first step that is not finite if there is one.

    ``earlier`` is how far the run had come one chunk before, if there was one.
    """

    def advance(stop: int, start: Progress = progress) -> Chunk:
        return run.advance(start.state, start.best, stop)

    chunk = advance(stop)
    if chunk.finite:
        return _after(run.schedule, progress, chunk), None
    # Steps are made again to find the last finite state: that costs a run that fails a few
    # reruns of a chunk, where looking at every parameter at every step would slow them all.
    bad = int(chunk.state.step)
    start = low = int(progress.state.step)
    high = bad
    while high - low > 1:
        # The step before is the likely one; after that, halves.
        middle = high - 1 if high >= bad - 1 else (low + high) // 2
        low, high = (middle, high) if advance(middle).finite else (low, middle)
    before = None
    if low > start:
        before = advance(low - 1).state
    elif earlier is not None:
        before = advance(low - 1, earlier).state
    return _after(run.schedule, progress, advance(low)), Failure(before, advance(high).state)


def _status(run: Run, progress: Progress, failure: Any, elapsed: float) -> str:
    """Why the run has ended, or an empty text if it has not."""
    if failure is not None:
        return "diverged"
    if reason := run.ended(progress):
        return reason
    if int(progress.state.step) >= run.steps:
        return "completed"
    if run.seconds is not None and elapsed >= run.seconds:
        return "seconds"
    return ""


def _start(run: Run) -> Progress:
    """A run before its first step; the names of its columns are found by tracing alone."""
    state, best = run.start()
    shapes = jax.eval_shape(run.advance, state, best, 0)
    validation = _no_rows(shapes.evaluations) if run.schedule.evaluate_every else {}
    return Progress(state, best, _no_rows(shapes.records), validation)


def _identity(run: Run, start: Progress) -> dict[str, str]:
    """What must be equal for a checkpoint to be of this run, and what should be: the program."""
    program = jax.make_jaxpr(run.advance)(start.state, start.best, 0)
    # Some optimizers keep their hyperparameters in their state, where no program shows them.
    return {**run.identity(start), PROGRAM: fingerprint(program, start.state.opt_state)}


def _no_rows(table: Table) -> Columns:
    """The columns of a table of shapes, without a row."""
    shapes = {
        name: np.zeros((0, *leaf.shape[1:]), leaf.dtype) for name, leaf in table.columns.items()
    }
    return {"step": np.zeros(0, np.int64), "epoch": np.zeros(0, np.int64), **shapes}


def _after(schedule: Schedule, before: Progress, chunk: Chunk) -> Progress:
    """How far the run has come with one more chunk."""
    start, end = int(before.state.step), int(chunk.state.step)
    # A record is made before its step's update, an evaluation after it.
    records = _rows(chunk.records, start, end, schedule.record_every, schedule)
    evaluations: Columns = {}
    if schedule.evaluate_every:
        every = schedule.evaluate_every
        evaluations = _rows(chunk.evaluations, start + 1, end + 1, every, schedule)
    return Progress(
        chunk.state,
        chunk.best,
        _extended(before.history, records),
        _extended(before.validation, evaluations),
    )


def _rows(table: Table, start: int, end: int, every: int, schedule: Schedule) -> Columns:
    """The filled rows of a table on the host, with the steps from start to end they belong to."""
    steps = np.arange(-(-start // every) * every, end, every, dtype=np.int64)
    filled = {name: np.asarray(column)[: len(steps)] for name, column in table.columns.items()}
    return {"step": steps, "epoch": steps // schedule.batching.per_epoch, **filled}


def _extended(columns: Columns, rows: Columns) -> Columns:
    return {name: np.concatenate([column, rows[name]]) for name, column in columns.items()}


def _move(bar: tqdm, steps: int, progress: Progress) -> None:
    losses = progress.history["loss"][-1:]
    if len(finite := losses[np.isfinite(losses)]):
        bar.set_postfix(loss=f"{np.median(finite):.6g}", refresh=False)
    bar.update(steps)


def _chunk_size(steps: float, schedule: Schedule) -> int:
    """About so many steps, in whole blocks of a record if there are any, within a chunk."""
    every = schedule.record_every
    size = round(steps / every) * every or max(1, round(steps))
    return min(size, schedule.longest_chunk)
