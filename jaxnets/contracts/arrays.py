"""Arrays as arguments: conversion in the library's words, axes."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets.checks import check_floating
from jaxnets.errors import ArgumentTypeError, fail

__all__ = [
    "absolute",
    "as_array",
    "as_floating",
    "leading_axes",
    "power_of_two",
    "trailing_axes",
]

PLAIN_KINDS = "bif"
"""The kinds of NumPy types that JAX takes as they are: bool, integers, floats."""


def as_array(argument: str, value: Any) -> Any:
    """Return ``value`` as something with a shape and a dtype that JAX can compute with.

    An array stays what it is, so that labels of 64 bits can be checked before they are cut to
    32; a Python number or a list becomes a ``jax.Array``.
    """
    if isinstance(value, jax.Array | jax.ShapeDtypeStruct):
        if not isinstance(value.dtype, np.dtype):
            remedy = "Pass keys as key=, where a function takes them."
            fail(argument, "be an array of numbers", value, remedy, error=ArgumentTypeError)
        return value
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        remedy = f"Fill them with {argument}.filled(0), and give their examples a weight of 0."
        fail(argument, "hold no masked values", value, remedy, error=ArgumentTypeError)
    if isinstance(value, np.ma.MaskedArray):  # of which nothing is masked
        value = value.data
    if isinstance(value, np.ndarray) and value.dtype.kind in PLAIN_KINDS and value.itemsize <= 8:
        return value
    try:
        return jnp.asarray(value)
    except (TypeError, ValueError, OverflowError):
        remedy = f"Convert it with jnp.asarray({argument}, dtype=jnp.float32)."
        fail(argument, "be an array of numbers", value, remedy, error=ArgumentTypeError)


def as_floating(argument: str, value: Any) -> jax.Array:
    """Return ``value`` as an array of a floating dtype; other dtypes are an error."""
    return check_floating(argument, as_array(argument, value))


def leading_axes(array: Any, ndim: int) -> Any:
    """``array`` with its axes first among ``ndim``: one value per example, say."""
    return array.reshape(array.shape + (1,) * (ndim - array.ndim))


def trailing_axes(array: Any, ndim: int) -> jax.Array:
    """``array`` with its axes last among ``ndim``: one value per feature, say."""
    return jnp.reshape(array, (1,) * (ndim - array.ndim) + array.shape)


def absolute(x: jax.Array) -> jax.Array:
    """The absolute value, with derivative 0 at 0, where ``jnp.abs`` has 1."""
    return x * jnp.sign(x)


def power_of_two(x: jax.Array) -> jax.Array:
    """The largest power of 2 up to a positive finite ``x``, else 1: a scale that rounds nothing.

    Its inverse, by which XLA multiplies instead of dividing, is a normal number too.
    """
    x = jax.lax.stop_gradient(x)
    usable = (x > 0) & jnp.isfinite(x)
    mantissa, _ = jnp.frexp(jnp.where(usable, x, 1))
    largest = 1 / np.finfo(x.dtype).tiny
    return jnp.where(usable, jnp.minimum(x / (2 * mantissa), largest), 1)
