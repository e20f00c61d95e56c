"""The contract of losses: values by example, then weights, then the reduction."""

import functools
import inspect
from collections.abc import Callable
from typing import Any, Protocol, cast

import jax
from jax.typing import ArrayLike

from jaxnets.contracts.arrays import as_floating, at_least_float32
from jaxnets.contracts.calls import DataCheck, OptionCheck, check_values, checked, in_type
from jaxnets.contracts.data import check_same_shape, poisoned
from jaxnets.contracts.reduction import check_reduction, reduced, spread_weights, where_it_counts

__all__ = [
    "LossFunction",
    "check_values",
    "elementwise_loss",
    "loss_function",
    "prepared",
]

TAIL = {
    "weights": inspect.Parameter(
        "weights", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=jax.Array | None
    ),
    "reduction": inspect.Parameter(
        "reduction", inspect.Parameter.KEYWORD_ONLY, default="mean", annotation=str
    ),
}
"""The options that every loss has."""


class LossFunction(Protocol):
    """A loss, with the check of its data."""

    __name__: str

    def __call__(
        self,
        predictions: ArrayLike,
        targets: ArrayLike,
        *,
        weights: ArrayLike | None = None,
        reduction: str = "mean",
        **options: Any,
    ) -> jax.Array:
        """The weighted values, reduced."""

    def check_values(self, predictions: Any, targets: Any, **options: Any) -> None:
        """Read the data and raise at the first bad value."""


Decorator = Callable[[Callable[..., jax.Array]], LossFunction]


def elementwise_loss(
    *,
    valid: Callable[[jax.Array, jax.Array], jax.Array] | None = None,
    check: DataCheck | None = None,
    **options: OptionCheck,
) -> Decorator:
    """Make ``formula(predictions, targets, ...)``, one value per element, a loss.

    Args:
      valid: Whether predictions and targets mean something; the value of others is NaN.
      check: Says in an error what `valid` says in NaN.
      **options: The check of each option that is a plain value.

    Example:
      >>> @elementwise_loss()
      ... def quartic(predictions, targets):
      ...     return (predictions - targets) ** 4
      >>> float(quartic(jnp.array([1.0, 2.0]), jnp.array([1.0, 0.0])))
      8.0
    """

    def decorate(formula: Callable[..., jax.Array]) -> LossFunction:
        @functools.wraps(formula)
        def loss(
            predictions: jax.Array, targets: Any, *, weights: Any, reduction: str, **given: Any
        ) -> jax.Array:
            predictions, targets, weights = prepared(predictions, targets, weights)
            if valid is not None:
                targets = poisoned(targets, valid(predictions, targets), weights)
            return reduced(formula(predictions, targets, **given), weights, reduction)

        return loss_function(check=check, **options)(loss)

    return decorate


def prepared(
    predictions: jax.Array, targets: Any, weights: Any
) -> tuple[jax.Array, jax.Array, jax.Array | None]:
    """Predictions, targets and weights of a loss with one value per element, ready for use."""
    targets = as_floating("targets", targets)
    check_same_shape(predictions, targets)
    weights = spread_weights(weights, predictions.shape, predictions.dtype)
    return (
        where_it_counts(predictions, weights),
        where_it_counts(targets.astype(predictions.dtype), weights),
        weights,
    )


def loss_function(*, check: DataCheck | None = None, **options: OptionCheck) -> Decorator:
    """Make ``function(predictions, targets, *, weights, reduction, ...)`` a loss.

    The function gets its predictions in float32 at least, and options that fit that type; the
    result has the type that the predictions had. Sums over float16 and bfloat16 values are
    thereby accumulated in float32.

    Args:
      check: Reads the data, when ``check_values`` is called.
      **options: The check of each option that is a plain value.
    """

    def decorate(function: Callable[..., jax.Array]) -> LossFunction:
        @functools.wraps(function)
        def widened(
            predictions: Any,
            targets: Any,
            *,
            weights: Any = None,
            reduction: str = "mean",
            **given: Any,
        ) -> jax.Array:
            predictions = as_floating("predictions", predictions)
            wide = at_least_float32(predictions)
            given = {name: in_type(value, wide.dtype) for name, value in given.items()}
            result = function(wide, targets, weights=weights, reduction=reduction, **given)
            return result.astype(predictions.dtype)

        widened.__signature__ = _signature(function)  # type: ignore[attr-defined]
        checks = {"reduction": check_reduction, **options}
        return cast(LossFunction, checked(checks, check=check, better="min")(widened))

    return decorate


def _signature(function: Callable[..., Any]) -> inspect.Signature:
    """The signature of a formula, with the options that every loss has at its end."""
    own = inspect.signature(function).parameters.values()
    kept = [parameter for parameter in own if parameter.name not in TAIL]
    return inspect.Signature([*kept, *TAIL.values()], return_annotation=jax.Array)
