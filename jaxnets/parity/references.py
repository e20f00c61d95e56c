"""The references of a function: autodiff in two precisions, and central differences."""

from collections.abc import Callable, Collection, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets.parity.conditioning import conditions, scale_of
from jaxnets.parity.differences import central_differences
from jaxnets.parity.leaves import leaves
from jaxnets.parity.programs import compiled, precision
from jaxnets.parity.reference import Reference
from jaxnets.parity.report import TOLERANCES

__all__ = ["references"]


def references(
    fn: Callable[..., Any], at: Any, *args: Any, kinks: Collection[str] = ()
) -> tuple[Reference, ...]:
    """Differentiate ``fn`` automatically in two precisions, and by central differences.

    Args:
      fn: ``fn(at, *args) -> value``.
      at: Where to differentiate.
      args: Further arrays.
      kinks: Entries of ``at`` that may hold kinks.
    """
    differentiate = compiled(_autodiff(fn))
    with precision(np.float32):
        single, single_cotangent = _prepared(fn, (at, *args), np.float32)
        narrow = _leaves(differentiate(single, single_cotangent))
    with precision(np.float64):
        inputs, cotangent = _prepared(fn, (at, *args), np.float64)
        value, gradient = differentiate(inputs, cotangent)
        exact = _leaves((value, gradient))
        change = conditions(lambda *at: _leaves(differentiate(*at)), (inputs, cotangent), exact)
        scales = _scales(exact, change, "float64")
        exact_reference = Reference("float64", inputs, cotangent, exact, scales)
        slopes = central_differences(fn, value, exact_reference, kinks)
    return (
        exact_reference,
        Reference("float32", single, single_cotangent, narrow, _scales(narrow, change, "float32")),
        slopes,
    )


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


def _autodiff(fn: Callable[..., Any]) -> Callable[..., Any]:
    """The value of ``fn`` and the gradient of sum(cotangent * value)."""

    def differentiate(inputs: Any, cotangent: Any) -> tuple[Any, Any]:
        at, *args = inputs
        value, backward = jax.vjp(lambda at: fn(at, *args), at)
        return value, backward(cotangent)[0]

    return differentiate


def _leaves(value_and_gradient: tuple[Any, Any]) -> dict[str, Any]:
    value, gradient = jax.tree.map(np.asarray, value_and_gradient)
    return leaves(value=value, gradient=gradient)


def _scales(found: Mapping[str, Any], change: Mapping[str, Any], column: str) -> dict[str, Any]:
    tolerance = TOLERANCES["function"][column]
    return {path: scale_of(leaf, change[path], tolerance) for path, leaf in found.items()}
