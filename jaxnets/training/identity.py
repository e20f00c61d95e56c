"""The identity of a run: all that must be equal for a checkpoint to be gone on from."""

import os
import platform
import re
import weakref
import zlib
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend import core

from jaxnets.errors import describe, fail
from jaxnets.files.checkpoint import MACHINE, PROGRAM
from jaxnets.paths import described, named_leaves
from jaxnets.training.objective import loss_of
from jaxnets.training.progress import Progress
from jaxnets.training.run import Run

__all__ = ["as_array", "fingerprint", "identify"]

MOST_SHOWN = 8
"""Numbers of a key or a hyperparameter that an error lists."""

KNOWN: dict[int, tuple["weakref.ref[jax.Array]", str]] = {}
"""Checksums of arrays on the device, which do not change, until they are let go of; by `id`."""


def identify(run: Run, start: Progress) -> dict[str, str]:
    """All that must be equal for a run to be the same run, as texts by path."""
    if len(named_leaves(start)) < len(jax.tree.leaves(start)):
        rule = "be of a model whose parameters have a path each"
        remedy = "Use names without a slash."
        fail("checkpoint", rule, "two parameters at one path", remedy)
    program, position = run.program, start.positions[0]
    schedule, state, stop = program.schedule, position.state, program.stop
    args = (position, run.blocks[0].values, run.data, run.validation, 0)
    return {
        **described({"params": state.params, "opt_state": state.opt_state}),
        **_examples(run),
        **_drawn_from(run),
        "batch_size": str(schedule.batching.size),
        "steps in an epoch": str(schedule.batching.per_epoch),
        "record_every": str(schedule.record_every),
        "evaluated every": str(schedule.evaluate_every),
        "watched": "nothing" if stop is None else f"{stop.mode} of {stop.metric}",
        "records": ", ".join(start.history),
        "evaluations": ", ".join(start.validation),
        # Some optimizers keep their hyperparameters in their state, where no program shows them.
        PROGRAM: fingerprint(jax.make_jaxpr(program.advance)(*args), state.opt_state),
        MACHINE: _machine(),
    }


def _examples(run: Run) -> dict[str, str]:
    """What the run learns from and what it is evaluated on."""
    compared = loss_of(run.plan.trial.loss) is not None
    examples = named_leaves(
        {"data": _parts(run.data, compared), "validation": _parts(run.validation, compared)}
    )
    return {name: f"{describe(leaf)} {_checksum_once(leaf)}" for name, leaf in examples.items()}


def _drawn_from(run: Run) -> dict[str, str]:
    """What the networks begin with: keys, hyperparameters, and parameters or states."""
    given = [(one.key, one.params, one.values, one.start) for one in run.blocks]
    keys, params, values, begun = zip(*given, strict=True)
    drawn_from = {
        "keys" if run.many else "key": keys,
        "going on from": begun,
        **{f"hyperparameters/{name}": [one[name] for one in values] for name in values[0]},
    }
    started = {} if params[0] is None else jax.tree.map(_checksum, *params)
    return {
        **{name: _values(*jax.tree.leaves(leaf)) for name, leaf in drawn_from.items()},
        **named_leaves({"start": started}),
    }


def _machine() -> str:
    """The processor, its cores and the versions, on which the last bits depend."""
    device = jax.devices()[0]
    return (
        f"{platform.machine()} {device.device_kind} x {os.cpu_count()}, jax {jax.__version__}, "
        f"numpy {np.__version__}"
    )


def _parts(data: Any, compared: bool) -> Any:
    """Inputs, targets and weights by name; other data as they are."""
    known = isinstance(data, tuple) and (compared or len(data) == 2)
    return dict(zip(("x", "y", "weights"), data, strict=False)) if known else data


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
        value = _crc32(leaf, value)
    return f"crc32 {value:08x}"


def _checksum_once(array: jax.Array) -> str:
    """The checksum of data: a second run on them need not read them again."""
    owner, known = KNOWN.get(id(array), (None, ""))
    if owner is None or owner() is not array:
        known, number = _checksum(array), id(array)
        KNOWN[number] = weakref.ref(array, lambda _: KNOWN.pop(number, None)), known
    return known


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
        value = _crc32(constant, value)
    return f"crc32 {value:08x}"


def _crc32(array: Any, value: int = 0) -> int:
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
