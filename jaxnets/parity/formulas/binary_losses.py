"""Losses of one value per element, under the contract of `losses`, for targets of two classes."""

from typing import Any

import numpy as np

from jaxnets.parity.formulas.activations.sigmoids import sigmoid, softplus
from jaxnets.parity.formulas.arrays import bracket, namespace, per_feature
from jaxnets.parity.formulas.formula import formula
from jaxnets.parity.formulas.losses import LossAndGradient, reduced

__all__ = ["bce", "bce_with_logits", "focal", "hinge"]

LEAST_VARIANCE = float(np.float32(1e-12))
"""PyTorch's clamp of p (1 - p), which it holds in a float32."""


def hinge(
    predictions: Any, targets: Any, *, weights: Any = None, reduction: str = "mean"
) -> LossAndGradient:
    """Hinge loss, for targets of -1 and 1.

      v_i       = max(0, 1 - y_i x_i)
      dv_i/dx_i = -y_i [y_i x_i < 1]            (0 at the kink y_i x_i = 1)

    Where y_i x_i < 1 the value is 1 - y_i x_i, a line in x_i of slope -y_i; elsewhere it is 0.

    What weights and reduction make of v: see reduced.

    Symbols: x the predictions, any shape; y the targets and v of the same shape.
    """
    margin = targets * predictions
    inside = bracket(margin < 1, predictions)
    return reduced((1 - margin) * inside, -targets * inside, weights, reduction)


def bce(
    predictions: Any, targets: Any, *, weights: Any = None, reduction: str = "mean"
) -> LossAndGradient:
    """Binary cross-entropy of probabilities, in the course the loss of Y_pred against Y.

      v          = -(Y log Y_pred + (1 - Y) log(1 - Y_pred))
      dv/dY_pred = (Y_pred - Y) / (Y_pred (1 - Y_pred))

    Derivation:

      dv/dY_pred = -Y / Y_pred + (1 - Y) / (1 - Y_pred)          ((log u)' = 1/u)
                 = (-Y (1 - Y_pred) + (1 - Y) Y_pred) / (Y_pred (1 - Y_pred))
                 = (Y_pred - Y) / (Y_pred (1 - Y_pred))          (Y Y_pred cancels)

    The mean over n elements divides by n (see reduced): d_Y_pred = dv/dY_pred / n. Behind a
    sigmoid, Y_pred = sigmoid(l2), the denominator is the sigmoid's derivative and cancels:
    d_l2 = d_Y_pred Y_pred (1 - Y_pred) = (Y_pred - Y) / n.

    As in PyTorch the logarithms are cut at -100 from below and the denominator at 1e-12. (The
    course adds 1e-7 to it instead, see tutorial.)

    Symbols: Y_pred the predictions in [0, 1], any shape; Y the targets, v, d_Y_pred, l2 and d_l2
    of the same shape; n a number.
    """
    p, y = predictions, targets
    log_p, log_q = _clamped_logs(p)
    values = -(y * log_p + (1 - y) * log_q)
    variance = namespace(p).maximum(p * (1 - p), LEAST_VARIANCE)
    return reduced(values, (p - y) / variance, weights, reduction)


def bce_with_logits(
    predictions: Any,
    targets: Any,
    *,
    pos_weight: Any = None,
    weights: Any = None,
    reduction: str = "mean",
) -> LossAndGradient:
    """Binary cross-entropy of logits.

      v_i       = c y_i log(1 + e^-x_i) + (1 - y_i) log(1 + e^x_i)
                = c y_i softplus(-x_i) + (1 - y_i) softplus(x_i)
      dv_i/dx_i = (1 - y_i) sigmoid(x_i) - c y_i sigmoid(-x_i)

    Derivation: it is bce of p = sigmoid(x), whose logarithms are log p = -softplus(-x) and
    log(1 - p) = -softplus(x), as 1 - p = sigmoid(-x). The derivative of softplus is the sigmoid,
    and the inner derivative of softplus(-x) is -1. For c = 1 it is

      (1 - y) sigmoid(x) - y (1 - sigmoid(x)) = sigmoid(x) - y

    What weights and reduction make of v: see reduced.

    Symbols: x the predictions, any shape; y the targets, v of the same shape; c (pos_weight)
    a number, or [features] for the last axis of x.
    """
    x, y = predictions, targets
    c = per_feature(1 if pos_weight is None else pos_weight, x)
    (softplus_left, sigmoid_left), (softplus_right, sigmoid_right) = softplus(-x), softplus(x)
    values = c * y * softplus_left + (1 - y) * softplus_right
    slopes = (1 - y) * sigmoid_right - c * y * sigmoid_left
    return reduced(values, slopes, weights, reduction)


@formula(options=[{"gamma": 0.5}, {"gamma": 0.0}, {"alpha": None}])
def focal(
    predictions: Any,
    targets: Any,
    *,
    gamma: float = 2.0,
    alpha: float | None = 0.25,
    weights: Any = None,
    reduction: str = "mean",
) -> LossAndGradient:
    """Focal loss: binary cross-entropy that pays little heed to what is already right.

      v  = a m^gamma h
      h  = y softplus(-x) + (1 - y) softplus(x)    the cross-entropy
      m  = y sigmoid(-x) + (1 - y) sigmoid(x)      the miss, 1 - p(truth)
      a  = alpha y + (1 - alpha) (1 - y)           1 without alpha

      dh/dx = (1 - y) sigmoid(x) - y sigmoid(-x)   (see bce_with_logits)
      dm/dx = (1 - y) q - y q                      (q = sigmoid(x) sigmoid(-x))
            = (1 - 2 y) q
      dv/dx = a (m^gamma dh/dx + gamma m^(gamma - 1) dm/dx h)
                                                   (product and chain rule)

    q is the derivative of sigmoid(x), and -q that of sigmoid(-x) (see sigmoid).

    What weights and reduction make of v: see reduced.

    Symbols: x the predictions, any shape; y the targets, v, h, m, a, q of the same shape; gamma
    and alpha numbers.
    """
    x, y = predictions, targets
    right, bend = sigmoid(x)
    left, _ = sigmoid(-x)
    entropy, entropy_slope = bce_with_logits(x, y, reduction="none")
    miss, miss_slope = y * left + (1 - y) * right, (1 - 2 * y) * bend
    factor = 1 if alpha is None else alpha * y + (1 - alpha) * (1 - y)
    power, power_slope = miss**gamma, gamma * miss ** (gamma - 1) * miss_slope
    values = factor * power * entropy
    slopes = factor * (power * entropy_slope + power_slope * entropy)
    return reduced(values, slopes, weights, reduction)


def _clamped_logs(p: Any) -> tuple[Any, Any]:
    """The logarithms of p and 1 - p, neither below -100; no logarithm of 0 is ever taken."""
    xp = namespace(p)
    log_p = xp.log(xp.where(p > 0, p, 1))
    log_q = xp.log1p(-xp.where(p < 1, p, 0))
    return (
        xp.where(p > 0, xp.maximum(log_p, -100), -100),
        xp.where(p < 1, xp.maximum(log_q, -100), -100),
    )
