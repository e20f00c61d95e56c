"""What all losses share: compilation with checks, weights and the reduction."""

import functools
import inspect
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets.checks import (
    ArgumentTypeError,
    check_choice,
    check_floating,
    check_same_shape,
    fail,
)

__all__ = [
    "check_values",
    "checked_jit",
    "elementwise",
    "loss_function",
    "reduced",
    "spread_weights",
    "where_it_counts",
]

REDUCTIONS = ("mean", "sum", "none")

Check = Callable[[str, Any, Any, dict[str, Any]], None]
"""``check(function, predictions, targets, options)`` reads concrete data and may raise."""

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def checked_jit(*static: str, check: Check | None = None) -> Decorator:
    """Jits ``function(predictions, targets, *, ...)`` and checks what it is given beforehand.

    Args:
      static: The options that are plain Python values, known before compilation.
      check: Reads the data. It gets every option, defaults included.

    Returns:
      A decorator. What it makes has the attribute ``check_values(predictions, targets, ...)``,
      which makes all the checks and computes nothing, so that training can run it once on the
      whole data set. Its ``predictions`` may be a ``jax.ShapeDtypeStruct``.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        name, signature = function.__name__, inspect.signature(function)
        compiled = jax.jit(function, static_argnames=static)

        def check_values(predictions: Any, targets: Any, **options: Any) -> None:
            given = _bound(name, signature, predictions, targets, options)
            _check_static(name, {option: given.arguments[option] for option in static})
            compiled.eval_shape(predictions, targets, **options)
            if check is not None:
                check(name, predictions, targets, given.kwargs)

        @functools.wraps(function)
        def checked(predictions: Any, targets: Any, **options: Any) -> Any:
            check_values(predictions, targets, **options)
            return compiled(predictions, targets, **options)

        checked.check_values = check_values  # type: ignore[attr-defined]
        return checked

    return decorate


def loss_function(*static: str, check: Check | None = None) -> Decorator:
    """`checked_jit` for a loss, which computes in float32 at least.

    The loss gets its predictions in that type; its result has the type they had before. Sums
    over float16 and bfloat16 values are thereby accumulated in float32.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def widened(predictions: Any, targets: Any, **options: Any) -> jax.Array:
            predictions = check_floating(function.__name__, "predictions", predictions)
            wide = jnp.promote_types(predictions.dtype, jnp.float32)
            result: jax.Array = function(predictions.astype(wide), targets, **options)
            return result.astype(predictions.dtype)

        return checked_jit("reduction", *static, check=check)(widened)

    return decorate


def check_values(loss: Callable[..., Any], predictions: Any, targets: Any) -> None:
    """Makes the checks of ``loss`` on concrete data; a function without any passes.

    Args:
      loss: A loss of this library, a ``functools.partial`` of one, or any other function.
      predictions: Outputs, or a ``jax.ShapeDtypeStruct`` where only their shape is known.
      targets: The targets, of the whole data set as a rule.

    Raises:
      ValueError: Whatever the loss itself would raise for these data.
      TypeError: Likewise.
    """
    partial = loss if isinstance(loss, functools.partial) else functools.partial(loss)
    check = getattr(partial.func, "check_values", None)
    if check is not None:
        check(predictions, targets, **partial.keywords)


def elementwise(
    name: str, predictions: jax.Array, targets: Any, weights: Any
) -> tuple[jax.Array, jax.Array, jax.Array | None]:
    """Predictions, targets and weights of a loss with one value an element, ready for use."""
    targets = check_floating(name, "targets", targets)
    check_same_shape(name, predictions, targets)
    weights = spread_weights(name, weights, predictions.shape, predictions.dtype)
    return (
        where_it_counts(predictions, weights),
        where_it_counts(targets.astype(predictions.dtype), weights),
        weights,
    )


def spread_weights(name: str, weights: Any, shape: tuple[int, ...], dtype: Any) -> jax.Array | None:
    """One weight an example or a value, as one weight a value; ``shape`` is that of the values."""
    if weights is None:
        return None
    weights = jnp.asarray(weights, dtype)
    if weights.shape != shape[: weights.ndim]:
        fail(
            name,
            "weights",
            f"have the shape of the values, {shape}, or of their leading axes",
            str(weights.shape),
            f"Pass one weight an example, of shape {shape[:1]}.",
        )
    return jnp.broadcast_to(_as_leading_axes(weights, len(shape)), shape)


def where_it_counts(array: jax.Array, weights: jax.Array | None) -> jax.Array:
    """``array`` with 0 for what is not finite in examples of weight 0.

    Padded examples can thereby hold anything: 0 times NaN would be NaN, in the loss and in its
    gradient. Finite values stay, as the derivative by a weight of 0 is made of them.
    """
    if weights is None:
        return array
    weightless = _as_leading_axes(weights == 0, array.ndim)
    return jnp.where(weightless & ~jnp.isfinite(array), 0, array)


def reduced(
    name: str,
    values: jax.Array,
    weights: jax.Array | None,
    reduction: str,
    *,
    counts: jax.Array | None = None,
) -> jax.Array:
    """Weights, then the reduction.

    Args:
      name: The loss, for errors.
      values: One an example or an element.
      weights: Of the same shape, or None for ones.
      reduction: ``"mean"``, ``"sum"`` or ``"none"``.
      counts: What each value adds to the divisor of the mean before weighting, 1 if None.

    Returns:
      The weighted values, or their sum, or their mean: NaN, with a gradient of 0, if the divisor
      is 0.
    """
    check_choice(name, "reduction", reduction, REDUCTIONS)
    if weights is not None:
        values = where_it_counts(values, weights) * weights
        counts = weights if counts is None else counts * weights
    if reduction == "none":
        return values
    if reduction == "sum":
        return values.sum()
    divisor = _exact_divisor(values) if counts is None else counts.sum()
    return jnp.where(divisor == 0, jnp.nan, values.sum() / jnp.where(divisor == 0, 1, divisor))


def _exact_divisor(values: jax.Array) -> jax.Array:
    """The number of values; by one it can see, XLA divides less exactly, as a factor 1/n."""
    number: jax.Array = jax.lax.optimization_barrier(jnp.asarray(values.size, values.dtype))
    return number


def _bound(
    name: str, signature: inspect.Signature, predictions: Any, targets: Any, options: dict[str, Any]
) -> inspect.BoundArguments:
    """The arguments by name, defaults included; a misspelt option is an error."""
    try:
        given = signature.bind(predictions, targets, **options)
    except TypeError as error:
        raise TypeError(f"{name}() {error}") from None
    given.apply_defaults()
    return given


def _check_static(name: str, options: dict[str, Any]) -> None:
    for option, value in options.items():
        if isinstance(value, jax.Array | np.ndarray):
            fail(
                name,
                option,
                "be a plain Python value, for it shapes the compiled program",
                value,
                f"Pass {option}=array.item(), outside jit.",
                error=ArgumentTypeError,
            )


def _as_leading_axes(array: jax.Array, ndim: int) -> jax.Array:
    return array.reshape(array.shape + (1,) * (ndim - array.ndim))
