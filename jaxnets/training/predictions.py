"""Predictions held against what loss and metrics take: logits are no probabilities, for one."""

import functools
import weakref
from typing import Any

import jax
import numpy as np

from jaxnets.contracts.calls import reads_values
from jaxnets.errors import inside
from jaxnets.training.evaluation import Evaluation
from jaxnets.training.fitting import check_targets, judges
from jaxnets.training.loop import Position
from jaxnets.training.program import Program, Values
from jaxnets.training.trial import Trial

__all__ = ["check_evaluated_predictions", "check_first_predictions"]

MOST_TRIED = 1024
"""Examples whose first predictions are looked at, at most."""

_tried: "weakref.WeakValueDictionary[int, Program]" = weakref.WeakValueDictionary()
"""Programs whose first predictions were right: those of a second run are of the same kind."""


def check_first_predictions(
    program: Program, trial: Trial, position: Position, values: Values, data: Any
) -> None:
    """Raise where predictions before the first step are not what the loss takes.

    Args:
      program: The program of the run; looked at once.
      trial: Its trial.
      position: Where the first block stands.
      values: The hyperparameters of that block.
      data: What it learns from.
    """
    losses = judges(trial, None)
    if _tried.get(id(program)) is program or not any(map(reads_values, losses)):
        return
    many = len(jax.tree.leaves(data)[0]) > MOST_TRIED
    # A loss that was given options may have one weight for each of all examples.
    if not (many and isinstance(losses[0], functools.partial)):
        some = jax.tree.map(lambda leaf: leaf[:MOST_TRIED], data) if many else data
        _check(program, trial, position, values, some, None)
    _tried[id(program)] = program


def check_evaluated_predictions(
    program: Program, trial: Trial, position: Position, values: Values, validation: Any
) -> None:
    """Raise where predictions of the validation are not what loss and metrics take."""
    evaluation = program.evaluation
    if evaluation is not None and any(map(reads_values, judges(trial, evaluation))):
        with inside("validation"):
            _check(program, trial, position, values, validation, evaluation)


def _check(
    program: Program,
    trial: Trial,
    position: Position,
    values: Values,
    data: Any,
    evaluation: Evaluation | None,
) -> None:
    params = program.outcome(position)[1]
    if program.members is not None:
        params, values = jax.tree.map(lambda leaf: leaf[0], (params, values))
    predictions = program.predictions(params, values, data[0])
    # Those of a run that diverges mean nothing anyway.
    if all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(predictions)):
        check_targets(trial, evaluation, predictions, data)
