"""Judging a model on data it does not learn from, inside the compiled run."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxnets.checks import (
    ArgumentTypeError,
    check_callable,
    check_choice,
    check_finite,
    check_hashable,
    check_integer,
    check_positive,
    check_text,
    concrete,
    describe,
    fail,
)
from jaxnets.model import Loss, Model, Params
from jaxnets.training.batching import Batching

__all__ = [
    "Best",
    "Evaluation",
    "Stop",
    "evaluate",
    "judge",
    "make_evaluation",
    "no_best",
    "steps_between_evaluations",
]

EVALUATION_BATCH = 1024
"""Validation examples whose activations are held at a time, at least."""

Metrics = Mapping[str, Callable[[Any, Any], jax.Array]]
"""``metric(predictions, targets) -> scalar``, by name."""


@dataclass(frozen=True)
class Stop:
    """When a run may end before its last step.

    Attributes:
      metric: The column of the validation that is watched, ``"loss"`` or the name of a metric.
      mode: ``"min"`` or ``"max"``, whichever is better.
      patience: Evaluations without a new best value after which the run ends. The parameters
        returned are then those of the best evaluation, at whatever point the run ends.
      target: The run ends once the value is this good.
      seconds: The run ends after so many seconds of wall time, at the end of a chunk.

    Raises:
      ValueError: If nothing would ever end the run, or a value does not fit.

    Example:
      >>> Stop(metric="accuracy", mode="max", patience=5).patience
      5
    """

    metric: str = "loss"
    mode: str = "min"
    patience: int | None = None
    target: float | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        check_text("Stop", "metric", self.metric, example="loss")
        check_choice("Stop", "mode", self.mode, ("min", "max"))
        if self.patience is self.target is self.seconds is None:
            fail("Stop", "patience", "be given, or target, or seconds", "none", "Pass patience=5.")
        # Stored as plain numbers: it is part of what a compiled program is found again by.
        if self.patience is not None:
            patience = check_integer("Stop", "patience", self.patience, minimum=1)
            object.__setattr__(self, "patience", patience)
        if self.target is not None:
            object.__setattr__(self, "target", check_finite("Stop", "target", _item(self.target)))
        if self.seconds is not None:
            seconds = check_positive("Stop", "seconds", _item(self.seconds), example=60.0)
            object.__setattr__(self, "seconds", seconds)

    @property
    def watches(self) -> bool:
        """Whether it looks at the validation at all."""
        return self.patience is not None or self.target is not None


def _item(value: Any) -> Any:
    """The number in an array of one; anything else as it is."""
    is_number = isinstance(value, jax.Array | np.ndarray) and value.shape == () and concrete(value)
    return value.item() if is_number else value


class Evaluation(NamedTuple):
    """What an evaluation computes; fixed when a run is compiled.

    Attributes:
      model: The Model; it is applied without a key, so nothing is random.
      loss: The loss.
      metrics: Pairs of a name and a metric.
      batch_size: Examples whose activations are held at a time.
      stop: What is watched to end the run early, or None.
    """

    model: Model
    loss: Loss
    metrics: tuple[tuple[str, Any], ...]
    batch_size: int
    stop: Stop | None


class Best(NamedTuple):
    """The best evaluation so far.

    Attributes:
      value: Its value, signed so that lower is better; infinite before the first.
      params: Its parameters.
      step: Updates made by then.
      since: Evaluations since then.
      reached: Whether the target was reached.
    """

    value: jax.Array
    params: Params
    step: jax.Array
    since: jax.Array
    reached: jax.Array


def make_evaluation(
    function: str,
    model: Model,
    loss: Loss,
    metrics: Metrics | None,
    validation: Any,
    batching: Batching,
    stop: Any,
    validate_every: int | None,
) -> Evaluation | None:
    """The evaluation that the arguments of `fit` ask for, checked; None if they ask for none."""
    if stop is not None and not isinstance(stop, Stop):
        remedy = "Pass jn.Stop(patience=5)."
        fail(function, "stop", "be a Stop", describe(stop), remedy, error=ArgumentTypeError)
    watched = stop if stop is not None and stop.watches else None
    metrics = _checked_metrics(function, {} if metrics is None else metrics)
    if validation is None:
        _check_unused(function, metrics or None, watched, validate_every)
    if stop is not None:
        check_choice(function, "stop.metric", stop.metric, ("loss", *metrics))
    if validation is None:
        return None
    size = max(batching.size, EVALUATION_BATCH)
    return Evaluation(model, loss, tuple(metrics.items()), size, watched)


def _check_unused(function: str, metrics: Any, stop: Any, validate_every: Any) -> None:
    """Raises if anything is given that asks for validation data, where there are none."""
    given = {"metrics": metrics, "stop": stop, "validate_every": validate_every}
    for argument in (name for name, value in given.items() if value is not None):
        rule = "come with validation data to be evaluated on"
        fail(function, argument, rule, "none", "Pass validation=(x, y), the training data even.")


def _checked_metrics(function: str, metrics: Any) -> dict[str, Any]:
    if not isinstance(metrics, Mapping):
        fail(
            function,
            "metrics",
            "be a dict of functions by name",
            metrics,
            'Pass metrics={"accuracy": jn.metrics.accuracy}.',
            error=ArgumentTypeError,
        )
    for name, metric in metrics.items():
        check_text(function, f"the name {name!r} in metrics", name, example="accuracy")
        check_callable(function, f"metrics[{name!r}]", metric, "Pass jn.metrics.accuracy.")
        check_hashable(function, f"metrics[{name!r}]", metric)
    if reserved := {"step", "epoch", "loss"} & metrics.keys():
        rule = "have names other than step, epoch and loss"
        fail(function, "metrics", rule, sorted(reserved), "Rename them.")
    return dict(metrics)


def steps_between_evaluations(
    function: str, validate_every: int | None, record_every: int, batching: Batching
) -> int:
    """Once every so many records; by default once an epoch, or with every record."""
    if validate_every is not None:
        every = check_integer(function, "validate_every", validate_every, minimum=1)
        return every * record_every
    return batching.per_epoch if batching.shuffled else record_every


def evaluate(evaluation: Evaluation, params: Params, data: Any) -> dict[str, jax.Array]:
    """The loss and the metrics on all of ``data``.

    Predictions are made batch by batch, so that memory is bounded by a batch's activations;
    loss and metrics then see them all, so that any metric is exact.
    """
    x, y = data
    predictions = predict_in_batches(evaluation.model, params, x, evaluation.batch_size)
    row = {"loss": evaluation.loss(predictions, y)}
    return row | {name: jnp.asarray(metric(predictions, y)) for name, metric in evaluation.metrics}


def predict_in_batches(model: Model, params: Params, x: Any, size: int) -> Any:
    """``model.apply`` on all of ``x``, a slice at a time."""
    examples = len(jax.tree.leaves(x)[0])
    full, rest = divmod(examples, size)

    def predict(start: Any, length: int) -> Any:
        part = jax.tree.map(lambda leaf: lax.dynamic_slice_in_dim(leaf, start, length), x)
        return model.apply(params, part)

    parts = []
    if full:
        stacked = lax.map(lambda i: predict(i * size, size), jnp.arange(full))
        parts.append(jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:]), stacked))
    if rest:
        parts.append(predict(full * size, rest))
    return jax.tree.map(lambda *leaves: jnp.concatenate(leaves), *parts)


def no_best(params: Params) -> Best:
    """What stands in for the best evaluation before there is one."""
    count = jnp.zeros((), jnp.int32)
    return Best(jnp.array(jnp.inf), params, count, count, jnp.array(False))


def judge(
    stop: Stop, row: dict[str, jax.Array], params: Params, step: jax.Array, best: Best
) -> tuple[Best, jax.Array]:
    """The best evaluation so far and whether the run goes on; a NaN is never the best."""
    sign = 1.0 if stop.mode == "min" else -1.0
    value = sign * row[stop.metric].astype(best.value.dtype)
    better = value < best.value
    reached = jnp.array(False) if stop.target is None else value <= sign * stop.target
    new = Best(value, params, step, jnp.zeros_like(best.since), reached)
    old = best._replace(since=best.since + 1, reached=reached)
    best = jax.tree.map(lambda a, b: jnp.where(better, a, b), new, old)
    going = ~reached
    if stop.patience is not None:
        going &= best.since < stop.patience
    return best, going
