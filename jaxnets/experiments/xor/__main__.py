"""XOR in four steps: the model, the data, training, and the test."""

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Annotated, Any

import jax
import numpy as np

from jaxnets import data, losses
from jaxnets.experiments.harness import arguments, choices, flags
from jaxnets.experiments.harness.experiment import Experiment
from jaxnets.experiments.harness.report import UNPRINTED, Report, diverged_at
from jaxnets.experiments.harness.text import divergence_text, number
from jaxnets.experiments.published import (
    Table,
    largest_relative_difference,
    relative_differences,
    xor_table,
)
from jaxnets.experiments.xor.network import GRADIENTS, build_model, goal
from jaxnets.model import Model, Params
from jaxnets.process import run_as_program
from jaxnets.training import Fit, fit

if TYPE_CHECKING:
    from jaxnets.experiments.xor.many import Many

__all__ = ["EXPERIMENT", "NETS", "Config", "One", "main", "run", "show", "train"]

NETS = {"single": (), "2-2-1": (2,), "2-10-10-10-1": (10, 10, 10)}
"""The course's networks by name, as the widths of their hidden layers."""


def named_widths(name: str) -> tuple[int, ...]:
    """An argument type: the name of one of the course's networks, as its hidden widths."""
    if name not in NETS:
        arguments.refuse(f"be one of {', '.join(NETS)}", name, "Pass 2-2-1, or --hidden 2.")
    return NETS[name]


BY_NAME = ("--net", named_widths, "{" + ",".join(NETS) + "}")
Widths = Annotated[tuple[int, ...], flags.Flag(arguments.widths, other=BY_NAME)]
Seeds = Annotated[int | None, flags.Flag(arguments.whole_number(1, 1_000_000), "N")]


@dataclass(frozen=True)
class Config:
    """One run, whole: equal configurations give equal numbers on the same platform.

    Attributes:
      hidden: Widths of the hidden layers, such as 10,10,10; sigmoid units, as the output is.
      init: Initialiser of the weights.
      seed: Of the weights.
      steps: Full-batch updates.
      lr: Learning rate.
      optimizer: Update rule.
      backprop: Where the gradient comes from: ``auto`` differentiates, ``hand`` is the chain
        rule by hand, ``tutorial`` the course's own hand-written rule.
      log_every: Steps between records.
      precision: Of weights and arithmetic.
      seeds: Train so many networks at once, with seeds from ``seed`` on.
    """

    hidden: Widths = (2,)
    init: Annotated[str, flags.choice(choices.INITIALIZERS)] = "torch"
    seed: flags.Seed = 777
    steps: flags.Steps = 10_001
    lr: flags.Rate = 1.0
    optimizer: flags.Optimizer = "sgd"
    backprop: Annotated[str, flags.choice(GRADIENTS)] = "auto"
    log_every: flags.LogEvery = 100
    precision: flags.Precision = "float32"
    seeds: Seeds = None


def train(config: Config, *, progress: bool = False) -> Fit:
    """The first three steps: a model, the data, and training on all of them at once."""
    model = build_model(config.hidden, config.init)
    x, y = data.xor()
    return fit(
        model,
        goal(model, config.backprop, config.hidden),
        choices.make_optimizer(config.optimizer, config.lr),
        (x, y),
        key=jax.random.key(config.seed),
        steps=config.steps,
        params=start(config),
        record_every=config.log_every,
        on_divergence="return",
        progress=progress,
    )


def test(config: Config, params: Params) -> tuple[np.ndarray, float]:
    """The fourth step: the four outputs, and their loss."""
    x, y = data.xor()
    outputs, loss = jax.jit(functools.partial(_outputs_and_loss, config))(params, x, y)
    return np.asarray(outputs)[:, 0], float(loss)


def _outputs_and_loss(config: Config, params: Params, x: Any, y: Any) -> tuple[Any, Any]:
    outputs = build_model(config.hidden, config.init).apply(params, x)
    return outputs, losses.bce(outputs, y)


def start(config: Config) -> Params:
    """The weights before the first step."""
    model, seeds = build_model(config.hidden, config.init), range(config.seed, config.seed + 1)
    stacked = choices.starting_params(model, data.xor()[0], config.init, seeds)
    params: Params = jax.tree.map(lambda leaf: np.asarray(leaf)[0], stacked)
    return params


@dataclass(frozen=True, kw_only=True)
class One(Report):
    """The report of one network.

    Attributes:
      published: The course's table of this very configuration, or None if there is none.
      max_relative_difference: The largest from that table.
      hypothesis: The four outputs.
      prediction: The outputs as 0 or 1.
      accuracy: The share of them that is right.
      loss: At the end.
      diverged_at: The step at which the run stopped being finite, or None.
      model: The network.
      params_after: The parameters after so many steps.
    """

    experiment: str = "xor"
    published: Table | None
    max_relative_difference: float | None
    hypothesis: list[float]
    prediction: list[int]
    accuracy: float
    loss: float
    diverged_at: int | None
    model: Model = field(metadata=UNPRINTED)
    params_after: Callable[[int], Params] = field(metadata=UNPRINTED)


def run(config: Config, *, progress: bool = False) -> "One | Many":
    """Train and test what ``config`` says; prints nothing but a progress bar."""
    if config.seeds is None:
        return _report(config, train(config, progress=progress))
    # Imported here, because one network needs no sweep.
    from jaxnets.experiments.xor.many import run_many

    return run_many(config, config.seeds, progress=progress, why=None if config.hidden else WHY)


def _report(config: Config, result: Fit) -> One:
    """The report of one network, tested."""
    hypothesis, loss = test(config, result.params)
    prediction = (hypothesis > 0.5).astype(int)
    accuracy = float((prediction == np.asarray(data.xor()[1])[:, 0]).mean())
    history = {name: result.history[name].tolist() for name in ("step", "loss")}
    table = published(config)
    return One(
        config=config,
        criterion="all four outputs are on the right side of 0.5" if config.hidden else SINGLE,
        success=result.status != "diverged" and _meets_criterion(config, accuracy, loss),
        metrics={"accuracy": accuracy, "loss": loss},
        history=history,
        seconds=result.seconds,
        params=result.params,
        why=None if config.hidden else WHY,
        published=table,
        max_relative_difference=largest_relative_difference(history, table),
        hypothesis=hypothesis.tolist(),
        prediction=prediction.tolist(),
        accuracy=accuracy,
        loss=loss,
        diverged_at=diverged_at(result),
        model=build_model(config.hidden, config.init),
        params_after=functools.partial(_params_after, config, result),
    )


SINGLE = (
    "a single layer does not solve XOR: its loss ends at ln 2 (within 1e-3) and its accuracy is "
    "at most 0.75"
)

WHY = (
    "Why: one layer is one straight line, and no line parts (0,1), (1,0) from (0,0), (1,1); the "
    "best it can do is to answer 0.5 everywhere, which costs ln 2."
)


def published(config: Config) -> Table | None:
    """The table that this very configuration printed in the course, or None."""
    backprop = "auto" if config.backprop == "tutorial" else config.backprop
    theirs = Config(hidden=config.hidden, log_every=config.log_every, backprop=backprop)
    return xor_table(config.hidden) if config == theirs else None


def _meets_criterion(config: Config, accuracy: float, loss: float) -> bool:
    if config.hidden:
        return accuracy == 1.0
    return accuracy <= 0.75 and abs(loss - math.log(2)) <= 1e-3


def _params_after(config: Config, result: Fit, steps: int) -> Params:
    """The parameters after so many steps, by training once more up to there."""
    if steps == 0:
        return start(config)
    if steps == int(result.state.step):
        return result.params
    return train(replace(config, steps=steps)).params


def show(report: "One | Many") -> list[str]:
    """The report as a person reads it."""
    config = report.config
    net = "-".join(map(str, (2, *config.hidden, 1)))
    head = (
        f"XOR, {net}, {config.optimizer}, learning rate {config.lr:g}, {config.steps} steps, "
        f"weights: {config.init}, seed {config.seed}{GRADIENTS[config.backprop]}"
    )
    if isinstance(report, One):
        return [head, "", *_loss_table(report), *_show_test(report)]
    from jaxnets.experiments.xor.many import show_many

    return [head, "", *show_many(report)]


def _loss_table(report: One) -> list[str]:
    """The losses, beside the published ones where there are any."""
    history, table = report.history, report.published
    rows = zip(history["step"], history["loss"], strict=True)
    if table is None:
        lines = [f"{step:6d}  {number(loss, '.10f', 12)}" for step, loss in rows]
        return [f"{'step':>6}  {'loss':>12}", *lines]
    lines = [f"{'step':>6}  {'loss':>12}  {'published':>12}  {'relative difference':>19}"]
    for (step, loss), row in zip(rows, relative_differences(history, table), strict=True):
        theirs = "" if row is None else f"  {row[0]:12.10f}  {row[1]:19.1e}"
        lines.append(f"{step:6d}  {loss:12.10f}{theirs}")
    largest = report.max_relative_difference
    return [*lines, f"largest relative difference from the published table: {largest:.1e}"]


def _show_test(report: One) -> list[str]:
    """Hypothesis, prediction and accuracy."""
    return [
        *([] if report.diverged_at is None else [divergence_text(report.diverged_at)]),
        "",
        "hypothesis: " + "  ".join(number(value, ".8f") for value in report.hypothesis),
        "prediction: " + "  ".join(f"{value:10d}" for value in report.prediction),
        f"accuracy: {report.accuracy}",
        "",
    ]


EXPERIMENT = Experiment(
    "xor", Config, run, show, runs={name: ("--net", name) for name in NETS}, progress=True
)
main = EXPERIMENT.main

if __name__ == "__main__":
    run_as_program(main)
