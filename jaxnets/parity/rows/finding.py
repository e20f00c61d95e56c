"""The finding about the course's own update rule: how many times the gradient its steps are."""

from typing import Any

import numpy as np

from jaxnets import data
from jaxnets.parity import backprop, tutorial
from jaxnets.parity.leaves import tree_errors
from jaxnets.parity.programs import precision
from jaxnets.parity.report import Report
from jaxnets.parity.rows.training_runs import starting_params

__all__ = ["tutorial_row"]


def tutorial_row() -> Report:
    """Its steps against the gradient, N times for weights and once for biases."""
    with precision(np.float64):
        x, y = (np.asarray(array) for array in data.xor())
        params = starting_params((2, 2, 1), np.float64)
        _, step = tutorial.value_and_grad(params, x, y)
        _, gradient = backprop.value_and_grad(
            params, x, y, activations=["sigmoid", "sigmoid"], loss="bce"
        )
    ideal = {name: {"w": len(x) * layer["w"], "b": layer["b"]} for name, layer in gradient.items()}
    errors = tree_errors(step, ideal)
    left = max(error.relative for error in errors)
    weights, biases = (_factor(step, gradient, entry) for entry in "wb")
    note = (
        f"The course's hand-written rule is not the gradient of the loss it prints: for "
        f"{len(x)} examples its weight steps are {weights:.6f} times and its bias steps "
        f"{biases:.6f} times the gradient. It is gradient descent with learning rate "
        f"{len(x)} lr for weights and lr for biases, but for {left:.0e}, the effect of its 1e-7."
    )
    compared = "step / gradient, less (N, 1)"
    return Report("tutorial", "finding", {"float64": errors}, compared, note)


def _factor(step: Any, gradient: Any, entry: str) -> float:
    """The factor that brings the gradient by all weights, or all biases, nearest to the step."""
    ours = np.concatenate([layer[entry].ravel() for layer in step.values()])
    theirs = np.concatenate([layer[entry].ravel() for layer in gradient.values()])
    return float(ours @ theirs / (theirs @ theirs))
