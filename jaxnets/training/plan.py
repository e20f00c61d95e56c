"""A plan: all that is known of a run before its numbers, and what it is made from."""

from typing import Any, NamedTuple

from jaxnets.training.evaluation import Stop
from jaxnets.training.inputs import Seen
from jaxnets.training.program import EvalParams, Program
from jaxnets.training.trial import Trial

__all__ = ["Members", "Plan", "Settings", "Task"]


class Settings(NamedTuple):
    """The arguments of a run that its program depends on, as they were given."""

    steps: int | None
    epochs: int | None
    batch_size: int | None
    drop_last: bool
    metrics: Any
    validate_every: int | None
    record_every: int
    record_gradient_norm: bool
    eval_params: EvalParams | None
    stop: Stop | None


class Members(NamedTuple):
    """The members of a sweep: ``total`` of them, ``most`` in lockstep unless that is None."""

    total: int
    most: int | None


class Plan(NamedTuple):
    """All that is known of a run before its numbers.

    Attributes:
      program: What is compiled.
      trial: One trial, of the first hyperparameters.
      shapes: The shapes of the parameters of one network.
      size: Networks in lockstep.
      steps: Steps to make.
      predictions: The shapes of the predictions of the training and the validation inputs; None
        where there are none.
      tables: The shapes of the records and of the evaluations of a chunk.
      compiled_start: Whether the state before the first step is made by a compiled program.
      seen: Data whose targets were found good.
    """

    program: Program
    trial: Trial
    shapes: Any
    size: int
    steps: int
    predictions: tuple[Any, Any]
    tables: tuple[Any, Any]
    compiled_start: bool
    seen: Seen


class Task(NamedTuple):
    """A plan with what it works on, checked: arrays on the device, or None."""

    plan: Plan
    data: Any
    validation: Any
