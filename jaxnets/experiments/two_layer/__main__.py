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
from jaxnets.experiments.harness.report import UNPRINTED, Report, diverged_at, number
from jaxnets.experiments.published import Table, compared, two_layer_table
from jaxnets.initializers import normal
from jaxnets.layers import dense
from jaxnets.model import Model, Params
from jaxnets.process import run_as_program
from jaxnets.torch_compat import TorchGenerator
from jaxnets.training import Fit, fit

__all__ = ["EXPERIMENT", "Config", "TwoLayer", "draw_numbers", "main", "run", "show", "train"]

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
    w1, w2 = (dense(width, use_bias=False, w_init=normal(1.0)) for width in (HIDDEN, OUTPUTS))
    return sequential(w1, relu, w2)


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
    table = pytorch_table(config)
    pytorch = None if table is None else _comparison(config, history, table)
    fell = result.status != "diverged" and bool(final < FALL * curve["loss"][0])
    return TwoLayer(
        config=config,
        criterion=_criterion(config, table),
        success=fell and (pytorch is None or _agrees(config, history, pytorch)),
        metrics={"loss": final},
        history=history,
        seconds=result.seconds,
        params=result.params,
        pytorch=pytorch,
        diverged_at=diverged_at(result),
        curve=curve,
        table=table,
    )


def pytorch_table(config: Config) -> Table | None:
    """PyTorch's losses in such a run, or None if there are none."""
    same = {name: getattr(config, name) for name in ("seed", "steps", "log_every", "precision")}
    return two_layer_table(config.seed, config.precision) if config == Config(**same) else None


def _criterion(config: Config, table: Table | None) -> str:
    """The sentence that the run has to make true."""
    text = f"the loss ends below {FALL:g} of what it was before the first update"
    which = "every recorded loss is" if config.precision == "float64" else "down to there it is"
    agrees = f"{text}, and {which} PyTorch's to {TOLERANCE[config.precision]:g} relative"
    return text if table is None else agrees


def _comparison(config: Config, history: Table, table: Table) -> dict[str, list[Any]]:
    """PyTorch's loss at every record, our relative difference from it, and PyTorch's own.

    Its own is that of its nudged run; there is none in float64. Records that PyTorch's table
    does not have are None.
    """
    theirs, differences = compared(history, table)
    columns = {"loss": theirs, "relative_difference": differences}
    nudged = two_layer_table(config.seed, "nudged")
    if config.precision == "float32" and nudged is not None:
        own = dict(zip(table["step"], compared(table, nudged)[1], strict=True))
        columns["rounding"] = [own.get(step) for step in history["step"]]
    return columns


def _agrees(config: Config, history: Table, pytorch: dict[str, list[Any]]) -> bool:
    """True if the losses are PyTorch's, as far as the criterion asks for it."""
    least = FALL * history["loss"][0] if config.precision == "float32" else 0.0
    rows = zip(history["loss"], pytorch["relative_difference"], strict=True)
    asked = [difference for loss, difference in rows if difference is not None and loss > least]
    return all(difference <= TOLERANCE[config.precision] for difference in asked)


def show(report: TwoLayer) -> list[str]:
    """The report as a person reads it."""
    config = report.config
    weights = {"torch": "PyTorch's randn", "normal": "jax.random.normal"}[config.init]
    digits = 8 if config.precision == "float32" else 15
    titles = ("PyTorch", "relative difference", "PyTorch, rounding")
    pytorch, forms = (report.pytorch or {}).values(), (f"21.{digits}g", "19.1e", "17.1e")
    beside = dict(zip(titles, zip(pytorch, forms, strict=False), strict=False))
    of = "loss after the last update" if report.diverged_at is None else "loss"
    return [
        f"Two layers, {INPUTS}-{HIDDEN}-{OUTPUTS}, {EXAMPLES} examples, {config.optimizer}, "
        f"learning rate {config.lr:g}, {config.steps} steps, weights: {weights}, "
        f"seed {config.seed}, {config.precision}",
        "",
        *report.loss_lines(f".{digits}g", 21, beside),
        *report.divergence(),
        "",
        f"{of}: {number(report.metrics['loss'], f'.{digits}g')}",
    ]


EXPERIMENT = Experiment("two_layer", Config, run, show, progress=True)
main = EXPERIMENT.main

if __name__ == "__main__":
    run_as_program(main)
