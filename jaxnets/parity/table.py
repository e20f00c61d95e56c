"""The parity table: every row of it, by name."""

import importlib.metadata
import importlib.util
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from jaxnets import activations, combinators, layers, losses
from jaxnets.parity.compare import compare
from jaxnets.parity.entries import Entry, by_hand, entries, entry_references
from jaxnets.parity.formulas import OPTIMIZERS
from jaxnets.parity.report import Report
from jaxnets.parity.rows import TRAINING, optimizer_row, training_row, tutorial_row

__all__ = ["row_makers", "rows", "torch_version"]

WORKERS = 2
"""Rows made at a time: nearly all the time goes into compiling, which runs beside Python."""


def torch_version() -> str | None:
    """PyTorch's version, or None if it is not installed; found out without importing it."""
    if importlib.util.find_spec("torch") is None:
        return None
    return importlib.metadata.version("torch")


def row_makers(*, torch: bool) -> dict[str, Callable[[], Report]]:
    """The maker of each row of the table, in its order; with PyTorch's column or without."""
    found = entries()
    needed = {
        "activation": activations.__all__,
        "loss": losses.__all__,
        "layer": [*layers.__all__, *combinators.__all__],
    }
    makers: dict[str, Callable[[], Report]] = {
        name: partial(Report, name, kind, {}, "NO HAND FORMULA")
        for kind, names in needed.items()
        for name in names
        if name not in found
    }
    makers |= {name: partial(_entry_row, entry, torch=torch) for name, entry in found.items()}
    makers |= {name: partial(optimizer_row, name, torch=torch) for name in OPTIMIZERS}
    makers |= {name: partial(training_row, name, torch=torch) for name in TRAINING}
    return {**makers, "tutorial": tutorial_row}


def rows(names: Sequence[str] = (), *, torch: bool = False) -> Iterator[Report]:
    """The rows of those names, or all, as they are ready, in order."""
    makers = row_makers(torch=torch)
    chosen = [makers[name] for name in names or makers]
    with ThreadPoolExecutor(WORKERS) as pool:
        yield from pool.map(lambda make: make(), chosen)


def _entry_row(entry: Entry, *, torch: bool) -> Report:
    """All references of an entry in one row."""
    references = list(entry_references(entry))
    if torch:
        from jaxnets.parity.torch_reference import torch_reference

        theirs = torch_reference(entry, references[0])
        references += [theirs] if theirs else []
    compared = ", ".join(entry.cases)
    return compare(entry.name, by_hand(entry), references, kind=entry.kind, compared=compared)
