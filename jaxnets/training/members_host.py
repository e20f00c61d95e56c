"""What the host does for a sweep: runs a batch of members and puts its results in order."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets.training.checkpoint import Checkpoint
from jaxnets.training.evaluation import Stop
from jaxnets.training.host import Ended, Run, run_on_host
from jaxnets.training.members import (
    Endings,
    Members,
    SweepProgram,
    evaluate_members,
    members_first,
    no_endings,
    run_members,
    start_members,
)
from jaxnets.training.resume import Columns, Progress, run_identity
from jaxnets.training.sweep_result import SHARED, Sweep
from jaxnets.training.task import Task

__all__ = ["MembersRun", "run_batch"]


class MembersRun(NamedTuple):
    """A sweep that is checked and ready; what all batches of members have in common.

    Attributes:
      program: What is compiled.
      keys: One key a seed.
      params: Parameters to start from, ``[keys, ...]``, or None to draw them.
      task: What they learn from and for how long.
      stop: When members may stop early, or None.
      progress: Whether to draw a bar.
    """

    program: SweepProgram
    keys: Any
    params: Any
    task: Task
    stop: Stop | None
    progress: bool


def run_batch(run: MembersRun, labels: Columns, checkpoint: Checkpoint | None) -> Sweep:
    """Runs the members with these labels to the end."""
    program, schedule = run.program, run.program.schedule
    watched = schedule.evaluate_every > 0 and run.stop is not None and run.stop.watches
    chosen = labels["seed"]
    keys = run.keys[chosen]
    hyperparameters = {name: column for name, column in labels.items() if name != "seed"}
    dtype = _parameter_dtype(run)
    values = {name: jnp.asarray(column, dtype) for name, column in hyperparameters.items()}
    params = None if run.params is None else jax.tree.map(lambda leaf: leaf[chosen], run.params)

    def start() -> tuple[Members, Endings | None]:
        members = start_members(program)(keys, values, run.task.data[0], params)
        return members, no_endings(program)(members) if watched else None

    ended = run_on_host(
        Run(
            function="sweep",
            schedule=schedule,
            start=start,
            advance=lambda members, endings, stop: run_members(program)(
                members, endings, values, run.task.data, run.task.validation, stop
            ),
            ended=lambda now: "stopped" if _all_ended(now) else "",
            identity=lambda begun: run_identity(
                schedule,
                run.task,
                begun,
                {"keys": keys, "start": params, "hyperparameters": hyperparameters},
            ),
            steps=run.task.steps,
            seconds=None if run.stop is None else run.stop.seconds,
            checkpoint=checkpoint,
            progress=run.progress,
        )
    )
    return _result(run, labels, ended)


def _parameter_dtype(run: MembersRun) -> Any:
    """The dtype that a Python number takes beside the parameters."""
    params = run.params
    if params is None:
        params = jax.eval_shape(run.program.model.init, run.keys[0], run.task.data[0])
    dtypes = [jnp.result_type(leaf) for leaf in jax.tree.leaves(params)]
    floating = [dtype for dtype in dtypes if jnp.issubdtype(dtype, jnp.floating)]
    return jnp.result_type(*floating) if floating else None


def _all_ended(now: Progress) -> bool:
    """Whether no member goes on; without evaluations, members are stepped to the last step."""
    if now.best is None:
        return False
    return bool(((now.best.stopped_at >= 0) | (now.state.diverged_at >= 0)).all())


def _result(run: MembersRun, labels: Columns, ended: Ended) -> Sweep:
    """The members for their user, each as it was when it ended."""
    program = run.program
    members, endings, history, evaluations = ended.progress
    params = members_first(program, members.params)
    diverged_at = np.array(members.diverged_at)
    stopped_at = np.full_like(diverged_at, -1)
    if endings is not None:
        assert run.stop is not None
        stopped_at = np.array(endings.stopped_at)
        params = _picked(stopped_at >= 0, endings.params, params)
        if run.stop.patience is not None:
            params = _picked(np.asarray(endings.best.step) > 0, endings.best.params, params)
        # What a member does after it has stopped is not its run any more.
        diverged_at[stopped_at >= 0] = -1
    if ended.status == "seconds":
        stopped_at[(stopped_at < 0) & (diverged_at < 0)] = int(members.step)
    scores = {}
    if program.evaluation is not None:
        evaluated = evaluate_members(program)(params, members.diverged_at, run.task.validation)
        scores = jax.tree.map(np.asarray, evaluated)
    # A loss is recorded before its step's update, an evaluation after it.
    over = np.full_like(stopped_at, run.task.steps)
    for ends in (stopped_at, diverged_at):
        over = np.where(ends < 0, over, ends)
    return Sweep(
        params=params,
        history=_of_members(history, over - 1),
        validation=scores,
        evaluations=_of_members(evaluations, over),
        labels=labels,
        diverged_at=diverged_at,
        stopped_at=stopped_at,
        seconds=ended.seconds,
    )


def _picked(flags: np.ndarray, new: Any, old: Any) -> Any:
    """The new leaves for the flagged members, the old ones for the others."""
    return jax.tree.map(
        lambda a, b: jnp.where(flags.reshape(-1, *(1,) * (a.ndim - 1)), a, b), new, old
    )


def _of_members(columns: Columns, last: np.ndarray) -> Columns:
    """Records with the members first, and NaN beyond the last step of each."""
    if not columns:
        return {}
    beyond = columns["step"] > last[:, None]
    table = {
        name: _masked(np.moveaxis(column, 1, 0), beyond)
        for name, column in columns.items()
        if name not in SHARED
    }
    return {**{name: columns[name] for name in SHARED}, **table}


def _masked(column: np.ndarray, beyond: np.ndarray) -> np.ndarray:
    """NaN in place of what is beyond; the dtype stays where nothing is."""
    if not beyond.any():
        return column
    return np.where(beyond.reshape(*beyond.shape, *(1,) * (column.ndim - 2)), np.nan, column)
