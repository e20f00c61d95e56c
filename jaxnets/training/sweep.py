"""Thousands of runs at once: `fit` with an axis of seeds and hyperparameters."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax

from jaxnets.checks import check_callable, check_hashable, check_integer
from jaxnets.errors import ArgumentTypeError, fail, public
from jaxnets.files.checkpoint import Checkpoint
from jaxnets.model import Params
from jaxnets.training.arguments import check_not_traced, check_takes
from jaxnets.training.evaluation import Metric, Stop
from jaxnets.training.host import Host, Look, Outlook
from jaxnets.training.hyperparameters import check_hyperparameters
from jaxnets.training.inputs import moves_data
from jaxnets.training.members import Asked, make_ready
from jaxnets.training.plan import Settings
from jaxnets.training.program import EvalParams
from jaxnets.training.results import Sweep
from jaxnets.training.step import TrainState
from jaxnets.training.structure import sweep_groups
from jaxnets.training.trial import Built, Fixed, Trial, as_trial

__all__ = ["sweep"]


@public
@moves_data
def sweep(
    trial: Trial | tuple[Any, Any, Any] | Callable[..., tuple[Any, Any, Any]],
    data: Any,
    *,
    keys: jax.Array | None = None,
    hyperparameters: Mapping[str, Sequence[Any]] | Sequence[Mapping[str, Any]] | None = None,
    steps: int | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    weights: Any = None,
    drop_last: bool = False,
    start: Sweep | TrainState | None = None,
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
    on_interrupt: str = "raise",
    progress: bool = False,
    batch_members: int | None = None,
) -> Sweep:
    """Train one network for every key and every combination of hyperparameters, all at once.

    Every member is what `fit` makes of its key and its trial, to rounding; ``rbg`` keys draw
    differently for many at once, so those members differ. Hyperparameters are data of the
    compiled program: new values compile nothing. A member that diverges is frozen at its last
    finite state and flagged; the others run on.

    Floats vary within one program. Anything else that has a hash is structure: integers, truth
    values, texts, functions, tuples. Each combination of it is a program; they compile side by
    side and run one after the other, and all members stand in one table, as `Sweep.groups`, with a
    folder of checkpoints, a bar and an equal share of ``Stop(seconds=)`` each; there is no
    ``watch``. Arguments that are not listed are those of `fit`, for each member by itself.

    Args:
      trial: ``(model, loss, optimizer)``; or ``trial(**hyperparameters)`` that returns them, so
        that ``jn.fit(*trial(learning_rate=0.1), data, key=key, steps=n)`` is one member.
      data: Inputs and targets ``(x, y)``, or what an objective takes; the same for all members.
      keys: PRNG keys, one per seed, such as ``jax.random.split(jax.random.key(0), 1000)``.
      hyperparameters: By argument name of ``trial``, lists of values to combine; or a list of
        dicts, one combination each, such as `grid` and `sample` return. Floats reach it in
        float32 at least and take the type of what they meet, as Python numbers do; structure
        arrives as it is.
      batch_size: As in `fit`; every member has a permutation of its own.
      start: A `Sweep`, or the state of one, to go on from; without ``keys``. A `Sweep` has the
        hyperparameters too.
      params: Parameters to start from, stacked, ``[keys, ...]``, instead of drawing them.
      validation: Data to evaluate every member on: at the end, and when ``validate_every`` or
        ``stop`` asks for it.
      validate_every: As in `fit`; by default as seldom as ``stop`` allows.
      stop: As in `fit`: a member that has stopped keeps what it was then. The sweep ends early
        when all have.
      batch_members: Members that are trained in lockstep, at most, to bound memory.
      progress: As in `fit`; the bar shows the median loss.

    Returns:
      A `Sweep`.

    Raises:
      ValueError: As `fit`; or if a list of values is empty or not finite, or a hyperparameter has
        the name of a column of the table.
      TypeError: As `fit`; or if ``trial`` takes other arguments or cannot be traced.

    Example:
      >>> import optax
      >>> x = jnp.array([[0.0], [1.0], [2.0]])
      >>> def trial(learning_rate):
      ...     return jn.dense(1), jn.losses.mse, optax.sgd(learning_rate)
      >>> result = jn.sweep(
      ...     trial, (x, 2 * x + 1), keys=jax.random.split(jax.random.key(0), 5),
      ...     hyperparameters={"learning_rate": [0.01, 0.1]}, steps=1000, record_every=100,
      ... )
      >>> result.history["loss"].shape
      (10, 10)
      >>> round(result.table()[result.best()]["learning_rate"], 3)
      0.1
    """
    given = {"keys": keys, "params": params, "validation": validation, "weights": weights}
    check_not_traced(data=data, hyperparameters=hyperparameters, start=start, **given)
    outlook = Outlook(stop, checkpoint, watch, progress, on_interrupt)
    outlook.check()
    varied = check_hyperparameters(hyperparameters)
    # A sweep to go on from has its hyperparameters: they need not be given again.
    had = [name for name in start.labels if name != "seed"] if isinstance(start, Sweep) else []
    build = _built(trial, list(varied.columns) or had)
    if batch_members is not None:
        batch_members = check_integer("batch_members", batch_members, minimum=1)
    settings = Settings(
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
    )
    asked = Asked(data, validation, weights, settings, keys, params, start, batch_members)
    if varied.structure or (isinstance(start, Sweep) and start.groups):
        return sweep_groups(build, varied, asked, outlook)
    with outlook.listener() as listener:
        with listener.at_once():
            run, result = make_ready(build, varied, asked)
        return Host(run, outlook, listener, result).drive("sweep")[0]


def _built(trial: Any, names: list[str]) -> Fixed | Built:
    """The function that makes a trial from hyperparameters."""
    if isinstance(trial, tuple | list):
        if names:
            rule = "be a function of the hyperparameters"
            remedy = "Pass lambda learning_rate: (model, loss, optax.sgd(learning_rate))."
            fail("trial", rule, "a trial that takes none", remedy, error=ArgumentTypeError)
        return Fixed(as_trial(trial))
    remedy = "Pass (model, loss, optimizer), or a function that returns them."
    check_callable("trial", trial, remedy)
    check_hashable("trial", trial)
    check_takes(trial, names)
    return Built(trial)
