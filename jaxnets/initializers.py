"""Weight initialisers: functions ``(key, shape, dtype) -> array``.

Every initialiser of ``jax.nn.initializers`` fits wherever one of these does; those that the
field names after people stand here too, so that one import serves. Weights have the shape
``[in, out]``: *fan-in* is the number of inputs of a unit, *fan-out* the number of its outputs.
The standard deviation is written sigma.
"""

from typing import Any

import jax

from jaxnets.checks import check_finite, check_positive
from jaxnets.model import Initializer

__all__ = [
    "constant",
    "glorot_normal",
    "glorot_uniform",
    "he_normal",
    "he_uniform",
    "lecun_normal",
    "lecun_uniform",
    "normal",
    "orthogonal",
    "torch_linear",
    "uniform",
    "xavier_normal",
    "xavier_uniform",
    "zeros",
]


def torch_linear() -> Initializer:
    r"""PyTorch's default for ``Linear``: uniform on ±1/sqrt(fan-in).

    .. math:: w \sim U(-1/\sqrt{n_{in}},\; 1/\sqrt{n_{in}}), \qquad \sigma^2 = 1/(3 n_{in})

    The distribution is PyTorch's, the stream is JAX's; `jaxnets.torch_compat.torch_init` draws
    the very numbers.

    Returns:
      An initialiser of weights, shape ``[in, out]``.

    Example:
      >>> w = torch_linear()(jax.random.key(0), (4, 1000))
      >>> bool((jnp.abs(w) <= 0.5).all())
      True

    References:
      ``torch.nn.Linear`` (PyTorch documentation), which calls ``kaiming_uniform_(a=sqrt(5))``.
    """
    return jax.nn.initializers.variance_scaling(1 / 3, "fan_in", "uniform")


def uniform(scale: float) -> Initializer:
    r"""Uniform on the symmetric interval [-scale, scale).

    .. math:: w \sim U(-s, s), \qquad \sigma^2 = s^2/3

    ``jax.nn.initializers.uniform`` draws from [0, scale) instead.

    Args:
      scale: Half the width of the interval, positive.

    Returns:
      An initialiser of any shape.

    Example:
      >>> w = uniform(0.1)(jax.random.key(0), (1000,))
      >>> bool((jnp.abs(w) <= 0.1).all() and (w < 0).any())
      True
    """
    bound = check_positive("initializers.uniform", "scale", scale)

    def initializer(key: jax.Array, shape: Any, dtype: Any = float) -> jax.Array:
        return jax.random.uniform(key, shape, dtype, -bound, bound)

    return initializer


def normal(stddev: float = 1.0) -> Initializer:
    r"""Normal with mean 0 and standard deviation ``stddev``.

    .. math:: w \sim N(0, \sigma^2)

    Args:
      stddev: The standard deviation sigma, positive. Unlike ``jax.nn.initializers.normal``,
        whose default is 0.01, the default is 1, as in ``torch.nn.init.normal_``.

    Returns:
      An initialiser of any shape.

    Example:
      >>> w = normal()(jax.random.key(0), (10_000,))
      >>> round(float(w.std()), 1)
      1.0
    """
    return jax.nn.initializers.normal(check_positive("initializers.normal", "stddev", stddev))


def constant(value: float) -> Initializer:
    """The same value everywhere.

    Units that start equal receive equal gradients and stay equal, so a hidden layer made this
    way is worth one unit. It is here to show just that.

    Args:
      value: The value, a finite number.

    Returns:
      An initialiser of any shape.

    Example:
      >>> constant(0.5)(jax.random.key(0), (2,)).tolist()
      [0.5, 0.5]
    """
    return jax.nn.initializers.constant(check_finite("initializers.constant", "value", value))


zeros: Initializer = jax.nn.initializers.zeros
"""Zeros of any shape: the usual start of a bias."""


def glorot_uniform() -> Initializer:
    r"""Glorot's (Xavier's) uniform rule, for units near linear at 0 such as tanh.

    .. math:: w \sim U(-a, a), \quad a = \sqrt{6/(n_{in}+n_{out})}

    Returns:
      An initialiser of weights, shape ``[in, out]``.

    Example:
      >>> w = glorot_uniform()(jax.random.key(0), (3, 3))
      >>> bool((jnp.abs(w) <= 1).all())
      True

    References:
      Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural
      networks", 2010.
    """
    return jax.nn.initializers.glorot_uniform()


def glorot_normal() -> Initializer:
    r"""Glorot's (Xavier's) normal rule.

    .. math:: w \sim N(0, \sigma^2), \quad \sigma^2 = 2/(n_{in}+n_{out})

    The normal is cut at two standard deviations and rescaled to keep sigma, as JAX does;
    PyTorch's ``xavier_normal_`` does not cut. `he_normal` and `lecun_normal` are cut the same way.

    Returns:
      An initialiser of weights, shape ``[in, out]``.

    Example:
      >>> w = glorot_normal()(jax.random.key(0), (100, 100))
      >>> round(float(w.std()), 2)
      0.1

    References:
      Glorot and Bengio, 2010.
    """
    return jax.nn.initializers.glorot_normal()


xavier_uniform = glorot_uniform
xavier_normal = glorot_normal


def he_uniform() -> Initializer:
    r"""He's (Kaiming's) uniform rule, which keeps the variance through ReLU layers.

    .. math:: w \sim U(-a, a), \quad a = \sqrt{6/n_{in}}

    Returns:
      An initialiser of weights, shape ``[in, out]``.

    Example:
      >>> w = he_uniform()(jax.random.key(0), (6, 100))
      >>> bool((jnp.abs(w) <= 1).all())
      True

    References:
      He, Zhang, Ren and Sun, "Delving deep into rectifiers", 2015.
    """
    return jax.nn.initializers.he_uniform()


def he_normal() -> Initializer:
    r"""He's (Kaiming's) normal rule, which keeps the variance through ReLU layers.

    .. math:: w \sim N(0, \sigma^2), \quad \sigma^2 = 2/n_{in}

    Returns:
      An initialiser of weights, shape ``[in, out]``.

    Example:
      >>> w = he_normal()(jax.random.key(0), (200, 100))
      >>> round(float(w.std()), 2)
      0.1

    References:
      He, Zhang, Ren and Sun, 2015.
    """
    return jax.nn.initializers.he_normal()


def lecun_uniform() -> Initializer:
    r"""LeCun's uniform rule: inputs of unit variance give sums of unit variance.

    .. math:: w \sim U(-a, a), \quad a = \sqrt{3/n_{in}}

    Returns:
      An initialiser of weights, shape ``[in, out]``.

    Example:
      >>> w = lecun_uniform()(jax.random.key(0), (3, 100))
      >>> bool((jnp.abs(w) <= 1).all())
      True

    References:
      LeCun, Bottou, Orr and Müller, "Efficient BackProp", 1998.
    """
    return jax.nn.initializers.lecun_uniform()


def lecun_normal() -> Initializer:
    r"""LeCun's normal rule: inputs of unit variance give sums of unit variance.

    .. math:: w \sim N(0, \sigma^2), \quad \sigma^2 = 1/n_{in}

    Returns:
      An initialiser of weights, shape ``[in, out]``.

    Example:
      >>> w = lecun_normal()(jax.random.key(0), (100, 100))
      >>> round(float(w.std()), 1)
      0.1

    References:
      LeCun, Bottou, Orr and Müller, 1998.
    """
    return jax.nn.initializers.lecun_normal()


def orthogonal(scale: float = 1.0) -> Initializer:
    r"""A random matrix with orthonormal rows or columns, whichever are fewer, times ``scale``.

    .. math:: w^T w = s^2 I \quad (n_{in} \ge n_{out})

    Args:
      scale: The gain s, positive; ``math.sqrt(2)`` for ReLU layers.

    Returns:
      An initialiser of weights, shape ``[in, out]``.

    Example:
      >>> w = orthogonal()(jax.random.key(0), (5, 3))
      >>> bool(jnp.allclose(w.T @ w, jnp.eye(3), atol=1e-5))
      True

    References:
      Saxe, McClelland and Ganguli, "Exact solutions to the nonlinear dynamics of learning in
      deep linear neural networks", 2014.
    """
    return jax.nn.initializers.orthogonal(check_positive("initializers.orthogonal", "scale", scale))
