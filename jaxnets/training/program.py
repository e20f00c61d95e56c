"""The compiled program of `fit`: one network's steps and evaluations in the common loop."""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxnets.training.compiled import compiled_for
from jaxnets.training.evaluation import Best, Evaluation, evaluate, judge
from jaxnets.training.loop import Chunk, Schedule, Steps, run_steps
from jaxnets.training.step import TrainState, init_state, loss_and_gradient

__all__ = ["Program", "initial_state", "loss_and_gradient_at", "run_chunk"]


class Program(NamedTuple):
    """All that is fixed when a run is compiled; runs with an equal Program share the code.

    Attributes:
      model: The Model.
      loss: The loss.
      optimizer: The optax transformation.
      value_and_grad: A gradient of the user's own, or None for autodiff.
      gradient_norm: Whether to record the norm of the gradient.
      schedule: When things happen.
      evaluation: What an evaluation computes, or None.
    """

    model: Any
    loss: Any
    optimizer: Any
    value_and_grad: Any
    gradient_norm: bool
    schedule: Schedule
    evaluation: Evaluation | None


@compiled_for
def initial_state(program: Program, key: Any, x: Any, params: Any) -> TrainState:
    """`init_state`, compiled: ``initial_state(program)(key, x, params)``."""
    return init_state(program.model, program.optimizer, key, x, params=params)


@compiled_for
def run_chunk(
    program: Program, state: TrainState, best: Best | None, data: Any, validation: Any, stop: Any
) -> Chunk:
    """Steps from ``state.step`` to ``stop``, or until something ends the run.

    Called as ``run_chunk(program)(state, best, data, validation, stop)``. Data are arguments, so
    that they are neither copied into the program nor part of it.
    """
    batching = program.schedule.batching

    def advance(state: TrainState, order: Any, *, rest: bool = False) -> Any:
        batch = batching.take(data, order, state.step, rest=rest)
        value, gradient = _gradient(program, state, batch)
        updates, opt_state = program.optimizer.update(gradient, state.opt_state, state.params)
        params = optax.apply_updates(state.params, updates)
        metrics = {"loss": value}
        if program.gradient_norm:
            metrics["gradient_norm"] = optax.tree.norm(gradient)
        # Only the loss is looked at in the loop; a bad parameter shows in the next one.
        finite = jnp.isfinite(value)
        return TrainState(params, opt_state, state.key, state.step + 1), finite, metrics

    def judged(state: TrainState, best: Best | None) -> Any:
        assert program.evaluation is not None
        row, going = evaluate(program.evaluation, state.params, validation), jnp.array(True)
        if best is not None:
            assert program.evaluation.stop is not None
            best, going = judge(program.evaluation.stop, row, state.params, state.step, best)
        return row, best, going

    # Traced once, though the loop holds the step more than once.
    steps = Steps(
        advance=jax.jit(advance, static_argnames="rest"),
        draw=lambda state, epoch: batching.order(state.key, epoch),
        evaluate=None if program.evaluation is None else judged,
    )
    chunk = run_steps(program.schedule, steps, state, best, stop)
    finite = chunk.finite & _stayed_finite(state, chunk.state)
    return chunk._replace(finite=finite, going=chunk.going & finite)


@compiled_for
def loss_and_gradient_at(program: Program, state: TrainState, data: Any) -> Any:
    """The loss and gradient of the step after ``state``, to look at when a run has failed.

    Called as ``loss_and_gradient_at(program)(state, data)``.
    """
    batching = program.schedule.batching
    if not batching.shuffled:
        return _gradient(program, state, data)
    order = batching.order(state.key, state.step // batching.per_epoch)

    def of_batch(rest: bool) -> Any:
        return _gradient(program, state, batching.take(data, order, state.step, rest=rest))

    if not batching.rest:
        return of_batch(False)
    is_rest = state.step % batching.per_epoch == batching.full
    return jax.lax.cond(is_rest, lambda: of_batch(True), lambda: of_batch(False))


def _gradient(program: Program, state: TrainState, batch: Any) -> Any:
    return loss_and_gradient(program.model, program.loss, program.value_and_grad, state, batch)


def _stayed_finite(before: TrainState, after: TrainState) -> jax.Array:
    """Whether no number of parameters and optimizer state has stopped being finite.

    Some optimizers start from infinities of their own.
    """

    def stayed(old: jax.Array, new: jax.Array) -> jax.Array:
        return (jnp.isfinite(new) | ~jnp.isfinite(old)).all()

    pairs = zip(
        jax.tree.leaves((before.params, before.opt_state)),
        jax.tree.leaves((after.params, after.opt_state)),
        strict=True,
    )
    flags = [stayed(old, new) for old, new in pairs if jnp.issubdtype(new.dtype, jnp.inexact)]
    return functools.reduce(jnp.logical_and, flags, jnp.array(True))
