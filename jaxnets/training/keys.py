"""The keys of runs, whatever their style: typed, or the raw integers of ``jax.random.PRNGKey``."""

from typing import Any, NoReturn

import jax
import jax.numpy as jnp

from jaxnets.checks import ArgumentTypeError, ArgumentValueError, fail

__all__ = ["many_keys", "one_key"]


def one_key(function: str, key: Any) -> jax.Array:
    """Returns ``key`` as one typed PRNG key."""
    typed = _typed(key)
    if typed is None or typed.shape != ():
        _refuse(function, "key", "be one PRNG key", key, "Pass key=jax.random.key(0).")
    return typed


def many_keys(function: str, keys: Any) -> jax.Array:
    """Returns ``keys`` as an array of typed PRNG keys along one axis."""
    typed = _typed(keys)
    if typed is None or typed.ndim != 1 or not len(typed):
        rule = "be an array of PRNG keys, one a seed"
        _refuse(
            function, "keys", rule, keys, "Pass keys=jax.random.split(jax.random.key(0), 1000)."
        )
    return typed


def _typed(keys: Any) -> jax.Array | None:
    """The keys of any shape as typed ones, or None if they are no keys."""
    dtype = getattr(keys, "dtype", None)
    if dtype is None:
        return None
    typed: jax.Array = keys
    if jnp.issubdtype(dtype, jax.dtypes.prng_key):
        return typed
    if dtype != jnp.uint32:
        return None
    try:
        typed = jax.random.wrap_key_data(jnp.asarray(keys))
    except TypeError:  # of a length that the default generator's keys do not have
        return None
    return typed


def _refuse(function: str, argument: str, rule: str, got: Any, remedy: str) -> NoReturn:
    error = ArgumentValueError if got is None else ArgumentTypeError
    fail(function, argument, rule, got, remedy, error=error)
