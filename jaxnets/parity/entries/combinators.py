"""Entries of the combinators: one structure, built of the library's parts and of the formulas'."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp

from jaxnets import activations, combinators, layers
from jaxnets.parity.entries.entry import Case, Entry
from jaxnets.parity.entries.layers import by_params_and_x, normal_arrays
from jaxnets.parity.formulas import ACTIVATIONS, COMBINATORS, LAYERS
from jaxnets.parity.formulas.combinators import elementwise

__all__ = ["combinator_entries"]

COMBINE: dict[str, Callable[..., Any]] = {
    "add": jnp.add,
    "concatenate": functools.partial(jnp.concatenate, axis=-1),
    "maximum": jnp.maximum,
    "multiply": jnp.multiply,
}
"""The argument of the library's `parallel` by the name that the formula takes."""


class Parts(NamedTuple):
    """Layers to combine; those with parameters are of width 3."""

    dense: Any
    norm: Any
    relu: Any
    softmax: Any
    tanh: Any
    sequential: Callable[..., Any]


LIBRARY = Parts(
    layers.dense(3),
    layers.layer_norm(),
    activations.relu,
    activations.softmax,
    activations.tanh,
    combinators.sequential,
)

BY_HAND = Parts(
    LAYERS["dense"],
    LAYERS["layer_norm"],
    elementwise(ACTIVATIONS["relu"]),
    LAYERS["softmax"],
    elementwise(ACTIVATIONS["tanh"]),
    COMBINATORS["sequential"],
)

Build = Callable[..., Any]
"""``build(combinator, parts, **options)``, a model of the library or a formula of its own."""


def combinator_entries() -> list[Entry]:
    """One entry for each combinator but `jaxnets.mlp`, which is a network."""
    normal = normal_arrays()
    dense, again = {"w": normal(3, 3), "b": normal(3)}, {"w": normal(3, 3), "b": normal(3)}
    norm = {"scale": normal(3), "shift": normal(3)}
    narrow = {"w": normal(3, 1), "b": normal(1)}
    x = normal(4, 3)
    branches = {"params": {"0": dense, "2": again}, "x": x}
    chain = {"batch": Case({"params": {"0": dense, "1": norm, "3": again}, "x": x})}
    combined = {combine: Case(branches, options={"combine": combine}) for combine in COMBINE}
    detour = {"batch": Case({"params": {"0": dense}, "x": x})}
    unit = {"batch": Case({"params": narrow, "x": x})}
    return [
        _entry("sequential", _chain, chain),
        _entry("parallel", _branches, combined),
        _entry("residual", _detour, detour),
        _entry("perceptron", _unit, unit),
    ]


def _chain(make: Callable[..., Any], parts: Parts) -> Any:
    return make(parts.dense, parts.norm, parts.relu, parts.dense, parts.softmax)


def _branches(make: Callable[..., Any], parts: Parts, *, combine: Any) -> Any:
    combine = COMBINE[combine] if parts is LIBRARY else combine
    return make(parts.dense, parts.tanh, parts.dense, combine=combine)


def _detour(make: Callable[..., Any], parts: Parts) -> Any:
    return make(parts.sequential(parts.dense, parts.tanh))


def _unit(make: Callable[..., Any], parts: Parts) -> Any:
    return make() if parts is LIBRARY else make  # this formula is a layer, not the maker of one


def _entry(name: str, build: Build, cases: dict[str, Case]) -> Entry:
    make = getattr(combinators, name)

    def library(at: Any, data: Any, **options: Any) -> Any:
        return build(make, LIBRARY, **options).apply(at["params"], at["x"])

    def adapt(formula: Any) -> Any:
        def value_and_backward(at: Any, data: Any, **options: Any) -> Any:
            return by_params_and_x(build(formula, BY_HAND, **options))(at, data)

        return value_and_backward

    return Entry(name, "layer", library, COMBINATORS[name], adapt, cases)
