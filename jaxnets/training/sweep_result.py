"""What a sweep gives: arrays with the members on the leading axis, and questions to them."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets.checks import ArgumentTypeError, check_choice, describe, fail
from jaxnets.model import Params
from jaxnets.training.wilson import wilson_interval

__all__ = ["SHARED", "Sweep", "join_sweeps"]

SHARED = ("step", "epoch")
"""The columns that all members have in common."""


class Sweep(NamedTuple):
    """The result of a sweep; the leading axis of every array is the members.

    Members are ordered as ``itertools.product`` of the keys and then the hyperparameters.

    Attributes:
      params: The last finite parameters of each member, ``[members, ...]``; with
        ``stop=Stop(patience=...)`` those of its best evaluation.
      history: ``"step"`` and ``"epoch"``, ``[records]``; ``"loss"`` and, if asked for,
        ``"gradient_norm"``, ``[members, records]``, NaN once a member has stopped early or
        diverged.
      validation: ``"loss"`` and the metrics of ``params``, ``[members]``; empty without
        validation data.
      evaluations: What was evaluated on the way: ``"step"`` and ``"epoch"``, ``[evaluations]``;
        ``"loss"`` and the metrics, ``[members, evaluations]``. Empty without ``validate_every``
        or ``stop``.
      labels: For each member the position of its key, ``"seed"``, and its hyperparameters;
        arrays of ``[members]``.
      diverged_at: The step at which a member stopped being finite and was frozen, or -1.
      stopped_at: The updates that a member had made when it stopped early, or -1.
      seconds: Wall time by part: ``"compile"`` and ``"run"``.
    """

    params: Params
    history: dict[str, np.ndarray]
    validation: dict[str, np.ndarray]
    evaluations: dict[str, np.ndarray]
    labels: dict[str, np.ndarray]
    diverged_at: np.ndarray
    stopped_at: np.ndarray
    seconds: dict[str, float]

    def table(self) -> list[dict[str, Any]]:
        """One row a member: labels, last recorded loss, validation and how it ended."""
        columns = {
            **self.labels,
            "loss": self.last_losses(),
            **{f"validation_{name}": column for name, column in self.validation.items()},
            "diverged_at": self.diverged_at,
            "stopped_at": self.stopped_at,
        }
        rows = zip(*(column.tolist() for column in columns.values()), strict=True)
        return [dict(zip(columns, row, strict=True)) for row in rows]

    def last_losses(self) -> np.ndarray:
        """The last loss that was recorded of each member, ``[members]``; NaN if none was."""
        last = np.full(len(self.diverged_at), len(self.history["step"]) - 1)
        for ends in (self.stopped_at, self.diverged_at):
            before = np.searchsorted(self.history["step"], ends) - 1
            last = np.where(ends < 0, last, before)
        padded = np.pad(self.history["loss"], ((0, 0), (0, 1)), constant_values=np.nan)
        losses: np.ndarray = padded[np.arange(len(last)), last]
        return losses

    def best(self, column: str = "loss", mode: str = "min") -> int:
        """The member with the best value in a column of the table, of those that stayed finite.

        Args:
          column: ``"loss"``, the last recorded one of the training data; or
            ``"validation_loss"``, or ``"validation_"`` and the name of a metric.
          mode: ``"min"`` or ``"max"``, whichever is better.

        Raises:
          ValueError: If there is no such column, if it holds more than a number a member, or if
            it is finite for no member that has not diverged.
        """
        names = ["loss", *(f"validation_{name}" for name in self.validation)]
        check_choice("Sweep.best", "column", column, names)
        sign = 1.0 if check_choice("Sweep.best", "mode", mode, ("min", "max")) == "min" else -1.0
        values = (
            self.last_losses()
            if column == "loss"
            else self.validation[column.removeprefix("validation_")]
        )
        if values.ndim != 1:
            each = jax.ShapeDtypeStruct(values.shape[1:], values.dtype)
            remedy = "Choose with sweep.validation, or reduce the metric with .mean()."
            fail("Sweep.best", "column", "hold one number a member", each, remedy)
        ranked = np.where((self.diverged_at < 0) & np.isfinite(values), sign * values, np.inf)
        if not np.isfinite(ranked).any():
            remedy = "Lower the learning rates, or look at Sweep.table()."
            rule = "be finite for a member that has not diverged"
            fail("Sweep.best", f"column {column!r}", rule, "none", remedy)
        return int(ranked.argmin())

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
            fail("Sweep.member", "index", rule, describe(index), remedy, error=ArgumentTypeError)
        if not -members <= index < members:
            fail("Sweep.member", "index", rule, describe(index), remedy, error=IndexError)
        params: Params = jax.tree.map(lambda leaf: leaf[index], self.params)
        return params

    def success_rate(self, criterion: Callable[[Params], Any]) -> tuple[float, float, float]:
        """The share of members that meet a criterion, with its 95% Wilson interval.

        Args:
          criterion: ``criterion(params) -> bool`` for one member, traceable. Members that
            diverged count as failures.

        Returns:
          The share and the lower and upper end of its interval.
        """
        met = np.asarray(jax.vmap(criterion)(self.params))
        if met.dtype != np.bool_ or met.ndim != 1:
            fail(
                "Sweep.success_rate",
                "criterion",
                "return one truth value for a member",
                jax.ShapeDtypeStruct(met.shape[1:], met.dtype),
                "Compare, and reduce with .all().",
                error=ArgumentTypeError,
            )
        met = met & (self.diverged_at < 0)
        return met.mean().item(), *wilson_interval(int(met.sum()), met.size)


def join_sweeps(parts: list[Sweep], labels: dict[str, np.ndarray]) -> Sweep:
    """One result of consecutive batches of members, without what filled up the last batch."""
    size = len(labels["seed"])
    if len(parts) == 1:
        return parts[0]

    def joined(*leaves: Any) -> np.ndarray:
        return np.concatenate(leaves)[:size]

    def table(tables: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
        # A batch whose members all stopped early has fewer columns than the others.
        longest = max(tables, key=lambda one: len(one.get("step", ())))
        return {
            name: column
            if name in SHARED
            else joined(*(_widened(one[name], column.shape[1]) for one in tables))
            for name, column in longest.items()
        }

    return Sweep(
        params=jax.tree.map(
            lambda *leaves: jnp.concatenate(leaves)[:size], *(part.params for part in parts)
        ),
        history=table([part.history for part in parts]),
        validation=jax.tree.map(joined, *(part.validation for part in parts)),
        evaluations=table([part.evaluations for part in parts]),
        labels=labels,
        diverged_at=joined(*(part.diverged_at for part in parts)),
        stopped_at=joined(*(part.stopped_at for part in parts)),
        seconds={name: sum(part.seconds[name] for part in parts) for name in parts[0].seconds},
    )


def _widened(columns: np.ndarray, width: int) -> np.ndarray:
    """The array with columns of NaN added."""
    missing = width - columns.shape[1]
    if not missing:
        return columns
    widths = ((0, 0), (0, missing), *((0, 0),) * (columns.ndim - 2))
    return np.pad(columns.astype(float), widths, constant_values=np.nan)
