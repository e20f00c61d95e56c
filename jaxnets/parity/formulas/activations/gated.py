"""Gated activations: x times a gate between 0 and 1 that x itself opens."""

import math
from typing import Any

from jaxnets.parity.formulas.activations.sigmoids import sigmoid, softplus, tanh
from jaxnets.parity.formulas.arrays import erfc, namespace
from jaxnets.parity.formulas.formula import ValueAndSlope, formula

__all__ = ["gelu", "mish", "silu"]


@formula(options=[{"approximate": True}])
def gelu(x: Any, *, approximate: bool = False) -> ValueAndSlope:
    """The Gaussian error linear unit.

      f(x)  = x P(x)                            P the standard normal distribution
      f'(x) = P(x) + x p(x)                     (product rule; P' is the density p)

      p(x)  = e^(-x^2/2) / sqrt(2 pi)
      P(x)  = integral of p from -infinity to x
            = erfc(-x / sqrt 2) / 2             erfc(z) = 2/sqrt(pi) times the
                                                integral of e^(-t^2) from z on

    The approximation takes P(x) = (1 + tanh u)/2 = sigmoid(2u) (see tanh) with the cubic
    u = sqrt(2/pi) (x + 0.044715 x^3), and for p its derivative:

      p(x)  = P (1 - P) 2 u'                    (see sigmoid; chain rule)
      u'    = sqrt(2/pi) (1 + 3 * 0.044715 x^2)

    Symbols: x the input, any shape; P, p, u, u', f(x) and f'(x) of the same shape; z, t numbers.
    """
    probability, density = _normal_by_tanh(x) if approximate else _normal(x)
    return x * probability, probability + x * density


def mish(x: Any) -> ValueAndSlope:
    """A smooth self-gated unit.

      f(x)  = x t                               with t = tanh(softplus(x))
      f'(x) = t + x t'                          (product rule)
            = t + x tanh'(softplus(x)) softplus'(x)
            = t + x (1 - t^2) sigmoid(x)        (see tanh, softplus)

    Symbols: x the input, any shape; t, f(x) and f'(x) of the same shape.
    """
    ramp, ramp_slope = softplus(x)
    gate, gate_slope = tanh(ramp)
    return x * gate, gate + x * gate_slope * ramp_slope


def silu(x: Any) -> ValueAndSlope:
    """The sigmoid linear unit.

      f(x)  = x s                               with s = sigmoid(x)
      f'(x) = s + x s'                          (product rule)
            = s + x s (1 - s)                   (see sigmoid)

    1 - s is computed as sigmoid(-x).

    Symbols: x the input, any shape; s, f(x) and f'(x) of the same shape.
    """
    (s, _), (rest, _) = sigmoid(x), sigmoid(-x)
    return x * s, s + x * s * rest


def _normal(x: Any) -> ValueAndSlope:
    """The standard normal distribution and its density."""
    density = namespace(x).exp(-(x**2) / 2) / math.sqrt(2 * math.pi)
    return erfc(-x / math.sqrt(2)) / 2, density


def _normal_by_tanh(x: Any) -> ValueAndSlope:
    """The approximation to the standard normal distribution, and its derivative."""
    u = math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)
    u_slope = math.sqrt(2 / math.pi) * (1 + 3 * 0.044715 * x**2)
    (probability, _), (rest, _) = sigmoid(2 * u), sigmoid(-2 * u)
    return probability, probability * rest * 2 * u_slope
