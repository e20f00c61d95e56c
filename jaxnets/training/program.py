"""The compiled program of a run: of one network, or of many in lockstep."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import jax
import jax.numpy as jnp

from jaxnets.model import Params
from jaxnets.training.compiled import compiled_method
from jaxnets.training.evaluation import (
    EVALUATION_BATCH,
    Evaluation,
    Judged,
    Stop,
    evaluate,
    judge,
    not_judged,
    predict,
)
from jaxnets.training.loop import Chunk, Position, Schedule, Steps, run_steps
from jaxnets.training.networks import (
    FAST,
    STATE,
    Axis,
    all_equal,
    chosen,
    members_first,
    moved,
    number,
    per_network,
    stayed_finite,
    weakly_typed,
)
from jaxnets.training.objective import as_objective
from jaxnets.training.step import TrainState, init_state, make_step
from jaxnets.training.trial import Build

__all__ = ["EvalParams", "Program", "Values", "Watched"]


EvalParams = Callable[[TrainState], Params]
"""``eval_params(state) -> params``, the parameters that evaluation and the result use."""

Values = dict[str, Any]
"""Hyperparameters by name: scalars of one network, arrays of ``[members]`` of many."""


class Watched(NamedTuple):
    """The verdicts and parameters that a run's evaluations carry from one to the next.

    Attributes:
      judged: The verdict, one per network.
      kept: Parameters and optimizer state of each member when it stopped: it is still stepped
        with the others, and what it does after that is not its run. None for a single network,
        which ends where it stops.
    """

    judged: Judged
    kept: Any


@dataclass(frozen=True)
class Program:
    """All that is fixed when a run is compiled; runs with an equal Program share the code.

    Its methods are compiled. Data are arguments of theirs, so that they are neither copied into
    the program nor part of it.

    Attributes:
      build: Makes the trial from the hyperparameters, which are data of the program.
      schedule: When things happen.
      evaluation: The settings of evaluations, or None.
      eval_params: The parameters that evaluation and the result use, or None for the state's.
      gradient_norm: Whether to record the norm of the gradient.
      members: None for one network; for many, their axis in every array of the state: ``"last"``,
        where small networks are fast on a CPU, or ``"first"``.
    """

    build: Build
    schedule: Schedule
    evaluation: Evaluation | None
    eval_params: EvalParams | None
    gradient_norm: bool
    members: Axis

    @compiled_method
    def start(self, keys: Any, values: Values, x: Any, params: Any) -> Position:
        """The position of a run before its first step."""

        def start(key: Any, values: Values, params: Any) -> Any:
            model, _, optimizer = self.build(**values)
            return init_state(model, optimizer, key, x, params=params)[:3]

        axis = number(self.members)
        every = per_network(self.members, weakly_typed(start, 1), out_axes=(axis, axis, 0))
        params, opt_state, run_keys = every(keys, values, params)
        state = TrainState(params, opt_state, run_keys, jnp.zeros((), jnp.int32))
        return self._position(state, None)

    @compiled_method
    def resume(self, state: TrainState, judged: Judged | None) -> Position:
        """The position of a run that goes on from a state, whose members are first."""
        params, opt_state = moved((state.params, state.opt_state), 0, number(self.members))
        return self._position(state._replace(params=params, opt_state=opt_state), judged)

    def _position(self, state: TrainState, judged: Judged | None) -> Position:
        """The position of a run that goes on from ``state``, and a verdict if there was one."""
        watched = None
        if (stop := self.stop) is not None:
            if judged is None:
                judged = self._each(lambda one: not_judged(stop, self._shown(one)), STATE)(state)
            first = members_first(self.members, state)
            kept = None if self.members is None else (first.params, first.opt_state)
            watched = Watched(judged, kept)
        order = jnp.zeros((0,), jnp.int32)
        if self.schedule.batching.shuffled:
            shape = jax.eval_shape(self._draw, state, 0)
            order = jnp.zeros(shape.shape, shape.dtype)
        loss = jnp.zeros(state.key.shape)
        return Position(state, watched, loss, order, jnp.array(-1, jnp.int32))

    @compiled_method
    def advance(
        self, position: Position, values: Values, data: Any, validation: Any, end: Any
    ) -> Chunk:
        """Make the steps up to ``end``, or until an evaluation ends the run."""

        def step(state: TrainState, order: Any, *, rest: bool = False) -> Any:
            return self._step(state, values, data, order, rest)

        def judge(state: TrainState, watched: Watched | None) -> Any:
            return self._judged(values, validation, state, watched)

        steps = Steps(
            # Traced once, though the loop holds the step more than once.
            advance=jax.jit(step, static_argnames="rest"),
            draw=self._draw,
            evaluate=judge if self.schedule.evaluate_every else None,
        )
        chunk = run_steps(self.schedule, steps, position, end)
        stayed = self._each(stayed_finite, STATE, STATE)(position.state, chunk.position.state)
        return chunk._replace(finite=chunk.finite & stayed)

    def _step(
        self, state: TrainState, values: Values, data: Any, order: Any, rest: bool
    ) -> tuple[TrainState, dict[str, jax.Array]]:
        """One step of every network."""
        batching = self.schedule.batching

        def one(params: Params, opt_state: Any, key: Any, values: Values, order: Any) -> Any:
            batch = batching.take(data, order, state.step, rest=rest)
            before = TrainState(params, opt_state, key, state.step)
            new, metrics = make_step(*self.build(**values))(before, batch)
            if not self.gradient_norm:
                del metrics["gradient_norm"]
            # A hyperparameter that was made an array may have widened the optimizer's state.
            same = jax.tree.map(lambda a, b: b.astype(a.dtype), opt_state, new.opt_state)
            return new.params, same, metrics

        args = (*state[:3], values, order if batching.shuffled else None)
        params, opt_state, metrics = FAST[self.members](weakly_typed(one, 3))(*args)
        return TrainState(params, opt_state, state.key, state.step + 1), metrics

    def _draw(self, state: TrainState, epoch: Any) -> jax.Array:
        """The order of the examples in an epoch, of each member its own."""
        draw = self._each(lambda key: self.schedule.batching.order(key, epoch), 0)
        orders: jax.Array = draw(state.key)
        return orders.T if self.members == "last" else orders

    def _judged(
        self, values: Values, validation: Any, state: TrainState, watched: Watched | None
    ) -> tuple[dict[str, jax.Array], Watched | None, jax.Array]:
        """The evaluation of every network, the verdict on it and whether any goes on."""
        shown = self._each(self._shown, STATE)(state)
        row = self._evaluated(shown, values, state.key, validation)
        stop = self.stop
        if watched is None or stop is None:
            return row, None, jnp.array(True)

        def judged(row: Any, params: Params, old: Judged) -> Judged:
            new = judge(stop, row, params, state.step, old)
            result: Judged = chosen(old.stopped_at < 0, new, old)
            return result

        new = self._each(judged, 0, 0, 0)(row, shown, watched.judged)
        kept = watched.kept
        if kept is not None:
            stops = (new.stopped_at >= 0) & (watched.judged.stopped_at < 0)
            kept = jax.vmap(chosen)(stops, members_first(self.members, state)[:2], kept)
        return row, Watched(new, kept), (new.stopped_at < 0).any()

    @compiled_method
    def scores(self, params: Params, values: Values, keys: Any, validation: Any) -> Any:
        """The evaluation of the parameters of a result, with the members first."""
        return self._evaluated(params, values, keys, validation)

    @compiled_method
    def predictions(self, params: Params, values: Values, x: Any) -> Any:
        """The outputs of one network."""
        evaluation = self.evaluation
        size = EVALUATION_BATCH if evaluation is None else evaluation.slice_size

        def one(params: Params, values: Values) -> Any:
            return predict(self.build(**values).model, params, x, size)

        return weakly_typed(one, 1)(params, values)

    def _evaluated(self, params: Params, values: Values, keys: Any, validation: Any) -> Any:
        def one(params: Params, values: Values) -> dict[str, jax.Array]:
            model, loss, _ = self.build(**values)
            evaluation = cast(Evaluation, self.evaluation)
            return evaluate(model, as_objective(model, loss), evaluation, params, validation)

        typed = weakly_typed(one, 1)
        if self.members is None:
            return typed(params, values)
        # One member after the other: the predictions of all at once may be large. The keys are
        # mapped over too, because a model may have no parameters.
        return jax.lax.map(lambda member: typed(*member[:2]), (params, values, keys))

    @compiled_method
    def outcome(self, position: Position) -> tuple[TrainState, Params]:
        """The last state and the parameters of the result, with the members first."""
        state, watched = members_first(self.members, position.state), position.judged
        if watched is not None and watched.kept is not None:
            stopped = watched.judged.stopped_at >= 0
            params, opt_state = jax.vmap(chosen)(stopped, watched.kept, state[:2])
            state = state._replace(params=params, opt_state=opt_state)
        axis: Axis = None if self.members is None else "first"
        shown = per_network(axis, self._shown, STATE)(state)
        if watched is not None and self.stop is not None and self.stop.patience is not None:
            best = watched.judged
            shown = self._each(chosen, 0, 0, 0)(best.step > 0, best.params, shown)
        return state, shown

    @compiled_method
    def look(self, state: TrainState, values: Values, data: Any) -> tuple[Any, Any]:
        """The loss and the gradient of the step after the ``state`` of one network."""
        return self._look(state, values, data)

    def _look(self, state: TrainState, values: Values, data: Any) -> tuple[Any, Any]:
        batching = self.schedule.batching
        model, loss, _ = self.build(**values)
        order = batching.order(state.key, state.step // batching.per_epoch)

        def of_batch(rest: bool) -> tuple[Any, Any]:
            batch = batching.take(data, order, state.step, rest=rest)
            key = jax.random.fold_in(state.key, state.step)
            goal = as_objective(model, loss)
            (value, _), gradient = goal.value_and_grad(state.params, batch, key=key)
            return value, gradient

        if not batching.rest:
            return of_batch(False)
        is_rest = state.step % batching.per_epoch == batching.full
        found: tuple[Any, Any] = jax.lax.cond(
            is_rest, lambda: of_batch(True), lambda: of_batch(False)
        )
        return found

    @compiled_method
    def failed(self, before: Position, after: Position, values: Values, data: Any) -> jax.Array:
        """True if one step ruined a network, by the rule of `TrainingDiverged`."""

        def one(old: TrainState, new: TrainState, loss: Any, values: Values) -> jax.Array:
            look = weakly_typed(lambda values: self._look(old, values, data)[1], 0)
            gradient = look(values)
            zero = jax.tree.map(jnp.zeros_like, gradient)
            idle = all_equal(old.params, new.params) | all_equal(gradient, zero)
            return ~stayed_finite(old, new) | (~jnp.isfinite(loss) & ~idle)

        every = self._each(one, STATE, STATE, 0, 0)
        flags: jax.Array = every(before.state, after.state, after.loss, values)
        return flags

    @compiled_method
    def freeze(self, frozen: Any, old: Position, new: Position) -> Position:
        """The new position, with the frozen members as they were."""
        axis = number(self.members)
        in_state = self._each(chosen, 0, axis, axis, out_axes=axis)
        params, opt_state = in_state(frozen, old.state[:2], new.state[:2])
        beside = self._each(chosen, 0, 0, 0)
        judged, loss = beside(frozen, (old.judged, old.loss), (new.judged, new.loss))
        state = new.state._replace(params=params, opt_state=opt_state)
        return new._replace(state=state, judged=judged, loss=loss)

    @property
    def stop(self) -> Stop | None:
        """The early stop that watches the evaluations, or None."""
        return None if self.evaluation is None else self.evaluation.stop

    def _each(self, function: Callable[..., Any], *in_axes: Any, out_axes: Any = 0) -> Any:
        return per_network(self.members, function, *in_axes, out_axes=out_axes)

    def _shown(self, state: TrainState) -> Params:
        """The parameters of one network that evaluation and the result use."""
        return state.params if self.eval_params is None else self.eval_params(state)
