"""Linear regression as a ladder: from a NumPy loop with the gradient by hand to a Model and optax.

64 rows of 4 random inputs and 2 random targets, y = x w, half the summed squared error and 5,000
steps at 1e-6, the same thing written again and again with one piece of the work handed over at
each rung. Rungs of one update rule give the same numbers. Beside them stand the least-squares
solution, which they approach, and where gradient descent is after so many steps in closed form::

    python -m jaxnets.experiments.linear_regression
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets.experiments.command_line import (
    Parser,
    add_precision_flag,
    add_training_flags,
    run_as_program,
    whole_number,
)
from jaxnets.experiments.ladder import RUNGS, Climb, climb, closed_form, least_squares
from jaxnets.experiments.numbers import number
from jaxnets.experiments.runner import Experiment, Result, run_experiment
from jaxnets.plots import line_style, new_figure
from jaxnets.torch_compat import TorchGenerator

__all__ = ["EXPERIMENT", "Config", "draw_numbers", "main", "run"]

EXAMPLES, INPUTS, OUTPUTS = 64, 4, 2

AGREEMENT = 1e-6
"""How far two rungs of one rule may be apart, in any weight and relatively in any loss."""


@dataclass(frozen=True)
class Config:
    """One climb, whole: equal configurations give equal numbers on the same platform.

    Attributes:
      seed: Of the data and the weights, which are PyTorch's ``randn`` after ``manual_seed``.
      steps: Full-batch updates.
      lr: Learning rate.
      optimizer: The rules whose rungs are climbed: ``"sgd"``, ``"adam"`` or ``"both"``.
      log_every: Steps between records.
      precision: ``"float32"`` or ``"float64"``.
      repeats: Every rung is timed so often, and the median taken.
    """

    seed: int = 777
    steps: int = 5000
    lr: float = 1e-6
    optimizer: str = "both"
    log_every: int = 100
    precision: str = "float32"
    repeats: int = 5

    @property
    def criterion(self) -> str:
        """What the run has to show."""
        return (
            f"all rungs of one rule agree to {AGREEMENT:g}, in every weight at the end and "
            "relatively in every loss, and the losses fall towards the least-squares solution's"
        )


def draw_numbers(config: Config) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Inputs, targets and the weights to start from."""
    generator = TorchGenerator(config.seed)
    shapes = ((EXAMPLES, INPUTS), (EXAMPLES, OUTPUTS), (INPUTS, OUTPUTS))
    x, y, w = (jnp.asarray(generator.normal(shape, dtype=config.precision)) for shape in shapes)
    return x, y, w


def run(config: Config, *, progress: bool = False) -> Result:
    """Climbs every rung and compares them; prints nothing."""
    x, y, w = draw_numbers(config)
    rules = {rule: rungs for rule, rungs in RUNGS.items() if config.optimizer in (rule, "both")}
    # Some accelerators multiply float32 matrices in a narrower type unless told otherwise.
    with jax.default_matmul_precision("float32"):
        climbs = {
            rule: {
                name: climb(rung(x, y, w, config.lr, config.steps), config.repeats, config.steps)
                for name, (_, rung) in rungs.items()
            }
            for rule, rungs in rules.items()
        }
    limit = least_squares(x, y)
    with np.errstate(all="ignore"):
        rows = {
            name: _row(rung, next(iter(rungs.values())), limit.weights)
            for rungs in climbs.values()
            for name, rung in rungs.items()
        }
    metrics: dict[str, Any] = {
        "least_squares": {
            "loss": limit.loss,
            "distance_at_start": float(np.abs(np.asarray(w) - limit.weights).max()),
        },
        "rungs": rows,
    }
    every = {name: rung for rungs in climbs.values() for name, rung in rungs.items()}
    if "sgd" in climbs and (reached := climbs["sgd"]["numpy_by_hand"]).diverged_at is None:
        there = closed_form(x, limit.weights, w, config.lr, config.steps)
        metrics["distance_from_closed_form"] = float(np.abs(reached.weights - there).max())
    ends = [rung.diverged_at for rung in every.values() if rung.diverged_at is not None]
    report = {
        "experiment": "linear_regression",
        "config": asdict(config),
        "criterion": config.criterion,
        "diverged_at": min(ends, default=None),
        "success": not ends and all(_meets_criterion(row, limit.loss) for row in rows.values()),
        "metrics": metrics,
        "history": _history(every, config.log_every),
        "seconds": {
            "compile": sum(max(row["first_seconds"] - row["seconds"], 0) for row in rows.values()),
            "run": sum(row["seconds"] for row in rows.values()),
        },
    }
    params = {name: jnp.asarray(rung.weights) for name, rung in every.items()}
    return Result(report, params, {"curves": {name: rung.losses for name, rung in every.items()}})


def _history(rungs: dict[str, Climb], log_every: int) -> dict[str, list[Any]]:
    """The losses of all rungs side by side; None after a rung has diverged."""
    columns = {name: rung.losses[::log_every].tolist() for name, rung in rungs.items()}
    records = max(map(len, columns.values()))
    history: dict[str, list[Any]] = {"step": [log_every * i for i in range(records)]}
    for name, column in columns.items():
        history[name] = column + [None] * (records - len(column))
    return history


def _row(rung: Climb, by_hand: Climb, limit: Any) -> dict[str, Any]:
    """One rung: its losses and times, and its distance from the rung by hand and the limit.

    Losses are compared as long as both rungs are finite.
    """
    both = min(len(rung.losses), len(by_hand.losses))
    first, hand = rung.losses[:both], by_hand.losses[:both]
    return {
        "first_loss": float(rung.losses[0]) if len(rung.losses) else None,
        "last_loss": float(rung.losses[-1]) if len(rung.losses) else None,
        "distance_from_by_hand": float(np.abs(rung.weights - by_hand.weights).max()),
        "relative_difference_of_losses": float((np.abs(first - hand) / hand).max(initial=0)),
        "distance_from_least_squares": float(np.abs(rung.weights - limit).max()),
        "first_seconds": rung.first_seconds,
        "seconds": rung.seconds,
        "diverged_at": rung.diverged_at,
    }


def _meets_criterion(row: dict[str, Any], least: float) -> bool:
    """Whether a rung agrees with the one by hand, and its loss fell and is no less than it can."""
    apart = max(row["distance_from_by_hand"], row["relative_difference_of_losses"])
    fell = least * (1 - AGREEMENT) < row["last_loss"] < row["first_loss"]
    return bool(apart <= AGREEMENT and fell)


def show(report: dict[str, Any]) -> str:
    """The report as a person reads it."""
    config, metrics = Config(**report["config"]), report["metrics"]
    limit, rows = metrics["least_squares"], metrics["rungs"]
    titles = {name: title for rungs in RUNGS.values() for name, (title, _) in rungs.items()}
    first = next(iter(rows.values()))["first_loss"]
    lines = [
        f"Linear regression, {EXAMPLES} x {INPUTS} to {EXAMPLES} x {OUTPUTS}, learning rate "
        f"{config.lr:g}, {config.steps} steps, seed {config.seed}, {config.precision}",
        "",
        f"loss before the first update: {number(first, '.7g')}; least squares, in closed form: "
        f"{limit['loss']:.7g}",
        "",
        f"{'':26}{'':>12}  {'difference from the':^21}  {'distance from':>13}  "
        f"{'wall time (s)':^21}",
        f"{'rung':26}{'last loss':>12}  {'rung by hand':^21}  {'least squares':>13}",
        f"{'':38}  {'weights':>10} {'losses':>10}  {'weights':>13}  {'first call':>10} "
        f"{'median':>10}",
    ]
    lines += [
        f"{titles[name]:26}{number(row['last_loss'], '.7g', 12)}"
        f"  {number(row['distance_from_by_hand'], '.1e', 10)}"
        f" {number(row['relative_difference_of_losses'], '.1e', 10)}"
        f"  {_distance(row['distance_from_least_squares'])}"
        f"  {row['first_seconds']:10.4f} {row['seconds']:10.4f}"
        for name, row in rows.items()
    ]
    lines += ["", f"At the start the weights are {limit['distance_at_start']:.6f} from it."]
    if "distance_from_closed_form" in metrics:
        lines.append(
            f"After {config.steps} steps gradient descent is "
            f"{metrics['distance_from_closed_form']:.1e} from where its closed form says."
        )
    lines += _divergences(report, titles)
    met = "met" if report["success"] else "MISSED"
    lines += [
        f"The median is of {config.repeats} further calls, which compile nothing.",
        f"criterion {met}: {report['criterion']}",
    ]
    return "\n".join(lines)


def _distance(value: float | None) -> str:
    """In full as long as it fits its column."""
    small = value is not None and value < 1e6
    return number(value, ".6f" if small else ".5e", 13)


def _divergences(report: dict[str, Any], titles: dict[str, str]) -> list[str]:
    """Which rungs stopped being finite, and when; the last loss is of the step before."""
    if report["diverged_at"] is None:
        return []
    ends = {name: row["diverged_at"] for name, row in report["metrics"]["rungs"].items()}
    return [
        "",
        "Stopped being finite; the last loss above is the last one that was:",
        *(f"  {titles[name]:26}at step {end}" for name, end in ends.items() if end is not None),
        "Lower --lr.",
        "",
    ]


def draw(result: Result) -> Any:
    """The losses on their way to the limit, and how far the rungs are apart."""
    curves, metrics = result.details["curves"], result.report["metrics"]
    figure, axes = new_figure(1, 2, width=5.0)
    left, right = axes[0]
    rules = [(rule, next(iter(rungs))) for rule, rungs in RUNGS.items()]
    for i, (rule, name) in enumerate((rule, name) for rule, name in rules if name in curves):
        style = line_style(i)
        # One point alone is no line, and shows by its marker only.
        style["marker"] = "o" if len(curves[name]) == 1 else style["marker"]
        left.plot(curves[name], label=f"{rule}, by hand", **style)
    least = metrics["least_squares"]["loss"]
    left.axhline(least, color="#7a7a7a", linestyle=":", label="least squares")
    left.set(xlabel="step", ylabel="half summed squared error", title="Way to the limit")
    if result.report["diverged_at"] is not None:
        left.set(yscale="log", title="Losses as long as they are finite")
    left.legend()
    names = list(metrics["rungs"])
    columns = {"distance_from_by_hand": "weights", "relative_difference_of_losses": "losses"}
    for i, (column, label) in enumerate(columns.items()):
        apart = [metrics["rungs"][name][column] for name in names]
        places = np.arange(len(names)) + 0.4 * i - 0.2
        colors = {"color": ("#3b6ea5", "#dddddd")[i], "edgecolor": "black"}
        right.barh(places, apart, height=0.4, label=label, **colors)
    right.axvline(AGREEMENT, color="black", linestyle="--", label="allowed")
    right.set(xscale="log", xlim=(1e-17, 1e1), xlabel="absolute (weights), relative (losses)")
    right.set_title("Difference from the rung by hand")
    right.set_yticks(range(len(names)), names)
    right.legend(fontsize="small", loc="upper right")
    right.invert_yaxis()
    return figure


def add_flags(parser: Parser) -> None:
    """The flags of this experiment."""
    choices = ("both", *RUNGS)
    add_training_flags(parser, steps=5000, lr=1e-6, optimizers=choices, optimizer="both")
    add_precision_flag(parser)
    parser.add_argument(
        "--repeats",
        type=whole_number(1),
        default=5,
        metavar="N",
        help="timed calls of every rung after the first (%(default)s)",
    )


EXPERIMENT = Experiment(
    name="linear_regression",
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
