"""The errors that end a run and carry its result."""

from typing import Any

import numpy as np

from jaxnets.paths import named_leaves
from jaxnets.training.results import Fit, Sweep

__all__ = ["TrainingDiverged", "TrainingInterrupted", "diverged"]


class TrainingDiverged(ArithmeticError):
    """A loss, a gradient, an updated parameter or the optimizer's state stopped being finite.

    A step counts as diverged by what stays: if a parameter or a number of the optimizer's state is
    not finite after it. It also does if its loss is not finite, unless it left the parameters as
    they were, as an optimizer that skips bad steps does, or had no gradient.

    Attributes:
      step: The step at which that happened.
      loss: The loss of the step before it, or None if it was the first one.
      path: The first parameter, in the order of the names with numbers by value, whose gradient
        was not finite there, such as ``"0/w"``, or else whose update was not; None if neither
        was so for any.
      state: The last finite state, before that step's update.
      result: The `Fit` up to it, with everything recorded and status ``"diverged"``.
    """

    def __init__(
        self, result: Fit, path: str | None = None, loss: float | None = None, what: str = ""
    ) -> None:
        self._arguments = (result, path, loss, what)
        self.result = result
        self.state = result.state
        self.path = path
        self.loss = loss
        self.step = int(result.state.step)
        before = "no loss before" if loss is None else f"loss before {loss:g}"
        remedy = "Lower the learning rate or check the data"
        if not self.step:
            remedy = (
                "Look at loss(model.apply(params, x), y) outside of jit, where labels, indices "
                "and probabilities out of range are named, or lower the learning rate"
            )
        super().__init__(
            f"fit: {what or 'the loss'} stopped being finite at step {self.step} ({before}). "
            f"{remedy}; error.result holds the run up to there."
        )

    def __reduce__(self) -> Any:
        """Made again from what it was made from, so that it crosses between processes."""
        return type(self), self._arguments


class TrainingInterrupted(KeyboardInterrupt):
    """Ctrl-C ended a run, once its checkpoint was saved if it has one.

    Attributes:
      result: The `Fit` or the `Sweep` up to there, with status ``"interrupted"`` or, if the signal
        came as it ended, the one that it ended with; None if it was still being prepared.
    """

    def __init__(self, result: Fit | Sweep | None) -> None:
        self.result = result
        if result is None:
            super().__init__("interrupted before the first step could be made")
            return
        steps = int(np.max(np.asarray(result.state.step)))
        super().__init__(f"interrupted after {steps} steps; error.result holds the run up to there")

    def __reduce__(self) -> Any:
        return type(self), (self.result,)


def diverged(
    result: Fit, before: float | None, loss: Any, gradient: Any, updated: Any
) -> TrainingDiverged:
    """The error for a run whose next step would not be finite.

    Args:
      result: The run up to its last finite state.
      before: The loss of the step before, or None.
      loss: The loss of the step.
      gradient: Its gradient.
      updated: The parameters after it.
    """
    what = [] if np.isfinite(loss) else ["the loss"]
    path = None
    if bad := _bad_paths(gradient):
        path = bad[0]
        what.append(f"the gradient of {path}" + _others(bad))
    elif bad := _bad_paths(updated):
        path = bad[0]
        what.append(f"parameter {path}" + _others(bad))
    return TrainingDiverged(result, path, before, " and ".join(what) or "the optimizer's state")


def _others(bad: list[str]) -> str:
    return f" (and {len(bad) - 1} more)" if len(bad) > 1 else ""


def _bad_paths(tree: Any) -> list[str]:
    """The names of the leaves that hold a non-finite number, layer 2 before layer 10."""
    bad = [name for name, leaf in named_leaves(tree).items() if not np.isfinite(leaf).all()]
    return sorted(bad, key=_by_number)


def _by_number(name: str) -> list[tuple[int, str]]:
    """Sorts the parts of a path that are numbers by their values."""
    parts = name.split("/")
    return [(int(part) if part.isdecimal() else -1, part) for part in parts]
