"""One opinion on a value and its gradient, which a hand formula is compared with."""

from typing import Any, NamedTuple

import numpy as np

from jaxnets.parity.leaves import LeafError, leaf_error

__all__ = ["Reference"]


class Reference(NamedTuple):
    """Expected leaves, and the inputs that a formula gets to be compared with them.

    Attributes:
      column: A column of the table.
      inputs: ``(at, *args)`` in the precision of that column, as NumPy arrays.
      cotangent: The factors that turn the value into the scalar sum(cotangent * value), whose
        gradient is compared; 1 if the value is a scalar.
      leaves: The expected arrays by path, ``value/...`` and ``gradient/...``.
      scales: The scale of each of their elements; a leaf without one has its largest element.
      allowed: The absolute difference of each element that is no error, where there is one.
      complete: True if these are all leaves that there may be.
    """

    column: str
    inputs: tuple[Any, ...]
    cotangent: Any
    leaves: dict[str, Any]
    scales: dict[str, Any]
    allowed: dict[str, Any] = {}  # noqa: RUF012 # never written to
    complete: bool = True

    @property
    def dtype(self) -> Any:
        """The precision of the column."""
        return np.float32 if self.column == "float32" else np.float64

    def error(self, path: str, found: Any) -> LeafError:
        """The error of one leaf, None if the formula has no such leaf."""
        scale, allowed = self.scales.get(path), self.allowed.get(path, 0.0)
        return leaf_error(path, found, self.leaves.get(path), scale=scale, allowed=allowed)
