"""Thousands of runs at once: `fit` with an axis of seeds and hyperparameters."""

import functools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets.checks import check_callable, check_hashable, check_integer
from jaxnets.errors import ArgumentTypeError, fail, public
from jaxnets.files.checkpoint import Checkpoint
from jaxnets.model import Params
from jaxnets.training.arguments import (
    check_hyperparameters,
    check_not_traced,
    check_takes,
    many_keys,
)
from jaxnets.training.columns import filled_up, joined
from jaxnets.training.evaluation import Metric, Stop
from jaxnets.training.history import of_members
from jaxnets.training.host import UNSCORED, Host, Look, Outlook
from jaxnets.training.inputs import check_like, moves_data
from jaxnets.training.networks import stacked
from jaxnets.training.plan import Members, Settings, Task
from jaxnets.training.prepare import prepare
from jaxnets.training.program import EvalParams
from jaxnets.training.progress import Block, Progress
from jaxnets.training.results import Sweep
from jaxnets.training.run import Run
from jaxnets.training.start import Start, begun, check_start
from jaxnets.training.step import TrainState
from jaxnets.training.trial import Build, Built, Fixed, Trial, as_trial

__all__ = ["sweep"]


@public
@moves_data
def sweep(
    trial: Trial | tuple[Any, Any, Any] | Callable[..., tuple[Any, Any, Any]],
    data: Any,
    *,
    keys: jax.Array | None = None,
    hyperparameters: Mapping[str, Sequence[float]] | None = None,
    steps: int | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    weights: Any = None,
    drop_last: bool = False,
    start: Sweep | TrainState | None = None,
    params: Params | None = None,
    validation: Any = None,
    metrics: Mapping[str, Metric] | None = None,
    validate_every: int | None = None,
    record_every: int = 1,
    record_gradient_norm: bool = False,
    eval_params: EvalParams | None = None,
    stop: Stop | None = None,
    checkpoint: Checkpoint | None = None,
    watch: Callable[[Look], Any] | None = None,
    on_interrupt: str = "raise",
    progress: bool = False,
    batch_members: int | None = None,
) -> Sweep:
    """Train one network for every key and every combination of hyperparameters, all at once.

    Every member is what `fit` makes of its key and its trial, to rounding; ``rbg`` keys draw
    differently for many at once, so those members differ. Hyperparameters are data of the
    compiled program: new values compile nothing. A member that diverges is frozen at its last
    finite state and flagged; the others run on. Arguments that are not listed are those of `fit`,
    for each member by itself.

    Args:
      trial: ``(model, loss, optimizer)``; or ``trial(**hyperparameters)`` that returns them, so
        that ``jn.fit(*trial(learning_rate=0.1), data, key=key, steps=n)`` is one member.
      data: Inputs and targets ``(x, y)``, or what an objective takes; the same for all members.
      keys: PRNG keys, one per seed, such as ``jax.random.split(jax.random.key(0), 1000)``.
      hyperparameters: Numbers to combine, by argument name of ``trial``. They reach it in float32
        at least and take the type of what they meet, as Python numbers do.
      batch_size: As in `fit`; every member has a permutation of its own.
      start: A `Sweep`, or the state of one, to go on from; without ``keys``. A `Sweep` has the
        hyperparameters too.
      params: Parameters to start from, stacked, ``[keys, ...]``, instead of drawing them.
      validation: Data to evaluate every member on: at the end, and when ``validate_every`` or
        ``stop`` asks for it.
      validate_every: As in `fit`; by default as seldom as ``stop`` allows.
      stop: As in `fit`: a member that has stopped keeps what it was then. The sweep ends early
        when all have.
      batch_members: Members that are trained in lockstep, at most, to bound memory.
      progress: As in `fit`; the bar shows the median loss.

    Returns:
      A `Sweep`.

    Raises:
      ValueError: As `fit`; or if a list of values is empty or not finite, or a hyperparameter has
        the name of a column of the table.
      TypeError: As `fit`; or if ``trial`` takes other arguments or cannot be traced.

    Example:
      >>> import optax
      >>> x = jnp.array([[0.0], [1.0], [2.0]])
      >>> def trial(learning_rate):
      ...     return jn.dense(1), jn.losses.mse, optax.sgd(learning_rate)
      >>> result = jn.sweep(
      ...     trial, (x, 2 * x + 1), keys=jax.random.split(jax.random.key(0), 5),
      ...     hyperparameters={"learning_rate": [0.01, 0.1]}, steps=1000, record_every=100,
      ... )
      >>> result.history["loss"].shape
      (10, 10)
      >>> round(result.table()[result.best()]["learning_rate"], 3)
      0.1
    """
    given = {"keys": keys, "params": params, "validation": validation, "weights": weights}
    check_not_traced(data=data, hyperparameters=hyperparameters, start=start, **given)
    outlook = Outlook(stop, checkpoint, watch, progress, on_interrupt)
    outlook.check()
    values = check_hyperparameters(hyperparameters)
    # A sweep to go on from has its hyperparameters: they need not be given again.
    had = _values(start.labels, 0) if isinstance(start, Sweep) else {}
    build = _built(trial, values or had)
    went = None if start is None else begun(start, Sweep, keys, params)
    labels = _labels(start, keys, values)
    if batch_members is not None:
        batch_members = check_integer("batch_members", batch_members, minimum=1)
    seeds = many_keys(keys) if went is None else went.state.key
    one = params if went is None else went.state.params
    first = _values(labels, 0)
    with outlook.listener() as listener:
        with listener.at_once():
            task = prepare(
                build(**first),
                build,
                first,
                Settings(
                    steps,
                    epochs,
                    batch_size,
                    drop_last,
                    metrics,
                    validate_every,
                    record_every,
                    record_gradient_norm,
                    eval_params,
                    stop,
                ),
                data,
                validation,
                weights=weights,
                params=jax.tree.map(_of_one, one),
                key=seeds,
                members=Members(len(labels["seed"]), batch_members),
            )
            run = _run(task, seeds, labels, params, went)
        result = functools.partial(_result, run, build, labels)
        return Host(run, outlook, listener, result).drive("sweep")[0]


def _built(trial: Any, values: Mapping[str, Any]) -> Fixed | Built:
    """The function that makes a trial from hyperparameters."""
    if isinstance(trial, tuple | list):
        if values:
            rule = "be a function of the hyperparameters"
            remedy = "Pass lambda learning_rate: (model, loss, optax.sgd(learning_rate))."
            fail("trial", rule, "a trial that takes none", remedy, error=ArgumentTypeError)
        return Fixed(as_trial(trial))
    remedy = "Pass (model, loss, optimizer), or a function that returns them."
    check_callable("trial", trial, remedy)
    check_hashable("trial", trial)
    check_takes(trial, values)
    return Built(trial)


def _labels(start: Any, keys: Any, values: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """For each member the position of its key and its hyperparameters."""
    if isinstance(start, Sweep) and not values:
        return start.labels
    if start is None:
        seeds = len(many_keys(keys))
    else:
        state = start if isinstance(start, TrainState) else start.state
        combined = math.prod(len(column) for column in values.values())
        seeds = max(1, state.key.size // combined)
    grids = np.meshgrid(np.arange(seeds), *values.values(), indexing="ij")
    return {name: grid.reshape(-1) for name, grid in zip(("seed", *values), grids, strict=True)}


def _of_one(leaf: Any) -> jax.ShapeDtypeStruct:
    """The shape of one member's part of an array."""
    array = leaf if isinstance(leaf, jax.Array) else np.asarray(leaf)
    return jax.ShapeDtypeStruct(array.shape[1:], jax.dtypes.canonicalize_dtype(array.dtype))


def _run(
    task: Task,
    seeds: jax.Array,
    labels: dict[str, np.ndarray],
    params: Params | None,
    went: Start | None,
) -> Run:
    """The run of all members in blocks; the last one is filled up, for one program of all."""
    plan, members = task.plan, len(labels["seed"])
    first, history, evaluated = 0, {}, {}
    if params is not None:
        remedy = "Stack those of all keys with jax.vmap(lambda key: model.init(key, x))(keys)."
        check_like("params", params, stacked(plan.shapes, len(seeds)), remedy)
    if went is not None:
        check_start(went, plan.trial.optimizer, plan.shapes, members)
        first, history, evaluated = int(went.state.step), went.history, went.validation
    numbers: Iterable[Any] = range(members)
    if plan.program.members is not None:
        numbers = np.arange(-(-members // plan.size) * plan.size).reshape(-1, plan.size) % members
    return Run(
        plan,
        tuple(_block(chosen, seeds, labels, params, went) for chosen in numbers),
        task.data,
        task.validation,
        first,
        many=True,
        history=filled_up(history, plan.size),
        evaluated=filled_up(evaluated, plan.size),
    )


def _block(
    chosen: Any,
    seeds: jax.Array,
    labels: dict[str, np.ndarray],
    params: Params | None,
    went: Start | None,
) -> Block:
    """The block of members with these numbers, or of the one with this number."""
    dtype = jax.dtypes.canonicalize_dtype(float)
    values = {name: jnp.asarray(column[chosen], dtype) for name, column in labels.items()}
    del values["seed"]
    if went is None:
        seed = labels["seed"][chosen]
        return Block(seeds[seed], values, jax.tree.map(lambda leaf: leaf[seed], params))
    # All but the step have an axis of members.
    own = (*went.state[:3], went.judged)
    trained, opt_state, key, judged = jax.tree.map(lambda leaf: leaf[chosen], own)
    start = (TrainState(trained, opt_state, key, went.state.step), judged)
    return Block(key, values, None, start, went.diverged_at[chosen])


def _result(
    run: Run,
    build: Build,
    labels: dict[str, np.ndarray],
    progress: Progress,
    status: str,
    seconds: dict[str, float],
) -> Sweep:
    """The members for their user, each as it was when it ended."""
    size = len(labels["seed"])
    states, params = zip(*(run.program.outcome(one) for one in progress.positions), strict=True)
    own = [
        (*state[:3], shown, position.judged and position.judged.judged)
        for state, shown, position in zip(states, params, progress.positions, strict=True)
    ]
    axes = [block.key.ndim for block in run.blocks]
    trained, opt_state, keys, shown, judged = joined(own, axes, size)
    diverged_at = np.concatenate([np.ravel(at) for at in progress.diverged_at])[:size]
    stopped_at = np.full(size, -1) if judged is None else np.asarray(judged.stopped_at)
    if status not in ("completed", "stopped", ""):
        stopped_at = np.where(stopped_at < 0, progress.step, stopped_at)
    stopped_at = np.where(diverged_at < 0, stopped_at, -1)
    # A loss is recorded before its step's update, an evaluation after it.
    over = np.where(stopped_at < 0, run.end, stopped_at)
    over = np.where(diverged_at < 0, over, diverged_at)
    scores = run.scores(list(params)) if status not in UNSCORED else {}
    return Sweep(
        models=lambda number: build(**_values(labels, number)).model,
        params=shown,
        history=of_members(progress.history, over - 1),
        validation=of_members(progress.validation, over),
        scores={name: column[:size] for name, column in scores.items()},
        state=TrainState(trained, opt_state, keys, jnp.asarray(progress.step, jnp.int32)),
        status=np.array(run.statuses(progress, status)[:size]),
        labels=labels,
        diverged_at=diverged_at,
        stopped_at=stopped_at,
        seconds=seconds,
        judged=judged,
    )


def _values(labels: dict[str, np.ndarray], number: int) -> dict[str, float]:
    return {name: float(column[number]) for name, column in labels.items() if name != "seed"}
