"""XOR from many initialisers at once: what becomes of each, by seed and learning rate."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxnets import data, initializers, losses
from jaxnets.activations import sigmoid
from jaxnets.combinators import sequential
from jaxnets.layers import dense
from jaxnets.model import Initializer, Model, Params
from jaxnets.training import Sweep, sweep

__all__ = ["Outcome", "solves_xor", "two_unit_net", "xor_outcome"]


class Outcome(NamedTuple):
    """What became of the networks of one optimizer; axes: initialisers, seeds, learning rates.

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
    rates: tuple[float, ...],
    *,
    seeds: range,
    steps: int,
    record_every: int,
) -> Outcome:
    """Trains every combination in one compiled program.

    Initialisers differ only in the parameters that the members start from.
    """
    x, y = data.xor()
    keys = jax.vmap(jax.random.key)(jnp.asarray(seeds))
    starts = [_starts(initializer, keys, x) for initializer in inits.values()]
    model = two_unit_net(initializers.zeros)
    result = sweep(
        model,
        losses.bce,
        make_optimizer,
        (x, y),
        keys=jnp.tile(keys, len(inits)),
        params=jax.tree.map(lambda *leaves: jnp.concatenate(leaves), *starts),
        hyperparameters={"learning_rate": rates},
        steps=steps,
        record_every=record_every,
    )
    shape = (len(inits), len(seeds), len(rates))
    return Outcome(
        solves_xor(model, result).reshape(shape),
        _difference_of_units(result.params).reshape(shape),
        result.history["loss"].reshape(*shape, -1),
        result.history["step"],
        result.params,
        result.seconds,
    )


def solves_xor(model: Model, result: Sweep) -> np.ndarray:
    """Which members have stayed finite and put all four outputs on the right side of 0.5."""
    x, y = data.xor()
    outputs = jax.vmap(model.apply, in_axes=(0, None))(result.params, x)
    right = np.asarray(((outputs > 0.5) == (y > 0.5)[None]).all(axis=(1, 2)))
    solved: np.ndarray = right & (result.diverged_at < 0)
    return solved


def _starts(initializer: Initializer, keys: Any, x: Any) -> Params:
    """Parameters for every key, stacked."""
    model = two_unit_net(initializer)
    params: Params = jax.vmap(lambda key: model.init(key, x))(keys)
    return params


def _difference_of_units(params: Params) -> np.ndarray:
    """The largest difference between weights of the two hidden units, for each network."""
    hidden, output = params["0"], params["2"]
    # The hidden units are the columns of w, the entries of b, and the rows of the next w.
    of_units = (hidden["w"], hidden["b"][:, None], jnp.swapaxes(output["w"], 1, 2))
    gaps = [jnp.abs(weights[..., 0] - weights[..., 1]).max(axis=1) for weights in of_units]
    return np.asarray(jnp.stack(gaps).max(axis=0))
