"""Functions along an axis: softmax and its logarithm."""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp

from jaxnets.activations.contract import activation
from jaxnets.activations.exact import exact_log_softmax, exact_softmax
from jaxnets.checks import check_axis
from jaxnets.contracts.arrays import as_floating
from jaxnets.dtypes import at_least_float32

__all__ = ["log_softmax", "softmax"]


@activation
def softmax(x: jax.Array, *, axis: int = -1) -> jax.Array:
    r"""The exponentials along an axis, scaled to sum to 1.

    .. math:: f(x)_i = \frac{e^{x_i}}{\sum_j e^{x_j}}, \qquad
       \frac{\partial f_i}{\partial x_j} = f_i(\delta_{ij} - f_j)

    It is smooth. As one probability nears 1 all derivatives near 0: the unit saturates. An entry
    of -inf is masked: its probability and its gradient are 0. Nothing but -inf, or +inf anywhere,
    has no limit and gives NaN along the axis. The range is (0, 1), reaching both ends by rounding.

    Options:
      axis: The axis to sum over; x must have it.

    Example:
      >>> print(*(f"{p:.4f}" for p in softmax(jnp.array([-0.2528, -0.3826, -1.0988]))))
      0.4334 0.3806 0.1860

    References:
      Bridle, "Probabilistic interpretation of feedforward classification network outputs",
      1990.
    """
    x = as_floating("x", x)
    result: jax.Array = _softmax(x, axis=check_axis("axis", axis, x.ndim))
    return result


@activation
def log_softmax(x: jax.Array, *, axis: int = -1) -> jax.Array:
    r"""The logarithm of the softmax.

    .. math:: f(x)_i = x_i - \log \sum_j e^{x_j}, \qquad
       \frac{\partial f_i}{\partial x_j} = \delta_{ij} - e^{f_j}

    It is finite where `softmax` has become 0 and exact where that has become 1, and its gradient
    does not vanish where a target has little probability. An entry of -inf is masked: it stays
    -inf and its probability is 0. Nothing but -inf, or +inf anywhere, gives NaN along the axis.
    The range is (-inf, 0), in nats.

    Options:
      axis: The axis to sum over; x must have it.

    Example:
      >>> log_softmax(jnp.array([0.0, -1000.0])).tolist()
      [0.0, -1000.0]

    References:
      ``torch.nn.LogSoftmax`` (PyTorch documentation).
    """
    x = as_floating("x", x)
    result: jax.Array = _log_softmax(x, axis=check_axis("axis", axis, x.ndim))
    return result


@functools.partial(jax.jit, static_argnames="axis")
def _softmax(x: jax.Array, *, axis: int) -> jax.Array:
    return _along(exact_softmax, x, axis)


@functools.partial(jax.jit, static_argnames="axis")
def _log_softmax(x: jax.Array, *, axis: int) -> jax.Array:
    return _along(exact_log_softmax, x, axis)


def _along(function: Callable[[jax.Array], jax.Array], x: jax.Array, axis: int) -> jax.Array:
    """A function of the last axis along another one, in float32 at least."""
    if not x.shape[axis]:
        return x
    last = jnp.moveaxis(x.astype(at_least_float32(x.dtype)), axis, -1)
    return jnp.moveaxis(function(last), -1, axis).astype(x.dtype)
