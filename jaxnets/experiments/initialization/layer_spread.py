"""The spread of activations and gradients, layer by layer, right after initialisation."""

import functools
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets.model import Activation, Initializer

__all__ = ["Spread", "layer_spread"]

WIDTH, EXAMPLES = 256, 64


class Spread(NamedTuple):
    """Standard deviations over units and examples, ``[layers]`` each.

    Attributes:
      activations: Of the outputs of each layer; those of the input are 1.
      gradients: Of the gradient with respect to them; that of the last layer is 1.
    """

    activations: np.ndarray
    gradients: np.ndarray


def layer_spread(
    activation: Activation, initializers: Mapping[str, Initializer], key: jax.Array, depth: int
) -> dict[str, Spread]:
    """The spread in a network of ``depth`` equally wide layers without biases.

    The input is drawn from N(0, 1), and so is the gradient with respect to the last layer's
    outputs, as though some loss had given it.

    Args:
      activation: After every layer.
      initializers: Of the weights, by name.
      key: Of weights, input and gradient.
      depth: The number of layers.

    Returns:
      A `Spread` for every initialiser.
    """
    keys = jax.random.split(key, depth + 2)
    x, gradient = (jax.random.normal(one, (EXAMPLES, WIDTH)) for one in keys[:2])
    spreads = {}
    for name, initializer in initializers.items():
        draw = functools.partial(initializer, shape=(WIDTH, WIDTH), dtype=x.dtype)
        both = _there_and_back(activation, jax.vmap(draw)(keys[2:]), x, gradient)
        # Squares of what constant weights give are beyond float32; deep enough, so are they.
        with np.errstate(all="ignore"):
            spreads[name] = Spread(*(np.asarray(part, float).std(axis=(1, 2)) for part in both))
    return spreads


@functools.partial(jax.jit, static_argnums=0)
def _there_and_back(activation: Activation, weights: Any, x: Any, gradient: Any) -> Any:
    """Outputs of all layers and the gradients with respect to them, ``[layers, ...]``."""

    def forward(nudges: jax.Array) -> tuple[jax.Array, jax.Array]:
        """A nudge of 0 changes no output, but its gradient is that of the output."""

        def layer(h: jax.Array, step: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
            w, nudge = step
            h = activation(h @ w) + nudge
            return h, h

        return jax.lax.scan(layer, x, (weights, nudges))

    _, backward, outputs = jax.vjp(forward, jnp.zeros((len(weights), *x.shape)), has_aux=True)
    return outputs, backward(gradient)[0]
