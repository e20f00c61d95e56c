"""Weights, then the reduction: what every loss does with its values."""

from typing import Any

import jax
import jax.numpy as jnp

from jaxnets.checks import check_choice, check_numbers
from jaxnets.contracts.arrays import as_array, leading_axes, power_of_two
from jaxnets.errors import require

__all__ = ["check_reduction", "reduced", "spread_weights", "where_it_counts"]

REDUCTIONS = ("mean", "sum", "none")


def check_reduction(argument: str, value: Any) -> str:
    """Return ``value`` if it names a reduction."""
    return check_choice(argument, value, REDUCTIONS)


def spread_weights(weights: Any, shape: tuple[int, ...], dtype: Any) -> jax.Array | None:
    """One weight per example or per value, as one per value; ``shape`` is that of the values."""
    if weights is None:
        return None
    check_numbers("weights", weights := as_array("weights", weights))
    weights = jnp.asarray(weights, dtype)
    rule = f"have the shape of the values, {shape}, or of their leading axes"
    remedy = f"Pass one weight per example, of shape {shape[:1]}."
    fits = weights.shape == shape[: weights.ndim]
    require(fits, "weights", rule, str(weights.shape), remedy)
    return jnp.broadcast_to(leading_axes(weights, len(shape)), shape)


def where_it_counts(array: jax.Array, weights: jax.Array | None) -> jax.Array:
    """``array`` with 0 for what is not finite in examples of weight 0.

    Padded examples can thereby hold anything: 0 times NaN would be NaN, in the loss and in its
    gradient. Finite values stay: the derivative by a weight of 0 is made of them.
    """
    if weights is None:
        return array
    weightless = leading_axes(weights == 0, array.ndim)
    return jnp.where(weightless & ~jnp.isfinite(array), 0, array)


def reduced(
    values: jax.Array,
    weights: jax.Array | None,
    reduction: str,
    *,
    counts: jax.Array | None = None,
) -> jax.Array:
    """The weighted values, their sum, or their mean.

    Args:
      values: One per example or element.
      weights: Of the same shape, or None for ones.
      reduction: ``"mean"``, ``"sum"`` or ``"none"``.
      counts: What each value adds to the divisor of the mean before weighting, 1 if None.

    Returns:
      The mean is NaN, with a gradient of 0, if its divisor is 0.
    """
    if weights is not None:
        if reduction == "mean":
            # The scale cancels, and no sum of large weights overflows.
            weights = weights / power_of_two(jnp.abs(weights).max(initial=0))
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
