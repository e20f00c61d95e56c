"""Activations: every function with its derivative; vanishing and exploding gradients; dead units.

What the course draws, and what it says of it in words only, measured::

    python -m jaxnets.experiments.activations --plot
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets import activations, initializers
from jaxnets.experiments.activations_plots import draw
from jaxnets.experiments.command_line import (
    Parser,
    add_precision_flag,
    add_training_flags,
    run_as_program,
)
from jaxnets.experiments.dead_units import DeadUnits, count_dead_units
from jaxnets.experiments.gradient_flow import gradient_norms
from jaxnets.experiments.runner import Experiment, Result, run_experiment
from jaxnets.experiments.setup import OPTIMIZERS
from jaxnets.layers import parametric_relu
from jaxnets.model import Activation, Initializer, Layer

__all__ = ["CURVES", "EXPERIMENT", "Config", "main", "run"]

SLOPE = 0.25
"""Where the learned slope of `prelu` starts."""


def _first_of(function: Activation) -> Activation:
    """The first of three outputs when the other two inputs are 0."""

    def first(x: jax.Array) -> jax.Array:
        rest = jnp.zeros_like(x)
        return function(jnp.stack([x, rest, rest], axis=-1))[..., 0]

    return first


COURSE = ("sigmoid", "tanh", "relu", "softmax")
"""What the course draws."""

CURVES: dict[str, Callable[[Any], jax.Array]] = {
    **{name: getattr(activations, name) for name in (*COURSE, *activations.__all__)},
    "prelu": lambda x: activations.prelu(x, jnp.asarray(SLOPE, x.dtype)),
    "softmax": _first_of(activations.softmax),
    "log_softmax": _first_of(activations.log_softmax),
}
"""Every activation as a curve y(x), the course's first."""

DEEP: dict[str, Activation] = {
    "sigmoid": activations.sigmoid,
    "tanh": activations.tanh,
    "relu": activations.relu,
}
"""Activations whose gradients are followed through depth."""

WEIGHTS: dict[str, Initializer] = {
    "torch": initializers.torch_linear(),
    "he": initializers.he_normal(),
    "normal": initializers.normal(1.0),
}
"""Weights with which they are: PyTorch's default, He's, and the course's N(0, 1)."""

DEPTH = 50
"""Hidden layers of the deepest network."""

REMEDIES: dict[str, Layer] = {
    "relu": activations.relu,
    "leaky_relu": activations.leaky_relu,
    "prelu": parametric_relu(),
}
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
      optimizer: Their update rule, a name of `OPTIMIZERS`.
      log_every: Steps between counts.
      precision: ``"float32"`` or ``"float64"``.
    """

    seed: int = 777
    steps: int = 1000
    lr: float = 1.0
    optimizer: str = "adam"
    log_every: int = 20
    precision: str = "float32"


def run(config: Config, *, progress: bool = False) -> Result:
    """Differentiates, measures and trains; prints nothing. There is no progress bar either."""
    key = jax.random.key(config.seed)
    norms = {
        weights: {
            name: gradient_norms(activation, initializer, key, DEPTH)
            for name, activation in DEEP.items()
        }
        for weights, initializer in WEIGHTS.items()
    }
    rates = [factor * config.lr for factor in RATE_FACTORS]
    dead = {name: _train(config, activation, rates) for name, activation in REMEDIES.items()}
    steps = range(0, config.steps + 1, config.log_every)
    grown = {
        weights: {name: float(table[-1, 0] / table[0, 0]) for name, table in tables.items()}
        for weights, tables in norms.items()
    }
    ends = {
        name: [
            {"lr": rate, "share_off": _finite(share), "loss": _finite(loss)}
            for rate, share, loss in zip(
                rates, counted.share[:, -1], counted.loss[:, -1], strict=True
            )
        ]
        for name, counted in dead.items()
    }
    report = {
        "experiment": "activations",
        "config": asdict(config),
        "criterion": CRITERION,
        "success": _vanish_and_explode(grown) and _die_and_are_cured(ends),
        "metrics": {
            "dead_relu_units": ends["relu"][-1]["share_off"],
            "loss_relu": ends["relu"][-1]["loss"],
            "loss_leaky_relu": ends["leaky_relu"][-1]["loss"],
            "loss_prelu": ends["prelu"][-1]["loss"],
        },
        "history": {"step": list(steps), **_columns(dead, rates)},
        "gradient_growth": grown,
        "dead_units": ends,
        "seconds": {
            part: sum(counted.seconds[part] for counted in dead.values())
            for part in ("compile", "run")
        },
    }
    return Result(report, {}, {"curves": curves(), "norms": norms, "dead": dead, "rates": rates})


def curves() -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """For every activation x from -5 to 5, y(x), and the derivative that autodiff gives."""
    x = jnp.linspace(-5, 5, 401)
    slopes = {name: jax.vmap(jax.grad(curve)) for name, curve in CURVES.items()}
    return {
        name: (np.asarray(x), np.asarray(curve(x)), np.asarray(slopes[name](x)))
        for name, curve in CURVES.items()
    }


def _train(config: Config, activation: Layer, rates: list[float]) -> DeadUnits:
    return count_dead_units(
        activation,
        OPTIMIZERS[config.optimizer],
        rates,
        seed=config.seed,
        seeds=SEEDS,
        records=config.steps // config.log_every + 1,
        every=config.log_every,
    )


def _columns(dead: dict[str, DeadUnits], rates: list[float]) -> dict[str, list[float | None]]:
    """The share of units that are off, for each activation and learning rate."""
    return {
        f"off_{name}_{rate:g}": [_finite(value) for value in counted.share[i]]
        for name, counted in dead.items()
        for i, rate in enumerate(rates)
    }


def _finite(value: Any) -> float | None:
    """The number, or None for what JSON has no word for."""
    return float(value) if math.isfinite(value) else None


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


def show(report: dict[str, Any]) -> str:
    """The report as a person reads it."""
    config = Config(**report["config"])
    names = list(DEEP)
    lines = [
        f"Gradient of the first layer's weights at depth {DEPTH}, as a multiple of that at depth 1",
        "",
        "weights  " + "".join(f"{name:>12}" for name in names),
    ]
    for weights, growth in report["gradient_growth"].items():
        lines.append(f"{weights:9}" + "".join(f"{growth[name]:12.1e}" for name in names))
    lines += [
        "",
        f"Hidden units off on every example after {config.steps} steps of {config.optimizer}, "
        f"and the loss (nats); means of {SEEDS} networks, seed {config.seed}",
        "",
        f"{'rate':>6}" + "".join(f"{name:>22}" for name in report["dead_units"]),
    ]
    for rows in zip(*report["dead_units"].values(), strict=True):
        cells = "".join(f"{_cell(row):>22}" for row in rows)
        lines.append(f"{rows[0]['lr']:6g}{cells}")
    seconds, met = report["seconds"], "met" if report["success"] else "MISSED"
    lines += [
        "",
        f"wall time (training): {seconds['compile']:.3f} s compile, {seconds['run']:.4f} s run",
        f"criterion {met}: {report['criterion']}",
    ]
    return "\n".join(lines)


def _cell(row: dict[str, Any]) -> str:
    if row["share_off"] is None:
        return "diverged"
    return f"{row['share_off']:.1%}  {row['loss']:.2e}"


def add_flags(parser: Parser) -> None:
    """The flags of this experiment."""
    add_training_flags(
        parser, steps=1000, lr=1.0, optimizers=OPTIMIZERS, optimizer="adam", log_every=20
    )
    add_precision_flag(parser)


EXPERIMENT = Experiment(
    name="activations",
    summary=(__doc__ or "").partition("\n")[0],
    config=Config,
    add_flags=add_flags,
    run=run,
    show=show,
    draw=draw,
)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the experiment from the command line; returns the exit code."""
    return run_experiment(EXPERIMENT, argv)


if __name__ == "__main__":
    run_as_program(main)
