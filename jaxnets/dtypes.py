"""Rules about types of numbers that several parts of the library follow."""

from typing import Any

import jax.numpy as jnp
import numpy as np

__all__ = ["at_least_float32", "is_floating"]


def at_least_float32(dtype: Any) -> np.dtype[Any]:
    """The dtype to sum and draw in: half precision overflows and loses its last digits there.

    Example:
      >>> [at_least_float32(name).name for name in ("float16", "bfloat16", "float64")]
      ['float32', 'float32', 'float64']
    """
    own = jnp.dtype(dtype)  # not promoted: jax_numpy_dtype_promotion may be strict
    wide = jnp.issubdtype(own, jnp.inexact) and own.itemsize >= 4
    return own if wide else np.dtype(np.float32)


def is_floating(leaf: Any) -> bool:
    """True for an array, or a ``jax.ShapeDtypeStruct``, of a floating dtype."""
    is_array = hasattr(leaf, "dtype") and not isinstance(leaf, type)
    return is_array and bool(jnp.issubdtype(leaf.dtype, jnp.floating))
