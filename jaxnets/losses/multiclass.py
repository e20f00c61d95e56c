"""Losses for targets that are one of several classes, or probabilities of all of them.

Classes are the last axis, ``[..., classes]``; PyTorch has them on axis 1. The values, and so the
weights, have the shape ``[...]``: one per example.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets.activations.exact import exact_log_softmax
from jaxnets.checks import check_fraction, require_type
from jaxnets.contracts.arrays import as_array, as_floating, trailing_axes
from jaxnets.contracts.calls import DataCheck
from jaxnets.contracts.data import (
    LOG_PROBABILITIES,
    check_class_targets,
    check_classes,
    check_distributions,
    check_each,
    check_logits,
    check_same_shape,
    is_label,
    is_log_probability,
    is_probability,
    labels_in,
    poisoned,
)
from jaxnets.contracts.reduction import reduced, spread_weights, where_it_counts
from jaxnets.errors import concrete, fail, require
from jaxnets.losses.contract import loss_function

__all__ = ["cross_entropy", "kl_divergence", "nll"]

IGNORED = -100
"""PyTorch's default for ``ignore_index``."""

Values = tuple[jax.Array, jax.Array | None]
"""One value per example, and what each counts in the mean."""


def _check_log_probabilities(predictions: Any, weights: Any) -> None:
    check_each("predictions", predictions, LOG_PROBABILITIES, weights)


def _data_check(
    of_predictions: Callable[[Any, Any], None],
    remedy: str = "Give probabilities over the classes, such as jax.nn.one_hot makes.",
) -> DataCheck:
    """A check of the predictions, then of targets that are labels or probabilities."""

    def check(predictions: Any, targets: Any, options: dict[str, Any]) -> None:
        weights = options["weights"]
        of_predictions(predictions, weights)
        if targets.ndim < len(predictions.shape):
            labels = labels_in(predictions.shape[-1], options["ignore_index"])
            check_each("targets", targets, labels, weights)
        else:
            check_distributions(targets, remedy, weights)

    return check


def _check_ignored(argument: str, value: Any) -> int:
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    require_type(whole, argument, value, "be a whole number", f"Pass {argument}={IGNORED}.")
    return int(value)


@loss_function(check=_data_check(_check_log_probabilities), ignore_index=_check_ignored)
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

    It is `cross_entropy` without the log-softmax: it takes log-probabilities ``[..., classes]``
    and the same targets and options, label smoothing excepted. A prediction above 0 by more than
    rounding is no log-probability.

    Options:
      class_weights: Factor c of each class, as for `cross_entropy`.
      ignore_index: Label of examples to leave out, as for `cross_entropy`.

    Example:
      >>> float(nll(jnp.log(jnp.array([[0.25, 0.75]])), jnp.array([1])))
      0.287682...

    References:
      ``torch.nn.NLLLoss`` (PyTorch documentation).
    """
    log_p, targets, factors, weights = _class_arguments(
        predictions, targets, class_weights, ignore_index, weights
    )
    log_p = poisoned(log_p, is_log_probability(log_p), weights)
    values, counts = _values(log_p, targets, factors, weights)
    return reduced(values, weights, reduction, counts=counts)


@loss_function(
    check=_data_check(check_logits), label_smoothing=check_fraction, ignore_index=_check_ignored
)
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

    Predictions are logits x, ``[..., classes]``. Targets are integer labels ``[...]``, or
    probabilities t, ``[..., classes]``, also one-hot integers; for a label y they are
    ``[j = y]``. With label smoothing e they become (1 - e) t + e / classes. For labels the mean
    divides by the sum of weight times class weight, for probabilities by that of the weights.
    ``0 log 0`` is 0, so logits of minus infinity may mark classes that are impossible. The loss
    is in nats.

    Options:
      class_weights: Factor c of each class, ``[classes]``, 1 if None.
      label_smoothing: The share e of a uniform distribution in the targets, in [0, 1).
      ignore_index: Examples of this label are left out; their value is 0. If all are, the mean is
        NaN, with a gradient of 0, and the sum is 0. For labels only.

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
    logits, targets, factors, weights = _class_arguments(
        predictions, targets, class_weights, ignore_index, weights
    )
    log_p = exact_log_softmax(logits)
    values, counts = _values(log_p, targets, factors, weights)
    if not concrete(label_smoothing) or label_smoothing:
        uniform = _cost(factors * label_smoothing / factors.size, log_p)
        values = (1 - label_smoothing) * values + uniform
    return reduced(values, weights, reduction, counts=counts)


@loss_function(
    check=_data_check(
        _check_log_probabilities, "Apply jn.softmax to logits, or jnp.exp to log-probabilities."
    )
)
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

    Predictions are log-probabilities log p, ``[..., classes]``, and targets probabilities q of
    the same shape, as in ``torch.nn.KLDivLoss``. The value of an example is the sum over the
    classes, in nats, and the mean is over the examples: PyTorch's ``reduction="batchmean"``; its
    ``"mean"`` divides by the number of classes too and is no divergence. ``0 log 0`` is 0, and
    the derivative by a target of 0, which is infinite, is taken as finite.

    Example:
      >>> log_p, q = jnp.log(jnp.array([[0.5, 0.5]])), jnp.array([[0.0, 1.0]])
      >>> f"{kl_divergence(log_p, q):.4f}"
      '0.6931'

    References:
      Kullback and Leibler, "On information and sufficiency", 1951; ``torch.nn.KLDivLoss``.
    """
    targets = as_floating("targets", targets)
    check_classes(predictions)
    check_same_shape(predictions, targets)
    weights = spread_weights(weights, predictions.shape[:-1], predictions.dtype)
    log_p = where_it_counts(predictions, weights)
    log_p = poisoned(log_p, is_log_probability(log_p), weights)
    q = _distributions(targets, predictions.dtype, weights)
    log_q = jnp.log(jnp.where(q == 0, 1, q))
    return reduced((q * log_q).sum(-1) + _cost(q, log_p), weights, reduction)


def _class_arguments(
    predictions: jax.Array, targets: Any, class_weights: Any, ignore_index: int, weights: Any
) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array | None]:
    """Predictions, targets, the factor of each class and the weights, ready for use."""
    targets = jnp.asarray(as_array("targets", targets))
    labelled = check_class_targets(predictions, targets)
    factors = _class_factors(class_weights, predictions)
    weights = spread_weights(weights, predictions.shape[:-1], predictions.dtype)
    if labelled:
        weights = _without_ignored(targets, ignore_index, weights, predictions.dtype)
    elif ignore_index != IGNORED:
        remedy = "Give examples to be left out a weight of 0."
        fail("ignore_index", "be left out without class labels", ignore_index, remedy)
    return where_it_counts(predictions, weights), targets, factors, weights


def _class_factors(class_weights: Any, predictions: jax.Array) -> jax.Array:
    """The factor of each class with as many axes as the predictions."""
    shape = predictions.shape[-1:]
    factors = jnp.ones(shape) if class_weights is None else jnp.asarray(class_weights)
    fits, remedy = factors.shape == shape, "Pass one factor for each class."
    require(fits, "class_weights", f"have shape {shape}", str(factors.shape), remedy)
    return trailing_axes(factors, predictions.ndim).astype(predictions.dtype)


def _without_ignored(
    labels: jax.Array, ignore_index: int, weights: jax.Array | None, dtype: Any
) -> jax.Array:
    """The weights with 0 for the examples to leave out."""
    weights = jnp.ones(labels.shape, dtype) if weights is None else weights
    limits = np.iinfo(labels.dtype)
    if not limits.min <= ignore_index <= limits.max:
        return weights
    return jnp.where(labels == ignore_index, 0, weights)


def _values(
    log_p: jax.Array, targets: jax.Array, factors: jax.Array, weights: jax.Array | None
) -> Values:
    """Minus the log-probabilities expected under the targets."""
    if targets.ndim < log_p.ndim:
        return _label_values(log_p, targets, factors, weights)
    distributions = _distributions(targets, log_p.dtype, weights)
    return _cost(factors * distributions, log_p), None


def _label_values(
    log_p: jax.Array, labels: jax.Array, factors: jax.Array, weights: jax.Array | None
) -> Values:
    """A label that is no class is replaced before it can index anything; its factor is NaN.

    Of a certain class the value is 0 and not -0, hence the subtraction here and in `_cost`.
    """
    good = is_label(labels, factors.size)
    index = jnp.where(good, labels, 0).astype(jnp.int32)
    counts = poisoned(factors.reshape(-1)[index], good, weights)
    found = jnp.take_along_axis(log_p, index[..., None], -1).squeeze(-1)
    return counts * (0 - found), counts


def _distributions(targets: jax.Array, dtype: Any, weights: jax.Array | None) -> jax.Array:
    """Probabilities ``[..., classes]``; NaN for those outside [0, 1]."""
    truth = where_it_counts(targets.astype(dtype), weights)
    return poisoned(truth, is_probability(truth), weights)


def _cost(probabilities: jax.Array, log_p: jax.Array) -> jax.Array:
    """Minus the sum over classes of probability times log-probability, with 0 log 0 = 0."""
    impossible = jnp.isneginf(log_p) & (probabilities == 0)
    return 0 - (probabilities * jnp.where(impossible, 0, log_p)).sum(-1)
