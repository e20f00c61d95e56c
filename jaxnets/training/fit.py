"""Training: a run is one compiled program, looked at between its chunks."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import optax

from jaxnets.checks import check_choice, check_integer, fail
from jaxnets.model import Loss, Model, Params
from jaxnets.training.batching import Batching, make_batching
from jaxnets.training.checkpoint import Checkpoint, check_checkpoint
from jaxnets.training.divergence import diverged
from jaxnets.training.evaluation import (
    Best,
    Stop,
    make_evaluation,
    no_best,
    steps_between_evaluations,
)
from jaxnets.training.history import History
from jaxnets.training.host import Ended, Run, run_on_host
from jaxnets.training.inputs import check_run, load_data
from jaxnets.training.loop import Schedule
from jaxnets.training.optimizers import Freeze, wrapped_optimizer
from jaxnets.training.program import Program, initial_state, loss_and_gradient_at, run_chunk
from jaxnets.training.resume import run_identity
from jaxnets.training.step import TrainState, ValueAndGrad

__all__ = ["Fit", "fit"]

CAPACITY = 4096
"""Records held on the device before the host collects them."""


class Fit(NamedTuple):
    """The result of a run.

    Attributes:
      params: The trained parameters; with ``stop=Stop(patience=...)`` those of the best
        evaluation, else the last ones.
      opt_state: The optimizer's state at the end.
      history: What was recorded: ``"step"``, ``"epoch"``, ``"loss"`` and, if asked for,
        ``"gradient_norm"``.
      validation: What the evaluations gave: ``"step"`` and ``"epoch"``, the updates and epochs
        made by then, ``"loss"`` and the metrics. Empty without validation data.
      state: The whole `TrainState` at the end.
      status: ``"completed"``, ``"diverged"``, or why it stopped early: ``"patience"``,
        ``"target"`` or ``"seconds"``.
      seconds: Wall time by part: ``"compile"`` (tracing, compiling and initialising) and
        ``"run"``.
    """

    params: Params
    opt_state: Any
    history: History
    validation: History
    state: TrainState
    status: str
    seconds: dict[str, float]


def fit(
    model: Model,
    loss: Loss,
    optimizer: optax.GradientTransformation,
    data: tuple[Any, Any],
    *,
    key: jax.Array,
    steps: int | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    drop_last: bool = False,
    params: Params | None = None,
    validation: tuple[Any, Any] | None = None,
    metrics: Mapping[str, Callable[[Any, Any], jax.Array]] | None = None,
    validate_every: int | None = None,
    record_every: int = 1,
    record_gradient_norm: bool = False,
    stop: Stop | None = None,
    clip_norm: float | None = None,
    accumulate: int = 1,
    freeze: Freeze | None = None,
    value_and_grad: ValueAndGrad | None = None,
    checkpoint: Checkpoint | None = None,
    on_divergence: str = "raise",
    progress: bool = False,
) -> Fit:
    """Trains a model.

    The run is compiled whole. The host looks in between chunks of steps and nothing calls back
    from inside. A second run with the same model, loss, optimizer and metric *objects* and data
    of the same shapes compiles nothing, whatever its steps, key and data.

    Args:
      model: The Model to train.
      loss: A loss under the library's contract, or any scalar ``loss(predictions, targets)``.
      optimizer: An optax transformation.
      data: Inputs and targets ``(x, y)``, arrays or pytrees of arrays of equal length.
      key: PRNG key of the run: makes the parameters, shuffles the data and drives what is
        random in the model.
      steps: The number of updates; or
      epochs: the number of passes over the data.
      batch_size: Examples in a batch; None takes all of them at every step. Every epoch is a
        fresh permutation.
      drop_last: Whether to leave out the smaller batch that ends an epoch.
      params: Parameters to start from, instead of drawing them.
      validation: Data to evaluate the model on, as ``data``.
      metrics: ``metric(predictions, targets)`` by name, evaluated with the validation loss.
      validate_every: Evaluate every so many records; None evaluates after every epoch (with
        full batches, after every record).
      record_every: Steps between records; the first step is always recorded. The loss recorded
        for a step is the one before that step's update.
      record_gradient_norm: Whether to record the Euclidean norm of the gradient too.
      stop: When the run may end early.
      clip_norm: Scale gradients down to this norm where theirs is larger.
      accumulate: Average the gradients of so many steps for one update.
      freeze: ``freeze(path) -> bool`` says which parameters stay as they are, weight decay
        included; a path reads ``"0/w"``.
      value_and_grad: ``(params, x, y) -> (loss, gradient)`` in place of autodiff.
      checkpoint: Where to save the run as it goes; a run that finds one there resumes it.
      on_divergence: ``"raise"``, or ``"return"`` the run up to there with status
        ``"diverged"``.
      progress: Whether to draw a progress bar on standard error.

    Returns:
      A `Fit`.

    Raises:
      ValueError: If lengths differ, data are empty or not finite, a label is out of range, a
        batch is larger than the data, both or neither of steps and epochs are given, or
        ``params`` are not of this model; all before anything is compiled.
      TypeError: If an argument has the wrong type or dtype, or the loss returns no scalar.
      TrainingDiverged: If a loss, a gradient or an updated parameter stops being finite. The
        error carries the step, the parameter, the last finite state and everything recorded.

    Example:
      >>> import jaxnets as jn
      >>> x = jax.numpy.linspace(0, 1, 100)[:, None]
      >>> result = fit(
      ...     jn.dense(1), jn.losses.mse, optax.adam(0.05), (x, 2 * x + 1),
      ...     key=jax.random.key(0), epochs=200, batch_size=16, validation=(x, 2 * x + 1),
      ... )
      >>> [round(float(result.params[name].item()), 2) for name in "wb"]
      [2.0, 1.0]
      >>> len(result.history["loss"]), len(result.validation["loss"])
      (1400, 200)
    """
    record_every = check_integer("fit", "record_every", record_every, minimum=1)
    on_divergence = check_choice("fit", "on_divergence", on_divergence, ("raise", "return"))
    data = load_data("fit", data)
    batching = make_batching("fit", data, batch_size, drop_last=drop_last)
    steps = count_steps("fit", steps, epochs, batching)
    if validation is not None:
        validation = load_data("fit", validation, argument="validation")
    evaluation = make_evaluation("fit", model, loss, metrics, validation, batching, stop)
    check_checkpoint("fit", checkpoint)
    check_run("fit", model, loss, optimizer, data, key, params)
    optimizer = wrapped_optimizer(
        "fit", optimizer, clip_norm=clip_norm, accumulate=accumulate, freeze=freeze
    )
    evaluate_every = 0
    if evaluation is not None:
        evaluate_every = steps_between_evaluations("fit", validate_every, record_every, batching)
    schedule = Schedule(batching, record_every, evaluate_every, CAPACITY)
    program = Program(
        model, loss, optimizer, value_and_grad, record_gradient_norm, schedule, evaluation
    )
    watched = None if evaluation is None else evaluation.stop

    def start() -> tuple[TrainState, Best | None]:
        state = initial_state(program)(key, data[0], params)
        return state, None if watched is None else no_best(state.params)

    ended = run_on_host(
        Run(
            function="fit",
            schedule=schedule,
            start=start,
            advance=lambda state, best, end: run_chunk(program)(state, best, data, validation, end),
            ended=lambda now: "" if watched is None else _why_ended(watched, now.best),
            identity=lambda begun: run_identity(
                schedule, data, validation, begun, {"key": key, "start": params}
            ),
            steps=steps,
            seconds=None if stop is None else stop.seconds,
            checkpoint=checkpoint,
            progress=progress,
        )
    )
    result = _result(ended, stop)
    if ended.failure is not None and on_divergence == "raise":
        look = loss_and_gradient_at(program)
        earlier, after = ended.failure
        before = _last(result.history) if earlier is None else float(look(earlier, data)[0])
        value, gradient = look(result.state, data)
        raise diverged(result, before, value, gradient, after.params)
    return result


def _last(history: History) -> float | None:
    losses = history["loss"]
    return float(losses[-1]) if len(losses) else None


def _why_ended(stop: Stop, best: Best) -> str:
    """Why the evaluations end a run, or an empty text."""
    if best.reached:
        return "target"
    if stop.patience is not None and int(best.since) >= stop.patience:
        return "patience"
    return ""


def _result(ended: Ended, stop: Stop | None) -> Fit:
    """The run for its user: with patience, the parameters of the best evaluation."""
    state, best, history, validation = ended.progress
    params = state.params
    if stop is not None and stop.patience is not None and int(best.step) > 0:
        params = best.params
    return Fit(
        params,
        state.opt_state,
        History(history),
        History(validation),
        state,
        ended.status,
        ended.seconds,
    )


def count_steps(function: str, steps: int | None, epochs: int | None, batching: Batching) -> int:
    """The number of steps, from whichever of ``steps`` and ``epochs`` is given."""
    if (steps is None) == (epochs is None):
        fail(
            function,
            "steps",
            "be given, or epochs, and not both",
            "neither" if steps is None else "both",
            "Pass steps=1000, for example.",
        )
    if steps is not None:
        return check_integer(function, "steps", steps, minimum=1)
    return check_integer(function, "epochs", epochs, minimum=1) * batching.per_epoch
