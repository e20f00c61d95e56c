"""Losses for targets that are one of several classes, or probabilities of all of them.

Classes are the last axis, ``[..., classes]``; PyTorch has them on axis 1. The values, and so the
weights, have the shape ``[...]``: one an example.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets.checks import ArgumentTypeError, check_floating, check_fraction, check_same_shape, fail
from jaxnets.losses.contract import loss_function, reduced, spread_weights, where_it_counts
from jaxnets.losses.data import (
    check_class_axis,
    check_class_targets,
    check_labels,
    check_log_probabilities,
    check_probabilities,
    is_label,
    is_probability,
    poisoned,
)

__all__ = ["cross_entropy", "kl_divergence", "nll"]

IGNORED = -100
"""PyTorch's default for ``ignore_index``."""


def _check_classes(name: str, predictions: Any, targets: Any, options: dict[str, Any]) -> None:
    weights = options["weights"]
    if np.ndim(targets) < np.ndim(predictions):
        classes, ignored = np.shape(predictions)[-1], options["ignore_index"]
        check_labels(name, "targets", targets, classes, ignore_index=ignored, weights=weights)
    else:
        remedy = "Give probabilities over the classes, such as jax.nn.one_hot makes."
        check_probabilities(name, "targets", targets, remedy, weights)


def _check_nll(name: str, predictions: Any, targets: Any, options: dict[str, Any]) -> None:
    check_log_probabilities(name, predictions, options["weights"])
    _check_classes(name, predictions, targets, options)


def _check_kl(name: str, predictions: Any, targets: Any, options: dict[str, Any]) -> None:
    check_log_probabilities(name, predictions, options["weights"])
    remedy = "Apply jn.softmax to logits, or jnp.exp to log-probabilities."
    check_probabilities(name, "targets", targets, remedy, options["weights"])


@loss_function("ignore_index", check=_check_nll)
def nll(
    predictions: jax.Array,
    targets: jax.Array,
    *,
    class_weights: jax.Array | None = None,
    ignore_index: int = IGNORED,
    weights: jax.Array | None = None,
    reduction: str = "mean",
) -> jax.Array:
    r"""Negative log-likelihood of class labels, from log-probabilities.

    .. math::
       L = -\frac{\sum_i c_{y_i} \log p_{i, y_i}}{\sum_i c_{y_i}}, \qquad
       \frac{\partial L}{\partial \log p_{ij}} = -\frac{c_j [j = y_i]}{\sum_i c_{y_i}}

    It is `cross_entropy` without the log-softmax, and takes the same targets and options, label
    smoothing excepted. That predictions are at most 0 can't be seen under ``jit``: logits given
    by mistake go unnoticed there.

    Args:
      predictions: Log-probabilities, floating, ``[..., classes]``.
      targets: Labels or probabilities, as for `cross_entropy`.
      class_weights: Factor c of each class, ``[classes]``, as for `cross_entropy`.
      ignore_index: Label of examples to leave out, as for `cross_entropy`.
      weights: One an example; a weighted mean divides by the sum of weight times c.
      reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Returns:
      Scalar, or the values ``[...]`` with ``"none"``, in nats.

    Raises:
      ValueError: If the shapes do not fit, or outside ``jit`` a prediction is above 0 by more
        than rounding or a target is out of range; under ``jit`` such a target gives NaN.
      TypeError: If predictions are not floating or labels are not integers.

    Example:
      >>> float(nll(jnp.log(jnp.array([[0.25, 0.75]])), jnp.array([1])))
      0.287682...

    References:
      ``torch.nn.NLLLoss`` (PyTorch documentation).
    """
    return _class_loss(
        "nll",
        predictions,
        targets,
        _already_normalized,
        class_weights=class_weights,
        label_smoothing=0.0,
        ignore_index=ignore_index,
        weights=weights,
        reduction=reduction,
    )


@loss_function("label_smoothing", "ignore_index", check=_check_classes)
def cross_entropy(
    predictions: jax.Array,
    targets: jax.Array,
    *,
    class_weights: jax.Array | None = None,
    label_smoothing: float = 0.0,
    ignore_index: int = IGNORED,
    weights: jax.Array | None = None,
    reduction: str = "mean",
) -> jax.Array:
    r"""Cross-entropy of logits with class labels or probabilities.

    .. math::
       \ell_i = -\sum_j c_j t_{ij} \log \operatorname{softmax}(x_i)_j, \qquad
       \frac{\partial \ell_i}{\partial x_{ij}} =
       \operatorname{softmax}(x_i)_j \sum_k c_k t_{ik} - c_j t_{ij}

    The targets t are probabilities, or ``[j = y]`` for a label y; with label smoothing e they
    become (1 - e) t + e / classes. For labels the mean divides by the sum of their class weights,
    for probabilities by the number of examples. ``0 log 0`` is 0, so logits of minus infinity
    may mark classes that are impossible.

    Args:
      predictions: Logits x, floating, ``[..., classes]``. PyTorch has the classes on axis 1.
      targets: Integer labels ``[...]``, or probabilities ``[..., classes]``, also one-hot
        integers.
      class_weights: Factor c of each class, ``[classes]``, 1 if None.
      label_smoothing: The share e of a uniform distribution in the targets, in [0, 1).
      ignore_index: Examples of this label are left out; their value is 0. If all are, the mean is
        NaN, with a gradient of 0, and the sum is 0. For labels only.
      weights: One an example; a weighted mean divides by the sum of weight times class weight.
      reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Returns:
      Scalar, or the values ``[...]`` with ``"none"``, in nats.

    Raises:
      ValueError: If the shapes do not fit, an option is out of range, or a target given outside
        ``jit`` is; under ``jit`` such a target gives NaN.
      TypeError: If predictions are not floating or labels are not integers.

    Example:
      >>> x = jnp.array([[2.0, 1.0, 0.1], [0.0, 0.0, 0.0]])
      >>> labels = cross_entropy(x, jnp.array([0, 2]), reduction="none")
      >>> soft = cross_entropy(x, jnp.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]), reduction="none")
      >>> [f"{value:.4f}" for value in labels.tolist()], bool((labels == soft).all())
      (['0.4170', '1.0986'], True)

    References:
      ``torch.nn.CrossEntropyLoss`` (PyTorch documentation); Szegedy et al., "Rethinking the
      Inception architecture for computer vision", 2016, for label smoothing.
    """
    return _class_loss(
        "cross_entropy",
        predictions,
        targets,
        _normalized,
        class_weights=class_weights,
        label_smoothing=check_fraction("cross_entropy", "label_smoothing", label_smoothing),
        ignore_index=ignore_index,
        weights=weights,
        reduction=reduction,
    )


@loss_function(check=_check_kl)
def kl_divergence(
    predictions: jax.Array,
    targets: jax.Array,
    *,
    weights: jax.Array | None = None,
    reduction: str = "mean",
) -> jax.Array:
    r"""Kullback-Leibler divergence of predicted from target distributions.

    .. math::
       \ell_i = \sum_j q_{ij} (\log q_{ij} - \log p_{ij}), \qquad
       \frac{\partial \ell_i}{\partial \log p_{ij}} = -q_{ij}

    The value of an example is the sum over the classes, and the mean is over the examples. For
    ``[batch, classes]`` that is PyTorch's ``reduction="batchmean"``; its ``"mean"`` divides by
    the number of classes too and is no divergence. ``0 log 0`` is 0, and the derivative by a
    target of 0, which is infinite, is taken as finite.

    Args:
      predictions: Log-probabilities log p, floating, ``[..., classes]``.
      targets: Probabilities q, floating, of the same shape, as in ``torch.nn.KLDivLoss``.
      weights: One an example; a weighted mean divides by their sum.
      reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Returns:
      Scalar, or the values ``[...]`` with ``"none"``, in nats; at least 0 for distributions.

    Raises:
      ValueError: If the shapes differ, or outside ``jit`` a prediction is above 0 by more than
        rounding or a target is not in [0, 1]; under ``jit`` such a target gives NaN.
      TypeError: If predictions or targets are not floating.

    Example:
      >>> log_p, q = jnp.log(jnp.array([[0.5, 0.5]])), jnp.array([[0.0, 1.0]])
      >>> f"{kl_divergence(log_p, q):.4f}"
      '0.6931'

    References:
      Kullback and Leibler, "On information and sufficiency", 1951; ``torch.nn.KLDivLoss``.
    """
    name = "kl_divergence"
    targets = check_floating(name, "targets", targets)
    check_class_axis(name, predictions)
    check_same_shape(name, predictions, targets)
    weights = spread_weights(name, weights, predictions.shape[:-1], predictions.dtype)
    log_p = where_it_counts(predictions, weights)
    q = _distributions(targets, predictions, weights)
    log_q = jnp.log(jnp.where(q == 0, 1, q))
    values = (q * log_q).sum(-1) + _cost(q, *_already_normalized(log_p), jnp.isneginf(log_p))
    return reduced(name, values, weights, reduction)


def _class_loss(
    name: str,
    predictions: jax.Array,
    targets: Any,
    normalized: Callable[[jax.Array], tuple[jax.Array, jax.Array]],
    *,
    class_weights: Any,
    label_smoothing: float,
    ignore_index: int,
    weights: Any,
    reduction: str,
) -> jax.Array:
    """Minus the log-probabilities expected under the targets, weighted and reduced."""
    targets, counts = jnp.asarray(targets), None
    labelled = check_class_targets(name, predictions, targets)
    factors = _class_factors(name, class_weights, predictions)
    weights = spread_weights(name, weights, predictions.shape[:-1], predictions.dtype)
    if labelled:
        weights = _without_ignored(name, targets, ignore_index, weights, predictions.dtype)
    else:
        _check_nothing_ignored(name, ignore_index)
    predictions = where_it_counts(predictions, weights)
    scores, log_total = normalized(predictions)
    impossible = jnp.isneginf(predictions)
    if labelled:
        index, counts = _looked_up(targets, factors, weights)
        values = counts * (log_total - jnp.take_along_axis(scores, index, -1).squeeze(-1))
    else:
        values = _cost(
            factors * _distributions(targets, scores, weights), scores, log_total, impossible
        )
    if label_smoothing:
        uniform = _cost(factors / factors.size, scores, log_total, impossible)
        values = (1 - label_smoothing) * values + label_smoothing * uniform
    return reduced(name, values, weights, reduction, counts=counts)


def _normalized(logits: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Scores and the log of the sum of their exponentials; their difference is log-softmax.

    The largest score is 0, so that no term of a cross-entropy is negative and none cancels.
    """
    scores = logits - jax.lax.stop_gradient(logits.max(-1, keepdims=True))
    return scores, jnp.log(jnp.exp(scores).sum(-1))


def _already_normalized(log_p: jax.Array) -> tuple[jax.Array, jax.Array]:
    return log_p, jnp.zeros(log_p.shape[:-1], log_p.dtype)


def _looked_up(
    labels: jax.Array, factors: jax.Array, weights: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Where to find each label's entry, ``[..., 1]``, and its class weight, ``[...]``.

    A label that is no class is replaced before it can index anything, and its weight is NaN.
    """
    good = is_label(labels, factors.size)
    index = jnp.where(good, labels, 0).astype(jnp.int32)
    return index[..., None], poisoned(factors.reshape(-1)[index], good, weights)


def _class_factors(name: str, class_weights: Any, predictions: jax.Array) -> jax.Array:
    """The factor of each class with as many axes as the predictions."""
    shape = predictions.shape[-1:]
    factors = jnp.ones(shape) if class_weights is None else jnp.asarray(class_weights)
    if factors.shape != shape:
        remedy = "Pass one factor for each class."
        fail(name, "class_weights", f"have shape {shape}", str(factors.shape), remedy)
    return factors.reshape((1,) * (predictions.ndim - 1) + shape).astype(predictions.dtype)


def _without_ignored(
    name: str, labels: jax.Array, ignore_index: int, weights: jax.Array | None, dtype: Any
) -> jax.Array:
    """The weights with 0 for the examples to leave out."""
    if not isinstance(ignore_index, int | np.integer) or isinstance(ignore_index, bool):
        remedy = f"Pass ignore_index={IGNORED}."
        rule = "be a whole number"
        fail(name, "ignore_index", rule, ignore_index, remedy, error=ArgumentTypeError)
    weights = jnp.ones(labels.shape, dtype) if weights is None else weights
    limits = np.iinfo(labels.dtype)
    if not limits.min <= ignore_index <= limits.max:
        return weights
    return jnp.where(labels == ignore_index, 0, weights)


def _check_nothing_ignored(name: str, ignore_index: int) -> None:
    if ignore_index != IGNORED:
        remedy = "Give examples to be left out a weight of 0."
        fail(name, "ignore_index", "be left out without class labels", ignore_index, remedy)


def _distributions(
    targets: jax.Array, predictions: jax.Array, weights: jax.Array | None
) -> jax.Array:
    """Probabilities ``[..., classes]``; NaN for those outside [0, 1]."""
    truth = where_it_counts(targets.astype(predictions.dtype), weights)
    return poisoned(truth, is_probability(truth), weights)


def _cost(
    probabilities: jax.Array, scores: jax.Array, log_total: jax.Array, impossible: jax.Array
) -> jax.Array:
    """Minus the sum over classes of probability times normalized score, with 0 log 0 = 0."""
    finite = jnp.where(impossible & (probabilities == 0), 0, scores)
    return log_total * probabilities.sum(-1) - (probabilities * finite).sum(-1)
