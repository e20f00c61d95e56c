"""S-shaped functions and their relatives, the sigmoid's logarithm and integral among them."""

import functools
from typing import Any

import jax
import jax.numpy as jnp

from jaxnets.activations.contract import elementwise
from jaxnets.activations.exact import exact_sigmoid, exact_softplus, exact_tanh
from jaxnets.checks import check_positive
from jaxnets.contracts.arrays import absolute

__all__ = ["hard_sigmoid", "hard_tanh", "log_sigmoid", "sigmoid", "softplus", "softsign", "tanh"]

LINEAR = 1000.0
"""From here on softplus(x) is x in every dtype."""


@elementwise()
def sigmoid(x: jax.Array) -> jax.Array:
    r"""The logistic function.

    .. math:: \sigma(x) = \frac{1}{1 + e^{-x}}, \qquad \sigma'(x) = \sigma(x) (1 - \sigma(x))

    The derivative is largest at 0, where it is 1/4, and falls like ``exp(-|x|)``: the unit
    saturates on both sides and gradients shrink at least fourfold through every layer. It is
    computed as y (1 - y), as PyTorch does, and so is 0 as soon as y is rounded to 1. The range is
    (0, 1), reaching 0 and 1 by rounding.

    Example:
      >>> sigmoid(jnp.array([0.0])).tolist()
      [0.5]

    References:
      Rumelhart, Hinton and Williams, "Learning representations by back-propagating errors",
      1986.
    """
    # Not exact_sigmoid: the published tables follow the very rounding of y (1 - y).
    return jax.nn.sigmoid(x)


@elementwise()
def hard_sigmoid(x: jax.Array) -> jax.Array:
    r"""The sigmoid in three straight pieces.

    .. math:: f(x) = \min(\max(x + 3, 0), 6)/6, \qquad
       f'(x) = \tfrac16 \text{ if } |x| < 3 \text{ else } 0

    The derivative at the kinks x = -3 and 3 is 0. Beyond them the unit is saturated and its
    gradient exactly 0. The range is [0, 1].

    Example:
      >>> hard_sigmoid(jnp.array([-4.0, 0.0, 3.0])).tolist()
      [0.0, 0.5, 1.0]

    References:
      Courbariaux, Bengio and David, "BinaryConnect", 2015, with another slope; the slope here
      is that of ``torch.nn.Hardsigmoid``.
    """
    return jax.nn.hard_sigmoid(x)


@elementwise(beta=functools.partial(check_positive, example=1.0))
def softplus(x: jax.Array, *, beta: float = 1.0) -> jax.Array:
    r"""The smooth ramp, the integral of the sigmoid.

    .. math:: f(x) = \tfrac1\beta \log(1 + e^{\beta x}), \qquad f'(x) = \sigma(\beta x)

    The derivative is 1/2 at 0. On the left value and derivative fall like ``exp(beta x)`` and the
    unit saturates slowly; on the right it does not. PyTorch's returns x itself from beta x = 20
    on, this one does not cut. The range is (0, inf), reaching 0 by rounding.

    Options:
      beta: The sharpness, positive: the larger, the nearer to `relu`.

    Example:
      >>> print(f"{softplus(0.0):.4f}")
      0.6931

    References:
      Dugas et al., "Incorporating second-order functional knowledge for better option
      pricing", 2001.
    """
    return _softplus(x, jnp.asarray(beta, x.dtype))


@jax.custom_jvp
def _softplus(x: jax.Array, beta: jax.Array) -> jax.Array:
    limit = LINEAR / beta  # beyond it beta x may overflow
    return jnp.where(x >= limit, x, exact_softplus(beta * jnp.minimum(x, limit)) / beta)


@_softplus.defjvp
def _softplus_jvp(primals: Any, tangents: Any) -> tuple[jax.Array, jax.Array]:
    """By x the sigmoid of beta x, in which beta does not divide itself."""
    (x, beta), (dx, dbeta) = primals, tangents
    y, slope = _softplus(x, beta), exact_sigmoid(beta * x)
    bend = jnp.where(jnp.isinf(x), 0, (x * slope - y) / beta)
    return y, slope * dx + bend * dbeta


@elementwise()
def log_sigmoid(x: jax.Array) -> jax.Array:
    r"""The logarithm of the sigmoid.

    .. math:: f(x) = \log \sigma(x) = -\log(1 + e^{-x}), \qquad f'(x) = \sigma(-x)

    It is exact where `sigmoid` has become 0 or 1. The derivative is 1/2 at 0; the unit saturates
    on the right and is linear on the left, so that f(-inf) = -inf. The range is (-inf, 0),
    reaching 0 by rounding.

    Example:
      >>> log_sigmoid(jnp.array([-1000.0])).tolist()
      [-1000.0]

    References:
      ``torch.nn.LogSigmoid`` (PyTorch documentation).
    """
    return -exact_softplus(-x)


@elementwise()
def tanh(x: jax.Array) -> jax.Array:
    r"""The hyperbolic tangent.

    .. math:: f(x) = \frac{e^x - e^{-x}}{e^x + e^{-x}}, \qquad
       f'(x) = 1 - f(x)^2 = 4\,\sigma(2x)\,\sigma(-2x)

    The derivative is 1 at 0 and falls like ``4 exp(-2|x|)``: the unit saturates on both sides. The
    range is (-1, 1), reaching both ends by rounding.

    Example:
      >>> tanh(jnp.array([0.0])).tolist()
      [0.0]

    References:
      LeCun, Bottou, Orr and Müller, "Efficient BackProp", 1998.
    """
    return exact_tanh(x)


@elementwise()
def hard_tanh(x: jax.Array) -> jax.Array:
    r"""The hyperbolic tangent in three straight pieces.

    .. math:: f(x) = \min(\max(x, -1), 1), \qquad f'(x) = 1 \text{ if } |x| < 1 \text{ else } 0

    The derivative at the kinks x = -1 and 1 is 0 (in ``jax.nn.hard_tanh`` it is 1). Beyond them
    the unit is saturated and its gradient exactly 0. The range is [-1, 1].

    Example:
      >>> hard_tanh(jnp.array([-2.0, 0.5, 1.0])).tolist()
      [-1.0, 0.5, 1.0]

    References:
      Collobert, "Large scale machine learning", 2004; ``torch.nn.Hardtanh``.
    """
    return jnp.where(x >= 1, 1, jnp.where(x <= -1, -1, x))


@elementwise()
def softsign(x: jax.Array) -> jax.Array:
    r"""A sigmoid-shaped function with slow tails.

    .. math:: f(x) = \frac{x}{1 + |x|}, \qquad f'(x) = \frac{1}{(1 + |x|)^2}

    The derivative is 1 at 0 and falls like ``1/x**2``: the unit saturates on both sides, much
    later than `tanh`. The second derivative jumps at 0, from 2 to -2, and is taken as 0 there. The
    range is (-1, 1), reaching both ends by rounding.

    Example:
      >>> softsign(jnp.array([-1.0, 0.0, 3.0])).tolist()
      [-0.5, 0.0, 0.75]

    References:
      Bergstra, Desjardins, Lamblin and Bengio, "Quadratic polynomials learn better image
      features", 2009; ``torch.nn.Softsign``.
    """
    return _softsign(x)


@jax.custom_jvp
def _softsign(x: jax.Array) -> jax.Array:
    return jnp.where(jnp.isinf(x), jnp.sign(x), x / (1 + jnp.abs(x)))


_softsign.defjvps(lambda dx, y, x: dx * jnp.square(1 / (1 + absolute(x))))
