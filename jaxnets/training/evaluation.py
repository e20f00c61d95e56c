"""Judging a model on data it does not learn from, inside the compiled run."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxnets.checks import (
    check_choice,
    check_finite,
    check_integer,
    check_nonnegative,
    check_positive,
    check_text,
)
from jaxnets.contracts.calls import better_way
from jaxnets.errors import ArgumentTypeError, concrete, describe, named, require
from jaxnets.model import Model, Params
from jaxnets.training.networks import all_equal, chosen
from jaxnets.training.objective import Objective, Supervised
from jaxnets.training.weights import with_weights

__all__ = [
    "EVALUATION_BATCH",
    "Evaluation",
    "Judged",
    "Metric",
    "Stop",
    "check_stop",
    "evaluate",
    "judge",
    "not_judged",
]

Metric = Callable[[Any, Any], jax.Array]
"""``metric(predictions, targets) -> array``; a scalar, if a run may end by it."""

EVALUATION_BATCH = 1024
"""Validation examples whose activations are held at a time, at least."""


@dataclass(frozen=True)
class Stop:
    """The conditions on which a run ends before its last step.

    Attributes:
      metric: The column of the validation that is watched, ``"loss"`` or the name of a metric or
        of a scalar of the objective.
      mode: ``"min"`` or ``"max"``, whichever is better. Needed where the metric does not say it;
        the loss, other losses, `accuracy` and `r2` do.
      patience: Evaluations without an improvement after which the run ends; one counts only if
        something was updated since the last, and NaN is no improvement. The parameters returned
        are then those of the best evaluation, at whatever point the run ends.
      target: The run ends once the value is this good.
      seconds: The run ends after this much wall time, at the end of a chunk.
      min_delta: What a value must be better by, and more than that, to be an improvement on the
        last one. The best evaluation is the best by any margin.
      start_after: Steps before which no evaluation is looked at: none of them is the best one,
        reaches the target or counts for ``patience``.
      baseline: The value that the first improvement is one on. The best evaluation need not
        beat it.

    Raises:
      ValueError: If nothing would ever end the run, a value does not fit, or one is given that
        another needs.

    Example:
      >>> Stop(metric="accuracy", patience=5, min_delta=0.001, start_after=200).patience
      5
    """

    metric: str = "loss"
    mode: str | None = None
    patience: int | None = None
    target: float | None = None
    seconds: float | None = None
    min_delta: float = 0.0
    start_after: int = 0
    baseline: float | None = None

    @named("Stop")
    def __post_init__(self) -> None:
        check_text("metric", self.metric, example="loss")
        if self.mode is not None:
            check_choice("mode", self.mode, ("min", "max"))
        given = not self.patience is self.target is self.seconds is None
        require(given, "patience", "be given, or target, or seconds", "none", "Pass patience=5.")
        # Stored as plain numbers: a Stop is part of the cache key of a compiled program.
        if self.patience is not None:
            self._store("patience", check_integer("patience", self.patience, minimum=1))
        if self.target is not None:
            self._store("target", check_finite("target", _item(self.target)))
        if self.seconds is not None:
            self._store("seconds", check_positive("seconds", _item(self.seconds), example=60.0))
        self._store("min_delta", check_nonnegative("min_delta", _item(self.min_delta)))
        self._store("start_after", check_integer("start_after", self.start_after, minimum=0))
        if self.baseline is not None:
            self._store("baseline", check_finite("baseline", _item(self.baseline)))
        self._check_used()

    def _check_used(self) -> None:
        """Raise if anything is given that what is not given would use."""
        patient = self.patience is not None
        used = {"min_delta": patient, "baseline": patient, "start_after": self.watches}
        for name, good in used.items():
            good |= getattr(self, name) == getattr(Stop, name)
            require(good, "patience", f"be given beside {name}", "none", "Pass patience=5.")

    def _store(self, name: str, number: float) -> None:
        object.__setattr__(self, name, number)

    @property
    def watches(self) -> bool:
        """True if it looks at the validation."""
        return self.patience is not None or self.target is not None


def check_stop(stop: Any) -> None:
    """Raise unless ``stop`` is a Stop or None."""
    good = stop is None or isinstance(stop, Stop)
    remedy = "Pass jn.Stop(patience=5)."
    require(good, "stop", "be a Stop", describe(stop), remedy, error=ArgumentTypeError)


def _item(value: Any) -> Any:
    """The number in an array of one; anything else as it is."""
    is_number = isinstance(value, jax.Array | np.ndarray) and value.shape == () and concrete(value)
    return value.item() if is_number else value


class Evaluation(NamedTuple):
    """The settings of evaluations; fixed when a run is compiled.

    Attributes:
      metrics: Pairs of a name and a metric.
      batch_size: Examples in a batch of the training.
      stop: The part of it that watches evaluations to end the run early, or None.
    """

    metrics: tuple[tuple[str, Metric], ...]
    batch_size: int
    stop: Stop | None

    @property
    def slice_size(self) -> int:
        """Examples whose activations are held at a time."""
        return max(self.batch_size, EVALUATION_BATCH)

    def directed(self) -> "Evaluation":
        """The settings with a stop that knows which way is better."""
        if self.stop is None or self.stop.mode is not None:
            return self
        mode = better_way(dict(self.metrics).get(self.stop.metric))
        if self.stop.metric == "loss":
            mode = "min"
        rule, remedy = f"say which way {self.stop.metric!r} is better", 'Pass mode="max", or "min".'
        require(mode is not None, "stop.mode", rule, "none", remedy)
        return self._replace(stop=replace(self.stop, mode=mode))


class Judged(NamedTuple):
    """The verdict of the evaluations so far on one network.

    Attributes:
      value: The best value, signed so that lower is better; the largest number before the first.
      params: The parameters of the best evaluation.
      seen: The parameters of the last evaluation; before the first, those of the start.
      step: Steps made by the best evaluation, 0 before the first.
      mark: The value of the last improvement, signed likewise; before the first, the baseline.
      since: Evaluations since then, of parameters that were updated.
      reached: Whether the target was reached.
      stopped_at: Steps made when the run ended by this verdict, or -1.
    """

    value: jax.Array
    params: Params
    seen: Params
    step: jax.Array
    mark: jax.Array
    since: jax.Array
    reached: jax.Array
    stopped_at: jax.Array


def not_judged(stop: Stop, params: Params) -> Judged:
    """The verdict before there is one, for a stop that knows which way is better."""
    count = jnp.zeros((), jnp.int32)
    worst = jnp.array(np.finfo(jnp.result_type(float)).max)  # an infinity would trip jax_debug_infs
    mark = worst if stop.baseline is None else jnp.asarray(_sign(stop) * stop.baseline, worst.dtype)
    return Judged(worst, params, params, count, mark, count, jnp.array(False), count - 1)


def judge(
    stop: Stop, row: dict[str, jax.Array], params: Params, step: jax.Array, judged: Judged
) -> Judged:
    """The verdict after one more evaluation; a NaN is never better."""
    value = _sign(stop) * row[stop.metric].astype(judged.value.dtype)
    best = (judged.value, judged.params, judged.step)
    best = chosen(value < judged.value, (value, params, step), best)
    improved = value < judged.mark - stop.min_delta
    # A model without parameters is as it is.
    moved = ~all_equal(params, judged.seen) if jax.tree.leaves(params) else jnp.array(True)
    since = jnp.where(improved, 0, judged.since + moved.astype(judged.since.dtype))
    reached = jnp.array(False) if stop.target is None else value <= _sign(stop) * stop.target
    ends = reached if stop.patience is None else reached | (since >= stop.patience)
    new = Judged(
        value=best[0],
        params=best[1],
        seen=params,
        step=best[2],
        mark=jnp.where(improved, value, judged.mark),
        since=since,
        reached=reached,
        stopped_at=jnp.where(ends, step, -1),
    )
    looked_at: Judged = chosen(step >= stop.start_after, new, judged) if stop.start_after else new
    return looked_at


def _sign(stop: Stop) -> float:
    """What a value is multiplied by for lower to be better."""
    return 1.0 if stop.mode == "min" else -1.0


def evaluate(
    model: Model, objective: Objective, evaluation: Evaluation, params: Params, data: Any
) -> dict[str, jax.Array]:
    """The objective, its scalars and the metrics on all of ``data``, without a key.

    Predictions are made slice by slice where they are one row per example, so that memory is
    bounded by the activations of a slice; loss and metrics then see them all, with all weights if
    there are any, so that any metric is exact.
    """
    judges = dict(evaluation.metrics)
    if isinstance(objective.function, Supervised):
        judges = {"loss": objective.function.loss, **judges}
        row = {}
    else:
        value, scalars = objective(params, data)
        row = {"loss": value, **scalars}
    if judges:
        x, y, *weights = data
        predictions = predict(model, params, x, evaluation.slice_size)
    for name, function in judges.items():
        row[name] = jnp.asarray(with_weights(function, *weights)(predictions, y))
    return row


def predict(model: Model, params: Params, x: Any, size: int) -> Any:
    """``model.apply`` on all of ``x``, in slices of ``size`` examples where it gives rows."""
    examples = len(jax.tree.leaves(x)[0])
    full, rest = divmod(examples, size)
    if examples <= size or not _gives_rows(model, params, x, examples):
        return model.apply(params, x)

    def of_slice(start: Any, length: int) -> Any:
        part = jax.tree.map(lambda leaf: lax.dynamic_slice_in_dim(leaf, start, length), x)
        return model.apply(params, part)

    stacked = lax.map(lambda i: of_slice(i * size, size), jnp.arange(full))
    parts = [jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:]), stacked)]
    if rest:
        parts.append(of_slice(full * size, rest))
    return jax.tree.map(lambda *leaves: jnp.concatenate(leaves), *parts)


def _gives_rows(model: Model, params: Params, x: Any, examples: int) -> bool:
    """True if every output has one row per example."""
    shapes = jax.tree.leaves(jax.eval_shape(model.apply, params, x))
    return all(leaf.shape[:1] == (examples,) for leaf in shapes)
