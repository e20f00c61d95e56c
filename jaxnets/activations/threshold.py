"""The perceptron's units: linear and threshold."""

import jax
import jax.numpy as jnp

from jaxnets.activations.contract import elementwise

__all__ = ["identity", "step"]


@elementwise()
def identity(x: jax.Array) -> jax.Array:
    r"""The input itself.

    .. math:: f(x) = x, \qquad f'(x) = 1

    Args:
      x: Floating, any shape.

    Returns:
      ``x``; range (-inf, inf). It never saturates.

    Raises:
      TypeError: If ``x`` is not floating.

    Example:
      >>> identity(jnp.array([-1.0, 2.0])).tolist()
      [-1.0, 2.0]
    """
    return x


@elementwise()
def step(x: jax.Array) -> jax.Array:
    r"""Heaviside's step, the perceptron's threshold.

    .. math:: f(x) = 1 \text{ if } x \ge 0 \text{ else } 0, \qquad f'(x) = 0

    At 0 the value is 1: a unit fires when its input reaches the threshold. The derivative is
    taken as 0 everywhere, at 0 too, so that nothing below this unit learns by gradients;
    `sigmoid` is the smooth function in its place.

    Args:
      x: Floating, any shape.

    Returns:
      Same shape and dtype; 0 or 1.

    Raises:
      TypeError: If ``x`` is not floating.

    Example:
      >>> step(jnp.array([-0.5, 0.0, 2.0])).tolist()
      [0.0, 1.0, 1.0]

    References:
      Rosenblatt, "The perceptron", 1958; ``torch.heaviside(x, values=1)``.
    """
    # NaN is neither, and so comes out itself.
    return jnp.where(x >= 0, 1, jnp.where(x < 0, 0, x))
