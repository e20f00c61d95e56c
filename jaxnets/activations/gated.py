"""Inputs times a gate of themselves: silu, mish, gelu."""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets.activations.contract import elementwise
from jaxnets.activations.exact import exact_sigmoid, exact_softplus, exact_tanh
from jaxnets.checks import check_flag

__all__ = ["gelu", "mish", "silu"]


def _gated(x: jax.Array, gate: Callable[[jax.Array], jax.Array], limit: float) -> jax.Array:
    """``x * gate(x)`` for a gate that is 0 left of -limit and 1 right of limit, in every dtype.

    The limits at infinity, 0 and x, are put in place of ``0 * inf``.
    """
    within = jnp.clip(x, -limit, limit)
    return jnp.where(x >= limit, x, within * gate(within))


@elementwise()
def silu(x: jax.Array) -> jax.Array:
    r"""The sigmoid linear unit, also called swish.

    .. math:: f(x) = x\,\sigma(x), \qquad f'(x) = \sigma(x) + x\,\sigma(x)\,\sigma(-x)

    The derivative is 1/2 at 0 and crosses 0 at x = -1.278, where the value is smallest, -0.278.
    Left of it the value returns to 0 like ``x exp(x)`` and the unit saturates. The range is
    [-0.278, inf).

    Example:
      >>> print(f"{silu(1.0):.4f} {silu(-1.0):.4f}")
      0.7311 -0.2689

    References:
      Elfwing, Uchibe and Doya, "Sigmoid-weighted linear units for neural network function
      approximation in reinforcement learning", 2018.
    """
    return _gated(x, exact_sigmoid, limit=1000)


@elementwise()
def mish(x: jax.Array) -> jax.Array:
    r"""A smooth self-gated unit.

    .. math:: f(x) = x \tanh(s), \quad s = \log(1 + e^x), \qquad
       f'(x) = \tanh(s) + x\,(1 - \tanh^2 s)\,\sigma(x)

    The derivative is 3/5 at 0 and crosses 0 at x = -1.192, where the value is smallest, -0.309.
    Left of it the value returns to 0 like ``x exp(x)`` and the unit saturates. The range is
    [-0.309, inf).

    Example:
      >>> print(f"{mish(1.0):.4f} {mish(-1.0):.4f}")
      0.8651 -0.3034

    References:
      Misra, "Mish: a self regularized non-monotonic activation function", 2020.
    """
    return _gated(x, lambda within: exact_tanh(exact_softplus(within)), limit=1000)


@elementwise(approximate=check_flag)
def gelu(x: jax.Array, *, approximate: bool = False) -> jax.Array:
    r"""The Gaussian error linear unit.

    .. math:: f(x) = x\,\Phi(x), \qquad f'(x) = \Phi(x) + x\,\varphi(x)

    with the distribution function Phi and the density phi of the standard normal. The
    approximation takes for Phi(x) the following, at most 5e-4 away in f:

    .. math:: \tfrac12\bigl(1 + \tanh(\sqrt{2/\pi}\,(x + 0.044715\,x^3))\bigr)

    The derivative is 1/2 at 0 and crosses 0 at x = -0.752, where the value is smallest, -0.170.
    Left of it the value returns to 0 like ``exp(-x**2 / 2)`` and the unit saturates. The range is
    [-0.170, inf).

    Options:
      approximate: True for the approximation. The default is PyTorch's; that of
        ``jax.nn.gelu`` is true.

    Example:
      >>> print(f"{gelu(1.0):.5f} {gelu(1.0, approximate=True):.5f}")
      0.84134 0.84119

    References:
      Hendrycks and Gimpel, "Gaussian error linear units (GELUs)", 2016.
    """
    return _gated(x, _tanh_normal_cdf if approximate else _normal_cdf, limit=100)


def _tanh_normal_cdf(x: jax.Array) -> jax.Array:
    """The approximation to Phi, by (1 + tanh u)/2 = sigmoid(2u), which keeps the left tail."""
    return exact_sigmoid(math.sqrt(8 / math.pi) * x * (1 + 0.044715 * x * x))


def _half_digits(x: jax.Array) -> jax.Array:
    """``x`` rounded to half its digits, so that its square is exact."""
    info = np.finfo(x.dtype)
    return jax.lax.reduce_precision(x, info.nexp, (info.nmant - 1) // 2)


@jax.custom_jvp
def _normal_density(x: jax.Array) -> jax.Array:
    """The standard normal density, with x**2 in two parts for the sake of its tails."""
    short = _half_digits(x)
    # As a product of two exp, XLA would add the parts up again.
    rest = 1 + jnp.expm1((short - x) * (short + x) / 2)
    return jnp.exp(-short * short / 2) * rest / math.sqrt(2 * math.pi)


_normal_density.defjvps(lambda dx, y, x: dx * -x * y)


@jax.custom_jvp
def _normal_cdf(x: jax.Array) -> jax.Array:
    """Phi(x) = erfc(-x / sqrt 2) / 2 for |x| up to 100, with a left tail as exact as its middle.

    Rounding y = |x| / sqrt 2 or its square by one part changes exp(-y**2) by about y**2 parts.
    So erfc is taken at h, which is y rounded until its square is exact, and carried over to y by
    erfc(y) = exp(-y**2) w(y), where w is slow and w'(h) = 2 h w(h) - 2 / sqrt(pi).
    """
    size = jnp.abs(x)
    y = size * math.sqrt(0.5)
    h, short = _half_digits(y), _half_digits(size)
    excess = (short * short / 2 - h * h) + (size - short) * (size + short) / 2  # y**2 - h**2
    slope = 2 * h * jax.lax.erfc(h) - 2 / math.sqrt(math.pi) * jnp.exp(-h * h)
    tail = 0.5 * jnp.exp(-excess) * (jax.lax.erfc(h) + (y - h) * slope)
    return jnp.where(x < 0, tail, 1 - tail)


_normal_cdf.defjvps(lambda dx, y, x: dx * _normal_density(x))
