"""Losses: ``f(predictions, targets, *, weights, reduction) -> (loss, dL/dpredictions)``.

Each loss makes one value an example (or an element) and the slope of that value by its own
prediction; `reduced` then does for all of them what weights and reduction ask for. Data are taken
to be valid: that is what the library's own losses check.

A condition in brackets is 1 where it holds and 0 elsewhere.
"""

from typing import Any

import numpy as np

from jaxnets.parity.formulas.activations import sigmoid, softplus
from jaxnets.parity.formulas.arrays import bracket, column, namespace, per_feature

__all__ = [
    "bce",
    "bce_with_logits",
    "focal",
    "hinge",
    "huber",
    "mae",
    "mse",
    "rmse",
    "smooth_l1",
]

LossAndGradient = tuple[Any, Any]

LEAST_VARIANCE = float(np.float32(1e-12))
"""PyTorch's clamp of p (1 - p), which it holds in a float32."""


def reduced(
    values: Any, slopes: Any, weights: Any, reduction: str, *, counts: Any = None
) -> LossAndGradient:
    """Weights and reduction of any loss.

      v_i  the value of example i
      s_i  = dv_i/dx_i
      r_i  its weight, 1 without weights

      "none":  L_i = r_i v_i                    dL_i/dx_i = r_i s_i
      "sum":   L   = sum_i r_i v_i              dL/dx_i   = r_i s_i
      "mean":  L   = sum_i r_i v_i / R          dL/dx_i   = r_i s_i / R
               with R = sum_i r_i m_i

    L is a sum in which x_i stands only in term i, so the other terms drop out of dL/dx_i, and R
    does not depend on x. m_i is what example i counts in the mean: 1, or the weight of its class.

    Symbols: v, r, m [examples ...]; x the predictions, and s, the same, or with one more axis
    [examples ..., classes]; R a number; L a number, or of the shape of v with "none"; dL/dx of the
    shape of x.
    """
    xp = namespace(slopes)
    ones = xp.ones_like(values)
    r = ones if weights is None else ones * column(xp.asarray(weights, dtype=ones.dtype), ones)
    weighted, slopes = r * values, column(r, slopes) * slopes
    if reduction == "none":
        return weighted, slopes
    if reduction == "sum":
        return xp.sum(weighted), slopes
    divisor = xp.sum(r if counts is None else r * counts)
    return xp.sum(weighted) / divisor, slopes / divisor


def mse(
    predictions: Any, targets: Any, *, weights: Any = None, reduction: str = "mean"
) -> LossAndGradient:
    """Mean squared error, without a half.

      v_i       = e_i^2                         with e_i = x_i - y_i
      dv_i/dx_i = 2 e_i                         (de_i/dx_i = 1)

    and so for the mean over n elements dL/dx_i = 2 (x_i - y_i) / n (see reduced).

    Symbols: x the predictions, any shape; y the targets, e and v of the same shape; n and L
    numbers.
    """
    error = predictions - targets
    return reduced(error**2, 2 * error, weights, reduction)


def mae(
    predictions: Any, targets: Any, *, weights: Any = None, reduction: str = "mean"
) -> LossAndGradient:
    """Mean absolute error.

      v_i       = |e_i|                         with e_i = x_i - y_i
      dv_i/dx_i = sign(e_i)                     (0 at the kink e_i = 0)

    What weights and reduction make of v: see reduced.

    Symbols: x the predictions, any shape; y the targets, e and v of the same shape.
    """
    xp, error = namespace(predictions), predictions - targets
    return reduced(xp.abs(error), xp.sign(error), weights, reduction)


def rmse(
    predictions: Any, targets: Any, *, weights: Any = None, reduction: str = "mean"
) -> LossAndGradient:
    """Root of the mean squared error: the root is taken after the reduction.

      L       = sqrt(S)                         S the mse under the same reduction
      dL/dx_i = (dS/dx_i) / (2 sqrt(S))         (chain rule)
              = (dS/dx_i) / (2 L)               (for the mean: (x_i - y_i) / (n L))

    At the kink L = 0 the gradient is taken as 0. Weights act within S: see reduced.

    Symbols: x the predictions, any shape; y the targets of the same shape; S and L numbers, or
    of the shape of x with "none"; n the number of elements.
    """
    xp = namespace(predictions)
    square, square_gradient = mse(predictions, targets, weights=weights, reduction=reduction)
    loss = xp.sqrt(square)
    return loss, square_gradient / xp.where(loss == 0, 1, 2 * loss)


def huber(
    predictions: Any,
    targets: Any,
    *,
    delta: float = 1.0,
    weights: Any = None,
    reduction: str = "mean",
) -> LossAndGradient:
    """Half the squared error near 0, linear beyond.

      e_i       = x_i - y_i
      v_i       = e_i^2 / 2                     if |e_i| <= delta
                = delta (|e_i| - delta/2)       otherwise
      dv_i/dx_i = e_i                           if |e_i| <= delta
                = delta sign(e_i)               otherwise

    Both slopes are e_i cut at -delta and delta, so there is no kink: they meet at |e_i| = delta,
    and the constant delta/2 makes the values meet there too.

    What weights and reduction make of v: see reduced.

    Symbols: x the predictions, any shape; y the targets, e and v of the same shape; delta a
    number.
    """
    xp, error = namespace(predictions), predictions - targets
    size = xp.abs(error)
    values = xp.where(size <= delta, error**2 / 2, delta * (size - delta / 2))
    return reduced(values, xp.clip(error, -delta, delta), weights, reduction)


def smooth_l1(
    predictions: Any,
    targets: Any,
    *,
    beta: float = 1.0,
    weights: Any = None,
    reduction: str = "mean",
) -> LossAndGradient:
    """Absolute error with a parabola in place of the kink: huber with delta = beta, over beta.

      e_i       = x_i - y_i
      v_i       = e_i^2 / (2 beta)              if |e_i| <= beta
                = |e_i| - beta/2                otherwise
      dv_i/dx_i = e_i / beta                    if |e_i| <= beta
                = sign(e_i)                     otherwise

    For beta = 0 it is mae. What weights and reduction make of v: see reduced.

    Symbols: x the predictions, any shape; y the targets, e and v of the same shape; beta a
    number.
    """
    if beta == 0:
        return mae(predictions, targets, weights=weights, reduction=reduction)
    loss, gradient = huber(predictions, targets, delta=beta, weights=weights, reduction=reduction)
    return loss / beta, gradient / beta


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
