"""Parity: every derivative of the library, derived by hand and proven.

``python -m jaxnets.parity`` prints the proof: each hand formula against autodiff, against central
differences and, where it is installed, against PyTorch. ``--show NAME`` prints a derivation.

- `jaxnets.parity.formulas`: values and derivatives, with the derivations in the docstrings;
- `jaxnets.parity.backprop`: the chain rule through a whole network;
- `jaxnets.parity.tutorial`: the course's own update rule, and what it is;
- `check`: compares any function with any formula of one's own.
"""

from jaxnets.parity.compare import check
from jaxnets.parity.report import Report

# Submodules are imported by their names.
__all__ = ["Report", "check"]
