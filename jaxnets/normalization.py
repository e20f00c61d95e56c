"""Layers that bring the features of each example to one scale.

Statistics are taken in float32 at least, whatever the dtype of the input, because sums of
squares overflow float16 and lose their last digits in bfloat16.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets.checks import (
    check_entries,
    check_example,
    check_parameter,
    check_positive,
    check_width,
)
from jaxnets.model import Model, Params

__all__ = ["layer_norm", "rms_norm"]


def layer_norm(*, eps: float = 1e-5) -> Model:
    r"""Shifts and scales the features of each example to mean 0 and variance 1, then learns both.

    .. math::
       y = s \hat x + t, \qquad \hat x = \frac{x - \mu}{\sqrt{v + \epsilon}}, \qquad
       \mu = \frac1n \sum_i x_i, \qquad v = \frac1n \sum_i (x_i - \mu)^2

    With :math:`h = s \, \partial L/\partial y` and means over the features:
    :math:`\partial L/\partial x = (h - \bar h - \hat x \, \overline{h \hat x}) /
    \sqrt{v + \epsilon}`. The variance divides by n, not n - 1. Mean and variance are taken in
    float32 at least, whatever the dtype of x.

    Args:
      eps: Keeps the root away from 0 where all features are equal.

    Returns:
      A Model of ``[..., features]`` with parameters ``scale`` s, ones at first, and ``shift`` t,
      zeros at first, both ``[features]``.

    Raises:
      ValueError: If ``eps`` is not positive, or later if the width of x does not fit.
      TypeError: If ``eps`` is not a number, or later if x is not floating.

    Example:
      >>> layer, x = layer_norm(), jnp.array([[1.0, 3.0]])
      >>> layer.apply(layer.init(None, x), x).round(3).tolist()
      [[-1.0, 1.0]]

    References:
      Ba, Kiros and Hinton, "Layer normalization", 2016; ``torch.nn.LayerNorm``.
    """
    name = "layer_norm"
    eps = check_positive(name, "eps", eps, example=1e-5)

    def init(key: Any, x: Any) -> Params:
        x = check_example(name, x)
        features = x.shape[-1:]
        return {"scale": jnp.ones(features, x.dtype), "shift": jnp.zeros(features, x.dtype)}

    def apply(params: Params, x: Any, *, key: Any = None) -> jax.Array:
        _check_features(name, params, x, ("scale", "shift"))
        wide = _at_least_float32(x)
        centred = wide - wide.mean(axis=-1, keepdims=True)
        variance = jnp.square(centred).mean(axis=-1, keepdims=True)
        normal = centred * jax.lax.rsqrt(variance + eps)
        scale, shift = (jnp.broadcast_to(params[entry], x.shape) for entry in ("scale", "shift"))
        return (normal * scale + shift).astype(jnp.result_type(x, scale, shift))

    return Model(init, apply)


def rms_norm(*, eps: float | None = None) -> Model:
    r"""Scales the features of each example to a mean square of 1; no mean is taken away.

    .. math:: y = s \frac{x}{\sqrt{q + \epsilon}}, \qquad q = \frac1n \sum_i x_i^2

    With :math:`h = s \, \partial L/\partial y`, :math:`r = 1/\sqrt{q + \epsilon}` and the mean
    over the features: :math:`\partial L/\partial x = r (h - r^2 x \, \overline{h x})`. The mean
    square is taken in float32 at least, whatever the dtype of x.

    Args:
      eps: Keeps the root away from 0 where all features are 0. None is the machine epsilon of
        the dtype that the mean square is taken in: 1.2e-7, or 2.2e-16 for float64.

    Returns:
      A Model of ``[..., features]`` with the parameter ``scale`` s, ``[features]``, ones at first.

    Raises:
      ValueError: If ``eps`` is not positive, or later if the width of x does not fit.
      TypeError: If ``eps`` is not a number, or later if x is not floating.

    Example:
      >>> layer, x = rms_norm(), jnp.array([[3.0, 3.0]])
      >>> layer.apply(layer.init(None, x), x).round(3).tolist()
      [[1.0, 1.0]]

    References:
      Zhang and Sennrich, "Root mean square layer normalization", 2019; ``torch.nn.RMSNorm``.
    """
    name = "rms_norm"
    if eps is not None:
        eps = check_positive(name, "eps", eps, example=1e-6)

    def init(key: Any, x: Any) -> Params:
        x = check_example(name, x)
        return {"scale": jnp.ones(x.shape[-1:], x.dtype)}

    def apply(params: Params, x: Any, *, key: Any = None) -> jax.Array:
        _check_features(name, params, x, ("scale",))
        wide = _at_least_float32(x)
        least = float(np.finfo(wide.dtype).eps) if eps is None else eps
        mean_square = jnp.square(wide).mean(axis=-1, keepdims=True)
        scale = jnp.broadcast_to(params["scale"], x.shape)
        normal = wide * jax.lax.rsqrt(mean_square + least)
        return (normal * scale).astype(jnp.result_type(x, scale))

    return Model(init, apply)


def _check_features(name: str, params: Params, x: Any, entries: tuple[str, ...]) -> None:
    """Raises unless x and the parameters have the same number of features."""
    check_example(name, x)
    check_entries(name, params, entries)
    first, *others = entries
    check_parameter(name, params, first, (None,))
    check_width(name, x, params[first].shape[0])
    for entry in others:
        check_parameter(name, params, entry, x.shape[-1:])


def _at_least_float32(x: Any) -> jax.Array:
    array = jnp.asarray(x)
    return array.astype(jnp.promote_types(array.dtype, jnp.float32))
