"""XOR in four steps: the model, the data, training, and the test."""

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Annotated, Any

import jax
import numpy as np

from jaxnets import data, losses
from jaxnets.experiments.harness import choices, flags
from jaxnets.experiments.harness.experiment import Experiment
from jaxnets.experiments.harness.report import UNPRINTED, Report, diverged_at, number
from jaxnets.experiments.published import Table, compared, xor_table
from jaxnets.experiments.xor.networks import GRADIENTS, WHY, Many, build_model, goal, run_many
from jaxnets.model import Params
from jaxnets.process import run_as_program
from jaxnets.training import Fit, fit

__all__ = ["EXPERIMENT", "NETS", "Config", "One", "main", "run", "show", "train"]

NETS = {"single": (), "2-2-1": (2,), "2-10-10-10-1": (10, 10, 10)}
"""The course's networks by name, as the widths of their hidden layers."""


def named_widths(name: str) -> tuple[int, ...]:
    """An argument type: the name of one of the course's networks, as its hidden widths."""
    if name not in NETS:
        flags.refuse(f"be one of {', '.join(NETS)}", name, "Pass 2-2-1, or --hidden 2.")
    return NETS[name]


BY_NAME = ("--net", named_widths, "{" + ",".join(NETS) + "}")
Widths = Annotated[tuple[int, ...], flags.Flag(flags.widths, other=BY_NAME)]


@dataclass(frozen=True)
class Config:
    """One run, whole: equal configurations give equal numbers on the same platform.

    Attributes:
      hidden: Widths of the hidden layers, such as 10,10,10; sigmoid units, as the output is.
      init: Initialiser of the weights.
      seed: Of the weights.
      backprop: Where the gradient comes from: ``auto`` differentiates, ``hand`` is the chain
        rule by hand, ``tutorial`` the course's own hand-written rule.
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
    seeds: Annotated[int | None, flags.Flag(flags.whole_number(1, 1_000_000), "N")] = None


def train(config: Config, *, progress: bool = False) -> Fit:
    """The first three steps: a model, the data, and training on all of them at once."""
    model = build_model(config.hidden, config.init)
    x, y = data.xor()
    # A product of stated precision is made as PyTorch makes it, by a library of the processor: the
    # published table of the deep network hangs on the last digit.
    with jax.default_matmul_precision("highest"):
        return fit(
            model,
            goal(model, config.backprop, config.hidden),
            choices.make_optimizer(config.optimizer, config.lr),
            (x, y),
            key=jax.random.key(config.seed),
            steps=config.steps,
            params=choices.start(model, x, config.init, config.seed),
            record_every=config.log_every,
            on_divergence="return",
            progress=progress,
        )


def test(config: Config, params: Params) -> tuple[np.ndarray, dict[str, Any]]:
    """The fourth step: the four outputs; the share of them that is right, and their loss."""
    model, (x, y) = build_model(config.hidden, config.init), data.xor()

    @jax.jit
    def tested(params: Params, x: Any, y: Any) -> tuple[Any, Any]:
        outputs = model.apply(params, x)
        return outputs, losses.bce(outputs, y)

    outputs, loss = map(np.asarray, tested(params, x, y))
    right = (outputs > 0.5) == np.asarray(y)
    return outputs[:, 0], {"accuracy": float(right.mean()), "loss": float(loss)}


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
      params_after: The parameters after so many steps.
      beside: The published losses and the relative differences from them by record.
    """

    experiment: str = "xor"
    published: Table | None
    max_relative_difference: float | None
    hypothesis: list[float]
    prediction: list[int]
    accuracy: float
    loss: float
    diverged_at: int | None
    params_after: Callable[[int], Params] = field(metadata=UNPRINTED)
    beside: dict[str, tuple[list[Any], str]] = field(metadata=UNPRINTED)


def run(config: Config, *, progress: bool = False) -> One | Many:
    """Train and test what ``config`` says; prints nothing but a progress bar."""
    if config.seeds is not None:
        return run_many(config, config.seeds, progress=progress)
    result = train(config, progress=progress)
    hypothesis, metrics = test(config, result.params)
    history = {name: result.history[name].tolist() for name in ("step", "loss")}
    met = metrics["accuracy"] == 1.0
    if not config.hidden:
        met = metrics["accuracy"] <= 0.75 and abs(metrics["loss"] - math.log(2)) <= 1e-3
    return One(
        config=config,
        criterion="all four outputs are on the right side of 0.5" if config.hidden else SINGLE,
        success=result.status != "diverged" and met,
        metrics=metrics,
        history=history,
        seconds=result.seconds,
        params=result.params,
        why=None if config.hidden else WHY,
        hypothesis=hypothesis.tolist(),
        prediction=(hypothesis > 0.5).astype(int).tolist(),
        diverged_at=diverged_at(result),
        params_after=functools.partial(_params_after, config, result),
        **metrics,
        **_comparison(config, history),
    )


SINGLE = (
    "a single layer does not solve XOR: its loss ends at ln 2 (within 1e-3) and its accuracy is "
    "at most 0.75"
)


def published(config: Config) -> Table | None:
    """The table that this very configuration printed in the course, or None."""
    backprop = "auto" if config.backprop == "tutorial" else config.backprop
    theirs = Config(hidden=config.hidden, log_every=config.log_every, backprop=backprop)
    return xor_table(config.hidden) if config == theirs else None


def _comparison(config: Config, history: Table) -> dict[str, Any]:
    """What a report says of the published table."""
    table = published(config)
    theirs, differences = ([], []) if table is None else compared(history, table)
    columns = {"published": (theirs, "12.10f"), "relative difference": (differences, "19.1e")}
    return {
        "published": table,
        "max_relative_difference": max((d for d in differences if d is not None), default=None),
        "beside": {} if table is None else columns,
    }


def _params_after(config: Config, result: Fit, steps: int) -> Params:
    """The parameters after so many steps, by training once more up to there."""
    if steps == int(result.state.step):
        return result.params
    if steps == 0:
        model = build_model(config.hidden, config.init)
        return choices.start(model, data.xor()[0], config.init, config.seed)
    return train(replace(config, steps=steps)).params


def show(report: One | Many) -> list[str]:
    """The report as a person reads it."""
    config = report.config
    net = "-".join(map(str, (2, *config.hidden, 1)))
    head = (
        f"XOR, {net}, {config.optimizer}, learning rate {config.lr:g}, {config.steps} steps, "
        f"weights: {config.init}, seed {config.seed}{GRADIENTS[config.backprop]}"
    )
    if isinstance(report, Many):
        return [head, "", *report.show()]
    largest = report.max_relative_difference
    said = f"largest relative difference from the published table: {largest or 0:.1e}"
    return [
        head,
        "",
        *report.loss_lines(".10f", 12, report.beside),
        *([said] if report.beside else []),
        *report.divergence(),
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
