"""The layer that most networks are made of."""

import math

import jax
import jax.numpy as jnp

from jaxnets import initializers
from jaxnets.checks import check_flag, check_integer, check_key
from jaxnets.layers.contract import (
    WIDTH,
    Shape,
    check_example,
    check_initializer,
    check_params,
    drawn,
    example_of,
)
from jaxnets.making import factory
from jaxnets.model import Example, Initializer, Model, Params

__all__ = ["dense"]


@factory(too_many="Pass the number of outputs alone: that of inputs comes from the data.")
def dense(
    features: int,
    *,
    use_bias: bool = True,
    w_init: Initializer | None = None,
    b_init: Initializer | None = None,
) -> Model:
    r"""A fully connected layer.

    .. math:: y = x w + b

    With :math:`g = \partial L / \partial y`, summed over all axes but the last:
    :math:`\partial L/\partial w = x^T g`, :math:`\partial L/\partial b = \sum g` and
    :math:`\partial L/\partial x = g w^T`.

    Args:
      features: The number of units, *out*.
      use_bias: False for a layer without b.
      w_init: Initialiser of w, shape ``[in, out]``. The default is PyTorch's, uniform on
        ±1/sqrt(in).
      b_init: Initialiser of b, shape ``[out]``. The default is PyTorch's, again uniform on
        ±1/sqrt(in).

    Returns:
      A Model from ``[..., in]`` to ``[..., out]`` with parameters ``w`` and ``b``.

    Example:
      >>> layer = dense(3)
      >>> params = layer.init(jax.random.key(0), jnp.zeros((4, 2)))
      >>> layer.apply(params, jnp.ones((4, 2))).shape
      (4, 3)

    References:
      ``torch.nn.Linear`` (PyTorch documentation), whose weight is the transpose, ``[out, in]``.
    """
    features = check_integer("features", features, minimum=1)
    use_bias = check_flag("use_bias", use_bias)
    check_initializer("w_init", w_init)
    check_initializer("b_init", b_init)
    shapes: dict[str, Shape] = {"w": (WIDTH, features)}
    if use_bias:
        shapes["b"] = (features,)

    def init(key: jax.Array, x: Example) -> Params:
        x = example_of(x)
        check_key(key)
        w_key, b_key = jax.random.split(key)
        fan_in = x.shape[-1]
        draw_w = w_init or initializers.torch_linear()
        draw_b = b_init or initializers.uniform(1 / math.sqrt(fan_in))
        params = {"w": drawn("w_init", draw_w, w_key, (fan_in, features), x.dtype)}
        if use_bias:
            params["b"] = drawn("b_init", draw_b, b_key, (features,), x.dtype)
        return params

    def apply(params: Params, x: jax.Array, *, key: jax.Array | None = None) -> jax.Array:
        check_example(x)
        check_params(params, x, shapes)
        y = jnp.matmul(x, params["w"])
        return y + jnp.broadcast_to(params["b"], y.shape) if use_bias else y

    return Model(init, apply)
