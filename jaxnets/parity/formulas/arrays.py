"""The few things that the formulas need beyond the array-API standard.

The formulas are written once for NumPy and JAX: each asks its input for its namespace, and so
uses ``numpy`` for NumPy arrays and ``jax.numpy`` for JAX arrays, traced ones included.
"""

import math
from typing import Any

import jax.scipy.special
import numpy as np

__all__ = ["bracket", "column", "erfc", "log_sum_exp", "namespace", "per_feature", "rows"]


def namespace(x: Any) -> Any:
    """The array-API namespace of ``x``: ``numpy`` or ``jax.numpy``."""
    return x.__array_namespace__()


def bracket(condition: Any, like: Any) -> Any:
    """Iverson's bracket: 1 where the condition holds and 0 elsewhere, in the dtype of ``like``.

    Example:
      >>> x = np.array([-1.0, 0.0, 2.0])
      >>> bracket(x > 0, x).tolist()
      [0.0, 0.0, 1.0]
    """
    return namespace(like).astype(condition, like.dtype)


def rows(x: Any) -> Any:
    """``x`` as a matrix of examples: all axes but the last become one."""
    return namespace(x).reshape(x, (-1, x.shape[-1]))


def per_feature(vector: Any, like: Any) -> Any:
    """A vector ``[features]`` or a number, with the dtype and as many axes as ``like``."""
    xp = namespace(like)
    vector = xp.asarray(vector, dtype=like.dtype)
    return xp.reshape(vector, (1,) * (like.ndim - vector.ndim) + vector.shape)


def column(vector: Any, like: Any) -> Any:
    """Values for the leading axes of ``like``, with axes of length 1 for the rest."""
    vector = namespace(like).asarray(vector)
    missing = (1,) * (like.ndim - vector.ndim)
    return namespace(like).reshape(vector, vector.shape + missing)


def erfc(x: Any) -> Any:
    """The complementary error function 2/sqrt(pi) times the integral of e^(-t^2) from x on."""
    if namespace(x) is np:
        return np.vectorize(math.erfc, otypes=[x.dtype])(x)
    return jax.scipy.special.erfc(x)


def log_sum_exp(x: Any, axis: int) -> Any:
    """``log sum_k e^(x_k)`` along an axis whose largest entry is 0: log(1 + the others)."""
    xp = namespace(x)
    ascending = xp.sort(xp.exp(x), axis=axis)
    others = xp.take(ascending, xp.arange(x.shape[axis] - 1), axis=axis)
    return xp.log1p(xp.sum(others, axis=axis, keepdims=True))
