"""The compiled loop: many steps, a record of every n-th, one XLA program.

Words for time, here and wherever a run is spoken of:

- *step*: one batch. *Update*: what the optimizer makes of it; with accumulation there are fewer.
- *epoch*: the steps that see every example once. Its smaller last batch is the *rest*.
- *record*: what is kept of a step, made before its update. *Evaluation*: made between two steps.
- *page*: the steps between two looks of the loop at what is due: a record, an evaluation or the
  end of an epoch.
- *chunk*: the steps that the host asks for at a time.

The number of steps is data, not part of the program, so one compilation serves any number of
them, and a call that asks for none compiles and returns at once. The step, of one network or of
many in lockstep, is the caller's.
"""

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from jaxnets.training.batching import Batching

__all__ = ["MOST_STEPS", "Chunk", "Position", "Schedule", "Steps", "make_schedule", "run_steps"]

MOST_STEPS = 2**30
"""Steps of a run, at most: their number, and the end of the page after it, are an int32."""

MOST_ROWS = 4096
"""Rows of a table held on the device before the host collects them, at most."""

HELD_BYTES = 2**26
"""Bytes of a table, at most, unless one row alone has more."""

RECORD_BYTES = 16
"""Bytes of a record: a loss and a norm."""

PAGE = 32
"""Consecutive records that a page collects before they go to the table. XLA compiles a loop over
so few bytes into one native call on a CPU, several times as fast as a loop over a large table."""


@dataclass(frozen=True)
class Schedule:
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

    @functools.cached_property
    def longest_chunk(self) -> int:
        """Steps whose records are sure to fit one chunk."""
        return self.capacity * min(self.record_every, self.evaluate_every or self.record_every)

    def page_end(self, at: jax.Array, end: Any) -> jax.Array:
        """The end of a page of full batches that starts at ``at``, within a chunk."""
        every = self.record_every
        ends = [jnp.asarray(end, jnp.int32), at + PAGE if every == 1 else _next(at, every)]
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
      row: The shapes of an evaluation of one network; a record is small.
      members: The number of networks that are trained in lockstep.
    """
    size = sum(math.prod(leaf.shape) * leaf.dtype.itemsize for leaf in jax.tree.leaves(row))
    capacity = max(1, min(MOST_ROWS, HELD_BYTES // (members * max(size, RECORD_BYTES))))
    return Schedule(
        batching, min(record_every, MOST_STEPS), min(evaluate_every, MOST_STEPS), capacity
    )


class Position(NamedTuple):
    """The place where a run stands between two chunks.

    Attributes:
      state: The state after the last step made; its ``step`` counts the steps.
      judged: What the evaluations carry from one to the next, or None.
      loss: The loss of the last step made; before the first it says nothing.
      order: The order of the examples in an epoch.
      epoch: The number of that epoch, -1 if there is no order yet.
    """

    state: Any
    judged: Any
    loss: jax.Array
    order: jax.Array
    epoch: jax.Array


class Steps(NamedTuple):
    """The caller's part of the program.

    Attributes:
      advance: ``advance(state, order, rest=False) -> (state, metrics)``, one step with a full
        batch, or with the smaller one that ends an epoch.
      draw: ``draw(state, epoch) -> order``, the order of the examples in an epoch.
      evaluate: ``evaluate(state, judged) -> (row, judged, going)`` judges between two steps, or
        None.
    """

    advance: Callable[..., tuple[Any, dict[str, jax.Array]]]
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
        """A table of this many rows of these shapes and dtypes."""
        return cls(_zeros(rows, row), jnp.zeros((), jnp.int32))

    def add(self, page: dict[str, Any], count: Any) -> "Table":
        """The table with ``count`` rows of a page more; the rest is written over by the next."""
        put = functools.partial(lax.dynamic_update_slice_in_dim, start_index=self.rows, axis=0)
        columns = jax.tree.map(put, self.columns, page)
        return Table(columns, self.rows + jnp.asarray(count, jnp.int32))


class Chunk(NamedTuple):
    """The result of a chunk of steps.

    Attributes:
      position: Where the run stands after it.
      finite: Whether every loss was finite, one per network.
      going: Whether the run may go on: no evaluation ended it.
      records: The recorded steps.
      evaluations: The evaluations.
    """

    position: Position
    finite: jax.Array
    going: jax.Array
    records: Table
    evaluations: Table


def run_steps(schedule: Schedule, steps: Steps, position: Position, end: Any) -> Chunk:
    """Make the steps from where a run stands up to ``end``, or until an evaluation ends it.

    Args:
      schedule: When things happen.
      steps: What happens.
      position: Where the run stands.
      end: The step to stop before.
    """
    state, judged = position.state, position.judged
    metrics = jax.eval_shape(steps.advance, state, position.order)[1]
    # One page more than the capacity: a page is written whole however little it holds.
    records = Table.empty(schedule.capacity + PAGE, metrics)
    evaluations = Table.empty(0, metrics)
    if steps.evaluate is not None:
        row = jax.eval_shape(steps.evaluate, state, judged)[0]
        evaluations = Table.empty(schedule.capacity, row)
    finite = jnp.ones(metrics["loss"].shape, bool)

    def page(chunk: Chunk) -> Chunk:
        if schedule.batching.shuffled:
            chunk = chunk._replace(position=_in_order(schedule, steps, chunk.position))
        return _evaluated(schedule, steps, _train_page(schedule, steps, chunk, end))

    chunk: Chunk = lax.while_loop(
        lambda chunk: chunk.going & (chunk.position.state.step < end),
        page,
        Chunk(position, finite, jnp.array(True), records, evaluations),
    )
    return chunk


def _in_order(schedule: Schedule, steps: Steps, position: Position) -> Position:
    """The position with the order of its epoch, drawn where the epoch is a new one."""
    epoch = position.state.step // schedule.batching.per_epoch
    order = lax.cond(
        position.epoch == epoch,
        lambda: position.order,
        lambda: steps.draw(position.state, epoch),
    )
    return position._replace(order=order, epoch=epoch)


def _train_page(schedule: Schedule, steps: Steps, chunk: Chunk, end: Any) -> Chunk:
    """Make the steps of one page and record what is due of them."""
    (state, _, loss, order, _), every = chunk.position, schedule.record_every
    at = state.step
    empty = _zeros(PAGE if every == 1 else 1, jax.eval_shape(steps.advance, state, order)[1])
    carry = (state, loss, chunk.finite, empty)

    def full_batches() -> Any:
        return _advance_to(steps, order, schedule.page_end(at, end), carry)

    def last_batch() -> Any:
        new, metrics = steps.advance(state, order, rest=True)
        return new, *_noted(metrics, loss, chunk.finite), _put(empty, 0, metrics)

    if schedule.batching.rest:
        is_last = at % schedule.batching.per_epoch == schedule.batching.full
        state, loss, finite, page = lax.cond(is_last, last_batch, full_batches)
    else:
        state, loss, finite, page = full_batches()
    count = state.step - at if every == 1 else at % every == 0
    return chunk._replace(
        position=chunk.position._replace(state=state, loss=loss),
        finite=finite,
        records=chunk.records.add(page, count),
    )


def _advance_to(steps: Steps, order: Any, end: Any, carry: Any) -> Any:
    """Full batches up to ``end``, with the metrics of as many of the first as the page holds."""
    at = carry[0].step

    def body(carry: Any) -> Any:
        state, loss, finite, page = carry
        new, metrics = steps.advance(state, order)
        row = state.step - at
        if len(jax.tree.leaves(page)[0]) > 1:
            page = _put(page, row, metrics)
        else:
            page = jax.tree.map(
                lambda kept, value: jnp.where(row == 0, value[None], kept), page, metrics
            )
        return new, *_noted(metrics, loss, finite), page

    return lax.while_loop(lambda carry: carry[0].step < end, body, carry)


def _noted(metrics: dict[str, Any], loss: Any, finite: Any) -> tuple[Any, Any]:
    """The loss of a step and whether it and all before it were finite."""
    return metrics["loss"].astype(loss.dtype), finite & jnp.isfinite(metrics["loss"])


def _put(page: dict[str, Any], row: Any, metrics: dict[str, Any]) -> dict[str, Any]:
    put = functools.partial(lax.dynamic_update_index_in_dim, index=row, axis=0)
    with_row: dict[str, Any] = jax.tree.map(put, page, metrics)
    return with_row


def _zeros(rows: int, row: dict[str, Any]) -> dict[str, jax.Array]:
    return {name: jnp.zeros((rows, *leaf.shape), leaf.dtype) for name, leaf in row.items()}


def _evaluated(schedule: Schedule, steps: Steps, chunk: Chunk) -> Chunk:
    """The chunk with an evaluation, if one is due."""
    evaluate = steps.evaluate
    if evaluate is None:
        return chunk
    position = chunk.position

    def evaluated() -> Chunk:
        row, judged, going = evaluate(position.state, position.judged)
        evaluations = chunk.evaluations.add(jax.tree.map(lambda value: value[None], row), 1)
        after = position._replace(judged=judged)
        return chunk._replace(position=after, going=going, evaluations=evaluations)

    due = position.state.step % schedule.evaluate_every == 0
    after: Chunk = lax.cond(due, evaluated, lambda: chunk)
    return after


def _next(at: jax.Array, every: int) -> jax.Array:
    return (at // every + 1) * every
