"""The decisions that predictions stand for, and the truth they are held against."""

from typing import Any

import jax
import jax.numpy as jnp

from jaxnets.contracts.data import (
    check_class_targets,
    check_each,
    check_labels,
    check_probabilities,
    check_same_shape,
    is_label,
)
from jaxnets.errors import ArgumentTypeError, require

__all__ = [
    "check_decisions",
    "check_integer_labels",
    "class_labels",
    "is_integer",
    "is_outcome",
]


def is_outcome(targets: Any) -> Any:
    """Whether each target is 0 or 1."""
    return (targets == 0) | (targets == 1)


def is_integer(array: Any) -> bool:
    """Whether an array holds integers."""
    return bool(jnp.issubdtype(array.dtype, jnp.integer))


def _has_class_axis(predictions: Any) -> bool:
    """Whether predictions and targets of one shape are classes rather than probabilities."""
    return len(predictions.shape) >= 2 and predictions.shape[-1] >= 2


def class_labels(predictions: jax.Array, targets: jax.Array) -> tuple[jax.Array, jax.Array] | None:
    """The true labels and which examples can be decided; None for targets of 0 and 1."""
    real, remedy = not jnp.iscomplexobj(targets), "Take their real part."
    require(real, "targets", "be real", targets, remedy, error=ArgumentTypeError)
    scored = ~jnp.isnan(predictions).any(-1) if predictions.ndim else True
    if predictions.shape == targets.shape and _has_class_axis(predictions):
        return targets.argmax(-1), _one_hot(targets) & scored
    if predictions.shape == targets.shape or predictions.shape[-1:] in ((), (1,)):
        check_same_shape(predictions, targets)
        return None
    check_class_targets(predictions, targets)
    return targets, is_label(targets, predictions.shape[-1]) & scored


def check_integer_labels(predictions: jax.Array, targets: jax.Array) -> None:
    """Raise unless targets are labels that predicted labels can be compared with."""
    check_same_shape(predictions, targets)
    remedy, whole = "Convert class labels with targets.astype(jnp.int32).", is_integer(targets)
    require(whole, "targets", "be integer labels", targets, remedy, error=ArgumentTypeError)


def check_decisions(predictions: Any, targets: Any, options: dict[str, Any]) -> None:
    """Read concrete data; their shapes are known to fit."""
    weights = options.get("weights")
    if is_integer(predictions):
        check_labels("predictions", predictions, options["classes"], weights=weights)
        check_labels("targets", targets, options["classes"], weights=weights)
    elif targets.ndim < len(predictions.shape):
        check_labels("targets", targets, predictions.shape[-1], weights=weights)
    elif _has_class_axis(predictions):
        rule, got = "be one-hot, a single 1 in each example", "{value} at index {index}"
        remedy = "Compare independent outcomes one by one, both sides with .reshape(-1)."
        check_each("targets", targets, _one_hot, rule, remedy, weights=weights, got=got)
    else:
        remedy = "Apply jn.sigmoid to logits."
        check_probabilities("predictions", predictions, remedy, weights)
        remedy = "Give class labels one axis fewer than the scores of their classes."
        check_each("targets", targets, is_outcome, "be 0 or 1", remedy, weights=weights)


def _one_hot(targets: Any) -> Any:
    return is_outcome(targets).all(-1) & ((targets == 1).sum(-1) == 1)
