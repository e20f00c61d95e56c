"""Weights of examples: what a run is given of them, and the functions that are handed them.

Where examples have weights, they are the third part of the data, ``(x, y, weights)``, and are dealt
out in batches with the other two.
"""

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets.errors import ArgumentTypeError, describe, fail, require
from jaxnets.training.inputs import Seen, fail_at, load_arrays, load_data

__all__ = ["Compared", "check_takes_weights", "load_validation", "load_weights", "with_weights"]

GOOD = Seen()
"""Weights that were loaded before, by the type that they were loaded as."""


@dataclass(frozen=True)
class Compared:
    """A loss or a metric that takes weights by position, if there are any; equal for equal ones.

    Attributes:
      function: ``function(predictions, targets)``, or with ``weights=`` too.
    """

    function: Callable[..., Any]

    def __call__(self, predictions: Any, targets: Any, *weights: Any) -> Any:
        """The loss or the metric."""
        return with_weights(self.function, *weights)(predictions, targets)


def with_weights(function: Callable[..., Any], *weights: Any) -> Callable[..., Any]:
    """A loss or a metric that has its weights already, if there are any."""
    return functools.partial(function, weights=weights[0]) if weights else function


def check_takes_weights(argument: str, function: Callable[..., Any]) -> None:
    """Raise unless a loss or a metric takes weights."""
    try:
        signature = inspect.signature(function)
    except ValueError:  # of a function in C
        return
    try:
        signature.bind(None, None, weights=None)
    except TypeError:
        rule = "take weights=, where examples have weights"
        remedy = "Pass a function of (predictions, targets, *, weights)."
        got = f"({', '.join(signature.parameters)})"
        fail(argument, rule, got, remedy, error=ArgumentTypeError)


def load_validation(data: Any, *, pair: bool) -> Any:
    """Validation data on the device; ``(x, y, weights)`` are the examples of a loss with weights.

    Args:
      data: The data.
      pair: Whether they are inputs and targets, as a loss takes them.
    """
    if not (pair and isinstance(data, tuple | list) and len(data) == 3):
        return load_data(data, argument="validation", pair=pair)
    x, y, weights = data
    loaded = load_data((x, y), argument="validation")
    return *loaded, load_weights(weights, loaded, argument="validation")


def load_weights(weights: Any, data: Any, *, argument: str = "data") -> jax.Array:
    """The weights of the examples of data on the device: finite, none negative, not all 0."""
    dtype = jax.dtypes.canonicalize_dtype(float)
    examples = len(jax.tree.leaves(data)[0])
    label = "weights" if argument == "data" else f"weights of {argument}"
    remedy = f"Pass an array of shape ({examples},)."
    leaf, got = jax.tree_util.all_leaves([weights]), f"a {type(weights).__name__}"
    require(leaf, label, "be one array", got, remedy, error=ArgumentTypeError)
    require(
        np.shape(weights) == (examples,),
        label,
        f"be one number per example, of shape ({examples},)",
        str(np.shape(weights)),
        remedy,
    )
    if not GOOD.holds([weights], dtype):
        _check_numbers(label, np.asarray(load_arrays(argument, "weights", weights)))
        GOOD.add([weights], dtype)
    return jnp.asarray(weights, dtype)


def _check_numbers(label: str, weights: np.ndarray) -> None:
    """Raise if a weight is negative, or all are 0."""
    real, got = not np.iscomplexobj(weights), describe(weights)
    require(real, label, "be real", got, "Pass weights.real.", error=ArgumentTypeError)
    fail_at(label, "be at least 0", weights, weights < 0, "Pass 0 to leave an example out.")
    remedy = "Leave weights out to count every example alike."
    require(weights.any(), label, "be above 0 for some example", "zeros alone", remedy)
