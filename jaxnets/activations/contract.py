"""What all activations share: checks, narrow dtypes and compilation."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxnets.checks import check_floating

__all__ = ["Function", "elementwise", "widened"]

Function = Callable[..., jax.Array]


def widened(function: Function) -> Function:
    """Computes in float32 at least, and returns the dtype of ``x``."""

    @functools.wraps(function)
    def computed(x: jax.Array, *args: Any, **options: Any) -> jax.Array:
        wide = jnp.float32 if x.dtype.itemsize < 4 else x.dtype
        return function(x.astype(wide), *args, **options).astype(x.dtype)

    return computed


def elementwise(**checks: Callable[[str, str, Any], Any]) -> Callable[[Function], Function]:
    """Checks ``x``, widens narrow dtypes and jits; every option is static and has its check.

    Options are checked before ``jax.jit`` sees them, so that a value that cannot be static is
    reported in the library's words.
    """

    def decorate(function: Function) -> Function:
        name, wide = function.__name__, widened(function)

        @functools.wraps(function)
        def checked(x: Any, *args: Any, **options: Any) -> jax.Array:
            return wide(check_floating(name, "x", x), *args, **options)

        compiled: Function = jax.jit(checked, static_argnames=tuple(checks))
        if not checks:
            return compiled

        @functools.wraps(function)
        def activation(x: Any, **options: Any) -> jax.Array:
            for option, check in checks.items():
                if option in options:
                    options[option] = check(name, option, options[option])
            return compiled(x, **options)

        return activation

    return decorate
