"""The references of a function: autodiff in two precisions, and central differences."""

from collections.abc import Callable, Collection
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets.parity.conditioning import conditions, scale_of
from jaxnets.parity.differences import central_differences
from jaxnets.parity.leaves import Reference
from jaxnets.parity.programs import compiled, precision
from jaxnets.parity.report import TOLERANCES
from jaxnets.paths import named_leaves

__all__ = ["references"]

Leaves = dict[str, np.ndarray]


def references(
    fn: Callable[..., Any], at: Any, *args: Any, kinks: Collection[str] = ()
) -> tuple[Reference, ...]:
    """Differentiate ``fn``, as `jaxnets.parity.check` takes it, in all these ways."""
    differentiate = _autodiff(fn)
    with precision(np.float32):
        single = _prepared(fn, (at, *args), np.float32)
        narrow = differentiate(*single)
    with precision(np.float64):
        double = _prepared(fn, (at, *args), np.float64)
        exact = differentiate(*double)
        change = conditions(differentiate, double, exact)
        wide = _reference("float64", double, exact, change)
        slopes = central_differences(fn, wide, kinks)
    return wide, _reference("float32", single, narrow, change), slopes


def _prepared(fn: Callable[..., Any], inputs: Any, dtype: Any) -> tuple[Any, Any]:
    """The inputs as NumPy arrays in that precision, and a cotangent for the value.

    The cotangent is 1 for a scalar, else drawn once and for all, so that the gradient of every
    element of the value counts with another factor.
    """
    inputs = jax.tree.map(lambda leaf: _cast(np.asarray(leaf), dtype), inputs)
    value = jax.eval_shape(fn, *inputs)
    rng = np.random.default_rng(0)
    if getattr(value, "shape", None) == ():
        return inputs, np.ones((), value.dtype)
    return inputs, jax.tree.map(
        lambda leaf: rng.standard_normal(leaf.shape).astype(leaf.dtype), value
    )


def _cast(array: np.ndarray, dtype: Any) -> np.ndarray:
    return array.astype(dtype) if jnp.issubdtype(array.dtype, jnp.floating) else array


def _autodiff(fn: Callable[..., Any]) -> Callable[[Any, Any], Leaves]:
    """The leaves of the value of ``fn`` and of the gradient of sum(cotangent * value)."""

    @compiled
    def value_and_gradient(inputs: Any, cotangent: Any) -> tuple[Any, Any]:
        at, *args = inputs
        value, backward = jax.vjp(lambda at: fn(at, *args), at)
        return value, backward(cotangent)[0]

    def differentiate(inputs: Any, cotangent: Any) -> Leaves:
        value, gradient = jax.tree.map(np.asarray, value_and_gradient(inputs, cotangent))
        return named_leaves({"value": value, "gradient": gradient})

    return differentiate


def _reference(column: str, at: tuple[Any, Any], found: Leaves, change: Leaves) -> Reference:
    tolerance = TOLERANCES["function"][column]
    scales = {path: scale_of(leaf, change[path], tolerance) for path, leaf in found.items()}
    return Reference(column, *at, found, scales)
