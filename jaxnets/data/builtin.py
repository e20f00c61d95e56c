"""Data sets small enough to be written down."""

from typing import Any

import jax
import numpy as np

__all__ = ["xor"]


def xor(dtype: Any = float) -> tuple[jax.Array, jax.Array]:
    """The truth table of exclusive or.

    Args:
      dtype: The floating dtype of both arrays; JAX's default one if none is given.

    Returns:
      Inputs, shape ``[4, 2]``, and targets, shape ``[4, 1]``.

    Example:
      >>> x, y = xor()
      >>> y[:, 0].tolist()
      [0.0, 1.0, 1.0, 0.0]
    """
    dtype = jax.dtypes.canonicalize_dtype(dtype)
    x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], dtype)
    # Put there as they are: building them on the device would compile a program or two.
    return jax.device_put(x), jax.device_put(np.array([[0], [1], [1], [0]], dtype))
