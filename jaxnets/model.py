"""The one idea of the library: a model is a pair of pure functions."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax

from jaxnets.checks import ArgumentTypeError, describe, fail

__all__ = ["Activation", "Initializer", "Layer", "Loss", "Model", "Params", "as_model"]

Params = dict[str, Any]
"""A nested dict of arrays and nothing else."""

Activation = Callable[[jax.Array], jax.Array]
"""``activation(x) -> y``, elementwise or along one axis."""

Initializer = Callable[..., jax.Array]
"""``initializer(key, shape, dtype) -> array``, the contract of ``jax.nn.initializers``."""

Loss = Callable[..., jax.Array]
"""``loss(predictions, targets, *, weights=None, reduction="mean") -> scalar or values``."""


class Model(NamedTuple):
    """Two pure functions: one makes the parameters, the other uses them.

    Attributes:
      init: ``init(key, x) -> params``. ``x`` is an example input or a ``jax.ShapeDtypeStruct``,
        ``[..., features]``; only its shape and dtype are looked at. ``params`` is a nested dict
        of arrays and nothing else.
      apply: ``apply(params, x, *, key=None) -> y``. Without a key nothing is random: that is
        evaluation. With one, layers such as dropout draw from it.

    Any pair of functions of this form is a Model: there is no base class and nothing to
    register. ``jax.jit``, ``jax.grad`` and ``jax.vmap`` work on ``apply`` as it is.

    Example:
      A model of one's own, y = a x:

      >>> import jax.numpy as jnp
      >>> scale = Model(
      ...     init=lambda key, x: {"a": jnp.ones(())},
      ...     apply=lambda params, x, *, key=None: params["a"] * x,
      ... )
      >>> scale.apply({"a": jnp.array(3.0)}, jnp.array([1.0, 2.0])).tolist()
      [3.0, 6.0]
    """

    init: Callable[[Any, Any], Params]
    apply: Callable[..., Any]


Layer = Model | Activation
"""What combinators take: a Model, or a plain function ``x -> y`` without parameters."""


def as_model(function: str, layer: Any, *, argument: str = "every layer") -> Model:
    """Returns ``layer`` as a Model; a plain function becomes one without parameters.

    Args:
      function: The public function on whose behalf this is asked, for the error.
      layer: A Model or a callable ``x -> y``.
      argument: What the function calls it, for the error.

    Raises:
      TypeError: If ``layer`` is neither.
    """
    if isinstance(layer, Model):
        return layer
    if not callable(layer):
        fail(
            function,
            argument,
            "be a Model or a function x -> y",
            describe(layer),
            "Pass a layer such as jn.dense(10) or jn.relu.",
            error=ArgumentTypeError,
        )

    def init(key: Any, x: Any) -> Params:
        return {}

    def apply(params: Params, x: Any, *, key: Any = None) -> Any:
        return layer(x)

    return Model(init, apply)
