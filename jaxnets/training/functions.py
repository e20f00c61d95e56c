"""The functions that a run is given: models, losses, optimizers and gradients of one's own."""

from collections.abc import Callable
from typing import Any

import optax

from jaxnets.checks import ArgumentTypeError, check_callable, check_hashable, describe, fail
from jaxnets.model import Model

__all__ = ["check_compilable", "check_functions", "check_model", "check_optimizer"]


def check_model(function: str, model: Any) -> None:
    """Raises unless ``model`` is a Model of two functions."""
    if not isinstance(model, Model):
        fail(
            function,
            "model",
            "be a Model",
            describe(model),
            "Wrap layers with jn.sequential(...), or two functions with jn.Model(init, apply).",
            error=ArgumentTypeError,
        )
    for name, part in model._asdict().items():
        check_callable(function, f"model.{name}", part, "Pass jn.Model(init, apply).")


def check_functions(function: str, model: Any, loss: Any, value_and_grad: Any) -> None:
    """Raises unless the model, the loss and the gradient, if one is given, can be called."""
    check_model(function, model)
    check_callable(function, "loss", loss, "Pass a loss such as jn.losses.mse.")
    if value_and_grad is not None:
        remedy = "Pass a function (params, x, y) -> (loss, gradient)."
        check_callable(function, "value_and_grad", value_and_grad, remedy)


def check_compilable(
    function: str, model: Model, loss: Callable[..., Any], value_and_grad: Any, **others: Any
) -> None:
    """Raises unless every function is hashable, so that its compiled program is found again."""
    parts = {f"model.{name}": part for name, part in model._asdict().items()}
    for argument, value in {
        **parts,
        "loss": loss,
        "value_and_grad": value_and_grad,
        **others,
    }.items():
        check_hashable(function, argument, value)


def check_optimizer(function: str, optimizer: Any) -> None:
    """Raises unless ``optimizer`` is an optax transformation."""
    if not isinstance(optimizer, optax.GradientTransformation):
        fail(
            function,
            "optimizer",
            "be an optax transformation",
            describe(optimizer),
            "Pass one such as optax.sgd(0.1).",
            error=ArgumentTypeError,
        )
