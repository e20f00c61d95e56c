"""What the host does between the chunks of a run: collect, save, show, look in and stop."""

import signal
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
from tqdm import tqdm

from jaxnets.files.checkpoint import Checkpoint
from jaxnets.training.arguments import fail_traced
from jaxnets.training.run import Progress, Run
from jaxnets.training.saving import Saver, open_saver
from jaxnets.training.signals import Asked, listening

__all__ = ["Ended", "Looks", "run_on_host"]

CHUNK_SECONDS = 0.5
"""Length of a chunk, about: so long Ctrl-C goes unanswered."""

SHOWN_SECONDS = 0.1
"""The same where there is a bar to move or a time to keep."""

BLOCK_SECONDS = 0.005
"""Time that a block of members is worked on at least, which costs more than its start does."""

FIRST_WORK = 2**24
"""Products of examples and parameters in the first chunk, whose pace is unknown, at most."""

MOST_GROWTH = 64
"""Steps of a chunk over those of the one before, at most."""


class Looks(NamedTuple):
    """What looks in on a run between its chunks.

    Attributes:
      seconds: Wall time after which the run ends, or None.
      checkpoint: Where to save, or None.
      watch: ``watch(before, now, seconds)``, true to end the run, or None.
      progress: Whether to draw a bar.
    """

    seconds: float | None
    checkpoint: Checkpoint | None
    watch: Callable[[Progress, Progress, float], Any] | None
    progress: bool


class Ended(NamedTuple):
    """A run that has ended.

    Attributes:
      progress: How far it came: the last finite state and everything recorded.
      status: ``"completed"``, ``"seconds"``, ``"watch"``, ``"interrupted"``, or what
        `Run.ended` said.
      seconds: Wall time by part: ``"compile"`` and ``"run"``.
      error: The error of what looked in, to raise once the result is made, or None.
    """

    progress: Progress
    status: str
    seconds: dict[str, float]
    error: Exception | None


def run_on_host(function: str, run: Run, looks: Looks) -> Ended:
    """Run chunk after chunk until the steps are made or something ends the run.

    Args:
      function: The public function that runs it, for warnings.
      run: The run.
      looks: What looks in.
    """
    try:
        return _run(function, run, looks)
    except (jax.errors.ConcretizationTypeError, jax.errors.TracerArrayConversionError):
        # A value that the model, the loss or the optimizer closes over is being traced.
        fail_traced("what its functions close over", "a traced array")


def _run(function: str, run: Run, looks: Looks) -> Ended:
    started = time.perf_counter()
    start = run.start()
    with (
        listening(for_termination=looks.checkpoint is not None) as asked,
        # Opened first: a checkpoint of another run is refused before anything large is compiled.
        open_saver(function, looks.checkpoint, run, start) as saver,
    ):
        progress = saver.resumed()
        run.compile(progress)
        compiled = time.perf_counter()
        ended = _run_chunks(run, looks, progress, saver, asked, compiled)
        ended = _saved(saver, ended)
    if asked.signal == signal.SIGTERM:
        signal.raise_signal(signal.SIGTERM)
    seconds = {"compile": compiled - started, "run": time.perf_counter() - compiled}
    return ended._replace(seconds=seconds)


def _saved(saver: Saver, ended: Ended) -> Ended:
    """The run once its end is saved; if that fails, the error comes with the result."""
    try:
        saver.save(ended.progress)
    except OSError as error:
        return ended._replace(error=ended.error or error)
    return ended


def _run_chunks(
    run: Run, looks: Looks, progress: Progress, saver: Saver, asked: Asked, began: float
) -> Ended:
    size, error = _first_size(run, progress), None
    with tqdm(
        total=run.end - run.first,
        initial=progress.step - run.first,
        disable=not looks.progress,
        unit="step",
    ) as bar:
        while not (status := _status(run, looks, progress, asked, time.perf_counter() - began)):
            started, before = time.perf_counter(), progress
            at = before.step
            progress = run.advance(before, min(at + size, run.end, saver.next_save(at)))
            pace = (progress.step - at) / (time.perf_counter() - started)
            saver.save_if_due(progress)
            if looks.progress:
                _move(bar, progress.step - at, progress)
            if looks.watch is not None:
                try:
                    if looks.watch(before, progress, time.perf_counter() - began):
                        status = "watch"
                except Exception as raised:
                    error, status = raised, "watch"
                if status:
                    break
            size = _next_size(run, looks, pace, progress.step - at)
    return Ended(progress, status, {}, error)


def _status(run: Run, looks: Looks, progress: Progress, asked: Asked, elapsed: float) -> str:
    """Why the run has ended, or an empty text if it has not."""
    if reason := run.ended(progress):
        return reason
    if progress.step >= run.end:
        return "completed"
    if asked.signal is not None:
        return "interrupted"
    if looks.seconds is not None and elapsed >= looks.seconds:
        return "seconds"
    return ""


def _first_size(run: Run, progress: Progress) -> int:
    """Steps of the first chunk, by the work that a step is."""
    networks = progress.diverged_at[0].size * len(run.blocks)
    parameters = sum(leaf.size for leaf in jax.tree.leaves(progress.positions[0].state.params))
    examples = max(1, run.program.schedule.batching.size)
    work = int(max(1, examples * parameters * networks // progress.diverged_at[0].size))
    longest: int = run.program.schedule.longest_chunk
    return max(1, min(FIRST_WORK // work, longest))


def _next_size(run: Run, looks: Looks, pace: float, made: int) -> int:
    """Steps of the next chunk, by the pace of the last."""
    shown = looks.progress or looks.seconds is not None
    seconds = max(SHOWN_SECONDS if shown else CHUNK_SECONDS, BLOCK_SECONDS * len(run.blocks))
    size = min(int(pace * seconds), MOST_GROWTH * max(1, made))
    longest: int = run.program.schedule.longest_chunk
    return max(1, min(int(size), longest))


def _move(bar: tqdm, steps: int, progress: Progress) -> None:
    losses = progress.history["loss"][-1:]
    if len(finite := losses[np.isfinite(losses)]):
        bar.set_postfix(loss=f"{np.median(finite):.6g}", refresh=False)
    bar.update(steps)
