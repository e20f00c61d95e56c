"""Rectifiers: the identity on the right, something less on the left."""

from typing import Any

from jaxnets.parity.formulas.arrays import bracket, namespace, per_feature
from jaxnets.parity.formulas.formula import ValueAndSlope, formula

__all__ = ["celu", "elu", "leaky_relu", "prelu", "relu", "relu6", "selu"]


@formula(kinks=[0.0])
def relu(x: Any) -> ValueAndSlope:
    """The rectified linear unit.

      f(x)  = max(0, x)
      f'(x) = [x > 0]

    On the right f(x) = x with slope 1, on the left f(x) = 0 with slope 0; at the kink 0 is taken.

    Symbols: x the input, any shape; f(x) and f'(x) of the same shape.
    """
    return namespace(x).maximum(x, 0), bracket(x > 0, x)


@formula(kinks=[0.0, 6.0])
def relu6(x: Any) -> ValueAndSlope:
    """The rectified linear unit, cut at 6.

      f(x)  = min(max(0, x), 6)
      f'(x) = [0 < x < 6]

    Between the kinks f(x) = x, with slope 1; outside it is constant.

    Symbols: x the input, any shape; f(x) and f'(x) of the same shape.
    """
    return namespace(x).clip(x, 0, 6), bracket((x > 0) & (x < 6), x)


@formula(kinks=[0.0], options=[{"negative_slope": 0.25}])
def leaky_relu(x: Any, *, negative_slope: float = 0.01) -> ValueAndSlope:
    """The rectified linear unit with a small slope s on the left.

      f(x)  = x  if x > 0  else  s x
      f'(x) = 1  if x > 0  else  s

    At the kink the derivative is s.

    Symbols: x the input, any shape; s a number; f(x) and f'(x) of the shape of x.
    """
    return prelu(x, alpha=negative_slope)


@formula(kinks=[0.0])
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


@formula(kinks=[0.0], options=[{"alpha": 1.5}])
def elu(x: Any, *, alpha: float = 1.0) -> ValueAndSlope:
    """The exponential linear unit.

      f(x)  = x  if x > 0  else  alpha (e^x - 1)
      f'(x) = 1  if x > 0  else  alpha e^x      ((e^x)' = e^x; the -1 is constant)

    At 0 the slopes are 1 from the right and alpha from the left; alpha is taken.

    Symbols: x the input, any shape; alpha a number; f(x) and f'(x) of the shape of x.
    """
    xp, left = namespace(x), _negative_part(x)
    return xp.where(x > 0, x, alpha * xp.expm1(left)), xp.where(x > 0, 1, alpha * xp.exp(left))


@formula(kinks=[0.0])
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


@formula(options=[{"alpha": 0.5}])
def celu(x: Any, *, alpha: float = 1.0) -> ValueAndSlope:
    """The exponential linear unit without a kink.

      f(x)  = x  if x > 0  else  alpha (e^(x/alpha) - 1)
      f'(x) = 1  if x > 0  else  e^(x/alpha)    (alpha and the inner 1/alpha cancel)

    At 0 both slopes are 1.

    Symbols: x the input, any shape; alpha a number; f(x) and f'(x) of the shape of x.
    """
    xp, left = namespace(x), _negative_part(x) / alpha
    return xp.where(x > 0, x, alpha * xp.expm1(left)), xp.where(x > 0, 1, xp.exp(left))


def _negative_part(x: Any) -> Any:
    """min(x, 0), so that the exponential on the left never overflows on the right."""
    return namespace(x).minimum(x, 0)
