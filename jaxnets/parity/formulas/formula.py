"""Marks on a formula: what the proof must know of it besides the formula itself."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

__all__ = ["Formula", "ValueAndSlope", "formula", "kinks_of", "label_of", "options_of"]

Formula = Callable[..., Any]

ValueAndSlope = tuple[Any, Any]
"""``(f(x), f'(x))``."""

F = TypeVar("F", bound=Formula)


def formula(
    *, kinks: Sequence[float] = (), options: Sequence[Mapping[str, Any]] = ()
) -> Callable[[F], F]:
    """State beside a formula where and with which options it is to be proven.

    Args:
      kinks: The inputs at which the derivative is a convention.
      options: Options to try besides the defaults, which are always tried.
    """

    def mark(function: F) -> F:
        function.__dict__.update(kinks=tuple(kinks), options=tuple(options))
        return function

    return mark


def kinks_of(function: Formula) -> tuple[float, ...]:
    """The kinks stated beside a formula."""
    return tuple(getattr(function, "kinks", ()))


def options_of(function: Formula) -> tuple[Mapping[str, Any], ...]:
    """The options stated beside a formula."""
    return tuple(getattr(function, "options", ()))


def label_of(options: Mapping[str, Any]) -> str:
    """Options as text.

    Example:
      >>> label_of({"gamma": 0.5, "alpha": None})
      'gamma=0.5 alpha=None'
    """
    return " ".join(f"{option}={value}" for option, value in options.items())
