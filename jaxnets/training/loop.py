"""The compiled loop: many steps, a record of every n-th, one XLA program.

The number of steps is data, not part of the program, so one compilation serves any number of
them, and a call that asks for none compiles and returns at once. What a step is, for one network
or for thousands in lockstep, is the caller's.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from jaxnets.training.batching import Batching

__all__ = ["MOST_STEPS", "Chunk", "Schedule", "Steps", "make_schedule", "run_steps"]

MOST_STEPS = 2**30
"""Steps of a run, at most: their number is an int32, and so is the end of the block after it."""

MOST_ROWS = 4096
"""Rows of a table held on the device before the host collects them, at most."""

HELD_BYTES = 2**26
"""Bytes of a table, at most, unless one row alone has more."""

RECORD_BYTES = 16
"""Bytes of a record: a loss and a norm."""

PAGE = 32
"""Consecutive records that a block collects before they go to the table. XLA compiles a loop over
so few bytes into one native call on a CPU, several times as fast as a loop over a large table."""


class Schedule(NamedTuple):
    """When things happen in a run; fixed when it is compiled.

    Attributes:
      batching: How an epoch is dealt out.
      record_every: Steps between records.
      evaluate_every: Steps between evaluations, 0 for none.
      capacity: Records, and evaluations, that one chunk can hold.
    """

    batching: Batching
    record_every: int
    evaluate_every: int
    capacity: int

    @property
    def longest_chunk(self) -> int:
        """Steps whose records are sure to fit one chunk."""
        return self.capacity * min(self.record_every, self.evaluate_every or self.record_every)

    def block_end(self, at: jax.Array, stop: Any) -> jax.Array:
        """Where a block of full batches that starts at ``at`` has to end."""
        every = self.record_every
        ends = [jnp.asarray(stop, jnp.int32), at + PAGE if every == 1 else _next(at, every)]
        if self.evaluate_every:
            ends.append(_next(at, self.evaluate_every))
        if self.batching.shuffled:
            per_epoch = self.batching.per_epoch
            ends.append(at // per_epoch * per_epoch + self.batching.full)
        return jnp.stack(ends).min()


def make_schedule(
    batching: Batching, record_every: int, evaluate_every: int, row: Any, *, members: int = 1
) -> Schedule:
    """A `Schedule` whose tables hold many rows where they are small, and few large ones.

    Args:
      batching: How an epoch is dealt out.
      record_every: Steps between records; any number beyond the longest run does as well.
      evaluate_every: Steps between evaluations, 0 for none.
      row: The shapes of what one evaluation of one network gives; a record is small.
      members: How many networks are trained in lockstep.
    """
    size = sum(math.prod(leaf.shape) * leaf.dtype.itemsize for leaf in jax.tree.leaves(row))
    capacity = max(1, min(MOST_ROWS, HELD_BYTES // (members * max(size, RECORD_BYTES))))
    return Schedule(
        batching, min(record_every, MOST_STEPS), min(evaluate_every, MOST_STEPS), capacity
    )


class Steps(NamedTuple):
    """What the steps of a run are; the caller's part of the program.

    Attributes:
      advance: ``advance(state, order, rest=False) -> (state, finite, metrics)``, one step with a
        full batch, or with the smaller one that ends an epoch.
      draw: ``draw(state, epoch) -> order``, the order of the examples in an epoch.
      evaluate: ``evaluate(state, best) -> (row, best, going)`` judges the model between two
        steps, or None.
    """

    advance: Callable[..., tuple[Any, jax.Array, dict[str, jax.Array]]]
    draw: Callable[[Any, Any], Any]
    evaluate: Callable[[Any, Any], tuple[dict[str, jax.Array], Any, jax.Array]] | None = None


class Table(NamedTuple):
    """Rows written one after the other.

    Attributes:
      columns: Arrays of ``[capacity, ...]`` by name.
      rows: How many rows are filled.
    """

    columns: dict[str, jax.Array]
    rows: jax.Array

    @classmethod
    def empty(cls, rows: int, row: dict[str, Any]) -> "Table":
        """A table of so many rows of these shapes and dtypes."""
        return cls(_zeros(rows, row), jnp.zeros((), jnp.int32))

    def add(self, page: dict[str, Any], count: Any) -> "Table":
        """The table with ``count`` rows of a page more; the rest is written over by the next."""
        columns = {
            name: lax.dynamic_update_slice_in_dim(column, page[name], self.rows, axis=0)
            for name, column in self.columns.items()
        }
        return Table(columns, self.rows + jnp.asarray(count, jnp.int32))


class Chunk(NamedTuple):
    """What a number of steps returns.

    Attributes:
      state: The state after the last step made; its ``step`` counts the updates.
      finite: Whether every step was finite; one that was not is the last one made.
      going: Whether the run may go on: it was finite and no evaluation ended it.
      best: What the evaluations carry from one to the next.
      records: The recorded steps.
      evaluations: What the evaluations gave.
    """

    state: Any
    finite: jax.Array
    going: jax.Array
    best: Any
    records: Table
    evaluations: Table


def run_steps(schedule: Schedule, steps: Steps, state: Any, best: Any, stop: Any) -> Chunk:
    """Steps from ``state.step`` to ``stop``, or until something ends the run.

    Steps are made in blocks, which end where a record, an evaluation or an epoch is due. A block
    records its first step; the steps in between only update.

    Args:
      schedule: When things happen.
      steps: What happens.
      state: Anything with a ``step``, the number of updates made so far.
      best: What ``evaluate`` starts from.
      stop: The step to stop before.
    """
    batching = schedule.batching
    shape = jax.ShapeDtypeStruct((0,), jnp.int32)
    if batching.shuffled:
        shape = jax.eval_shape(steps.draw, state, 0)
    # No epoch has the number -1, so the first block draws.
    order, order_epoch = jnp.zeros(shape.shape, shape.dtype), jnp.array(-1, jnp.int32)
    metrics = jax.eval_shape(steps.advance, state, order)[2]
    # One page more than the capacity, for a page is written whole however little it holds.
    records = Table.empty(schedule.capacity + PAGE, metrics)
    evaluations = Table.empty(0, metrics)
    if steps.evaluate is not None:
        row = jax.eval_shape(steps.evaluate, state, best)[0]
        evaluations = Table.empty(schedule.capacity, row)
    true = jnp.array(True)

    def block(carry: tuple[Chunk, Any, Any]) -> tuple[Chunk, Any, Any]:
        chunk, order, order_epoch = carry
        epoch = chunk.state.step // batching.per_epoch
        if batching.shuffled:
            order = lax.cond(
                order_epoch == epoch, lambda: order, lambda: steps.draw(chunk.state, epoch)
            )
        chunk = _train_block(schedule, steps, chunk, order, stop)
        return _evaluated(schedule, steps, chunk), order, epoch

    chunk, _, _ = lax.while_loop(
        lambda carry: carry[0].going & (carry[0].state.step < stop),
        block,
        (Chunk(state, true, true, best, records, evaluations), order, order_epoch),
    )
    return chunk


def _train_block(schedule: Schedule, steps: Steps, chunk: Chunk, order: Any, stop: Any) -> Chunk:
    """Makes the steps of one block and records what is due of them."""
    at = chunk.state.step
    every = schedule.record_every
    length = PAGE if every == 1 else 1
    empty = _zeros(length, jax.eval_shape(steps.advance, chunk.state, order)[2])

    def full_batches() -> Any:
        return _advance_to(steps, chunk.state, order, schedule.block_end(at, stop), empty)

    def last_batch() -> Any:
        state, finite, metrics = steps.advance(chunk.state, order, rest=True)
        return state, finite, _put(empty, 0, metrics)

    if schedule.batching.rest:
        is_last = at % schedule.batching.per_epoch == schedule.batching.full
        state, finite, page = lax.cond(is_last, last_batch, full_batches)
    else:
        state, finite, page = full_batches()
    count = state.step - at if every == 1 else at % every == 0
    records = chunk.records.add(page, count)
    return chunk._replace(state=state, finite=finite, going=finite, records=records)


def _advance_to(steps: Steps, state: Any, order: Any, end: Any, page: Any) -> Any:
    """Full batches up to ``end``, with the metrics of as many of the first as the page holds."""
    at = state.step
    length = len(jax.tree.leaves(page)[0])

    def body(carry: Any) -> Any:
        state, _, page = carry
        new, finite, metrics = steps.advance(state, order)
        row = state.step - at
        if length > 1:
            return new, finite, _put(page, row, metrics)
        first = jax.tree.map(
            lambda kept, value: jnp.where(row == 0, value[None], kept), page, metrics
        )
        return new, finite, first

    start = (state, jnp.array(True), page)
    return lax.while_loop(lambda carry: carry[1] & (carry[0].step < end), body, start)


def _put(page: dict[str, Any], row: Any, metrics: dict[str, Any]) -> dict[str, Any]:
    return {name: column.at[row].set(metrics[name]) for name, column in page.items()}


def _zeros(length: int, row: dict[str, Any]) -> dict[str, Any]:
    """A page of so many rows of these shapes and dtypes."""
    return {name: jnp.zeros((length, *leaf.shape), leaf.dtype) for name, leaf in row.items()}


def _evaluated(schedule: Schedule, steps: Steps, chunk: Chunk) -> Chunk:
    """Evaluates the model if that is due now."""
    evaluate = steps.evaluate
    if evaluate is None:
        return chunk
    step = chunk.state.step

    def evaluated() -> Chunk:
        row, best, going = evaluate(chunk.state, chunk.best)
        page = {name: value[None] for name, value in row.items()}
        evaluations = chunk.evaluations.add(page, 1)
        return chunk._replace(best=best, going=going, evaluations=evaluations)

    due = chunk.finite & (step % schedule.evaluate_every == 0)
    chunk = lax.cond(due, evaluated, lambda: chunk)
    return chunk


def _next(at: jax.Array, every: int) -> jax.Array:
    return (at // every + 1) * every
