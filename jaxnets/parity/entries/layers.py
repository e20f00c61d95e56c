"""Entries of the layers."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from jaxnets import layers
from jaxnets.parity.entries.entry import Case, Entry
from jaxnets.parity.formulas import LAYERS
from jaxnets.parity.formulas.formula import Formula

__all__ = ["by_params_and_x", "layer_entries", "normal_arrays"]

Arrays = Callable[..., np.ndarray]


def layer_entries() -> list[Entry]:
    """One entry for each layer."""
    return [*_parameter_layers(), *_rearranging_layers()]


def _parameter_layers() -> list[Entry]:
    """Layers with parameters of their own."""
    return [
        _entry("dense", _dense, _dense_cases()),
        _entry("layer_norm", _with_eps, _norm_cases("shift")),
        _entry("rms_norm", _with_eps, _norm_cases()),
        _entry("embedding", _embedding, _embedding_cases()),
        _entry("parametric_relu", _parametric_relu, _slope_cases()),
    ]


def _entry(name: str, library: Callable[..., Any], cases: dict[str, Case]) -> Entry:
    factory = getattr(layers, name)

    def apply(at: Any, data: Any, **options: Any) -> Any:
        return library(factory, at, data, **options)

    return Entry(name, "layer", apply, LAYERS[name], by_params_and_x, cases)


def by_params_and_x(formula: Formula) -> Formula:
    """Both gradients of a layer; indices, which are data, have none."""

    def value_and_backward(at: Any, data: Any, **options: Any) -> Any:
        value, backward = formula(at.get("params", {}), **{"x": at.get("x"), **data}, **options)

        def gradients(d_value: Any) -> Any:
            d_params, d_x = backward(d_value)
            return {name: {"params": d_params, "x": d_x}[name] for name in at}

        return value, gradients

    return value_and_backward


def normal_arrays() -> Arrays:
    """A function of a shape that draws a normal array."""
    rng = np.random.default_rng(0)
    return lambda *shape: rng.standard_normal(shape)


def _dense(factory: Any, at: Any, data: Any) -> Any:
    features = at["params"]["w"].shape[1]
    return factory(features, use_bias="b" in at["params"]).apply(at["params"], at["x"])


def _dense_cases() -> dict[str, Case]:
    """All axes of the square case are equal, so that no shape gives a wrong transpose away."""
    normal = normal_arrays()
    params = {"w": normal(3, 4), "b": normal(4)}
    return {
        "batch": Case({"params": params, "x": normal(5, 3)}),
        "square": Case({"params": {"w": normal(3, 3), "b": normal(3)}, "x": normal(3, 3)}),
        "leading axes": Case({"params": params, "x": normal(2, 3, 3)}),
        "no bias": Case({"params": {"w": params["w"]}, "x": normal(5, 3)}),
    }


def _with_eps(factory: Any, at: Any, data: Any, **options: Any) -> Any:
    return factory(**options).apply(at["params"], at["x"])


def _norm_cases(*shift: str) -> dict[str, Case]:
    """The eps of layer_norm and rms_norm; rows of equal features, where only eps is left."""
    normal = normal_arrays()
    params, equal = {name: normal(5) for name in ("scale", *shift)}, np.full((2, 5), 0.5)
    return {
        "batch": Case({"params": params, "x": normal(4, 5)}),
        "leading axes": Case({"params": params, "x": normal(2, 2, 5)}),
        "eps=0.1": Case({"params": params, "x": normal(4, 5)}, options={"eps": 0.1}),
        "equal features": Case({"params": params, "x": equal}, options={"eps": 1e-5}),
    }


def _embedding(factory: Any, at: Any, data: Any) -> Any:
    return factory(*at["params"]["table"].shape).apply(at["params"], data["x"])


def _embedding_cases() -> dict[str, Case]:
    normal = normal_arrays()
    indices = np.array([[0, 4, 1], [1, 1, 0]])
    return {
        "indices": Case({"params": {"table": normal(5, 3)}}, {"x": indices}),
        "square": Case({"params": {"table": normal(4, 4)}}, {"x": np.array([1, 3, 1, 0])}),
    }


def _parametric_relu(factory: Any, at: Any, data: Any) -> Any:
    return factory(per_feature=at["params"]["alpha"].ndim == 1).apply(at["params"], at["x"])


def _slope_cases() -> dict[str, Case]:
    normal = normal_arrays()
    one, many = {"alpha": np.array(0.25)}, {"alpha": normal(4)}
    return {
        "one slope": Case({"params": one, "x": normal(5, 4)}),
        "one per feature": Case({"params": many, "x": normal(2, 3, 4)}),
        "kinks": Case({"params": many, "x": np.zeros((2, 4))}, kinks=True),
    }


def _rearranging_layers() -> list[Entry]:
    """Layers without parameters."""
    normal = normal_arrays()
    flatten = _entry(
        "flatten",
        lambda factory, at, data: factory().apply({}, at["x"]),
        {"blocks": Case({"x": normal(3, 2, 4)}), "batch": Case({"x": normal(3)})},
    )
    dropout = Entry(
        "dropout",
        "layer",
        _dropout,
        LAYERS["dropout"],
        _adapt_dropout,
        {
            "rate=0.5": Case({"x": normal(6, 5)}, _key(), {"rate": 0.5}),
            "rate=0.2": Case({"x": normal(2, 3, 4)}, _key(), {"rate": 0.2}),
        },
    )
    return [flatten, dropout]


def _key() -> dict[str, np.ndarray]:
    return {"key": np.asarray(jax.random.key_data(jax.random.key(0)))}


def _dropout(at: Any, data: Any, *, rate: float) -> Any:
    key = jax.random.wrap_key_data(data["key"])
    return layers.dropout(rate).apply({}, at["x"], key=key)


def _adapt_dropout(formula: Formula) -> Formula:
    """The formula gets the mask that the layer draws: where it lets ones through."""

    def value_and_backward(at: Any, data: Any, *, rate: float) -> Any:
        mask = np.asarray(_dropout({"x": np.ones_like(at["x"])}, data, rate=rate)) != 0
        return by_params_and_x(formula)(at, {"mask": mask}, rate=rate)

    return value_and_backward
