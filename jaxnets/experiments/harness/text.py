"""Numbers that may have stopped being finite, as JSON and as text."""

import json
import math
from typing import Any

__all__ = ["divergence_text", "json_text", "number"]


def json_text(value: Any, *, indent: int | None = None) -> str:
    """Valid JSON, which has no word for infinity and NaN: both become null.

    Example:
      >>> json_text({"loss": [0.5, math.inf], "rate": math.nan})
      '{"loss": [0.5, null], "rate": null}'
    """
    return json.dumps(_finite(value), indent=indent, allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {name: _finite(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(part) for part in value]
    return value


def number(value: float | None, form: str, width: int = 0) -> str:
    """A number in a format, to the right of so many places; in words if it is not finite.

    None is what a number that was not finite is read back as.

    Example:
      >>> number(0.25, ".4f", 11), number(math.nan, ".4f", 11)
      ('     0.2500', ' not finite')
    """
    finite = value is not None and math.isfinite(value)
    return (f"{value:{form}}" if finite else "not finite").rjust(width)


def divergence_text(step: int) -> str:
    """The line on a run that stopped early, and on what its figures are of."""
    return (
        f"The run stopped being finite at step {step}: what follows is of the weights before that "
        "step's update. Lower --lr."
    )
