"""What the table compares: a function of the library, its hand formula, and where."""

from collections.abc import Callable
from typing import Any, NamedTuple

from jaxnets.parity.references import Reference, references

__all__ = ["Case", "Entry", "by_hand", "entry_references"]


class Case(NamedTuple):
    """One input.

    Attributes:
      at: What is differentiated by: a floating array or a pytree of them.
      data: Further arrays by name, such as ``targets``.
      options: Further arguments that are plain values, such as ``reduction``.
      kink: Whether central differences fail here: at a kink, or in a bend narrower than their
        step.
    """

    at: Any
    data: dict[str, Any] = {}  # noqa: RUF012 # never written to
    options: dict[str, Any] = {}  # noqa: RUF012
    kink: bool = False


class Entry(NamedTuple):
    """A function of the library with its hand formula.

    Attributes:
      name: The public name.
      kind: ``"activation"``, ``"loss"``, ``"layer"`` or ``"network"``.
      compared: In a few words what is compared.
      library: ``library(at, data, **options) -> value``, the function itself.
      formula: The hand formula.
      adapt: ``adapt(formula)`` gives ``f(at, data, **options) -> (value, backward)``.
      cases: The inputs by label.
    """

    name: str
    kind: str
    compared: str
    library: Callable[..., Any]
    formula: Callable[..., Any]
    adapt: Callable[[Callable[..., Any]], Callable[..., Any]]
    cases: dict[str, Case]


def entry_references(entry: Entry) -> tuple[Reference, ...]:
    """What autodiff and central differences say of an entry, all of its cases in one program."""

    def library(at: Any, data: Any) -> Any:
        return {
            label: entry.library(at[label], data[label], **case.options)
            for label, case in entry.cases.items()
        }

    at = {label: case.at for label, case in entry.cases.items()}
    data = {label: case.data for label, case in entry.cases.items()}
    kinks = {label for label, case in entry.cases.items() if case.kink}
    return references(library, at, data, kinks=kinks)


def by_hand(entry: Entry) -> Callable[..., Any]:
    """The hand formula over all cases, as `jaxnets.parity.check` takes it."""
    formula = entry.adapt(entry.formula)

    def value_and_backward(at: Any, data: Any) -> Any:
        values, backwards = {}, {}
        for label, case in entry.cases.items():
            values[label], backwards[label] = formula(at[label], data[label], **case.options)
        return values, lambda d_values: {
            label: backward(d_values[label]) for label, backward in backwards.items()
        }

    return value_and_backward
