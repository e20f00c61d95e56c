"""Activations: curves, gradients through depth, and units that die, measured."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets import activations
from jaxnets.experiments.activations.dead_units import DeadUnits, count_dead_units
from jaxnets.experiments.activations.gradient_flow import gradient_norms
from jaxnets.experiments.harness import choices, flags
from jaxnets.experiments.harness.experiment import Experiment
from jaxnets.experiments.harness.report import UNPRINTED, Report, total_seconds
from jaxnets.layers import parametric_relu
from jaxnets.model import Activation, Layer
from jaxnets.process import run_as_program

__all__ = ["CURVES", "EXPERIMENT", "Activations", "Config", "curves", "main", "run", "show"]

SLOPE = 0.25
"""The start of the learned slope of `prelu`."""


def _first_of(function: Activation) -> Activation:
    """The first of three outputs when the other two inputs are 0."""

    def first(x: jax.Array) -> jax.Array:
        rest = jnp.zeros_like(x)
        return function(jnp.stack([x, rest, rest], axis=-1))[..., 0]

    return first


COURSE = ("sigmoid", "tanh", "relu", "softmax")
"""The activations that the course draws."""

CURVES: dict[str, Callable[[Any], jax.Array]] = {
    **{name: getattr(activations, name) for name in (*COURSE, *activations.__all__)},
    "prelu": lambda x: activations.prelu(x, jnp.asarray(SLOPE, x.dtype)),
    "softmax": _first_of(activations.softmax),
    "log_softmax": _first_of(activations.log_softmax),
}
"""Every activation as a curve y(x), the course's first."""

DEEP: dict[str, Activation] = {name: getattr(activations, name) for name in COURSE[:3]}
"""Activations whose gradients are followed through depth."""

WEIGHTS = ("torch", "he", "normal")
"""Weights with which they are: PyTorch's default, He's, and the course's N(0, 1)."""

DEPTH = 50
"""Hidden layers of the deepest network."""

RELU, LEAKY = activations.relu, activations.leaky_relu
REMEDIES: dict[str, Layer] = {"relu": RELU, "leaky_relu": LEAKY, "prelu": parametric_relu()}
"""ReLU, and the activations that keep a slope on the left."""

RATE_FACTORS = (0.01, 0.03, 0.1, 0.3, 1.0)
"""Learning rates compared, as multiples of the one asked for."""

SEEDS = 5
"""Networks for each of them."""

CRITERION = (
    "from depth 1 to 50 the first layer's gradient falls below a millionth with PyTorch's weights "
    "(sigmoid, tanh, ReLU), grows a millionfold with N(0, 1) weights (tanh, ReLU) and stays "
    "within a factor of 100 with He's (ReLU); the highest learning rate ends with more dead ReLU "
    "units than the lowest, and with a lower loss with LeakyReLU and PReLU than with ReLU"
)


@dataclass(frozen=True)
class Config:
    """One run, whole.

    Attributes:
      seed: Of weights and data.
      steps: Full-batch updates of the networks whose units die.
      lr: Highest of their learning rates.
      optimizer: Their update rule.
      log_every: Steps between counts.
    """

    seed: flags.Seed = 777
    steps: flags.Steps = 1000
    lr: flags.Rate = 1.0
    optimizer: flags.Optimizer = "adam"
    log_every: flags.LogEvery = 20
    precision: flags.Precision = "float32"


def train(config: Config, activation: Layer, rates: list[float]) -> DeadUnits:
    """Networks of one activation at every learning rate, counted as they train."""
    return count_dead_units(
        activation,
        choices.OPTIMIZERS[config.optimizer],
        rates,
        seed=config.seed,
        seeds=SEEDS,
        records=config.steps // config.log_every + 1,
        every=config.log_every,
    )


@dataclass(frozen=True, kw_only=True)
class Activations(Report):
    """The report of a run.

    Attributes:
      gradient_growth: The first layer's gradient at the largest depth as a multiple of that at
        depth 1, by weights and activation.
      dead_units: By activation one row per learning rate: the share of units off at the end,
        and the loss.
      curves: See `curves`.
      norms: Gradient norms by weights and activation.
      dead: All counts by activation.
      rates: The learning rates.
    """

    experiment: str = "activations"
    gradient_growth: dict[str, dict[str, float]]
    dead_units: dict[str, list[dict[str, Any]]]
    curves: dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]] = field(metadata=UNPRINTED)
    norms: dict[str, dict[str, np.ndarray]] = field(metadata=UNPRINTED)
    dead: dict[str, DeadUnits] = field(metadata=UNPRINTED)
    rates: list[float] = field(metadata=UNPRINTED)


def run(config: Config) -> Activations:
    """Differentiate, measure and train."""
    norms = _gradient_norms(jax.random.key(config.seed))
    # The first layer's gradient at the largest depth as a multiple of that at depth 1.
    grown = {
        weights: {name: float(table[-1, 0] / table[0, 0]) for name, table in tables.items()}
        for weights, tables in norms.items()
    }
    rates = [factor * config.lr for factor in RATE_FACTORS]
    dead = {name: train(config, activation, rates) for name, activation in REMEDIES.items()}
    ends = {name: _ends(counted, rates) for name, counted in dead.items()}
    metrics = {f"loss_{name}": rows[-1]["loss"] for name, rows in ends.items()}
    return Activations(
        config=config,
        criterion=CRITERION,
        success=_vanish_and_explode(grown) and _die_and_are_cured(ends),
        metrics={"dead_relu_units": ends["relu"][-1]["share_off"], **metrics},
        history=_history(config, dead, rates),
        seconds=total_seconds(counted.seconds for counted in dead.values()),
        timed="wall time (training)",
        gradient_growth=grown,
        dead_units=ends,
        curves=curves(),
        norms=norms,
        dead=dead,
        rates=rates,
    )


def _gradient_norms(key: jax.Array) -> dict[str, dict[str, np.ndarray]]:
    """By weights and activation, see `gradient_norms`."""
    return {
        weights: {
            name: gradient_norms(activation, choices.INITIALIZERS[weights](), key, DEPTH)
            for name, activation in DEEP.items()
        }
        for weights in WEIGHTS
    }


def _ends(counted: DeadUnits, rates: list[float]) -> list[dict[str, Any]]:
    """The share of units off and the loss at the end, by learning rate."""
    rows = zip(rates, _finite(counted.share[:, -1]), _finite(counted.loss[:, -1]), strict=True)
    return [dict(zip(("lr", "share_off", "loss"), row, strict=True)) for row in rows]


def curves() -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Every activation as x from -5 to 5, y(x), and the derivative that autodiff gives."""
    x = jnp.linspace(-5, 5, 401)
    return {
        name: (np.asarray(x), np.asarray(curve(x)), np.asarray(jax.vmap(jax.grad(curve))(x)))
        for name, curve in CURVES.items()
    }


def _history(
    config: Config, dead: dict[str, DeadUnits], rates: list[float]
) -> dict[str, list[Any]]:
    """The share of units that are off, for each activation and learning rate."""
    history: dict[str, list[Any]] = {"step": list(range(0, config.steps + 1, config.log_every))}
    for name, counted in dead.items():
        for rate, share in zip(rates, counted.share, strict=True):
            history[f"off_{name}_{rate:g}"] = _finite(share)
    return history


def _finite(values: np.ndarray) -> list[float | None]:
    """The numbers, and None for what JSON has no word for."""
    return [float(value) if math.isfinite(value) else None for value in values]


def _vanish_and_explode(grown: dict[str, dict[str, float]]) -> bool:
    vanish = all(growth < 1e-6 for growth in grown["torch"].values())
    explode = min(grown["normal"]["tanh"], grown["normal"]["relu"]) > 1e6
    return vanish and explode and 0.01 < grown["he"]["relu"] < 100


def _die_and_are_cured(ends: dict[str, list[dict[str, Any]]]) -> bool:
    lowest, highest = ends["relu"][0], ends["relu"][-1]
    cured = [ends[name][-1]["loss"] for name in ("leaky_relu", "prelu")]
    if None in (lowest["share_off"], highest["share_off"], *cured):
        return False
    more_dead: bool = highest["share_off"] > lowest["share_off"]
    return more_dead and max(cured) < highest["loss"]


def show(report: Activations) -> list[str]:
    """The report as a person reads it."""
    config, growths, ends = report.config, report.gradient_growth.items(), report.dead_units
    return [
        f"Gradient of the first layer's weights at depth {DEPTH}, as a multiple of that at depth 1",
        "",
        "weights  " + "".join(f"{name:>12}" for name in DEEP),
        *(
            f"{weights:9}" + "".join(f"{growth[name]:12.1e}" for name in DEEP)
            for weights, growth in growths
        ),
        "",
        f"Hidden units off on every example after {config.steps} steps of {config.optimizer}, "
        f"and the loss (nats); means of {SEEDS} networks, seed {config.seed}",
        "",
        f"{'rate':>6}" + "".join(f"{name:>22}" for name in ends),
        *(
            f"{rows[0]['lr']:6g}" + "".join(f"{_cell(row):>22}" for row in rows)
            for rows in zip(*ends.values(), strict=True)
        ),
        "",
    ]


def _cell(row: dict[str, Any]) -> str:
    diverged = row["share_off"] is None
    return "diverged" if diverged else f"{row['share_off']:.1%}  {row['loss']:.2e}"


EXPERIMENT = Experiment("activations", Config, run, show)
main = EXPERIMENT.main

if __name__ == "__main__":
    run_as_program(main)
