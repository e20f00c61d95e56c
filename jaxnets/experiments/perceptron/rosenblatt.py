"""Rosenblatt's rule of 1958, and Novikoff's bound on the mistakes it makes.

For every example x with target t in {0, 1} and answer y = [x w + b >= 0]

  w <- w + (t - y) x,    b <- b + (t - y)

so that only mistakes change anything. Starting from zero, if some (w*, b*) of norm 1 has
``(2 t - 1) (x w* + b*) >= margin > 0`` for all examples, and ``|(x, 1)| <= R``, then there are at
most ``(R / margin)**2`` mistakes, in whatever order and however often the examples come.

References:
  Rosenblatt, "The perceptron", 1958; Novikoff, "On convergence proofs for perceptrons", 1962.
"""

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxnets import losses
from jaxnets.activations import heaviside
from jaxnets.combinators import sequential
from jaxnets.layers import dense
from jaxnets.model import Params
from jaxnets.training import Supervised, objective, sweep

__all__ = ["GATES", "Mistakes", "count_mistakes", "mistake_bound", "separable_data"]

GATES = {"and": (0, 0, 0, 1), "or": (0, 1, 1, 1), "nand": (1, 1, 1, 0), "xor": (0, 1, 1, 0)}
"""Targets for the inputs (0,0), (0,1), (1,0), (1,1)."""

UNIT = sequential(dense(1), heaviside, lambda y: y[..., 0])
"""Rosenblatt's unit: a step of a weighted sum."""


def _rule(params: Params, batch: Any, *, key: Any) -> tuple[jax.Array, Params]:
    """The share of mistakes in a batch, and in place of its gradient what the rule subtracts."""
    x, t = batch
    error = UNIT.apply(params, x) - t
    change = {"b": error.sum(keepdims=True), "w": x.T @ error[:, None]}
    return jnp.abs(error).mean(), {"0": change}


RULE = objective(Supervised(UNIT, losses.mae), value_and_grad=_rule)
PLAIN = optax.sgd(1.0)


class Mistakes(NamedTuple):
    """The outcome of the rule on one set of data, over several orders of the examples.

    Attributes:
      most: The most mistakes that any order made.
      converged: Whether every order ended with a pass without a mistake.
    """

    most: int
    converged: bool


def count_mistakes(x: Any, t: Any, *, orders: int, seed: int, epochs: int) -> Mistakes:
    """Trains Rosenblatt's unit from zero, one example at a time, in several random orders.

    Args:
      x: Inputs, ``[examples, features]``.
      t: Targets 0 or 1, floating, ``[examples]``.
      orders: Independent runs; every pass of each is a new permutation.
      seed: Of the permutations.
      epochs: Passes over the examples.
    """
    zeros = {"b": jnp.zeros((orders, 1)), "w": jnp.zeros((orders, x.shape[1], 1))}
    result = sweep(
        (UNIT, RULE, PLAIN),
        (x, t),
        keys=jax.random.split(jax.random.key(seed), orders),
        epochs=epochs,
        batch_size=1,
        params={"0": zeros},
    )
    wrong = result.history["loss"]
    return Mistakes(int(wrong.sum(axis=1).max()), not wrong[:, -len(x) :].any())


def mistake_bound(x: Any, t: Any, separator: Any) -> float:
    """Novikoff's bound on the mistakes, from the margin of a separator ``(*w, b)`` of any norm.

    Example:
      >>> x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
      >>> round(mistake_bound(x, np.array([0, 0, 0, 1]), (1, 1, -1.5)), 6)
      51.0
    """
    extended = np.append(np.asarray(x, float), np.ones((len(x), 1)), axis=1)
    unit = np.asarray(separator, float) / math.hypot(*separator)
    margin = ((2 * np.asarray(t) - 1) * (extended @ unit)).min()
    if margin <= 0:
        return math.inf
    return float(np.square(extended).sum(axis=1).max() / margin**2)


def separable_data(
    generator: np.random.Generator, points: int, margin: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Random points of the square [-1, 1]^2 that a random line separates with a margin.

    Returns:
      Inputs, ``[points, 2]``, targets 0 or 1, ``[points]``, and the line, ``(w1, w2, b)`` of
      norm 1.
    """
    line = generator.normal(size=3) * (1, 1, 0.3)
    line /= np.linalg.norm(line)
    kept = np.empty((0, 2))
    while len(kept) < points:
        drawn = generator.uniform(-1, 1, (points, 2))
        far = np.abs(drawn @ line[:2] + line[2]) >= margin
        kept = np.append(kept, drawn[far], axis=0)[:points]
    return kept, (kept @ line[:2] + line[2] > 0).astype(float), line
