"""Thousands of runs at once: `fit` with an axis of seeds and hyperparameters."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import numpy as np
import optax

from jaxnets.checks import check_flag, check_integer
from jaxnets.model import Loss, Model, Params
from jaxnets.training.checkpoint import Checkpoint, check_checkpoint
from jaxnets.training.evaluation import Stop, steps_between_evaluations
from jaxnets.training.functions import check_compilable, check_functions
from jaxnets.training.hyperparameters import combinations, optimizer_builder, value_shapes
from jaxnets.training.keys import many_keys
from jaxnets.training.loop import make_schedule
from jaxnets.training.members import SweepProgram, parameter_count
from jaxnets.training.members_host import MembersRun, run_batch
from jaxnets.training.optimizers import Freeze, check_accumulate, wrapped_builder
from jaxnets.training.resume import Columns
from jaxnets.training.run_checks import (
    check_builder,
    check_fit_together,
    check_params,
    initial_shapes,
    stacked,
)
from jaxnets.training.shapes import check_not_traced
from jaxnets.training.step import ValueAndGrad
from jaxnets.training.sweep_result import Sweep, join_sweeps
from jaxnets.training.task import load_task

__all__ = ["sweep"]

SMALL = 4096
"""Parameters of a network up to which members go on the last axis on a CPU."""


def sweep(
    model: Model,
    loss: Loss,
    make_optimizer: optax.GradientTransformation | Callable[..., optax.GradientTransformation],
    data: tuple[Any, Any],
    *,
    keys: jax.Array,
    hyperparameters: Mapping[str, Sequence[float]] | None = None,
    steps: int | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    drop_last: bool = False,
    params: Params | None = None,
    validation: tuple[Any, Any] | None = None,
    metrics: Mapping[str, Callable[[Any, Any], jax.Array]] | None = None,
    record_every: int = 1,
    record_gradient_norm: bool = False,
    clip_norm: float | None = None,
    accumulate: int = 1,
    freeze: Freeze | None = None,
    value_and_grad: ValueAndGrad | None = None,
    stop: Stop | None = None,
    validate_every: int | None = None,
    checkpoint: Checkpoint | None = None,
    batch_members: int | None = None,
    progress: bool = False,
) -> Sweep:
    """Trains one network for every key and every combination of hyperparameters, all at once.

    Every member is what `fit` makes of its key and its optimizer, to rounding; of keys of the
    generator ``rbg`` JAX draws other numbers for many at once, and members are runs of their own.
    Hyperparameters are data of the compiled program: new values compile nothing. A member whose
    loss or parameters stop being finite is frozen at its last finite state and flagged; the
    others run on.

    Args:
      model: The Model to train.
      loss: A loss under the library's contract.
      make_optimizer: ``make_optimizer(**hyperparameters) -> optax transformation``, such as
        ``optax.sgd``; or a transformation, if there are no hyperparameters.
      data: Inputs and targets ``(x, y)``, the same for all members.
      keys: PRNG keys, one a seed, such as ``jax.random.split(jax.random.key(0), 1000)``.
      hyperparameters: Values to combine, by argument name of ``make_optimizer``.
      steps: As in `fit`.
      epochs: As in `fit`.
      batch_size: As in `fit`; every member has a permutation of its own.
      drop_last: As in `fit`.
      params: Parameters to start from, stacked, ``[keys, ...]``, instead of drawing them.
      validation: Data to evaluate every member on: at the end, and when ``validate_every`` or
        ``stop`` asks for it.
      metrics: As in `fit`.
      record_every: As in `fit`.
      record_gradient_norm: As in `fit`.
      clip_norm: As in `fit`.
      accumulate: As in `fit`.
      freeze: As in `fit`.
      value_and_grad: As in `fit`.
      stop: As in `fit`, for each member by itself: one that has stopped keeps what it was then.
        The sweep ends early when all have; ``seconds`` count for each batch of members.
      validate_every: As in `fit`; by default as seldom as ``stop`` allows.
      checkpoint: As in `fit`; each batch of members gets a folder of its own in the directory.
      batch_members: Train so many members at a time, to bound memory.
      progress: As in `fit`; the bar shows the median loss.

    Returns:
      A `Sweep`.

    Raises:
      ValueError: As `fit`; or if a list of values is empty or not finite, or a hyperparameter has
        the name of a column of the table.
      TypeError: As `fit`; or if ``make_optimizer`` takes other arguments or cannot be traced.

    Example:
      >>> import jaxnets as jn
      >>> x = jnp.array([[0.0], [1.0], [2.0]])
      >>> result = sweep(
      ...     jn.dense(1), jn.losses.mse, optax.sgd, (x, 2 * x + 1),
      ...     keys=jax.random.split(jax.random.key(0), 5),
      ...     hyperparameters={"learning_rate": [0.01, 0.1]}, steps=1000, record_every=100,
      ... )
      >>> result.history["loss"].shape
      (10, 10)
      >>> round(result.table()[result.best()]["learning_rate"], 3)
      0.1
    """
    check_not_traced(
        "sweep",
        data=data,
        keys=keys,
        params=params,
        validation=validation,
        hyperparameters=hyperparameters,
    )
    keys = many_keys("sweep", keys)
    record_every = check_integer("sweep", "record_every", record_every, minimum=1)
    progress = check_flag("sweep", "progress", progress)
    gradient_norm = check_flag("sweep", "record_gradient_norm", record_gradient_norm)
    if batch_members is not None:
        batch_members = check_integer("sweep", "batch_members", batch_members, minimum=1)
    check_checkpoint("sweep", checkpoint)
    check_functions("sweep", model, loss, value_and_grad)
    build, values = optimizer_builder(make_optimizer, hyperparameters)
    check_compilable(
        "sweep", model, loss, value_and_grad, make_optimizer=make_optimizer, freeze=freeze
    )
    wrap = wrapped_builder(
        "sweep", build, clip_norm=clip_norm, accumulate=accumulate, freeze=freeze
    )
    labels = combinations(len(keys), values)
    task = load_task(
        "sweep",
        model,
        loss,
        data,
        steps=steps,
        epochs=epochs,
        batch_size=batch_size,
        drop_last=drop_last,
        validation=validation,
        metrics=metrics,
        stop=stop,
        validate_every=validate_every,
    )
    check_accumulate("sweep", accumulate, task.steps)
    every = 0
    if task.evaluation is not None and (validate_every is not None or task.evaluation.stop):
        every = steps_between_evaluations("sweep", validate_every, record_every, task.batching)
    shapes = initial_shapes(model, keys[0], task.data[0])
    if params is not None:
        remedy = "Stack those of all keys with jax.vmap(lambda key: model.init(key, x))(keys)."
        check_params("sweep", params, stacked(shapes, len(keys)), remedy)
    row = check_fit_together("sweep", model, loss, value_and_grad, task, shapes, keys[0])
    check_builder("sweep", build, value_shapes(values), shapes)
    batch = min(len(labels["seed"]), batch_members or len(labels["seed"]))
    schedule = make_schedule(task.batching, record_every, every, row, members=batch)
    last = _members_last_pays(shapes)
    program = SweepProgram(
        model, loss, wrap, value_and_grad, gradient_norm, schedule, task.evaluation, last
    )
    members = MembersRun(program, keys, params, task, stop, progress)
    return _run_in_batches(members, labels, batch, checkpoint)


def _run_in_batches(
    run: MembersRun, labels: Columns, batch: int, checkpoint: Checkpoint | None
) -> Sweep:
    """Runs all members, so many at a time; the last batch is filled up, for one program of all."""
    size = len(labels["seed"])
    positions = [np.arange(start, start + batch) % size for start in range(0, size, batch)]
    parts = [
        run_batch(
            run,
            {name: column[members] for name, column in labels.items()},
            _of_batch(checkpoint, members[0], batches=len(positions)),
        )
        for members in positions
    ]
    return join_sweeps(parts, labels)


def _of_batch(checkpoint: Checkpoint | None, first: int, *, batches: int) -> Checkpoint | None:
    """Where the batch from that member on saves."""
    if checkpoint is None or batches == 1:
        return checkpoint
    return replace(checkpoint, directory=Path(checkpoint.directory) / f"members-{first:07d}")


def _members_last_pays(shapes: Any) -> bool:
    """Small networks on a CPU; elsewhere the batched products of ``vmap`` are the faster."""
    return jax.default_backend() == "cpu" and parameter_count(shapes) <= SMALL
