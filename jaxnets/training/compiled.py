"""Compiled functions that are forgotten when they have not been used for long."""

import functools
from collections.abc import Callable, Hashable
from typing import Any

import jax

__all__ = ["compiled_for", "compiled_method"]

MOST_KEPT = 64
"""First arguments whose compiled functions are kept."""


def compiled_for(function: Callable[..., Any]) -> Callable[[Hashable], Any]:
    """``function`` with its first argument fixed and the rest of it jitted.

    The function for an equal first argument is the same, for the last 64 of them. An argument
    of ``jax.jit`` that is static stays in memory for ever, and with it all that was compiled for
    it: a loop over a thousand learning rates would keep a thousand programs.

    Example:
      >>> power = compiled_for(lambda exponent, x: x**exponent)
      >>> int(power(2)(3)), power(2) is power(2)
      (9, True)
    """

    @functools.lru_cache(maxsize=MOST_KEPT)
    @functools.wraps(function)
    def compiled(first: Hashable) -> Any:
        return jax.jit(functools.partial(function, first))

    return compiled


def compiled_method(method: Callable[..., Any]) -> Any:
    """A method that is compiled for each object it is called on; equal objects share the code.

    An object looks for it once, however long it takes to tell objects apart.

    Example:
      >>> from dataclasses import dataclass
      >>> @dataclass(frozen=True)
      ... class Line:
      ...     slope: float
      ...     @compiled_method
      ...     def at(self, x):
      ...         return self.slope * x
      >>> float(Line(2.0).at(3.0)), Line(2.0).at is Line(2.0).at
      (6.0, True)
    """
    return functools.cached_property(compiled_for(method))
