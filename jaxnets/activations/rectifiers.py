"""The rectified linear unit and its variants."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets.activations.contract import elementwise
from jaxnets.activations.exact import exact_expm1
from jaxnets.checks import check_finite, check_positive
from jaxnets.contracts.arrays import as_floating, trailing_axes
from jaxnets.errors import require

__all__ = ["celu", "elu", "leaky_relu", "prelu", "relu", "relu6", "selu"]


@elementwise()
def relu(x: jax.Array) -> jax.Array:
    r"""The rectified linear unit.

    .. math:: f(x) = \max(0, x), \qquad f'(x) = 1 \text{ if } x > 0 \text{ else } 0

    The derivative at the kink x = 0 is taken as 0. A unit whose input stays negative gets no
    gradient and is dead; there is no saturation on the right. The range is [0, inf).

    Example:
      >>> relu(jnp.array([-1.0, 0.0, 2.0])).tolist()
      [0.0, 0.0, 2.0]

    References:
      Nair and Hinton, "Rectified linear units improve restricted Boltzmann machines", 2010.
    """
    return jax.nn.relu(x)


@elementwise()
def relu6(x: jax.Array) -> jax.Array:
    r"""The rectified linear unit, cut at 6.

    .. math:: f(x) = \min(\max(0, x), 6), \qquad f'(x) = 1 \text{ if } 0 < x < 6 \text{ else } 0

    The derivative at the kinks x = 0 and 6 is 0. A unit whose input stays outside (0, 6) is dead
    or saturated and gets no gradient. The range is [0, 6].

    Example:
      >>> relu6(jnp.array([-1.0, 2.0, 7.0])).tolist()
      [0.0, 2.0, 6.0]

    References:
      Krizhevsky, "Convolutional deep belief networks on CIFAR-10", 2010; ``torch.nn.ReLU6``.
    """
    return jax.nn.relu6(x)


@elementwise(negative_slope=functools.partial(check_finite, example=0.01))
def leaky_relu(x: jax.Array, *, negative_slope: float = 0.01) -> jax.Array:
    r"""The rectified linear unit with a small slope on the left.

    .. math:: f(x) = x \text{ if } x > 0 \text{ else } s x, \qquad
       f'(x) = 1 \text{ if } x > 0 \text{ else } s

    The derivative at the kink x = 0 is the slope s, as in PyTorch (in ``jax.nn`` it is 1). The
    unit neither saturates nor dies. The range is (-inf, inf) for a positive slope.

    Options:
      negative_slope: The slope s, a finite number; `prelu` takes one that is learned.

    Example:
      >>> leaky_relu(jnp.array([-1.0, 2.0]), negative_slope=0.25).tolist()
      [-0.25, 2.0]

    References:
      Maas, Hannun and Ng, "Rectifier nonlinearities improve neural network acoustic models",
      2013.
    """
    # A slope of 0 has a limit at -inf, which 0 times infinity has not.
    limited = jnp.where(jnp.isneginf(x) & (negative_slope == 0), 0, x)
    return jnp.where(x > 0, x, negative_slope * _where_negative(limited))


@elementwise()
def prelu(x: jax.Array, alpha: jax.Array) -> jax.Array:
    r"""The rectified linear unit with a learned slope on the left.

    .. math:: f(x) = x \text{ if } x > 0 \text{ else } \alpha x, \qquad
       \frac{\partial f}{\partial x} = 1 \text{ if } x > 0 \text{ else } \alpha, \qquad
       \frac{\partial f}{\partial \alpha} = \min(0, x)

    The derivative at the kink x = 0 is alpha, as in PyTorch. The unit does not saturate, and dies
    only where alpha has become 0. The range is (-inf, inf) for a positive alpha.

    Args:
      x: Floating, ``[..., features]``.
      alpha: The slope, floating: one for all, shape ``[]``, or one per feature, ``[features]``.
        PyTorch starts it at 0.25 and has the features on axis 1.

    Example:
      >>> prelu(jnp.array([[-1.0, -1.0]]), jnp.array([0.25, 0.5])).tolist()
      [[-0.25, -0.5]]

    References:
      He, Zhang, Ren and Sun, "Delving deep into rectifiers", 2015; ``torch.nn.PReLU``.
    """
    alpha, features = as_floating("alpha", alpha).astype(x.dtype), x.shape[-1:]
    rule = f"have the shape () or that of the last axis of x, {features}"
    remedy = "Pass one slope, or one per feature."
    require(alpha.shape in ((), features), "alpha", rule, str(alpha.shape), remedy)
    return jnp.where(x > 0, x, trailing_axes(alpha, x.ndim) * _where_negative(x))


def _where_negative(x: jax.Array) -> jax.Array:
    """``x`` where it is not positive, else 0, to keep the branch not taken finite.

    ``jnp.where`` multiplies the derivative of that branch by 0, which makes NaN of infinity.
    """
    return jnp.where(x > 0, 0, x)


@elementwise(alpha=functools.partial(check_positive, example=1.0))
def elu(x: jax.Array, *, alpha: float = 1.0) -> jax.Array:
    r"""The exponential linear unit.

    .. math:: f(x) = x \text{ if } x > 0 \text{ else } \alpha(e^x - 1), \qquad
       f'(x) = 1 \text{ if } x > 0 \text{ else } \alpha e^x

    The derivative at x = 0 is alpha; there is a kink unless alpha is 1. On the left the unit
    saturates at -alpha. The range is (-alpha, inf), reaching -alpha by rounding.

    Options:
      alpha: The depth of the left side, positive.

    Example:
      >>> elu(jnp.array([-jnp.inf, 0.0, 2.0])).tolist()
      [-1.0, 0.0, 2.0]

    References:
      Clevert, Unterthiner and Hochreiter, "Fast and accurate deep network learning by
      exponential linear units (ELUs)", 2016.
    """
    return jnp.where(x > 0, x, alpha * exact_expm1(_where_negative(x)))


@elementwise()
def selu(x: jax.Array) -> jax.Array:
    r"""The exponential linear unit that keeps mean 0 and variance 1.

    .. math:: f(x) = \lambda x \text{ if } x > 0 \text{ else } \lambda \alpha (e^x - 1), \qquad
       f'(x) = \lambda \text{ if } x > 0 \text{ else } \lambda \alpha e^x

    with lambda = 1.0507 and alpha = 1.6733. The derivative at the kink x = 0 is the left one,
    lambda alpha = 1.7581, and the unit saturates on the left at minus that. Weights should start
    with `initializers.lecun_normal`. The range is (-1.7581, inf), reaching the left end by
    rounding.

    Example:
      >>> print(f"{selu(1.0):.4f} {selu(-jnp.inf):.4f}")
      1.0507 -1.7581

    References:
      Klambauer, Unterthiner, Mayr and Hochreiter, "Self-normalizing neural networks", 2017.
    """
    alpha, scale = 1.6732632423543772848170429916717, 1.0507009873554804934193349852946
    return scale * jnp.where(x > 0, x, alpha * exact_expm1(_where_negative(x)))


@elementwise(alpha=functools.partial(check_positive, example=1.0))
def celu(x: jax.Array, *, alpha: float = 1.0) -> jax.Array:
    r"""The exponential linear unit without a kink.

    .. math:: f(x) = x \text{ if } x > 0 \text{ else } \alpha(e^{x/\alpha} - 1), \qquad
       f'(x) = 1 \text{ if } x > 0 \text{ else } e^{x/\alpha}

    The derivative at x = 0 is 1 for every alpha. On the left the unit saturates at -alpha. The
    range is (-alpha, inf), reaching -alpha by rounding.

    Options:
      alpha: The depth of the left side, positive.

    Example:
      >>> celu(jnp.array([-jnp.inf, 0.0, 2.0]), alpha=0.5).tolist()
      [-0.5, 0.0, 2.0]

    References:
      Barron, "Continuously differentiable exponential linear units", 2017.
    """
    # By a constant it can see, XLA divides as by a factor 1/alpha, which may vanish.
    depth = jax.lax.optimization_barrier(jnp.asarray(alpha, x.dtype))
    left, depth = _where_negative(x), jnp.maximum(depth, np.finfo(x.dtype).tiny)
    # Near 0 it is x to the last digit, where x / alpha may vanish.
    straight = -left <= depth * (np.finfo(x.dtype).eps / 4)
    return jnp.where(straight, x, depth * exact_expm1(left / depth))
