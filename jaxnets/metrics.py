"""Metrics: what is reported rather than minimised, ``metric(predictions, targets) -> array``.

Predictions are the outputs of a model. Which decisions they stand for follows from the shapes:

- scores ``[..., classes]`` against integer labels ``[...]``: the class of the largest score, the
  first of several equal ones;
- probabilities against targets 0 and 1 of the same shape: class 1 if above 0.5;
- integers against labels of the same shape, where stated: the class itself.

A label out of range, or a probability outside [0, 1], is an error outside ``jax.jit`` that names
the first one. Under ``jit`` it gives NaN, and so does a score that is NaN; only the counts of
`confusion_matrix`, being integers, leave such examples out.

The regression losses `mse`, `mae` and `rmse` are metrics under their own names.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets.checks import (
    ArgumentTypeError,
    check_choice,
    check_floating,
    check_integer,
    check_same_shape,
    fail,
)
from jaxnets.losses.contract import checked_jit, reduced, spread_weights
from jaxnets.losses.data import (
    check_class_targets,
    check_each,
    check_labels,
    check_probabilities,
    is_label,
    is_probability,
    poisoned,
)
from jaxnets.losses.regression import mae, mse, rmse

__all__ = [
    "PrecisionRecallF1",
    "accuracy",
    "confusion_matrix",
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


def _check_decisions(name: str, predictions: Any, targets: Any, options: dict[str, Any]) -> None:
    """Reads concrete data; their shapes are known to fit."""
    weights = options.get("weights")
    if np.ndim(targets) < np.ndim(predictions):
        check_labels(name, "targets", targets, np.shape(predictions)[-1], weights=weights)
    elif _integer(predictions):
        check_labels(name, "predictions", predictions, options["classes"], weights=weights)
        check_labels(name, "targets", targets, options["classes"], weights=weights)
    else:
        remedy = "Apply jn.sigmoid to logits."
        check_probabilities(name, "predictions", predictions, remedy, weights)
        remedy = "Give class labels one axis fewer than the scores of their classes."
        check_each(name, "targets", targets, _binary, "be 0 or 1", remedy, weights=weights)


@checked_jit("top_k", check=_check_decisions)
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
      predictions: Scores ``[..., classes]``, logits or probabilities, or probabilities of the
        shape of the targets, of which above 0.5 means 1. Floating.
      targets: Integer labels ``[...]``, or 0 and 1 in the shape of the predictions.
      top_k: A label among the k largest scores is right; of equal scores the first counts as
        larger. Only for labels.
      weights: One an example; the mean divides by their sum, and a weight of 0 removes the
        example, such as one that pads the last batch.

    Returns:
      Scalar in [0, 1], float32 at least.

    Raises:
      ValueError: If shapes do not fit, ``top_k`` is more than the classes, or outside ``jit`` a
        target or probability is out of range; under ``jit`` it gives NaN.
      TypeError: If predictions are not floating or class labels are not integers.

    Example:
      >>> scores, labels = jnp.array([[0.1, 0.7, 0.2], [0.5, 0.2, 0.3]]), jnp.array([1, 2])
      >>> float(accuracy(scores, labels)), float(accuracy(scores, labels, top_k=2))
      (0.5, 1.0)
      >>> float(accuracy(jnp.array([[0.9], [0.2]]), jnp.array([[1.0], [1.0]])))
      0.5
    """
    predictions, targets = (
        check_floating("accuracy", "predictions", predictions),
        jnp.asarray(targets),
    )
    top_k = check_integer("accuracy", "top_k", top_k, minimum=1)
    if _are_labels("accuracy", predictions, targets):
        _check_at_most("accuracy", "top_k", top_k, predictions.shape[-1])
        right, valid = _ranks(predictions, targets) < top_k, _decided(predictions, targets)
    else:
        _check_at_most("accuracy", "top_k", top_k, 1)
        right = (predictions > 0.5) == (targets > 0.5)
        valid = is_probability(predictions) & _binary(targets)
    dtype = jnp.promote_types(predictions.dtype, jnp.float32)
    weights = spread_weights("accuracy", weights, right.shape, dtype)
    return reduced("accuracy", poisoned(right.astype(dtype), valid, weights), weights, "mean")


@checked_jit("classes", check=_check_decisions)
def confusion_matrix(
    predictions: jax.Array, targets: jax.Array, *, classes: int | None = None
) -> jax.Array:
    r"""How often each true class was taken for each class.

    .. math:: M_{jk} = \sum_i [y_i = j][\hat c_i = k]

    Args:
      predictions: Scores ``[..., classes]``, probabilities of the shape of the targets, or
        integer labels of that shape.
      targets: Integer labels ``[...]``, or 0 and 1 for probabilities.
      classes: Their number. Needed with integer predictions; otherwise the last axis says it, or
        it is 2 for probabilities.

    Returns:
      ``[classes, classes]``, integers: a row for each true class, a column for each predicted
      one. The diagonal holds the right decisions.

    Raises:
      ValueError: If shapes or the number of classes do not fit, or outside ``jit`` a label or
        probability is out of range; under ``jit`` such an example is not counted.
      TypeError: If class labels are not integers.

    Example:
      >>> confusion_matrix(jnp.array([0, 1, 1]), jnp.array([0, 0, 1]), classes=2).tolist()
      [[1, 1], [0, 1]]
    """
    return _confusion("confusion_matrix", predictions, targets, classes)[0]


@checked_jit("classes", "average", check=_check_decisions)
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
      average: None for one result a class; ``"macro"`` for the mean of the classes, also those
        that do not occur; ``"micro"`` for the rates of the counts summed over classes, all three
        of which are the accuracy.

    Returns:
      A `PrecisionRecallF1` of arrays ``[classes]``, or of scalars if averaged. For two classes
      entry 1 is what is usually called the precision.

    Raises:
      ValueError: As for `confusion_matrix`, or if ``average`` is unknown. Under ``jit`` a label or
        probability out of range gives NaN.
      TypeError: If class labels are not integers.

    Example:
      >>> result = precision_recall_f1(jnp.array([0.9, 0.8, 0.1]), jnp.array([1.0, 0.0, 0.0]))
      >>> result.precision.tolist(), result.recall.tolist()
      ([1.0, 0.5], [0.5, 1.0])
    """
    name = "precision_recall_f1"
    if average is not None:
        check_choice(name, "average", average, ("macro", "micro"))
    matrix, valid = _confusion(name, predictions, targets, classes)
    right, predicted, true = jnp.diagonal(matrix), matrix.sum(0), matrix.sum(1)
    if average == "micro":
        right, predicted, true = right.sum(), predicted.sum(), true.sum()
    shares = [_share(right, predicted), _share(right, true), _share(2 * right, predicted + true)]
    if average == "macro":
        shares = [share.mean() for share in shares]
    return PrecisionRecallF1(*(jnp.where(valid.all(), share, jnp.nan) for share in shares))


@checked_jit()
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

    Raises:
      ValueError: If the shapes differ or have no axis.
      TypeError: If predictions or targets are not floating.

    Example:
      >>> y = jnp.array([1.0, 2.0, 3.0])
      >>> float(r2(y, y)), float(r2(jnp.array([2.0, 2.0, 2.0]), y))
      (1.0, 0.0)
    """
    predictions = check_floating("r2", "predictions", predictions)
    targets = check_floating("r2", "targets", targets)
    check_same_shape("r2", predictions, targets)
    if not predictions.shape:
        remedy = "Give them one with predictions.reshape((1,))."
        fail("r2", "predictions", "have a batch axis", str(predictions.shape), remedy)
    wide = jnp.promote_types(predictions.dtype, jnp.float32)
    predictions, targets = predictions.astype(wide), targets.astype(wide)
    residual = jnp.square(targets - predictions).sum(0)
    total = jnp.square(targets - targets.mean(0, keepdims=True)).sum(0)
    undefined = jnp.where(jnp.isnan(residual), jnp.nan, residual == 0)
    return jnp.where(total == 0, undefined, 1 - residual / jnp.where(total == 0, 1, total)).mean()


def _confusion(
    name: str, predictions: Any, targets: Any, classes: int | None
) -> tuple[jax.Array, jax.Array]:
    """The matrix, and which examples could be counted."""
    predictions, targets = jnp.asarray(predictions), jnp.asarray(targets)
    if _integer(predictions):
        classes = _labels_of(name, predictions, targets, classes)
        predicted = predictions
        valid = is_label(predictions, classes) & is_label(targets, classes)
    elif _are_labels(name, check_floating(name, "predictions", predictions), targets):
        classes = _agreed(name, classes, predictions.shape[-1])
        predicted, valid = predictions.argmax(-1), _decided(predictions, targets)
    else:
        classes = _agreed(name, classes, 2)
        valid = is_probability(predictions) & _binary(targets)
        predicted, targets = predictions > 0.5, targets > 0.5
    rows, columns = (jnp.where(valid, array, 0).astype(jnp.int32) for array in (targets, predicted))
    matrix = jnp.zeros((classes, classes), jnp.int32)
    return matrix.at[rows, columns].add(valid.astype(jnp.int32)), valid


def _labels_of(name: str, predictions: jax.Array, targets: jax.Array, classes: int | None) -> int:
    """The number of classes for predicted labels, which do not tell it."""
    if classes is None:
        remedy = "Pass classes=10, for example."
        fail(name, "classes", "be given with integer predictions", None, remedy)
    check_same_shape(name, predictions, targets)
    if not _integer(targets):
        remedy = "Convert class labels with targets.astype(jnp.int32)."
        fail(name, "targets", "be integer labels", targets, remedy, error=ArgumentTypeError)
    return check_integer(name, "classes", classes, minimum=1)


def _agreed(name: str, given: int | None, found: int) -> int:
    """The number of classes that the predictions have, which ``given`` must not contradict."""
    if given is not None and given != found:
        rule = f"be {found}, as the predictions have it"
        fail(name, "classes", rule, given, f"Pass classes={found} or leave it out.")
    return found


def _are_labels(name: str, predictions: jax.Array, targets: jax.Array) -> bool:
    """Whether targets are class labels, rather than 0 and 1 in the shape of the predictions."""
    if predictions.shape == targets.shape or predictions.shape[-1:] in ((), (1,)):
        check_same_shape(name, predictions, targets)
        return False
    return check_class_targets(name, predictions, targets)


def _check_at_most(name: str, argument: str, value: int, limit: int) -> None:
    if value > limit:
        rule = f"be at most {limit} for these predictions"
        fail(name, argument, rule, value, f"Pass {argument}={limit}.")


def _ranks(scores: jax.Array, labels: jax.Array) -> jax.Array:
    """How many classes stand before the label: those larger, and those equal and earlier."""
    labels = jnp.where(is_label(labels, scores.shape[-1]), labels, 0).astype(jnp.int32)[..., None]
    score = jnp.take_along_axis(scores, labels, -1)
    earlier = jax.lax.broadcasted_iota(jnp.int32, scores.shape, scores.ndim - 1) < labels
    return ((scores > score) | ((scores == score) & earlier)).sum(-1)


def _decided(scores: jax.Array, labels: jax.Array) -> jax.Array:
    decided: jax.Array = is_label(labels, scores.shape[-1]) & ~jnp.isnan(scores).any(-1)
    return decided


def _binary(targets: Any) -> Any:
    return (targets == 0) | (targets == 1)


def _integer(array: Any) -> bool:
    dtype = array.dtype if hasattr(array, "dtype") else np.asarray(array).dtype
    return bool(jnp.issubdtype(dtype, jnp.integer))


def _share(part: jax.Array, whole: jax.Array) -> jax.Array:
    return jnp.where(whole == 0, 0, part / jnp.where(whole == 0, 1, whole))
