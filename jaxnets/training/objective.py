"""The objective: what a run minimises, and what is recorded of it."""

import inspect
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import jax

from jaxnets.checks import check_callable
from jaxnets.errors import ArgumentTypeError, fail, public
from jaxnets.model import Loss, Model, Params
from jaxnets.training.weights import Compared

__all__ = ["Objective", "Scalars", "Supervised", "as_objective", "loss_of", "objective"]

Scalars = dict[str, jax.Array]
"""Named scalars that an objective gives beside its value; columns of the history."""


class ObjectiveFunction(Protocol):
    """``f(params, batch, *, key) -> value`` or ``(value, {name: scalar})``."""

    def __call__(self, params: Params, batch: Any, *, key: jax.Array | None) -> Any: ...


class GradientFunction(Protocol):
    """``g(params, batch, *, key) -> (result, gradient)``, with the result of the objective."""

    def __call__(self, params: Params, batch: Any, *, key: jax.Array | None) -> Any: ...


@dataclass(frozen=True)
class Objective:
    """A function of parameters and a batch that training minimises; made by `objective`.

    Attributes:
      function: ``f(params, batch, *, key) -> value`` or ``(value, {name: scalar})``.
      gradient: ``g(params, batch, *, key) -> (result, gradient)`` in place of autodiff, or None.
    """

    function: ObjectiveFunction
    gradient: GradientFunction | None = None

    def __call__(
        self, params: Params, batch: Any, *, key: jax.Array | None = None
    ) -> tuple[jax.Array, Scalars]:
        """The value and the named scalars of a batch; without a key, as in evaluation."""
        return _with_scalars(self.function(params, batch, key=key))

    def value_and_grad(
        self, params: Params, batch: Any, *, key: jax.Array | None = None
    ) -> tuple[tuple[jax.Array, Scalars], Params]:
        """The value, the named scalars and the gradient of the value by the parameters."""
        gradient_of = self.gradient
        if gradient_of is None:
            gradient_of = jax.value_and_grad(self.__call__, has_aux=True)
        result, gradient = gradient_of(params, batch, key=key)
        return _with_scalars(result), gradient


def _with_scalars(result: Any) -> tuple[jax.Array, Scalars]:
    # Anything else is not a scalar either, and is named as such.
    is_pair = isinstance(result, tuple) and len(result) == 2
    value, scalars = result if is_pair else (result, {})
    return value, scalars


class Supervised(NamedTuple):
    """The function that a model and a loss minimise: ``loss(model.apply(params, x, key=key), y)``.

    `fit` makes it from the two; with `objective` it takes a gradient of one's own.

    Attributes:
      model: The Model.
      loss: A loss of predictions and targets.

    Example:
      >>> import optax
      >>> net, x = jn.dense(1, use_bias=False), jnp.ones((4, 2))
      >>> def by_hand(params, batch, *, key):
      ...     x, y = batch
      ...     error = net.apply(params, x) - y
      ...     return jnp.square(error).mean(), {"w": 2 * x.T @ error / error.size}
      >>> goal = jn.objective(jn.Supervised(net, jn.losses.mse), value_and_grad=by_hand)
      >>> result = jn.fit(net, goal, optax.sgd(0.1), (x, x[:, :1]), key=jax.random.key(0), steps=50)
      >>> round(float(result.history["loss"][-1]), 6)
      0.0
    """

    model: Model
    loss: Loss

    def __call__(self, params: Params, batch: Any, *, key: jax.Array | None) -> jax.Array:
        """The loss of a batch ``(x, y)`` or ``(x, y, weights)``."""
        x, y, *weights = batch
        predictions = self.model.apply(params, x, key=key)
        loss: jax.Array = Compared(self.loss)(predictions, y, *weights)
        return loss


@public
def objective(
    function: ObjectiveFunction, *, value_and_grad: GradientFunction | None = None
) -> Objective:
    """Make the function that training minimises, where that is no loss of predictions and targets.

    It takes the place of the loss in `fit`, `sweep` and `make_step`, and is used for training and
    for validation alike.

    Args:
      function: ``f(params, batch, *, key) -> value`` or ``(value, {name: scalar})``. ``batch`` is
        a batch of the data, whatever pytree they are, or None where there are none. ``key`` is a
        PRNG key in training and None in evaluation. The scalars are recorded in the history
        beside the value, which is its ``"loss"``; their names are the same at every step.
      value_and_grad: ``g(params, batch, *, key) -> (result, gradient)`` in place of autodiff, with
        the result of ``function``. Evaluation uses ``function``.

    Returns:
      An `Objective`.

    Raises:
      TypeError: If an argument is no function, or one of other arguments.

    Example:
      A regression with weight decay, whose two parts are recorded:

      >>> import optax
      >>> net, x = jn.dense(1), jnp.linspace(0, 1, 10)[:, None]
      >>> def decayed(params, batch, *, key):
      ...     x, y = batch
      ...     error = jn.losses.mse(net.apply(params, x, key=key), y)
      ...     decay = jnp.square(params["w"]).sum()
      ...     return error + 1e-3 * decay, {"error": error, "decay": decay}
      >>> key, goal = jax.random.key(0), jn.objective(decayed)
      >>> result = jn.fit(net, goal, optax.adam(0.1), (x, 2 * x), key=key, steps=9)
      >>> list(result.history)
      ['step', 'epoch', 'loss', 'decay', 'error']
    """
    example = "Pass a function f(params, batch, *, key) -> value."
    check_callable("function", function, example)
    check_signature("function", function, example)
    if value_and_grad is not None:
        remedy = "Pass a function g(params, batch, *, key) -> (value, gradient)."
        check_callable("value_and_grad", value_and_grad, remedy)
    return Objective(function, value_and_grad)


def check_signature(argument: str, function: Any, remedy: str) -> None:
    """Raise unless a function takes ``(params, batch, *, key)``."""
    try:
        signature = inspect.signature(function)
    except ValueError:  # of a function in C
        return
    try:
        signature.bind(None, None, key=None)
    except TypeError:
        rule = "take (params, batch, *, key)"
        fail(argument, rule, str(signature), remedy, error=ArgumentTypeError)


def loss_of(objective: Loss | Objective) -> Loss | None:
    """The loss of predictions and targets that an objective is made of, or None."""
    if not isinstance(objective, Objective):
        return objective
    function = objective.function
    return function.loss if isinstance(function, Supervised) else None


def as_objective(model: Model, loss: Loss | Objective) -> Objective:
    """The objective of a trial, whose second part is a loss or an objective."""
    return loss if isinstance(loss, Objective) else Objective(Supervised(model, loss))
