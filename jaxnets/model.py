"""The one idea of the library: a model is a pair of pure functions."""

from collections.abc import Callable
from typing import Any, NamedTuple, NoReturn

import jax

from jaxnets.errors import ArgumentTypeError, describe, fail, named, require
from jaxnets.factories import how_to_call
from jaxnets.written import Form, form_of

__all__ = [
    "Activation",
    "Example",
    "Initializer",
    "Layer",
    "Loss",
    "Model",
    "Params",
    "as_model",
    "written_form",
]

Params = dict[str, Any]
"""A nested dict of arrays and nothing else."""

Example = jax.Array | jax.ShapeDtypeStruct
"""An input of which only the shape and the dtype are looked at."""

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

    A Model that the library made reads as it was written, equals one written the same way, and
    can be pickled if all that it was made of can.

    Example:
      A custom model, y = a x:

      >>> import jax.numpy as jnp
      >>> scale = Model(
      ...     init=lambda key, x: {"a": jnp.ones(())},
      ...     apply=lambda params, x, *, key=None: params["a"] * x,
      ... )
      >>> scale.apply({"a": jnp.array(3.0)}, jnp.array([1.0, 2.0])).tolist()
      [3.0, 6.0]

      And one of the library's:

      >>> jn.sequential(jn.dense(10), jn.sigmoid, jn.dense(1))
      sequential(dense(10), sigmoid, dense(1))
    """

    init: Callable[[Any, Any], Params]
    apply: Callable[..., Any]

    def __call__(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Raise: a model is called by one of its two functions."""
        form = written_form(self)
        named("Model" if form is None else form.label)(fail)(
            "a model",
            "be called by one of its two functions",
            "a call of the model itself",
            "Make params = model.init(key, x), then y = model.apply(params, x).",
            error=ArgumentTypeError,
        )

    def __repr__(self) -> str:
        """The call that made it, or its two functions."""
        form = written_form(self)
        return f"Model(init={self.init!r}, apply={self.apply!r})" if form is None else repr(form)


Layer = Model | Activation
"""What combinators take: a Model, or a plain function ``x -> y`` without parameters."""


def written_form(model: Model) -> Form | None:
    """The call that made a Model; None if its functions come from no factory, or from two."""
    form = form_of(model.init)
    return form if form == form_of(model.apply) else None


def as_model(layer: Layer, argument: str = "every layer") -> Model:
    """Return ``layer`` as a Model; a plain function becomes one without parameters.

    Args:
      layer: A Model or a callable ``x -> y``.
      argument: What the public function calls it, for the error.

    Raises:
      TypeError: If ``layer`` is neither, or the function that makes a layer instead of the layer.
    """
    if isinstance(layer, Model):
        return layer
    call, rule = how_to_call(layer), "be a Model or a function x -> y"
    if call is not None:
        got = f"the function {layer.__name__} that makes one"
        fail(argument, rule, got, f"Call it: {call}.", error=ArgumentTypeError)
    got, remedy = describe(layer), "Pass a layer such as jn.dense(10) or jn.relu."
    is_function = callable(layer) and not isinstance(layer, type)
    require(is_function, argument, rule, got, remedy, error=ArgumentTypeError)

    def apply(params: Params, x: Any, *, key: jax.Array | None = None) -> Any:
        return layer(x)

    return Model(no_params, apply)


def no_params(key: jax.Array | None, x: Example) -> Params:
    """The ``init`` of a Model without parameters."""
    return {}
