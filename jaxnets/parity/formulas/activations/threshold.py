"""Activations without a curve: the identity, and the step."""

from typing import Any

from jaxnets.parity.formulas.arrays import bracket, namespace
from jaxnets.parity.formulas.formula import ValueAndSlope, formula

__all__ = ["heaviside", "identity"]


def identity(x: Any) -> ValueAndSlope:
    """The input itself.

      f(x)  = x
      f'(x) = 1

    Symbols: x the input, any shape; f(x) and f'(x) of the same shape.
    """
    return x, namespace(x).ones_like(x)


@formula(kinks=[0.0])
def heaviside(x: Any) -> ValueAndSlope:
    """Heaviside's step.

      f(x)  = [x >= 0]
      f'(x) = 0

    It is constant on both sides of 0. At the jump there is no derivative; 0 is taken.

    Symbols: x the input, any shape; f(x) and f'(x) of the same shape.
    """
    return bracket(x >= 0, x), namespace(x).zeros_like(x)
