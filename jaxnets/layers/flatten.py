"""From images, or any other shape, to features."""

import math

import jax
import jax.numpy as jnp

from jaxnets.layers.contract import check_example
from jaxnets.making import factory
from jaxnets.model import Model, Params, no_params

__all__ = ["flatten"]


@factory()
def flatten() -> Model:
    """Join all axes behind the first: ``[batch, ...]`` becomes ``[batch, features]``.

    The first axis is always kept, so an input without a batch axis, as inside ``jax.vmap``, does
    not become flat; ``jnp.ravel``, used as a layer, makes it so.

    Returns:
      A Model without parameters, of any dtype. ``[batch]`` becomes ``[batch, 1]``.

    Example:
      >>> flatten().apply({}, jnp.zeros((32, 28, 28))).shape
      (32, 784)

    References:
      ``torch.nn.Flatten`` (PyTorch documentation).
    """

    def apply(params: Params, x: jax.Array, *, key: jax.Array | None = None) -> jax.Array:
        check_example(x, floating=False)
        return jnp.reshape(x, (x.shape[0], math.prod(x.shape[1:])))

    return Model(no_params, apply)
