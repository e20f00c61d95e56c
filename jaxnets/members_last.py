"""A batching transformation for many small networks: the members are the last axis.

``jax.vmap`` puts the batch first and turns small products into batched ``dot_general`` calls,
which spend most of their time on bookkeeping when a matrix is 2 by 2. Here every value carries
the members on its last, fastest-varying axis and a small product is written as multiply-adds, so
that XLA fuses a whole step into a few loops over the members. What has no rule of its own here
goes through ``jax.vmap``, so any function works.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxnets.dtypes import at_least_float32
from jaxnets.jaxprs import evaluate

__all__ = ["members_last"]

LARGEST_CONTRACTION = 32
"""Products over longer axes are left to ``dot_general``."""


def members_last(function: Callable[..., Any]) -> Callable[..., Any]:
    """Maps ``function`` over the last axis of every leaf of every argument.

    Args:
      function: Any traceable function of pytrees of arrays.

    Returns:
      A function of the same arguments, each leaf with one more, last axis of equal size, and of
      results likewise.

    Example:
      >>> x, w = jnp.ones((4, 3, 1000)), jnp.ones((3, 2, 1000))
      >>> members_last(jnp.matmul)(x, w).shape
      (4, 2, 1000)
    """

    @functools.wraps(function)
    def mapped(*args: Any) -> Any:
        leaves, tree = jax.tree.flatten(args)
        size = leaves[0].shape[-1]
        singles = [jax.ShapeDtypeStruct(leaf.shape[:-1], leaf.dtype) for leaf in leaves]
        jaxpr, shape = jax.make_jaxpr(function, return_shape=True)(
            *jax.tree.unflatten(tree, singles)
        )
        batched = [(leaf, True) for leaf in leaves]
        outputs = evaluate(jaxpr.jaxpr, jaxpr.consts, batched, _apply, lambda value: (value, False))
        full = [_spread(value, mapped_, size) for value, mapped_ in outputs]
        return jax.tree.unflatten(jax.tree.structure(shape), full)

    return mapped


Value = tuple[jax.Array, bool]
"""An array, and whether its last axis is the members'."""


def _apply(equation: Any, values: list[Value]) -> list[Value]:
    """One primitive: unmapped, by a rule, or by ``vmap``."""
    primitive, params = equation.primitive, equation.params
    arrays = [array for array, _ in values]
    if not any(mapped for _, mapped in values):
        results = primitive.bind(*arrays, **params)
        return [(r, False) for r in (results if primitive.multiple_results else [results])]
    rule = _elementwise if primitive.name in ELEMENTWISE else RULES.get(primitive.name)
    results = rule(primitive, params, values) if rule else None
    if results is None:
        axes = tuple(-1 if mapped else None for _, mapped in values)
        results = jax.vmap(functools.partial(primitive.bind, **params), axes, -1)(*arrays)
    return [(r, True) for r in (results if primitive.multiple_results else [results])]


def _spread(array: jax.Array, mapped: bool, size: int) -> jax.Array:
    """The array with a members' axis, whether it had one or not."""
    array = jnp.asarray(array)
    return array if mapped else jnp.broadcast_to(array[..., None], (*array.shape, size))


def _elementwise(primitive: Any, params: Any, values: list[Value]) -> Any:
    """All operands in one shape, with the members behind it; scalars may stand beside any."""
    size = next(array.shape[-1] for array, mapped in values if mapped)
    shapes = [array.shape[:-1] if mapped else jnp.shape(array) for array, mapped in values]
    shape = (*np.broadcast_shapes(*shapes), size)
    return primitive.bind(*(_match(*value, shape) for value in values), **params)


def _match(array: jax.Array, mapped: bool, shape: tuple[int, ...]) -> jax.Array:
    """The operand in the full shape."""
    array = jnp.asarray(array) if mapped else jnp.asarray(array)[..., None]
    leading = (1,) * (len(shape) - array.ndim)
    return jnp.broadcast_to(array.reshape(leading + array.shape), shape)


def _broadcast_in_dim(primitive: Any, params: Any, values: list[Value]) -> jax.Array:
    (array, _), *_ = values
    shape = (*params["shape"], array.shape[-1])
    axes = (*params["broadcast_dimensions"], len(params["shape"]))
    return lax.broadcast_in_dim(array, shape, axes)


def _reshape(primitive: Any, params: Any, values: list[Value]) -> jax.Array | None:
    (array, _), *_ = values
    if params["dimensions"] is not None:
        return None
    return lax.reshape(array, (*params["new_sizes"], array.shape[-1]))


def _transpose(primitive: Any, params: Any, values: list[Value]) -> jax.Array:
    ((array, _),) = values
    return lax.transpose(array, (*params["permutation"], array.ndim - 1))


def _dot_general(primitive: Any, params: Any, values: list[Value]) -> jax.Array | None:
    """A product over one short axis as a sum of outer products; others have no rule here."""
    (a, a_mapped), (b, b_mapped) = values
    (left, right), batch_axes = params["dimension_numbers"]
    short = len(left) == 1 and 0 < a.shape[left[0]] <= LARGEST_CONTRACTION
    dtype = params["preferred_element_type"] or a.dtype
    if any(batch_axes) or not short or not a.dtype == b.dtype == dtype:
        return None
    # Sums of narrow numbers are made in float32, as dot_general does.
    wide = at_least_float32(dtype) if jnp.issubdtype(dtype, jnp.floating) else dtype
    a, b = a.astype(wide), b.astype(wide)
    a = jnp.moveaxis(a if a_mapped else a[..., None], left[0], 0)
    b = jnp.moveaxis(b if b_mapped else b[..., None], right[0], 0)
    a_free, b_free = a.shape[1:-1], b.shape[1:-1]
    a = a.reshape(len(a), *a_free, *(1 for _ in b_free), a.shape[-1])
    b = b.reshape(len(b), *(1 for _ in a_free), *b_free, b.shape[-1])
    return functools.reduce(jnp.add, (a[k] * b[k] for k in range(len(a)))).astype(dtype)


RULES = {
    "broadcast_in_dim": _broadcast_in_dim,
    "dot_general": _dot_general,
    "reshape": _reshape,
    "transpose": _transpose,
}

ELEMENTWISE = frozenset(
    """
    abs add add_any and atan2 ceil clamp convert_element_type copy cos div eq erf exp exp2 expm1
    floor ge gt integer_pow is_finite le log log1p logistic lt max min mul ne neg not or pow rem
    round rsqrt select_n sign sin sqrt square sub tan tanh xor
    """.split()  # noqa: SIM905
)
