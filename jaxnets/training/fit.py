"""Training one network: a run is one compiled program, looked at between its chunks."""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import jax
import optax

from jaxnets.checks import check_choice
from jaxnets.errors import public
from jaxnets.files.checkpoint import Checkpoint
from jaxnets.model import Loss, Model, Params
from jaxnets.training.arguments import check_not_traced, check_trial, one_key
from jaxnets.training.evaluation import Metric, Stop
from jaxnets.training.failures import TrainingDiverged, diverged
from jaxnets.training.history import History
from jaxnets.training.host import UNSCORED, Host, Look, Outlook
from jaxnets.training.inputs import check_like, moves_data
from jaxnets.training.objective import Objective
from jaxnets.training.plan import Settings, Task
from jaxnets.training.prepare import prepare
from jaxnets.training.program import EvalParams
from jaxnets.training.progress import Block, Progress
from jaxnets.training.results import Fit
from jaxnets.training.run import Run
from jaxnets.training.start import Start, begun, check_start
from jaxnets.training.step import TrainState
from jaxnets.training.trial import Fixed, Trial

__all__ = ["fit"]


@public
@moves_data
def fit(
    model: Model,
    loss: Loss | Objective,
    optimizer: optax.GradientTransformation,
    data: Any,
    *,
    key: jax.Array | None = None,
    steps: int | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    weights: Any = None,
    drop_last: bool = False,
    start: Fit | TrainState | None = None,
    params: Params | None = None,
    validation: Any = None,
    metrics: Mapping[str, Metric] | None = None,
    validate_every: int | None = None,
    record_every: int = 1,
    record_gradient_norm: bool = False,
    eval_params: EvalParams | None = None,
    stop: Stop | None = None,
    checkpoint: Checkpoint | None = None,
    watch: Callable[[Look], Any] | None = None,
    on_divergence: str = "raise",
    on_interrupt: str = "raise",
    progress: bool = False,
) -> Fit:
    """Train a model.

    The run is compiled whole. The host looks in between chunks of a fraction of a second, and
    nothing calls back from inside. A second run with an equal trial and metrics and data of the
    same shapes compiles nothing, whatever its steps, key and data.

    Args:
      model: The Model to train.
      loss: A loss under the library's contract, any scalar ``loss(predictions, targets)``, or an
        `objective`.
      optimizer: An optax transformation. Clipping, accumulation, schedules, freezing and averaging
        are optax transformations too.
      data: Inputs and targets ``(x, y)``, arrays or pytrees of arrays of equal length. For an
        objective any pytree of arrays with equal leading axes, or None if it draws what it needs.
        Parameters are made for x; for other data than a pair or one array, pass ``params``.
      key: PRNG key of the run: makes the parameters, shuffles the data and drives what is
        random in the model. Not needed with ``start``, which has one.
      steps: The number of steps, each of one batch; or
      epochs: the number of passes over the data.
      batch_size: Examples in a batch; None takes all of them at every step. Every epoch is a
        fresh permutation.
      weights: How much each example counts in training, ``[examples]``, at least 0: the loss of a
        batch gets those of its examples as ``weights=``, so that a mean is the weighted mean of
        the batch. A batch whose weights are all 0 has no mean, NaN, and a gradient of 0.
      drop_last: Whether to leave out the smaller batch that ends an epoch.
      start: A result or a state to go on from, as if the run had not ended there: two runs of 4
        epochs equal one of 8 to the bit, history included.
      params: Parameters to start from, instead of drawing them.
      validation: Data to evaluate the model on, as ``data``; or ``(x, y, weights)``, whose weights
        loss and metrics get as ``weights=``.
      metrics: ``metric(predictions, targets)`` by name, evaluated with the validation loss.
      validate_every: Records between evaluations; None evaluates after every epoch (with
        full batches, after every record).
      record_every: Steps between records; the first step is always recorded. The loss recorded
        for a step is the one before that step's update.
      record_gradient_norm: Whether to record the Euclidean norm of the gradient too.
      eval_params: ``eval_params(state) -> params``, the parameters that evaluation and the result
        use, for optimizers that keep them in their state.
      stop: When the run may end early.
      checkpoint: Where to save the run as it goes; a run that finds one there resumes it.
      watch: Called between chunks with a `Look`, what happened since the last one; true ends
        the run. If it raises, the error carries the run so far as ``error.result``.
      on_divergence: ``"raise"``, or ``"return"`` the run up to there with status
        ``"diverged"``.
      on_interrupt: What Ctrl-C does, at once or at the end of the chunk under way or of compiling,
        in the main thread and where Python would answer it: ``"raise"`` `TrainingInterrupted`, or
        ``"return"`` the run up to there with status ``"interrupted"``. With a ``checkpoint``
        SIGTERM too is heard, and ends the process once the run is saved.
      progress: Whether to draw a progress bar on standard error.

    Returns:
      A `Fit`.

    Raises:
      ValueError: If lengths differ, data are empty or not finite, a label is out of range, a
        batch is larger than the data, a weight is negative or all are 0, both or neither of steps
        and epochs are given, or ``params`` or ``start`` are not of this model; all before anything
        is compiled.
      TypeError: If an argument has the wrong type or dtype, the loss returns no scalar or takes no
        weights where there are some, or ``fit`` itself is being traced.
      TrainingDiverged: If a loss, a gradient or an updated parameter stops being finite. The
        error carries the step, the parameter, the last finite state and everything recorded.
      TrainingInterrupted: If Ctrl-C ended it, or came before there was anything to return.

    Example:
      >>> x = jax.numpy.linspace(0, 1, 100)[:, None]
      >>> result = jn.fit(
      ...     jn.dense(1), jn.losses.mse, optax.adam(0.05), (x, 2 * x + 1),
      ...     key=jax.random.key(0), epochs=200, batch_size=16, validation=(x, 2 * x + 1),
      ... )
      >>> [round(float(result.params[name].item()), 2) for name in "wb"]
      [2.0, 1.0]
      >>> len(result.history["loss"]), len(result.validation["loss"])
      (1400, 200)
    """
    check_not_traced(
        data=data, key=key, params=params, validation=validation, start=start, weights=weights
    )
    check_trial(model, loss, optimizer)
    check_choice("on_divergence", on_divergence, ("raise", "return"))
    outlook = Outlook(stop, checkpoint, watch, progress, on_interrupt)
    outlook.check()
    went = None if start is None else begun(start, Fit, key, params)
    key = one_key(key if went is None else went.state.key)
    trial = Trial(model, loss, optimizer)
    with outlook.listener() as listener:
        with listener.at_once():
            task = prepare(
                trial,
                Fixed(trial),
                {},
                Settings(
                    steps,
                    epochs,
                    batch_size,
                    drop_last,
                    metrics,
                    validate_every,
                    record_every,
                    record_gradient_norm,
                    eval_params,
                    stop,
                ),
                data,
                validation,
                weights=weights,
                params=params if went is None else went.state.params,
                key=key,
            )
            run = _run(task, key, params, went)
        result = functools.partial(_result, run, model)
        found, ended = Host(run, outlook, listener, result).drive("fit")
        if found.status == "diverged" and on_divergence == "raise":
            raise _error(run, ended.progress, found)
    return found


def _run(task: Task, key: jax.Array, params: Params | None, went: Start | None) -> Run:
    """The run of one network, from the beginning or from where another ended."""
    plan = task.plan
    if params is not None:
        remedy = "Pass params made by this model's init for data of this width."
        check_like("params", params, plan.shapes, remedy)
    if went is None:
        block, first = Block(key, {}, params), 0
    else:
        check_start(went, plan.trial.optimizer, plan.shapes, None)
        block, first = Block(key, {}, None, went[:2]), int(went.state.step)
    return Run(
        plan,
        (block,),
        task.data,
        task.validation,
        first,
        many=False,
        history={} if went is None else went.history,
        evaluated={} if went is None else went.validation,
    )


def _result(
    run: Run, model: Model, progress: Progress, status: str, seconds: dict[str, float]
) -> Fit:
    """The run for its user."""
    position = progress.positions[0]
    state, params = run.program.outcome(position)
    watched = position.judged
    return Fit(
        model=model,
        params=params,
        history=History(progress.history),
        validation=History(progress.validation),
        scores=run.scores([params]) if status not in UNSCORED else {},
        state=state,
        status=status,
        seconds=seconds,
        judged=None if watched is None else watched.judged,
    )


def _error(run: Run, progress: Progress, result: Fit) -> TrainingDiverged:
    """The error that says what stopped being finite."""
    position = progress.positions[0]
    value, gradient = run.program.look(position.state, {}, run.data)
    after = run.program.advance(position, {}, run.data, run.validation, progress.step + 1)
    return diverged(
        result,
        None if progress.step == run.first else float(position.loss),
        value,
        gradient,
        after.position.state.params,
    )
