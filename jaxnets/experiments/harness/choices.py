"""The names that flags and reports have for optimizers and initialisers."""

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

__all__ = ["INITIALIZERS", "OPTIMIZERS", "make_optimizer", "start", "starting_params"]


OPTIMIZERS: dict[str, Callable[..., optax.GradientTransformation]] = {
    "sgd": optax.sgd,
    "momentum": functools.partial(optax.sgd, momentum=0.9),
    "adam": optax.adam,
    "adamw": optax.adamw,
    "rmsprop": optax.rmsprop,
}
"""Update rules by name; each takes ``learning_rate``."""

INITIALIZERS: dict[str, Callable[[], Initializer]] = {
    "torch": initializers.torch_linear,
    "normal": functools.partial(initializers.normal, 1.0),
    "uniform": functools.partial(initializers.uniform, 1.0),
    "constant": functools.partial(initializers.constant, 0.5),
    "xavier": initializers.xavier_normal,
    "xavier_uniform": initializers.xavier_uniform,
    "he": initializers.he_normal,
    "lecun": initializers.lecun_normal,
    "orthogonal": initializers.orthogonal,
}
"""Makers of weight initialisers by name; ``torch`` is PyTorch's rule for its linear layers."""


@functools.lru_cache(maxsize=64)
def make_optimizer(name: str, lr: float) -> optax.GradientTransformation:
    """The optimizer that the flags ask for; the same object again, so that runs compile once."""
    return OPTIMIZERS[name](lr)


def starting_params(model: Model, x: Any, init: str, seeds: range) -> Params:
    """Parameters for every seed, stacked on a leading axis.

    Args:
      model: A model whose dense layers draw their weights by ``INITIALIZERS[init]``.
      x: An example input.
      init: A name of `INITIALIZERS`.
      seeds: One or more seeds. Those of ``torch`` are PyTorch's ``manual_seed``, whose stream of
        numbers is drawn from; the others make a ``jax.random.key``.
    """
    if init == "torch":
        members = [torch_init(model, x, seed) for seed in seeds]
        stacked: Params = jax.tree.map(lambda *leaves: jax.device_put(np.stack(leaves)), *members)
        return stacked
    keys = jax.vmap(jax.random.key)(jnp.asarray(seeds))
    drawn: Params = jax.vmap(lambda key: model.init(key, x))(keys)
    return drawn


def start(model: Model, x: Any, init: str, seed: int) -> Params:
    """The parameters for one seed; see `starting_params`."""
    stacked = starting_params(model, x, init, range(seed, seed + 1))
    params: Params = jax.tree.map(lambda leaf: np.asarray(leaf)[0], stacked)
    return params
