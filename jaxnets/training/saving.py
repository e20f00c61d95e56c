"""The checkpoints of a run: saving it, and taking it up again."""

import os
import platform
import re
import time
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend import core

from jaxnets.errors import describe, fail, require
from jaxnets.files.checkpoint import MACHINE, PROGRAM, Checkpoint, CheckpointStore
from jaxnets.paths import described, named_leaves
from jaxnets.training.run import Progress, Run

__all__ = ["Saver", "identify", "open_saver"]

MOST_SHOWN = 8
"""Numbers of a key or a hyperparameter that an error lists."""


class Saver:
    """Saves a run when that is due."""

    def __init__(
        self,
        store: CheckpointStore,
        checkpoint: Checkpoint,
        identity: dict[str, str],
        start: Progress,
        end: int,
    ) -> None:
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
            warnings.warn(f"{error} The run goes on.", stacklevel=2)

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
        yield Saver(store, checkpoint, identity, start, end)


def _saved_part(progress: Progress) -> Progress:
    """A progress without the orders of the epochs, which are drawn again."""
    none: Any = ()
    positions = (position._replace(order=none, epoch=none) for position in progress.positions)
    return progress._replace(positions=tuple(positions))


def identify(run: Run, start: Progress) -> dict[str, str]:
    """All that must be equal for a run to be the same run, as texts by path."""
    if len(named_leaves(start)) < len(jax.tree.leaves(start)):
        rule = "be of a model whose parameters have a path each"
        remedy = "Use names without a slash."
        fail("checkpoint", rule, "two parameters at one path", remedy)
    program, block = run.program, run.blocks[0]
    schedule, position = program.schedule, start.positions[0]
    stop = program.stop
    examples = {"data": _pair(run.data), "validation": _pair(run.validation)}
    given = [(one.key, one.params, one.values, one.start) for one in run.blocks]
    keys, params, values, begun = zip(*given, strict=True)
    drawn_from = {
        "keys" if run.many else "key": keys,
        "going on from": begun,
        **{f"hyperparameters/{name}": [one[name] for one in values] for name in values[0]},
    }
    started = {} if params[0] is None else jax.tree.map(_checksum, *params)
    traced = jax.make_jaxpr(program.advance)(position, block.values, run.data, run.validation, 0)
    return {
        **described({"params": position.state.params, "opt_state": position.state.opt_state}),
        **{
            name: f"{describe(leaf)} {_checksum(leaf)}"
            for name, leaf in named_leaves(examples).items()
        },
        **{name: _values(*jax.tree.leaves(leaf)) for name, leaf in drawn_from.items()},
        **named_leaves({"start": started}),
        "batch_size": str(schedule.batching.size),
        "steps in an epoch": str(schedule.batching.per_epoch),
        "record_every": str(schedule.record_every),
        "evaluated every": str(schedule.evaluate_every),
        "watched": "nothing" if stop is None else f"{stop.mode} of {stop.metric}",
        "records": ", ".join(start.history),
        "evaluations": ", ".join(start.validation),
        # Some optimizers keep their hyperparameters in their state, where no program shows them.
        PROGRAM: fingerprint(traced, position.state.opt_state),
        MACHINE: machine(),
    }


def machine() -> str:
    """The processor, its cores and the versions, on which the last bits depend."""
    device = jax.devices()[0]
    return (
        f"{platform.machine()} {device.device_kind} x {os.cpu_count()}, jax {jax.__version__}, "
        f"numpy {np.__version__}"
    )


def _pair(data: Any) -> Any:
    return {"x": data[0], "y": data[1]} if isinstance(data, tuple) and len(data) == 2 else data


def _values(*leaves: Any) -> str:
    """The numbers themselves where they are few."""
    arrays = [as_array(leaf) for leaf in leaves]
    if not arrays:
        return "nothing"
    if sum(array.size for array in arrays) <= MOST_SHOWN:
        return ",".join(str(number) for array in arrays for number in array.ravel())
    return _checksum(*arrays)


def _checksum(*leaves: Any) -> str:
    """Tells arrays of equal shapes apart."""
    value = 0
    for leaf in leaves:
        value = checksum(leaf, value)
    return f"crc32 {value:08x}"


def _like(leaf: Any, array: np.ndarray) -> Any:
    """The saved numbers as what ``leaf`` is: a PRNG key, a device array, NumPy's or a number."""
    if isinstance(leaf, int):
        return int(array)
    if isinstance(leaf, np.ndarray):
        return array
    if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        return jax.random.wrap_key_data(jnp.asarray(array), impl=jax.random.key_impl(leaf))
    return jnp.asarray(array, leaf.dtype)


def fingerprint(program: core.ClosedJaxpr, numbers: Any = ()) -> str:
    """The same text for programs that compute the same, constants included.

    What ``program`` itself closes over is left out: those are the arguments of a run.

    Args:
      program: A computation as `jax.make_jaxpr` gives it.
      numbers: A pytree of arrays that count too.

    Example:
      >>> def traced(scale):
      ...     return jax.make_jaxpr(jax.jit(lambda x: x * scale))(1.0)
      >>> one, other = np.array([1.0, 2.0]), np.array([1.0, 3.0])
      >>> fingerprint(traced(one)) == fingerprint(traced(one))
      True
      >>> fingerprint(traced(one)) == fingerprint(traced(other))
      False
    """
    # Functions are printed with the place in memory that they happen to have.
    value = zlib.crc32(re.sub(r" at 0x[0-9a-f]+", "", str(program)).encode())
    for constant in (*_constants(program.jaxpr), *jax.tree.leaves(numbers)):
        value = checksum(constant, value)
    return f"crc32 {value:08x}"


def checksum(array: Any, value: int = 0) -> int:
    """The CRC-32 of the bytes of an array, going on from ``value``."""
    plain = np.ascontiguousarray(as_array(array))
    return zlib.crc32(plain.view(np.uint8).data, value)


def as_array(leaf: Any) -> np.ndarray:
    """The leaf as plain numbers; a PRNG key as the words that make it."""
    is_key = hasattr(leaf, "dtype") and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
    return np.asarray(jax.random.key_data(leaf) if is_key else leaf)


def _constants(jaxpr: core.Jaxpr) -> Iterator[Any]:
    """The constants of all programs within, in the order in which they are called."""
    for equation in jaxpr.eqns:
        yield from (atom.val for atom in equation.invars if isinstance(atom, core.Literal))
        for inner in jax.tree.leaves(list(equation.params.values()), is_leaf=_is_program):
            if isinstance(inner, core.ClosedJaxpr):
                yield from inner.consts
                yield from _constants(inner.jaxpr)
            elif isinstance(inner, core.Jaxpr):
                yield from _constants(inner)


def _is_program(value: Any) -> bool:
    return isinstance(value, core.ClosedJaxpr | core.Jaxpr)
