"""A perceptron in four steps, and Rosenblatt's rule beside it."""

from dataclasses import dataclass
from itertools import zip_longest
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets import data, losses
from jaxnets.combinators import perceptron
from jaxnets.experiments.harness import choices, flags
from jaxnets.experiments.harness.experiment import Experiment
from jaxnets.experiments.harness.report import Report, total_seconds
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
      precision: Of weights and arithmetic.
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
    stacked = choices.starting_params(model, x, "torch", range(config.seed, config.seed + 1))
    return fit(
        model,
        losses.bce,
        choices.make_optimizer(config.optimizer, config.lr),
        (x, y),
        key=jax.random.key(config.seed),
        steps=config.steps,
        params=jax.tree.map(lambda leaf: leaf[0], stacked),
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
    rule = _rule_on_gates(config) + _rule_on_random_data(config)
    return Perceptron(
        config=config,
        criterion=CRITERION,
        success=_learns_all_but_xor(gates) and _rests_unless_xor(rule),
        metrics={f"accuracy_{name}": gate["accuracy"] for name, gate in gates.items()},
        history=_side_by_side(fits),
        seconds=total_seconds(result.seconds for result in fits.values()),
        params={name: result.params for name, result in fits.items()},
        timed="wall time (sigmoid unit)",
        why=WHY,
        gates=gates,
        rosenblatt=rule,
    )


def _side_by_side(fits: dict[str, Fit]) -> dict[str, list[Any]]:
    """The losses of all gates by step; None after a gate has diverged."""
    longest = max((result.history["step"].tolist() for result in fits.values()), key=len)
    columns = [longest, *(result.history["loss"].tolist() for result in fits.values())]
    names = ["step", *(f"loss_{name}" for name in fits)]
    rows = list(zip_longest(*columns))
    return {name: [row[i] for row in rows] for i, name in enumerate(names)}


def _rule_on_gates(config: Config) -> list[dict[str, Any]]:
    """One row per gate: the mistakes of Rosenblatt's rule, and their bound."""
    x, rows = np.asarray(data.xor()[0]), []
    for name, targets in GATES.items():
        bound = mistake_bound(x, targets, SEPARATORS[name]) if name in SEPARATORS else None
        rows.append(_rule_on(config, name, x, np.array(targets, x.dtype), bound))
    return rows


def _rule_on_random_data(config: Config) -> list[dict[str, Any]]:
    """The same on random data, the harder the smaller the margin."""
    generator = np.random.default_rng(config.seed)
    rows = []
    for margin in MARGINS:
        x, t, line = separable_data(generator, POINTS, margin)
        row = _rule_on(config, f"margin {margin:g}", x, t, mistake_bound(x, t, line))
        rows.append({**row, "margin": margin})
    return rows


def _rule_on(
    config: Config, name: str, x: np.ndarray, t: np.ndarray, bound: float | None
) -> dict[str, Any]:
    made = count_mistakes(x, t, orders=config.orders, seed=config.seed, epochs=EPOCHS)
    return {"data": name, "mistakes": made.most, "bound": bound, "came_to_rest": made.converged}


def _learns_all_but_xor(gates: dict[str, Any]) -> bool:
    return all(
        gate["accuracy"] <= 0.75 if name == "xor" else gate["accuracy"] == 1.0
        for name, gate in gates.items()
    )


def _rests_unless_xor(rule: list[dict[str, Any]]) -> bool:
    return all(
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
