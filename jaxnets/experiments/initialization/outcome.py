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
from jaxnets.experiments.xor.many import solves_xor
from jaxnets.layers import dense
from jaxnets.model import Initializer, Model, Params
from jaxnets.training import Sweep, sweep

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
    rates: tuple[float, ...],
    *,
    seeds: range,
    steps: int,
    record_every: int,
    progress: bool = False,
) -> Outcome:
    """Train every combination in one compiled program.

    Initialisers differ only in the parameters that the members start from.
    """
    keys = jax.vmap(jax.random.key)(jnp.asarray(seeds))
    model = two_unit_net(initializers.zeros)

    def trial(learning_rate: Any) -> tuple[Any, ...]:
        return model, losses.bce, make_optimizer(learning_rate)

    result = sweep(
        trial,
        data.xor(),
        keys=jnp.tile(keys, len(inits)),
        params=_starts(inits, keys),
        hyperparameters={"learning_rate": rates},
        steps=steps,
        record_every=record_every,
        progress=progress,
    )
    return _outcome(model, result, (len(inits), len(seeds), len(rates)))


def _starts(inits: Mapping[str, Initializer], keys: jax.Array) -> Params:
    """Parameters for every initialiser and key, stacked."""
    x, _ = data.xor()
    models = [two_unit_net(initializer) for initializer in inits.values()]
    starts = [jax.vmap(lambda key, m=model: m.init(key, x))(keys) for model in models]
    params: Params = jax.tree.map(lambda *leaves: jnp.concatenate(leaves), *starts)
    return params


def _outcome(model: Model, result: Sweep, shape: tuple[int, int, int]) -> Outcome:
    """The members by initialiser, seed and learning rate."""
    return Outcome(
        solves_xor(model, result).reshape(shape),
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
