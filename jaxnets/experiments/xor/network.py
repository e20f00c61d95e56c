"""The networks of XOR, and where their gradient comes from."""

import functools
from collections.abc import Callable
from typing import Any

from jaxnets import losses
from jaxnets.activations import sigmoid
from jaxnets.combinators import sequential
from jaxnets.experiments.harness.choices import INITIALIZERS
from jaxnets.layers import dense
from jaxnets.model import Model
from jaxnets.training import Objective, Supervised, objective

__all__ = ["GRADIENTS", "build_model", "goal"]

GRADIENTS = {
    "auto": "",
    "hand": ", gradient: the chain rule by hand",
    "tutorial": ", gradient: the course's own hand-written rule",
}
"""The origins of a gradient, and the words of a report for them."""


@functools.lru_cache(maxsize=64)
def build_model(hidden: tuple[int, ...], init: str = "torch") -> Model:
    """The network: dense layers, each followed by a sigmoid.

    Equal arguments give the same object, so that a second run compiles nothing.
    """
    w_init = INITIALIZERS[init]()
    layers = [dense(width, w_init=w_init) for width in (*hidden, 1)]
    return sequential(*[part for layer in layers for part in (layer, sigmoid)])


def goal(model: Model, backprop: str, hidden: tuple[int, ...]) -> Objective:
    """What a model minimises, with the gradient of a name of `GRADIENTS`."""
    supervised = Supervised(model, losses.bce)
    if backprop == "auto":
        return objective(supervised)
    # Imported here, because differentiation needs no formula.
    from jaxnets.parity import backprop as by_hand
    from jaxnets.parity import tutorial

    activations = [sigmoid] * (len(hidden) + 1)
    gradients: dict[str, Callable[..., Any]] = {
        "hand": functools.partial(by_hand.value_and_grad, activations=activations, loss=losses.bce),
        "tutorial": tutorial.value_and_grad,
    }
    value_and_grad = gradients[backprop]
    return objective(
        supervised, value_and_grad=lambda params, batch, *, key: value_and_grad(params, *batch)
    )
