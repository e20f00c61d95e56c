"""Activation functions: pure, jitted, with their conventions written down.

Each takes a floating array of any shape and returns one of the same shape and dtype. Python
floats are taken too; integers are an error, as their derivative means nothing. Options are
keyword-only Python values and part of the compiled program.

Float16 and bfloat16 are computed in float32 and rounded once, at the end. NaN gives NaN. Values
and derivatives at plus and minus infinity are the limits, wherever those exist. At a kink the
derivative is PyTorch's.

Most of this is ``jax.nn``. Where a derivative is written out below a function it is because the
one that differentiation finds subtracts nearly equal numbers: ``1 - tanh(x)**2`` is 0 in float32
at x = 10, where the derivative is still 8e-9.
"""

import functools
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets.checks import (
    check_axis,
    check_finite,
    check_flag,
    check_floating,
    check_positive,
    fail,
)

__all__ = [
    "celu",
    "elu",
    "gelu",
    "hard_sigmoid",
    "hard_tanh",
    "identity",
    "leaky_relu",
    "log_sigmoid",
    "log_softmax",
    "mish",
    "prelu",
    "relu",
    "relu6",
    "selu",
    "sigmoid",
    "silu",
    "softmax",
    "softplus",
    "softsign",
    "step",
    "tanh",
]

Function = Callable[..., jax.Array]


def _widened(function: Function) -> Function:
    """Computes in float32 at least, and returns the dtype of ``x``."""

    @functools.wraps(function)
    def widened(x: jax.Array, *args: Any, **options: Any) -> jax.Array:
        wide = jnp.float32 if x.dtype.itemsize < 4 else x.dtype
        return function(x.astype(wide), *args, **options).astype(x.dtype)

    return widened


def _elementwise(**checks: Callable[[str, str, Any], Any]) -> Callable[[Function], Function]:
    """Checks ``x``, widens narrow dtypes and jits; every option is static and has its check.

    Options are checked before ``jax.jit`` sees them, so that a value that cannot be static is
    reported in the library's words.
    """

    def decorate(function: Function) -> Function:
        name, widened = function.__name__, _widened(function)

        @functools.wraps(function)
        def checked(x: Any, *args: Any, **options: Any) -> jax.Array:
            return widened(check_floating(name, "x", x), *args, **options)

        compiled: Function = jax.jit(checked, static_argnames=tuple(checks))
        if not checks:
            return compiled

        @functools.wraps(function)
        def activation(x: Any, **options: Any) -> jax.Array:
            for option, check in checks.items():
                if option in options:
                    options[option] = check(name, option, options[option])
            return compiled(x, **options)

        return activation

    return decorate


@_elementwise()
def identity(x: jax.Array) -> jax.Array:
    r"""The input itself.

    .. math:: f(x) = x, \qquad f'(x) = 1

    Args:
      x: Floating, any shape.

    Returns:
      ``x``; range (-inf, inf). It never saturates.

    Raises:
      TypeError: If ``x`` is not floating.

    Example:
      >>> identity(jnp.array([-1.0, 2.0])).tolist()
      [-1.0, 2.0]
    """
    return x


@_elementwise()
def step(x: jax.Array) -> jax.Array:
    r"""Heaviside's step, the perceptron's threshold.

    .. math:: f(x) = 1 \text{ if } x \ge 0 \text{ else } 0, \qquad f'(x) = 0

    At 0 the value is 1: a unit fires when its input reaches the threshold. The derivative is
    taken as 0 everywhere, at 0 too, so that nothing below this unit learns by gradients;
    `sigmoid` is the smooth function in its place.

    Args:
      x: Floating, any shape.

    Returns:
      Same shape and dtype; 0 or 1.

    Raises:
      TypeError: If ``x`` is not floating.

    Example:
      >>> step(jnp.array([-0.5, 0.0, 2.0])).tolist()
      [0.0, 1.0, 1.0]

    References:
      Rosenblatt, "The perceptron", 1958; ``torch.heaviside(x, values=1)``.
    """
    # NaN is neither, and so comes out itself.
    return jnp.where(x >= 0, 1, jnp.where(x < 0, 0, x))


@_elementwise()
def sigmoid(x: jax.Array) -> jax.Array:
    r"""The logistic function.

    .. math:: \sigma(x) = \frac{1}{1 + e^{-x}}, \qquad \sigma'(x) = \sigma(x) (1 - \sigma(x))

    The derivative is largest at 0, where it is 1/4, and falls like ``exp(-|x|)``: the unit
    saturates on both sides and gradients shrink at least fourfold through every layer. It is
    computed as y (1 - y), as PyTorch does, and so is 0 as soon as y is rounded to 1.

    Args:
      x: Floating, any shape.

    Returns:
      Same shape and dtype; range (0, 1), reaching 0 and 1 by rounding.

    Raises:
      TypeError: If ``x`` is not floating.

    Example:
      >>> sigmoid(jnp.array([0.0])).tolist()
      [0.5]

    References:
      Rumelhart, Hinton and Williams, "Learning representations by back-propagating errors",
      1986.
    """
    return jax.nn.sigmoid(x)


# With a derivative that keeps its relative accuracy where the sigmoid is near 1. Not the public
# one: that has PyTorch's y (1 - y), whose very rounding the published tables follow.
_sigmoid = jax.custom_jvp(jax.nn.sigmoid)
_sigmoid.defjvps(lambda dx, y, x: dx * y * _sigmoid(-x))


@_elementwise()
def hard_sigmoid(x: jax.Array) -> jax.Array:
    r"""The sigmoid in three straight pieces.

    .. math:: f(x) = \min(\max(x + 3, 0), 6)/6, \qquad
       f'(x) = \tfrac16 \text{ if } |x| < 3 \text{ else } 0

    The derivative at the kinks x = -3 and 3 is 0. Beyond them the unit is saturated and its
    gradient exactly 0.

    Args:
      x: Floating, any shape.

    Returns:
      Same shape and dtype; range [0, 1].

    Raises:
      TypeError: If ``x`` is not floating.

    Example:
      >>> hard_sigmoid(jnp.array([-4.0, 0.0, 3.0])).tolist()
      [0.0, 0.5, 1.0]

    References:
      Courbariaux, Bengio and David, "BinaryConnect", 2015, with another slope; the slope here
      is that of ``torch.nn.Hardsigmoid``.
    """
    return jax.nn.hard_sigmoid(x)


@_elementwise(beta=functools.partial(check_positive, example=1.0))
def softplus(x: jax.Array, *, beta: float = 1.0) -> jax.Array:
    r"""The smooth ramp, the integral of the sigmoid.

    .. math:: f(x) = \tfrac1\beta \log(1 + e^{\beta x}), \qquad f'(x) = \sigma(\beta x)

    The derivative is 1/2 at 0. On the left value and derivative fall like ``exp(beta x)`` and
    the unit saturates slowly; on the right it does not. PyTorch's returns x itself from
    beta x = 20 on, this one does not cut.

    Args:
      x: Floating, any shape.
      beta: The sharpness, positive: the larger, the nearer to `relu`.

    Returns:
      Same shape and dtype; range (0, inf), reaching 0 by rounding.

    Raises:
      ValueError: If ``beta`` is not positive and finite.
      TypeError: If ``x`` is not floating or ``beta`` not a number.

    Example:
      >>> print(f"{softplus(0.0):.4f}")
      0.6931

    References:
      Dugas et al., "Incorporating second-order functional knowledge for better option
      pricing", 2001.
    """
    return _softplus(beta * x) / beta


_softplus = jax.custom_jvp(jax.nn.softplus)
_softplus.defjvps(lambda dx, y, x: dx * _sigmoid(x))


@_elementwise()
def log_sigmoid(x: jax.Array) -> jax.Array:
    r"""The logarithm of the sigmoid.

    .. math:: f(x) = \log \sigma(x) = -\log(1 + e^{-x}), \qquad f'(x) = \sigma(-x)

    It is exact where `sigmoid` has become 0 or 1. The derivative is 1/2 at 0; the unit
    saturates on the right and is linear on the left, so that f(-inf) = -inf.

    Args:
      x: Floating, any shape.

    Returns:
      Same shape and dtype; range (-inf, 0), reaching 0 by rounding.

    Raises:
      TypeError: If ``x`` is not floating.

    Example:
      >>> log_sigmoid(jnp.array([-1000.0])).tolist()
      [-1000.0]

    References:
      ``torch.nn.LogSigmoid`` (PyTorch documentation).
    """
    return -_softplus(-x)


@_elementwise()
def tanh(x: jax.Array) -> jax.Array:
    r"""The hyperbolic tangent.

    .. math:: f(x) = \frac{e^x - e^{-x}}{e^x + e^{-x}}, \qquad
       f'(x) = 1 - f(x)^2 = 4\,\sigma(2x)\,\sigma(-2x)

    The derivative is 1 at 0 and falls like ``4 exp(-2|x|)``: the unit saturates on both sides.

    Args:
      x: Floating, any shape.

    Returns:
      Same shape and dtype; range (-1, 1), reaching both ends by rounding.

    Raises:
      TypeError: If ``x`` is not floating.

    Example:
      >>> tanh(jnp.array([0.0])).tolist()
      [0.0]

    References:
      LeCun, Bottou, Orr and Müller, "Efficient BackProp", 1998.
    """
    return _tanh(x)


_tanh = jax.custom_jvp(jnp.tanh)
_tanh.defjvps(lambda dx, y, x: dx * 4 * _sigmoid(2 * x) * _sigmoid(-2 * x))


@_elementwise()
def hard_tanh(x: jax.Array) -> jax.Array:
    r"""The hyperbolic tangent in three straight pieces.

    .. math:: f(x) = \min(\max(x, -1), 1), \qquad f'(x) = 1 \text{ if } |x| < 1 \text{ else } 0

    The derivative at the kinks x = -1 and 1 is 0 (in ``jax.nn.hard_tanh`` it is 1). Beyond them
    the unit is saturated and its gradient exactly 0.

    Args:
      x: Floating, any shape.

    Returns:
      Same shape and dtype; range [-1, 1].

    Raises:
      TypeError: If ``x`` is not floating.

    Example:
      >>> hard_tanh(jnp.array([-2.0, 0.5, 1.0])).tolist()
      [-1.0, 0.5, 1.0]

    References:
      Collobert, "Large scale machine learning", 2004; ``torch.nn.Hardtanh``.
    """
    return jnp.where(x >= 1, 1, jnp.where(x <= -1, -1, x))


@_elementwise()
def softsign(x: jax.Array) -> jax.Array:
    r"""A sigmoid-shaped function with slow tails.

    .. math:: f(x) = \frac{x}{1 + |x|}, \qquad f'(x) = \frac{1}{(1 + |x|)^2}

    The derivative is 1 at 0, where it is smooth, and falls like ``1/x**2``: the unit saturates
    on both sides, much later than `tanh`.

    Args:
      x: Floating, any shape.

    Returns:
      Same shape and dtype; range (-1, 1), reaching both ends by rounding.

    Raises:
      TypeError: If ``x`` is not floating.

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


_softsign.defjvps(lambda dx, y, x: dx * jnp.square(1 / (1 + jnp.abs(x))))


@_elementwise()
def relu(x: jax.Array) -> jax.Array:
    r"""The rectified linear unit.

    .. math:: f(x) = \max(0, x), \qquad f'(x) = 1 \text{ if } x > 0 \text{ else } 0

    The derivative at the kink x = 0 is taken as 0. A unit whose input stays negative gets no
    gradient and is dead; there is no saturation on the right.

    Args:
      x: Floating, any shape.

    Returns:
      Same shape and dtype; range [0, inf).

    Raises:
      TypeError: If ``x`` is not floating.

    Example:
      >>> relu(jnp.array([-1.0, 0.0, 2.0])).tolist()
      [0.0, 0.0, 2.0]

    References:
      Nair and Hinton, "Rectified linear units improve restricted Boltzmann machines", 2010.
    """
    return jax.nn.relu(x)


@_elementwise()
def relu6(x: jax.Array) -> jax.Array:
    r"""The rectified linear unit, cut at 6.

    .. math:: f(x) = \min(\max(0, x), 6), \qquad f'(x) = 1 \text{ if } 0 < x < 6 \text{ else } 0

    The derivative at the kinks x = 0 and 6 is 0. A unit whose input stays outside (0, 6) is
    dead or saturated and gets no gradient.

    Args:
      x: Floating, any shape.

    Returns:
      Same shape and dtype; range [0, 6].

    Raises:
      TypeError: If ``x`` is not floating.

    Example:
      >>> relu6(jnp.array([-1.0, 2.0, 7.0])).tolist()
      [0.0, 2.0, 6.0]

    References:
      Krizhevsky, "Convolutional deep belief networks on CIFAR-10", 2010; ``torch.nn.ReLU6``.
    """
    return jax.nn.relu6(x)


@_elementwise(negative_slope=functools.partial(check_finite, example=0.01))
def leaky_relu(x: jax.Array, *, negative_slope: float = 0.01) -> jax.Array:
    r"""The rectified linear unit with a small slope on the left.

    .. math:: f(x) = x \text{ if } x > 0 \text{ else } s x, \qquad
       f'(x) = 1 \text{ if } x > 0 \text{ else } s

    The derivative at the kink x = 0 is the slope s, as in PyTorch (in ``jax.nn`` it is 1). The
    unit neither saturates nor dies.

    Args:
      x: Floating, any shape.
      negative_slope: The slope s, a finite number; `prelu` takes one that is learned.

    Returns:
      Same shape and dtype; range (-inf, inf) for a positive slope.

    Raises:
      ValueError: If ``negative_slope`` is not finite.
      TypeError: If ``x`` is not floating or ``negative_slope`` not a number.

    Example:
      >>> leaky_relu(jnp.array([-1.0, 2.0]), negative_slope=0.25).tolist()
      [-0.25, 2.0]

    References:
      Maas, Hannun and Ng, "Rectifier nonlinearities improve neural network acoustic models",
      2013.
    """
    return jnp.where(x > 0, x, negative_slope * x)


@_elementwise()
def prelu(x: jax.Array, alpha: jax.Array) -> jax.Array:
    r"""The rectified linear unit with a learned slope on the left.

    .. math:: f(x) = x \text{ if } x > 0 \text{ else } \alpha x, \qquad
       \frac{\partial f}{\partial x} = 1 \text{ if } x > 0 \text{ else } \alpha, \qquad
       \frac{\partial f}{\partial \alpha} = \min(0, x)

    The derivative at the kink x = 0 is alpha, as in PyTorch. The unit does not saturate, and
    dies only where alpha has become 0.

    Args:
      x: Floating, ``[..., features]``.
      alpha: The slope, floating: one for all, shape ``[]``, or one a feature, ``[features]``.
        PyTorch starts it at 0.25 and has the features on axis 1.

    Returns:
      Same shape and dtype as ``x``; range (-inf, inf) for a positive alpha.

    Raises:
      ValueError: If the shape of ``alpha`` does not fit.
      TypeError: If ``x`` or ``alpha`` is not floating.

    Example:
      >>> prelu(jnp.array([[-1.0, -1.0]]), jnp.array([0.25, 0.5])).tolist()
      [[-0.25, -0.5]]

    References:
      He, Zhang, Ren and Sun, "Delving deep into rectifiers", 2015; ``torch.nn.PReLU``.
    """
    alpha = check_floating("prelu", "alpha", alpha).astype(x.dtype)
    if alpha.shape not in ((), x.shape[-1:]):
        rule = f"have the shape () or that of the last axis of x, {x.shape[-1:]}"
        fail("prelu", "alpha", rule, str(alpha.shape), "Pass one slope, or one a feature.")
    alpha = alpha.reshape((1,) * (x.ndim - alpha.ndim) + alpha.shape)
    return jnp.where(x > 0, x, alpha * _where_negative(x))


def _where_negative(x: jax.Array) -> jax.Array:
    """``x`` where it is not positive, else 0, to keep the branch not taken finite.

    ``jnp.where`` multiplies the derivative of that branch by 0, which makes NaN of infinity.
    """
    return jnp.where(x > 0, 0, x)


@_elementwise(alpha=functools.partial(check_positive, example=1.0))
def elu(x: jax.Array, *, alpha: float = 1.0) -> jax.Array:
    r"""The exponential linear unit.

    .. math:: f(x) = x \text{ if } x > 0 \text{ else } \alpha(e^x - 1), \qquad
       f'(x) = 1 \text{ if } x > 0 \text{ else } \alpha e^x

    The derivative at x = 0 is alpha; there is a kink unless alpha is 1. On the left the unit
    saturates at -alpha.

    Args:
      x: Floating, any shape.
      alpha: The depth of the left side, positive.

    Returns:
      Same shape and dtype; range (-alpha, inf), reaching -alpha by rounding.

    Raises:
      ValueError: If ``alpha`` is not positive and finite.
      TypeError: If ``x`` is not floating or ``alpha`` not a number.

    Example:
      >>> elu(jnp.array([-jnp.inf, 0.0, 2.0])).tolist()
      [-1.0, 0.0, 2.0]

    References:
      Clevert, Unterthiner and Hochreiter, "Fast and accurate deep network learning by
      exponential linear units (ELUs)", 2016.
    """
    return jnp.where(x > 0, x, alpha * _expm1(_where_negative(x)))


_expm1 = jax.custom_jvp(jnp.expm1)
_expm1.defjvps(lambda dx, y, x: dx * jnp.exp(x))


@_elementwise()
def selu(x: jax.Array) -> jax.Array:
    r"""The exponential linear unit that keeps mean 0 and variance 1.

    .. math:: f(x) = \lambda x \text{ if } x > 0 \text{ else } \lambda \alpha (e^x - 1), \qquad
       f'(x) = \lambda \text{ if } x > 0 \text{ else } \lambda \alpha e^x

    with lambda = 1.0507 and alpha = 1.6733. The derivative at the kink x = 0 is the left one,
    lambda alpha = 1.7581, and the unit saturates on the left at minus that. Weights should
    start with `initializers.lecun_normal`.

    Args:
      x: Floating, any shape.

    Returns:
      Same shape and dtype; range (-1.7581, inf), reaching the left end by rounding.

    Raises:
      TypeError: If ``x`` is not floating.

    Example:
      >>> print(f"{selu(1.0):.4f} {selu(-jnp.inf):.4f}")
      1.0507 -1.7581

    References:
      Klambauer, Unterthiner, Mayr and Hochreiter, "Self-normalizing neural networks", 2017.
    """
    alpha, scale = 1.6732632423543772848170429916717, 1.0507009873554804934193349852946
    return scale * jnp.where(x > 0, x, alpha * _expm1(_where_negative(x)))


@_elementwise(alpha=functools.partial(check_positive, example=1.0))
def celu(x: jax.Array, *, alpha: float = 1.0) -> jax.Array:
    r"""The exponential linear unit without a kink.

    .. math:: f(x) = x \text{ if } x > 0 \text{ else } \alpha(e^{x/\alpha} - 1), \qquad
       f'(x) = 1 \text{ if } x > 0 \text{ else } e^{x/\alpha}

    The derivative at x = 0 is 1 for every alpha. On the left the unit saturates at -alpha.

    Args:
      x: Floating, any shape.
      alpha: The depth of the left side, positive.

    Returns:
      Same shape and dtype; range (-alpha, inf), reaching -alpha by rounding.

    Raises:
      ValueError: If ``alpha`` is not positive and finite.
      TypeError: If ``x`` is not floating or ``alpha`` not a number.

    Example:
      >>> celu(jnp.array([-jnp.inf, 0.0, 2.0]), alpha=0.5).tolist()
      [-0.5, 0.0, 2.0]

    References:
      Barron, "Continuously differentiable exponential linear units", 2017.
    """
    return jnp.where(x > 0, x, alpha * _expm1(_where_negative(x) / alpha))


def _gated(x: jax.Array, gate: Function, limit: float) -> jax.Array:
    """``x * gate(x)`` for a gate that is 0 left of -limit and 1 right of limit, in every dtype.

    The limits at infinity, 0 and x, are put in place of ``0 * inf``.
    """
    within = jnp.clip(x, -limit, limit)
    return jnp.where(x >= limit, x, within * gate(within))


@_elementwise()
def silu(x: jax.Array) -> jax.Array:
    r"""The sigmoid linear unit, also called swish.

    .. math:: f(x) = x\,\sigma(x), \qquad f'(x) = \sigma(x) + x\,\sigma(x)\,\sigma(-x)

    The derivative is 1/2 at 0 and crosses 0 at x = -1.278, where the value is smallest, -0.278.
    Left of it the value returns to 0 like ``x exp(x)`` and the unit saturates.

    Args:
      x: Floating, any shape.

    Returns:
      Same shape and dtype; range [-0.278, inf).

    Raises:
      TypeError: If ``x`` is not floating.

    Example:
      >>> print(f"{silu(1.0):.4f} {silu(-1.0):.4f}")
      0.7311 -0.2689

    References:
      Elfwing, Uchibe and Doya, "Sigmoid-weighted linear units for neural network function
      approximation in reinforcement learning", 2018.
    """
    return _gated(x, _sigmoid, limit=1000)


@_elementwise()
def mish(x: jax.Array) -> jax.Array:
    r"""A smooth self-gated unit.

    .. math:: f(x) = x \tanh(s), \quad s = \log(1 + e^x), \qquad
       f'(x) = \tanh(s) + x\,(1 - \tanh^2 s)\,\sigma(x)

    The derivative is 3/5 at 0 and crosses 0 at x = -1.192, where the value is smallest, -0.309.
    Left of it the value returns to 0 like ``x exp(x)`` and the unit saturates.

    Args:
      x: Floating, any shape.

    Returns:
      Same shape and dtype; range [-0.309, inf).

    Raises:
      TypeError: If ``x`` is not floating.

    Example:
      >>> print(f"{mish(1.0):.4f} {mish(-1.0):.4f}")
      0.8651 -0.3034

    References:
      Misra, "Mish: a self regularized non-monotonic activation function", 2020.
    """
    return _gated(x, lambda within: _tanh(_softplus(within)), limit=1000)


@_elementwise(approximate=check_flag)
def gelu(x: jax.Array, *, approximate: bool = False) -> jax.Array:
    r"""The Gaussian error linear unit.

    .. math:: f(x) = x\,\Phi(x), \qquad f'(x) = \Phi(x) + x\,\varphi(x)

    with the distribution function Phi and the density phi of the standard normal. The
    approximation takes for Phi(x) the following, at most 5e-4 away in f:

    .. math:: \tfrac12\bigl(1 + \tanh(\sqrt{2/\pi}\,(x + 0.044715\,x^3))\bigr)

    The derivative is 1/2 at 0 and crosses 0 at x = -0.752, where the value is smallest, -0.170.
    Left of it the value returns to 0 like ``exp(-x**2 / 2)`` and the unit saturates.

    Args:
      x: Floating, any shape.
      approximate: Whether to use the approximation. The default is PyTorch's; that of
        ``jax.nn.gelu`` is true.

    Returns:
      Same shape and dtype; range [-0.170, inf).

    Raises:
      TypeError: If ``x`` is not floating or ``approximate`` not a bool.

    Example:
      >>> print(f"{gelu(1.0):.5f} {gelu(1.0, approximate=True):.5f}")
      0.84134 0.84119

    References:
      Hendrycks and Gimpel, "Gaussian error linear units (GELUs)", 2016.
    """
    return _gated(x, _tanh_normal_cdf if approximate else _normal_cdf, limit=100)


def _tanh_normal_cdf(x: jax.Array) -> jax.Array:
    """The approximation to Phi, by (1 + tanh u)/2 = sigmoid(2u), which keeps the left tail."""
    return _sigmoid(math.sqrt(8 / math.pi) * x * (1 + 0.044715 * x * x))


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


def softmax(x: jax.Array, *, axis: int = -1) -> jax.Array:
    r"""The exponentials along an axis, scaled to sum to 1.

    .. math:: f(x)_i = \frac{e^{x_i}}{\sum_j e^{x_j}}, \qquad
       \frac{\partial f_i}{\partial x_j} = f_i(\delta_{ij} - f_j)

    It is smooth. As one probability nears 1 all derivatives near 0: the unit saturates. An entry
    of -inf is masked: its probability and its gradient are 0. Nothing but -inf, or +inf
    anywhere, has no limit and gives NaN along the axis.

    Args:
      x: Logits, floating, any shape with at least one axis.
      axis: The axis to sum over.

    Returns:
      Same shape and dtype; range (0, 1), reaching both ends by rounding.

    Raises:
      ValueError: If ``x`` has no such axis.
      TypeError: If ``x`` is not floating or ``axis`` not a whole number.

    Example:
      >>> print(*(f"{p:.4f}" for p in softmax(jnp.array([-0.2528, -0.3826, -1.0988]))))
      0.4334 0.3806 0.1860

    References:
      Bridle, "Probabilistic interpretation of feedforward classification network outputs",
      1990.
    """
    x = check_floating("softmax", "x", x)
    return _softmax(x, axis=check_axis("softmax", "axis", axis, x.ndim))


_softmax: Function = jax.jit(_widened(jax.nn.softmax), static_argnames="axis")


def log_softmax(x: jax.Array, *, axis: int = -1) -> jax.Array:
    r"""The logarithm of the softmax.

    .. math:: f(x)_i = x_i - \log \sum_j e^{x_j}, \qquad
       \frac{\partial f_i}{\partial x_j} = \delta_{ij} - e^{f_j}

    It is finite where `softmax` has become 0, and its gradient does not vanish where a target
    has little probability. An entry of -inf is masked: it stays -inf and its probability is 0.
    Nothing but -inf, or +inf anywhere, gives NaN along the axis.

    Args:
      x: Logits, floating, any shape with at least one axis.
      axis: The axis to sum over.

    Returns:
      Same shape and dtype, in nats; range (-inf, 0), reaching 0 by rounding.

    Raises:
      ValueError: If ``x`` has no such axis.
      TypeError: If ``x`` is not floating or ``axis`` not a whole number.

    Example:
      >>> log_softmax(jnp.array([0.0, -1000.0])).tolist()
      [0.0, -1000.0]

    References:
      ``torch.nn.LogSoftmax`` (PyTorch documentation).
    """
    x = check_floating("log_softmax", "x", x)
    return _log_softmax(x, axis=check_axis("log_softmax", "axis", axis, x.ndim))


_log_softmax: Function = jax.jit(_widened(jax.nn.log_softmax), static_argnames="axis")
