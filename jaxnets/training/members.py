"""The members of one program: from the arguments of `sweep` to a run, and from it to a result."""

import functools
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets.model import Params
from jaxnets.training.arguments import many_keys
from jaxnets.training.columns import filled_up, joined
from jaxnets.training.history import of_members
from jaxnets.training.host import UNSCORED
from jaxnets.training.hyperparameters import Varied
from jaxnets.training.inputs import check_like
from jaxnets.training.networks import stacked
from jaxnets.training.plan import Members, Settings, Task
from jaxnets.training.prepare import prepare
from jaxnets.training.progress import Block, Progress
from jaxnets.training.results import Sweep
from jaxnets.training.run import Run
from jaxnets.training.start import Start, begun, check_start
from jaxnets.training.step import TrainState
from jaxnets.training.trial import Built, Fixed

__all__ = ["Asked", "Ready", "make_ready"]


class Asked(NamedTuple):
    """The arguments of a sweep that its members have in common, as they were given."""

    data: Any
    validation: Any
    weights: Any
    settings: Settings
    keys: Any
    params: Any
    start: Any
    most: int | None


class Ready(NamedTuple):
    """A run of many members, and what makes a result of it.

    Attributes:
      run: The run.
      result: ``result(progress, status, seconds)``, as `Host` asks for it.
    """

    run: Run
    result: Callable[[Progress, str, dict[str, float]], Sweep]


def make_ready(build: Fixed | Built, varied: Varied, asked: Asked) -> Ready:
    """Check what is asked of members that share a program, and prepare their run.

    Args:
      build: Makes a trial from the numbers that vary.
      varied: Those numbers; there is no structure among them.
      asked: The other arguments.
    """
    start = asked.start
    went = None if start is None else begun(start, Sweep, asked.keys, asked.params)
    labels = _labels(start, asked.keys, varied)
    seeds = many_keys(asked.keys) if went is None else went.state.key
    one = asked.params if went is None else went.state.params
    first = _values(labels, 0)
    task = prepare(
        build(**first),
        build,
        first,
        asked.settings,
        asked.data,
        asked.validation,
        weights=asked.weights,
        params=jax.tree.map(_of_one, one),
        key=seeds,
        members=Members(len(labels["seed"]), asked.most),
    )
    run = _run(task, seeds, labels, asked.params, went)
    return Ready(run, functools.partial(_result, run, build, labels))


def _labels(start: Any, keys: Any, varied: Varied) -> dict[str, np.ndarray]:
    """For each member the position of its key and its hyperparameters."""
    if isinstance(start, Sweep) and not varied.columns:
        return start.labels
    if start is None:
        return varied.labels(len(many_keys(keys)))
    state = start if isinstance(start, TrainState) else start.state
    return varied.labels(max(1, state.key.size // varied.rows))


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
    build: Fixed | Built,
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
