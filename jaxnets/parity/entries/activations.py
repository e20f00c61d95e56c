"""Entries of the activations."""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from jaxnets import activations
from jaxnets.parity.entries.entry import Case, Entry
from jaxnets.parity.formulas import ACTIVATIONS

__all__ = ["activation_entries"]

KINKS = {
    "elu": [0.0],
    "hard_sigmoid": [-3.0, 3.0],
    "hard_tanh": [-1.0, 1.0],
    "leaky_relu": [0.0],
    "relu": [0.0],
    "relu6": [0.0, 6.0],
    "selu": [0.0],
    "step": [0.0],
}
"""Where the derivative is a convention."""

OPTIONS: dict[str, list[dict[str, Any]]] = {
    "celu": [{"alpha": 0.5}],
    "elu": [{"alpha": 1.5}],
    "gelu": [{"approximate": True}],
    "leaky_relu": [{"negative_slope": 0.25}],
    "softplus": [{"beta": 2.0}],
}
"""Options to try besides the defaults."""


def activation_entries() -> list[Entry]:
    """One entry for each formula of an activation."""
    cases = {"prelu": _prelu_cases(), "softmax": _axis_cases(), "log_softmax": _axis_cases()}
    return [
        Entry(
            name=name,
            kind="activation",
            compared=_compared(name),
            library=functools.partial(_library, getattr(activations, name)),
            formula=formula,
            adapt=_adapt,
            cases=cases.get(name) or _elementwise_cases(name),
        )
        for name, formula in ACTIVATIONS.items()
    ]


def _library(function: Callable[..., Any], at: Any, data: Any, **options: Any) -> Any:
    return function(at, **data, **options)


def _adapt(formula: Callable[..., Any]) -> Callable[..., Any]:
    """An activation is a layer without parameters; the gradient by its input is compared."""

    def value_and_backward(at: Any, data: Any, **options: Any) -> Any:
        value, backward = formula({}, at, **data, **options)
        return value, lambda d_value: backward(d_value)[1]

    return value_and_backward


def _compared(name: str) -> str:
    parts = ["value, derivative", "axes" if "softmax" in name else "tails"]
    parts += ["kinks"] if name in KINKS or name == "prelu" else []
    return ", ".join([*parts, *(option for options in OPTIONS.get(name, []) for option in options)])


def _elementwise_cases(name: str) -> dict[str, Case]:
    """Ordinary points, both tails, the kinks if there are any, and every option."""
    points = 3 * np.random.default_rng(0).standard_normal((6, 5))
    cases = {
        "points": Case(points),
        "tails": Case(np.array([-100.0, -30.0, -12.0, 12.0, 30.0, 100.0])),
    }
    if name in KINKS:
        cases["kinks"] = Case(np.array(KINKS[name]), kink=True)
    for options in OPTIONS.get(name, []):
        label = " ".join(f"{option}={value}" for option, value in options.items())
        cases[label] = Case(points, options=options)
        if name in KINKS:
            cases[f"{label} kinks"] = Case(np.array(KINKS[name]), options=options, kink=True)
    return cases


def _prelu_cases() -> dict[str, Case]:
    """One slope for all, a slope for each feature, and the kink."""
    rng = np.random.default_rng(0)
    x, alpha = rng.standard_normal((6, 5)), rng.uniform(0.1, 0.5, 5)
    return {
        "one slope": Case(x, {"alpha": alpha[0]}),
        "one a feature": Case(x, {"alpha": alpha}),
        "kinks": Case(np.zeros((1, 5)), {"alpha": alpha}, kink=True),
    }


def _axis_cases() -> dict[str, Case]:
    """Both axes, and logits far apart."""
    x = 2 * np.random.default_rng(0).standard_normal((4, 5))
    return {
        "last axis": Case(x),
        "first axis": Case(x, options={"axis": 0}),
        "far apart": Case(np.array([[-100.0, 0.0, 100.0], [50.0, 49.0, -50.0]])),
    }
