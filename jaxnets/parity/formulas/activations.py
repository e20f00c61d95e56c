"""Activation functions: ``f(x, **options) -> (f(x), f'(x))``, the derivative beside the value.

All act on each element alone, so x, f(x) and f'(x) have one shape, any. In a network x is what
the course calls l1 and f(x) its a1, and a gradient passes backwards through the unit as

  d_l1 = d_a1 f'(l1)         (d_l1 is dL/dl1, d_a1 is dL/da1; element by element)

A condition in brackets is 1 where it holds and 0 elsewhere. At a kink the derivative is one-sided,
the same side as PyTorch's. Softmax and the learned slope, which are not elementwise, stand with
the layers.
"""

import math
from typing import Any

from jaxnets.parity.formulas.arrays import bracket, erfc, namespace, per_feature

__all__ = [
    "celu",
    "elu",
    "gelu",
    "hard_sigmoid",
    "hard_tanh",
    "identity",
    "leaky_relu",
    "log_sigmoid",
    "mish",
    "prelu",
    "relu",
    "relu6",
    "selu",
    "sigmoid",
    "silu",
    "softplus",
    "softsign",
    "step",
    "tanh",
]

ValueAndSlope = tuple[Any, Any]


def identity(x: Any) -> ValueAndSlope:
    """The input itself.

      f(x)  = x
      f'(x) = 1

    Symbols: x the input, any shape; f(x) and f'(x) of the same shape.
    """
    return x, namespace(x).ones_like(x)


def step(x: Any) -> ValueAndSlope:
    """Heaviside's step.

      f(x)  = [x >= 0]
      f'(x) = 0

    It is constant on both sides of 0. At the jump there is no derivative; 0 is taken.

    Symbols: x the input, any shape; f(x) and f'(x) of the same shape.
    """
    return bracket(x >= 0, x), namespace(x).zeros_like(x)


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

    Symbols: l1 the input, any shape; a1 and da1/dl1 of the same shape.
    """
    a1 = _sigmoid(l1)
    return a1, a1 * (1 - a1)


def hard_sigmoid(x: Any) -> ValueAndSlope:
    """The sigmoid in three straight pieces.

      f(x)  = min(max(x + 3, 0), 6) / 6
      f'(x) = [-3 < x < 3] / 6

    Between the kinks f(x) = x/6 + 1/2, a line of slope 1/6; outside it is constant.

    Symbols: x the input, any shape; f(x) and f'(x) of the same shape.
    """
    xp = namespace(x)
    return xp.clip(x + 3, 0, 6) / 6, bracket(xp.abs(x) < 3, x) / 6


def softplus(x: Any, *, beta: float = 1.0) -> ValueAndSlope:
    """The smooth ramp.

      f(x)  = log(1 + e^(beta x)) / beta
      f'(x) = sigmoid(beta x)

    Derivation, with u = 1 + e^(beta x):

      f'(x) = (1/beta) (1/u) beta e^(beta x)    (chain rule; (log u)' = 1/u)
            = e^(beta x) / (1 + e^(beta x))
            = 1 / (1 + e^(-beta x))             (divided by e^(beta x) above and below)

    The value is computed as max(z, 0) + log(1 + e^-|z|) for z = beta x, which is the same and
    never overflows.

    Symbols: x the input, any shape; beta a number; f(x) and f'(x) of the shape of x.
    """
    return _softplus(beta * x) / beta, _sigmoid(beta * x)


def log_sigmoid(x: Any) -> ValueAndSlope:
    """The logarithm of the sigmoid.

      f(x)  = log sigmoid(x) = -log(1 + e^-x)
      f'(x) = sigmoid(-x)

    Derivation, with s = sigmoid(x):

      f'(x) = s' / s = s (1 - s) / s = 1 - s = sigmoid(-x)

    Symbols: x the input, any shape; f(x) and f'(x) of the same shape.
    """
    return -_softplus(-x), _sigmoid(-x)


def tanh(x: Any) -> ValueAndSlope:
    """The hyperbolic tangent.

      f(x)  = (e^x - e^-x) / (e^x + e^-x)
      f'(x) = 1 - f(x)^2

    Derivation, with f = s/c, s = e^x - e^-x, c = e^x + e^-x, so that s' = c and c' = s:

      f'(x) = (s' c - s c') / c^2               (quotient rule)
            = (c^2 - s^2) / c^2
            = 1 - f^2

    It is computed from the factors (1 + f)(1 - f), which keep their digits where f is near 1:
    1 + f = 2 e^x / c = 2 sigmoid(2x), and likewise 1 - f = 2 sigmoid(-2x).

    Symbols: x the input, any shape; f(x) and f'(x) of the same shape.
    """
    return namespace(x).tanh(x), 2 * _sigmoid(2 * x) * 2 * _sigmoid(-2 * x)


def hard_tanh(x: Any) -> ValueAndSlope:
    """The hyperbolic tangent in three straight pieces.

      f(x)  = min(max(x, -1), 1)
      f'(x) = [-1 < x < 1]

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

    Symbols: x the input, any shape; f(x) and f'(x) of the same shape.
    """
    u = 1 + namespace(x).abs(x)
    return x / u, 1 / u**2


def relu(x: Any) -> ValueAndSlope:
    """The rectified linear unit.

      f(x)  = max(0, x)
      f'(x) = [x > 0]

    On the right f(x) = x with slope 1, on the left 0 with slope 0; at the kink 0 is taken.

    Symbols: x the input, any shape; f(x) and f'(x) of the same shape.
    """
    return namespace(x).maximum(x, 0), bracket(x > 0, x)


def relu6(x: Any) -> ValueAndSlope:
    """The rectified linear unit, cut at 6.

      f(x)  = min(max(0, x), 6)
      f'(x) = [0 < x < 6]

    Symbols: x the input, any shape; f(x) and f'(x) of the same shape.
    """
    return namespace(x).clip(x, 0, 6), bracket((x > 0) & (x < 6), x)


def leaky_relu(x: Any, *, negative_slope: float = 0.01) -> ValueAndSlope:
    """The rectified linear unit with a small slope s on the left.

      f(x)  = x  if x > 0  else  s x
      f'(x) = 1  if x > 0  else  s

    At the kink the derivative is s.

    Symbols: x the input, any shape; s a number; f(x) and f'(x) of the shape of x.
    """
    return prelu(x, alpha=negative_slope)


def prelu(x: Any, *, alpha: Any) -> ValueAndSlope:
    """The rectified linear unit with any slope a on the left.

      f(x)  = x  if x > 0  else  a x
      f'(x) = 1  if x > 0  else  a

    At the kink the derivative is a. Where a is learned, df/da = min(x, 0): see parametric_relu.

    Symbols: x the input [..., features]; a (alpha) [] or [features]; f(x) and f'(x) like x.
    """
    xp = namespace(x)
    slope = xp.where(x > 0, xp.ones_like(x), per_feature(alpha, x))
    return x * slope, slope


def elu(x: Any, *, alpha: float = 1.0) -> ValueAndSlope:
    """The exponential linear unit.

      f(x)  = x  if x > 0  else  alpha (e^x - 1)
      f'(x) = 1  if x > 0  else  alpha e^x

    At 0 the derivative is alpha.

    Symbols: x the input, any shape; alpha a number; f(x) and f'(x) of the shape of x.
    """
    xp, left = namespace(x), _negative_part(x)
    return xp.where(x > 0, x, alpha * xp.expm1(left)), xp.where(x > 0, 1, alpha * xp.exp(left))


def selu(x: Any) -> ValueAndSlope:
    """The exponential linear unit that keeps mean 0 and variance 1: elu, scaled.

      f(x)  = s elu(x),    f'(x) = s elu'(x)    with alpha = 1.6733, s = 1.0507

    The two constants make (0, 1) a fixed point: x normal with mean 0 and variance 1 gives f(x)
    the same mean and variance. At 0 the derivative is s alpha.

    Symbols: x the input, any shape; alpha, s numbers; f(x) and f'(x) of the shape of x.
    """
    alpha, scale = 1.6732632423543772, 1.0507009873554805
    value, slope = elu(x, alpha=alpha)
    return scale * value, scale * slope


def celu(x: Any, *, alpha: float = 1.0) -> ValueAndSlope:
    """The exponential linear unit without a kink.

      f(x)  = x  if x > 0  else  alpha (e^(x/alpha) - 1)
      f'(x) = 1  if x > 0  else  e^(x/alpha)    (alpha and the inner 1/alpha cancel)

    Symbols: x the input, any shape; alpha a number; f(x) and f'(x) of the shape of x.
    """
    xp, left = namespace(x), _negative_part(x) / alpha
    return xp.where(x > 0, x, alpha * xp.expm1(left)), xp.where(x > 0, 1, xp.exp(left))


def silu(x: Any) -> ValueAndSlope:
    """The sigmoid linear unit.

      f(x)  = x s                               with s = sigmoid(x)
      f'(x) = s + x s'                          (product rule)
            = s + x s (1 - s)                   (see sigmoid)

    1 - s is computed as sigmoid(-x).

    Symbols: x the input, any shape; s, f(x) and f'(x) of the same shape.
    """
    s, rest = _sigmoid(x), _sigmoid(-x)
    return x * s, s + x * s * rest


def mish(x: Any) -> ValueAndSlope:
    """A smooth self-gated unit.

      f(x)  = x t                               with t = tanh(softplus(x))
      f'(x) = t + x t'                          (product rule)
            = t + x tanh'(softplus(x)) softplus'(x)
            = t + x (1 - t^2) sigmoid(x)        (see tanh, softplus)

    Symbols: x the input, any shape; t, f(x) and f'(x) of the same shape.
    """
    gate, gate_slope = tanh(_softplus(x))
    return x * gate, gate + x * gate_slope * _sigmoid(x)


def gelu(x: Any, *, approximate: bool = False) -> ValueAndSlope:
    """The Gaussian error linear unit.

      f(x)  = x P(x)                            P the standard normal distribution
      f'(x) = P(x) + x p(x)                     (product rule; P' is the density p)

      P(x)  = erfc(-x / sqrt 2) / 2
      p(x)  = e^(-x^2/2) / sqrt(2 pi)

    The approximation takes P(x) = (1 + tanh u)/2 = sigmoid(2u) with the cubic
    u = sqrt(2/pi) (x + 0.044715 x^3), and so

      p(x)  = P (1 - P) 2 u'                    (see sigmoid; chain rule)
      u'    = sqrt(2/pi) (1 + 3 0.044715 x^2)

    Symbols: x the input, any shape; P, p, u, f(x) and f'(x) of the same shape.
    """
    probability, density = _normal_by_tanh(x) if approximate else _normal(x)
    return x * probability, probability + x * density


def _normal(x: Any) -> ValueAndSlope:
    """The standard normal distribution and its density."""
    density = namespace(x).exp(-(x**2) / 2) / math.sqrt(2 * math.pi)
    return erfc(-x / math.sqrt(2)) / 2, density


def _normal_by_tanh(x: Any) -> ValueAndSlope:
    """The approximation to the standard normal distribution, and its derivative."""
    u = math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)
    u_slope = math.sqrt(2 / math.pi) * (1 + 3 * 0.044715 * x**2)
    return _sigmoid(2 * u), _sigmoid(2 * u) * _sigmoid(-2 * u) * 2 * u_slope


def _sigmoid(x: Any) -> Any:
    """1 / (1 + e^-x), multiplied by e^x above and below where x is negative: no overflow."""
    xp = namespace(x)
    e = xp.exp(-xp.abs(x))
    return xp.where(x >= 0, 1, e) / (1 + e)


def _softplus(x: Any) -> Any:
    """log(1 + e^x) = max(x, 0) + log(1 + e^-|x|): no overflow."""
    xp = namespace(x)
    return xp.maximum(x, 0) + xp.log1p(xp.exp(-xp.abs(x)))


def _negative_part(x: Any) -> Any:
    """min(x, 0), so that the exponential on the left never overflows on the right."""
    return namespace(x).minimum(x, 0)
