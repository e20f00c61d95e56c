"""Sigmoid-shaped activations, and the softplus, whose derivative is the sigmoid."""

from typing import Any

from jaxnets.parity.formulas.arrays import bracket, namespace
from jaxnets.parity.formulas.formula import ValueAndSlope, formula

__all__ = ["hard_sigmoid", "hard_tanh", "log_sigmoid", "sigmoid", "softplus", "softsign", "tanh"]


def sigmoid(l1: Any) -> ValueAndSlope:
    """The logistic function; its derivative is the course's sigmoid_prime.

      a1      = 1 / (1 + e^-l1)
      da1/dl1 = a1 (1 - a1)

    Derivation, with u = 1 + e^-l1, so that a1 = 1/u:

      da1/du  = -1/u^2
      du/dl1  = -e^-l1
      da1/dl1 = e^-l1 / u^2                     (chain rule)
              = (1/u) ((u - 1)/u)               (e^-l1 is u - 1)
              = a1 (1 - a1)

    Symbols: l1 the input, any shape; u, a1 and da1/dl1 of the same shape.
    """
    a1 = _sigmoid(l1)
    return a1, a1 * (1 - a1)


@formula(kinks=[-3.0, 3.0])
def hard_sigmoid(x: Any) -> ValueAndSlope:
    """The sigmoid in three straight pieces.

      f(x)  = min(max(x + 3, 0), 6) / 6
      f'(x) = [-3 < x < 3] / 6

    Between the kinks f(x) = x/6 + 1/2, a line of slope 1/6; outside it is constant.

    Symbols: x the input, any shape; f(x) and f'(x) of the same shape.
    """
    xp = namespace(x)
    return xp.clip(x + 3, 0, 6) / 6, bracket(xp.abs(x) < 3, x) / 6


@formula(options=[{"beta": 2.0}])
def softplus(x: Any, *, beta: float = 1.0) -> ValueAndSlope:
    """The smooth ramp.

      f(x)  = log(1 + e^(beta x)) / beta
      f'(x) = sigmoid(beta x)

    Derivation, with u = 1 + e^(beta x):

      f'(x) = (1/beta) (1/u) beta e^(beta x)    (chain rule; (log u)' = 1/u)
            = e^(beta x) / (1 + e^(beta x))
            = 1 / (1 + e^(-beta x))             (divided by e^(beta x))

    The value is computed as (max(z, 0) + log(1 + e^-|z|)) / beta for z = beta x, which is the same
    and never overflows: for z > 0, log(1 + e^z) = log(e^z (e^-z + 1)) = z + log(1 + e^-z).

    Symbols: x the input, any shape; beta a number; u, z, f(x) and f'(x) of the shape of x.
    """
    return _softplus(beta * x) / beta, _sigmoid(beta * x)


def log_sigmoid(x: Any) -> ValueAndSlope:
    """The logarithm of the sigmoid.

      f(x)  = log sigmoid(x) = -log(1 + e^-x)
      f'(x) = sigmoid(-x)

    Derivation, with s = sigmoid(x):

      f'(x) = s' / s                            (chain rule; (log s)' = 1/s)
            = s (1 - s) / s                     (see sigmoid)
            = 1 - s
            = e^-x / (1 + e^-x)                 (s = 1 / (1 + e^-x))
            = 1 / (1 + e^x) = sigmoid(-x)       (multiplied by e^x)

    Symbols: x the input, any shape; s, f(x) and f'(x) of the same shape.
    """
    return -_softplus(-x), _sigmoid(-x)


def tanh(x: Any) -> ValueAndSlope:
    """The hyperbolic tangent.

      f(x)  = (e^x - e^-x) / (e^x + e^-x)
      f'(x) = 1 - f(x)^2

    Derivation, with s = e^x - e^-x and c = e^x + e^-x, so that f = s/c, s' = c and c' = s:

      f'(x) = (s' c - s c') / c^2               (quotient rule)
            = (c^2 - s^2) / c^2
            = 1 - f^2

    It is computed from the factors (1 + f)(1 - f), which keep their digits where f is near 1:
    1 + f = (c + s) / c = 2 e^x / c = 2 sigmoid(2x), and likewise 1 - f = 2 sigmoid(-2x).

    Symbols: x the input, any shape; s, c, f(x) and f'(x) of the same shape.
    """
    return namespace(x).tanh(x), 2 * _sigmoid(2 * x) * 2 * _sigmoid(-2 * x)


@formula(kinks=[-1.0, 1.0])
def hard_tanh(x: Any) -> ValueAndSlope:
    """The hyperbolic tangent in three straight pieces.

      f(x)  = min(max(x, -1), 1)
      f'(x) = [-1 < x < 1]

    Between the kinks f(x) = x, with slope 1; outside it is constant.

    Symbols: x the input, any shape; f(x) and f'(x) of the same shape.
    """
    xp = namespace(x)
    return xp.clip(x, -1, 1), bracket(xp.abs(x) < 1, x)


def softsign(x: Any) -> ValueAndSlope:
    """A sigmoid-shaped function with slow tails.

      f(x)  = x / (1 + |x|)
      f'(x) = 1 / (1 + |x|)^2

    Derivation, with u = 1 + |x| and u' = sign(x):

      f'(x) = (u - x sign(x)) / u^2             (quotient rule)
            = (1 + |x| - |x|) / u^2             (x sign(x) = |x|)
            = 1 / u^2

    |x| has a kink at 0, but f has not: both of its slopes there are 1.

    Symbols: x the input, any shape; u, f(x) and f'(x) of the same shape.
    """
    u = 1 + namespace(x).abs(x)
    return x / u, 1 / u**2


def _sigmoid(x: Any) -> Any:
    """1 / (1 + e^-x), multiplied by e^x above and below where x is negative: no overflow."""
    xp = namespace(x)
    e = xp.exp(-xp.abs(x))
    return xp.where(x >= 0, 1, e) / (1 + e)


def _softplus(x: Any) -> Any:
    """log(1 + e^x) = max(x, 0) + log(1 + e^-|x|): no overflow."""
    xp = namespace(x)
    return xp.maximum(x, 0) + xp.log1p(xp.exp(-xp.abs(x)))
