"""Perceptron: one unit learns AND, OR and NAND but not XOR; Rosenblatt's rule keeps its bound.

Two ways to train the same straight line. The course's ``Perceptron``, a sigmoid unit, follows
the gradient of the cross-entropy. Rosenblatt's unit of 1958 has a step in place of the sigmoid
and so no gradient; its rule adds every misjudged example to the weights, and Novikoff's theorem
bounds how often that happens if there is a line at all::

    python -m jaxnets.experiments.perceptron --plot
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import zip_longest
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets import data, losses
from jaxnets.combinators import perceptron
from jaxnets.experiments.command_line import (
    Parser,
    add_precision_flag,
    add_training_flags,
    run_as_program,
    whole_number,
)
from jaxnets.experiments.rosenblatt import count_mistakes, mistake_bound, separable_data
from jaxnets.experiments.runner import Experiment, Result, run_experiment
from jaxnets.experiments.setup import OPTIMIZERS, make_optimizer, starting_params
from jaxnets.plots import draw_surface, line_style, new_figure
from jaxnets.training import Fit, fit

__all__ = ["EXPERIMENT", "GATES", "Config", "main", "run"]

GATES = {"and": (0, 0, 0, 1), "or": (0, 1, 1, 1), "nand": (1, 1, 1, 0), "xor": (0, 1, 1, 0)}
"""Targets for the inputs (0,0), (0,1), (1,0), (1,1)."""

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
      optimizer: Its update rule, a name of `OPTIMIZERS`.
      log_every: Steps between its records.
      precision: ``"float32"`` or ``"float64"``.
      orders: Random orders of the examples in which Rosenblatt's rule is tried.
    """

    seed: int = 777
    steps: int = 2000
    lr: float = 1.0
    optimizer: str = "sgd"
    log_every: int = 100
    precision: str = "float32"
    orders: int = 20


def run(config: Config, *, progress: bool = False) -> Result:
    """Trains both units on everything and reports; prints nothing but a progress bar."""
    x, _ = data.xor()
    fits = _fit_gates(config, x, progress)
    rule = _rule_on_gates(config, np.asarray(x)) + _rule_on_random_data(config)
    outputs = {name: np.asarray(perceptron().apply(fits[name].params, x)) for name in GATES}
    gates = {
        name: {
            "outputs": outputs[name].tolist(),
            "accuracy": float(((outputs[name] > 0.5) == np.array(GATES[name])).mean()),
            "weights": [*fits[name].params["w"][:, 0].tolist(), float(fits[name].params["b"][0])],
            "status": fits[name].status,
        }
        for name in GATES
    }
    seconds = {
        part: sum(result.seconds[part] for result in fits.values()) for part in ("compile", "run")
    }
    report = {
        "experiment": "perceptron",
        "config": asdict(config),
        "criterion": CRITERION,
        "success": _learns_all_but_xor(gates) and _rests_unless_xor(rule),
        "metrics": {f"accuracy_{name}": gate["accuracy"] for name, gate in gates.items()},
        "history": _side_by_side(fits),
        "gates": gates,
        "rosenblatt": rule,
        "seconds": seconds,
    }
    return Result(report, {name: result.params for name, result in fits.items()}, {})


def _fit_gates(config: Config, x: jax.Array, progress: bool) -> dict[str, Fit]:
    """The sigmoid unit on every gate, from the same weights."""
    model, optimizer = perceptron(), make_optimizer(config.optimizer, config.lr)
    stacked = starting_params(model, x, "torch", range(config.seed, config.seed + 1))
    return {
        name: fit(
            model,
            losses.bce,
            optimizer,
            (x, jnp.asarray(targets, x.dtype)),
            key=jax.random.key(config.seed),
            steps=config.steps,
            params=jax.tree.map(lambda leaf: leaf[0], stacked),
            record_every=config.log_every,
            on_divergence="return",
            progress=progress,
        )
        for name, targets in GATES.items()
    }


def _side_by_side(fits: dict[str, Fit]) -> dict[str, list[Any]]:
    """The losses of all gates by step; None after a gate has diverged."""
    longest = max((result.history["step"].tolist() for result in fits.values()), key=len)
    columns = [longest, *(result.history["loss"].tolist() for result in fits.values())]
    names = ["step", *(f"loss_{name}" for name in fits)]
    rows = list(zip_longest(*columns))
    return {name: [row[i] for row in rows] for i, name in enumerate(names)}


def _rule_on_gates(config: Config, x: np.ndarray) -> list[dict[str, Any]]:
    """What Rosenblatt's rule does on the gates."""
    rows = []
    for name, targets in GATES.items():
        bound = mistake_bound(x, targets, SEPARATORS[name]) if name in SEPARATORS else None
        rows.append(_rule_on(config, name, x, np.array(targets, x.dtype), bound))
    return rows


def _rule_on_random_data(config: Config) -> list[dict[str, Any]]:
    """What it does on random data, the harder the smaller the margin."""
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


def show(report: dict[str, Any]) -> str:
    """The report as a person reads it."""
    config = Config(**report["config"])
    lines = [
        f"One sigmoid unit, {config.optimizer}, learning rate {config.lr:g}, "
        f"{config.steps} steps, seed {config.seed}",
        "",
        "gate    (0,0)   (0,1)   (1,0)   (1,1)  accuracy  line",
    ]
    for name, gate in report["gates"].items():
        outputs = "  ".join(f"{value:6.4f}" for value in gate["outputs"])
        w1, w2, b = gate["weights"]
        line = f"{w1:.3g} x1 {w2:+.3g} x2 {b:+.3g} = 0"
        lines.append(f"{name.upper():5}  {outputs}  {gate['accuracy']:8.2f}  {line}")
    lines += [
        "",
        f"Rosenblatt's rule, most mistakes of {config.orders} orders, {EPOCHS} passes",
        "",
        "data         mistakes     bound  came to rest",
    ]
    for row in report["rosenblatt"]:
        name = row["data"] if "margin" in row else row["data"].upper()
        bound = "none" if row["bound"] is None else f"{row['bound']:.0f}"
        rest = "yes" if row["came_to_rest"] else "no"
        lines.append(f"{name:11}  {row['mistakes']:8d}  {bound:>8}  {rest:>12}")
    seconds, met = report["seconds"], "met" if report["success"] else "MISSED"
    lines += [
        "",
        f"wall time (sigmoid unit): {seconds['compile']:.3f} s compile, {seconds['run']:.4f} s run",
        f"criterion {met}: {report['criterion']}",
        "Why: both units part the plane by one straight line, and no line parts (0,1), (1,0) from "
        "(0,0), (1,1).",
    ]
    return "\n".join(lines)


def draw(result: Result) -> Any:
    """The four decision lines, the losses, and the mistakes beside their bound."""
    figure, axes = new_figure(2, 3, width=3.6, height=3.3)
    points = np.asarray(data.xor()[0])
    for ax, (name, targets) in zip(axes[:, :2].flat, GATES.items(), strict=True):
        params = result.params[name]

        def predict(x: np.ndarray, params: Any = params) -> jax.Array:
            answer: jax.Array = perceptron().apply(params, jnp.asarray(x))
            return answer

        bands = draw_surface(ax, predict, points, targets)
        right = round(4 * result.report["gates"][name]["accuracy"])
        ax.set_title(f"{name.upper()}: {right} of 4 right")
    figure.colorbar(
        bands, ax=axes[1, :2], shrink=0.8, location="bottom", label="output of the unit"
    )
    _draw_losses(axes[0, 2], result.report["history"])
    _draw_mistakes(axes[1, 2], [row for row in result.report["rosenblatt"] if "margin" in row])
    return figure


def _draw_losses(ax: Any, history: dict[str, list[Any]]) -> None:
    for i, name in enumerate(GATES):
        loss = np.array(history[f"loss_{name}"], float)
        ax.semilogy(history["step"], loss, label=name.upper(), **line_style(i))
    ax.set(xlabel="step", ylabel="binary cross-entropy (nats)", title="Loss of the sigmoid unit")
    ax.legend()


def _draw_mistakes(ax: Any, rows: list[dict[str, Any]]) -> None:
    margins = [row["margin"] for row in rows]
    for i, (key, label) in enumerate((("mistakes", "made"), ("bound", "bound"))):
        style = {**line_style(i), "markevery": 1, "marker": "os"[i]}
        ax.loglog(margins, [row[key] for row in rows], label=label, **style)
    ax.set_xticks(margins, [f"{margin:g}" for margin in margins])
    ax.minorticks_off()
    ax.set(xlabel="margin", ylabel="mistakes", title="Mistakes of Rosenblatt's rule")
    ax.legend()


def add_flags(parser: Parser) -> None:
    """The flags of this experiment."""
    add_training_flags(parser, steps=2000, lr=1.0, optimizers=OPTIMIZERS)
    add_precision_flag(parser)
    parser.add_argument(
        "--orders",
        type=whole_number(1),
        default=20,
        metavar="N",
        help="random orders in which Rosenblatt's rule is tried (%(default)s)",
    )


EXPERIMENT = Experiment(
    name="perceptron",
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
