"""Initialization: how far a signal carries by the first weights, and which of them solve XOR.

The course sets w in three ways: random numbers, all 0.5, and scaled by fan-in. They stand here
beside the rules named after Xavier, He and LeCun, and orthogonal matrices. All biases are 0, so
that nothing but the weights is compared::

    python -m jaxnets.experiments.initialization --plot
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import jax
import numpy as np
import optax

from jaxnets import initializers
from jaxnets.activations import relu, tanh
from jaxnets.experiments.command_line import (
    MOST_SEEDS,
    Parser,
    any_seed,
    positive_numbers,
    run_as_program,
    whole_number,
)
from jaxnets.experiments.initialization_plots import draw_initialization
from jaxnets.experiments.layer_spread import layer_spread
from jaxnets.experiments.numbers import number
from jaxnets.experiments.runner import Experiment, Result, run_experiment
from jaxnets.experiments.xor_sweeps import Outcome, xor_outcome
from jaxnets.model import Initializer

__all__ = ["EXPERIMENT", "INITIALIZERS", "Config", "main", "run"]

INITIALIZERS: dict[str, Initializer] = {
    "random": initializers.normal(1.0),
    "constant": initializers.constant(0.5),
    "fan_in": initializers.torch_linear(),
    "xavier": initializers.xavier_normal(),
    "he": initializers.he_normal(),
    "lecun": initializers.lecun_normal(),
    "orthogonal": initializers.orthogonal(),
}
"""The course's three first; its scaling by fan-in is uniform on +-1/sqrt(fan-in)."""


def _momentum(learning_rate: Any) -> optax.GradientTransformation:
    return optax.sgd(learning_rate, momentum=0.9)


OPTIMIZERS = {"sgd": optax.sgd, "momentum": _momentum, "adam": optax.adam}
"""One compiled program each, for their states differ; a learning rate is data of the program."""

ACTIVATIONS = {"relu": relu, "tanh": tanh}


@dataclass(frozen=True)
class Config:
    """One run, whole: equal configurations give equal numbers on the same platform.

    Attributes:
      seeds: Networks for every initialiser, optimizer and learning rate.
      seed: The first seed.
      steps: Full-batch updates of each.
      lr: Learning rates to compare.
      optimizer: Update rule, a name of `OPTIMIZERS`; None for all of them.
      log_every: Steps between records.
      depth: Layers of the network whose spread is measured.
    """

    seeds: int = 200
    seed: int = 777
    steps: int = 5000
    lr: tuple[float, ...] = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
    optimizer: str | None = None
    log_every: int = 100
    depth: int = 10


CRITERION = (
    "constant weights solve XOR for no seed, their hidden units differing by exactly 0 after "
    "training, while every other initialiser solves it for more than half of the seeds at its "
    "best optimizer and learning rate; and He's weights keep the spread of ReLU layers within a "
    "factor of 3, where unscaled random ones change it more than a thousandfold"
)


def run(config: Config, *, progress: bool = False) -> Result:
    """Measures the spread and trains all networks; prints nothing."""
    spread = _spread(config)
    outcomes = {
        name: xor_outcome(
            INITIALIZERS,
            OPTIMIZERS[name],
            config.lr,
            seeds=range(config.seed, config.seed + config.seeds),
            steps=config.steps,
            record_every=config.log_every,
        )
        for name in ([config.optimizer] if config.optimizer else OPTIMIZERS)
    }
    share = {name: _of_inits(outcome.solved.mean(axis=1)) for name, outcome in outcomes.items()}
    best = {init: _best(init, share, config.lr) for init in INITIALIZERS}
    difference = _of_inits(
        np.max([outcome.difference.max(axis=(1, 2)) for outcome in outcomes.values()], axis=0)
    )
    metrics = {f"share_solved_{init}": found["share"] for init, found in best.items()}
    metrics["difference_of_constant_units"] = difference["constant"]
    metrics["spread_change_he"] = _change(spread["relu"]["he"]["activations"])
    metrics["spread_change_random"] = _change(spread["relu"]["random"]["activations"])
    report = {
        "experiment": "initialization",
        "config": asdict(config),
        "criterion": CRITERION,
        "success": _meets_criterion(metrics),
        "metrics": metrics,
        "history": _history(config, outcomes, best),
        "share_solved": share,
        "best": best,
        "difference_of_units": difference,
        "spread": spread,
        "networks": sum(outcome.solved.size for outcome in outcomes.values()),
        "seconds": {
            part: sum(outcome.seconds[part] for outcome in outcomes.values())
            for part in ("compile", "run")
        },
    }
    return Result(report, {name: outcome.params for name, outcome in outcomes.items()}, {})


def _of_inits(values: np.ndarray) -> dict[str, Any]:
    """The rows of an array by the names of the initialisers."""
    return dict(zip(INITIALIZERS, values.tolist(), strict=True))


def _spread(config: Config) -> dict[str, dict[str, dict[str, list[float]]]]:
    """By activation, initialiser and direction: one number a layer."""
    key = jax.random.key(config.seed)
    return {
        name: {
            init: {"activations": part.activations.tolist(), "gradients": part.gradients.tolist()}
            for init, part in layer_spread(activation, INITIALIZERS, key, config.depth).items()
        }
        for name, activation in ACTIVATIONS.items()
    }


def _change(spread: list[float]) -> float:
    """By which factor the spread of the input, 1, has changed at most, up or down."""
    # Deep enough, a spread is 0 or more than can be held, and so is its change.
    with np.errstate(all="ignore"):
        return float(np.exp(np.abs(np.log(spread)).max()))


def _best(
    init: str, share: dict[str, dict[str, list[float]]], lr: tuple[float, ...]
) -> dict[str, Any]:
    """The optimizer and learning rate at which an initialiser solves XOR most often."""
    shares = {
        (name, rate): value
        for name, rows in share.items()
        for rate, value in zip(lr, rows[init], strict=True)
    }
    name, rate = max(shares, key=shares.__getitem__)
    return {"optimizer": name, "lr": rate, "share": shares[name, rate]}


def _history(
    config: Config, outcomes: dict[str, Outcome], best: dict[str, dict[str, Any]]
) -> dict[str, list[float]]:
    """The median loss over the seeds, of every initialiser where it does best."""
    history = {"step": next(iter(outcomes.values())).step.tolist()}
    for position, (init, found) in enumerate(best.items()):
        loss = outcomes[found["optimizer"]].loss[position, :, config.lr.index(found["lr"])]
        # A loss that is no number is as bad as the largest one.
        finite = np.where(np.isfinite(loss), loss, np.finfo(np.float32).max)
        history[f"loss_{init}"] = np.median(finite, axis=0).tolist()
    return history


def _meets_criterion(metrics: dict[str, float]) -> bool:
    others = [metrics[f"share_solved_{init}"] for init in INITIALIZERS if init != "constant"]
    return (
        metrics["share_solved_constant"] == 0
        and metrics["difference_of_constant_units"] == 0
        and min(others) > 0.5
        and metrics["spread_change_he"] <= 3
        and metrics["spread_change_random"] > 1000
    )


def show(report: dict[str, Any]) -> str:
    """The report as a person reads it."""
    config, spread = Config(**report["config"]), report["spread"]
    lines = [f"Spread after {config.depth} layers (input 1), and of the gradient at the first", ""]
    lines.append(f"{'':12}" + "".join(f"{name:>12}{'gradient':>12}" for name in spread))
    for init in INITIALIZERS:
        ends = [
            (by_init[init]["activations"][-1], by_init[init]["gradients"][0])
            for by_init in spread.values()
        ]
        lines.append(
            f"{init:12}"
            + "".join(
                f"{number(there, '.2g', 12)}{number(back, '.2g', 12)}" for there, back in ends
            )
        )
    seeds = f"{config.seeds} seeds ({config.seed} to {config.seed + config.seeds - 1})"
    for name, rows in report["share_solved"].items():
        lines += ["", f"Share of {seeds} that solve XOR, {name}, by learning rate", ""]
        lines.append(f"{'':12}" + "".join(f"{rate:>8g}" for rate in config.lr))
        lines += [
            f"{init:12}" + "".join(f"{share:8.1%}" for share in shares)
            for init, shares in rows.items()
        ]
    lines += ["", "Largest difference between weights of the two hidden units after training", ""]
    lines += [
        f"{init:12}{number(value, 'g', 12)}"
        for init, value in report["difference_of_units"].items()
    ]
    seconds, met = report["seconds"], "met" if report["success"] else "MISSED"
    return "\n".join(
        [
            *lines,
            "",
            f"{report['networks']} networks, {len(report['share_solved'])} compiled programs; "
            f"wall time: {seconds['compile']:.3f} s compile, {seconds['run']:.4f} s run",
            f"criterion {met}: {report['criterion']}",
            "Why constant weights fail: units that start equal get equal gradients, so they stay "
            "equal, and a hidden layer of equal units is one unit.",
        ]
    )


def add_flags(parser: Parser) -> None:
    """The flags of this experiment; it compares what others are told."""
    add, default = parser.add_argument, Config()
    rates = ",".join(f"{rate:g}" for rate in default.lr)
    help_rates = f"learning rates to compare ({rates})"
    many = whole_number(1, MOST_SEEDS)
    add("--seeds", type=many, default=default.seeds, metavar="N", help="(%(default)s)")
    add("--seed", type=any_seed, default=default.seed, help="the first (%(default)s)")
    add("--steps", type=whole_number(1), default=default.steps, help="updates (%(default)s)")
    add("--lr", type=positive_numbers, default=default.lr, metavar="A,B,...", help=help_rates)
    add("--optimizer", choices=OPTIMIZERS, help="compare this one only (all of them)")
    add(
        "--log-every",
        type=whole_number(1),
        default=default.log_every,
        metavar="N",
        help="steps between records (%(default)s)",
    )
    add("--depth", type=whole_number(1), default=default.depth, help="layers (%(default)s)")


EXPERIMENT = Experiment(
    name="initialization",
    summary=(__doc__ or "").partition("\n")[0],
    config=Config,
    add_flags=add_flags,
    run=run,
    show=show,
    draw=draw_initialization,
)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the experiment from the command line; returns the exit code."""
    return run_experiment(EXPERIMENT, argv)


if __name__ == "__main__":
    run_as_program(main)
