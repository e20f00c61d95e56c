"""Checks that the parts of a run fit together: they are traced before anything is compiled."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxnets.checks import check_choice
from jaxnets.errors import ArgumentError, ArgumentTypeError, describe, fail, inside, require
from jaxnets.losses.contract import check_values
from jaxnets.model import Model
from jaxnets.paths import named_leaves
from jaxnets.training.batching import Batching
from jaxnets.training.compiled import compiled_for
from jaxnets.training.evaluation import Evaluation
from jaxnets.training.inputs import check_like
from jaxnets.training.objective import Objective, Supervised, as_objective, loss_of
from jaxnets.training.program import Values
from jaxnets.training.step import TrainState, in_float32
from jaxnets.training.trial import Build, Trial
from jaxnets.training.weights import Compared, check_takes_weights, with_weights

__all__ = [
    "check_evaluations",
    "check_made",
    "check_shown",
    "check_targets",
    "check_training",
    "check_update",
    "judges",
]


@dataclass(frozen=True)
class Making:
    """The making of a trial, as a function of arrays to nothing; equal for equal builds."""

    build: Build

    def __call__(self, values: Values) -> Any:
        """Make a trial of hyperparameters."""
        self.build(**values)
        return ()


def check_made(build: Build, names: Iterable[str]) -> None:
    """Raise unless a trial can be made of hyperparameters whose values are traced."""
    shape = jax.ShapeDtypeStruct((), jnp.float32, weak_type=True)
    output_shapes("trial", Making(build), dict.fromkeys(names, shape))


def check_training(trial: Trial, params: Any, key: Any, data: Any, batching: Batching) -> Any:
    """Raise unless model and objective fit the data; ``params`` are shapes.

    Returns:
      The shapes of the predictions; None for an objective.
    """
    goal = as_objective(trial.model, trial.loss)
    if goal.gradient is None:
        _check_differentiable(params)
    else:
        _check_gradient(goal.gradient, params, _batch(data, batching.size), key)
    if isinstance(goal.function, Supervised):
        return _check_loss(trial.model, goal.function.loss, params, data, key)
    names = _check_objective(goal, params, _batch(data, batching.size), key)
    if batching.rest:
        rest = _check_objective(goal, params, _batch(data, batching.rest), key)
        require(
            rest == names,
            "loss",
            "return scalars of the same names at every step",
            f"{sorted(names)} and then {sorted(rest)}",
            "Return every scalar from every branch.",
        )
    return None


def _batch(data: Any, size: int) -> Any:
    """The shapes of a batch of this size."""
    return jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct((size, *leaf.shape[1:]), leaf.dtype), data
    )


def _check_differentiable(params: Any) -> None:
    """Raise at the first parameter that has no real gradient."""
    for path, leaf in named_leaves(params).items():
        if not jnp.issubdtype(leaf.dtype, jnp.floating):
            remedy = "Leave it out of params, in a variable of the model's functions."
            if jnp.issubdtype(leaf.dtype, jnp.complexfloating):
                remedy = "Keep its real and imaginary part as two parameters."
            rule = f"have floating parameters at {path!r}"
            fail("model", rule, leaf, remedy, error=ArgumentTypeError)


def _check_loss(model: Model, loss: Any, params: Any, data: Any, key: Any) -> Any:
    """Raise unless model and loss fit the data; return the shapes of the predictions."""
    x, *targets = data
    predictions = _applied(model).eval_shape(params, x, key)
    if len(targets) > 1:
        check_takes_weights("loss", loss)
    value = output_shapes("loss", Compared(loss), predictions, *targets)
    if not _is_floating_scalar(value):
        rule, remedy = "return a floating scalar", 'Reduce it with reduction="mean", or .mean().'
        fail("loss", rule, _shown(value), remedy, error=ArgumentTypeError)
    return predictions


@compiled_for
def _applied(model: Any, params: Any, x: Any, key: Any) -> Any:
    return model.apply(params, x, key=key)


def _check_objective(goal: Objective, params: Any, batch: Any, key: Any) -> frozenset[str]:
    """Raise unless the objective gives a scalar and named scalars; return their names."""
    value, scalars = output_shapes("loss", _by_position(goal), params, batch, key)
    if not _is_floating_scalar(value):
        rule = "return a floating scalar, or one and a dict of scalars"
        fail("loss", rule, _shown(value), "Reduce it with .mean().", error=ArgumentTypeError)
    good = isinstance(scalars, dict) and all(
        isinstance(name, str) and getattr(leaf, "shape", None) == ()
        for name, leaf in scalars.items()
    )
    if not good:
        rule, remedy = "return its scalars as a dict by name", 'Return (value, {"name": scalar}).'
        fail("loss", rule, _shown(scalars), remedy, error=ArgumentTypeError)
    taken = sorted({"step", "epoch", "loss", "gradient_norm"} & scalars.keys())
    rule = "name its scalars other than step, epoch, loss and gradient_norm"
    require(not taken, "loss", rule, taken, "Rename them.")
    return frozenset(scalars)


def _by_position(function: Callable[..., Any]) -> Callable[..., Any]:
    """``function`` with its key as the third argument."""
    return lambda params, batch, key: function(params, batch, key=key)


def _check_gradient(gradient: Callable[..., Any], params: Any, batch: Any, key: Any) -> None:
    """Raise unless a gradient of one's own returns a result and a gradient like ``params``."""
    result = output_shapes("value_and_grad", _by_position(gradient), params, batch, key)
    good = isinstance(result, tuple | list) and len(result) == 2
    if good:
        value = result[0][0] if isinstance(result[0], tuple) else result[0]
        good = _is_floating_scalar(value) and _are_alike(result[1], params)
    if not good:
        rule = "return a floating scalar and a gradient of the shapes of params"
        remedy = "Return (loss, gradient), as jax.value_and_grad does."
        fail("value_and_grad", rule, _shown(result), remedy, error=ArgumentTypeError)


def _are_alike(gradient: Any, params: Any) -> bool:
    """True if a gradient has the structure and shapes of the parameters, and is floating."""
    got, want = named_leaves(gradient), named_leaves(params)
    return got.keys() == want.keys() and all(
        got[path].shape == leaf.shape and jnp.issubdtype(got[path].dtype, jnp.floating)
        for path, leaf in want.items()
    )


def check_update(optimizer: optax.GradientTransformation, params: Any) -> None:
    """Raise unless the optimizer can be traced on ``params``, given as shapes."""
    wide = optax.with_extra_args_support(optimizer)

    def update(params: Any) -> Any:
        more = {"value": jnp.zeros(()), "grad": params, "value_fn": lambda params: jnp.zeros(())}
        return wide.update(params, wide.init(params), params, **more)[0]

    try:
        output_shapes("optimizer", update, params)
    except ArgumentError:
        raise
    except (TypeError, ValueError) as error:
        rule = "update parameters from their gradient, the value and the objective"
        got, remedy = str(error).split("\n", 1)[0], "Pass one such as optax.adam(0.001)."
        fail("optimizer", rule, got, remedy, error=ArgumentTypeError)


def check_shown(eval_params: Any, optimizer: Any, params: Any, key: Any) -> None:
    """Raise unless ``eval_params`` gives parameters like those of a state of these shapes."""
    step: Any = jax.ShapeDtypeStruct((), jnp.int32)
    state = TrainState(params, jax.eval_shape(in_float32(optimizer).init, params), key, step)
    shown = output_shapes("eval_params", eval_params, state)
    remedy = "Return parameters of the model from eval_params(state)."
    check_like("eval_params", shown, params, remedy, finite=False)


def check_evaluations(
    trial: Trial, evaluation: Evaluation | None, params: Any, validation: Any
) -> tuple[Any, dict[str, Any]]:
    """Raise unless model, objective and metrics fit the validation data.

    Returns:
      The shapes of the predictions, None where there are none, and those of a row.
    """
    predictions: Any = None
    row: dict[str, Any] = {}
    if evaluation is None:
        return predictions, row
    goal = as_objective(trial.model, trial.loss)
    with inside("validation"):
        if isinstance(goal.function, Supervised):
            loss = goal.function.loss
            predictions = _check_loss(trial.model, loss, params, validation, None)
        else:
            names = _check_objective(goal, params, validation, None)
            row = dict.fromkeys(sorted(names), jax.ShapeDtypeStruct((), jnp.float32))
            if evaluation.metrics:
                predictions = _applied(trial.model).eval_shape(params, validation[0], None)
    taken = sorted(row.keys() & dict(evaluation.metrics).keys())
    rule, remedy = "have names other than the objective's scalars", "Rename them."
    require(not taken, "metrics", rule, taken, remedy)
    for name, metric in evaluation.metrics:
        if len(validation) > 2:
            check_takes_weights(f"metrics[{name!r}]", metric)
        value = output_shapes(f"metrics[{name!r}]", Compared(metric), predictions, *validation[1:])
        _check_metric(name, value)
        row[name] = value
    if evaluation.stop is not None and evaluation.stop.metric != "loss":
        watched = check_choice("stop.metric", evaluation.stop.metric, ("loss", *row))
        _check_watched(watched, row[watched])
    return predictions, row


def check_targets(trial: Trial, evaluation: Evaluation | None, predictions: Any, data: Any) -> None:
    """Raise at the first target that loss or metrics cannot take.

    Args:
      trial: The trial.
      evaluation: The settings of evaluations where the data are validation data, or None.
      predictions: The predictions, or their shapes; None for an objective of other data.
      data: Inputs and targets, and weights if there are any.
    """
    if predictions is not None:
        _, y, *weights = data
        for function in judges(trial, evaluation):
            check_values(with_weights(function, *weights), predictions, y)


def judges(trial: Trial, evaluation: Evaluation | None) -> list[Callable[..., Any]]:
    """The functions that compare predictions with targets: a loss and the metrics."""
    loss = loss_of(trial.loss)
    metrics = () if evaluation is None else evaluation.metrics
    return [*([] if loss is None else [loss]), *(metric for _, metric in metrics)]


def _check_metric(name: str, value: Any) -> None:
    """Raise unless a metric returns an array."""
    if not hasattr(value, "shape"):
        rule, got = "return one array", f"a {type(value).__name__}"
        remedy = "Pick one with lambda predictions, targets: metric(predictions, targets)[0]."
        fail(f"metrics[{name!r}]", rule, got, remedy, error=ArgumentTypeError)


def _check_watched(name: str, value: Any) -> None:
    rule, got = "name a metric that returns a scalar", f"{describe(value)} from {name!r}"
    remedy = "Reduce it with lambda predictions, targets: metric(predictions, targets).mean()."
    require(not value.shape, "stop.metric", rule, got, remedy)


class _NotAnArray(Exception):
    """Something that no compiled function can return."""


def _arrays(function: Callable[..., Any], *args: Any) -> Any:
    result = function(*args)
    for leaf in jax.tree.leaves(result):
        if not isinstance(leaf, jax.Array | np.ndarray | np.generic | int | float | complex):
            raise _NotAnArray(describe(leaf))
    return result


_traced = compiled_for(_arrays)


def output_shapes(argument: str, function: Callable[..., Any], *args: Any) -> Any:
    """The shapes that ``function(*args)`` returns; traced once for arguments of one shape."""
    try:
        return _traced(function).eval_shape(*args)
    except _NotAnArray as error:
        remedy = "Return arrays of numbers."
        fail(argument, "return arrays", str(error), remedy, error=ArgumentTypeError)
    except (jax.errors.JAXTypeError, jax.errors.JAXIndexError) as error:
        rule, got = "be a function that jax.jit can trace", f"a {type(error).__name__}"
        remedy = "Compute with jax.numpy, and choose with jnp.where rather than if."
        fail(argument, rule, got, remedy, error=ArgumentTypeError)


def _is_floating_scalar(value: Any) -> bool:
    """True if a shape is that of one floating number."""
    return getattr(value, "shape", None) == () and jnp.issubdtype(value.dtype, jnp.floating)


def _shown(tree: Any) -> str:
    return describe(tree) if hasattr(tree, "shape") else str(jax.tree.map(describe, tree))
