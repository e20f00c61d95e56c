"""A trained model on data of any size: its outputs, its loss and its metrics.

Arrays of the device stay there. Those of the host, NumPy's or memory maps, are fed to it batch by
batch, so that they may be larger than its memory, and so may what comes of them.
"""

import operator
from collections.abc import Iterator, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets.checks import check_integer
from jaxnets.contracts.calls import check_values
from jaxnets.errors import ArgumentTypeError, describe, fail, inside, public, require
from jaxnets.model import Loss, Model, Params
from jaxnets.training.arguments import check_metrics, check_trial
from jaxnets.training.compiled import compiled_for
from jaxnets.training.evaluation import EVALUATION_BATCH, Metric
from jaxnets.training.evaluation import predict as predict_slices
from jaxnets.training.inputs import check_like, load_data, moves_data
from jaxnets.training.objective import Objective, as_objective, loss_of

__all__ = ["evaluate", "predict"]


@public
@moves_data
def predict(model: Model, params: Params, x: Any, *, batch_size: int | None = None) -> Any:
    """The outputs of a model without a key, made in batches.

    Args:
      model: The Model.
      params: Its parameters.
      x: Inputs ``[examples, ...]``, an array or a pytree of arrays. On the device all is one
        compiled call; NumPy arrays and memory maps are read, checked and moved a batch at a time.
      batch_size: Examples whose activations are held at a time; None for 1,024. A model whose
        outputs are not one row per example sees all at once, unless this is given.

    Returns:
      What ``model.apply(params, x)`` returns, to rounding: arrays of the device if x is there, and
      NumPy arrays if x is on the host.

    Raises:
      ValueError: If x is empty, not finite, or of another width than the parameters were made
        for, or there are batches but no output row per example.
      TypeError: If an argument has the wrong type, or x is being traced.

    Example:
      >>> net = jn.dense(2)
      >>> params = net.init(jax.random.key(0), jnp.zeros((1, 3)))
      >>> x = np.ones((5000, 3), np.float32)  # or np.load("x.npy", mmap_mode="r")
      >>> type(predict(net, params, x)).__name__, predict(net, params, x).shape
      ('ndarray', (5000, 2))
    """
    check_trial(model)
    return _predict(model, params, x, _checked_size(batch_size))


@public
@moves_data
def evaluate(
    model: Model,
    params: Params,
    loss: Loss | Objective,
    data: Any,
    *,
    metrics: Mapping[str, Metric] | None = None,
    batch_size: int | None = None,
) -> dict[str, np.ndarray]:
    """The loss and the metrics of a model on data, as ``Fit.scores`` has them.

    Predictions are made in batches, as by `predict`; loss and metrics then see them all, so that
    any metric is exact. Predictions and targets must therefore fit on the device; inputs need not.

    Args:
      model: The Model.
      params: Its parameters.
      loss: A loss of predictions and targets, or an `objective`, which is called without a key on
        all data at once, or if ``batch_size`` is given on each batch: value and scalars are then
        the means over the examples.
      data: Inputs and targets ``(x, y)``, or what the objective takes.
      metrics: ``metric(predictions, targets)`` by name.
      batch_size: As in `predict`.

    Returns:
      NumPy arrays by name: ``"loss"``, the scalars of an objective, and the metrics.

    Raises:
      ValueError: As `predict`; or if lengths differ or a target means nothing to loss or metric.
      TypeError: As `predict`; or if a metric is asked for of other data than a pair ``(x, y)``.

    Example:
      >>> (x, y), (x_test, y_test) = jn.data.digits()
      >>> net = jn.sequential(jn.flatten(), jn.dense(10))
      >>> params = net.init(jax.random.key(0), x)
      >>> metrics = {"accuracy": jn.metrics.accuracy}
      >>> scores = evaluate(net, params, jn.losses.cross_entropy, (x_test, y_test), metrics=metrics)
      >>> list(scores), scores["loss"].shape
      (['loss', 'accuracy'], ())
    """
    check_trial(model, loss)
    named = {} if metrics is None else check_metrics(metrics)
    size, compared = _checked_size(batch_size), loss_of(loss)
    judges = named if compared is None else {"loss": compared, **named}
    pair = isinstance(data, tuple | list) and len(data) == 2
    rule, remedy = "be a pair (x, y) of inputs and targets", "Pass data=(x, y)."
    require(pair or not judges, "data", rule, describe(data), remedy, error=ArgumentTypeError)
    examples = _examples("data", data)
    row: dict[str, Any] = {}
    if compared is None:
        row = _objective(as_objective(model, loss), params, data, size or examples)
    taken = sorted(row.keys() & named.keys())
    rule, remedy = "have names other than the objective's scalars", "Rename them."
    require(not taken, "metrics", rule, taken, remedy)
    if judges:
        row |= _judged(judges, _predict(model, params, data[0], size), data[1])
    return {name: _measure(name, value) for name, value in row.items()}


def _judged(judges: dict[str, Metric], predictions: Any, y: Any) -> dict[str, Any]:
    """What loss and metrics make of all predictions, once the targets are known to be good."""
    predictions = jax.tree.map(jnp.asarray, predictions)
    y = load_data(y, argument="y", pair=False)
    for function in judges.values():
        check_values(function, predictions, y)
    return {name: function(predictions, y) for name, function in judges.items()}


def _measure(name: str, value: Any) -> np.ndarray:
    """A loss or a metric as an array of the host."""
    good = isinstance(value, jax.Array | np.ndarray | np.generic | int | float)
    remedy = "Pick one with lambda predictions, targets: metric(predictions, targets)[0]."
    got = f"a {type(value).__name__}"
    require(good, f"metrics[{name!r}]", "return one array", got, remedy, error=ArgumentTypeError)
    return np.asarray(value)


def _objective(goal: Objective, params: Params, data: Any, size: int) -> dict[str, Any]:
    """The value and the scalars of an objective: over batches, their means over the examples."""
    total: dict[str, Any] = {}
    examples = _examples("data", data)
    for batch, count in _batches("data", data, size):
        value, scalars = _called(goal)(params, batch)
        for name, part in {"loss": value, **scalars}.items():
            total[name] = total.get(name, 0.0) + part * (count / examples)
    return total


def _predict(model: Model, params: Params, x: Any, size: int | None) -> Any:
    """The outputs for all of x, where x is."""
    leaves = jax.tree.leaves((params, x))
    if any(isinstance(leaf, jax.core.Tracer) for leaf in leaves):
        rule, remedy = "hold values, outside of jax.jit", "Call model.apply(params, x) there."
        fail("x", rule, "a traced array", remedy, error=ArgumentTypeError)
    examples, most = _examples("x", x), size or EVALUATION_BATCH
    on_device = all(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(x))
    first, count = next(_batches("x", x, examples if on_device else most))
    rows = _check_fits(model, params, first, count)
    rule = "be None for a model whose outputs are not one row per example"
    require(rows or size is None, "batch_size", rule, size, "Leave it out.")
    if on_device:
        return _sliced((model, most))(params, first)
    batches = _batches("x", x, most if rows else examples)
    parts = [jax.device_get(_applied(model)(params, batch)) for batch, _ in batches]
    return jax.tree.map(lambda *own: own[0] if len(own) == 1 else np.concatenate(own), *parts)


def _check_fits(model: Model, params: Params, x: Any, examples: int) -> bool:
    """Raise unless parameters are of the width of x; true if outputs are one row per example."""
    shapes = _made(model).eval_shape(jax.random.key(0), x)
    remedy = "Pass x of the width that params were made for."
    check_like("params", params, shapes, remedy, finite=False)
    outputs = jax.tree.leaves(_applied(model).eval_shape(params, x))
    return all(leaf.shape[:1] == (examples,) for leaf in outputs)


@compiled_for
def _made(model: Any, key: Any, x: Any) -> Any:
    return model.init(key, x)


@compiled_for
def _applied(model: Any, params: Params, x: Any) -> Any:
    return model.apply(params, x)


@compiled_for
def _sliced(fixed: Any, params: Params, x: Any) -> Any:
    model, size = fixed
    return predict_slices(model, params, x, size)


@compiled_for
def _called(goal: Any, params: Params, batch: Any) -> Any:
    return goal(params, batch)


def _checked_size(batch_size: Any) -> int | None:
    return None if batch_size is None else check_integer("batch_size", batch_size, minimum=1)


def _examples(argument: str, data: Any) -> int:
    """The number of examples, once all arrays are known to have as many.

    Stand-ins of a byte per example are asked, because the data may be too large to be loaded.
    """
    lengths = jax.tree.map(lambda leaf: np.zeros(np.shape(leaf)[:1], np.bool_), data)
    load_data(lengths, argument=argument, pair=False)
    return len(jax.tree.leaves(lengths)[0])


def _batches(argument: str, data: Any, size: int) -> Iterator[tuple[Any, int]]:
    """Batches of data on the device, each checked as `fit` checks its data, and their lengths."""
    examples = len(jax.tree.leaves(data)[0])
    if size >= examples:
        yield load_data(data, argument=argument, pair=False), examples
        return
    for start in range(0, examples, size):
        part = slice(start, min(start + size, examples))
        with inside(f"examples {part.start} to {part.stop - 1}"):
            batch = jax.tree.map(operator.itemgetter(part), data)
            loaded = load_data(batch, argument=argument, pair=False)
        yield loaded, part.stop - part.start
