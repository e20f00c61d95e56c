"""One line of the parity table."""

import math
from typing import NamedTuple

__all__ = ["COLUMNS", "Row", "missing_row"]

COLUMNS = ("float64", "float32", "differences", "PyTorch")
"""Float64 and float32 against autodiff (update rules: against optax), float64 against central
differences, and float64 against PyTorch."""


class Row(NamedTuple):
    """What was compared and how far the two sides are apart.

    Attributes:
      name: What the hand formula is of.
      kind: ``"activation"``, ``"loss"``, ``"layer"``, ``"network"``, ``"optimizer"``,
        ``"training"`` or ``"finding"``.
      compared: In a few words what was compared.
      errors: The largest relative error by column; a column that does not apply is left out.
      tolerances: The largest error that passes, by column.
      note: A sentence on what was found, or nothing.
    """

    name: str
    kind: str
    compared: str
    errors: dict[str, float]
    tolerances: dict[str, float]
    note: str = ""

    @property
    def ok(self) -> bool:
        """Whether something was compared, and all of it is within its tolerance."""
        return bool(self.errors) and all(
            error <= self.tolerances[column] for column, error in self.errors.items()
        )

    def as_json(self) -> dict[str, object]:
        """The row as JSON can hold it: an error that is not finite is a text."""
        errors = {name: self.errors.get(name) for name in COLUMNS}
        return {
            **self._asdict(),
            "errors": {
                name: error if error is None or math.isfinite(error) else str(error)
                for name, error in errors.items()
            },
            "ok": self.ok,
        }


def missing_row(name: str, kind: str) -> Row:
    """The row of a public function that nobody has differentiated by hand."""
    return Row(name, kind, "NO HAND FORMULA", {}, {})
