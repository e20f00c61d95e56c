"""The derivations as pages of text, which ``python -m jaxnets.parity --show NAME`` prints."""

import inspect
import textwrap
from collections.abc import Callable
from typing import Any

from jaxnets.parity import backprop, tutorial
from jaxnets.parity.formulas import DERIVATIONS
from jaxnets.parity.rows.training_runs import TRAINING, train_by_hand

__all__ = ["PAGES", "page"]

WIDTH = 80
"""Columns of a terminal."""

SECTIONS = ("Args:", "Returns:", "Raises:", "Example:", "References:")
"""Sections that follow a derivation in a docstring, and are of no use without the code."""

PAGES: dict[str, Callable[..., Any]] = {
    **DERIVATIONS,
    "backprop": backprop.value_and_grad,
    "mlp": backprop.value_and_grad,
    **dict.fromkeys(TRAINING, train_by_hand),
    "tutorial": tutorial.value_and_grad,
}
"""The function whose docstring is the derivation, by the name of a row and a few more."""


def page(name: str) -> str:
    """The derivation as it stands with the formula, on a page of 80 columns.

    Example:
      >>> print(page("identity"))
      identity
      ========
      <BLANKLINE>
      The input itself.
      <BLANKLINE>
        f(x)  = x
        f'(x) = 1
      <BLANKLINE>
      Symbols: x the input, any shape; f(x) and f'(x) of the same shape.
    """
    shown = [f"{name}\n{'=' * len(name)}"]
    for paragraph in (inspect.getdoc(PAGES[name]) or "").split("\n\n"):
        if paragraph.startswith(SECTIONS):
            break
        shown.append(_fitted(paragraph))
    return "\n\n".join(shown)


def _fitted(paragraph: str) -> str:
    """Prose wrapped to the width; formulas are indented and stay as they are."""
    if any(line.startswith(" ") for line in paragraph.splitlines()):
        return paragraph
    return textwrap.fill(" ".join(paragraph.split()), WIDTH)
