"""The size of the gradient, layer by layer, in networks of every depth."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets import losses
from jaxnets.layers import dense
from jaxnets.model import Activation, Initializer, Params

__all__ = ["gradient_norms"]

WIDTH, EXAMPLES = 32, 64


def gradient_norms(
    activation: Activation, initializer: Initializer, key: jax.Array, depth: int
) -> np.ndarray:
    """The Euclidean norm of the weights' gradient in networks of 1 to ``depth`` hidden layers.

    The networks share their weights: the one of depth d has the first d hidden layers and the
    same output unit. Inputs are drawn from N(0, 1), targets from {0, 1}, and the loss is the
    cross-entropy of the output as a logit, so that its gradient by the output is at most 1.

    Args:
      activation: After every hidden layer.
      initializer: Of the weights; biases start at 0.
      key: Of weights and data.
      depth: The most hidden layers.

    Returns:
      ``[depth, depth]``: row d - 1 has the norms of network d by layer, NaN beyond its depth.
    """
    keys = jax.random.split(key, 4)
    x = jax.random.normal(keys[0], (EXAMPLES, WIDTH))
    y = jax.random.bernoulli(keys[1], shape=(EXAMPLES, 1)).astype(x.dtype)
    hidden = dense(WIDTH, w_init=initializer, b_init=jax.nn.initializers.zeros)
    params = {
        "hidden": jax.vmap(lambda one: hidden.init(one, x))(jax.random.split(keys[2], depth)),
        "output": dense(1, w_init=initializer).init(keys[3], x),
    }
    gradients = np.asarray(_gradients(activation, params, x, y), float)
    norms = np.sqrt(np.square(gradients).sum(axis=(2, 3)))
    return np.where(np.tri(depth, dtype=bool), norms, np.nan)


@functools.partial(jax.jit, static_argnames="activation")
def _gradients(activation: Activation, params: Params, x: jax.Array, y: jax.Array) -> jax.Array:
    """By the hidden weights, for every depth: ``[depth, layer, in, out]``, all in one program."""
    layers = len(params["hidden"]["w"])

    def loss(weights: jax.Array, depth: jax.Array) -> jax.Array:
        def layer(h: jax.Array, step: tuple[Any, ...]) -> tuple[jax.Array, None]:
            number, w, b = step
            deeper = activation(dense(WIDTH).apply({"w": w, "b": b}, h))
            # Layers beyond the depth are passed by.
            return jnp.where(number < depth, deeper, h), None

        steps = (jnp.arange(layers), weights, params["hidden"]["b"])
        h, _ = jax.lax.scan(layer, x, steps)
        value: jax.Array = losses.bce_with_logits(dense(1).apply(params["output"], h), y)
        return value

    by_depth = jax.vmap(jax.grad(loss), in_axes=(None, 0))
    gradients: jax.Array = by_depth(params["hidden"]["w"], 1 + jnp.arange(layers))
    return gradients
