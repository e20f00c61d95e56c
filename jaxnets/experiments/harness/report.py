"""The report of a run: what is printed, saved and drawn, and how its numbers are written."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from jaxnets.model import Params
from jaxnets.training import Fit

__all__ = [
    "UNPRINTED",
    "Report",
    "diverged_at",
    "json_text",
    "number",
    "side_by_side",
    "total_seconds",
]

UNPRINTED = {"printed": False}
"""The metadata of a field that pictures need, and that is neither printed nor saved."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """The result of a run; an experiment adds fields of its own.

    Attributes:
      experiment: Its name.
      config: The configuration, whole.
      criterion: What the run had to show.
      success: Whether it did.
      metrics: Measured numbers by name.
      history: Columns of equal length, one row a record.
      seconds: Wall time by part: ``"compile"`` and ``"run"``.
      params: The trained parameters.
      timed: The words in front of the wall times, or None to leave them out.
      why: A last line that explains the outcome, or None.
    """

    experiment: str
    config: Any
    criterion: str
    success: bool
    metrics: dict[str, Any]
    history: dict[str, list[Any]]
    seconds: dict[str, float]
    params: Params = field(default_factory=dict, metadata=UNPRINTED)
    timed: str | None = field(default="wall time", metadata=UNPRINTED)
    why: str | None = field(default=None, metadata=UNPRINTED)

    def as_json(self) -> dict[str, Any]:
        """The object that ``--json`` prints."""
        names = [part.name for part in fields(self) if part.metadata.get("printed", True)]
        return {**{name: getattr(self, name) for name in names}, "config": asdict(self.config)}

    def loss_lines(
        self, form: str, width: int, beside: Mapping[str, tuple[Sequence[float | None], str]]
    ) -> list[str]:
        """The losses by step in a table.

        Args:
          form: Of the losses.
          width: Of their column.
          beside: Further columns by title, each with a form that says its width; what is None is
            left out.
        """
        titles = [f"{title:>{their.partition('.')[0]}}" for title, (_, their) in beside.items()]
        lines = ["  ".join((f"{'step':>6}", f"{'loss':>{width}}", *titles))]
        history = zip(self.history["step"], self.history["loss"], strict=True)
        for i, (step, loss) in enumerate(history):
            others = [(column[i], their) for column, their in beside.values()]
            cells = [f"{value:{their}}" for value, their in others if value is not None]
            lines.append("  ".join((f"{step:6d}", number(loss, form, width), *cells)))
        return lines

    def divergence(self) -> list[str]:
        """The line on a run that stopped early, and what its figures are of; none if it did not."""
        step = getattr(self, "diverged_at", None)
        text = f"The run stopped being finite at step {step}: what follows is of the weights before"
        return [] if step is None else [f"{text} that step's update. Lower --lr."]


def diverged_at(result: Fit) -> int | None:
    """The step at which a run stopped being finite, or None if it did not."""
    return int(result.state.step) if result.status == "diverged" else None


def total_seconds(runs: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """The seconds of several runs together, by part."""
    parts = list(runs)
    return {name: sum(part[name] for part in parts) for name in ("compile", "run")}


def side_by_side(columns: Mapping[str, list[Any]]) -> dict[str, list[Any]]:
    """The history of several runs; columns of those that have diverged are filled up with None."""
    records = max(map(len, columns.values()))
    return {name: column + [None] * (records - len(column)) for name, column in columns.items()}


def json_text(value: Any, *, indent: int | None = None) -> str:
    """Valid JSON, which has no word for infinity and NaN: both become null.

    Example:
      >>> json_text({"loss": [0.5, math.inf], "rate": math.nan})
      '{"loss": [0.5, null], "rate": null}'
    """

    def finite(value: Any) -> Any:
        if isinstance(value, float):
            return value if math.isfinite(value) else None
        if isinstance(value, dict):
            return {name: finite(part) for name, part in value.items()}
        return [finite(part) for part in value] if isinstance(value, list | tuple) else value

    return json.dumps(finite(value), indent=indent, allow_nan=False)


def number(value: float | None, form: str, width: int = 0) -> str:
    """A number in a format, to the right of so many places; in words if it is not finite.

    None is what a number that was not finite is read back as.

    Example:
      >>> number(0.25, ".4f", 11), number(math.nan, ".4f", 11)
      ('     0.2500', ' not finite')
    """
    finite = value is not None and math.isfinite(value)
    return (f"{value:{form}}" if finite else "not finite").rjust(width)
