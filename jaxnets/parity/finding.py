"""What the course's own update rule is: how many times the gradient its steps are."""

from typing import Any

import numpy as np

from jaxnets import data
from jaxnets.parity import backprop, tutorial
from jaxnets.parity.leaves import largest_error
from jaxnets.parity.references import precision
from jaxnets.parity.row import Row
from jaxnets.parity.training_runs import starting_params

__all__ = ["tutorial_row"]

TOLERANCE = 1e-5
"""For the course's rule, which its own 1e-7 takes a little off the gradient."""


def tutorial_row() -> Row:
    """Its steps against the gradient, N times for weights and once for biases."""
    with precision(np.float64):
        x, y = (np.asarray(array) for array in data.xor())
        params = starting_params((2, 2, 1), np.float64)
        _, step = tutorial.value_and_grad(params, x, y)
        _, gradient = backprop.value_and_grad(
            params, x, y, activations=["sigmoid", "sigmoid"], loss="bce"
        )
    ideal = {name: {"w": len(x) * layer["w"], "b": layer["b"]} for name, layer in gradient.items()}
    left = largest_error(step, ideal)
    weights, biases = (_factor(step, gradient, entry) for entry in "wb")
    note = (
        f"The course's hand-written rule is not the gradient of the loss it prints: for "
        f"{len(x)} examples its weight steps are {weights:.6f} times and its bias steps "
        f"{biases:.6f} times the gradient. It is gradient descent with learning rate "
        f"{len(x)} lr for weights and lr for biases, but for {left:.0e}, the effect of its 1e-7."
    )
    compared = "step / gradient, less (N, 1)"
    return Row("tutorial", "finding", compared, {"float64": left}, {"float64": TOLERANCE}, note)


def _factor(step: Any, gradient: Any, entry: str) -> float:
    """The factor that brings the gradient by all weights, or all biases, nearest to the step."""
    ours = np.concatenate([layer[entry].ravel() for layer in step.values()])
    theirs = np.concatenate([layer[entry].ravel() for layer in gradient.values()])
    return float(ours @ theirs / (theirs @ theirs))
