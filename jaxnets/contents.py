"""A table of contents: the names that modules export, and the first lines of their docstrings."""

import re
import sys
from collections.abc import Mapping
from typing import Any

__all__ = ["contents", "exported"]

WIDTH = 24
"""Characters of the column of names."""


def contents(groups: Mapping[str, Mapping[str, Any]]) -> str:
    """One line per object, in groups.

    Args:
      groups: By title, objects by name.

    Example:
      >>> print(contents({"Activations": {"relu": jn.relu}}))
      Activations
          relu                    The rectified linear unit.
    """
    return "\n\n".join(
        "\n".join([title, *(f"    {name:<{WIDTH}}{_line(value)}" for name, value in group.items())])
        for title, group in groups.items()
    )


def exported(*modules: str) -> dict[str, Any]:
    """The objects that modules of the package export, by name."""
    found = (sys.modules[f"jaxnets.{module}"] for module in modules)
    return {name: getattr(module, name) for module in found for name in module.__all__}


def _line(value: Any) -> str:
    """The first line of a docstring; types that are aliases say what they stand for."""
    if not (getattr(value, "__module__", None) or value.__name__).startswith("jaxnets"):
        return re.sub(
            r"\b(?:collections\.abc|typing|jaxnets\.model|jaxlib\._jax)\.", "", str(value)
        )
    return (value.__doc__ or "").strip().partition("\n")[0]
