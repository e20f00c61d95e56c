"""Looks at a run: what all watchers ask of them."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from jaxnets.plots.curves import middle
from jaxnets.training import History, Look

__all__ = ["SHARED", "Watcher", "begins", "joined", "medians", "tables"]

Watcher = Callable[[Look], Any]
"""``watch(look) -> answer``; a true one ends the run."""

SHARED = ("step", "epoch")
"""Columns that the members of a sweep have in common."""


def begins(look: Look) -> bool:
    """True if a look is the first of a run that begins at step 0."""
    return bool(len(look.history["step"]) and look.history["step"][0] == 0)


def joined(before: History, after: History) -> History:
    """Records one after the other."""
    if not (len(before.get("step", ())) and len(after.get("step", ()))):
        return after if len(after.get("step", ())) else before
    many = after["loss"].ndim - 1
    return History(
        {
            name: np.concatenate([before[name], column], axis=0 if name in SHARED else many)
            for name, column in after.items()
        }
    )


def tables(part: History) -> Iterator[dict[str, np.ndarray]]:
    """The records of each member of a sweep as a table, or those of the one network."""
    if "loss" not in part or part["loss"].ndim == 1:
        yield part
        return
    for member in range(len(part["loss"])):
        own = {name: part[name] if name in SHARED else part[name][member] for name in part}
        yield {"member": np.full(len(part["step"]), member), **own}


def medians(part: History) -> dict[str, np.ndarray]:
    """The scalars of each record, of a sweep the medians of what is finite."""
    if not len(part.get("step", ())):
        return {}
    many = "loss" in part and part["loss"].ndim > 1
    scalars = {name: column for name, column in part.items() if name not in SHARED}
    scalars = {name: column for name, column in scalars.items() if column.ndim == 1 + many}
    return {name: middle(column)[1] if many else column for name, column in scalars.items()}
