"""What flags name: optimizers, initialisers and starting parameters."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxnets import initializers
from jaxnets.model import Initializer, Model, Params
from jaxnets.torch_compat import torch_init

__all__ = ["INITIALIZERS", "OPTIMIZERS", "make_optimizer", "starting_params"]

OPTIMIZERS: dict[str, Callable[[float], optax.GradientTransformation]] = {
    "sgd": optax.sgd,
    "momentum": lambda lr: optax.sgd(lr, momentum=0.9),
    "adam": optax.adam,
    "adamw": optax.adamw,
    "rmsprop": optax.rmsprop,
}
"""Update rules by name; each takes the learning rate."""

INITIALIZERS: dict[str, Initializer | None] = {
    "torch": None,
    "normal": initializers.normal(1.0),
    "uniform": initializers.uniform(1.0),
    "constant": initializers.constant(0.5),
    "xavier": initializers.xavier_uniform(),
    "he": initializers.he_normal(),
}
"""Weight initialisers by name; ``torch`` stands for PyTorch's own stream of numbers."""


@functools.lru_cache(maxsize=64)
def make_optimizer(name: str, lr: float) -> optax.GradientTransformation:
    """The optimizer that the flags ask for; the same object again, so that runs compile once."""
    return OPTIMIZERS[name](lr)


def starting_params(model: Model, x: Any, init: str, seeds: range) -> Params:
    """Parameters for every seed, stacked on a leading axis.

    Args:
      model: A model whose dense layers were built with ``INITIALIZERS[init]``.
      x: An example input.
      init: A name of `INITIALIZERS`.
      seeds: One or more seeds. Those of ``torch`` are PyTorch's ``manual_seed``, the others
        make a ``jax.random.key``.
    """
    if init == "torch":
        members = [torch_init(model, x, seed) for seed in seeds]
        params: Params = jax.tree.map(lambda *leaves: jax.device_put(np.stack(leaves)), *members)
    else:
        keys = jax.vmap(jax.random.key)(jnp.asarray(seeds))
        params = jax.vmap(lambda key: model.init(key, x))(keys)
    return params
