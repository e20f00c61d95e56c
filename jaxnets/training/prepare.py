"""From the arguments of `fit` and `sweep` to a plan: a program and the shapes it works on.

A plan is made once for equal arguments and shapes; a second run asks nothing again but whether the
numbers are good.
"""

import functools
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax

from jaxnets.checks import check_callable, check_choice, check_flag, check_integer
from jaxnets.errors import inside, require
from jaxnets.training.alike import first_alike
from jaxnets.training.arguments import (
    check_compilable,
    check_evaluated,
    check_metrics,
    count_steps,
)
from jaxnets.training.batching import Batching, make_batching
from jaxnets.training.evaluation import Evaluation, check_stop
from jaxnets.training.fitting import (
    check_evaluations,
    check_made,
    check_shown,
    check_targets,
    check_training,
    check_update,
)
from jaxnets.training.inputs import Seen, example_input, load_data
from jaxnets.training.loop import MOST_STEPS, make_schedule
from jaxnets.training.networks import Axis, stacked
from jaxnets.training.objective import Objective, loss_of
from jaxnets.training.plan import Members, Plan, Settings, Task
from jaxnets.training.program import Program
from jaxnets.training.referred import Referred
from jaxnets.training.trial import Build, Built, Fixed, Trial
from jaxnets.training.weights import load_validation, load_weights

__all__ = ["prepare"]

SMALL = 4096
"""Parameters of a network up to which members go on the last axis on a CPU."""

BLOCK = 512
"""Members of a block: their states stay in the cache of a core while they make their steps."""

PER_MEMBER = 8
"""Parameters per member up to which a block is faster than its members one after the other: what
there is of a network is repeated for each, and few members fill no register."""

MOST_COMPILED = 12
"""Arrays of parameters that one program draws, at most: it takes XLA about a fifth of a second per
array to compile, and call by call they are drawn in a millisecond each."""


class Shapes(NamedTuple):
    """Shapes and dtypes of a pytree of arrays, to be compared."""

    tree: Any
    leaves: tuple[jax.ShapeDtypeStruct, ...]

    def unflatten(self) -> Any:
        """The pytree of shapes."""
        return jax.tree.unflatten(self.tree, self.leaves)


def shapes_of(arrays: Any) -> Shapes:
    """The `Shapes` of a pytree of arrays."""
    leaves, tree = jax.tree.flatten(arrays)
    return Shapes(tree, tuple(jax.ShapeDtypeStruct(leaf.shape, leaf.dtype) for leaf in leaves))


class Request(NamedTuple):
    """All that a plan depends on; ``data`` are those to learn from and those to evaluate on."""

    build: Build
    values: tuple[tuple[str, float], ...]
    settings: Settings
    types: tuple[type, ...]
    data: Shapes
    params: Shapes | None
    key: Any
    members: Members | None
    floating: Any


def prepare(
    trial: Trial,
    build: Fixed | Built,
    values: Mapping[str, float],
    settings: Settings,
    data: Any,
    validation: Any,
    *,
    weights: Any,
    params: Any,
    key: jax.Array,
    members: Members | None = None,
) -> Task:
    """Load data, make the plan of a run and hold the one against the other.

    Args:
      trial: The trial of the first hyperparameters.
      build: Makes a trial from hyperparameters.
      values: The first hyperparameters.
      settings: Arguments, not checked yet.
      data: Data as they were given.
      validation: The same to evaluate on, or None.
      weights: Weights of the examples of ``data`` as they were given, or None.
      params: Parameters of one network, or their shapes; None to make them for the data.
      key: A key of the run, or of one member.
      members: The members of a sweep; None for one network.
    """
    data, validation = _loaded(trial, data, validation, weights)
    if params is not None and example_input(data) is not None:
        params = None
    settings = _as_before(settings)
    build = build.as_before()
    referred = Referred(build, settings.metrics, settings.eval_params)
    request = Request(
        build._replace(referred=referred),
        tuple(values.items()),
        settings,
        tuple(map(type, settings)),  # steps may be 1 but not True, though the two are equal
        shapes_of((data, validation)),
        None if params is None else shapes_of(params),
        key.dtype,
        members,
        jax.dtypes.canonicalize_dtype(float),
    )
    plan = _planned(request)
    if plan.program.build is request.build:  # made just now
        referred.settle()
    _look_at(plan, data, validation)
    return Task(plan, data, validation)


def _loaded(trial: Trial, data: Any, validation: Any, weights: Any) -> tuple[Any, Any]:
    """The data to learn from, with their weights, and those to evaluate on."""
    supervised = loss_of(trial.loss) is not None
    if data is not None or supervised:
        data = load_data(data, pair=supervised)
    if weights is not None:
        rule, remedy = "be left out beside an objective", "Make them a part of its data."
        require(not isinstance(trial.loss, Objective), "weights", rule, "both", remedy)
        data = (*data, load_weights(weights, data))
    if validation is not None:
        validation = load_validation(validation, pair=supervised)
    return data, validation


def _as_before(settings: Settings) -> Settings:
    """The settings with the functions that were seen first of those that are alike."""
    metrics = settings.metrics
    if metrics is not None:
        named = check_metrics(metrics).items()
        metrics = tuple((name, first_alike(metric)) for name, metric in named)
    return settings._replace(metrics=metrics, eval_params=first_alike(settings.eval_params))


def _look_at(plan: Plan, data: Any, validation: Any) -> None:
    """Hold targets against what the loss and the metrics take, once per array."""
    leaves = jax.tree.leaves((data, validation))
    if plan.seen.holds(leaves):
        return
    check_targets(plan.trial, None, plan.predictions[0], data)
    with inside("validation"):
        check_targets(plan.trial, plan.program.evaluation, plan.predictions[1], validation)
    plan.seen.add(leaves)


def _planned(request: Request) -> Plan:
    """The plan of a request, the one of before where it was asked for already."""
    try:
        hash(request)
    except TypeError:  # because of an argument that will be named
        return _plan.__wrapped__(request)
    return _plan(request)


@functools.lru_cache(maxsize=64)
def _plan(request: Request) -> Plan:
    settings, members = request.settings, request.members
    data, validation = request.data.unflatten()
    trial = request.build(**dict(request.values))
    check_compilable(trial, settings.eval_params)
    if request.values:
        check_made(request.build, dict(request.values))
    batching = _check_settings(settings, data)
    steps = count_steps(settings.steps, settings.epochs, batching.per_epoch, MOST_STEPS)
    evaluation = _evaluation(settings, validation, batching, trial)
    key = jax.ShapeDtypeStruct((), request.key)
    if request.params is None:
        shapes = jax.eval_shape(trial.model.init, key, example_input(data))
    else:
        shapes = request.params.unflatten()
    predictions = check_training(trial, shapes, key, data, batching)
    judged, row = check_evaluations(trial, evaluation, shapes, validation)
    evaluation = None if evaluation is None else evaluation.directed()
    check_update(trial.optimizer, shapes)
    if settings.eval_params is not None:
        check_shown(settings.eval_params, trial.optimizer, shapes, key)
    axis, size = _layout(shapes, members)
    every = _evaluate_every(settings, evaluation, batching, seldom=members is not None)
    schedule = make_schedule(batching, settings.record_every, every, row, members=size)
    norm, shown = settings.record_gradient_norm, settings.eval_params
    program = Program(request.build, schedule, evaluation, shown, norm, axis)
    tables = _tables(program, request, shapes, size)
    few = request.params is not None or len(jax.tree.leaves(shapes)) <= MOST_COMPILED
    return Plan(program, trial, shapes, size, steps, (predictions, judged), tables, few, Seen())


def _tables(program: Program, request: Request, shapes: Any, size: int) -> tuple[Any, Any]:
    """The shapes of the tables that a chunk of the program fills."""
    data, validation = request.data.unflatten()
    number = jax.ShapeDtypeStruct((), request.floating)
    one = (
        jax.ShapeDtypeStruct((), request.key),
        {name: number for name, _ in request.values},
        None if request.params is None else shapes,
    )
    key, values, params = one if program.members is None else stacked(one, size)
    position = program.start.eval_shape(key, values, example_input(data), params)
    chunk = program.advance.eval_shape(position, values, data, validation, 0)
    return chunk.records.columns, chunk.evaluations.columns


def _check_settings(settings: Settings, data: Any) -> Batching:
    """Raise unless every setting has its type; return how data are dealt out."""
    check_integer("record_every", settings.record_every, minimum=1)
    check_flag("record_gradient_norm", settings.record_gradient_norm)
    if settings.eval_params is not None:
        remedy = "Pass a function eval_params(state) -> params."
        check_callable("eval_params", settings.eval_params, remedy)
    check_flag("drop_last", settings.drop_last)
    return make_batching(data, settings.batch_size, drop_last=settings.drop_last)


def _evaluation(
    settings: Settings, validation: Any, batching: Batching, trial: Trial
) -> Evaluation | None:
    """The evaluation that the arguments ask for, or None."""
    check_stop(settings.stop)
    stop = settings.stop if settings.stop is not None and settings.stop.watches else None
    metrics = settings.metrics or ()
    if validation is None:
        check_evaluated(metrics, stop, settings.validate_every)
    supervised = loss_of(trial.loss) is not None
    pair = supervised or (isinstance(validation, tuple) and len(validation) == 2)
    rule = "come with data (x, y), whose predictions and targets they compare"
    remedy = "Return them from the objective, as scalars."
    require(pair or not metrics, "metrics", rule, "other data", remedy)
    if settings.stop is not None and supervised:
        check_choice("stop.metric", settings.stop.metric, ("loss", *dict(metrics)))
    return None if validation is None else Evaluation(metrics, batching.size, stop)


def _evaluate_every(
    settings: Settings, evaluation: Evaluation | None, batching: Batching, *, seldom: bool
) -> int:
    """Steps between evaluations: a number of records; by default an epoch, or every record."""
    asked = settings.validate_every is not None
    if evaluation is None or (seldom and not asked and evaluation.stop is None):
        return 0
    if asked:
        every = check_integer("validate_every", settings.validate_every, minimum=1)
        return every * settings.record_every
    return batching.per_epoch if batching.shuffled else settings.record_every


def _layout(shapes: Any, members: Members | None) -> tuple[Axis, int]:
    """The members' axis in the program, and the number of networks in lockstep.

    On a CPU many small networks go in blocks that fit the cache, and few or large ones one after
    the other; elsewhere the batched products of ``vmap`` are the fastest.
    """
    if members is None:
        return None, 1
    most = min(members.total, members.most or members.total)
    if jax.default_backend() != "cpu":
        return "first", most
    parameters = sum(leaf.size for leaf in jax.tree.leaves(shapes))
    together = parameters <= min(SMALL, PER_MEMBER * most)
    return ("last", min(most, BLOCK)) if together else (None, 1)
