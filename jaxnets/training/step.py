"""One training step as a pure function."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import optax

from jaxnets.checks import check_key
from jaxnets.model import Loss, Model, Params
from jaxnets.training.functions import check_functions, check_model, check_optimizer

__all__ = ["TrainState", "ValueAndGrad", "init_state", "loss_and_gradient", "make_step"]

ValueAndGrad = Callable[..., tuple[jax.Array, Params]]
"""``value_and_grad(params, x, y) -> (loss, gradient)``, a gradient of one's own."""


class TrainState(NamedTuple):
    """Everything that a step changes, and the key that it draws from.

    Attributes:
      params: The parameters.
      opt_state: The optimizer's state.
      key: The run's PRNG key; it stays the same, step number k draws from ``fold_in(key, k)``.
      step: The number of updates made so far, an int32 scalar.
    """

    params: Params
    opt_state: Any
    key: jax.Array
    step: jax.Array


def init_state(
    model: Model,
    optimizer: optax.GradientTransformation,
    key: jax.Array,
    x: Any,
    *,
    params: Params | None = None,
) -> TrainState:
    """The state before the first step.

    Args:
      model: The Model.
      optimizer: An optax transformation.
      key: Split in two: one half makes the parameters, the other drives the run.
      x: An example input.
      params: Parameters to start from instead.

    Returns:
      A `TrainState` at step 0.

    Raises:
      TypeError: If ``model`` is no Model, ``optimizer`` no optax transformation or ``key`` no key.

    Example:
      >>> import jaxnets as jn
      >>> x = jax.ShapeDtypeStruct((4, 2), "float32")
      >>> state = init_state(jn.dense(1), optax.sgd(0.1), jax.random.key(0), x)
      >>> int(state.step), state.params["w"].shape
      (0, (2, 1))
    """
    check_model("init_state", model)
    check_optimizer("init_state", optimizer)
    check_key("init_state", key)
    init_key, run_key = jax.random.split(key)
    if params is None:
        params = model.init(init_key, x)
    return TrainState(params, optimizer.init(params), run_key, jax.numpy.zeros((), "int32"))


def make_step(
    model: Model,
    loss: Loss,
    optimizer: optax.GradientTransformation,
    *,
    value_and_grad: ValueAndGrad | None = None,
) -> Callable[[TrainState, tuple[Any, Any]], tuple[TrainState, dict[str, jax.Array]]]:
    """The pure step that `fit` compiles, for a loop of one's own.

    Args:
      model: The Model.
      loss: A loss under the library's contract, or any scalar ``loss(predictions, targets)``.
      optimizer: An optax transformation.
      value_and_grad: ``(params, x, y) -> (loss, gradient)``, used in place of autodiff; the
        model's key is then not used.

    Returns:
      ``step(state, (x, y)) -> (state, metrics)``. ``metrics`` holds ``"loss"``, the loss before
      the update, and ``"gradient_norm"``, the Euclidean norm of the whole gradient. What is not
      used of them costs nothing once compiled. The function is not jitted: wrap it in
      ``jax.jit`` or scan it.

    Raises:
      TypeError: If ``model`` is no Model, ``optimizer`` no optax transformation, or ``loss`` or
        ``value_and_grad`` no function.

    Example:
      >>> import jaxnets as jn
      >>> x, y = jax.numpy.ones((4, 2)), jax.numpy.zeros((4, 1))
      >>> net, optimizer = jn.dense(1), optax.sgd(0.1)
      >>> state = init_state(net, optimizer, jax.random.key(0), x)
      >>> step = jax.jit(make_step(net, jn.losses.mse, optimizer))
      >>> state, before = step(state, (x, y))
      >>> state, after = step(state, (x, y))
      >>> bool(after["loss"] < before["loss"]), int(state.step)
      (True, 2)
    """
    check_functions("make_step", model, loss, value_and_grad)
    check_optimizer("make_step", optimizer)

    def step(state: TrainState, batch: tuple[Any, Any]) -> tuple[TrainState, dict[str, jax.Array]]:
        value, gradient = loss_and_gradient(model, loss, value_and_grad, state, batch)
        updates, opt_state = optimizer.update(gradient, state.opt_state, state.params)
        params = optax.apply_updates(state.params, updates)
        metrics = {"loss": value, "gradient_norm": optax.tree.norm(gradient)}
        return TrainState(params, opt_state, state.key, state.step + 1), metrics

    return step


def loss_and_gradient(
    model: Model,
    loss: Loss,
    value_and_grad: ValueAndGrad | None,
    state: TrainState,
    batch: tuple[Any, Any],
) -> tuple[jax.Array, Params]:
    """The loss of a batch and its gradient by the parameters, as `make_step` takes them."""
    x, y = batch
    if value_and_grad is not None:
        return value_and_grad(state.params, x, y)

    def loss_of(params: Params) -> jax.Array:
        key = jax.random.fold_in(state.key, state.step)
        return loss(model.apply(params, x, key=key), y)

    result: tuple[jax.Array, Params] = jax.value_and_grad(loss_of)(state.params)
    return result
