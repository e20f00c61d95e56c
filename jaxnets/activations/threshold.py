"""The perceptron's units: linear and threshold."""

import jax
import jax.numpy as jnp

from jaxnets.activations.contract import elementwise

__all__ = ["heaviside", "identity"]


@elementwise()
def identity(x: jax.Array) -> jax.Array:
    r"""The input itself.

    .. math:: f(x) = x, \qquad f'(x) = 1

    The range is (-inf, inf): it never saturates.

    Example:
      >>> identity(jnp.array([-1.0, 2.0])).tolist()
      [-1.0, 2.0]
    """
    return x


@elementwise()
def heaviside(x: jax.Array) -> jax.Array:
    r"""Heaviside's step, the perceptron's threshold.

    .. math:: f(x) = 1 \text{ if } x \ge 0 \text{ else } 0, \qquad f'(x) = 0

    At 0 the value is 1: a unit fires when its input reaches the threshold. The derivative is taken
    as 0 everywhere, at 0 too, so that nothing below this unit learns by gradients; `sigmoid` is
    the smooth function in its place. The range is 0 and 1.

    Example:
      >>> heaviside(jnp.array([-0.5, 0.0, 2.0])).tolist()
      [0.0, 1.0, 1.0]

    References:
      Rosenblatt, "The perceptron", 1958; ``torch.heaviside(x, values=1)``.
    """
    # NaN is neither, and so comes out itself.
    return jnp.where(x >= 0, 1, jnp.where(x < 0, 0, x))
