"""The error of one array, a leaf of a value or of a gradient.

Errors are measured in one way everywhere. For each leaf the relative error is the largest absolute
difference between the two sides, divided by the largest absolute element of the reference; a leaf
whose elements are all below `FLOOR` is measured against that instead, as there the rounding of
terms that cancel shows. The largest element stands for the whole leaf, so neither the error nor
its tolerance grows with the leaf.
"""

import math
from typing import Any, NamedTuple

import numpy as np

from jaxnets.checks import describe
from jaxnets.training.paths import named_leaves

__all__ = ["FLOOR", "LeafError", "largest_error", "leaf_error", "leaves"]

FLOOR = 1e-3
"""The size that smaller leaves are measured against."""


class LeafError(NamedTuple):
    """How far one leaf is from its reference.

    Attributes:
      leaf: Its path, such as ``"gradient/0/w"``.
      absolute: The largest absolute difference; infinite if a leaf is missing, has another shape
        or dtype, or is not finite in the same places as the reference.
      relative: The same, relative to the largest element of the reference.
      where: At which index of the leaf.
      by_hand: The value there by hand, or what is wrong with the leaf.
      reference: The value there in the reference.
    """

    leaf: str
    absolute: float
    relative: float
    where: tuple[int, ...]
    by_hand: Any
    reference: Any


def leaves(**trees: Any) -> dict[str, Any]:
    """The leaves of pytrees by path; the path begins with the name of the tree."""
    return named_leaves(trees)


def leaf_error(path: str, found: Any, expected: Any) -> LeafError:
    """The error of one leaf; either is None if there is no such leaf on its side.

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
    found = np.asarray(found)
    with np.errstate(invalid="ignore", over="ignore"):
        differences = np.where(found == expected, 0, np.abs(found - expected))
    differences = np.where(np.isfinite(differences), differences, np.inf)
    index = np.unravel_index(np.argmax(differences), differences.shape)
    absolute = float(differences[index])
    # An infinite element counts no further: beside it every other error would be nothing.
    sizes = np.abs(expected, where=np.isfinite(expected), out=np.zeros_like(expected))
    return LeafError(
        path,
        absolute,
        absolute / float(sizes.max(initial=FLOOR)),
        tuple(int(i) for i in index),
        found[index].item(),
        expected[index].item(),
    )


def largest_error(found: Any, expected: Any) -> float:
    """The largest relative error of any leaf of a pytree."""
    ours, theirs = leaves(tree=found), leaves(tree=expected)
    paths = {*ours, *theirs}
    return max(leaf_error(path, ours.get(path), theirs.get(path)).relative for path in paths)


def _mismatch(path: str, found: Any, expected: Any) -> LeafError:
    """Two leaves that cannot be compared, or one without the other."""
    texts = ["nothing" if leaf is None else describe(leaf) for leaf in (found, expected)]
    return LeafError(path, math.inf, math.inf, (), *texts)
