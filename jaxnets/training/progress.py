"""The networks of a run in blocks, and how far they have come."""

from typing import Any, NamedTuple

import numpy as np

from jaxnets.training.columns import Columns
from jaxnets.training.loop import Position
from jaxnets.training.program import Values
from jaxnets.training.step import TrainState

__all__ = ["Block", "Progress"]


class Block(NamedTuple):
    """All that is a network's own, or that of the members that are trained in lockstep.

    Attributes:
      key: PRNG key; of members an array of keys.
      values: Hyperparameters, likewise.
      params: Parameters to start from, or None to draw them.
      start: State and verdict to go on from, or None.
      diverged_at: The steps at which members diverged before that, or -1.
    """

    key: Any
    values: Values
    params: Any
    start: tuple[TrainState, Any] | None = None
    diverged_at: Any = -1


class Progress(NamedTuple):
    """The progress of a run, as a checkpoint holds it.

    Attributes:
      step: Steps made.
      positions: Where each block stands.
      diverged_at: The step at which a network diverged, or -1; one array per block.
      history: The records, ``[records]`` or ``[records, members]``.
      validation: The evaluations, likewise.
    """

    step: int
    positions: tuple[Position, ...]
    diverged_at: tuple[np.ndarray, ...]
    history: Columns
    validation: Columns
