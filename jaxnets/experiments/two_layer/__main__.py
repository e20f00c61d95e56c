"""Two layers in four steps: the model, the data, training, and the test."""

from dataclasses import dataclass, field
from typing import Annotated, Any

import jax
import jax.numpy as jnp

from jaxnets import losses
from jaxnets.activations import relu
from jaxnets.combinators import sequential
from jaxnets.experiments.harness import choices, flags
from jaxnets.experiments.harness.experiment import Experiment
from jaxnets.experiments.harness.report import UNPRINTED, Report, diverged_at
from jaxnets.experiments.harness.text import divergence_text, number
from jaxnets.experiments.published import Table, relative_differences
from jaxnets.experiments.published.two_layer import two_layer_table
from jaxnets.initializers import normal
from jaxnets.layers import dense
from jaxnets.model import Model, Params
from jaxnets.process import run_as_program
from jaxnets.torch_compat import TorchGenerator
from jaxnets.training import Fit, fit

__all__ = [
    "EXPERIMENT",
    "Config",
    "TwoLayer",
    "draw_numbers",
    "main",
    "run",
    "show",
    "train",
]

EXAMPLES, INPUTS, HIDDEN, OUTPUTS = 64, 1000, 100, 10

FALL = 1e-7
"""The share of the first loss that must not be left at the end: about float32's resolution."""

TOLERANCE = {"float32": 1e-3, "float64": 1e-9}
"""The relative difference from PyTorch's losses that is allowed."""


@dataclass(frozen=True)
class Config:
    """One run, whole: equal configurations give equal numbers on the same platform.

    Attributes:
      init: Standard normal weights: ``torch`` draws them from PyTorch's stream, after the data;
        ``normal`` draws them from jax.random. The data are PyTorch's either way.
      seed: Of the data and the weights.
      steps: Full-batch updates.
      lr: Learning rate.
      optimizer: Update rule.
      log_every: Steps between records.
      precision: Of weights and arithmetic; it is also what the numbers are drawn in, and
        PyTorch draws others in float64.
    """

    init: Annotated[str, flags.choice(("torch", "normal"))] = "torch"
    seed: flags.Seed = 777
    steps: flags.Steps = 500
    lr: flags.Rate = 1e-6
    optimizer: flags.Optimizer = "sgd"
    log_every: flags.LogEvery = 50
    precision: flags.Precision = "float32"


def train(config: Config, *, progress: bool = False) -> Fit:
    """The first three steps: a model, the data, and training on all of them at once."""
    model = build_model()
    x, y, params = draw_numbers(config)
    return fit(
        model,
        squared_error,
        choices.make_optimizer(config.optimizer, config.lr),
        (x, y),
        key=jax.random.key(config.seed),
        steps=config.steps,
        params=params,
        on_divergence="return",
        progress=progress,
    )


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


def test(config: Config, params: Params) -> float:
    """The fourth step: the loss after the last update."""
    x, y, _ = draw_numbers(config)
    return float(squared_error(build_model().apply(params, x), y))


@dataclass(frozen=True, kw_only=True)
class TwoLayer(Report):
    """The report of a run, beside PyTorch's losses where there are any."""

    experiment: str = "two_layer"
    pytorch: dict[str, list[Any]] | None
    diverged_at: int | None
    curve: dict[str, Any] = field(metadata=UNPRINTED)
    fall: float = field(default=FALL, metadata=UNPRINTED)
    table: Table | None = field(metadata=UNPRINTED)


def run(config: Config, *, progress: bool = False) -> TwoLayer:
    """Train and test what ``config`` says; prints nothing but a progress bar."""
    # Some accelerators multiply float32 matrices in a narrower type unless told otherwise.
    with jax.default_matmul_precision("float32"):
        result = train(config, progress=progress)
        final = test(config, result.params)
    curve = {name: result.history[name] for name in ("step", "loss")}
    history = {name: column[:: config.log_every].tolist() for name, column in curve.items()}
    comparison = _compare(config, history)
    fell = result.status != "diverged" and final < FALL * curve["loss"][0]
    return TwoLayer(
        config=config,
        criterion=criterion(config),
        success=bool(fell) and _agrees(config, history, comparison),
        metrics={"loss": final},
        history=history,
        seconds=result.seconds,
        params=result.params,
        pytorch=comparison,
        diverged_at=diverged_at(result),
        curve=curve,
        table=pytorch_table(config, config.precision),
    )


def criterion(config: Config) -> str:
    """The sentence that the run has to make true."""
    text = f"the loss ends below {FALL:g} of what it was before the first update"
    if pytorch_table(config, config.precision) is None:
        return text
    which = "every recorded loss is" if config.precision == "float64" else "down to there it is"
    return f"{text}, and {which} PyTorch's to {TOLERANCE[config.precision]:g} relative"


def pytorch_table(config: Config, run: str) -> Table | None:
    """PyTorch's losses in such a run of `two_layer_table`, or None if there are none."""
    theirs = Config(
        seed=config.seed,
        steps=config.steps,
        log_every=config.log_every,
        precision=config.precision,
    )
    return two_layer_table(config.seed, run) if config == theirs else None


def _compare(config: Config, history: Table) -> dict[str, list[Any]] | None:
    """PyTorch's loss at every record, our relative difference from it, and PyTorch's own.

    Its own is that of its nudged run; there is none in float64. Records that PyTorch's table
    does not have are None.
    """
    theirs, nudged = (pytorch_table(config, run) for run in (config.precision, "nudged"))
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
    """True if the losses are PyTorch's, as far as the criterion asks for it."""
    if comparison is None:
        return True
    least = FALL * history["loss"][0] if config.precision == "float32" else 0.0
    rows = zip(history["loss"], comparison["relative_difference"], strict=True)
    asked = [difference for loss, difference in rows if difference is not None and loss > least]
    return all(difference <= TOLERANCE[config.precision] for difference in asked)


def show(report: TwoLayer) -> list[str]:
    """The report as a person reads it."""
    config = report.config
    weights = {"torch": "PyTorch's randn", "normal": "jax.random.normal"}[config.init]
    digits = 8 if config.precision == "float32" else 15
    diverged, of = [], "loss after the last update"
    if report.diverged_at is not None:
        diverged, of = [divergence_text(report.diverged_at)], "loss"
    return [
        f"Two layers, {INPUTS}-{HIDDEN}-{OUTPUTS}, {EXAMPLES} examples, {config.optimizer}, "
        f"learning rate {config.lr:g}, {config.steps} steps, weights: {weights}, "
        f"seed {config.seed}, {config.precision}",
        "",
        *_table(report, digits),
        *diverged,
        "",
        f"{of}: {number(report.metrics['loss'], f'.{digits}g')}",
    ]


def _table(report: TwoLayer, digits: int) -> list[str]:
    """The losses, beside PyTorch's where there are any."""
    history, theirs = report.history, report.pytorch
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


EXPERIMENT = Experiment("two_layer", Config, run, show, progress=True)
main = EXPERIMENT.main

if __name__ == "__main__":
    run_as_program(main)
