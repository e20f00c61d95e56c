"""The training step as a pure function, for `fit`, `sweep` and a loop of one's own."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxnets.checks import check_key
from jaxnets.dtypes import at_least_float32, is_floating
from jaxnets.errors import public
from jaxnets.model import Loss, Model, Params
from jaxnets.training.arguments import check_trial
from jaxnets.training.objective import Objective, as_objective

__all__ = ["TrainState", "in_float32", "init_state", "make_step"]


class TrainState(NamedTuple):
    """Everything that a step changes, and the key that it draws from.

    Attributes:
      params: The parameters.
      opt_state: The optimizer's state, in float32 at least whatever the parameters are.
      key: The run's PRNG key; it stays the same, step number k draws from ``fold_in(key, k)``.
      step: The number of steps made so far, an int32 scalar.
    """

    params: Params
    opt_state: optax.OptState
    key: jax.Array
    step: jax.Array


Step = Callable[[TrainState, Any], tuple[TrainState, dict[str, jax.Array]]]
"""``step(state, batch) -> (state, metrics)``."""


@public
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
      >>> x = jax.ShapeDtypeStruct((4, 2), "float32")
      >>> state = init_state(jn.dense(1), optax.sgd(0.1), jax.random.key(0), x)
      >>> int(state.step), state.params["w"].shape
      (0, (2, 1))
    """
    check_trial(model, optimizer=optimizer)
    check_key(key)
    init_key, run_key = jax.random.split(key)
    if params is None:
        params = model.init(init_key, x)
    return TrainState(params, in_float32(optimizer).init(params), run_key, jnp.zeros((), "int32"))


@public
def make_step(
    model: Model, loss: Loss | Objective, optimizer: optax.GradientTransformation
) -> Step:
    """The pure step of `fit` and `sweep`, for a loop of one's own.

    The optimizer is handed ``value``, ``grad`` and ``value_fn`` of the batch too, so that those
    that ask for more than a gradient work: line searches, Polyak steps, plateaus. It computes in
    float32 at least, because the squares of its gradients overflow float16 and 0.999 is 1 in
    bfloat16; parameters are rounded to their own type once a step.

    Args:
      model: The Model.
      loss: A loss under the library's contract, any scalar ``loss(predictions, targets)``, or an
        `objective`.
      optimizer: An optax transformation.

    Returns:
      ``step(state, batch) -> (state, metrics)``; for a loss, ``batch`` is ``(x, y)`` or
      ``(x, y, weights)``. ``metrics`` holds ``"loss"``, the value before the update, the scalars of
      the objective, and ``"gradient_norm"``, the Euclidean norm of the whole gradient. What is not
      used of them costs nothing once compiled. The function is not jitted: wrap it in ``jax.jit``
      or scan it.

    Raises:
      TypeError: If ``model`` is no Model, ``optimizer`` no optax transformation, or ``loss`` no
        function.

    Example:
      >>> x, y = jax.numpy.ones((4, 2)), jax.numpy.zeros((4, 1))
      >>> net, optimizer = jn.dense(1), optax.sgd(0.1)
      >>> state = init_state(net, optimizer, jax.random.key(0), x)
      >>> step = jax.jit(make_step(net, jn.losses.mse, optimizer))
      >>> state, before = step(state, (x, y))
      >>> state, after = step(state, (x, y))
      >>> bool(after["loss"] < before["loss"]), int(state.step)
      (True, 2)
    """
    check_trial(model, loss, optimizer)
    goal = as_objective(model, loss)
    wide = in_float32(optimizer)

    def step(state: TrainState, batch: Any) -> tuple[TrainState, dict[str, jax.Array]]:
        key = jax.random.fold_in(state.key, state.step)
        (value, scalars), gradient = goal.value_and_grad(state.params, batch, key=key)

        def value_fn(params: Params) -> jax.Array:
            narrow = jax.tree.map(lambda own, p: p.astype(own.dtype), state.params, params)
            return goal(narrow, batch, key=key)[0]

        more = {"value": value, "grad": gradient, "value_fn": value_fn}
        updates, opt_state = wide.update(gradient, state.opt_state, state.params, **more)
        updated = optax.apply_updates(_widened(state.params), updates)
        params = jax.tree.map(lambda own, new: new.astype(own.dtype), state.params, updated)
        metrics = {"loss": value, **scalars, "gradient_norm": gradient_norm(gradient)}
        return TrainState(params, opt_state, state.key, state.step + 1), metrics

    return step


def gradient_norm(gradient: Params) -> jax.Array:
    """The Euclidean norm of all elements, whose squares are summed in float32 at least."""
    norm: jax.Array = optax.tree.norm(_widened(gradient))
    return norm


def in_float32(optimizer: optax.GradientTransformation) -> optax.GradientTransformationExtraArgs:
    """The optimizer with a state, arguments and updates in float32 at least.

    It is the same program where nothing is narrower.
    """
    inner = optax.with_extra_args_support(optimizer)

    def init(params: Params) -> optax.OptState:
        return inner.init(_widened(params))

    def update(updates: Any, state: Any, params: Any = None, **more: Any) -> Any:
        return inner.update(_widened(updates), state, _widened(params), **_widened(more))

    return optax.GradientTransformationExtraArgs(init, update)


def _widened(tree: Any) -> Any:
    """The floating arrays in float32 at least, and anything else as it is."""

    def widened(leaf: Any) -> Any:
        narrow = is_floating(leaf) and leaf.dtype != at_least_float32(leaf.dtype)
        return leaf.astype(at_least_float32(leaf.dtype)) if narrow else leaf

    return jax.tree.map(widened, tree)
