"""Thousands of runs at once: `fit` with an axis of seeds and hyperparameters."""

import functools
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxnets.checks import ArgumentTypeError, check_callable, check_integer, check_key, fail
from jaxnets.model import Loss, Model, Params
from jaxnets.training.batching import make_batching
from jaxnets.training.evaluation import make_evaluation
from jaxnets.training.fit import EVALUATION_BATCH, count_steps
from jaxnets.training.inputs import check_run, load_data
from jaxnets.training.loop import Schedule
from jaxnets.training.members import (
    SweepProgram,
    evaluate_members,
    parameter_count,
    run_members,
    start_members,
)
from jaxnets.training.optimizers import Freeze, wrapped_builder
from jaxnets.training.step import ValueAndGrad
from jaxnets.training.wilson import wilson_interval

__all__ = ["Sweep", "sweep"]

SMALL = 4096
"""Parameters of a network up to which members go on the last axis on a CPU."""

MOST_RECORDS = 4096
"""Records of each member held on the device before the host collects them, at most."""

HELD_LOSSES = 2**24
"""Recorded losses of all members together held on the device, at most."""


class Sweep(NamedTuple):
    """The result of a sweep; the leading axis of every array is the members.

    Members are ordered as ``itertools.product`` of the keys and then the hyperparameters.

    Attributes:
      params: The last finite parameters of each member, ``[members, ...]``.
      history: ``"step"``, ``[records]``, and ``"loss"``, ``[members, records]``.
      validation: ``"loss"`` and the metrics of each member at the end, ``[members]``; empty
        without validation data.
      labels: For each member the position of its key, ``"seed"``, and its hyperparameters;
        arrays of ``[members]``.
      diverged_at: The step at which a member stopped being finite and was frozen, or -1.
      seconds: Wall time by part: ``"compile"`` and ``"run"``.
    """

    params: Params
    history: dict[str, np.ndarray]
    validation: dict[str, np.ndarray]
    labels: dict[str, np.ndarray]
    diverged_at: np.ndarray
    seconds: dict[str, float]

    def table(self) -> list[dict[str, Any]]:
        """One row a member: labels, last recorded loss, validation and where it diverged."""
        columns = {
            **self.labels,
            "loss": self.history["loss"][:, -1],
            **{f"validation_{name}": column for name, column in self.validation.items()},
            "diverged_at": self.diverged_at,
        }
        rows = zip(*(column.tolist() for column in columns.values()), strict=True)
        return [dict(zip(columns, row, strict=True)) for row in rows]

    def best(self) -> int:
        """The member with the lowest last loss among those that stayed finite.

        Raises:
          ValueError: If every member diverged.
        """
        losses = np.where(self.diverged_at < 0, self.history["loss"][:, -1], np.inf)
        if not np.isfinite(losses).any():
            raise ValueError("Sweep.best: no member stayed finite. Lower the learning rates.")
        return int(losses.argmin())

    def member(self, index: int) -> Params:
        """The parameters of one member, ready for ``model.apply``."""
        params: Params = jax.tree.map(lambda leaf: leaf[index], self.params)
        return params

    def success_rate(self, criterion: Callable[[Params], Any]) -> tuple[float, float, float]:
        """The share of members that meet a criterion, with its 95% Wilson interval.

        Args:
          criterion: ``criterion(params) -> bool`` for one member, traceable. Members that
            diverged count as failures.

        Returns:
          The share and the lower and upper end of its interval.
        """
        met = np.asarray(jax.vmap(criterion)(self.params)) & (self.diverged_at < 0)
        return met.mean().item(), *wilson_interval(int(met.sum()), met.size)


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
    clip_norm: float | None = None,
    accumulate: int = 1,
    freeze: Freeze | None = None,
    value_and_grad: ValueAndGrad | None = None,
    batch_members: int | None = None,
) -> Sweep:
    """Trains one network for every key and every combination of hyperparameters, all at once.

    Every member is what `fit` makes of its key and its optimizer, to rounding. Hyperparameters
    are data of the compiled program: new values compile nothing. A member whose loss or
    parameters stop being finite is frozen at its last finite state and flagged; the others run
    on.

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
      validation: Data to evaluate every member on, at the end.
      metrics: As in `fit`.
      record_every: As in `fit`.
      clip_norm: As in `fit`.
      accumulate: As in `fit`.
      freeze: As in `fit`.
      value_and_grad: As in `fit`.
      batch_members: Train so many members at a time, to bound memory.

    Returns:
      A `Sweep`.

    Raises:
      ValueError: As `fit`; or if a list of values is empty.
      TypeError: As `fit`.

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
    record_every = check_integer("sweep", "record_every", record_every, minimum=1)
    data = load_data("sweep", data)
    batching = make_batching("sweep", data, batch_size, drop_last=drop_last)
    steps = count_steps("sweep", steps, epochs, batching)
    seeds = _check_keys(keys)
    build, values = _optimizer_builder(make_optimizer, hyperparameters)
    wrap = wrapped_builder(
        "sweep", build, clip_norm=clip_norm, accumulate=accumulate, freeze=freeze
    )
    labels = _combinations(seeds, values)
    first = {name: column[0] for name, column in values.items()}
    optimizer = _first_optimizer(wrap, first)
    check_run("sweep", model, loss, optimizer, data, keys[0], _first_member(params))
    evaluation = None
    if validation is not None:
        validation = load_data("sweep", validation, argument="validation")
        evaluation = make_evaluation("sweep", model, loss, metrics, EVALUATION_BATCH, None)

    size = len(labels["seed"])
    batch = size
    if batch_members is not None:
        batch = min(size, check_integer("sweep", "batch_members", batch_members, minimum=1))
    schedule = Schedule(batching, record_every, 0, max(1, min(MOST_RECORDS, HELD_LOSSES // batch)))
    last = _members_last_pays(model, keys[0], data[0])
    program = SweepProgram(model, loss, wrap, value_and_grad, schedule, evaluation, last)
    parts = [
        _run_batch(
            program,
            keys,
            params,
            # Every batch has the same size, so that one program serves: the last is filled up.
            {
                name: column[np.arange(start, start + batch) % size]
                for name, column in labels.items()
            },
            data,
            validation,
            steps,
        )
        for start in range(0, size, batch)
    ]
    return _join(parts, labels, size)


def _check_keys(keys: Any) -> int:
    """The number of keys, once they are known to be PRNG keys along one axis."""
    if getattr(keys, "ndim", 0) == 0 or not len(keys):
        fail(
            "sweep",
            "keys",
            "be an array of PRNG keys, one a seed",
            keys,
            "Pass keys=jax.random.split(jax.random.key(0), 1000).",
            error=ArgumentTypeError,
        )
    check_key("sweep", keys[0])
    return len(keys)


def _optimizer_builder(
    make_optimizer: Any, hyperparameters: Any
) -> tuple[Callable[..., optax.GradientTransformation], dict[str, np.ndarray]]:
    """The function that builds an optimizer, and the values of its arguments."""
    values = {name: np.asarray(column, float) for name, column in (hyperparameters or {}).items()}
    for name, column in values.items():
        if column.ndim != 1 or not column.size or not np.isfinite(column).all():
            fail(
                "sweep",
                f"hyperparameters[{name!r}]",
                "be a list of finite numbers",
                hyperparameters[name],
                f"Pass {{{name!r}: [0.1, 1.0]}}, for example.",
            )
    if isinstance(make_optimizer, optax.GradientTransformation):
        if values:
            fail(
                "sweep",
                "make_optimizer",
                "be a function of the hyperparameters",
                make_optimizer,
                "Pass optax.sgd rather than optax.sgd(0.1), for example.",
                error=ArgumentTypeError,
            )
        return _constant(make_optimizer), values
    check_callable("sweep", "make_optimizer", make_optimizer, "Pass optax.sgd, for example.")
    return make_optimizer, values


@functools.lru_cache(maxsize=64)
def _constant(optimizer: optax.GradientTransformation) -> Callable[[], Any]:
    """A builder that is the same object for the same optimizer, so that it compiles once."""
    return lambda: optimizer


def _first_optimizer(build: Callable[..., Any], values: dict[str, Any]) -> Any:
    """The optimizer of the first member; its arguments are checked by making it."""
    try:
        return build(**values)
    except TypeError as error:
        fail(
            "sweep",
            "make_optimizer",
            f"take the hyperparameters {list(values)} and no others",
            str(error),
            'Pass hyperparameters={"learning_rate": [0.1]}, or optax.sgd(0.1), for example.',
            error=ArgumentTypeError,
        )


def _combinations(seeds: int, values: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The labels of all members: one column for the seed and one for each hyperparameter."""
    grids = np.meshgrid(np.arange(seeds), *values.values(), indexing="ij")
    return {name: grid.reshape(-1) for name, grid in zip(("seed", *values), grids, strict=True)}


def _first_member(params: Any) -> Any:
    return None if params is None else jax.tree.map(lambda leaf: leaf[0], params)


def _members_last_pays(model: Model, key: Any, x: Any) -> bool:
    """Small networks on a CPU; elsewhere the batched products of ``vmap`` are the faster."""
    shapes = jax.eval_shape(model.init, key, x)
    return jax.default_backend() == "cpu" and parameter_count(shapes) <= SMALL


def _run_batch(
    program: SweepProgram,
    keys: Any,
    params: Any,
    labels: dict[str, np.ndarray],
    data: Any,
    validation: Any,
    steps: int,
) -> Sweep:
    """Runs one batch of members to the end."""
    started = time.perf_counter()
    chosen = labels["seed"]
    values = {name: jnp.asarray(column) for name, column in labels.items() if name != "seed"}
    params = None if params is None else jax.tree.map(lambda leaf: leaf[chosen], params)
    members = start_members(program, keys[chosen], values, data[0], params)
    jax.block_until_ready(run_members(program, members, values, data, 0))
    compiled = time.perf_counter()

    losses = []
    for start in range(0, steps, program.schedule.longest_chunk):
        stop = min(start + program.schedule.longest_chunk, steps)
        chunk = run_members(program, members, values, data, stop)
        members = chunk.state
        losses.append(np.asarray(chunk.records.columns["loss"])[: int(chunk.records.rows)])
    params = jax.block_until_ready(
        jax.tree.map(lambda leaf: jnp.moveaxis(leaf, program.axis, 0), members.params)
    )
    ran = time.perf_counter()
    scores = {}
    if program.evaluation is not None:
        scores = jax.tree.map(np.asarray, evaluate_members(program, params, validation))
    at = np.arange(0, steps, program.schedule.record_every)
    history = {"step": at, "loss": np.concatenate(losses).T}
    seconds = {"compile": compiled - started, "run": ran - compiled}
    return Sweep(params, history, scores, labels, np.asarray(members.diverged_at), seconds)


def _join(parts: list[Sweep], labels: dict[str, np.ndarray], size: int) -> Sweep:
    """One result of all batches, without what filled the last one up."""
    if len(parts) == 1:
        return parts[0]

    def joined(*leaves: Any) -> np.ndarray:
        return np.concatenate(leaves)[:size]

    return Sweep(
        params=jax.tree.map(joined, *(part.params for part in parts)),
        history={
            "step": parts[0].history["step"],
            "loss": joined(*(part.history["loss"] for part in parts)),
        },
        validation=jax.tree.map(joined, *(part.validation for part in parts)),
        labels=labels,
        diverged_at=joined(*(part.diverged_at for part in parts)),
        seconds={name: sum(part.seconds[name] for part in parts) for name in parts[0].seconds},
    )
