"""Entries of the layers, and of the combinators, which make layers of layers."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets import activations, combinators, layers
from jaxnets.parity.backprop import UNITS
from jaxnets.parity.entries.entry import Case, Entry
from jaxnets.parity.formulas import COMBINATORS, LAYERS
from jaxnets.parity.formulas.formula import Formula

__all__ = ["combinator_entries", "layer_entries"]

Cases = dict[str, Case]

MAKERS: dict[str, Callable[..., Any]] = {
    "dense": lambda params: layers.dense(params["w"].shape[1], use_bias="b" in params),
    "layer_norm": lambda params, **options: layers.layer_norm(**options),
    "rms_norm": lambda params, **options: layers.rms_norm(**options),
    "embedding": lambda params: layers.embedding(*params["table"].shape),
    "parametric_relu": lambda params: layers.parametric_relu(per_feature=params["alpha"].ndim == 1),
    "flatten": lambda params: layers.flatten(),
    "dropout": lambda params, *, rate: layers.dropout(rate),
}
"""The layer of the library that has these parameters and options."""

PARTS: dict[str, tuple[Any, Formula]] = {
    "dense": (layers.dense(3), LAYERS["dense"]),
    "norm": (layers.layer_norm(), LAYERS["layer_norm"]),
    "relu": (activations.relu, UNITS["relu"]),
    "softmax": (activations.softmax, UNITS["softmax"]),
    "tanh": (activations.tanh, UNITS["tanh"]),
    "dense, tanh": (
        combinators.sequential(layers.dense(3), activations.tanh),
        COMBINATORS["sequential"](LAYERS["dense"], UNITS["tanh"]),
    ),
}
"""Layers to combine, the library's and the formula; those with parameters are of width 3."""

COMBINE: dict[str, Callable[..., Any]] = {
    "add": jnp.add,
    "concatenate": functools.partial(jnp.concatenate, axis=-1),
    "maximum": jnp.maximum,
    "multiply": jnp.multiply,
}
"""The argument of the library's `parallel` by the name that the formula takes."""


def layer_entries() -> list[Entry]:
    """One entry for each layer."""
    cases = {
        "dense": _dense_cases(),
        "layer_norm": _norm_cases("scale", "shift"),
        "rms_norm": _norm_cases("scale"),
        "embedding": _embedding_cases(),
        "parametric_relu": _slope_cases(),
        **_rearranging_cases(),
    }
    adapt = {"dropout": _by_mask}
    return [
        Entry(name, "layer", _applied(make), LAYERS[name], adapt.get(name, _by_both), cases[name])
        for name, make in MAKERS.items()
    ]


def combinator_entries() -> list[Entry]:
    """One entry for each combinator but `jaxnets.mlp`, which is a network."""
    normal = _normal_arrays()
    dense, again = {"w": normal(3, 3), "b": normal(3)}, {"w": normal(3, 3), "b": normal(3)}
    norm = {"scale": normal(3), "shift": normal(3)}
    narrow = {"w": normal(3, 1), "b": normal(1)}
    x = normal(4, 3)
    branches = {"params": {"0": dense, "2": again}, "x": x}
    combined = {combine: Case(branches, options={"combine": combine}) for combine in COMBINE}
    chain, detour = {"0": dense, "1": norm, "3": again}, {"0": dense}
    batch = {"sequential": chain, "residual": detour, "perceptron": narrow}
    cases = {name: {"batch": Case({"params": params, "x": x})} for name, params in batch.items()}
    return [
        _combined(cases["sequential"], "sequential", "dense", "norm", "relu", "dense", "softmax"),
        _combined(combined, "parallel", "dense", "tanh", "dense"),
        _combined(cases["residual"], "residual", "dense, tanh"),
        _combined(cases["perceptron"], "perceptron"),
    ]


def _combined(cases: Cases, name: str, *parts: str) -> Entry:
    """The entry of a combinator of those parts."""

    def make(params: Any, **options: Any) -> Any:
        given = {option: COMBINE[value] for option, value in options.items()}
        return getattr(combinators, name)(*(PARTS[part][0] for part in parts), **given)

    def adapt(formula: Formula, at: Any, **options: Any) -> Any:
        # Without parts the formula is a layer, not the maker of one.
        layer = formula(*(PARTS[part][1] for part in parts), **options) if parts else formula
        return _by_both(layer, at)

    return Entry(name, "layer", _applied(make), COMBINATORS[name], adapt, cases)


def _applied(make: Callable[..., Any]) -> Callable[..., Any]:
    """A model of the library as a function of ``at``; what is no gradient's is data."""

    def library(at: Any, *, x: Any = None, key: Any = None, **options: Any) -> Any:
        params, key = at.get("params", {}), None if key is None else jax.random.wrap_key_data(key)
        return make(params, **options).apply(params, at.get("x", x), key=key)

    return library


def _by_both(formula: Formula, at: Any, **more: Any) -> Any:
    """Both gradients of a layer; indices, which are data, have none."""
    value, backward = formula(**{"params": {}, **at, **more})

    def gradients(d_value: Any) -> Any:
        d_params, d_x = backward(d_value)
        return {name: {"params": d_params, "x": d_x}[name] for name in at}

    return value, gradients


def _by_mask(formula: Formula, at: Any, *, key: Any, rate: float) -> Any:
    """The formula gets the mask that the layer draws: where it lets ones through."""
    ones = {"x": np.ones_like(at["x"])}
    mask = np.asarray(_applied(MAKERS["dropout"])(ones, key=key, rate=rate)) != 0
    return _by_both(formula, at, mask=mask, rate=rate)


def _normal_arrays() -> Callable[..., np.ndarray]:
    """A function of a shape that draws a normal array."""
    rng = np.random.default_rng(0)
    return lambda *shape: rng.standard_normal(shape)


def _dense_cases() -> Cases:
    """All axes of the square case are equal, so that no shape gives a wrong transpose away."""
    normal = _normal_arrays()
    params = {"w": normal(3, 4), "b": normal(4)}
    return {
        "batch": Case({"params": params, "x": normal(5, 3)}),
        "square": Case({"params": {"w": normal(3, 3), "b": normal(3)}, "x": normal(3, 3)}),
        "leading axes": Case({"params": params, "x": normal(2, 3, 3)}),
        "no bias": Case({"params": {"w": params["w"]}, "x": normal(5, 3)}),
    }


def _norm_cases(*names: str) -> Cases:
    """The eps of layer_norm and rms_norm; rows of equal features, where only eps is left."""
    normal = _normal_arrays()
    params, equal = {name: normal(5) for name in names}, np.full((2, 5), 0.5)
    return {
        "batch": Case({"params": params, "x": normal(4, 5)}),
        "leading axes": Case({"params": params, "x": normal(2, 2, 5)}),
        "eps=0.1": Case({"params": params, "x": normal(4, 5)}, options={"eps": 0.1}),
        "equal features": Case({"params": params, "x": equal}, options={"eps": 1e-5}),
    }


def _embedding_cases() -> Cases:
    normal = _normal_arrays()
    indices = np.array([[0, 4, 1], [1, 1, 0]])
    return {
        "indices": Case({"params": {"table": normal(5, 3)}}, {"x": indices}),
        "square": Case({"params": {"table": normal(4, 4)}}, {"x": np.array([1, 3, 1, 0])}),
    }


def _slope_cases() -> Cases:
    normal = _normal_arrays()
    one, many = {"alpha": np.array(0.25)}, {"alpha": normal(4)}
    return {
        "one slope": Case({"params": one, "x": normal(5, 4)}),
        "one per feature": Case({"params": many, "x": normal(2, 3, 4)}),
        "kinks": Case({"params": many, "x": np.zeros((2, 4))}, kinks=True),
    }


def _rearranging_cases() -> dict[str, Cases]:
    """Layers without parameters."""
    normal = _normal_arrays()
    key = {"key": np.asarray(jax.random.key_data(jax.random.key(0)))}
    return {
        "flatten": {"blocks": Case({"x": normal(3, 2, 4)}), "batch": Case({"x": normal(3)})},
        "dropout": {
            "rate=0.5": Case({"x": normal(6, 5)}, key, {"rate": 0.5}),
            "rate=0.2": Case({"x": normal(2, 3, 4)}, key, {"rate": 0.2}),
        },
    }
