"""Entries of whole multilayer perceptrons: their loss and its gradient by every parameter."""

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

from jaxnets import activations, losses
from jaxnets.combinators import mlp
from jaxnets.parity import backprop
from jaxnets.parity.entries.entry import Case, Entry
from jaxnets.parity.formulas.formula import Formula

__all__ = ["mlp_params", "network_entries"]


def network_entries() -> list[Entry]:
    """`jaxnets.mlp` with several activations, losses and depths."""
    return [Entry("mlp", "network", _library, backprop.value_and_grad, _by_gradient, _cases())]


def mlp_params(widths: Sequence[int], rng: np.random.Generator) -> dict[str, Any]:
    """Parameters of dense layers between these widths, uniform on +-1/sqrt(in)."""
    params = {}
    for i, (fan_in, features) in enumerate(itertools.pairwise(widths)):
        bound = fan_in**-0.5
        params[str(2 * i)] = {
            "w": rng.uniform(-bound, bound, (fan_in, features)),
            "b": rng.uniform(-bound, bound, features),
        }
    return params


def _library(
    params: Any, *, x: Any, y: Any, activation: Any, output: Any, loss: Callable[..., Any]
) -> Any:
    widths = [params[name]["w"].shape[1] for name in sorted(params, key=int)]
    return loss(mlp(widths, activation, output_activation=output).apply(params, x), y)


def _by_gradient(
    formula: Formula, params: Any, *, x: Any, y: Any, activation: Any, output: Any, loss: Any
) -> Any:
    units = [activation] * (len(params) - 1) + [output or activations.identity]
    value, gradient = formula(params, x, y, activations=units, loss=loss)
    return value, lambda d_value: jax.tree.map(lambda leaf: d_value * leaf, gradient)


def _cases() -> dict[str, Case]:
    """Networks as (widths, hidden activation, output activation, loss)."""
    a, f = activations, losses
    rng = np.random.default_rng(0)
    x, real, labels = rng.standard_normal((8, 2)), rng.standard_normal((8, 1)), np.arange(8) % 3
    binary = (real > 0).astype(float)
    networks = {
        "2-1": ((2, 1), a.sigmoid, a.sigmoid, f.bce, binary),
        "2-2-1": ((2, 2, 1), a.sigmoid, a.sigmoid, f.bce, binary),
        "2-10-10-10-1": ((2, 10, 10, 10, 1), a.sigmoid, a.sigmoid, f.bce, binary),
        "2-8-8-1 relu": ((2, 8, 8, 1), a.relu, None, f.bce_with_logits, binary),
        "2-8-3 tanh": ((2, 8, 3), a.tanh, None, f.cross_entropy, labels),
        "2-8-3 gelu": ((2, 8, 3), a.gelu, a.log_softmax, f.nll, labels),
        "2-6-6-6-6-6-1 silu": ((2, 6, 6, 6, 6, 6, 1), a.silu, None, f.mse, real),
        "2-4-1 softplus": ((2, 4, 1), a.softplus, None, f.huber, real),
    }
    return {
        label: Case(
            mlp_params(widths, rng),
            {"x": x, "y": y},
            {"activation": activation, "output": output, "loss": loss},
        )
        for label, (widths, activation, output, loss, y) in networks.items()
    }
