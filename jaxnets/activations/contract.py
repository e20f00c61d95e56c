"""The contract of activations: a floating array in, one of the same shape and dtype out."""

import functools
from collections.abc import Callable
from typing import Any, Protocol, cast

import jax
from jax.typing import ArrayLike

from jaxnets.contracts.arrays import as_floating
from jaxnets.contracts.calls import OptionCheck, boundary, compiled, in_type
from jaxnets.dtypes import at_least_float32

__all__ = ["ActivationFunction", "activation", "elementwise"]


class ActivationFunction(Protocol):
    """An activation, in a model or called on an array."""

    __name__: str

    def __call__(self, x: ArrayLike, *args: Any, **options: Any) -> jax.Array:
        """The activation of ``x``."""


Decorator = Callable[[Callable[..., jax.Array]], ActivationFunction]


def elementwise(**options: OptionCheck) -> Decorator:
    """Make ``formula(x, ...)`` an activation: checked, compiled, in float32 at least.

    Args:
      **options: The check of each option that is a plain value.

    Example:
      >>> @elementwise()
      ... def cube(x):
      ...     return x**3
      >>> float(cube(2.0))
      8.0
    """

    def decorate(formula: Callable[..., jax.Array]) -> ActivationFunction:
        @functools.wraps(formula)
        def widened(x: Any, *args: Any, **given: Any) -> jax.Array:
            x = as_floating("x", x)
            wide = x.astype(at_least_float32(x.dtype))
            given = {name: in_type(value, wide.dtype) for name, value in given.items()}
            return formula(wide, *args, **given).astype(x.dtype)

        prepare = compiled(widened, options)

        @activation
        @functools.wraps(formula)
        def function(*args: Any, **kwargs: Any) -> jax.Array:
            program, arrays, given = prepare(args, kwargs)
            result: jax.Array = program(*arrays, **given)
            return result

        return function

    return decorate


def activation(function: Callable[..., jax.Array]) -> ActivationFunction:
    """The boundary of an activation: its errors bear its name."""
    name = function.__name__
    remedy = f"In a model pass the function itself: jn.sequential(jn.dense(1), jn.{name})."
    return cast(ActivationFunction, boundary(remedy)(function))
