"""How a combinator calls the Models it is made of: by name, each with a key of its own.

All combinators go through `Child`, so that errors name the layer they come from in one way, and
`jaxnets.summary` sees every part of a model, however deeply it is nested.
"""

import functools
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

import jax

from jaxnets.checks import check_key
from jaxnets.errors import ArgumentError, ArgumentTypeError, describe, fail, inside
from jaxnets.making import Made, Part, made_by, traced
from jaxnets.model import Example, Layer, Model, Params, as_model, written_form
from jaxnets.written import bare

__all__ = ["Child", "joined", "kind_of", "named_children", "only_child"]


class Child(NamedTuple):
    """A Model with its place in a combinator.

    Attributes:
      model: The child itself.
      kind: The function that made it.
      name: Its name, the key of its parameters; None for an only child, whose parameters and
        PRNG key are those of the combinator.
      number: Its number, which its PRNG key is made from.
    """

    model: Model
    kind: str
    name: str | None = None
    number: int = 0

    def init(self, key: jax.Array | None, x: Example) -> Made:
        """The child's parameters and parts; its output too if it has a name."""
        if self.name is None:
            return made_by(self.model, key, x)
        key = self._own_key(key)
        with _Located(self):
            return traced(self.model, made_by(self.model, key, x), x)

    def apply(self, params: Params, x: Any, key: jax.Array | None) -> Any:
        """The child's output, with its entry of the combinator's ``params``."""
        if self.name is not None:
            _check_dict(params)
            params, key = params.get(self.name, {}), self._own_key(key)
        with _Located(self):
            return bare(self.model.apply)(params, x, key=key)

    def _own_key(self, key: jax.Array | None) -> jax.Array | None:
        """A key of the child's own; no key stays no key."""
        if key is None:
            return None
        check_key(key)
        return jax.random.fold_in(key, self.number)


class _Located(AbstractContextManager[None]):
    """Errors raised within bear the name of the child that raised them, and its place."""

    def __init__(self, child: Child) -> None:
        self.child = child

    def __exit__(self, kind: Any, error: BaseException | None, traceback: Any) -> None:
        if error is None:
            return
        name, form = self.child.name, written_form(self.child.model)
        if isinstance(error, ArgumentError) and error.function is None and form is not None:
            error.function = form.label
        if name is not None:
            inside(f"layer {name}").__exit__(kind, error, traceback)


def _check_dict(params: Any) -> None:
    if not isinstance(params, Mapping):
        rule, remedy = "be a dict of its layers' parameters", "Make them with model.init(key, x)."
        fail("params", rule, describe(params), remedy, error=ArgumentTypeError)


def joined(children: tuple[Child, ...], made: list[Made], output: Any) -> Made:
    """What is known of a combinator: the parameters of those children that have some, by name."""
    parts = tuple(
        Part(str(child.name), child.kind, each) for child, each in zip(children, made, strict=True)
    )
    return Made({part.name: part.made.params for part in parts if part.made.params}, output, parts)


def only_child(model: Layer) -> Child:
    """The one Model inside a combinator whose parameters are just those of that Model."""
    return Child(as_model(model, "model"), kind_of(model))


def named_children(
    owner: str, layers: tuple[Layer, ...], named_layers: dict[str, Layer]
) -> tuple[Child, ...]:
    """The children of the combinator ``owner``, whichever way they were passed."""
    if bool(layers) == bool(named_layers):
        got = f"{len(layers)} by position and {len(named_layers)} by keyword"
        remedy = f"Write jn.{owner}(jn.dense(10), jn.relu), for example."
        fail("layers", "be passed by position or by keyword, at least one", got, remedy)
    for layer in layers:
        if type(layer) in (list, tuple):
            got, remedy = f"a {type(layer).__name__}", f"Write jn.{owner}(*layers)."
            fail("layers", "be passed one by one", got, remedy, error=ArgumentTypeError)
    named = named_layers or {str(i): layer for i, layer in enumerate(layers)}
    return tuple(
        Child(as_model(layer), kind_of(layer), name, i)
        for i, (name, layer) in enumerate(named.items())
    )


def kind_of(layer: Layer) -> str:
    """The name of the factory that made a Model, or of a plain function.

    Example:
      >>> kind_of(jn.dense(3)), kind_of(jn.relu), kind_of(Model(lambda key, x: {}, print))
      ('dense', 'relu', 'Model')
    """
    if isinstance(layer, Model):
        form = written_form(layer)
        return "Model" if form is None else form.name
    function: Any = layer
    while isinstance(function, functools.partial):
        function = function.func
    return str(getattr(function, "__name__", type(function).__name__))
