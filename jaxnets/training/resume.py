"""What a run leaves in its checkpoints, and how it is taken up again."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets.checks import describe, fail
from jaxnets.training.checkpoint import Checkpoint, CheckpointStore
from jaxnets.training.fingerprint import as_array, checksum
from jaxnets.training.loop import MOST_STEPS, Schedule
from jaxnets.training.paths import described, named_leaves
from jaxnets.training.task import Task

__all__ = ["Columns", "Progress", "Saver", "open_saver", "run_identity"]

MOST_SHOWN = 8
"""Numbers of a key or a hyperparameter that an error lists."""

Columns = dict[str, np.ndarray]
"""Columns of a history by name."""


class Progress(NamedTuple):
    """How far a run has come; what a checkpoint holds.

    Attributes:
      state: The last finite state, with ``params``, ``opt_state`` and ``step``.
      best: What the evaluations carry from one to the next, or None if they are not watched.
      history: The records.
      validation: The evaluations.
    """

    state: Any
    best: Any
    history: Columns
    validation: Columns


class Saver:
    """Saves a run when that is due; one without a store does nothing."""

    def __init__(
        self,
        store: CheckpointStore | None,
        checkpoint: Checkpoint | None,
        identity: dict[str, str],
        start: Progress,
        function: str = "fit",
    ) -> None:
        self._function = function
        self._store = store
        self._every_steps = checkpoint and checkpoint.every_steps
        self._every_seconds = checkpoint and checkpoint.every_seconds
        self._identity = identity
        self._start = start
        self._leaves = named_leaves(start)
        self._saved_step = -1
        self._saved_at = time.monotonic()

    def resumed(self, steps: int) -> Progress:
        """Where the newest checkpoint of this run stands, or the start if there is none."""
        saved = self._store.latest(self._identity) if self._store is not None else None
        if saved is None:
            return self._start
        if saved.step > steps:
            fail(
                self._function,
                "checkpoint",
                f"be of a run that has made at most the {steps} steps asked for",
                f"one after {saved.step}",
                f"Pass steps={saved.step} or more, or another directory.",
            )
        self._saved_step = saved.step
        leaves = [_like(leaf, saved.arrays[name]) for name, leaf in self._leaves.items()]
        progress: Progress = jax.tree.unflatten(jax.tree.structure(self._start), leaves)
        return progress

    def next_save(self, at: int) -> int:
        """The next step at which a save is due for its number."""
        if not self._every_steps:
            return MOST_STEPS
        return (at // self._every_steps + 1) * self._every_steps

    def save_if_due(self, progress: Progress) -> None:
        """Saves if the step or the time says so."""
        step_due = self._every_steps and int(progress.state.step) % self._every_steps == 0
        seconds = self._every_seconds
        if step_due or (seconds and time.monotonic() - self._saved_at >= seconds):
            self.save(progress)

    def save(self, progress: Progress) -> None:
        """Saves, unless this very step is saved already."""
        step = int(progress.state.step)
        if self._store is None or step == self._saved_step:
            return
        arrays = {name: as_array(leaf) for name, leaf in named_leaves(progress).items()}
        self._store.save(step, arrays, self._identity)
        self._saved_step, self._saved_at = step, time.monotonic()


@contextmanager
def open_saver(
    function: str,
    checkpoint: Checkpoint | None,
    identity: Callable[[], dict[str, str]],
    start: Progress,
) -> Iterator[Saver]:
    """A `Saver` for a run.

    Args:
      function: The public function that runs it, for errors.
      checkpoint: Where to save, or None.
      identity: What must be equal for a run to be the same run, as `run_identity` makes it.
      start: The run before its first step.
    """
    if checkpoint is None:
        yield Saver(None, None, {}, start)
        return
    if len(named_leaves(start)) < len(jax.tree.leaves(start)):
        rule = "be of a model whose parameters have a path each"
        remedy = "Use names without a slash."
        fail(function, "checkpoint", rule, "two parameters at one path", remedy)
    with CheckpointStore(checkpoint, function=function) as store:
        yield Saver(store, checkpoint, identity(), start, function)


def run_identity(
    schedule: Schedule, task: Task, start: Progress, drawn_from: dict[str, Any]
) -> dict[str, str]:
    """What must be equal for a run to be the same run, as texts by path.

    Args:
      schedule: When things happen in it.
      task: What it learns from, and what is watched to end it early.
      start: The run before its first step.
      drawn_from: The key, the hyperparameters and the parameters given to start from, by name.
    """
    examples = {"data": _pair(task.data)}
    if task.validation is not None:
        examples["validation"] = _pair(task.validation)
    stop = task.evaluation.stop if task.evaluation is not None else None
    numbers = named_leaves(examples)
    return {
        **described({"params": start.state.params, "opt_state": start.state.opt_state}),
        **{name: f"{describe(leaf)} {_checksum(leaf)}" for name, leaf in numbers.items()},
        **{name: _values(leaf) for name, leaf in named_leaves(drawn_from).items()},
        "batch_size": str(schedule.batching.size),
        "steps in an epoch": str(schedule.batching.per_epoch),
        "record_every": str(schedule.record_every),
        "evaluated every": str(schedule.evaluate_every),
        "watched": "nothing" if stop is None else f"{stop.mode} of {stop.metric}",
        "records": ", ".join(start.history),
        "evaluations": ", ".join(start.validation),
    }


def _pair(data: Any) -> dict[str, Any]:
    return {"x": data[0], "y": data[1]}


def _values(leaf: Any) -> str:
    """The numbers themselves where they are few."""
    array = as_array(leaf)
    few = array.size <= MOST_SHOWN
    return ",".join(map(str, array.ravel().tolist())) if few else _checksum(array)


def _checksum(leaf: Any) -> str:
    """Tells arrays of equal shapes apart."""
    return f"crc32 {checksum(leaf):08x}"


def _like(leaf: Any, array: np.ndarray) -> Any:
    """The saved numbers as what ``leaf`` is: a PRNG key, a device array or NumPy's."""
    if isinstance(leaf, np.ndarray):
        return array
    if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        return jax.random.wrap_key_data(jnp.asarray(array), impl=jax.random.key_impl(leaf))
    return jnp.asarray(array, leaf.dtype)
