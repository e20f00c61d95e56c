"""What functions given to a run return, found by tracing them on shapes alone."""

from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets.checks import ArgumentTypeError, concrete, describe, fail
from jaxnets.training.compiled import compiled_for

__all__ = ["check_not_traced", "fail_traced", "is_floating_scalar", "output_shapes"]


class _NotAnArray(Exception):
    """Something that no compiled function can return."""


def _call(function: Callable[..., Any], *args: Any) -> Any:
    result = function(*args)
    for leaf in jax.tree.leaves(result):
        if not isinstance(leaf, jax.Array | np.ndarray | np.generic | int | float | complex):
            raise _NotAnArray(describe(leaf))
    return result


_traced = compiled_for(_call)


def output_shapes(function: str, argument: str, call: Callable[..., Any], *args: Any) -> Any:
    """The shapes that ``call(*args)`` returns; it is traced, once for arguments of one shape.

    Args:
      function: The public function that was given ``call``, for the error.
      argument: The name that it was given under.
      call: A hashable function of arrays.
      args: Arrays, or ``jax.ShapeDtypeStruct`` in their place.
    """
    try:
        return _traced(call).eval_shape(*args)
    except _NotAnArray as error:
        remedy = "Return arrays of numbers."
        fail(function, argument, "return arrays", str(error), remedy, error=ArgumentTypeError)
    except (jax.errors.JAXTypeError, jax.errors.JAXIndexError) as error:
        fail(
            function,
            argument,
            "be a function that jax.jit can trace",
            f"a {type(error).__name__}",
            "Compute with jax.numpy, and choose with jnp.where rather than if.",
            error=ArgumentTypeError,
        )


def is_floating_scalar(value: Any) -> bool:
    """Whether a shape is that of one floating number."""
    return getattr(value, "shape", None) == () and jnp.issubdtype(value.dtype, jnp.floating)


def check_not_traced(function: str, *, data: Any, **others: Any) -> None:
    """Raises if an argument, or anything at all, is being traced: a run needs its values."""
    # Within jax.jit everything is traced, even what is put on the device there.
    for argument, tree in {**others, "data": (data, _put())}.items():
        traced = [leaf for leaf in _leaves(tree) if not concrete(leaf)]
        if traced:
            fail_traced(function, argument, f"a traced {describe(traced[0])}")


def fail_traced(function: str, argument: str, got: str) -> NoReturn:
    """Raises the error of a run whose values are being traced."""
    fail(
        function,
        argument,
        "hold values, outside of jax.jit, jax.vmap and jax.grad",
        got,
        "Use jn.make_step for a loop of one's own, or jn.sweep for many runs.",
        error=ArgumentTypeError,
    )


def _leaves(tree: Any) -> list[Any]:
    """The leaves of a tree that may hold anything, such as a generator given by mistake."""
    return jax.tree.leaves(tree, is_leaf=lambda node: isinstance(node, Iterator))


def _put() -> jax.Array:
    zero: jax.Array = jax.device_put(np.int32(0))
    return zero
