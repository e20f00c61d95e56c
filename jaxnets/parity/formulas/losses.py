"""Losses: ``f(predictions, targets, *, weights, reduction) -> (loss, dL/dpredictions)``.

Each loss makes one value per example (or per element) and the slope of that value by its own
prediction; `reduced` then does for all of them what weights and reduction ask for. Data are taken
to be valid: that is what the library's own losses check.
"""

from typing import Any

from jaxnets.parity.formulas.arrays import column, namespace
from jaxnets.parity.formulas.formula import formula

__all__ = ["huber", "mae", "mse", "rmse", "smooth_l1"]

LossAndGradient = tuple[Any, Any]


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


@formula(options=[{"delta": 0.5}])
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


@formula(options=[{"beta": 0.5}, {"beta": 0.0}])
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
