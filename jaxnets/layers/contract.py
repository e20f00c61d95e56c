"""What layers share: the questions asked of inputs, parameters and initialisers.

None of them reads a value, so under ``jax.jit`` they run once, while tracing.
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from jaxnets.checks import check_callable, check_floating
from jaxnets.errors import ArgumentTypeError, describe, fail, require
from jaxnets.factories import how_to_call
from jaxnets.model import Initializer, Params

__all__ = [
    "WIDTH",
    "Shape",
    "check_example",
    "check_initializer",
    "check_params",
    "drawn",
    "example_of",
]

WIDTH = None
"""In the shape of a parameter: the number of features of x, on its last axis."""

Shape = tuple[int | None, ...]


def check_example(x: Any, *, floating: bool = True) -> None:
    """Raise unless ``x`` is an array, or a ``jax.ShapeDtypeStruct``, of at least one feature."""
    if isinstance(x, type) or not (hasattr(x, "shape") and hasattr(x, "dtype")):
        swapped = "Parameters come before the input: model.apply(params, x)."
        remedy = swapped if isinstance(x, Mapping) else "Convert it with jnp.asarray(x)."
        rule = "be an array or a jax.ShapeDtypeStruct"
        fail("x", rule, describe(x), remedy, error=ArgumentTypeError)
    if floating and not jnp.issubdtype(x.dtype, jnp.floating):
        check_floating("x", x)
    if len(x.shape) == 0 or x.shape[-1] == 0:
        remedy = "Pass one of shape [..., features]."
        fail("x", "have a last axis of at least one feature", x, remedy)


def example_of(x: Any) -> jax.ShapeDtypeStruct:
    """The shape of a floating ``x`` and the dtype that JAX computes in for it."""
    check_example(x)
    return jax.ShapeDtypeStruct(x.shape, jax.dtypes.canonicalize_dtype(x.dtype))


def check_params(params: Params, x: Any, shapes: Mapping[str, Shape]) -> None:
    """Raise unless ``params`` holds arrays of these shapes, which fit the width of ``x``."""
    if not isinstance(params, Mapping) or any(name not in params for name in shapes):
        got = sorted(params) if isinstance(params, Mapping) else params
        rule = "be a dict with the entries " + ", ".join(map(repr, shapes))
        fail("params", rule, got, "Make them with model.init(key, x).")
    for name, shape in shapes.items():
        _check_shape(name, jnp.shape(params[name]), shape, x)


def _check_shape(name: str, actual: tuple[int, ...], shape: Shape, x: Any) -> None:
    """Raise unless a parameter has its shape, and then unless x has the width that it says."""
    if len(actual) != len(shape) or any(map(_differ, actual, shape)):
        wanted = ", ".join("any" if length is WIDTH else str(length) for length in shape)
        rule = f"have {name!r} of shape [{wanted}]"
        fail("params", rule, str(list(actual)), "Make them with model.init(key, x).")
    if WIDTH in shape and (width := actual[shape.index(WIDTH)]) != x.shape[-1]:
        rule = f"have {width} features on its last axis, as the parameters do"
        remedy = "make the parameters with model.init(key, x) for this one."
        fail("x", rule, describe(x), f"Pass such an x, or {remedy}")


def _differ(length: int, wanted: int | None) -> bool:
    return wanted is not WIDTH and length != wanted


def check_initializer(argument: str, value: Initializer | None) -> None:
    """Raise unless ``value`` can draw a parameter, or is None."""
    if value is None:
        return
    call = how_to_call(value)
    if call is not None:
        rule = "be an initialiser (key, shape, dtype) -> array"
        got, remedy = "the function that makes one", f"Call it: {call}."
        fail(argument, rule, got, remedy, error=ArgumentTypeError)
    example = f"Pass {argument}=jn.initializers.normal(0.1), for example."
    check_callable(argument, value, example)
    if isinstance(value, type):
        rule = "be an initialiser (key, shape, dtype) -> array"
        fail(argument, rule, describe(value), example, error=ArgumentTypeError)


def drawn(
    argument: str, draw: Initializer, key: jax.Array | None, shape: tuple[int, ...], dtype: Any
) -> jax.Array:
    """A parameter from an initialiser, which may be the user's."""
    array = draw(key, shape, dtype)
    rule = f"return an array of the shape that it is given, {shape}"
    if callable(array):
        remedy = f"Call it, as in {argument}=jn.initializers.he_normal()."
        fail(argument, rule, "a function", remedy, error=ArgumentTypeError)
    remedy = f"Pass {argument}=jn.initializers.normal(0.1), for example."
    require(jnp.shape(array) == shape, argument, rule, str(jnp.shape(array)), remedy)
    return jnp.asarray(array, dtype)
