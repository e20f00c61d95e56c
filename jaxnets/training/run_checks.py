"""Whether the parts of a run fit together, found by tracing them before anything is compiled."""

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxnets.checks import ArgumentTypeError, describe, fail, inside
from jaxnets.losses.contract import check_values
from jaxnets.model import Model, Params
from jaxnets.training.compiled import compiled_for
from jaxnets.training.evaluation import Evaluation
from jaxnets.training.inputs import check_finite_params
from jaxnets.training.paths import named_leaves
from jaxnets.training.shapes import is_floating_scalar, output_shapes
from jaxnets.training.task import Task

__all__ = [
    "check_builder",
    "check_fit_together",
    "check_params",
    "check_update",
    "initial_shapes",
    "stacked",
]


def initial_shapes(model: Model, key: Any, x: Any) -> Any:
    """The shapes of the parameters that ``model.init`` makes."""
    return jax.eval_shape(model.init, key, x)


def stacked(shapes: Any, length: int) -> Any:
    """Shapes with a leading axis more."""
    return jax.tree.map(lambda one: jax.ShapeDtypeStruct((length, *one.shape), one.dtype), shapes)


def check_params(
    function: str,
    params: Params,
    expected: Any,
    remedy: str = "Pass params made by this model's init for data of this width.",
) -> None:
    """Raises at the first path where ``params`` are not of the ``expected`` shapes, or finite."""
    got, want = named_leaves(params), named_leaves(expected)
    for path in sorted(got.keys() | want.keys()):
        if path not in got or path not in want or not _fits(got[path], want[path]):
            here = describe(want[path]) if path in want else "nothing"
            there = describe(got[path]) if path in got else "nothing"
            fail(function, "params", f"have {here} at {path!r}, as model.init gives", there, remedy)
    check_finite_params(function, params)


def _fits(leaf: Any, expected: Any) -> bool:
    """Whether a leaf has the expected shape and is of its kind: floating, say."""
    if not isinstance(leaf, jax.Array):
        leaf = np.asarray(leaf)
    kinds = (jnp.floating, jnp.integer, jnp.complexfloating, jnp.bool_, jax.dtypes.prng_key)
    same_kind = any(
        jnp.issubdtype(leaf.dtype, kind) and jnp.issubdtype(expected.dtype, kind) for kind in kinds
    )
    return leaf.shape == expected.shape and same_kind


def check_fit_together(
    function: str,
    model: Model,
    loss: Any,
    value_and_grad: Any,
    task: Task,
    params: Any,
    key: Any,
) -> dict[str, Any]:
    """Raises unless all functions fit the data; ``params`` are shapes.

    Returns:
      The shapes of what an evaluation gives, by name; none if there is none.
    """
    if value_and_grad is None:
        _check_differentiable(function, params)
    _check_loss(function, model, loss, params, task.data, key)
    if value_and_grad is not None:
        _check_value_and_grad(function, value_and_grad, params, task.data)
    if task.evaluation is None or task.validation is None:
        return {}
    return _check_evaluation(function, task.evaluation, params, task.validation)


def _check_differentiable(function: str, params: Any) -> None:
    """Raises at the first parameter that has no gradient."""
    for path, leaf in named_leaves(params).items():
        if not jnp.issubdtype(leaf.dtype, jnp.inexact):
            remedy = "Leave it out of params, in a variable of the model's functions."
            rule = f"have floating parameters at {path!r}"
            fail(function, "model", rule, leaf, remedy, error=ArgumentTypeError)


def _check_loss(
    function: str, model: Model, loss: Any, params: Any, data: tuple[Any, Any], key: Any
) -> Any:
    """Raises unless the model and the loss fit the data; returns the shapes of predictions."""
    x, y = data
    predictions = _applied(model).eval_shape(params, x, key)
    value = output_shapes(function, "loss", loss, predictions, y)
    if not is_floating_scalar(value):
        fail(
            function,
            "loss",
            "return a floating scalar",
            value,
            'Reduce it with reduction="mean", or .mean().',
            error=ArgumentTypeError,
        )
    check_values(loss, predictions, y)
    return predictions


@compiled_for
def _applied(model: Any, params: Any, x: Any, key: Any) -> Any:
    return model.apply(params, x, key=key)


def _check_value_and_grad(
    function: str, value_and_grad: Callable[..., Any], params: Any, data: tuple[Any, Any]
) -> None:
    """Raises unless ``value_and_grad`` returns a scalar and a gradient like ``params``."""
    result = output_shapes(function, "value_and_grad", value_and_grad, params, *data)
    if (
        not isinstance(result, tuple | list)
        or len(result) != 2
        or not is_floating_scalar(result[0])
        or not _are_alike(result[1], params)
    ):
        fail(
            function,
            "value_and_grad",
            "return a floating scalar and a gradient of the shapes of params",
            str(jax.tree.map(describe, result)),
            "Return (loss, gradient), as jax.value_and_grad does.",
            error=ArgumentTypeError,
        )


def _are_alike(gradient: Any, params: Any) -> bool:
    """Whether a gradient has the structure and shapes of the parameters, and is floating."""
    got, want = named_leaves(gradient), named_leaves(params)
    return got.keys() == want.keys() and all(
        got[path].shape == leaf.shape and jnp.issubdtype(got[path].dtype, jnp.floating)
        for path, leaf in want.items()
    )


def check_update(function: str, optimizer: Any, params: Any) -> None:
    """Raises unless the optimizer updates ``params``, given as shapes, from a gradient alone."""
    with _updating(function, "optimizer"):
        output_shapes(function, "optimizer", _update_of(optimizer), params)


def check_builder(function: str, build: Callable[..., Any], values: Any, params: Any) -> None:
    """`check_update` for ``build(**values) -> optimizer``, with its values traced."""
    with _updating(function, "make_optimizer"):
        output_shapes(function, "make_optimizer", _built_update_of(function, build), values, params)


@contextmanager
def _updating(function: str, argument: str) -> Iterator[None]:
    """Explains the TypeError of an optimizer whose update asks for more than it is given."""
    try:
        yield
    except ArgumentTypeError:
        raise
    except TypeError as error:
        fail(
            function,
            argument,
            "update parameters from their gradient alone",
            str(error).split("\n", 1)[0],
            "Pass one such as optax.adam(0.001).",
            error=ArgumentTypeError,
        )


@functools.lru_cache(maxsize=64)
def _update_of(optimizer: Any) -> Callable[..., Any]:
    def update(params: Any) -> Any:
        return optimizer.update(params, optimizer.init(params), params)[0]

    return update


@functools.lru_cache(maxsize=64)
def _built_update_of(function: str, build: Callable[..., Any]) -> Callable[..., Any]:
    def update(values: Any, params: Any) -> Any:
        optimizer = build(**values)
        if not isinstance(optimizer, optax.GradientTransformation):
            rule, remedy = "return an optax transformation", "Pass optax.sgd, for example."
            got = describe(optimizer)
            fail(function, "make_optimizer", rule, got, remedy, error=ArgumentTypeError)
        return optimizer.update(params, optimizer.init(params), params)[0]

    return update


def _check_evaluation(
    function: str, evaluation: Evaluation, params: Any, validation: tuple[Any, Any]
) -> dict[str, Any]:
    """Raises unless the model, the loss and the metrics fit the validation data."""
    with inside("validation"):
        predictions = _check_loss(
            function, evaluation.model, evaluation.loss, params, validation, None
        )
    values = {}
    for name, metric in evaluation.metrics:
        value = output_shapes(function, f"metrics[{name!r}]", metric, predictions, validation[1])
        _check_metric(function, evaluation, name, value)
        with inside("validation"):
            check_values(metric, predictions, validation[1])
        values[name] = value
    return values


def _check_metric(function: str, evaluation: Evaluation, name: str, value: Any) -> None:
    """Raises unless a metric returns an array, and a scalar if a run may end by it."""
    if not hasattr(value, "shape"):
        fail(
            function,
            f"metrics[{name!r}]",
            "return one array",
            f"a {type(value).__name__}",
            "Pick one with lambda predictions, targets: metric(predictions, targets)[0].",
            error=ArgumentTypeError,
        )
    if evaluation.stop is not None and evaluation.stop.metric == name and value.shape:
        fail(
            function,
            "stop.metric",
            "name a metric that returns a scalar",
            f"{describe(value)} from {name!r}",
            "Reduce it with lambda predictions, targets: metric(predictions, targets).mean().",
        )
