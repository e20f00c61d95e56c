"""The error of one array, a leaf of a value or of a gradient, and what it is compared with.

Errors are measured in one way everywhere: for each element the absolute difference between the two
sides, divided by the scale of that element; the largest stands for the whole leaf, so neither the
error nor its tolerance grows with the leaf. The scale is that of `jaxnets.parity.conditioning`,
which an element brings itself however small it is. Where there is none, as for trained parameters
and for PyTorch, all elements are measured against the largest of their leaf, or against `FLOOR`
where that is less: there the rounding of terms that cancel shows.
"""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from jaxnets.errors import describe
from jaxnets.paths import named_leaves

__all__ = ["LeafError", "Reference", "leaf_error", "tree_errors"]

FLOOR = 1e-3
"""The size that smaller leaves without a scale are measured against."""


class LeafError(NamedTuple):
    """The distance of one leaf from its reference, at the element where it is largest.

    Attributes:
      leaf: Its path, such as ``"gradient/0/w"``.
      absolute: The absolute difference; infinite if a leaf is missing, has another shape or dtype,
        or is not finite in the same places as the reference.
      relative: The same, divided by the scale of the element.
      where: The index of the element.
      by_hand: The value there by hand, or what is wrong with the leaf.
      reference: The value there in the reference.
    """

    leaf: str
    absolute: float
    relative: float
    where: tuple[int, ...]
    by_hand: Any
    reference: Any


class Reference(NamedTuple):
    """One opinion on a value and its gradient, and the inputs that a formula gets to compare it.

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
    leaves: Mapping[str, Any]
    scales: Mapping[str, Any] = {}  # never written to
    allowed: Mapping[str, Any] = {}
    complete: bool = True

    def errors(self, found: Mapping[str, Any]) -> tuple[LeafError, ...]:
        """The leaves of a formula against these."""
        paths = dict.fromkeys([*self.leaves, *(found if self.complete else ())])
        return tuple(self.error(path, found.get(path)) for path in paths)

    def error(self, path: str, found: Any) -> LeafError:
        """The error of one leaf, None if the formula has no such leaf."""
        scale, allowed = self.scales.get(path), self.allowed.get(path, 0.0)
        return leaf_error(path, found, self.leaves.get(path), scale=scale, allowed=allowed)


def tree_errors(found: Any, expected: Any) -> tuple[LeafError, ...]:
    """The errors of all leaves of a pytree, each against its largest element."""
    return Reference("float64", (), None, named_leaves(expected)).errors(named_leaves(found))


def leaf_error(
    path: str, found: Any, expected: Any, *, scale: Any = None, allowed: Any = 0.0
) -> LeafError:
    """The error of the leaf by hand, or of None if there is no such leaf, and likewise expected.

    The scale is that of each element, or the largest of the leaf for all of them; what is allowed
    is an absolute difference.

    Example:
      >>> error = leaf_error("w", np.array([1.0, 2.5]), np.array([1.0, 2.0]))
      >>> error.relative, error.where, error.by_hand
      (0.25, (1,), 2.5)
    """
    if found is None or expected is None:
        return _mismatch(path, found, expected)
    expected = np.asarray(expected)
    # A Python number has no precision of its own, and takes that of the reference.
    found = expected.dtype.type(found) if isinstance(found, int | float) else found
    if np.shape(found) != expected.shape or getattr(found, "dtype", None) != expected.dtype:
        return _mismatch(path, found, expected)
    if not expected.size:
        return LeafError(path, 0.0, 0.0, (), None, None)
    found, scale = np.asarray(found), _largest(expected) if scale is None else scale
    differences, errors = _elementwise(found, expected, scale, allowed)
    index = np.unravel_index(np.argmax(errors), errors.shape)
    sizes, where = (float(differences[index]), float(errors[index])), tuple(map(int, index))
    return LeafError(path, *sizes, where, found[index].item(), expected[index].item())


def _elementwise(
    found: np.ndarray, expected: np.ndarray, scale: Any, allowed: Any
) -> tuple[np.ndarray, np.ndarray]:
    """The absolute and the relative difference of each element."""
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        differences = np.where(found == expected, 0, np.abs(found - expected))
        differences = np.where(np.isfinite(differences), differences, np.inf)
        errors = np.maximum(differences - allowed, 0) / scale
    return differences, np.where(np.isnan(errors), 0, errors)  # inf - inf: all is allowed


def _largest(expected: np.ndarray) -> float:
    """The largest finite element: beside an infinite one every other error would be nothing."""
    sizes = np.abs(expected, where=np.isfinite(expected), out=np.zeros_like(expected))
    return float(sizes.max(initial=FLOOR))


def _mismatch(path: str, found: Any, expected: Any) -> LeafError:
    """Two leaves that cannot be compared, or one without the other."""
    texts = ["nothing" if leaf is None else describe(leaf) for leaf in (found, expected)]
    return LeafError(path, math.inf, math.inf, (), *texts)
