"""A ladder of linear regression: every rung is climbed, and compared with the first."""

from dataclasses import dataclass, field
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets.experiments.harness import flags
from jaxnets.experiments.harness.experiment import Experiment
from jaxnets.experiments.harness.report import UNPRINTED, Report, number, side_by_side
from jaxnets.experiments.linear_regression.ladder import (
    AGREEMENT,
    RUNGS,
    Climb,
    climb,
    closed_form,
    least_squares,
)
from jaxnets.process import run_as_program
from jaxnets.torch_compat import TorchGenerator

__all__ = ["EXPERIMENT", "Config", "Ladder", "draw_numbers", "main", "run", "show", "train"]

EXAMPLES, INPUTS, OUTPUTS = 64, 4, 2


@dataclass(frozen=True)
class Config:
    """One climb, whole: equal configurations give equal numbers on the same platform.

    Attributes:
      seed: Of the data and the weights, which are PyTorch's ``randn`` after ``manual_seed``.
      optimizer: The rules whose rungs are climbed.
      repeats: Timed calls of every rung after the first, of which the median is taken.
    """

    seed: flags.Seed = 777
    steps: flags.Steps = 5000
    lr: flags.Rate = 1e-6
    optimizer: Annotated[str, flags.choice(("both", *RUNGS))] = "both"
    log_every: flags.LogEvery = 100
    precision: flags.Precision = "float32"
    repeats: Annotated[int, flags.Flag(flags.whole_number(1), "N")] = 5


def train(config: Config) -> dict[str, dict[str, Climb]]:
    """The data, and the model and its training as each rung writes them; by rule and name."""
    x, y, w = draw_numbers(config)
    return {
        rule: {
            name: climb(rung(x, y, w, config.lr, config.steps), config.repeats, config.steps)
            for name, (_, rung) in rungs.items()
        }
        for rule, rungs in RUNGS.items()
        if config.optimizer in (rule, "both")
    }


def draw_numbers(config: Config) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Inputs, targets and the weights to start from."""
    generator = TorchGenerator(config.seed)
    shapes = ((EXAMPLES, INPUTS), (EXAMPLES, OUTPUTS), (INPUTS, OUTPUTS))
    x, y, w = (jnp.asarray(generator.normal(shape, dtype=config.precision)) for shape in shapes)
    return x, y, w


@dataclass(frozen=True, kw_only=True)
class Ladder(Report):
    """The report of a climb, with the losses of every step by rung."""

    experiment: str = "linear_regression"
    timed: str | None = field(default=None, metadata=UNPRINTED)
    diverged_at: int | None
    curves: dict[str, np.ndarray] = field(metadata=UNPRINTED)


def run(config: Config) -> Ladder:
    """Climb every rung and compare them."""
    # Some accelerators multiply float32 matrices in a narrower type unless told otherwise.
    with jax.default_matmul_precision("float32"):
        climbs = train(config)
    every = {name: rung for rungs in climbs.values() for name, rung in rungs.items()}
    metrics = _measured(config, climbs)
    rows, least = metrics["rungs"], metrics["least_squares"]["loss"]
    ends = [rung.diverged_at for rung in every.values() if rung.diverged_at is not None]
    curves = {name: rung.losses[:: config.log_every].tolist() for name, rung in every.items()}
    steps = [config.log_every * i for i in range(max(map(len, curves.values())))]
    seconds = [(row["first_seconds"], row["seconds"]) for row in rows.values()]
    return Ladder(
        config=config,
        criterion=CRITERION,
        success=not ends and all(_meets_criterion(row, least) for row in rows.values()),
        metrics=metrics,
        history=side_by_side({"step": steps, **curves}),
        seconds={
            "compile": sum(max(first - later, 0) for first, later in seconds),
            "run": sum(later for _, later in seconds),
        },
        params={name: jnp.asarray(rung.weights) for name, rung in every.items()},
        diverged_at=min(ends, default=None),
        curves={name: rung.losses for name, rung in every.items()},
    )


CRITERION = (
    f"all rungs of one rule agree to {AGREEMENT:g}, in every weight at the end and relatively in "
    "every loss, and the losses fall towards the least-squares solution's"
)


def _measured(config: Config, climbs: dict[str, dict[str, Climb]]) -> dict[str, Any]:
    """Every rung beside the one by hand and the limit, and the limit itself."""
    x, y, w = draw_numbers(config)
    limit, loss = least_squares(x, y)
    with np.errstate(all="ignore"):
        rows = {
            name: _row(rung, next(iter(rungs.values())), limit)
            for rungs in climbs.values()
            for name, rung in rungs.items()
        }
    metrics: dict[str, Any] = {
        "least_squares": {"loss": loss, "distance_at_start": _apart(w, limit)},
        "rungs": rows,
    }
    if "sgd" in climbs and (reached := climbs["sgd"]["numpy_by_hand"]).diverged_at is None:
        there = closed_form(x, limit, w, config.lr, config.steps)
        metrics["distance_from_closed_form"] = _apart(reached.weights, there)
    return metrics


def _apart(one: Any, other: Any) -> float:
    """The largest difference between two arrays."""
    return float(np.abs(np.asarray(one) - other).max())


def _row(rung: Climb, by_hand: Climb, limit: Any) -> dict[str, Any]:
    """One rung: its losses and times, and its distance from the rung by hand and the limit.

    Losses are compared as long as both rungs are finite.
    """
    both = min(len(rung.losses), len(by_hand.losses))
    first, hand = rung.losses[:both], by_hand.losses[:both]
    return {
        "first_loss": float(rung.losses[0]) if len(rung.losses) else None,
        "last_loss": float(rung.losses[-1]) if len(rung.losses) else None,
        "distance_from_by_hand": _apart(rung.weights, by_hand.weights),
        "relative_difference_of_losses": float((np.abs(first - hand) / hand).max(initial=0)),
        "distance_from_least_squares": _apart(rung.weights, limit),
        "first_seconds": rung.first_seconds,
        "seconds": rung.seconds,
        "diverged_at": rung.diverged_at,
    }


def _meets_criterion(row: dict[str, Any], least: float) -> bool:
    """True if a rung agrees with the one by hand, and its loss fell and is no less than it can."""
    apart = max(row["distance_from_by_hand"], row["relative_difference_of_losses"])
    fell = least * (1 - AGREEMENT) < row["last_loss"] < row["first_loss"]
    return bool(apart <= AGREEMENT and fell)


def show(report: Ladder) -> list[str]:
    """The report as a person reads it."""
    config, metrics = report.config, report.metrics
    limit, rows = metrics["least_squares"], metrics["rungs"]
    titles = {name: title for rungs in RUNGS.values() for name, (title, _) in rungs.items()}
    first = next(iter(rows.values()))["first_loss"]
    distance = number(metrics.get("distance_from_closed_form"), ".1e")
    descent = (
        f"After {config.steps} steps gradient descent is {distance} from where its closed form"
    )
    return [
        f"Linear regression, {EXAMPLES} x {INPUTS} to {EXAMPLES} x {OUTPUTS}, learning rate "
        f"{config.lr:g}, {config.steps} steps, seed {config.seed}, {config.precision}",
        "",
        f"loss before the first update: {number(first, '.7g')}; least squares, in closed form: "
        f"{limit['loss']:.7g}",
        "",
        *HEAD,
        *(_line(titles[name], row) for name, row in rows.items()),
        "",
        f"At the start the weights are {limit['distance_at_start']:.6f} from it.",
        *([f"{descent} says."] if "distance_from_closed_form" in metrics else []),
        *_divergences(report, titles),
        f"The median is of {config.repeats} further calls, which compile nothing.",
    ]


HEAD = (
    f"{'':26}{'':>12}  {'difference from the':^21}  {'distance from':>13}  {'wall time (s)':^21}",
    f"{'rung':26}{'last loss':>12}  {'rung by hand':^21}  {'least squares':>13}",
    f"{'':38}  {'weights':>10} {'losses':>10}  {'weights':>13}  {'first call':>10} {'median':>10}",
)


def _line(title: str, row: dict[str, Any]) -> str:
    """One rung of the table; its distance from the limit in full as long as it fits its column."""
    distance = row["distance_from_least_squares"]
    return (
        f"{title:26}{number(row['last_loss'], '.7g', 12)}"
        f"  {number(row['distance_from_by_hand'], '.1e', 10)}"
        f" {number(row['relative_difference_of_losses'], '.1e', 10)}"
        f"  {number(distance, '.6f' if distance < 1e6 else '.5e', 13)}"
        f"  {row['first_seconds']:10.4f} {row['seconds']:10.4f}"
    )


def _divergences(report: Ladder, titles: dict[str, str]) -> list[str]:
    """The rungs that stopped being finite, and the step; the last loss is of the step before."""
    if report.diverged_at is None:
        return []
    ends = {name: row["diverged_at"] for name, row in report.metrics["rungs"].items()}
    return [
        "",
        "Stopped being finite; the last loss above is the last one that was:",
        *(f"  {titles[name]:26}at step {end}" for name, end in ends.items() if end is not None),
        "Lower --lr.",
        "",
    ]


EXPERIMENT = Experiment("linear_regression", Config, run, show)
main = EXPERIMENT.main

if __name__ == "__main__":
    run_as_program(main)
