"""The compiled program of `fit`: one network's steps and evaluations in the common loop."""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxnets.training.evaluation import Best, Evaluation, evaluate, judge
from jaxnets.training.loop import Chunk, Schedule, Steps, run_steps
from jaxnets.training.step import TrainState, init_state, loss_and_gradient

__all__ = ["Program", "failing_gradient", "initial_state", "run_chunk"]


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


@functools.partial(jax.jit, static_argnums=(0, 1))
def initial_state(model: Any, optimizer: Any, key: Any, x: Any, params: Any) -> TrainState:
    """`init_state`, compiled."""
    return init_state(model, optimizer, key, x, params=params)


@functools.partial(jax.jit, static_argnums=0)
def run_chunk(
    program: Program, state: TrainState, best: Best | None, data: Any, validation: Any, stop: Any
) -> Chunk:
    """Steps from ``state.step`` to ``stop``, or until something ends the run.

    Data are arguments, so that they are neither copied into the program nor part of it.
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
    finite = chunk.finite & _all_finite(chunk.state.params)
    return chunk._replace(finite=finite, going=chunk.going & finite)


@functools.partial(jax.jit, static_argnums=0)
def failing_gradient(program: Program, state: TrainState, data: Any) -> Any:
    """The gradient of the step after ``state``, to look at when that step was not finite."""
    batching = program.schedule.batching
    if not batching.shuffled:
        return _gradient(program, state, data)[1]
    order = batching.order(state.key, state.step // batching.per_epoch)

    def gradient(rest: bool) -> Any:
        return _gradient(program, state, batching.take(data, order, state.step, rest=rest))[1]

    if not batching.rest:
        return gradient(False)
    is_rest = state.step % batching.per_epoch == batching.full
    return jax.lax.cond(is_rest, lambda: gradient(True), lambda: gradient(False))


def _gradient(program: Program, state: TrainState, batch: Any) -> tuple[jax.Array, Any]:
    return loss_and_gradient(program.model, program.loss, program.value_and_grad, state, batch)


def _all_finite(tree: Any) -> jax.Array:
    """Whether every floating element of every leaf is finite."""
    leaves = [leaf for leaf in jax.tree.leaves(tree) if jnp.issubdtype(leaf.dtype, jnp.inexact)]
    return jnp.stack([jnp.isfinite(leaf).all() for leaf in leaves]).all()
