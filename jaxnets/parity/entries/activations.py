"""Entries of the activations."""

from typing import Any

import numpy as np

from jaxnets import activations
from jaxnets.parity.entries.entry import Case, Entry, by_slope
from jaxnets.parity.formulas import ACTIVATIONS, LAYERS
from jaxnets.parity.formulas.formula import Formula, kinks_of, label_of, options_of

__all__ = ["activation_entries"]

AXIS = ("log_softmax", "softmax")
"""The activations of an axis, whose formulas are those of layers."""


def activation_entries() -> list[Entry]:
    """One entry for each formula of an activation."""
    cases = {name: _elementwise_cases(formula) for name, formula in ACTIVATIONS.items()}
    cases["prelu"] = _prelu_cases()
    return [
        *(_entry(name, ACTIVATIONS[name], by_slope, cases[name]) for name in ACTIVATIONS),
        *(_entry(name, LAYERS[name], _by_way_back, _axis_cases()) for name in AXIS),
    ]


def _entry(name: str, *rest: Any) -> Entry:
    return Entry(name, "activation", getattr(activations, name), *rest)


def _by_way_back(formula: Formula, at: Any, **options: Any) -> Any:
    """Of the two gradients of a layer that by its input: there are no parameters."""
    value, backward = formula({}, at, **options)
    return value, lambda d_value: backward(d_value)[1]


def _elementwise_cases(formula: Formula) -> dict[str, Case]:
    """Ordinary points, each tail, the kinks if there are any, and every option."""
    points = 3 * np.random.default_rng(0).standard_normal((6, 5))
    cases = {
        "points": Case(points),
        "left tail": Case(np.array([-100.0, -30.0, -12.0])),
        "right tail": Case(np.array([12.0, 30.0, 100.0])),
    }
    kinks = np.array(kinks_of(formula))
    for options in ({}, *options_of(formula)):
        label = label_of(options)
        cases[label or "points"] = Case(points, options=options)
        if kinks.size:
            cases[f"{label} kinks".strip()] = Case(kinks, options=options, kinks=True)
    return cases


def _prelu_cases() -> dict[str, Case]:
    """One slope for all, a slope for each feature, and the kink."""
    rng = np.random.default_rng(0)
    x, alpha = rng.standard_normal((6, 5)), rng.uniform(0.1, 0.5, 5)
    return {
        "one slope": Case(x, {"alpha": alpha[0]}),
        "one per feature": Case(x, {"alpha": alpha}),
        "kinks": Case(np.zeros((1, 5)), {"alpha": alpha}, kinks=True),
    }


def _axis_cases() -> dict[str, Case]:
    """Both axes, and logits far apart."""
    x = 2 * np.random.default_rng(0).standard_normal((4, 5))
    return {
        "last axis": Case(x),
        "first axis": Case(x, options={"axis": 0}),
        "far apart": Case(np.array([[-100.0, 0.0, 100.0], [50.0, 49.0, -50.0]])),
    }
