"""What the host does between the chunks of a run: collect, save, show and stop."""

import time
from typing import Any, NamedTuple

import jax
import numpy as np
from tqdm import tqdm

from jaxnets.model import Params
from jaxnets.training.checkpoint import Checkpoint
from jaxnets.training.evaluation import Best, Stop, no_best
from jaxnets.training.history import History
from jaxnets.training.loop import Chunk, Schedule, Table
from jaxnets.training.program import Program, initial_state, run_chunk
from jaxnets.training.resume import Columns, Progress, Saver, open_saver
from jaxnets.training.step import TrainState

__all__ = ["Ended", "Run", "run_on_host"]

LOOKS_PER_SECOND = 10
"""How often the host looks in, about, when there is something to show, to save or to stop."""


class Run(NamedTuple):
    """A run that is checked and ready.

    Attributes:
      program: What is compiled.
      key: The run's key.
      data: Inputs and targets.
      validation: The same to evaluate on, or None.
      params: Parameters to start from, or None to draw them.
      steps: Updates to make.
      stop: When the run may end early, or None.
      checkpoint: Where to save, or None.
      progress: Whether to draw a bar.
    """

    program: Program
    key: Any
    data: Any
    validation: Any
    params: Params | None
    steps: int
    stop: Stop | None
    checkpoint: Checkpoint | None
    progress: bool

    @property
    def keeps_best(self) -> bool:
        """Whether the parameters to return are those of the best evaluation."""
        return self.stop is not None and self.stop.patience is not None


class Ended(NamedTuple):
    """A run that has ended.

    Attributes:
      params: The parameters to return.
      state: The last finite state.
      history: The records.
      validation: The evaluations.
      status: As `Fit` states it.
      seconds: Wall time by part.
      failed: The parameters after the step that was not finite, if there was one.
    """

    params: Params
    state: TrainState
    history: History
    validation: History
    status: str
    seconds: dict[str, float]
    failed: Params | None


def run_on_host(run: Run) -> Ended:
    """Runs chunk after chunk until the steps are made or something ends the run."""
    started = time.perf_counter()
    program = run.program
    state = initial_state(program.model, program.optimizer, run.key, run.data[0], run.params)
    best = no_best(state.params) if run.stop is not None and run.stop.watches else None
    start = _start(run, state, best)
    # Opened first: a checkpoint of another run is refused before anything large is compiled.
    with open_saver(run.checkpoint, run.key, run.data, program, start) as saver:
        progress = saver.resumed(run.steps)
        jax.block_until_ready(_advance(run, progress, 0))
        compiled = time.perf_counter()
        progress, failed, status = _run_chunks(run, progress, saver, compiled)
        saver.save(progress)
    params = progress.state.params
    best = progress.best
    if best is not None and run.keeps_best and int(best.step) > 0:
        params = best.params
    return Ended(
        params,
        progress.state,
        History(progress.history),
        History(progress.validation),
        status,
        {"compile": compiled - started, "run": time.perf_counter() - compiled},
        failed,
    )


def _run_chunks(
    run: Run, progress: Progress, saver: Saver, began: float
) -> tuple[Progress, Params | None, str]:
    """Runs to the end; returns how far it came, the failed parameters and the status."""
    schedule = run.program.schedule
    looks_in = run.progress or run.checkpoint is not None or run.stop is not None
    size = schedule.record_every if looks_in else schedule.longest_chunk
    failed = None
    at = int(progress.state.step)
    with tqdm(total=run.steps, initial=at, disable=not run.progress, unit="step") as bar:
        while not (status := _status(run, progress, failed, time.perf_counter() - began)):
            started = time.perf_counter()
            stop = min(at + size, run.steps, saver.next_save(at))
            progress, failed = _run_chunk(run, progress, stop)
            made, at = int(progress.state.step) - at, int(progress.state.step)
            pace = made / (time.perf_counter() - started)
            saver.save_if_due(progress)
            if looks_in:
                _move(bar, made, progress)
                size = _whole_blocks(pace / LOOKS_PER_SECOND, schedule)
    return progress, failed, status


def _run_chunk(run: Run, progress: Progress, stop: int) -> tuple[Progress, Params | None]:
    """One chunk, up to the first step that is not finite if there is one."""
    chunk = _advance(run, progress, stop)
    if chunk.finite:
        return _after(run, progress, chunk), None
    # Steps are made again to find the last finite state: that costs a run that fails a few
    # reruns of a chunk, where looking at every parameter at every step would slow them all.
    bad = int(chunk.state.step)
    low, high = int(progress.state.step), bad
    while high - low > 1:
        # The step before is the likely one; after that, halves.
        middle = high - 1 if high >= bad - 1 else (low + high) // 2
        low, high = (middle, high) if _advance(run, progress, middle).finite else (low, middle)
    last = _advance(run, progress, low)
    return _after(run, progress, last), _advance(run, progress, high).state.params


def _advance(run: Run, progress: Progress, stop: int) -> Chunk:
    chunk: Chunk = run_chunk(
        run.program, progress.state, progress.best, run.data, run.validation, stop
    )
    return chunk


def _status(run: Run, progress: Progress, failed: Any, elapsed: float) -> str:
    """Why the run has ended, or an empty text if it has not."""
    if failed is not None:
        return "diverged"
    stop, best = run.stop, progress.best
    if best is not None and best.reached:
        return "target"
    if best is not None and stop and stop.patience and int(best.since) >= stop.patience:
        return "patience"
    if int(progress.state.step) >= run.steps:
        return "completed"
    if stop is not None and stop.seconds is not None and elapsed >= stop.seconds:
        return "seconds"
    return ""


def _start(run: Run, state: TrainState, best: Best | None) -> Progress:
    """A run before its first step; the names of its columns are found by tracing alone."""
    shapes = run_chunk.eval_shape(run.program, state, best, run.data, run.validation, 0)
    evaluates = run.program.schedule.evaluate_every > 0
    validation = _no_rows(shapes.evaluations) if evaluates else {}
    return Progress(state, best, _no_rows(shapes.records), validation)


def _no_rows(table: Table) -> Columns:
    """The columns of a table of shapes, without a row."""
    shapes = {
        name: np.zeros((0, *leaf.shape[1:]), leaf.dtype) for name, leaf in table.columns.items()
    }
    return {"step": np.zeros(0, np.int64), "epoch": np.zeros(0, np.int64), **shapes}


def _after(run: Run, before: Progress, chunk: Chunk) -> Progress:
    """How far the run has come with one more chunk."""
    schedule = run.program.schedule
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
    if len(progress.history["loss"]):
        bar.set_postfix(loss=f"{progress.history['loss'][-1]:.6g}", refresh=False)
    bar.update(steps)


def _whole_blocks(steps: float, schedule: Schedule) -> int:
    """About so many steps, in whole blocks of a record, within what a chunk can hold."""
    every = schedule.record_every
    return min(max(1, round(steps / every)) * every, schedule.longest_chunk)
