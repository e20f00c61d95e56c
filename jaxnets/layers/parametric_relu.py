"""A rectifier that learns."""

import jax
import jax.numpy as jnp

from jaxnets import initializers
from jaxnets.activations import prelu
from jaxnets.checks import check_flag
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

__all__ = ["parametric_relu"]


@factory()
def parametric_relu(*, per_feature: bool = False, alpha_init: Initializer | None = None) -> Model:
    r"""A ReLU whose slope on the left is learned.

    .. math::
       y = \max(0, x) + \alpha \min(0, x), \qquad
       \partial L/\partial \alpha = \sum \min(0, x) \, \partial L/\partial y

    Args:
      per_feature: True for one alpha per feature instead of one for all.
      alpha_init: Initialiser of alpha. The default is PyTorch's constant 0.25.

    Returns:
      A Model of ``[..., features]`` with the parameter ``alpha``, shape ``[]`` or
      ``[features]``.

    Example:
      >>> layer, x = parametric_relu(), jnp.array([-1.0, 2.0])
      >>> layer.apply(layer.init(None, x), x).tolist()
      [-0.25, 2.0]

    References:
      He, Zhang, Ren and Sun, "Delving deep into rectifiers", 2015; ``torch.nn.PReLU``, whose
      features are on axis 1 instead of the last.
    """
    per_feature = check_flag("per_feature", per_feature)
    check_initializer("alpha_init", alpha_init)
    draw = alpha_init or initializers.constant(0.25)
    shape: Shape = (WIDTH,) if per_feature else ()

    def init(key: jax.Array | None, x: Example) -> Params:
        x = example_of(x)
        return {"alpha": drawn("alpha_init", draw, key, x.shape[-1:] if shape else (), x.dtype)}

    def apply(params: Params, x: jax.Array, *, key: jax.Array | None = None) -> jax.Array:
        check_example(x)
        check_params(params, x, {"alpha": shape})
        alpha = params["alpha"]
        return prelu(jnp.asarray(x, jnp.result_type(x, alpha)), alpha)

    return Model(init, apply)
