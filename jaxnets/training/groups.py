"""What the groups of a sweep have, one part per structure, as one of all members in their order.

A part holds the members of a group; ``members`` are their numbers in the whole sweep.
"""

import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets.errors import require
from jaxnets.training.columns import SHARED, Columns
from jaxnets.training.history import History

__all__ = ["Members", "histories_of", "outputs_of", "place_of", "scores_of", "together"]

Members = Sequence[np.ndarray]
"""The numbers of the members of each group."""


def together(members: Members, parts: Sequence[Any]) -> np.ndarray:
    """Arrays of ``[members, ...]``."""
    return np.take(np.concatenate([np.asarray(part) for part in parts]), _order(members), axis=0)


def place_of(members: Members, number: int) -> tuple[int, int]:
    """The number of the group that a member is in, and the member's number there."""
    group = next(place for place, own in enumerate(members) if number in own)
    return group, int(np.flatnonzero(members[group] == number)[0])


def outputs_of(members: Members, outputs: Sequence[Any]) -> Any:
    """Outputs of models, pytrees of arrays of ``[members, ...]``."""
    kinds = [[leaf.shape[1:] for leaf in jax.tree.leaves(one)] for one in outputs]
    rule, got = "give outputs of one shape in every member", str(kinds)
    remedy = "Call group.sweep.predict(x) for each group of Sweep.groups."
    require(all(kind == kinds[0] for kind in kinds), "the models", rule, got, remedy)
    order = _order(members)
    return jax.tree.map(lambda *leaves: jnp.concatenate(leaves)[order], *outputs)


def histories_of(members: Members, histories: Sequence[Columns]) -> History:
    """Records: every step that any group recorded, NaN where one did not.

    A column whose entries have other shapes in other groups stays with the groups.
    """
    pairs = [(own, one) for own, one in zip(members, histories, strict=True) if one]
    if not pairs:
        return History({})
    steps = np.unique(np.concatenate([one["step"] for _, one in pairs]))
    epochs = np.zeros_like(steps)
    for _, one in pairs:
        epochs[np.searchsorted(steps, one["step"])] = one["epoch"]
    placed = [(np.ix_(own, np.searchsorted(steps, one["step"])), one) for own, one in pairs]
    columns = _filled(placed, (sum(map(len, members)), len(steps)))
    return History({"step": steps, "epoch": epochs, **columns})


def scores_of(members: Members, scores: Sequence[Columns]) -> Columns:
    """Scores, NaN where a group has none."""
    placed = [(np.ix_(own), one) for own, one in zip(members, scores, strict=True)]
    return _filled(placed, (sum(map(len, members)),))


def _order(members: Members) -> np.ndarray:
    return np.argsort(np.concatenate(members))


def _filled(placed: list[tuple[Any, Columns]], shape: tuple[int, ...]) -> Columns:
    """Columns of this shape, whose parts go where they are placed."""
    names = dict.fromkeys(name for _, one in placed for name in one if name not in SHARED)
    filled = {}
    for name in names:
        parts = [(place, one[name]) for place, one in placed if name in one]
        own = {part.shape[len(shape) :] for _, part in parts}
        if len(own) == 1:
            filled[name] = _put(parts, (*shape, *own.pop()))
    return filled


def _put(parts: list[tuple[Any, np.ndarray]], shape: tuple[int, ...]) -> np.ndarray:
    """An array of this shape with parts in their places, and NaN elsewhere."""
    dtype = np.result_type(*(part for _, part in parts))
    missing = sum(part.size for _, part in parts) < math.prod(shape)
    if missing:  # NaN turns integers into floats
        dtype = np.promote_types(dtype, np.float32)
    whole = np.full(shape, math.nan if missing else 0, dtype)
    for place, part in parts:
        whole[place] = part
    return whole
