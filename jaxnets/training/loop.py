"""The compiled loop: many steps, a record of every n-th, one XLA program.

The number of steps is data, not part of the program, so one compilation serves any number of
them, and a call that asks for none compiles and returns at once. What a step is, for one network
or for thousands in lockstep, is the caller's.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from jaxnets.training.batching import Batching

__all__ = ["Chunk", "Schedule", "Steps", "run_steps"]


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
        ends = [jnp.asarray(stop, jnp.int32), _next_multiple(at, self.record_every)]
        if self.evaluate_every:
            ends.append(_next_multiple(at, self.evaluate_every))
        if self.batching.shuffled:
            per_epoch = self.batching.per_epoch
            ends.append(at // per_epoch * per_epoch + self.batching.full)
        return jnp.stack(ends).min()


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
    def empty(cls, capacity: int, row: dict[str, Any]) -> "Table":
        """A table for rows of these shapes and dtypes."""
        columns = {
            name: jnp.zeros((capacity, *shape.shape), shape.dtype) for name, shape in row.items()
        }
        return cls(columns, jnp.zeros((), jnp.int32))

    def add(self, row: dict[str, Any], *, keep: Any = True) -> "Table":
        """The table with one more row; a row that is not kept is written over by the next."""
        columns = {name: self.columns[name].at[self.rows].set(row[name]) for name in self.columns}
        return Table(columns, self.rows + keep)


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
    epoch = state.step // batching.per_epoch
    order = steps.draw(state, epoch) if batching.shuffled else jnp.zeros(0, jnp.int32)
    metrics = jax.eval_shape(steps.advance, state, order)[2]
    records = evaluations = Table.empty(schedule.capacity, metrics)
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
        (Chunk(state, true, true, best, records, evaluations), order, epoch),
    )
    return chunk


def _train_block(schedule: Schedule, steps: Steps, chunk: Chunk, order: Any, stop: Any) -> Chunk:
    """Makes the steps of one block and records its first."""
    at = chunk.state.step

    def full_batches() -> Any:
        if schedule.record_every == 1:
            return steps.advance(chunk.state, order)
        return _advance_to(steps, chunk.state, order, schedule.block_end(at, stop))

    if schedule.batching.rest:
        position = at % schedule.batching.per_epoch
        state, finite, metrics = lax.cond(
            position == schedule.batching.full,
            lambda: steps.advance(chunk.state, order, rest=True),
            full_batches,
        )
    else:
        state, finite, metrics = full_batches()
    # A block that a record is not due for is written over by the next one.
    records = chunk.records.add(metrics, keep=finite & (at % schedule.record_every == 0))
    return chunk._replace(state=state, finite=finite, going=finite, records=records)


def _advance_to(steps: Steps, state: Any, order: Any, end: Any) -> Any:
    """Full batches up to ``end``, with the metrics of the first."""
    at = state.step

    def body(carry: Any) -> Any:
        state, _, kept = carry
        new, finite, metrics = steps.advance(state, order)
        is_first = state.step == at
        kept = jax.tree.map(lambda value, old: jnp.where(is_first, value, old), metrics, kept)
        return new, finite, kept

    shapes = jax.eval_shape(steps.advance, state, order)[2]
    nothing = jax.tree.map(lambda shape: jnp.zeros(shape.shape, shape.dtype), shapes)
    start = (state, jnp.array(True), nothing)
    return lax.while_loop(lambda carry: carry[1] & (carry[0].step < end), body, start)


def _evaluated(schedule: Schedule, steps: Steps, chunk: Chunk) -> Chunk:
    """Evaluates the model if that is due now."""
    evaluate = steps.evaluate
    if evaluate is None:
        return chunk
    step = chunk.state.step

    def evaluated() -> Chunk:
        row, best, going = evaluate(chunk.state, chunk.best)
        return chunk._replace(best=best, going=going, evaluations=chunk.evaluations.add(row))

    due = chunk.finite & (step % schedule.evaluate_every == 0)
    chunk = lax.cond(due, evaluated, lambda: chunk)
    return chunk


def _next_multiple(at: jax.Array, every: int) -> jax.Array:
    return (at // every + 1) * every
