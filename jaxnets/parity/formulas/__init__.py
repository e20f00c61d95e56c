"""Values and derivatives of everything in the library, derived by hand.

Each formula returns its value and, beside it, the parts of its derivative. There are four
kinds, each in files of its own:

- `activations`: ``f(x) -> (f(x), f'(x))``;
- `losses`, `binary_losses`, `class_losses`: ``f(predictions, targets) -> (loss, gradient)``;
- `layers`, `combinators`: ``f(params, x) -> (y, backward)``, where
  ``backward(d_y) -> (d_params, d_x)``;
- `optimizers`: ``f(p, g, state) -> (p, state)``.

A condition in brackets is 1 where it holds and 0 elsewhere.

`formula` states beside a formula at which kinks and with which options it is to be proven.

The docstrings hold the derivations, step by step, and ``python -m jaxnets.parity --show NAME``
prints them. Everything takes NumPy arrays and JAX arrays alike, and nothing here differentiates
automatically.
"""

from types import ModuleType

from jaxnets.parity.formulas import (
    binary_losses,
    class_losses,
    combinators,
    layers,
    losses,
    optimizers,
)
from jaxnets.parity.formulas.activations import gated, rectifiers, sigmoids, threshold
from jaxnets.parity.formulas.formula import Formula

__all__ = ["ACTIVATIONS", "COMBINATORS", "DERIVATIONS", "LAYERS", "LOSSES", "OPTIMIZERS"]


def _public(*modules: ModuleType) -> dict[str, Formula]:
    """The formulas of each function by name."""
    return {name: getattr(module, name) for module in modules for name in module.__all__}


ACTIVATIONS = dict(sorted(_public(gated, rectifiers, sigmoids, threshold).items()))
LOSSES = _public(losses, binary_losses, class_losses)
LAYERS = _public(layers)
COMBINATORS = _public(combinators)
OPTIMIZERS = _public(optimizers)

DERIVATIONS: dict[str, Formula] = {
    **{**ACTIVATIONS, **LOSSES, **LAYERS, **COMBINATORS, **OPTIMIZERS},
    "reduced": losses.reduced,
}
"""Every function whose docstring holds a derivation."""
