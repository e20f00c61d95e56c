"""Functions along an axis: softmax and its logarithm."""

import jax

from jaxnets.activations.contract import Function, widened
from jaxnets.checks import (
    check_axis,
    check_floating,
)

__all__ = ["log_softmax", "softmax"]


def softmax(x: jax.Array, *, axis: int = -1) -> jax.Array:
    r"""The exponentials along an axis, scaled to sum to 1.

    .. math:: f(x)_i = \frac{e^{x_i}}{\sum_j e^{x_j}}, \qquad
       \frac{\partial f_i}{\partial x_j} = f_i(\delta_{ij} - f_j)

    It is smooth. As one probability nears 1 all derivatives near 0: the unit saturates. An entry
    of -inf is masked: its probability and its gradient are 0. Nothing but -inf, or +inf
    anywhere, has no limit and gives NaN along the axis.

    Args:
      x: Logits, floating, any shape with at least one axis.
      axis: The axis to sum over.

    Returns:
      Same shape and dtype; range (0, 1), reaching both ends by rounding.

    Raises:
      ValueError: If ``x`` has no such axis.
      TypeError: If ``x`` is not floating or ``axis`` not a whole number.

    Example:
      >>> print(*(f"{p:.4f}" for p in softmax(jnp.array([-0.2528, -0.3826, -1.0988]))))
      0.4334 0.3806 0.1860

    References:
      Bridle, "Probabilistic interpretation of feedforward classification network outputs",
      1990.
    """
    x = check_floating("softmax", "x", x)
    return _softmax(x, axis=check_axis("softmax", "axis", axis, x.ndim))


_softmax: Function = jax.jit(widened(jax.nn.softmax), static_argnames="axis")


def log_softmax(x: jax.Array, *, axis: int = -1) -> jax.Array:
    r"""The logarithm of the softmax.

    .. math:: f(x)_i = x_i - \log \sum_j e^{x_j}, \qquad
       \frac{\partial f_i}{\partial x_j} = \delta_{ij} - e^{f_j}

    It is finite where `softmax` has become 0, and its gradient does not vanish where a target
    has little probability. An entry of -inf is masked: it stays -inf and its probability is 0.
    Nothing but -inf, or +inf anywhere, gives NaN along the axis.

    Args:
      x: Logits, floating, any shape with at least one axis.
      axis: The axis to sum over.

    Returns:
      Same shape and dtype, in nats; range (-inf, 0), reaching 0 by rounding.

    Raises:
      ValueError: If ``x`` has no such axis.
      TypeError: If ``x`` is not floating or ``axis`` not a whole number.

    Example:
      >>> log_softmax(jnp.array([0.0, -1000.0])).tolist()
      [0.0, -1000.0]

    References:
      ``torch.nn.LogSoftmax`` (PyTorch documentation).
    """
    x = check_floating("log_softmax", "x", x)
    return _log_softmax(x, axis=check_axis("log_softmax", "axis", axis, x.ndim))


_log_softmax: Function = jax.jit(widened(jax.nn.log_softmax), static_argnames="axis")
