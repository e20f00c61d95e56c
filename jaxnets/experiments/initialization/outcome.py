"""XOR from many initialisers at once, by seed and learning rate."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxnets import data, initializers, losses
from jaxnets.activations import sigmoid
from jaxnets.combinators import sequential
from jaxnets.experiments.xor.networks import train_many
from jaxnets.layers import dense
from jaxnets.model import Initializer, Model, Params

__all__ = ["Outcome", "two_unit_net", "xor_outcome"]


class Outcome(NamedTuple):
    """The networks of one optimizer after training; axes: initialisers, seeds, learning rates.

    Attributes:
      solved: Whether all four outputs are on the right side of 0.5.
      difference: The largest difference between weights of the two hidden units.
      loss: The recorded losses, with one axis more.
      step: Of each record.
      params: Of all networks, on one leading axis.
      seconds: Wall time by part.
    """

    solved: np.ndarray
    difference: np.ndarray
    loss: np.ndarray
    step: np.ndarray
    params: Params
    seconds: dict[str, float]


def two_unit_net(initializer: Initializer) -> Model:
    """The 2-2-1 network of the course, with biases of 0."""
    zeros = initializers.zeros
    hidden, output = (dense(width, w_init=initializer, b_init=zeros) for width in (2, 1))
    return sequential(hidden, sigmoid, output, sigmoid)


def xor_outcome(
    inits: Mapping[str, Initializer],
    make_optimizer: Callable[..., optax.GradientTransformation],
    config: Any,
    *,
    progress: bool = False,
) -> Outcome:
    """Train every combination in one compiled program.

    Initialisers differ only in the parameters that the members start from.

    Args:
      inits: The initialisers by name.
      make_optimizer: ``make_optimizer(learning_rate)``.
      config: What has ``seed``, ``seeds``, ``lr``, ``steps`` and ``log_every``.
      progress: Whether there is a progress bar.
    """
    keys = jax.vmap(jax.random.key)(jnp.asarray(range(config.seed, config.seed + config.seeds)))
    x, _ = data.xor()
    models = [two_unit_net(initializer) for initializer in inits.values()]
    starts = [jax.vmap(lambda key, m=model: m.init(key, x))(keys) for model in models]
    params = jax.tree.map(lambda *leaves: jnp.concatenate(leaves), *starts)
    network = two_unit_net(initializers.zeros), losses.bce
    result, solves = train_many(
        config, network, make_optimizer, params, config.lr, progress=progress
    )
    shape = (len(inits), config.seeds, len(config.lr))
    return Outcome(
        solves.reshape(shape),
        _difference_of_units(result.params).reshape(shape),
        result.history["loss"].reshape(*shape, -1),
        result.history["step"],
        result.params,
        result.seconds,
    )


def _difference_of_units(params: Params) -> np.ndarray:
    """The largest difference between weights of the two hidden units, for each network."""
    hidden, output = params["0"], params["2"]
    # The hidden units are the columns of w, the entries of b, and the rows of the next w.
    of_units = (hidden["w"], hidden["b"][:, None], jnp.swapaxes(output["w"], 1, 2))
    gaps = [jnp.abs(weights[..., 0] - weights[..., 1]).max(axis=1) for weights in of_units]
    return np.asarray(jnp.stack(gaps).max(axis=0))
