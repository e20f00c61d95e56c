"""Metrics: what is reported rather than minimised, ``metric(predictions, targets) -> array``.

Predictions are the outputs of a model. Which decisions they stand for follows from the shapes:

- scores ``[..., classes]`` against integer labels ``[...]``, or against one-hot targets
  ``[..., classes]``: the class of the largest score, the first of several equal ones;
- probabilities against targets 0 and 1, both ``[examples]`` or ``[..., 1]``: class 1 if above
  0.5;
- integers against labels of the same shape, where stated: the class itself.

Data that mean nothing, such as a label out of range or a probability outside [0, 1], are a
``ValueError`` that names the first one, when a metric is called outside ``jax.jit`` and in
``metric.check_values(predictions, targets, ...)``, which computes nothing. Under ``jit`` they
give NaN, and so does a score that is NaN; only the counts of `confusion_matrix`, being integers,
leave such examples out. Shapes, types and options that do not fit are a ``ValueError`` or a
``TypeError``, under ``jit`` too.

The regression losses `mse`, `mae` and `rmse` are metrics under their own names.
"""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxnets.calibration import expected_calibration_error
from jaxnets.checks import check_choice, check_integer
from jaxnets.contracts.arrays import as_array, as_floating, power_of_two
from jaxnets.contracts.calls import checked, optional
from jaxnets.contracts.data import (
    check_integers,
    check_same_shape,
    is_integer,
    is_label,
    is_probability,
    poisoned,
)
from jaxnets.contracts.decisions import check_decisions, class_labels, is_outcome
from jaxnets.contracts.reduction import reduced, spread_weights
from jaxnets.dtypes import at_least_float32
from jaxnets.errors import fail, require
from jaxnets.losses.regression import mae, mse, rmse

__all__ = [
    "PrecisionRecallF1",
    "accuracy",
    "confusion_matrix",
    "expected_calibration_error",
    "mae",
    "mse",
    "precision_recall_f1",
    "r2",
    "rmse",
]


class PrecisionRecallF1(NamedTuple):
    """What `precision_recall_f1` returns: three arrays, ``[classes]`` or scalars.

    Attributes:
      precision: Of what was called this class, the share that is.
      recall: Of what is this class, the share that was called so.
      f1: The harmonic mean of the two.
    """

    precision: jax.Array
    recall: jax.Array
    f1: jax.Array


TOP = {"top_k": functools.partial(check_integer, minimum=1)}
COUNTING = {"classes": optional(functools.partial(check_integer, minimum=1))}
RATES = {
    **COUNTING,
    "average": optional(functools.partial(check_choice, choices=("macro", "micro"))),
}
"""The checks of the options, by metric."""


@checked(TOP, check=check_decisions, reads=True, better="max")
def accuracy(
    predictions: jax.Array,
    targets: jax.Array,
    *,
    top_k: int = 1,
    weights: jax.Array | None = None,
) -> jax.Array:
    r"""The share of right decisions.

    .. math:: A = \frac1n \sum_i [\hat c_i = y_i]

    Args:
      predictions: Scores ``[..., classes]``, logits or probabilities, or probabilities of class
        1, ``[examples]`` or ``[..., 1]``. Floating.
      targets: Integer labels ``[...]``, one-hot targets ``[..., classes]``, or 0 and 1 in the
        shape of the probabilities.
      top_k: A label among the k largest scores is right; of equal scores the first counts as
        larger. Only for scores of classes.
      weights: One per example; the mean divides by their sum, and a weight of 0 removes the
        example, such as one that pads the last batch.

    Returns:
      Scalar in [0, 1], float32 at least.

    Example:
      >>> scores, labels = jnp.array([[0.1, 0.7, 0.2], [0.5, 0.2, 0.3]]), jnp.array([1, 2])
      >>> float(accuracy(scores, labels)), float(accuracy(scores, labels, top_k=2))
      (0.5, 1.0)
      >>> float(accuracy(jnp.array([[0.9], [0.2]]), jnp.array([[1.0], [1.0]])))
      0.5
    """
    predictions = as_floating("predictions", predictions)
    targets = jnp.asarray(as_array("targets", targets))
    if (decided := class_labels(predictions, targets)) is not None:
        labels, valid = decided
        _check_at_most("top_k", top_k, predictions.shape[-1])
        right = _ranks(predictions, labels) < top_k
    else:
        _check_at_most("top_k", top_k, 1)
        right = (predictions > 0.5) == (targets > 0.5)
        valid = is_probability(predictions) & is_outcome(targets)
    dtype = at_least_float32(predictions.dtype)
    weights = spread_weights(weights, right.shape, dtype)
    return reduced(poisoned(right.astype(dtype), valid, weights), weights, "mean")


@checked(COUNTING, check=check_decisions, reads=True)
def confusion_matrix(
    predictions: jax.Array, targets: jax.Array, *, classes: int | None = None
) -> jax.Array:
    r"""The number of times that each true class was taken for each class.

    .. math:: M_{jk} = \sum_i [y_i = j][\hat c_i = k]

    Args:
      predictions: Scores or probabilities, as for `accuracy`, or integer labels.
      targets: As for `accuracy`; integer labels for integer predictions.
      classes: Their number. Needed with integer predictions; otherwise the last axis says it, or
        it is 2 for probabilities.

    Returns:
      ``[classes, classes]``, integers: a row for each true class, a column for each predicted
      one. The diagonal holds the right decisions.

    Example:
      >>> confusion_matrix(jnp.array([0, 1, 1]), jnp.array([0, 0, 1]), classes=2).tolist()
      [[1, 1], [0, 1]]
    """
    return _confusion(predictions, targets, classes)[0]


@checked(RATES, check=check_decisions, reads=True)
def precision_recall_f1(
    predictions: jax.Array,
    targets: jax.Array,
    *,
    classes: int | None = None,
    average: str | None = None,
) -> PrecisionRecallF1:
    r"""Precision, recall and F1, for each class or averaged.

    .. math::
       P = \frac{TP}{TP + FP}, \qquad R = \frac{TP}{TP + FN}, \qquad
       F_1 = \frac{2\,TP}{2\,TP + FP + FN}

    0/0 is 0: the precision of a class never predicted, the recall of one that does not occur.

    Args:
      predictions: As for `confusion_matrix`.
      targets: As for `confusion_matrix`.
      classes: As for `confusion_matrix`.
      average: None for one result per class; ``"macro"`` for the mean of the classes, also those
        that do not occur; ``"micro"`` for the rates of the counts summed over classes, all three
        of which are the accuracy.

    Returns:
      A `PrecisionRecallF1` of arrays ``[classes]``, or of scalars if averaged. For two classes
      entry 1 is what is usually called the precision.

    Example:
      >>> result = precision_recall_f1(jnp.array([0.9, 0.8, 0.1]), jnp.array([1.0, 0.0, 0.0]))
      >>> result.precision.tolist(), result.recall.tolist()
      ([1.0, 0.5], [0.5, 1.0])
    """
    matrix, valid = _confusion(predictions, targets, classes)
    right, predicted, true = jnp.diagonal(matrix), matrix.sum(0), matrix.sum(1)
    if average == "micro":
        right, predicted, true = right.sum(), predicted.sum(), true.sum()
    shares = [_share(right, predicted), _share(right, true), _share(2 * right, predicted + true)]
    if average == "macro":
        shares = [share.mean() for share in shares]
    return PrecisionRecallF1(*(jnp.where(valid.all(), share, jnp.nan) for share in shares))


@checked({}, better="max")
def r2(predictions: jax.Array, targets: jax.Array) -> jax.Array:
    r"""Coefficient of determination: the share of the variance that is explained.

    .. math:: R^2 = 1 - \frac{\sum_i (y_i - \hat y_i)^2}{\sum_i (y_i - \bar y)^2}

    1 is perfect, 0 as good as the mean of the targets, and there is no lower bound. Each output
    has its own, and the result is their mean. For targets that are all equal, where it is not
    defined, it is 1 if the predictions equal them and 0 otherwise, as in scikit-learn.

    Args:
      predictions: Outputs, floating, ``[batch, ...]``.
      targets: Same shape, floating.

    Returns:
      Scalar in (-inf, 1], float32 at least.

    Example:
      >>> y = jnp.array([1.0, 2.0, 3.0])
      >>> float(r2(y, y)), float(r2(jnp.array([2.0, 2.0, 2.0]), y))
      (1.0, 0.0)
    """
    predictions, targets = as_floating("predictions", predictions), as_floating("targets", targets)
    check_same_shape(predictions, targets)
    remedy, got = "Give them one with predictions.reshape((1,)).", str(predictions.shape)
    require(predictions.shape, "predictions", "have a batch axis", got, remedy)
    predictions, targets = (
        array.astype(at_least_float32(array.dtype)) for array in (predictions, targets)
    )
    centred = targets - targets.mean(0, keepdims=True)
    scale = power_of_two(jnp.abs(centred).max(0, keepdims=True, initial=0))
    residual = jnp.square((targets - predictions) / scale).sum(0)
    total = jnp.square(centred / scale).sum(0)
    # Rounding may leave constant targets beside their own mean.
    constant = (targets == targets[:1]).all(0)
    equal = (predictions == targets).all(0).astype(residual.dtype)
    undefined = jnp.where(jnp.isnan(residual), jnp.nan, equal)
    return jnp.where(constant, undefined, 1 - residual / jnp.where(constant, 1, total)).mean()


def _confusion(predictions: Any, targets: Any, classes: int | None) -> tuple[jax.Array, jax.Array]:
    """The matrix, and which examples could be counted."""
    predictions = jnp.asarray(as_array("predictions", predictions))
    targets = jnp.asarray(as_array("targets", targets))
    if is_integer(predictions):
        if classes is None:
            remedy = "Pass classes=10, for example."
            fail("classes", "be given with integer predictions", None, remedy)
        check_same_shape(predictions, targets)
        check_integers(targets)
        predicted, true = predictions, targets
        valid = is_label(predictions, classes) & is_label(targets, classes)
    elif (decided := class_labels(as_floating("predictions", predictions), targets)) is not None:
        classes = _agreed(classes, predictions.shape[-1])
        predicted, (true, valid) = predictions.argmax(-1), decided
    else:
        classes = _agreed(classes, 2)
        valid = is_probability(predictions) & is_outcome(targets)
        predicted, true = predictions > 0.5, targets > 0.5
    whole = (array.astype(jnp.int32) for array in (true, predicted))
    rows, columns = (jnp.where(valid, array, 0) for array in whole)
    matrix = jnp.zeros((classes, classes), jnp.int32)
    return matrix.at[rows, columns].add(valid.astype(jnp.int32)), valid


def _agreed(given: int | None, found: int) -> int:
    """The number of classes that the predictions have, which ``given`` must not contradict."""
    rule, remedy = (
        f"be {found}, as the predictions have it",
        f"Pass classes={found} or leave it out.",
    )
    require(given in (None, found), "classes", rule, given, remedy)
    return found


def _check_at_most(argument: str, value: int, limit: int) -> None:
    rule = f"be at most {limit} for these predictions"
    require(value <= limit, argument, rule, value, f"Pass {argument}={limit}.")


def _ranks(scores: jax.Array, labels: jax.Array) -> jax.Array:
    """The number of classes before the label: those larger, and those equal and earlier."""
    labels = jnp.where(is_label(labels, scores.shape[-1]), labels, 0).astype(jnp.int32)[..., None]
    score = jnp.take_along_axis(scores, labels, -1)
    earlier = jax.lax.broadcasted_iota(jnp.int32, scores.shape, scores.ndim - 1) < labels
    return ((scores > score) | ((scores == score) & earlier)).sum(-1)


def _share(part: jax.Array, whole: jax.Array) -> jax.Array:
    return jnp.where(whole == 0, 0, part / jnp.where(whole == 0, 1, whole))


def __dir__() -> list[str]:
    """The public names alone."""
    return __all__
