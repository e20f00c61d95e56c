"""Layers that bring the features of each example to one scale.

Statistics are taken in float32 at least, whatever the dtype of the input, because sums of
squares overflow float16 and lose their last digits in bfloat16; and of features beside a power of
two as large as the largest, so that none overflow whatever the input is.
"""

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets.checks import check_positive
from jaxnets.contracts.arrays import power_of_two
from jaxnets.dtypes import at_least_float32
from jaxnets.layers.contract import WIDTH, check_example, check_params, example_of
from jaxnets.making import factory
from jaxnets.model import Example, Model, Params

__all__ = ["layer_norm", "rms_norm"]


@factory()
def layer_norm(*, eps: float = 1e-5) -> Model:
    r"""Mean 0 and variance 1 over the features of each example, then a learned scale and shift.

    .. math::
       y = s \hat x + t, \qquad \hat x = \frac{x - \mu}{\sqrt{v + \epsilon}}, \qquad
       \mu = \frac1n \sum_i x_i, \qquad v = \frac1n \sum_i (x_i - \mu)^2

    With :math:`h = s \, \partial L/\partial y` and means over the features:
    :math:`\partial L/\partial x = (h - \bar h - \hat x \, \overline{h \hat x}) /
    \sqrt{v + \epsilon}`. The variance divides by n, not n - 1.

    Args:
      eps: Keeps the root away from 0 where all features are equal.

    Returns:
      A Model of ``[..., features]`` with parameters ``scale`` s, ones at first, and ``shift`` t,
      zeros at first, both ``[features]``.

    Example:
      >>> layer, x = layer_norm(), jnp.array([[1.0, 3.0]])
      >>> layer.apply(layer.init(None, x), x).round(3).tolist()
      [[-1.0, 1.0]]

    References:
      Ba, Kiros and Hinton, "Layer normalization", 2016; ``torch.nn.LayerNorm``.
    """
    eps = check_positive("eps", eps, example=1e-5)

    def init(key: jax.Array | None, x: Example) -> Params:
        x = example_of(x)
        features = x.shape[-1:]
        return {"scale": jnp.ones(features, x.dtype), "shift": jnp.zeros(features, x.dtype)}

    def apply(params: Params, x: jax.Array, *, key: jax.Array | None = None) -> jax.Array:
        check_example(x)
        check_params(params, x, {"scale": (WIDTH,), "shift": x.shape[-1:]})
        wide, least = _in_range(x, eps)
        centred = _centred(_centred(wide))  # the mean of large numbers is rounded
        variance = jnp.square(centred).mean(axis=-1, keepdims=True)
        normal = centred * jax.lax.rsqrt(variance + least)
        scale, shift = (jnp.broadcast_to(params[entry], x.shape) for entry in ("scale", "shift"))
        dtype = jnp.result_type(x, scale, shift)
        arithmetic = at_least_float32(dtype)
        normal, scale, shift = (part.astype(arithmetic) for part in (normal, scale, shift))
        return (normal * scale + shift).astype(dtype)

    return Model(init, apply)


@factory()
def rms_norm(*, eps: float | None = None) -> Model:
    r"""Mean square 1 over the features of each example, whose mean stays; then a learned scale.

    .. math:: y = s \frac{x}{\sqrt{q + \epsilon}}, \qquad q = \frac1n \sum_i x_i^2

    With :math:`h = s \, \partial L/\partial y`, :math:`r = 1/\sqrt{q + \epsilon}` and the mean
    over the features: :math:`\partial L/\partial x = r (h - r^2 x \, \overline{h x})`.

    Args:
      eps: Keeps the root away from 0 where all features are 0. None is the machine epsilon of
        the dtype that the mean square is taken in: 1.2e-7, or 2.2e-16 for float64.

    Returns:
      A Model of ``[..., features]`` with the parameter ``scale`` s, ``[features]``, ones at first.

    Example:
      >>> layer, x = rms_norm(), jnp.array([[3.0, 3.0]])
      >>> layer.apply(layer.init(None, x), x).round(3).tolist()
      [[1.0, 1.0]]

    References:
      Zhang and Sennrich, "Root mean square layer normalization", 2019; ``torch.nn.RMSNorm``.
    """
    if eps is not None:
        eps = check_positive("eps", eps, example=1e-6)

    def init(key: jax.Array | None, x: Example) -> Params:
        x = example_of(x)
        return {"scale": jnp.ones(x.shape[-1:], x.dtype)}

    def apply(params: Params, x: jax.Array, *, key: jax.Array | None = None) -> jax.Array:
        check_example(x)
        check_params(params, x, {"scale": (WIDTH,)})
        wide, least = _in_range(x, eps)
        mean_square = jnp.square(wide).mean(axis=-1, keepdims=True)
        scale = jnp.broadcast_to(params["scale"], x.shape)
        normal = wide * jax.lax.rsqrt(mean_square + least)
        dtype = jnp.result_type(x, scale)
        arithmetic = at_least_float32(dtype)
        return (normal.astype(arithmetic) * scale.astype(arithmetic)).astype(dtype)

    return Model(init, apply)


def _in_range(x: jax.Array, eps: float | None) -> tuple[jax.Array, jax.Array]:
    """Features in the type of the arithmetic, whose squares do not overflow, and their eps.

    Both are divided by what cancels in a normalised feature: a power of two, and its square.
    """
    wide = jnp.asarray(x, at_least_float32(x.dtype))
    limits = np.finfo(wide.dtype)
    least = float(limits.eps) if eps is None else eps
    scale = jnp.maximum(power_of_two(jnp.abs(wide).max(axis=-1, keepdims=True)), 1)
    # So small that it is lost beside any square, and large enough for a finite slope of the root.
    floor = float(limits.tiny) ** (2 / 3)
    small = jnp.where(scale > 1, jnp.maximum(least / scale / scale, floor), least)
    return wide / scale, small


def _centred(x: jax.Array) -> jax.Array:
    return x - x.mean(axis=-1, keepdims=True)
