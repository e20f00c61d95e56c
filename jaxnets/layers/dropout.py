"""Randomness against overfitting."""

import jax
import jax.numpy as jnp

from jaxnets.checks import check_floating, check_fraction, check_key
from jaxnets.errors import concrete
from jaxnets.making import factory
from jaxnets.model import Model, Params, no_params

__all__ = ["dropout"]


@factory()
def dropout(rate: float) -> Model:
    r"""Random zeros while training; the elements that stay are scaled up.

    .. math:: y = \frac{m x}{1 - p}, \qquad m \sim \text{Bernoulli}(1 - p)

    The expectation of y is x, so that evaluation needs no change of scale. The derivative is
    1/(1 - p) for the elements that stay and 0 for the others.

    Args:
      rate: The probability p of *dropping* an element, in [0, 1), as in PyTorch; it
        may be traced.

    Returns:
      A Model without parameters, of any shape. Without a key, or with rate 0, it is the
      identity: that is evaluation.

    Example:
      >>> layer, x = dropout(0.5), jnp.ones(6)
      >>> layer.apply({}, x).tolist()
      [1.0, 1.0, 1.0, 1.0, 1.0, 1.0]
      >>> sorted(set(layer.apply({}, x, key=jax.random.key(0)).tolist()))
      [0.0, 2.0]

    References:
      Srivastava, Hinton, Krizhevsky, Sutskever and Salakhutdinov, "Dropout: a simple way to
      prevent neural networks from overfitting", 2014.
    """
    rate = check_fraction("rate", rate)

    def apply(params: Params, x: jax.Array, *, key: jax.Array | None = None) -> jax.Array:
        array = check_floating("x", x)
        if key is None or (concrete(rate) and rate == 0):
            return array
        check_key(key)
        stays = jax.random.bernoulli(key, 1 - rate, array.shape)
        scaled = (array / (1 - rate)).astype(array.dtype)
        return jnp.where(stays, scaled, jnp.zeros_like(array))

    return Model(no_params, apply)
