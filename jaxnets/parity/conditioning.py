"""The scale that each element is measured against: its size, or what rounding does to it.

A number cannot be known better than its inputs. If those are off by one part in 10^16, as rounding
leaves them, an element y is off by that part of c, the change of y when all inputs change by some
part of themselves, over that part. So an element may be off by

  tolerance |y|          or by         ULPS eps c

where eps is the rounding of one operation, and the scale is the larger of the two over the
tolerance. Where terms cancel, as in the gradient of a normalisation, c is as large as the terms.
In a tail, where y = e^-100, both are as small as y: nothing there is lost in the company of larger
elements, and a formula that gives 0 instead is wrong by its whole size.
"""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

__all__ = ["conditions", "scale_of"]

ULPS = 16
"""Roundings of its inputs that an element may be off by."""

PART = 1e-9
"""The part by which inputs change."""

FURTHER = 8
"""The second change in parts of the first: what moves as much for both is a jump, no slope."""

DIRECTIONS = 6
"""Changes tried, each of another half of the inputs."""

Leaves = Mapping[str, Any]


def conditions(function: Callable[..., Leaves], inputs: Any, here: Leaves) -> dict[str, np.ndarray]:
    """The change c of each element of the leaves that ``function(*inputs)`` returns.

    It is 0 at a jump, as that of a derivative at a kink.

    Args:
      function: It returns arrays in float64 by path.
      inputs: Its arguments: pytrees of arrays, of which those that are floating are changed.
      here: Its result for them.
    """
    near, far = (_changes(function, inputs, here, part) for part in (PART, FURTHER * PART))
    return {path: np.where(near[path] > 2 * far[path], 0, far[path]) for path in here}


def scale_of(leaf: Any, condition: np.ndarray, tolerance: float) -> np.ndarray:
    """The scale of each element of a leaf.

    Example:
      >>> scale_of(np.array([1.0, 1e-13]), np.array([0.0, 1.0]), tolerance=1e-12).tolist()
      [1.0, 0.003552713678800501]
    """
    info = np.finfo(leaf.dtype)
    size = np.where(np.isfinite(leaf), np.abs(leaf), 0).astype(np.float64)
    # Below the third number elements lose digits because products of them vanish.
    least = float(info.tiny) / float(info.eps)
    return np.maximum(np.maximum(size, ULPS * float(info.eps) / tolerance * condition), least)


def _changes(
    function: Callable[..., Leaves], inputs: Any, here: Leaves, part: float
) -> dict[str, np.ndarray]:
    """The largest change of each element, over the part that inputs changed by.

    Inputs only shrink, since probabilities may not exceed 1.
    """
    rng = np.random.default_rng(0)

    def shrunk(leaf: Any) -> Any:
        if not jnp.issubdtype(leaf.dtype, jnp.floating):
            return leaf
        return np.asarray(leaf * (1 - part * rng.integers(0, 2, leaf.shape)))

    largest = {path: np.zeros(np.shape(leaf)) for path, leaf in here.items()}
    with np.errstate(invalid="ignore", over="ignore"):
        for _ in range(DIRECTIONS):
            moved = function(*jax.tree.map(shrunk, inputs))
            for path, leaf in here.items():
                change = np.abs(moved[path] - leaf) / part
                largest[path] = np.maximum(largest[path], np.where(np.isfinite(change), change, 0))
    return largest
