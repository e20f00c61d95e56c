"""The results of `fit` and `sweep`, in one language."""

import math
from collections.abc import Callable
from os import PathLike
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets.checks import check_choice
from jaxnets.errors import ArgumentIndexError, ArgumentTypeError, describe, fail, named, require
from jaxnets.model import Model, Params
from jaxnets.training.groups import outputs_of, place_of, together
from jaxnets.training.history import History, html_table, rows_of, write_csv
from jaxnets.training.intervals import wilson_interval
from jaxnets.training.step import TrainState

__all__ = ["Fit", "Group", "Sweep"]

Row = dict[str, Any]
"""A row of a table."""


class Fit(NamedTuple):
    """The result of a run of one network.

    Attributes:
      model: The Model.
      params: The trained parameters; with ``stop=Stop(patience=...)`` those of the best
        evaluation, else the last ones, or what ``eval_params`` makes of them.
      history: What training recorded: ``"step"``, ``"epoch"``, ``"loss"``, the scalars of the
        objective and, if asked for, ``"gradient_norm"``.
      validation: What the evaluations gave on the way: ``"step"`` and ``"epoch"``, the steps and
        epochs made by then, ``"loss"`` and the metrics. Empty without validation data.
      scores: The evaluation of ``params``: ``"loss"`` and the metrics. Empty likewise, and if the
        run was interrupted.
      state: The whole `TrainState` at the end.
      status: ``"completed"``, or why it ended early: ``"patience"``, ``"target"``,
        ``"seconds"``, ``"watch"``, ``"interrupted"`` or ``"diverged"``.
      seconds: Wall time by part: ``"compile"`` (tracing, compiling and initialising) and
        ``"run"``.
      judged: What an early stop goes on from.
    """

    model: Model
    params: Params
    history: History
    validation: History
    scores: dict[str, np.ndarray]
    state: TrainState
    status: str
    seconds: dict[str, float]
    judged: Any = None

    @property
    def opt_state(self) -> Any:
        """The optimizer's state at the end."""
        return self.state.opt_state

    def predict(self, x: Any) -> Any:
        """``model.apply(params, x)``."""
        return self.model.apply(self.params, x)

    def table(self) -> list[Row]:
        """One row, as `Sweep.table` has it per member."""
        return _table(self._columns())

    def _columns(self) -> dict[str, np.ndarray]:
        """The columns of the table."""
        loss = self.history["loss"]
        own = {
            "loss": loss[-1] if len(loss) else math.nan,
            **{f"validation_{name}": value for name, value in self.scores.items()},
            "steps": self.state.step,
            "status": self.status,
        }
        return {name: np.asarray(value)[None] for name, value in own.items()}

    @named("Fit.to_csv")
    def to_csv(self, path: str | PathLike[str]) -> None:
        """Write `table` under a header; ``history.to_csv`` writes the records."""
        write_csv(path, self._columns())

    def __repr__(self) -> str:
        return _few_lines("Fit", self.table()[0], self.history, self.validation)

    def _repr_html_(self) -> str:
        return html_table(self._columns())


class Sweep(NamedTuple):
    """The result of a sweep; the leading axis of every array is the members.

    Members are ordered as ``itertools.product`` of the keys and then the hyperparameters. Where
    their structure varies, ``params``, ``judged`` and all of ``state`` but the step are tuples
    with an entry for each of ``groups``, and records that a group lacks are NaN.

    Attributes:
      models: The Model of each member, a function of its number.
      params: The last finite parameters of each member, ``[members, ...]``; with
        ``stop=Stop(patience=...)`` those of its best evaluation.
      history: ``"step"`` and ``"epoch"``, ``[records]``; ``"loss"``, the scalars of the objective
        and, if asked for, ``"gradient_norm"``, ``[members, records]``, NaN once a member has
        stopped early or diverged.
      validation: What the evaluations gave on the way: ``"step"`` and ``"epoch"``,
        ``[evaluations]``; ``"loss"`` and the metrics, ``[members, evaluations]``. Empty without
        ``validate_every`` or ``stop``.
      scores: The evaluation of ``params``: ``"loss"`` and the metrics, ``[members]``; empty
        without validation data, and if the sweep was interrupted.
      state: The `TrainState` of all members at the end, or where they ended.
      status: How each member ended, ``[members]``, as in `Fit`.
      labels: For each member the position of its key, ``"seed"``, and its hyperparameters;
        arrays of ``[members]``.
      diverged_at: The step at which a member stopped being finite and was frozen, or -1.
      stopped_at: The steps that a member had made when it stopped early, or -1.
      seconds: Wall time by part: ``"compile"`` and ``"run"``.
      judged: What early stops go on from.
      groups: The members by their structure, where that varies: each `Group` has ``members``,
        their numbers, ``values``, their structure, and ``sweep``, that of them alone. After an
        interrupt there are only those that had begun, and their members.
    """

    models: Callable[[int], Model]
    params: Params
    history: History
    validation: History
    scores: dict[str, np.ndarray]
    state: TrainState
    status: np.ndarray
    labels: dict[str, np.ndarray]
    diverged_at: np.ndarray
    stopped_at: np.ndarray
    seconds: dict[str, float]
    judged: Any = None
    groups: "tuple[Group, ...]" = ()

    def table(self) -> list[Row]:
        """One row per member: labels, last recorded loss, scores and how it ended."""
        return _table(self._columns())

    def _columns(self) -> dict[str, np.ndarray]:
        """The columns of the table."""
        return {
            **self.labels,
            "loss": self.last_losses(),
            **{f"validation_{name}": column for name, column in self.scores.items()},
            "diverged_at": self.diverged_at,
            "stopped_at": self.stopped_at,
            "status": self.status,
        }

    @named("Sweep.to_csv")
    def to_csv(self, path: str | PathLike[str]) -> None:
        """Write `table` under a header; ``history.to_csv`` writes the records."""
        write_csv(path, self._columns())

    def __repr__(self) -> str:
        statuses, counts = np.unique(self.status, return_counts=True)
        ends = ", ".join(f"{n} {name}" for name, n in zip(statuses, counts, strict=True))
        labels = ", ".join(self.labels)
        about = {"members": len(self.status), "labels": labels, "status": ends}
        return _few_lines("Sweep", about, self.history, self.validation)

    def _repr_html_(self) -> str:
        return html_table(self._columns())

    def last_losses(self) -> np.ndarray:
        """The last loss that was recorded of each member, ``[members]``; NaN if none was."""
        if self.groups:
            return together(self._numbers, [group.sweep.last_losses() for group in self.groups])
        last = np.full(len(self.diverged_at), len(self.history["step"]) - 1)
        for ends in (self.stopped_at, self.diverged_at):
            before = np.searchsorted(self.history["step"], ends) - 1
            last = np.where(ends < 0, last, before)
        padded = np.pad(self.history["loss"], ((0, 0), (0, 1)), constant_values=np.nan)
        losses: np.ndarray = padded[np.arange(len(last)), last]
        return losses

    @named("Sweep.best")
    def best(self, column: str = "loss", mode: str | None = None) -> int:
        """The member with the best value in a column of the table, of those that stayed finite.

        Args:
          column: ``"loss"``, the last recorded one of the training data; or
            ``"validation_loss"``, or ``"validation_"`` and the name of a metric.
          mode: ``"min"`` or ``"max"``, whichever is better; of a loss it is ``"min"``.

        Raises:
          ValueError: If there is no such column, if it is that of a metric and no mode is given, if
            it holds more than a number per member, or if it is finite for no member that has not
            diverged.
        """
        check_choice("column", column, ["loss", *(f"validation_{name}" for name in self.scores)])
        own = column == "loss"
        values = self.last_losses() if own else self.scores[column.removeprefix("validation_")]
        each = jax.ShapeDtypeStruct(values.shape[1:], values.dtype)
        remedy = "Choose with sweep.scores, or reduce the metric with .mean()."
        require(values.ndim == 1, "column", "hold one number a member", each, remedy)
        if mode is None and (own or column == "validation_loss"):
            mode = "min"
        sign = 1.0 if check_choice("mode", mode, ("min", "max")) == "min" else -1.0
        ranked = np.where((self.diverged_at < 0) & np.isfinite(values), sign * values, np.inf)
        remedy = "Lower the learning rates, or look at Sweep.table()."
        rule = "be finite for a member that has not diverged"
        require(np.isfinite(ranked).any(), f"column {column!r}", rule, "none", remedy)
        return int(ranked.argmin())

    @named("Sweep.member")
    def member(self, index: int) -> Params:
        """The parameters of one member, ready for ``model.apply``.

        Raises:
          IndexError: If there is no such member.
          TypeError: If ``index`` is no whole number.
        """
        members = len(self.diverged_at)
        rule = f"be a whole number from {-members} to {members - 1}"
        remedy = "Sweep.table() lists the members."
        if isinstance(index, bool) or not hasattr(index, "__index__"):
            fail("index", rule, describe(index), remedy, error=ArgumentTypeError)
        if not -members <= index < members:
            fail("index", rule, describe(index), remedy, error=ArgumentIndexError)
        if self.groups:
            group, index = place_of(self._numbers, index % members)
            return self.groups[group].sweep.member(index)
        params: Params = jax.tree.map(lambda leaf: leaf[index], self.params)
        return params

    @named("Sweep.predict")
    def predict(self, x: Any) -> Any:
        """The outputs of every member, ``[members, ...]``."""
        if self.groups:
            outputs = [group.sweep.predict(x) for group in self.groups]
            return outputs_of(self._numbers, outputs)
        models = [self.models(number) for number in range(len(self.status))]
        if all(model == models[0] for model in models):
            # Mapped over the members' numbers too, because a model may have no parameters.
            apply: Any = jax.vmap(lambda params, number: models[0].apply(params, x))
            return apply(self.params, self.diverged_at)
        outputs = [model.apply(self.member(number), x) for number, model in enumerate(models)]
        return jax.tree.map(lambda *leaves: jnp.stack(leaves), *outputs)

    @named("Sweep.success_rate")
    def success_rate(self, criterion: Callable[[Params], Any]) -> tuple[float, float, float]:
        """The share of members that meet a criterion, with its 95% Wilson interval.

        Args:
          criterion: ``criterion(params) -> bool`` for one member, traceable. Members that
            diverged count as failures.

        Returns:
          The share and the lower and upper end of its interval.
        """
        met = self._met(criterion)
        if met.dtype != np.bool_ or met.ndim != 1:
            got = jax.ShapeDtypeStruct(met.shape[1:], met.dtype)
            rule, remedy = "return one truth value for a member", "Compare, and reduce with .all()."
            fail("criterion", rule, got, remedy, error=ArgumentTypeError)
        met = met & (self.diverged_at < 0)
        return met.mean().item(), *wilson_interval(int(met.sum()), met.size)

    def _met(self, criterion: Callable[[Params], Any]) -> np.ndarray:
        if self.groups:
            return together(self._numbers, [group.sweep._met(criterion) for group in self.groups])
        return np.asarray(jax.vmap(criterion)(self.params))

    @property
    def _numbers(self) -> list[np.ndarray]:
        """The numbers of the members of each group."""
        return [group.members for group in self.groups]


class Group(NamedTuple):
    """The members of a sweep that have one structure.

    Attributes:
      members: Their numbers in the whole sweep.
      values: Their structure: hyperparameters by name.
      sweep: What ``jn.sweep(functools.partial(trial, **values), ...)`` of them alone returns.
    """

    members: np.ndarray
    values: dict[str, Any]
    sweep: Sweep


def _table(columns: dict[str, np.ndarray]) -> list[Row]:
    return [dict(zip(columns, row, strict=True)) for row in rows_of(columns)]


def _few_lines(kind: str, about: Row, history: History, validation: History) -> str:
    facts = ", ".join(
        f"{name} {value:.6g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in about.items()
        if not isinstance(value, list)
    )
    return f"{kind}({facts}\n  history {history!r}\n  validation {validation!r})"
