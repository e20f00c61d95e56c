"""The report of a run: what is printed, saved and drawn."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from jaxnets.model import Params
from jaxnets.training import Fit

__all__ = ["UNPRINTED", "Report", "diverged_at", "total_seconds"]

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


def diverged_at(result: Fit) -> int | None:
    """The step at which a run stopped being finite, or None if it did not."""
    return int(result.state.step) if result.status == "diverged" else None


def total_seconds(runs: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """The seconds of several runs together, by part."""
    parts = list(runs)
    return {name: sum(part[name] for part in parts) for name in ("compile", "run")}
