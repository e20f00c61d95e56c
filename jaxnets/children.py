"""How a combinator calls the Models it is made of: by name, each with a key of its own.

All combinators go through `Child`. So errors name the layer they come from in one way, and
`jaxnets.summary` sees every part of a model, however deeply it is nested.
"""

import functools
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

import jax

from jaxnets.checks import ArgumentTypeError, check_key, describe, fail, inside_layer
from jaxnets.model import Model, Params, as_model

__all__ = ["Child", "Part", "kind_of", "named_children", "recorded_parts"]


class Part(NamedTuple):
    """What is known of one child once a model's ``init`` has run.

    Attributes:
      name: Its name in its parent.
      kind: The factory or function that made it, see `kind_of`.
      params: Its parameters, as shapes and dtypes.
      output: Its output, as shapes and dtypes.
      parts: Its own children.
    """

    name: str
    kind: str
    params: Params
    output: Any
    parts: list["Part"]


_parts: ContextVar[list[Part] | None] = ContextVar("parts", default=None)


@contextmanager
def recorded_parts() -> Iterator[list[Part]]:
    """A list of the children whose ``init`` runs within the block, filled as they do."""
    parts: list[Part] = []
    token = _parts.set(parts)
    try:
        yield parts
    finally:
        _parts.reset(token)


class Child(NamedTuple):
    """A Model with its place in a combinator.

    Attributes:
      owner: The combinator, for errors.
      name: The child's name in it, the key of its parameters.
      number: The child's number in it, which its PRNG key is made from.
      kind: The factory or function that made it.
      model: The child itself.
    """

    owner: str
    name: str
    number: int
    kind: str
    model: Model

    def init(self, key: Any, x: Any) -> tuple[Params, Any]:
        """The child's parameters, and its output as shapes and dtypes."""
        key = self._own_key(key)
        with inside_layer(self.name), recorded_parts() as parts:
            params = self.model.init(key, x)
            output = jax.eval_shape(self.model.apply, params, x)
        siblings = _parts.get()
        if siblings is not None:
            shapes = jax.eval_shape(lambda: params)
            siblings.append(Part(self.name, self.kind, shapes, output, parts))
        return params, output

    def apply(self, params: Any, x: Any, key: Any) -> Any:
        """The child's output, with its entry of the combinator's ``params``."""
        if not isinstance(params, Mapping):
            fail(
                self.owner,
                "params",
                "be a dict of its layers' parameters",
                describe(params),
                "Make them with model.init(key, x).",
                error=ArgumentTypeError,
            )
        key = self._own_key(key)
        with inside_layer(self.name):
            return self.model.apply(params.get(self.name, {}), x, key=key)

    def _own_key(self, key: Any) -> Any:
        """A key of the child's own; no key stays no key."""
        if key is None:
            return None
        check_key(self.owner, key)
        return jax.random.fold_in(key, self.number)


def named_children(
    owner: str, layers: tuple[Any, ...], named_layers: dict[str, Any]
) -> tuple[Child, ...]:
    """The children of a combinator, whichever way they were passed."""
    if bool(layers) == bool(named_layers):
        fail(
            owner,
            "layers",
            "be passed by position or by keyword, at least one",
            f"{len(layers)} by position and {len(named_layers)} by keyword",
            f"Write jn.{owner}(jn.dense(10), jn.relu), for example.",
        )
    for layer in layers:
        if type(layer) in (list, tuple):
            got, remedy = f"a {type(layer).__name__}", f"Write jn.{owner}(*layers)."
            fail(owner, "layers", "be passed one by one", got, remedy, error=ArgumentTypeError)
    named = named_layers or {str(i): layer for i, layer in enumerate(layers)}
    return tuple(
        Child(owner, name, i, kind_of(layer), as_model(owner, layer))
        for i, (name, layer) in enumerate(named.items())
    )


def kind_of(layer: Any) -> str:
    """The name of the factory that made a Model, or of a plain function.

    Example:
      >>> import jaxnets as jn
      >>> kind_of(jn.dense(3)), kind_of(jn.relu), kind_of(Model(lambda key, x: {}, print))
      ('dense', 'relu', 'print')
    """
    function = layer.apply if isinstance(layer, Model) else layer
    while isinstance(function, functools.partial):
        function = function.func
    if isinstance(layer, Model):
        name = getattr(function, "__qualname__", type(function).__name__)
        return str(name).partition(".<locals>")[0].rpartition(".")[2]
    return str(getattr(function, "__name__", type(function).__name__))
