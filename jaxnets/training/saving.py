"""The checkpoints of a run: saving it, and taking it up again."""

import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets.errors import require
from jaxnets.files.checkpoint import Checkpoint, CheckpointStore
from jaxnets.paths import named_leaves
from jaxnets.training.identity import as_array
from jaxnets.training.progress import Progress

__all__ = ["Saver", "open_saver"]


class Saver:
    """Saves a run when that is due."""

    def __init__(
        self,
        function: str,
        store: CheckpointStore,
        checkpoint: Checkpoint,
        identity: dict[str, str],
        start: Progress,
        end: int,
    ) -> None:
        self._function = function
        self._store = store
        self._every_steps = checkpoint.every_steps
        self._every_seconds = checkpoint.every_seconds
        self._identity = identity
        self._start = start
        self._end = end
        self._saved_step = -1
        self._saved_at = time.monotonic()

    def resumed(self) -> Progress:
        """The progress in the newest checkpoint of this run, or the start if there is none."""
        saved = self._store.latest(self._identity)
        if saved is None:
            return self._start
        require(
            saved.step <= self._end,
            "checkpoint",
            f"be of a run that has made at most the {self._end} steps asked for",
            f"one after {saved.step}",
            f"Pass steps={saved.step} or more, or another directory.",
        )
        self._saved_step = saved.step
        kept = _saved_part(self._start)
        leaves = [_like(leaf, saved.arrays[name]) for name, leaf in named_leaves(kept).items()]
        progress: Progress = jax.tree.unflatten(jax.tree.structure(kept), leaves)
        positions = tuple(
            position._replace(order=start.order, epoch=start.epoch)
            for position, start in zip(progress.positions, self._start.positions, strict=True)
        )
        return progress._replace(step=saved.step, positions=positions)

    def cut(self, progress: Progress, end: int) -> int:
        """The end of the next chunk, or the step before it at which a save is due."""
        if not self._every_steps:
            return end
        return min(end, (progress.step // self._every_steps + 1) * self._every_steps)

    def save_if_due(self, progress: Progress) -> None:
        """Save if the steps or the seconds since the last save have passed; warn if that fails."""
        waited = time.monotonic() - self._saved_at
        by_steps = self._every_steps and progress.step % self._every_steps == 0
        if not (by_steps or (self._every_seconds and waited >= self._every_seconds)):
            return
        try:
            self.save(progress)
        except OSError as error:
            self._saved_at = time.monotonic()
            text = f"{self._function}: {error} The run goes on."
            warnings.warn(text, stacklevel=2)

    def save(self, progress: Progress) -> None:
        """Save, unless this very step is saved already."""
        if progress.step == self._saved_step:
            return
        kept = named_leaves(_saved_part(progress))
        arrays = {name: as_array(leaf) for name, leaf in kept.items()}
        self._store.save(progress.step, arrays, self._identity)
        self._saved_step, self._saved_at = progress.step, time.monotonic()


@contextmanager
def open_saver(
    function: str, checkpoint: Checkpoint, identity: dict[str, str], start: Progress, end: int
) -> Iterator[Saver]:
    """A `Saver` for a run of this identity, which is before its first step.

    Args:
      function: The public function that runs it, for warnings.
      checkpoint: Where and when to save.
      identity: What `identify` says of the run.
      start: The run before its first step.
      end: The step that it ends before.
    """
    with CheckpointStore(checkpoint, function=function) as store:
        yield Saver(function, store, checkpoint, identity, start, end)


def _saved_part(progress: Progress) -> Progress:
    """A progress without the orders of the epochs, which are drawn again."""
    none: Any = ()
    positions = (position._replace(order=none, epoch=none) for position in progress.positions)
    return progress._replace(positions=tuple(positions))


def _like(leaf: Any, array: np.ndarray) -> Any:
    """The saved numbers as what ``leaf`` is: a PRNG key, a device array, NumPy's or a number."""
    if isinstance(leaf, int):
        return int(array)
    if isinstance(leaf, np.ndarray):
        return array
    if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        return jax.random.wrap_key_data(jnp.asarray(array), impl=jax.random.key_impl(leaf))
    return jnp.asarray(array, leaf.dtype)
