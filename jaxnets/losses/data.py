"""What the data of losses and metrics may be: labels, probabilities, signs.

Outside ``jax.jit`` the first bad value is named in an error. Under ``jit`` nothing can be raised;
there `poisoned` turns a value that means nothing into NaN, so that no wrong finite number
comes of it.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets.checks import ArgumentTypeError, concrete, fail

__all__ = [
    "check_class_axis",
    "check_class_targets",
    "check_each",
    "check_labels",
    "check_log_probabilities",
    "check_probabilities",
    "is_label",
    "is_probability",
    "poisoned",
]

LOG_PROBABILITY_SLACK = 1e-2
"""A softmax in bfloat16 may round to 1.008; logits go far beyond."""


def is_probability(array: Any) -> Any:
    """Whether each value is in [0, 1]; NaN is not."""
    return (array >= 0) & (array <= 1)


def is_label(labels: Any, classes: int) -> Any:
    """Whether each integer is in [0, classes)."""
    largest = min(classes - 1, int(np.iinfo(labels.dtype).max))  # fits into the type of the labels
    return (labels >= 0) & (labels <= largest)


def poisoned(targets: jax.Array, good: jax.Array, weights: jax.Array | None) -> jax.Array:
    """``targets`` with NaN where they are not ``good``, except in examples of weight 0.

    As a factor in the loss they make its gradient NaN as well.
    """
    if weights is not None:
        weights = weights.reshape(weights.shape + (1,) * (good.ndim - weights.ndim))
        good = good | (weights == 0)
    return jnp.where(good, targets, jnp.nan)


def check_class_axis(name: str, predictions: Any) -> None:
    """Raises unless predictions have an axis that can be that of the classes."""
    if not predictions.shape:
        remedy = "Give them one with predictions.reshape((1,))."
        fail(name, "predictions", "have a last axis of classes", str(predictions.shape), remedy)


def check_class_targets(name: str, predictions: Any, targets: jax.Array) -> bool:
    """Whether targets are class labels, ``[...]``, rather than probabilities, ``[..., classes]``.

    Raises:
      ValueError: If the shape is neither of the two.
      TypeError: If labels are not integers.
    """
    check_class_axis(name, predictions)
    shape = predictions.shape
    if targets.shape == shape:
        return False
    if targets.shape != shape[:-1]:
        rule = f"have shape {shape[:-1]} for class labels or {shape} for probabilities"
        remedy = "Give one label, or one row of probabilities, for each example."
        if targets.shape == (*shape[:-1], 1):
            remedy = f"Reshape them with targets.reshape({shape[:-1]})."
        fail(name, "targets", rule, str(targets.shape), remedy)
    if not jnp.issubdtype(targets.dtype, jnp.integer):
        remedy = "Convert class labels with targets.astype(jnp.int32)."
        fail(name, "targets", "be integer labels", targets, remedy, error=ArgumentTypeError)
    return True


def check_each(
    name: str,
    argument: str,
    array: Any,
    good: Callable[[np.ndarray], Any],
    rule: str,
    remedy: str,
    *,
    weights: Any = None,
) -> None:
    """Raises at the first concrete value that is not ``good``, except in examples of weight 0."""
    if isinstance(array, jax.ShapeDtypeStruct) or not (concrete(array) and concrete(weights)):
        return
    values = np.asarray(array)
    bad = ~good(values)
    if weights is not None:
        counted = np.asarray(weights) != 0
        bad &= counted.reshape(counted.shape + (1,) * (bad.ndim - counted.ndim))
    if bad.any():
        index = tuple(np.argwhere(bad)[0].tolist())
        fail(name, argument, rule, f"{values[index]!s} at index {index}", remedy)


def check_probabilities(name: str, argument: str, array: Any, remedy: str, weights: Any) -> None:
    """Raises at the first concrete probability outside [0, 1]."""
    rule = "be probabilities in [0, 1]"
    check_each(name, argument, array, is_probability, rule, remedy, weights=weights)


def check_log_probabilities(name: str, predictions: Any, weights: Any) -> None:
    """Raises at the first concrete value that cannot be the logarithm of a probability."""
    check_each(
        name,
        "predictions",
        predictions,
        lambda values: ~(values > LOG_PROBABILITY_SLACK),
        "be log-probabilities, at most 0",
        "Apply jn.log_softmax to logits.",
        weights=weights,
    )


def check_labels(
    name: str,
    argument: str,
    labels: Any,
    classes: int,
    *,
    ignore_index: int | None = None,
    weights: Any = None,
) -> None:
    """Raises at the first concrete class label outside [0, classes)."""
    ignored = "" if ignore_index is None else f", or ignore_index {ignore_index}"
    check_each(
        name,
        argument,
        labels,
        lambda values: is_label(values, classes) | (values == ignore_index),
        f"be class labels in [0, {classes}){ignored}",
        "Labels count from 0: subtract 1 if yours count from 1, or give predictions more classes.",
        weights=weights,
    )
