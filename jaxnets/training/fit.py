"""Training: a run is one compiled program, looked at between its chunks."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import optax

from jaxnets.checks import check_choice, check_flag, check_integer
from jaxnets.model import Loss, Model, Params
from jaxnets.training.checkpoint import Checkpoint, check_checkpoint
from jaxnets.training.divergence import TrainingDiverged, diverged
from jaxnets.training.evaluation import (
    Best,
    Stop,
    no_best,
    steps_between_evaluations,
)
from jaxnets.training.functions import check_compilable, check_functions, check_optimizer
from jaxnets.training.history import History
from jaxnets.training.host import Ended, Failure, Run, run_on_host
from jaxnets.training.keys import one_key
from jaxnets.training.loop import make_schedule
from jaxnets.training.optimizers import Freeze, check_accumulate, wrapped_optimizer
from jaxnets.training.program import Program, initial_state, loss_and_gradient_at, run_chunk
from jaxnets.training.resume import run_identity
from jaxnets.training.run_checks import (
    check_fit_together,
    check_params,
    check_update,
    initial_shapes,
)
from jaxnets.training.shapes import check_not_traced
from jaxnets.training.step import TrainState, ValueAndGrad
from jaxnets.training.task import Task, load_task

__all__ = ["Fit", "fit"]


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
      steps: The number of steps, each of one batch and one update; or
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
      accumulate: Average the gradients of so many steps for one update, which the last of them
        makes; steps that are left over at the end make none.
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
      TypeError: If an argument has the wrong type or dtype, the loss returns no scalar, the
        optimizer needs more than a gradient, or ``fit`` itself is being traced.
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
    check_not_traced("fit", data=data, key=key, params=params, validation=validation)
    key = one_key("fit", key)
    record_every = check_integer("fit", "record_every", record_every, minimum=1)
    on_divergence = check_choice("fit", "on_divergence", on_divergence, ("raise", "return"))
    progress = check_flag("fit", "progress", progress)
    gradient_norm = check_flag("fit", "record_gradient_norm", record_gradient_norm)
    check_checkpoint("fit", checkpoint)
    check_functions("fit", model, loss, value_and_grad)
    check_optimizer("fit", optimizer)
    check_compilable("fit", model, loss, value_and_grad, optimizer=optimizer, freeze=freeze)
    plain = optimizer
    optimizer = wrapped_optimizer(
        "fit", optimizer, clip_norm=clip_norm, accumulate=accumulate, freeze=freeze
    )
    task = load_task(
        "fit",
        model,
        loss,
        data,
        steps=steps,
        epochs=epochs,
        batch_size=batch_size,
        drop_last=drop_last,
        validation=validation,
        metrics=metrics,
        stop=stop,
        validate_every=validate_every,
    )
    check_accumulate("fit", accumulate, task.steps)
    evaluate_every = 0
    if task.evaluation is not None:
        evaluate_every = steps_between_evaluations(
            "fit", validate_every, record_every, task.batching
        )
    shapes = initial_shapes(model, key, task.data[0])
    if params is not None:
        check_params("fit", params, shapes)
    row = check_fit_together("fit", model, loss, value_and_grad, task, shapes, key)
    check_update("fit", plain, shapes)
    schedule = make_schedule(task.batching, record_every, evaluate_every, row)
    program = Program(
        model, loss, optimizer, value_and_grad, gradient_norm, schedule, task.evaluation
    )
    ended = run_on_host(_run(program, task, key, params, stop, checkpoint, progress))
    result = _result(ended, stop)
    if ended.failure is not None and on_divergence == "raise":
        raise _error(program, task, result, ended.failure)
    return result


def _run(
    program: Program,
    task: Task,
    key: jax.Array,
    params: Params | None,
    stop: Stop | None,
    checkpoint: Checkpoint | None,
    progress: bool,
) -> Run:
    """The run as the host sees it."""
    schedule, (data, validation) = program.schedule, task[:2]
    watched = None if task.evaluation is None else task.evaluation.stop

    def start() -> tuple[TrainState, Best | None]:
        state = initial_state(program)(key, data[0], params)
        return state, None if watched is None else no_best(state.params)

    return Run(
        function="fit",
        schedule=schedule,
        start=start,
        advance=lambda state, best, end: run_chunk(program)(state, best, data, validation, end),
        ended=lambda now: "" if watched is None else _why_ended(watched, now.best),
        identity=lambda begun: run_identity(schedule, task, begun, {"key": key, "start": params}),
        steps=task.steps,
        seconds=None if stop is None else stop.seconds,
        checkpoint=checkpoint,
        progress=progress,
    )


def _error(program: Program, task: Task, result: Fit, failure: Failure) -> TrainingDiverged:
    """The error that says what stopped being finite."""
    look = loss_and_gradient_at(program)
    before = None
    if failure.before is not None:
        before = float(look(failure.before, task.data)[0])
    elif (recorded := result.history["step"] == result.state.step - 1).any():
        before = float(result.history["loss"][recorded].item())
    value, gradient = look(result.state, task.data)
    return diverged(result, before, value, gradient, failure.after.params)


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
