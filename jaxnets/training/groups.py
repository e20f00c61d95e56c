"""The members of a sweep whose structure varies, in groups that share a program."""

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets.errors import require
from jaxnets.training.columns import SHARED, Columns
from jaxnets.training.history import History

if TYPE_CHECKING:  # a sweep holds groups
    from jaxnets.training.results import Sweep

__all__ = ["Group", "histories_of", "member_of", "outputs_of", "scores_of", "together"]


class Group(NamedTuple):
    """The members of a sweep that have one structure.

    Attributes:
      members: Their numbers in the whole sweep.
      values: Their structure: hyperparameters by name.
      sweep: What ``jn.sweep(functools.partial(trial, **values), ...)`` of them alone returns.
    """

    members: np.ndarray
    values: dict[str, Any]
    sweep: "Sweep"


def together(groups: Sequence[Group], function: Callable[["Sweep"], Any]) -> np.ndarray:
    """An array per group, ``[members, ...]``, as one of all in their order."""
    found = np.concatenate([np.asarray(function(group.sweep)) for group in groups])
    return np.take(found, _order(groups), axis=0)


def member_of(groups: Sequence[Group], number: int) -> tuple["Sweep", int]:
    """The sweep of the group that a member is in, and its number there."""
    for group in groups:
        places = np.flatnonzero(group.members == number)
        if len(places):
            return group.sweep, int(places[0])
    raise AssertionError(f"member {number} is in no group")


def outputs_of(groups: Sequence[Group], outputs: list[Any]) -> Any:
    """The outputs of each group's members, ``[members, ...]``, as one of all in their order."""
    kinds = [[leaf.shape[1:] for leaf in jax.tree.leaves(one)] for one in outputs]
    rule, got = "give outputs of one shape in every member", str(kinds)
    remedy = "Call group.sweep.predict(x) for each group of Sweep.groups."
    require(all(kind == kinds[0] for kind in kinds), "the models", rule, got, remedy)
    order = _order(groups)
    return jax.tree.map(lambda *leaves: jnp.concatenate(leaves)[order], *outputs)


def histories_of(groups: Sequence[Group], histories: Sequence[Columns]) -> History:
    """The records of all members: every step that any group recorded, NaN where one did not.

    A column whose entries have other shapes in other groups stays with the groups.
    """
    pairs = [(group.members, one) for group, one in zip(groups, histories, strict=True) if one]
    if not pairs:
        return History({})
    steps = np.unique(np.concatenate([one["step"] for _, one in pairs]))
    epochs = np.zeros_like(steps)
    for _, one in pairs:
        epochs[np.searchsorted(steps, one["step"])] = one["epoch"]
    placed = [(np.ix_(members, np.searchsorted(steps, one["step"])), one) for members, one in pairs]
    shape = (sum(len(group.members) for group in groups), len(steps))
    return History({"step": steps, "epoch": epochs, **_filled(placed, shape)})


def scores_of(groups: Sequence[Group]) -> Columns:
    """The scores of all members, NaN where a group has none."""
    placed = [(np.ix_(group.members), group.sweep.scores) for group in groups]
    return _filled(placed, (sum(len(group.members) for group in groups),))


def _order(groups: Sequence[Group]) -> np.ndarray:
    return np.argsort(np.concatenate([group.members for group in groups]))


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
