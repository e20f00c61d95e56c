"""What a run learns from and for how long: the arguments that `fit` and `sweep` have in common."""

from typing import Any, NamedTuple

from jaxnets.checks import check_flag, check_integer, fail
from jaxnets.training.batching import Batching, make_batching
from jaxnets.training.evaluation import Evaluation, make_evaluation
from jaxnets.training.inputs import load_data
from jaxnets.training.loop import MOST_STEPS

__all__ = ["Task", "load_task"]


class Task(NamedTuple):
    """Data on the device and what is to be done with them, checked.

    Attributes:
      data: Inputs and targets.
      validation: The same to evaluate on, or None.
      batching: How an epoch is dealt out.
      steps: Updates to make.
      evaluation: What an evaluation computes, or None.
    """

    data: tuple[Any, Any]
    validation: tuple[Any, Any] | None
    batching: Batching
    steps: int
    evaluation: Evaluation | None


def load_task(
    function: str,
    model: Any,
    loss: Any,
    data: Any,
    *,
    steps: Any,
    epochs: Any,
    batch_size: Any,
    drop_last: Any,
    validation: Any,
    metrics: Any,
    stop: Any,
    validate_every: Any,
) -> Task:
    """Loads and checks the arguments of these names of ``function``, `fit` or `sweep`."""
    data = load_data(function, data)
    drop_last = check_flag(function, "drop_last", drop_last)
    batching = make_batching(function, data, batch_size, drop_last=drop_last)
    steps = _count_steps(function, steps, epochs, batching)
    if validation is not None:
        validation = load_data(function, validation, argument="validation")
    evaluation = make_evaluation(
        function, model, loss, metrics, validation, batching, stop, validate_every
    )
    return Task(data, validation, batching, steps, evaluation)


def _count_steps(function: str, steps: int | None, epochs: int | None, batching: Batching) -> int:
    """The number of steps, from whichever of ``steps`` and ``epochs`` is given."""
    if (steps is None) == (epochs is None):
        fail(
            function,
            "steps",
            "be given, or epochs, and not both",
            "neither" if steps is None else "both",
            "Pass steps=1000, for example.",
        )
    name, value, each = "steps", steps, 1
    if steps is None:
        name, value, each = "epochs", epochs, batching.per_epoch
    count = check_integer(function, name, value, minimum=1)
    if count > (most := MOST_STEPS // each):
        remedy = f"Pass {name}={most}, and go on from its params in another run."
        fail(function, name, f"be at most {most}", count, remedy)
    return count * each
