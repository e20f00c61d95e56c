"""A run that is ready: a program with its data, and networks in blocks that threads advance."""

from typing import Any, NamedTuple, NoReturn

import jax
import numpy as np

from jaxnets.errors import fail, require
from jaxnets.model import Params
from jaxnets.training.columns import (
    SHARED,
    Columns,
    added_rows,
    beside,
    joined,
    no_rows,
    table_rows,
)
from jaxnets.training.inputs import example_input
from jaxnets.training.loop import MOST_STEPS, Chunk, Position
from jaxnets.training.plan import Plan
from jaxnets.training.predictions import check_evaluated_predictions, check_first_predictions
from jaxnets.training.program import Program
from jaxnets.training.progress import Block, Progress
from jaxnets.training.threads import in_threads

__all__ = ["Run"]

ENDINGS = ("diverged", "target", "patience")
"""The reasons for which a network ends by itself."""


class Stretch(NamedTuple):
    """A chunk of one block.

    Attributes:
      position: Where the block stands after it.
      diverged_at: As in `Progress`.
      history: The records.
      validation: The evaluations.
    """

    position: Position
    diverged_at: np.ndarray
    history: Columns
    validation: Columns


class Run(NamedTuple):
    """A run that is checked and ready, of one network or of many.

    Attributes:
      plan: What is known of it before its numbers.
      blocks: The networks, in blocks of equal size.
      data: What they learn from, or None.
      validation: What they are evaluated on, or None.
      first: The step it starts at.
      many: Whether its result has an axis of members.
      history: What was recorded by the run that it goes on from.
      evaluated: The evaluations of that run.
    """

    plan: Plan
    blocks: tuple[Block, ...]
    data: Any
    validation: Any
    first: int
    many: bool
    history: Columns
    evaluated: Columns

    @property
    def program(self) -> Program:
        """What is compiled."""
        return self.plan.program

    @property
    def end(self) -> int:
        """The step it ends before."""
        return self.first + self.plan.steps

    def start(self) -> Progress:
        """The run before its first step."""
        x, program = example_input(self.data), self.program
        begin = program.start if self.plan.compiled_start else program.start.__wrapped__
        positions = tuple(
            begin(block.key, block.values, x, block.params)
            if block.start is None
            else program.resume(*block.start)
            for block in self.blocks
        )
        diverged_at = tuple(
            np.full(block.key.shape, block.diverged_at, np.int32) for block in self.blocks
        )
        members = sum(block.key.size for block in self.blocks) if self.many else None
        history, evaluated = (
            no_rows(table, program.members, members) for table in self.plan.tables
        )
        if not program.schedule.evaluate_every:
            evaluated = {}
        for before, none in ((self.history, history), (self.evaluated, evaluated)):
            if before and before.keys() != none.keys():
                _fail_recorded(before, none)
        return Progress(
            self.first, positions, diverged_at, self.history or history, self.evaluated or evaluated
        )

    def compile(self, progress: Progress) -> None:
        """Compile the program, by a chunk of no steps, once its first predictions are right."""
        position, block = progress.positions[0], self.blocks[0]
        check_first_predictions(self.program, self.plan.trial, position, block.values, self.data)
        self._advance(position, block, 0)

    def _advance(self, position: Position, block: Block, end: int) -> Chunk:
        args = (position, block.values, self.data, self.validation, end)
        chunk: Chunk = jax.block_until_ready(self.program.advance(*args))
        return chunk

    def advance(self, progress: Progress, end: int) -> Progress:
        """The run up to ``end``, or less far if it ends before."""

        def stretch(number: int) -> Stretch:
            position, diverged_at = progress.positions[number], progress.diverged_at[number]
            if _over(position, diverged_at).all():
                return Stretch(position, diverged_at, {}, {})
            return self._stretch(self.blocks[number], position, diverged_at, progress.step, end)

        count = len(self.blocks)
        stretches = [stretch(0)] if count == 1 else in_threads(stretch, count)
        positions = tuple(one.position for one in stretches)
        return Progress(
            max(int(position.state.step) for position in positions),
            positions,
            tuple(one.diverged_at for one in stretches),
            self._extended(progress.history, [one.history for one in stretches]),
            self._extended(progress.validation, [one.validation for one in stretches]),
        )

    def _extended(self, columns: Columns, blocks: list[Columns]) -> Columns:
        return added_rows(columns, beside(blocks, columns) if self.many else blocks[0])

    def _stretch(
        self, block: Block, position: Position, diverged_at: np.ndarray, at: int, end: int
    ) -> Stretch:
        """One block up to ``end``.

        Steps among which one turned bad are halved until it is alone. That finds the last finite
        state exactly, and costs a run that fails a few reruns of a chunk, where looking at every
        parameter at every step would slow them all.
        """
        chunk = self._advance(position, block, end)
        reached = int(chunk.position.state.step)
        suspects = ~np.asarray(chunk.finite)
        if suspects.any():
            suspects &= ~_over(position, diverged_at)
        if suspects.any() and reached - at > 1:
            middle = (at + reached) // 2
            first = self._stretch(block, position, diverged_at, at, middle)
            if _over(*first[:2]).all():
                return first
            second = self._stretch(block, *first[:2], middle, end)
            return second._replace(
                history=added_rows(first.history, second.history),
                validation=added_rows(first.validation, second.validation),
            )
        new = chunk.position
        if suspects.any():
            failed = self.program.failed(position, new, block.values, self.data)
            diverged_at = np.where(suspects & np.asarray(failed), at, diverged_at).astype(np.int32)
        frozen = diverged_at >= 0
        if self.program.members is None and frozen:
            return Stretch(position, diverged_at, {}, {})
        if frozen.any():
            new = self.program.freeze(frozen, position, new)
        return Stretch(new, diverged_at, *self._rows(chunk, at, reached))

    def _rows(self, chunk: Chunk, at: int, end: int) -> tuple[Columns, Columns]:
        """The records and the evaluations of a chunk on the host."""
        schedule = self.program.schedule
        per_epoch, every = schedule.batching.per_epoch, schedule.evaluate_every
        # A record is made before its step's update, an evaluation after it.
        records = table_rows(chunk.records.columns, at, end, schedule.record_every, per_epoch)
        if not every:
            return records, {}
        return records, table_rows(chunk.evaluations.columns, at + 1, end + 1, every, per_epoch)

    def scores(self, params: list[Params]) -> dict[str, np.ndarray]:
        """The evaluation of the parameters of a result, one pytree per block."""
        if self.program.evaluation is None:
            return {}
        rows = [
            self.program.scores(own, block.values, block.key, self.validation)
            for own, block in zip(params, self.blocks, strict=True)
        ]
        scores: Columns = rows[0]
        if self.many:
            scores = joined(rows, [block.key.ndim for block in self.blocks])
        # The loss first: a compiled function sorts the names.
        return {name: np.asarray(scores[name]) for name in ("loss", *scores)}

    def check_steps(self) -> None:
        """Raise if the run ends too late to count, or before a stop has anything to watch."""
        steps, every = self.end - self.first, self.program.schedule.evaluate_every
        stop, looks = self.program.stop, self._looks_from
        if self.end > MOST_STEPS:
            rule, remedy = f"end by step {MOST_STEPS}", "Go on from the params alone."
            fail("steps", rule, f"{steps} after step {self.first}", remedy)
        if every and stop is not None:
            first = -(-looks // every) * every
            rule = f"reach step {first}, where the first evaluation is made that stop watches"
            other = "validate_every=1" if looks <= self.end else "a smaller stop.start_after"
            remedy = f"Pass steps={first - self.first} or more, or {other}."
            require(first <= self.end, "steps", rule, str(steps), remedy)

    @property
    def _looks_from(self) -> int:
        """The first step at which an early stop would look at an evaluation."""
        stop = self.program.stop
        return self.first + 1 if stop is None else max(self.first + 1, stop.start_after)

    def check_predictions(self, progress: Progress) -> None:
        """Raise where predictions are not what loss and metrics take: logits, say."""
        check_evaluated_predictions(
            self.program,
            self.plan.trial,
            progress.positions[0],
            self.blocks[0].values,
            self.validation,
        )

    def unjudged(self, progress: Progress) -> bool:
        """True if an early stop found nothing but NaN for a network that did not diverge."""
        evaluated = progress.validation.get("step", np.empty(0))[-1:]
        if not (evaluated >= self._looks_from).any():
            return False
        return any(
            bool(((np.asarray(position.judged.judged.step) == 0) & (diverged_at < 0)).any())
            for position, diverged_at in zip(progress.positions, progress.diverged_at, strict=True)
            if position.judged is not None
        )

    def ended(self, progress: Progress) -> str:
        """The reason why the run ends before its last step; empty if it goes on."""
        blocks = zip(progress.positions, progress.diverged_at, strict=True)
        if not all(_over(*block).all() for block in blocks):
            return ""
        return "stopped" if self.many else self.statuses(progress, "")[0]

    def statuses(self, progress: Progress, status: str) -> list[str]:
        """The reason why each network ended: its own, or else that of the whole run."""
        found: list[str] = []
        for position, diverged_at in zip(progress.positions, progress.diverged_at, strict=True):
            stopped = reached = np.zeros(diverged_at.shape, bool)
            if position.judged is not None:
                stopped = np.asarray(position.judged.judged.stopped_at) >= 0
                reached = stopped & np.asarray(position.judged.judged.reached)
            own = np.select([diverged_at >= 0, reached, stopped], ENDINGS, status)
            found += np.ravel(own).tolist()
        return found


def _fail_recorded(before: Columns, none: Columns) -> NoReturn:
    """Raise the error of a run that goes on from one with other columns."""
    names, got = (sorted(columns.keys() - {*SHARED}) for columns in (none, before))
    remedy = "Record the same, or go on from its state alone: start=result.state."
    fail("start", f"have recorded what this run does, {names}", str(got), remedy)


def _over(position: Position, diverged_at: np.ndarray) -> np.ndarray:
    """True for each network that has ended by itself."""
    over = diverged_at >= 0
    if position.judged is not None:
        over = over | (np.asarray(position.judged.judged.stopped_at) >= 0)
    return np.asarray(over)
