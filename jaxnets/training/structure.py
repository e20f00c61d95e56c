"""Sweeps whose structure varies: a program for each combination, and one result of them all."""

import dataclasses
import functools
import time
from pathlib import Path
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from jaxnets.errors import describe, inside, require
from jaxnets.model import Model
from jaxnets.training.arguments import many_keys
from jaxnets.training.groups import histories_of, place_of, scores_of, together
from jaxnets.training.host import Host, Outlook
from jaxnets.training.hyperparameters import Varied, shown
from jaxnets.training.listening import Listener
from jaxnets.training.members import Asked, Ready, make_ready
from jaxnets.training.results import Group, Sweep
from jaxnets.training.step import TrainState
from jaxnets.training.threads import in_threads
from jaxnets.training.trial import Bound, Built, Fixed

__all__ = ["sweep_groups"]


LEAST_SECONDS = 1e-3
"""The time that a program gets to run at least, where time is limited."""


class Part(NamedTuple):
    """The members of one structure, before they are trained.

    Attributes:
      values: Their structure, by name.
      members: Their numbers in the whole sweep.
      varied: The numbers that vary among them.
      start: The sweep of them to go on from, or None.
    """

    values: dict[str, Any]
    members: np.ndarray
    varied: Varied
    start: Sweep | None


def sweep_groups(build: Fixed | Built, varied: Varied, asked: Asked, outlook: Outlook) -> Sweep:
    """Train the members of every structure, one program after the other.

    All are prepared and compiled first, so that a mistake in the last one costs no training.

    Args:
      build: Makes a trial from hyperparameters.
      varied: The hyperparameters; none where a sweep to go on from has them.
      asked: The other arguments.
      outlook: What looks in.
    """
    remedy = "Pass progress=True, or one combination of structure at a time."
    none = outlook.watch is None
    require(none, "watch", "be left out where structure varies", describe(outlook.watch), remedy)
    parts, labels = _parts(varied, asked)
    with outlook.listener() as listener:
        began = time.perf_counter()
        with listener.at_once():
            ready = _prepared(build, parts, asked)
        _compile(ready, listener)
        study = _Study(labels, time.perf_counter() - began, [])
        for number, (part, one) in enumerate(zip(parts, ready, strict=True)):
            if number and listener.signal is not None:
                break
            own = _outlook(outlook, number, len(parts), study.seconds()["run"])
            try:
                found = Host(one.run, own, listener, one.result).drive("sweep")[0]
            except BaseException as error:
                if isinstance(broken := getattr(error, "result", None), Sweep):
                    study.add(part, broken)
                    error.result = study.result()  # type: ignore[attr-defined]
                raise
            study.add(part, found)
        listener.result = result = study.result()
    return result


class _Study(NamedTuple):
    """What is done of a sweep.

    Attributes:
      labels: Those of all members.
      prepared: Seconds that went before the first group.
      groups: The groups that are done.
    """

    labels: dict[str, np.ndarray]
    prepared: float
    groups: list[Group]

    def add(self, part: Part, found: Sweep) -> None:
        """Add the members of a part."""
        self.groups.append(Group(part.members, part.values, found))

    def seconds(self) -> dict[str, float]:
        """Wall time by part."""
        spent = {
            name: sum(group.sweep.seconds[name] for group in self.groups)
            for name in ("compile", "run")
        }
        return {**spent, "compile": spent["compile"] + self.prepared}

    def result(self) -> Sweep:
        """The members of all groups that are done, in one."""
        kept = np.sort(np.concatenate([group.members for group in self.groups]))
        groups = tuple(
            group._replace(members=np.searchsorted(kept, group.members)) for group in self.groups
        )
        members, sweeps = [group.members for group in groups], [group.sweep for group in groups]
        states = [one.state for one in sweeps]
        return Sweep(
            models=functools.partial(_model, groups),
            params=_each(sweeps, "params"),
            history=histories_of(members, _each(sweeps, "history")),
            validation=histories_of(members, _each(sweeps, "validation")),
            scores=scores_of(members, _each(sweeps, "scores")),
            state=TrainState(
                _each(states, "params"),
                _each(states, "opt_state"),
                _each(states, "key"),
                jnp.max(jnp.stack(_each(states, "step"))),
            ),
            status=together(members, _each(sweeps, "status")),
            labels={name: column[kept] for name, column in self.labels.items()},
            diverged_at=together(members, _each(sweeps, "diverged_at")),
            stopped_at=together(members, _each(sweeps, "stopped_at")),
            seconds=self.seconds(),
            judged=_each(sweeps, "judged"),
            groups=groups,
        )


def _each(results: list[Any], name: str) -> Any:
    """What each has by this name."""
    return tuple(getattr(one, name) for one in results)


def _model(groups: tuple[Group, ...], number: int) -> Model:
    group, place = place_of([group.members for group in groups], number)
    return groups[group].sweep.models(place)


def _parts(varied: Varied, asked: Asked) -> tuple[list[Part], dict[str, np.ndarray]]:
    """The members by their structure, and the labels of all."""
    start = asked.start
    if start is None:
        seeds = len(many_keys(asked.keys))
        return [
            Part(
                values,
                (np.arange(seeds)[:, None] * varied.rows + rows).reshape(-1),
                Varied({name: column[rows] for name, column in varied.numbers.items()}),
                None,
            )
            for values, rows in varied.parts()
        ], varied.labels(seeds)
    rule, remedy = (
        "be a Sweep whose structure varies, as it does here",
        "Pass what jn.sweep returned.",
    )
    require(isinstance(start, Sweep) and start.groups, "start", rule, type(start).__name__, remedy)
    remedy = "Leave them out: a run that goes on has its own."
    rule = "be left out beside a start whose structure varies"
    require(not varied.columns, "hyperparameters", rule, str(list(varied.columns)), remedy)
    parts = [Part(one.values, one.members, Varied({}), one.sweep) for one in start.groups]
    return parts, start.labels


def _prepared(build: Fixed | Built, parts: list[Part], asked: Asked) -> list[Ready]:
    """The runs of all parts, ready to go, on the same data."""
    ready: list[Ready] = []
    for part in parts:
        own = asked._replace(start=part.start)
        names = {name: shown([value])[0] for name, value in part.values.items()}
        with inside(", ".join(f"{name}={value}" for name, value in names.items())):
            ready.append(make_ready(_bound(build, part.values), part.varied, own))
        if asked.weights is None:  # which become a part of the data
            run = ready[-1].run
            asked = asked._replace(data=run.data, validation=run.validation)
    return ready


def _bound(build: Fixed | Built, values: dict[str, Any]) -> Built:
    """A function of numbers alone; equal for equal structure, so that its plan is found again."""
    assert isinstance(build, Built)  # a trial that is fixed takes no hyperparameters
    bound: Any = Bound(build.function, tuple(values.items()))
    return Built(bound)


def _compile(ready: list[Ready], listener: Listener) -> None:
    """Compile the programs side by side, by a chunk of no steps of the first block of each."""

    def compile_one(number: int) -> None:
        if listener.signal is None:
            run = ready[number].run
            first = run._replace(blocks=run.blocks[:1])
            first.compile(first.start())

    if len(ready) > 1:
        in_threads(compile_one, len(ready))


def _outlook(outlook: Outlook, number: int, count: int, spent: float) -> Outlook:
    """What looks in on one of the parts: a folder and a share of the time are its own."""
    checkpoint, stop = outlook.checkpoint, outlook.stop
    if checkpoint is not None:
        folder = Path(checkpoint.directory) / f"group-{number:04d}"
        checkpoint = dataclasses.replace(checkpoint, directory=folder)
    if stop is not None and stop.seconds is not None:
        # Something is left for every part, so that each has members that made a step.
        share = max(stop.seconds - spent, 0.0) / (count - number)
        stop = dataclasses.replace(stop, seconds=max(share, LEAST_SECONDS))
    return outlook._replace(checkpoint=checkpoint, stop=stop)
