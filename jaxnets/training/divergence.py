"""What is raised when a run stops being finite."""

from typing import TYPE_CHECKING, Any

import numpy as np

from jaxnets.training.paths import named_leaves

if TYPE_CHECKING:
    from jaxnets.training.fit import Fit

__all__ = ["TrainingDiverged", "first_bad_path"]


class TrainingDiverged(ArithmeticError):
    """A loss, a gradient or an updated parameter stopped being finite.

    Attributes:
      step: The step at which that happened.
      loss: The last recorded loss before it, or None if there is none.
      path: The first parameter whose gradient was not finite there, such as ``"0/w"``, or else
        whose update was not; None if the loss alone was not finite.
      state: The last finite state, before that step's update.
      result: The `Fit` up to it, with everything recorded and status ``"diverged"``.
    """

    def __init__(self, result: "Fit", path: str | None) -> None:
        self.result = result
        self.state = result.state
        self.path = path
        self.step = int(result.state.step)
        losses = result.history["loss"]
        self.loss = float(losses[-1]) if len(losses) else None
        before = "no loss was recorded before" if self.loss is None else f"last loss {self.loss:g}"
        where = "the loss" if path is None else f"parameter {path}"
        super().__init__(
            f"fit: {where} stopped being finite at step {self.step} ({before}). Lower the "
            "learning rate or check the data; error.result holds the run up to there."
        )


def first_bad_path(tree: Any) -> str | None:
    """The name of the first leaf that holds a non-finite number."""
    for name, leaf in named_leaves(tree).items():
        if not np.isfinite(np.asarray(leaf)).all():
            return name
    return None
