"""Losses of one value per example, for targets that are one of several classes.

They have the contract of `losses`. Classes are the last axis, ``[..., classes]``.
"""

from typing import Any

from jaxnets.parity.formulas.arrays import bracket, column, log_sum_exp, namespace, per_feature
from jaxnets.parity.formulas.losses import LossAndGradient, reduced

__all__ = ["cross_entropy", "kl_divergence", "nll"]


def nll(
    predictions: Any,
    targets: Any,
    *,
    class_weights: Any = None,
    ignore_index: int = -100,
    weights: Any = None,
    reduction: str = "mean",
) -> LossAndGradient:
    """Negative log-likelihood, from log-probabilities.

      v_i        = -sum_j c_j t_ij x_ij
      dv_i/dx_ij = -c_j t_ij                         (each x_ij stands in one term)

    For a label y_i the targets are t_ij = [j = y_i], so that v_i = -c_(y_i) x_(i, y_i), and an
    example counts m_i = c_(y_i) in the mean. For probabilities m_i = 1. What weights and
    reduction make of v: see reduced.

    Symbols: x the predictions [examples ..., classes], logarithms of probabilities; t the
    targets of the same shape, or labels y [examples ...]; v, m [examples ...]; c (class_weights)
    [classes], ones if not given; i counts examples, j classes. Examples labelled ignore_index
    have weight 0.
    """
    truth, counts, weights = _expected(predictions, targets, class_weights, ignore_index, weights)
    values = -namespace(truth).sum(truth * predictions, axis=-1)
    return reduced(values, -truth, weights, reduction, counts=counts)


def cross_entropy(
    predictions: Any,
    targets: Any,
    *,
    class_weights: Any = None,
    label_smoothing: float = 0.0,
    ignore_index: int = -100,
    weights: Any = None,
    reduction: str = "mean",
) -> LossAndGradient:
    """Cross-entropy of logits.

      v_i        = -sum_j u_ij log p_ij
      p_ij       = e^(x_ij) / sum_k e^(x_ik)         the softmax of the logits
      dv_i/dx_ij = p_ij sum_k u_ik - u_ij

    Derivation, with z_i = log sum_k e^(x_ik), so that log p_ik = x_ik - z_i:

      dz_i/dx_ij       = e^(x_ij) / sum_k e^(x_ik) = p_ij
      dlog p_ik/dx_ij  = [k = j] - p_ij
      dv_i/dx_ij       = -sum_k u_ik ([k = j] - p_ij)
                       = -u_ij + p_ij sum_k u_ik

    For one class without class weights, u_ij = [j = y_i] and the sum is 1: what is left is
    p_ij - [j = y_i], prediction minus truth, and the mean over n examples divides it by n.

    In general u_ij = c_j ((1 - s) t_ij + s / classes) with label smoothing s. For a label y_i
    t_ij = [j = y_i], and an example counts m_i = c_(y_i) in the mean (see reduced); for
    probabilities m_i = 1.

    Symbols: x the predictions, p, u [examples ..., classes]; t the targets of the same shape, or
    labels y [examples ...]; v, z, m [examples ...]; c (class_weights) [classes], ones if not
    given; s (label_smoothing) a number; i counts examples, j and k classes. Examples labelled
    ignore_index have weight 0.
    """
    xp, x = namespace(predictions), predictions
    u, counts, weights = _expected(
        x, targets, class_weights, ignore_index, weights, label_smoothing
    )
    shifted = x - xp.max(x, axis=-1, keepdims=True)
    log_p = shifted - log_sum_exp(shifted, -1)
    values = -xp.sum(u * log_p, axis=-1)
    slopes = xp.exp(log_p) * xp.sum(u, axis=-1, keepdims=True) - u
    return reduced(values, slopes, weights, reduction, counts=counts)


def kl_divergence(
    predictions: Any, targets: Any, *, weights: Any = None, reduction: str = "mean"
) -> LossAndGradient:
    """Kullback-Leibler divergence of predicted from target distributions.

      v_i        = sum_j q_ij (log q_ij - x_ij)      with 0 log 0 = 0
      dv_i/dx_ij = -q_ij                             (each x_ij stands in one term)

    What weights and reduction make of v: see reduced.

    Symbols: x the predictions [examples ..., classes], logarithms of probabilities; q the
    targets of the same shape, probabilities; v [examples ...]; i counts examples, j classes.
    """
    xp, q = namespace(predictions), targets
    log_q = xp.log(xp.where(q > 0, q, 1))
    values = xp.sum(q * (log_q - predictions), axis=-1)
    return reduced(values, -q, weights, reduction)


def _expected(
    x: Any, targets: Any, class_weights: Any, ignore_index: int, weights: Any, smoothing: float = 0
) -> tuple[Any, Any, Any]:
    """The factor u_ij of each logarithm, the count m_i of each example, and its weight."""
    xp = namespace(x)
    c = xp.ones_like(x) * per_feature(1 if class_weights is None else class_weights, x)
    counts, truth = None, targets
    if targets.ndim < x.ndim:
        labels = column(targets, x)
        truth = bracket(labels == per_feature(xp.arange(x.shape[-1]), labels), x)
        counts = xp.sum(c * truth, axis=-1)
        kept = bracket(targets != ignore_index, x)
        weights = kept if weights is None else kept * column(weights, kept)
    return c * ((1 - smoothing) * truth + smoothing / x.shape[-1]), counts, weights
