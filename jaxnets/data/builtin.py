"""Data sets small enough to be written down."""

from typing import Any

import jax
import jax.numpy as jnp

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
    x = jnp.array([[0, 0], [0, 1], [1, 0], [1, 1]], dtype)
    return x, jnp.array([[0], [1], [1], [0]], dtype)
