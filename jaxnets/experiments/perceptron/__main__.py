"""A perceptron in four steps, and Rosenblatt's rule beside it."""

from dataclasses import dataclass
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets import data, losses
from jaxnets.combinators import perceptron
from jaxnets.experiments.harness import choices, flags
from jaxnets.experiments.harness.experiment import Experiment
from jaxnets.experiments.harness.report import Report, side_by_side, total_seconds
from jaxnets.experiments.perceptron.rosenblatt import (
    GATES,
    count_mistakes,
    mistake_bound,
    separable_data,
)
from jaxnets.process import run_as_program
from jaxnets.training import Fit, fit

__all__ = ["EXPERIMENT", "GATES", "Config", "Perceptron", "main", "run", "show", "train"]

SEPARATORS = {"and": (1, 1, -1.5), "or": (1, 1, -0.5), "nand": (-1, -1, 1.5)}
"""For each gate that has one a line, as (w1, w2, b), whose margin gives a bound."""

MARGINS = (0.4, 0.2, 0.1, 0.05, 0.02)
"""Margins of the random data."""

POINTS, EPOCHS = 100, 200
"""Random points of each margin, and passes over them."""

CRITERION = (
    "the sigmoid unit answers AND, OR and NAND right for all four inputs and XOR for at most "
    "three; Rosenblatt's rule comes to rest on all separable data within (R/margin)^2 mistakes, "
    "and not on XOR"
)


@dataclass(frozen=True)
class Config:
    """One run, whole.

    Attributes:
      seed: Of the weights, of the random data and of the orders.
      steps: Full-batch updates of the sigmoid unit.
      lr: Its learning rate.
      optimizer: Its update rule.
      log_every: Steps between its records.
      orders: Random orders of the examples in which Rosenblatt's rule is tried.
    """

    seed: flags.Seed = 777
    steps: flags.Steps = 2000
    lr: flags.Rate = 1.0
    optimizer: flags.Optimizer = "sgd"
    log_every: flags.LogEvery = 100
    precision: flags.Precision = "float32"
    orders: Annotated[int, flags.Flag(flags.whole_number(1), "N")] = 20


def train(config: Config, gate: str, *, progress: bool = False) -> Fit:
    """The first three steps: the sigmoid unit, the data of a gate, and training on them."""
    model = perceptron()
    x, _ = data.xor()
    y = jnp.asarray(GATES[gate], x.dtype)
    return fit(
        model,
        losses.bce,
        choices.make_optimizer(config.optimizer, config.lr),
        (x, y),
        key=jax.random.key(config.seed),
        steps=config.steps,
        params=choices.start(model, x, "torch", config.seed),
        record_every=config.log_every,
        on_divergence="return",
        progress=progress,
    )


def test(gate: str, result: Fit) -> dict[str, Any]:
    """The fourth step: the outputs, and the line at which they are 0.5."""
    w, b = result.params["w"], result.params["b"]
    outputs = np.asarray(perceptron().apply(result.params, data.xor()[0]))
    return {
        "outputs": outputs.tolist(),
        "accuracy": float(((outputs > 0.5) == np.array(GATES[gate])).mean()),
        "weights": [*w[:, 0].tolist(), float(b[0])],
        "status": result.status,
    }


@dataclass(frozen=True, kw_only=True)
class Perceptron(Report):
    """The report of a run: by gate the sigmoid unit, by set of data Rosenblatt's rule."""

    experiment: str = "perceptron"
    gates: dict[str, dict[str, Any]]
    rosenblatt: list[dict[str, Any]]


def run(config: Config, *, progress: bool = False) -> Perceptron:
    """Train both units on everything; prints nothing but a progress bar."""
    fits = {name: train(config, name, progress=progress) for name in GATES}
    gates = {name: test(name, result) for name, result in fits.items()}
    steps = max((result.history["step"].tolist() for result in fits.values()), key=len)
    columns = {f"loss_{name}": result.history["loss"].tolist() for name, result in fits.items()}
    rule = _rosenblatt(config)
    return Perceptron(
        config=config,
        criterion=CRITERION,
        success=_meets_criterion(gates, rule),
        metrics={f"accuracy_{name}": gate["accuracy"] for name, gate in gates.items()},
        history=side_by_side({"step": steps, **columns}),
        seconds=total_seconds(result.seconds for result in fits.values()),
        params={name: result.params for name, result in fits.items()},
        timed="wall time (sigmoid unit)",
        why=WHY,
        gates=gates,
        rosenblatt=rule,
    )


def _rosenblatt(config: Config) -> list[dict[str, Any]]:
    """The mistakes of Rosenblatt's rule and their bound, a row per gate and then one per margin.

    Random data are the harder the smaller their margin.
    """
    x, generator = np.asarray(data.xor()[0]), np.random.default_rng(config.seed)
    sets: list[tuple[str, np.ndarray, np.ndarray, Any]]
    sets = [(name, x, np.array(t, x.dtype), SEPARATORS.get(name)) for name, t in GATES.items()]
    for margin in MARGINS:
        sets.append((f"margin {margin:g}", *separable_data(generator, POINTS, margin)))
    rows: list[dict[str, Any]] = []
    for name, x, t, line in sets:
        made = count_mistakes(x, t, orders=config.orders, seed=config.seed, epochs=EPOCHS)
        bound = None if line is None else mistake_bound(x, t, line)
        row = {"mistakes": made.most, "bound": bound, "came_to_rest": made.converged}
        rows.append({"data": name, **row})
    for row, margin in zip(rows[len(GATES) :], MARGINS, strict=True):
        row["margin"] = margin
    return rows


def _meets_criterion(gates: dict[str, Any], rule: list[dict[str, Any]]) -> bool:
    learned = all(
        gate["accuracy"] <= 0.75 if name == "xor" else gate["accuracy"] == 1.0
        for name, gate in gates.items()
    )
    return learned and all(
        not row["came_to_rest"]
        if row["bound"] is None
        else row["came_to_rest"] and row["mistakes"] <= row["bound"]
        for row in rule
    )


WHY = (
    "Why: both units part the plane by one straight line, and no line parts (0,1), (1,0) from "
    "(0,0), (1,1)."
)


def show(report: Perceptron) -> list[str]:
    """The report as a person reads it."""
    config = report.config
    return [
        f"One sigmoid unit, {config.optimizer}, learning rate {config.lr:g}, "
        f"{config.steps} steps, seed {config.seed}",
        "",
        "gate    (0,0)   (0,1)   (1,0)   (1,1)  accuracy  line",
        *(_show_gate(name, gate) for name, gate in report.gates.items()),
        "",
        f"Rosenblatt's rule, most mistakes of {config.orders} orders, {EPOCHS} passes",
        "",
        "data         mistakes     bound  came to rest",
        *map(_show_rule, report.rosenblatt),
        "",
    ]


def _show_gate(name: str, gate: dict[str, Any]) -> str:
    """The outputs of the sigmoid unit on one gate, and the line at which they are 0.5."""
    outputs = "  ".join(f"{value:6.4f}" for value in gate["outputs"])
    w1, w2, b = gate["weights"]
    line = f"{w1:.3g} x1 {w2:+.3g} x2 {b:+.3g} = 0"
    return f"{name.upper():5}  {outputs}  {gate['accuracy']:8.2f}  {line}"


def _show_rule(row: dict[str, Any]) -> str:
    """The mistakes of Rosenblatt's rule on one set of data, and their bound."""
    name = row["data"] if "margin" in row else row["data"].upper()
    bound = "none" if row["bound"] is None else f"{row['bound']:.0f}"
    rest = "yes" if row["came_to_rest"] else "no"
    return f"{name:11}  {row['mistakes']:8d}  {bound:>8}  {rest:>12}"


EXPERIMENT = Experiment("perceptron", Config, run, show, progress=True)
main = EXPERIMENT.main

if __name__ == "__main__":
    run_as_program(main)
