"""Weight initialisers: functions ``(key, shape, dtype) -> array``.

Those that JAX has stand here under JAX's names and in its convention: ``he_normal()`` makes an
initialiser, ``zeros`` is one. `uniform`, `normal` and `torch_linear` are PyTorch's. Every
initialiser of ``jax.nn.initializers``, and every function of that form, fits wherever one of
these does.

Weights have the shape ``[in, out]``: *fan-in* is the number of inputs of a unit, *fan-out* the
number of its outputs. The standard deviation is written sigma. The rules that the field names
after people keep the variance from layer to layer:

============================  ======================  ==============================
rule                          sigma squared           for units that are
============================  ======================  ==============================
``glorot_*`` (``xavier_*``)   2/(fan-in + fan-out)    near linear at 0, such as tanh
``he_*`` (``kaiming_*``)      2/fan-in                ReLU
``lecun_*``                   1/fan-in                linear
`torch_linear`                1/(3 fan-in)            anything, PyTorch's default
============================  ======================  ==============================

Uniform ones lie on ±sqrt(3) sigma. Normal ones are cut at two standard deviations and rescaled to
keep sigma; PyTorch's are not cut. Half precision is drawn in float32 and rounded once.

References:
  Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks",
  2010; He, Zhang, Ren and Sun, "Delving deep into rectifiers", 2015; LeCun, Bottou, Orr and
  Müller, "Efficient BackProp", 1998.
"""

import functools
import inspect
from collections.abc import Callable
from typing import Any, ParamSpec

import jax
import jax.nn.initializers as of_jax

from jaxnets.checks import check_finite, check_positive
from jaxnets.dtypes import at_least_float32
from jaxnets.errors import in_words
from jaxnets.factories import factory_of
from jaxnets.model import Initializer
from jaxnets.written import Form, Written

__all__ = [
    "constant",
    "glorot_normal",
    "glorot_uniform",
    "he_normal",
    "he_uniform",
    "kaiming_normal",
    "kaiming_uniform",
    "lecun_normal",
    "lecun_uniform",
    "normal",
    "ones",
    "orthogonal",
    "torch_linear",
    "truncated_normal",
    "uniform",
    "variance_scaling",
    "xavier_normal",
    "xavier_uniform",
    "zeros",
]

P = ParamSpec("P")

REMEDY = "Pass jax.random.key(0), (4, 2) and jnp.float32, for example."


class _Initial(Written):
    """An initialiser that the library made."""

    __name__ = "initializer"
    __signature__ = inspect.signature(lambda key, shape, dtype=None: None)
    advice = "Pass a key, a shape and a dtype."


def _dressed(form: Form, draw: Initializer) -> Initializer:
    """The initialiser with its form; it draws in float32 at least and rounds once."""

    def drawn(key: jax.Array, shape: Any, dtype: Any = None) -> jax.Array:
        with in_words("arguments", "be a key, the shape of weights and a dtype", REMEDY):
            if dtype is None:
                return draw(key, shape)
            dtype = jax.dtypes.canonicalize_dtype(dtype)
            wide = at_least_float32(dtype)
            array = draw(key, shape, wide)
            return array if wide == dtype else array.astype(dtype)

    return _Initial(form, drawn)


_initializer = factory_of(_dressed, prefix="initializers.")
"""The decorator of all functions here that make an initialiser."""


def _from_jax(factory: Callable[P, Initializer]) -> Callable[P, Initializer]:
    """JAX's factory under the same name here, its documentation included."""

    @functools.wraps(factory)
    def made(*args: P.args, **kwargs: P.kwargs) -> Initializer:
        rule = f"be what jax.nn.initializers.{factory.__name__} takes"
        with in_words("arguments", rule, f"See help(jn.initializers.{factory.__name__})."):
            return factory(*args, **kwargs)

    ours = _initializer(made)
    ours.__module__ = __name__
    return ours


glorot_normal = xavier_normal = _from_jax(of_jax.glorot_normal)
glorot_uniform = xavier_uniform = _from_jax(of_jax.glorot_uniform)
he_normal = kaiming_normal = _from_jax(of_jax.he_normal)
he_uniform = kaiming_uniform = _from_jax(of_jax.he_uniform)
lecun_normal = _from_jax(of_jax.lecun_normal)
lecun_uniform = _from_jax(of_jax.lecun_uniform)
truncated_normal = _from_jax(of_jax.truncated_normal)
variance_scaling = _from_jax(of_jax.variance_scaling)
ones: Initializer = of_jax.ones
zeros: Initializer = of_jax.zeros


@_initializer
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
    return of_jax.variance_scaling(1 / 3, "fan_in", "uniform")


@_initializer
def uniform(scale: float) -> Initializer:
    r"""Uniform on the symmetric interval [-scale, scale).

    .. math:: w \sim U(-s, s), \qquad \sigma^2 = s^2/3

    ``jax.nn.initializers.uniform`` draws from [0, scale) instead.

    Args:
      scale: Half the width of the interval, positive; it may be traced.

    Returns:
      An initialiser of any shape.

    Example:
      >>> w = uniform(0.1)(jax.random.key(0), (1000,))
      >>> bool((jnp.abs(w) <= 0.1).all() and (w < 0).any())
      True
    """
    bound = check_positive("scale", scale)

    def initializer(key: jax.Array, shape: Any, dtype: Any = float) -> jax.Array:
        return jax.random.uniform(key, shape, dtype, -bound, bound)

    return initializer


@_initializer
def normal(stddev: float = 1.0) -> Initializer:
    r"""Normal with mean 0 and standard deviation ``stddev``.

    .. math:: w \sim N(0, \sigma^2)

    Args:
      stddev: The standard deviation sigma, positive; it may be traced. Unlike
        ``jax.nn.initializers.normal``, whose default is 0.01, the default is 1, as in
        ``torch.nn.init.normal_``.

    Returns:
      An initialiser of any shape.

    Example:
      >>> w = normal()(jax.random.key(0), (10_000,))
      >>> round(float(w.std()), 1)
      1.0
    """
    return of_jax.normal(check_positive("stddev", stddev))


@_initializer
def constant(value: float) -> Initializer:
    """The same value everywhere.

    Units that start equal receive equal gradients and stay equal, so a hidden layer made this
    way is worth one unit. It is here to show just that.

    Args:
      value: The value, a finite number; it may be traced.

    Returns:
      An initialiser of any shape.

    Example:
      >>> constant(0.5)(jax.random.key(0), (2,)).tolist()
      [0.5, 0.5]
    """
    return of_jax.constant(check_finite("value", value))


@_initializer
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
    return of_jax.orthogonal(check_positive("scale", scale))


def __dir__() -> list[str]:
    """The public names alone."""
    return __all__
