"""Small products as sums, for one small network on a CPU.

A product of matrices of a few rows and columns is one call of a library on a CPU, and the call
takes many times as long as the arithmetic. Written as multiply and sum it is fused with what
stands before and behind it.

A sum rounds otherwise than the library does, neither better nor worse. A product whose precision
is stated, under ``jax.default_matmul_precision("highest")`` for instance, is left as it is: so is
a run made whose published table hangs on the last digit.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxnets.jaxprs import evaluate

__all__ = ["small_products"]

MOST_TERMS = 2048
"""Terms of all sums of a product, at most: beyond that the call is worth its time."""

UNSTATED = (None, lax.Precision.DEFAULT, (lax.Precision.DEFAULT,) * 2)
"""Precisions of a product for which none was asked."""

WIDE = (np.dtype("float32"), np.dtype("float64"))
"""Types in which sums are made term by term."""


def small_products(function: Callable[..., Any]) -> Callable[..., Any]:
    """``function`` with its small products of matrices as sums, where it runs on a CPU.

    Args:
      function: Any traceable function of pytrees of arrays.

    Example:
      >>> x, w = jnp.ones((4, 3)), jnp.ones((3, 2))
      >>> small_products(jnp.matmul)(x, w).shape
      (4, 2)
    """

    @functools.wraps(function)
    def summed(*args: Any) -> Any:
        jaxpr, shape = jax.make_jaxpr(function, return_shape=True)(*args)
        results = evaluate(jaxpr.jaxpr, jaxpr.consts, jax.tree.leaves(args), _apply)
        return jax.tree.unflatten(jax.tree.structure(shape), results)

    return summed


def _apply(equation: Any, values: list[jax.Array]) -> Any:
    primitive, params = equation.primitive, equation.params
    bind = functools.partial(primitive.bind, **params)
    if primitive.name == "dot_general" and _is_small(params, *values):
        (left, right), _ = params["dimension_numbers"]
        as_sum = functools.partial(_sum, left=left[0], right=right[0])
        return [lax.platform_dependent(*values, cpu=as_sum, default=bind)]
    results = bind(*values)
    return results if primitive.multiple_results else [results]


def _is_small(params: dict[str, Any], a: jax.Array, b: jax.Array) -> bool:
    (left, _), batch = params["dimension_numbers"]
    # Narrow numbers are left alone: dot_general adds them up in a wider type.
    types = {a.dtype, b.dtype, params["preferred_element_type"] or a.dtype}
    stated = params["precision"] not in UNSTATED
    if stated or any(batch) or len(left) != 1 or types not in ({WIDE[0]}, {WIDE[1]}):
        return False
    length: int = a.shape[left[0]]
    return length > 0 and a.size * b.size <= MOST_TERMS * length


def _sum(a: jax.Array, b: jax.Array, *, left: int, right: int) -> jax.Array:
    """The product over one axis of each, as a sum."""
    a, b = jnp.moveaxis(a, left, -1), jnp.moveaxis(b, right, -1)
    rows, columns, length = a.shape[:-1], b.shape[:-1], a.shape[-1]
    a = a.reshape(*rows, *(1 for _ in columns), length)
    b = b.reshape(*(1 for _ in rows), *columns, length)
    return (a * b).sum(-1)
