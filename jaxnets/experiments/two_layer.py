"""Two layers fitted to random numbers: the course's first network, step by step as in PyTorch.

64 rows of 1000 random inputs, 100 hidden ReLU units and 10 outputs, no biases, the summed squared
error to random targets. Everything is drawn from one stream in the order of the course's program:
x, y, w1, w2, all standard normal. With ``--init torch`` that is PyTorch's stream after
``manual_seed``, and the losses are PyTorch's::

    python -m jaxnets.experiments.two_layer --init torch --seed 777

There are 640 targets and 101,000 weights, so the loss can fall to 0. In float32 it does so ever
more slowly, as updates become smaller than the last bit of the weights they change, and from
about step 250 on rounding moves its fourth digit, in PyTorch too: the last column shows how far
PyTorch's losses move when every number drawn moves by at most its last bit. In float64
(``--precision float64``) all printed losses agree to 1e-9.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import jax
import jax.numpy as jnp

from jaxnets import losses
from jaxnets.activations import relu
from jaxnets.combinators import sequential
from jaxnets.experiments.command_line import (
    Parser,
    add_precision_flag,
    add_training_flags,
    run_as_program,
)
from jaxnets.experiments.numbers import divergence_text, number
from jaxnets.experiments.published import Table, relative_differences
from jaxnets.experiments.published.two_layer import two_layer_table
from jaxnets.experiments.runner import Experiment, Result, run_experiment
from jaxnets.experiments.setup import OPTIMIZERS, make_optimizer
from jaxnets.initializers import normal
from jaxnets.layers import dense
from jaxnets.model import Model, Params
from jaxnets.plots import line_style, new_figure
from jaxnets.torch_compat import TorchGenerator
from jaxnets.training import TrainingDiverged, fit

__all__ = ["EXPERIMENT", "Config", "build_model", "draw_numbers", "main", "run"]

EXAMPLES, INPUTS, HIDDEN, OUTPUTS = 64, 1000, 100, 10

FALL = 1e-7
"""The share of the first loss that must not be left at the end: about float32's resolution."""

TOLERANCE = {"float32": 1e-3, "float64": 1e-9}
"""The relative difference from PyTorch's losses that is allowed."""


@dataclass(frozen=True)
class Config:
    """One run, whole: equal configurations give equal numbers on the same platform.

    Attributes:
      init: ``"torch"`` draws the weights from PyTorch's stream, after the data; ``"normal"``
        draws them from ``jax.random``. The data are PyTorch's either way.
      seed: Of the data and the weights.
      steps: Full-batch updates.
      lr: Learning rate.
      optimizer: Update rule, a name of `OPTIMIZERS`.
      log_every: Steps between records.
      precision: ``"float32"`` or ``"float64"``; it is also what the numbers are drawn in, and
        PyTorch draws others in float64.
    """

    init: str = "torch"
    seed: int = 777
    steps: int = 500
    lr: float = 1e-6
    optimizer: str = "sgd"
    log_every: int = 50
    precision: str = "float32"

    def table(self, run: str) -> Table | None:
        """PyTorch's losses in such a run of `two_layer_table`, or None if there are none."""
        theirs = Config(
            seed=self.seed, steps=self.steps, log_every=self.log_every, precision=self.precision
        )
        return two_layer_table(self.seed, run) if self == theirs else None

    @property
    def criterion(self) -> str:
        """What the run has to show."""
        text = f"the loss ends below {FALL:g} of what it was before the first update"
        if self.table(self.precision) is None:
            return text
        which = "every recorded loss is" if self.precision == "float64" else "down to there it is"
        return f"{text}, and {which} PyTorch's to {TOLERANCE[self.precision]:g} relative"


def build_model() -> Model:
    """The network: y = relu(x w1) w2."""
    w_init = normal(1.0)
    return sequential(
        dense(HIDDEN, use_bias=False, w_init=w_init),
        relu,
        dense(OUTPUTS, use_bias=False, w_init=w_init),
    )


def squared_error(predictions: jax.Array, targets: jax.Array) -> jax.Array:
    """The course's loss: squared errors, summed over examples and outputs."""
    total: jax.Array = losses.mse(predictions, targets, reduction="sum")
    return total


def draw_numbers(config: Config) -> tuple[jax.Array, jax.Array, Params]:
    """Inputs, targets and the weights to start from."""
    generator = TorchGenerator(config.seed)

    def randn(*shape: int) -> jax.Array:
        return jnp.asarray(generator.normal(shape, dtype=config.precision))

    x, y = randn(EXAMPLES, INPUTS), randn(EXAMPLES, OUTPUTS)
    if config.init == "torch":
        return x, y, {"0": {"w": randn(INPUTS, HIDDEN)}, "2": {"w": randn(HIDDEN, OUTPUTS)}}
    return x, y, build_model().init(jax.random.key(config.seed), x)


def run(config: Config, *, progress: bool = False) -> Result:
    """Trains what ``config`` says and reports on it; prints nothing but a progress bar."""
    model = build_model()
    x, y, params = draw_numbers(config)
    # Some accelerators multiply float32 matrices in a narrower type unless told otherwise.
    with jax.default_matmul_precision("float32"):
        try:
            result = fit(
                model,
                squared_error,
                make_optimizer(config.optimizer, config.lr),
                (x, y),
                key=jax.random.key(config.seed),
                steps=config.steps,
                params=params,
                progress=progress,
            )
            diverged_at = None
        except TrainingDiverged as error:
            result, diverged_at = error.result, error.step
        final = float(squared_error(model.apply(result.params, x), y))
    curve = {name: result.history[name] for name in ("step", "loss")}
    history = {name: column[:: config.log_every].tolist() for name, column in curve.items()}
    comparison = _compare(config, history)
    fell = diverged_at is None and final < FALL * curve["loss"][0]
    report = {
        "experiment": "two_layer",
        "config": asdict(config),
        "criterion": config.criterion,
        "success": bool(fell) and _agrees(config, history, comparison),
        "metrics": {"loss": final},
        "history": history,
        "pytorch": comparison,
        "diverged_at": diverged_at,
        "seconds": result.seconds,
    }
    return Result(report, result.params, {"curve": curve})


def _compare(config: Config, history: Table) -> dict[str, list[Any]] | None:
    """PyTorch's loss at every record, our relative difference from it, and PyTorch's own.

    Its own is that of its nudged run; there is none in float64. Records that PyTorch's table
    does not have are None.
    """
    theirs, nudged = config.table(config.precision), config.table("nudged")
    if theirs is None or nudged is None:
        return None
    rows = [row or (None, None) for row in relative_differences(history, theirs)]
    own = [row and row[1] for row in relative_differences(theirs, nudged)]
    by_step = dict(zip(theirs["step"], own, strict=True))
    comparison: dict[str, list[Any]] = {
        "loss": [loss for loss, _ in rows],
        "relative_difference": [difference for _, difference in rows],
    }
    if config.precision == "float32":
        comparison["rounding"] = [by_step.get(step) for step in history["step"]]
    return comparison


def _agrees(config: Config, history: Table, comparison: dict[str, list[Any]] | None) -> bool:
    """Whether the losses are PyTorch's, as far as the criterion asks for it."""
    if comparison is None:
        return True
    least = FALL * history["loss"][0] if config.precision == "float32" else 0.0
    rows = zip(history["loss"], comparison["relative_difference"], strict=True)
    asked = [difference for loss, difference in rows if difference is not None and loss > least]
    return all(difference <= TOLERANCE[config.precision] for difference in asked)


def show(report: dict[str, Any]) -> str:
    """The report as a person reads it."""
    config = Config(**report["config"])
    weights = {"torch": "PyTorch's randn", "normal": "jax.random.normal"}[config.init]
    lines = [
        f"Two layers, {INPUTS}-{HIDDEN}-{OUTPUTS}, {EXAMPLES} examples, {config.optimizer}, "
        f"learning rate {config.lr:g}, {config.steps} steps, weights: {weights}, "
        f"seed {config.seed}, {config.precision}",
        "",
        *_table(report, digits := 8 if config.precision == "float32" else 15),
    ]
    if report["diverged_at"] is not None:
        lines.append(divergence_text(report["diverged_at"]))
    of = "loss after the last update" if report["diverged_at"] is None else "loss"
    seconds, met = report["seconds"], "met" if report["success"] else "MISSED"
    return "\n".join(
        [
            *lines,
            "",
            f"{of}: {number(report['metrics']['loss'], f'.{digits}g')}",
            f"wall time: {seconds['compile']:.3f} s compile, {seconds['run']:.4f} s run",
            f"criterion {met}: {report['criterion']}",
        ]
    )


def _table(report: dict[str, Any], digits: int) -> list[str]:
    """The losses, beside PyTorch's where there are any."""
    history, theirs = report["history"], report["pytorch"]
    header = f"{'step':>6}  {'loss':>21}"
    rows = [
        f"{step:6d}  {number(loss, f'.{digits}g', 21)}"
        for step, loss in zip(history["step"], history["loss"], strict=True)
    ]
    if theirs is None:
        return [header, *rows]
    header += f"  {'PyTorch':>21}  {'relative difference':>19}"
    columns = [theirs["loss"], theirs["relative_difference"]]
    formats = [f"21.{digits}g", "19.1e"]
    if "rounding" in theirs:
        header += f"  {'PyTorch, rounding':>17}"
        columns.append(theirs["rounding"])
        formats.append("17.1e")
    for i, cells in enumerate(zip(*columns, strict=True)):
        for cell, form in zip(cells, formats, strict=True):
            rows[i] += "" if cell is None else f"  {cell:{form}}"
    return [header, *rows]


def draw(result: Result) -> Any:
    """The loss of every step on a log scale."""
    curve, config = result.details["curve"], Config(**result.report["config"])
    figure, axes = new_figure()
    ax = axes[0, 0]
    style = line_style(0)
    # One record alone is no line, and shows by its marker only.
    style["marker"] = "o" if len(curve["step"]) == 1 else style["marker"]
    ax.semilogy(curve["step"], curve["loss"], label="this run", **style)
    if (table := config.table(config.precision)) is not None:
        marks = {"color": "#c1440e", "linestyle": "", "marker": "o", "markerfacecolor": "none"}
        ax.semilogy(table["step"][::2], table["loss"][::2], label="PyTorch", **marks)
    for first in curve["loss"][:1]:
        ax.axhline(
            FALL * first, color="#7a7a7a", linestyle=":", label=f"{FALL:g} of the first loss"
        )
    ax.set(
        xlabel="step",
        ylabel="summed squared error",
        title=f"Two layers on random numbers, seed {config.seed}, {config.precision}",
    )
    ax.legend()
    return figure


def add_flags(parser: Parser) -> None:
    """The flags of this experiment."""
    parser.add_argument(
        "--init",
        choices=("torch", "normal"),
        default="torch",
        help="standard normal weights of PyTorch's stream, or of jax.random (%(default)s)",
    )
    add_training_flags(parser, steps=500, lr=1e-6, optimizers=OPTIMIZERS, log_every=50)
    add_precision_flag(parser)


EXPERIMENT = Experiment(
    name="two_layer",
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
