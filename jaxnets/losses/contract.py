"""The contract of losses: values by example, then weights, then the reduction."""

import functools
import inspect
from collections.abc import Callable
from typing import Any, Protocol, cast

import jax
from jax.typing import ArrayLike

from jaxnets.contracts.arrays import as_floating
from jaxnets.contracts.calls import DataCheck, OptionCheck, check_values, checked, in_type
from jaxnets.contracts.data import Domain, check_each, check_same_shape, poisoned
from jaxnets.contracts.reduction import check_reduction, reduced, spread_weights, where_it_counts
from jaxnets.dtypes import at_least_float32

__all__ = [
    "LossFunction",
    "check_values",
    "elementwise_loss",
    "loss_function",
    "prepared",
]


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
    *, predictions: Domain | None = None, targets: Domain | None = None, **options: OptionCheck
) -> Decorator:
    """Make ``formula(predictions, targets, ...)``, one value per element, a loss.

    Args:
      predictions: What they may be; the value of others is NaN, and an error of ``check_values``.
      targets: Likewise.
      **options: The check of each option that is a plain value.

    Example:
      >>> @elementwise_loss()
      ... def quartic(predictions, targets):
      ...     return (predictions - targets) ** 4
      >>> float(quartic(jnp.array([1.0, 2.0]), jnp.array([1.0, 0.0])))
      8.0
    """
    domains = predictions, targets

    def check(x: Any, y: Any, given: dict[str, Any]) -> None:
        for name, array, domain in zip(("predictions", "targets"), (x, y), domains, strict=True):
            if domain is not None:
                check_each(name, array, domain, given["weights"])

    def decorate(formula: Callable[..., jax.Array]) -> LossFunction:
        @functools.wraps(formula)
        def loss(x: jax.Array, y: Any, *, weights: Any, reduction: str, **given: Any) -> jax.Array:
            x, y, weights = prepared(x, y, weights)
            for array, domain in zip((x, y), domains, strict=True):
                if domain is not None:
                    y = poisoned(y, domain.good(array), weights)
            return reduced(formula(x, y, **given), weights, reduction)

        return loss_function(check=check if any(domains) else None, **options)(loss)

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
            wide = predictions.astype(at_least_float32(predictions.dtype))
            given = {name: in_type(value, wide.dtype) for name, value in given.items()}
            result = function(wide, targets, weights=weights, reduction=reduction, **given)
            return result.astype(predictions.dtype)

        widened.__signature__ = _signature(function)  # type: ignore[attr-defined]
        checks = {"reduction": check_reduction, **options}
        return cast(LossFunction, checked(checks, check=check, better="min")(widened))

    return decorate


def _tail(*, weights: jax.Array | None = None, reduction: str = "mean") -> None:
    """The options that every loss has."""


def _signature(function: Callable[..., Any]) -> inspect.Signature:
    """The signature of a formula, with the options that every loss has at its end."""
    own, tail = (dict(inspect.signature(each).parameters) for each in (function, _tail))
    kept = [parameter for name, parameter in own.items() if name not in tail]
    return inspect.Signature([*kept, *tail.values()], return_annotation=jax.Array)
