"""The decisions that predictions stand for, and the truth they are held against."""

from typing import Any

import jax
import jax.numpy as jnp

from jaxnets.checks import require_type
from jaxnets.contracts.data import (
    Domain,
    check_class_targets,
    check_each,
    check_same_shape,
    is_integer,
    is_label,
    labels_in,
    probabilities,
)

__all__ = ["check_decisions", "class_labels", "is_outcome"]


def is_outcome(targets: Any) -> Any:
    """Whether each target is 0 or 1."""
    return (targets == 0) | (targets == 1)


def _one_hot(targets: Any) -> Any:
    return is_outcome(targets).all(-1) & ((targets == 1).sum(-1) == 1)


ONE_HOT = Domain(
    _one_hot,
    "be one-hot, a single 1 in each example",
    "Compare independent outcomes one by one, both sides with .reshape(-1).",
)

PROBABILITIES = probabilities("Apply jn.sigmoid to logits.")

OUTCOMES = Domain(
    is_outcome, "be 0 or 1", "Give class labels one axis fewer than the scores of their classes."
)


def _has_class_axis(predictions: Any) -> bool:
    """Whether predictions and targets of one shape are classes rather than probabilities."""
    return len(predictions.shape) >= 2 and predictions.shape[-1] >= 2


def class_labels(predictions: jax.Array, targets: jax.Array) -> tuple[jax.Array, jax.Array] | None:
    """The true labels and which examples can be decided; None for targets of 0 and 1."""
    real, remedy = not jnp.iscomplexobj(targets), "Take their real part."
    require_type(real, "targets", targets, "be real", remedy)
    scored = ~jnp.isnan(predictions).any(-1) if predictions.ndim else True
    if predictions.shape == targets.shape and _has_class_axis(predictions):
        return targets.argmax(-1), _one_hot(targets) & scored
    if predictions.shape == targets.shape or predictions.shape[-1:] in ((), (1,)):
        check_same_shape(predictions, targets)
        return None
    check_class_targets(predictions, targets)
    return targets, is_label(targets, predictions.shape[-1]) & scored


def check_decisions(predictions: Any, targets: Any, options: dict[str, Any]) -> None:
    """Read concrete data; their shapes are known to fit."""
    weights = options.get("weights")
    if is_integer(predictions):
        labels = labels_in(options["classes"])
        check_each("predictions", predictions, labels, weights)
        check_each("targets", targets, labels, weights)
    elif targets.ndim < len(predictions.shape):
        check_each("targets", targets, labels_in(predictions.shape[-1]), weights)
    elif _has_class_axis(predictions):
        check_each("targets", targets, ONE_HOT, weights)
    else:
        check_each("predictions", predictions, PROBABILITIES, weights)
        check_each("targets", targets, OUTCOMES, weights)
