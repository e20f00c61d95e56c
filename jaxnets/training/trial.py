"""The triple that is trained, and functions of hyperparameters that return it."""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import optax

from jaxnets.errors import ArgumentTypeError, describe, fail
from jaxnets.model import Loss, Model
from jaxnets.training.alike import first_alike
from jaxnets.training.arguments import check_trial
from jaxnets.training.objective import Objective
from jaxnets.training.referred import Referred

__all__ = ["Bound", "Build", "Built", "Fixed", "Trial", "as_trial"]


class Trial(NamedTuple):
    """A model, a loss and an optimizer, in the order in which `fit` takes them.

    Attributes:
      model: The Model.
      loss: What is minimised: a loss or an `objective`.
      optimizer: How: an optax transformation.
    """

    model: Model
    loss: Loss | Objective
    optimizer: optax.GradientTransformation


def as_trial(trial: Any) -> Trial:
    """A trial of three parts that are what they must be."""
    if not isinstance(trial, tuple | list) or isinstance(trial, Model) or len(trial) != 3:
        rule, remedy = "be (model, loss, optimizer)", "Pass or return a tuple of the three."
        fail("trial", rule, describe(trial), remedy, error=ArgumentTypeError)
    check_trial(*trial)
    return Trial(*trial)


class Build(Protocol):
    """``build(**hyperparameters) -> Trial``."""

    def __call__(self, **values: Any) -> Trial:
        """The trial of these hyperparameters."""
        ...


class Fixed(NamedTuple):
    """A function of no hyperparameters that returns one trial; equal for equal trials.

    Attributes:
      trial: The trial.
      referred: What its functions read besides their arguments, or None where that is not asked.
    """

    trial: Trial
    referred: Referred | None = None

    def __call__(self, **values: Any) -> Trial:
        """The trial."""
        return self.trial

    def as_before(self) -> "Fixed":
        """The same of the parts that were seen first of those that are alike."""
        return self._replace(trial=Trial(*map(first_alike, self.trial)))


class Built(NamedTuple):
    """A function of hyperparameters that returns a trial; equal for equal functions.

    Attributes:
      function: It.
      referred: As in `Fixed`.
    """

    function: Callable[..., Any]
    referred: Referred | None = None

    def __call__(self, **values: Any) -> Trial:
        """The trial of these hyperparameters."""
        return as_trial(self.function(**values))

    def as_before(self) -> "Built":
        """The same of the function that was seen first of those that are alike."""
        return self._replace(function=first_alike(self.function))


class Bound(NamedTuple):
    """A function of hyperparameters of which some are given; equal for equal values.

    Attributes:
      function: It.
      values: Those that are given, by name. `Referred` tells ``True`` from 1.
    """

    function: Callable[..., Any]
    values: tuple[tuple[str, Any], ...]

    def __call__(self, **values: Any) -> Any:
        """What the function makes of these hyperparameters and those that are given."""
        return self.function(**dict(self.values), **values)
