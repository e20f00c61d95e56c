"""Values and derivatives of everything in the library, derived by hand.

Each formula returns its value and, beside it, what its derivative is made of. There are four
kinds, each in files of its own:

- `activations`: ``f(x) -> (f(x), f'(x))``;
- `losses`, `class_losses`: ``f(predictions, targets) -> (loss, gradient)``;
- `layers`, `combinators`: ``f(params, x) -> (y, backward)``, where
  ``backward(d_y) -> (d_params, d_x)``;
- `optimizers`: ``f(p, g, state) -> (p, state)``.

The docstrings hold the derivations, step by step, and ``python -m jaxnets.parity --show NAME``
prints them. Everything takes NumPy arrays and JAX arrays alike, and nothing here differentiates
automatically.
"""

from collections.abc import Callable
from types import ModuleType
from typing import Any

from jaxnets.parity.formulas import (
    activations,
    class_losses,
    combinators,
    layers,
    losses,
    optimizers,
)

__all__ = ["ACTIVATIONS", "COMBINATORS", "DERIVATIONS", "LAYERS", "LOSSES", "OPTIMIZERS"]

Formula = Callable[..., Any]


def _public(module: ModuleType) -> dict[str, Formula]:
    return {name: getattr(module, name) for name in module.__all__}


ACTIVATIONS: dict[str, Formula] = {
    **{name: combinators.elementwise(f) for name, f in _public(activations).items()},
    "log_softmax": layers.log_softmax,
    "softmax": layers.softmax,
}
"""Every activation as a layer without parameters, ``f({}, x, **options) -> (y, backward)``."""

LOSSES: dict[str, Formula] = {**_public(losses), **_public(class_losses)}
"""Every loss."""

LAYERS: dict[str, Formula] = _public(layers)
"""Every layer."""

COMBINATORS: dict[str, Formula] = _public(combinators)
"""What makes a layer of layers."""

OPTIMIZERS: dict[str, Formula] = _public(optimizers)
"""Every update rule."""

DERIVATIONS: dict[str, Formula] = {
    **_public(activations),
    **LOSSES,
    **LAYERS,
    **COMBINATORS,
    **OPTIMIZERS,
    "reduced": losses.reduced,
}
"""What holds the derivation in its docstring."""
