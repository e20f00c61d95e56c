"""Going on from where an earlier run ended."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxnets.errors import ArgumentTypeError, describe, fail, require
from jaxnets.training.arguments import typed_keys
from jaxnets.training.columns import Columns, own_columns
from jaxnets.training.inputs import check_finite_params, check_like
from jaxnets.training.networks import stacked
from jaxnets.training.results import Fit, Sweep
from jaxnets.training.step import TrainState, in_float32

__all__ = ["Start", "begun", "check_start"]


class Start(NamedTuple):
    """The end of an earlier run, to go on from.

    Attributes:
      state: The state.
      judged: What an early stop goes on from, or None.
      history: What was recorded up to there, ``[records, ...members]``.
      validation: The evaluations up to there, likewise.
      diverged_at: The step at which each network diverged, or -1.
    """

    state: TrainState
    judged: Any
    history: Columns
    validation: Columns
    diverged_at: np.ndarray


def begun(start: Any, result: type[Fit] | type[Sweep], key: Any, params: Any) -> Start:
    """The `Start` in a result of the given type or in a state."""
    if not isinstance(start, result | TrainState):
        rule = f"be a {result.__name__} or a TrainState"
        remedy = f"Pass what jn.{result.__name__.lower()} returned, or its state."
        fail("start", rule, describe(start), remedy, error=ArgumentTypeError)
    for name, value in (("key", key), ("params", params)):
        remedy = f"Leave {name} out: a run that goes on has its own."
        require(value is None, name, "be left out beside start", "both", remedy)
    state = _with_typed_key(start if isinstance(start, TrainState) else start.state)
    if result is Fit:
        remedy = "Go on with all of them with jn.sweep."
        require(state.key.ndim == 0, "start", "be of one network", state.key, remedy)
    if isinstance(start, TrainState):
        return Start(state, None, {}, {}, np.full(state.key.shape, -1))
    if isinstance(start, Fit):
        return Start(state, start.judged, {**start.history}, {**start.validation}, np.array(-1))
    # Here the records come first, then the members.
    history, validation = (
        own_columns(lambda column: np.moveaxis(column, 0, 1), columns)
        for columns in (start.history, start.validation)
    )
    return Start(state, start.judged, history, validation, start.diverged_at)


def _with_typed_key(state: TrainState) -> TrainState:
    key = typed_keys(state.key)
    if key is None:
        remedy = "Make it with jn.init_state."
        fail("start", "have a PRNG key", describe(state.key), remedy, error=ArgumentTypeError)
    return state._replace(key=key)


def check_start(
    start: Start, optimizer: optax.GradientTransformation, shapes: Any, members: int | None
) -> None:
    """Raise unless a state is of this model, of this optimizer and of so many members."""
    expected = {"params": shapes, "opt_state": jax.eval_shape(in_float32(optimizer).init, shapes)}
    if members is not None:
        shape = start.state.key.shape
        rule = f"have the {members} members of the keys and hyperparameters"
        remedy = "Pass the hyperparameters of the sweep that it is the result of."
        require(shape == (members,), "start", rule, f"{shape[0] if shape else 1}", remedy)
        expected = stacked(expected, members)
    got = {"params": start.state.params, "opt_state": start.state.opt_state}
    remedy = "Pass a result of the same model and optimizer, or only its params."
    check_like("start", got, expected, remedy, finite=False)
    # Some optimizers start from infinities of their own.
    check_finite_params("start", {"params": start.state.params})
    same = str(jax.tree.structure(got)) == str(jax.tree.structure(expected))
    rule = "be of this model and optimizer"
    require(same, "start", rule, "a state of another structure", remedy)
    require(jnp.ndim(start.state.step) == 0, "start", "have one step", start.state.step, remedy)
    step = np.asarray(start.state.step)
    good = np.issubdtype(step.dtype, np.integer) and step >= 0
    require(good, "start", "have a whole number of at least 0 as its step", str(step), remedy)
