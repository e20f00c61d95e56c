"""Entries of the table: a function of the library, its hand formula, and where to compare them."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from jaxnets.parity.formulas.arrays import column
from jaxnets.parity.formulas.formula import Formula
from jaxnets.parity.leaves import Reference
from jaxnets.parity.references import references

__all__ = ["Case", "Entry", "by_hand", "by_slope", "entry_references"]


class Case(NamedTuple):
    """One input.

    Attributes:
      at: Where to differentiate: a floating array or a pytree of them.
      data: Further arrays by name, such as ``targets``.
      options: Further arguments that are plain values, such as ``reduction``.
      kinks: True if elements of ``at`` may be at a kink.
    """

    at: Any
    data: Mapping[str, Any] = {}  # never written to
    options: Mapping[str, Any] = {}
    kinks: bool = False


class Entry(NamedTuple):
    """A function of the library with its hand formula.

    Attributes:
      name: The public name.
      kind: ``"activation"``, ``"loss"``, ``"layer"`` or ``"network"``.
      library: ``library(at, **data, **options) -> value``, the function itself.
      formula: The hand formula.
      adapt: ``adapt(formula, at, **data, **options) -> (value, backward)``.
      cases: The inputs by label.
    """

    name: str
    kind: str
    library: Callable[..., Any]
    formula: Formula
    adapt: Callable[..., Any]
    cases: Mapping[str, Case]


def by_slope(formula: Formula, at: Any, **more: Any) -> Any:
    """Each element of the value has a derivative of its own, which its cotangent multiplies."""
    value, slope = formula(at, **more)
    return value, lambda d_value: slope * column(d_value, slope)


def entry_references(entry: Entry) -> tuple[Reference, ...]:
    """The references of an entry, all of its cases in one program."""

    def library(at: Any, data: Any) -> Any:
        return {
            label: entry.library(at[label], **data[label], **case.options)
            for label, case in entry.cases.items()
        }

    at = {label: case.at for label, case in entry.cases.items()}
    data = {label: case.data for label, case in entry.cases.items()}
    kinks = [label for label, case in entry.cases.items() if case.kinks]
    return references(library, at, data, kinks=kinks)


def by_hand(entry: Entry) -> Callable[..., Any]:
    """The hand formula over all cases, as `jaxnets.parity.check` takes it."""

    def value_and_backward(at: Any, data: Any) -> Any:
        values, backwards = {}, {}
        for label, case in entry.cases.items():
            given = {**data[label], **case.options}
            values[label], backwards[label] = entry.adapt(entry.formula, at[label], **given)
        return values, lambda d_values: {
            label: backward(d_values[label]) for label, backward in backwards.items()
        }

    return value_and_backward
