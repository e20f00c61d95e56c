"""A row of the parity table: the errors of a formula, and those that pass."""

import math
from typing import NamedTuple

import numpy as np

from jaxnets.parity.leaves import LeafError

__all__ = ["COLUMNS", "TOLERANCES", "Report"]

COLUMNS = ("float64", "float32", "differences", "PyTorch")
"""Float64 and float32 against autodiff (update rules: against optax), float64 against central
differences, and float64 against PyTorch."""

_FORMULA = {
    "float64": 1e-12,
    "float32": 16 * float(np.finfo(np.float32).eps),
    "differences": 1e-7,
    "PyTorch": 1e-12,
}

TOLERANCES: dict[str, dict[str, float]] = {
    **dict.fromkeys(["activation", "function", "layer", "loss", "network"], _FORMULA),
    "optimizer": {"float64": 1e-12, "float32": 1e-5, "PyTorch": 1e-12},
    "training": {"float64": 1e-9, "float32": 1e-3, "PyTorch": 1e-9},
    "finding": {"float64": 1e-5},
}
"""The largest relative error that passes, by the kind of the row and by column.

A formula in float32 may be off by 16 units in the last place of each element, or of what it is
made of (see `jaxnets.parity.conditioning`); central differences in float64 keep 10 digits at best.
An update rule adds up the rounding of 1000 steps, and that of a run over 10,001 steps grows as
`jaxnets.parity.rows.training_runs.train_by_hand` says. The course's own rule is off the gradient by
the 1e-7 that it adds.
"""


class Report(NamedTuple):
    """The errors of a hand formula by reference. ``print(report)`` shows every leaf.

    Attributes:
      name: The function that the formula is of.
      kind: A key of `TOLERANCES`; that of functions outside the library is ``"function"``.
      errors: The errors of all leaves by column; a column that does not apply is left out.
      compared: The cases or the path compared, in a few words.
      note: A sentence on what was found, or nothing.
    """

    name: str
    kind: str
    errors: dict[str, tuple[LeafError, ...]]
    compared: str = ""
    note: str = ""

    @property
    def worst(self) -> dict[str, LeafError]:
        """The leaf with the largest relative error, by column."""
        return {
            column: max(errors, key=lambda error: error.relative)
            for column, errors in self.errors.items()
        }

    @property
    def ok(self) -> bool:
        """True if something was compared, and all of it is within its tolerance."""
        tolerances = TOLERANCES[self.kind]
        return bool(self.errors) and all(
            error.relative <= tolerances[column] for column, error in self.worst.items()
        )

    def __str__(self) -> str:
        """The verdict and the errors of every leaf, one per line."""
        lines = [f"{self.name}: {'ok' if self.ok else 'WRONG'}"]
        for column, errors in self.errors.items():
            lines.append(f"  {column} (tolerance {TOLERANCES[self.kind][column]:.0e} relative)")
            width = max(len(error.leaf) for error in errors)
            for error in errors:
                sizes = f"{error.absolute:.1e} absolute  {error.relative:.1e} relative"
                place = f"at {error.where}: {error.by_hand}, reference {error.reference}"
                lines.append(f"    {error.leaf:{width}}  {sizes}  {place}")
        return "\n".join(lines)

    def as_json(self) -> dict[str, object]:
        """The row as JSON can hold it: an error that is not finite is a text."""
        worst = {column: error.relative for column, error in self.worst.items()}
        sizes = {c: size if math.isfinite(size) else str(size) for c, size in worst.items()}
        return {
            "name": self.name,
            "kind": self.kind,
            "compared": self.compared,
            "errors": {column: sizes.get(column) for column in COLUMNS},
            "tolerances": TOLERANCES[self.kind],
            "note": self.note,
            "ok": self.ok,
        }
