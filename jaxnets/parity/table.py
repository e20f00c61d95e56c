"""The parity table: every row of it, by name."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from jaxnets import activations, combinators, layers, losses
from jaxnets.parity.compare import compare
from jaxnets.parity.entries import Entry, by_hand, entries, entry_references
from jaxnets.parity.finding import tutorial_row
from jaxnets.parity.formulas import OPTIMIZERS
from jaxnets.parity.report import TOLERANCES
from jaxnets.parity.row import Row, missing_row
from jaxnets.parity.torch_reference import torch_reference
from jaxnets.parity.training_runs import TRAINING, training_row
from jaxnets.parity.update_rules import optimizer_row

__all__ = ["public_names", "row_makers", "rows"]

COLUMN_OF = {
    "autodiff float64": "float64",
    "autodiff float32": "float32",
    "central differences": "differences",
    "PyTorch": "PyTorch",
}
"""The column of each reference."""

WORKERS = 2
"""Rows made at a time: nearly all the time goes into compiling, which runs beside Python."""


def public_names() -> dict[str, str]:
    """The kind of every public function that must have a hand formula, by name."""
    kinds = {
        "activation": activations.__all__,
        "loss": losses.__all__,
        "layer": [*layers.__all__, *combinators.__all__],
    }
    return {name: kind for kind, names in kinds.items() for name in names}


def row_makers(*, torch: bool) -> dict[str, Callable[[], Row]]:
    """What makes each row of the table, in its order.

    Args:
      torch: Whether to compare with PyTorch too.
    """
    found = entries()
    makers: dict[str, Callable[[], Row]] = {
        name: partial(missing_row, name, kind)
        for name, kind in public_names().items()
        if name not in found
    }
    makers |= {name: partial(_entry_row, entry, torch=torch) for name, entry in found.items()}
    makers |= {name: partial(optimizer_row, name, torch=torch) for name in OPTIMIZERS}
    makers |= {name: partial(training_row, name, torch=torch) for name in TRAINING}
    return {**makers, "tutorial": tutorial_row}


def rows(names: Sequence[str] = (), *, torch: bool = False) -> Iterator[Row]:
    """The rows of the table as they are ready, in order.

    Args:
      names: Only these, or all.
      torch: Whether to compare with PyTorch too.
    """
    makers = row_makers(torch=torch)
    chosen = [makers[name] for name in names or makers]
    with ThreadPoolExecutor(WORKERS) as pool:
        yield from pool.map(lambda make: make(), chosen)


def _entry_row(entry: Entry, *, torch: bool) -> Row:
    """All references of an entry in one row."""
    references = list(entry_references(entry))
    if torch and (theirs := torch_reference(entry, references[0])):
        references.append(theirs)
    report = compare(entry.name, by_hand(entry), references)
    errors = {COLUMN_OF[part.reference]: part.worst.relative for part in report.comparisons}
    tolerances = {COLUMN_OF[reference]: limit for reference, limit in TOLERANCES.items()}
    return Row(entry.name, entry.kind, entry.compared, errors, tolerances)
