"""What the data of losses and metrics may be: labels, probabilities, signs.

``check_values`` reads the data and names the first bad value in an error. Compiled code cannot
raise; there `poisoned` turns a value that means nothing into NaN, so that no wrong finite number
comes of it.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets.checks import require_type
from jaxnets.contracts.arrays import leading_axes
from jaxnets.errors import concrete, fail, require

__all__ = [
    "LOG_PROBABILITIES",
    "Domain",
    "check_class_targets",
    "check_classes",
    "check_distributions",
    "check_each",
    "check_integers",
    "check_logits",
    "check_same_shape",
    "is_integer",
    "is_label",
    "is_log_probability",
    "is_probability",
    "labels_in",
    "poisoned",
    "probabilities",
    "sums_to_one",
]

LOG_PROBABILITY_SLACK = 1e-2
"""A softmax in bfloat16 may round to 1.008; logits go far beyond."""

SUM_SLACK = 2e-2
"""How far from 1 the sum of a rounded distribution may be, in bfloat16 as well."""


def is_probability(array: Any) -> Any:
    """Whether each value is in [0, 1]; NaN is not."""
    return (array >= 0) & (array <= 1)


def is_log_probability(array: Any) -> Any:
    """Whether each value can be the logarithm of a probability, by rounding too; NaN can."""
    return ~(array > LOG_PROBABILITY_SLACK)


def is_label(labels: Any, classes: int) -> Any:
    """Whether each integer is in [0, classes)."""
    largest = min(classes - 1, int(np.iinfo(labels.dtype).max))  # fits into the type of the labels
    return (labels >= 0) & (labels <= largest)


def sums_to_one(values: np.ndarray) -> Any:
    """Whether each row of an array in NumPy can be a distribution."""
    return np.abs(values.astype(np.float64).sum(-1) - 1) <= SUM_SLACK


def is_integer(array: Any) -> bool:
    """Whether an array holds integers."""
    return bool(jnp.issubdtype(array.dtype, jnp.integer))


def poisoned(targets: jax.Array, good: jax.Array, weights: jax.Array | None) -> jax.Array:
    """``targets`` with NaN where they are not ``good``, except in examples of weight 0.

    As a factor in the loss they make its gradient NaN as well.
    """
    if weights is not None:
        good = good | (leading_axes(weights, good.ndim) == 0)
    return jnp.where(good, targets, jnp.nan)


def check_same_shape(predictions: jax.Array, targets: jax.Array) -> None:
    """Raise unless both shapes are equal: nothing is broadcast.

    Example:
      >>> check_same_shape(jnp.zeros((4, 1)), jnp.zeros(4))
      Traceback (most recent call last):
      jaxnets.errors.ArgumentValueError: targets must have the shape of predictions, (4, 1);
      got (4,). Reshape them with targets.reshape((4, 1)).
    """
    shape = predictions.shape
    remedy = "Give one target for each prediction."
    if predictions.size == targets.size:
        remedy = f"Reshape them with targets.reshape({shape})."
    rule = f"have the shape of predictions, {shape}"
    require(shape == targets.shape, "targets", rule, str(targets.shape), remedy)


def check_integers(targets: Any) -> None:
    """Raise unless targets have the type of class labels."""
    remedy = "Convert class labels with targets.astype(jnp.int32)."
    require_type(is_integer(targets), "targets", targets, "be integer labels", remedy)


def check_classes(predictions: Any) -> None:
    """Raise unless the last axis of predictions can be that of the classes.

    Of a single class every loss is 0, whatever the prediction.
    """
    rule = "have a last axis of at least two classes"
    remedy = "Let the model end in one output per class; bce_with_logits takes a single one."
    enough = predictions.shape and predictions.shape[-1] >= 2
    require(enough, "predictions", rule, str(predictions.shape), remedy)


def check_class_targets(predictions: Any, targets: Any) -> bool:
    """Whether targets are class labels, ``[...]``, rather than probabilities, ``[..., classes]``.

    Raises:
      ValueError: If the shape is neither of the two.
      TypeError: If labels are not integers.
    """
    check_classes(predictions)
    shape = predictions.shape
    if targets.shape == shape:
        return False
    rule = f"have shape {shape[:-1]} for class labels or {shape} for probabilities"
    remedy = "Give one label, or one row of probabilities, for each example."
    if targets.shape == (*shape[:-1], 1):
        remedy = f"Reshape them with targets.reshape({shape[:-1]})."
    require(targets.shape == shape[:-1], "targets", rule, str(targets.shape), remedy)
    check_integers(targets)
    return True


class Domain(NamedTuple):
    """What the values of an array may be.

    Attributes:
      good: Maps values to booleans, of the same shape or of its leading axes.
      rule: What they must be.
      remedy: What to do about others.
    """

    good: Callable[[Any], Any]
    rule: str
    remedy: str


def probabilities(remedy: str) -> Domain:
    """Probabilities, and what to do about other values."""
    return Domain(is_probability, "be probabilities in [0, 1]", remedy)


LOG_PROBABILITIES = Domain(
    is_log_probability, "be log-probabilities, at most 0", "Apply jn.log_softmax to logits."
)

DISTRIBUTIONS = Domain(
    sums_to_one,
    "be distributions, which sum to 1 over the classes",
    "Divide each by its sum; leave an example out with a weight of 0.",
)


def check_each(argument: str, array: Any, domain: Domain, weights: Any = None) -> None:
    """Raise at the first concrete value that is not good, except in examples of weight 0.

    Shapes and traced arrays are let through.
    """
    if isinstance(array, jax.ShapeDtypeStruct) or not (concrete(array) and concrete(weights)):
        return
    values = np.asarray(array)
    bad = ~np.asarray(domain.good(values))
    if weights is not None:
        counted = np.asarray(weights) != 0
        shared = counted.shape[: bad.ndim]
        bad &= leading_axes(counted.reshape(shared), bad.ndim)
    if bad.any():
        index = tuple(np.argwhere(bad)[0].tolist())
        fail(argument, domain.rule, f"{values[index]!s} at index {index}", domain.remedy)


def check_distributions(array: Any, remedy: str, weights: Any) -> None:
    """Raise at the first concrete target that is no distribution over the last axis."""
    check_each("targets", array, probabilities(remedy), weights)
    check_each("targets", array, DISTRIBUTIONS, weights)


def check_logits(predictions: Any, weights: Any) -> None:
    """Raise if all concrete predictions are distributions: a softmax was applied already."""
    if isinstance(predictions, jax.ShapeDtypeStruct) or not concrete(predictions):
        return
    values = np.asarray(predictions)
    rows = sums_to_one(values) & is_probability(values).all(-1)
    if concrete(weights) and weights is not None:
        rows = rows | (np.asarray(weights) == 0)
    if rows.size and rows.all():
        remedy = "Leave out jn.softmax: cross_entropy applies it; nll takes jn.log_softmax."
        fail("predictions", "be logits", "probabilities that sum to 1 in each example", remedy)


def labels_in(classes: int, ignore_index: int | None = None) -> Domain:
    """Class labels in [0, classes), and the one to ignore."""
    ignored = "" if ignore_index is None else f", or ignore_index {ignore_index}"
    return Domain(
        lambda values: is_label(values, classes) | (values == ignore_index),
        f"be class labels in [0, {classes}){ignored}",
        "Labels count from 0: subtract 1 if yours count from 1, or give predictions more classes.",
    )
