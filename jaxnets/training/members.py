"""The compiled loop of a sweep: every step advances all members, in lockstep."""

import functools
import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxnets.training.compiled import compiled_for
from jaxnets.training.evaluation import Best, Evaluation, evaluate, judge, no_best
from jaxnets.training.loop import Chunk, Schedule, Steps, run_steps
from jaxnets.training.members_last import members_last
from jaxnets.training.step import TrainState, init_state, make_step

__all__ = [
    "Endings",
    "Members",
    "SweepProgram",
    "evaluate_members",
    "members_first",
    "no_endings",
    "parameter_count",
    "run_members",
    "start_members",
]


class SweepProgram(NamedTuple):
    """All that is fixed when a sweep is compiled.

    Attributes:
      model: The Model.
      loss: The loss.
      make_optimizer: ``make_optimizer(**hyperparameters) -> optax transformation``.
      value_and_grad: A gradient of the user's own, or None for autodiff.
      gradient_norm: Whether to record the norm of the gradient.
      schedule: When things happen.
      evaluation: What an evaluation computes, or None.
      last: Whether members are the last axis of every array inside, or the first.
    """

    model: Any
    loss: Any
    make_optimizer: Any
    value_and_grad: Any
    gradient_norm: bool
    schedule: Schedule
    evaluation: Evaluation | None
    last: bool

    @property
    def axis(self) -> int:
        """The members' axis of every array inside the loop."""
        return -1 if self.last else 0

    def map(self, function: Any) -> Any:
        """``function`` of one member as one of all."""
        return members_last(function) if self.last else jax.vmap(function)


class Members(NamedTuple):
    """The states of all members.

    Attributes:
      params: Parameters, with the members on the program's axis.
      opt_state: Optimizer states, likewise.
      keys: The keys that drive the runs, ``[members]``.
      diverged_at: The step at which a member was frozen, or -1; ``[members]``.
      step: The number of updates made so far, one for all.
    """

    params: Any
    opt_state: Any
    keys: Any
    diverged_at: jax.Array
    step: jax.Array


class Endings(NamedTuple):
    """Where members stopped early, and what they are judged by; all with the members first.

    A member that has stopped is still stepped with the others, as they are in lockstep; what it
    was when it stopped is kept here.

    Attributes:
      best: The best evaluation of each member while it ran.
      stopped_at: The updates that a member had made when it stopped, or -1.
      params: Its parameters at that time.
    """

    best: Best
    stopped_at: jax.Array
    params: Any


@compiled_for
def start_members(
    program: SweepProgram, keys: Any, hyperparameters: Any, x: Any, params: Any
) -> Members:
    """The states before the first step."""

    def start(key: Any, values: Any, params: Any) -> tuple[Any, Any, Any]:
        optimizer = program.make_optimizer(**values)
        state = init_state(program.model, optimizer, key, x, params=params)
        return state.params, state.opt_state, state.key

    out_axes = (program.axis, program.axis, 0)
    params, opt_state, run_keys = jax.vmap(start, out_axes=out_axes)(keys, hyperparameters, params)
    diverged_at = jnp.full(len(keys), -1, jnp.int32)
    return Members(params, opt_state, run_keys, diverged_at, jnp.zeros((), jnp.int32))


@compiled_for
def no_endings(program: SweepProgram, members: Members) -> Endings:
    """What stands before the first evaluation."""
    params = members_first(program, members.params)
    none = jnp.full_like(members.diverged_at, -1)
    # Mapped over these too, for a model may have no parameters.
    best = jax.vmap(lambda params, _: no_best(params))(params, none)
    return Endings(best, none, params)


def members_first(program: SweepProgram, params: Any) -> Any:
    """Parameters as a user sees them, ``[members, ...]``."""
    return jax.tree.map(lambda leaf: jnp.moveaxis(leaf, program.axis, 0), params)


@compiled_for
def run_members(
    program: SweepProgram,
    members: Members,
    endings: Endings | None,
    hyperparameters: Any,
    data: Any,
    validation: Any,
    stop: Any,
) -> Chunk:
    """Steps all members from ``members.step`` to ``stop``, or until all have ended."""
    batching = program.schedule.batching

    def draw(members: Members, epoch: Any) -> jax.Array:
        orders = jax.vmap(lambda key: batching.order(key, epoch))(members.keys)
        return orders.T if program.last else orders

    def advance(members: Members, order: Any, *, rest: bool = False) -> Any:
        if not batching.shuffled:
            order = None
        member = functools.partial(_member_step, program, data, members.step, rest)
        values = (members.params, members.opt_state, members.keys, hyperparameters, order)
        *updated, metrics = program.map(member)(*values)
        members = _kept_where_finite(program, members, tuple(updated), metrics["loss"])
        return members, jnp.array(True), metrics

    steps = Steps(
        advance=jax.jit(advance, static_argnames="rest"),
        draw=draw,
        evaluate=functools.partial(_judged, program, validation)
        if program.schedule.evaluate_every
        else None,
    )
    return run_steps(program.schedule, steps, members, endings, stop)


def _judged(
    program: SweepProgram, validation: Any, members: Members, endings: Endings | None
) -> tuple[dict[str, jax.Array], Endings | None, jax.Array]:
    """The evaluation of every member, what has ended by it and whether any runs on."""
    params = members_first(program, members.params)
    row = _evaluated(program, params, members.diverged_at, validation)
    if endings is None:
        return row, None, jnp.array(True)
    assert program.evaluation is not None
    assert program.evaluation.stop is not None
    judge_one = functools.partial(judge, program.evaluation.stop)

    def judged(row: Any, params: Any, best: Best) -> tuple[Best, jax.Array]:
        return judge_one(row, params, members.step, best)

    best, going = jax.vmap(judged)(row, params, endings.best)
    running = (endings.stopped_at < 0) & (members.diverged_at < 0)
    stops = running & ~going
    return (
        row,
        Endings(
            _chosen(running, best, endings.best),
            jnp.where(stops, members.step, endings.stopped_at),
            _chosen(stops, params, endings.params),
        ),
        (running & going).any(),
    )


def _chosen(flags: jax.Array, new: Any, old: Any) -> Any:
    """The new leaves for the members that are flagged, the old ones for the others."""
    return jax.tree.map(
        lambda a, b: jnp.where(flags.reshape(-1, *(1,) * (a.ndim - 1)), a, b), new, old
    )


def _evaluated(program: SweepProgram, params: Any, diverged_at: Any, validation: Any) -> Any:
    """The evaluation of every member; ``params``, which may be none, have the members first."""
    assert program.evaluation is not None
    evaluation = program.evaluation
    # One member after the other: the predictions of all at once may be large.
    return jax.lax.map(
        lambda member: evaluate(evaluation, member[0], validation), (params, diverged_at)
    )


evaluate_members = compiled_for(_evaluated)
"""``evaluate_members(program)(params, diverged_at, validation)``."""


def _member_step(
    program: SweepProgram,
    data: Any,
    step: jax.Array,
    rest: bool,
    params: Any,
    opt_state: Any,
    key: Any,
    values: Any,
    order: Any,
) -> tuple[Any, Any, dict[str, jax.Array]]:
    """One step of one member; returns what it changes and what is recorded."""
    batch = program.schedule.batching.take(data, order, step, rest=rest)
    optimizer = program.make_optimizer(**values)
    step_once = make_step(
        program.model, program.loss, optimizer, value_and_grad=program.value_and_grad
    )
    state, metrics = step_once(TrainState(params, opt_state, key, step), batch)
    recorded = ("loss", "gradient_norm") if program.gradient_norm else ("loss",)
    metrics = {name: metrics[name] for name in recorded}
    return state.params, _typed_like(opt_state, state.opt_state), metrics


def _typed_like(old: Any, new: Any) -> Any:
    """The new leaves in the dtypes of the old: a traced hyperparameter may have widened them."""
    return jax.tree.map(lambda a, b: b if a.dtype == b.dtype else b.astype(a.dtype), old, new)


def _kept_where_finite(
    program: SweepProgram, members: Members, updated: tuple[Any, Any], loss: jax.Array
) -> Members:
    """The updated members; one that is not finite any more stays where it was."""
    finite = jnp.isfinite(loss) & _finite(program, members.opt_state, updated)
    good = (members.diverged_at < 0) & finite
    params, opt_state = jax.tree.map(
        lambda new, old: jnp.where(_align(program, good, new), new, old),
        updated,
        (members.params, members.opt_state),
    )
    newly_bad = (members.diverged_at < 0) & ~good
    diverged_at = jnp.where(newly_bad, members.step, members.diverged_at)
    return Members(params, opt_state, members.keys, diverged_at, members.step + 1)


def _align(program: SweepProgram, flags: jax.Array, leaf: jax.Array) -> jax.Array:
    """One flag a member, spread over a leaf."""
    ones = (1,) * (leaf.ndim - 1)
    shape = (*ones, flags.size) if program.last else (flags.size, *ones)
    return jnp.broadcast_to(flags.reshape(shape), leaf.shape)


def _finite(program: SweepProgram, old_state: Any, updated: tuple[Any, Any]) -> jax.Array:
    """Whether all parameters of a member are finite, and its optimizer's state stayed so."""
    params, opt_state = updated
    # What an optimizer starts from as infinite is left out.
    watched = jax.tree.leaves(params) + [
        jnp.where(jnp.isfinite(old), new, 0)
        for old, new in zip(jax.tree.leaves(old_state), jax.tree.leaves(opt_state), strict=True)
        if jnp.issubdtype(new.dtype, jnp.inexact)
    ]
    if not watched:
        return jnp.array(True)
    if not program.last:
        flags = [jnp.isfinite(leaf).reshape(len(leaf), -1).all(1) for leaf in watched]
        return functools.reduce(jnp.logical_and, flags)
    # One reduction over all of them: one for each leaf would cut the fused step in pieces.
    rows = [leaf.reshape(-1, leaf.shape[-1]) for leaf in watched]
    return jnp.isfinite(jnp.concatenate(rows)).all(axis=0)


def parameter_count(params: Any) -> int:
    """The number of parameters of one network."""
    return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(params))
