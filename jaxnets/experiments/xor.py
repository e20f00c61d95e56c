"""XOR: one layer cannot learn it, two and four layers do; checked against published tables.

The main job of the library. From the weights that ``torch.manual_seed(777)`` gives, full-batch
gradient descent on the four rows of the truth table prints the numbers of the course's PyTorch
notebooks, with no PyTorch installed::

    python -m jaxnets.experiments.xor --net 2-2-1
"""

import functools
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets import data, losses
from jaxnets.activations import sigmoid
from jaxnets.combinators import sequential
from jaxnets.experiments.command_line import (
    MOST_SEEDS,
    Parser,
    add_precision_flag,
    add_training_flags,
    refuse,
    run_as_program,
    whole_number,
    widths,
)
from jaxnets.experiments.published import (
    Table,
    largest_relative_difference,
    xor_table,
)
from jaxnets.experiments.runner import Experiment, Result, run_experiment
from jaxnets.experiments.setup import INITIALIZERS, OPTIMIZERS, make_optimizer, starting_params
from jaxnets.experiments.xor_plots import draw_many, draw_one
from jaxnets.experiments.xor_sweeps import solves_xor
from jaxnets.experiments.xor_text import GRADIENTS, show
from jaxnets.layers import dense
from jaxnets.model import Model, Params
from jaxnets.parity import backprop, tutorial
from jaxnets.training import Sweep, TrainingDiverged, fit, sweep
from jaxnets.training.step import ValueAndGrad
from jaxnets.training.wilson import wilson_interval

__all__ = ["EXPERIMENT", "NETS", "Config", "build_model", "main", "run"]

NETS = {"single": (), "2-2-1": (2,), "2-10-10-10-1": (10, 10, 10)}
"""The course's networks by name, as the widths of their hidden layers."""


@dataclass(frozen=True)
class Config:
    """One run, whole: equal configurations give equal numbers on the same platform.

    Attributes:
      hidden: Widths of the hidden layers; sigmoid units, as the output is.
      init: Initialiser, a name of `INITIALIZERS`.
      seed: Of the weights.
      steps: Full-batch updates.
      lr: Learning rate.
      optimizer: Update rule, a name of `OPTIMIZERS`.
      backprop: Where the gradient comes from: ``"auto"`` differentiates, ``"hand"`` is the chain
        rule by hand, ``"tutorial"`` the course's own hand-written rule.
      log_every: Steps between records.
      precision: ``"float32"`` or ``"float64"``.
      seeds: Train so many networks, with seeds from ``seed`` on; None trains one.
    """

    hidden: tuple[int, ...] = (2,)
    init: str = "torch"
    seed: int = 777
    steps: int = 10_001
    lr: float = 1.0
    optimizer: str = "sgd"
    backprop: str = "auto"
    log_every: int = 100
    precision: str = "float32"
    seeds: int | None = None

    @property
    def published(self) -> Table | None:
        """The table that this very configuration printed in the course, or None."""
        backprop = "auto" if self.backprop == "tutorial" else self.backprop
        theirs = Config(hidden=self.hidden, log_every=self.log_every, backprop=backprop)
        return xor_table(self.hidden) if self == theirs else None

    @property
    def criterion(self) -> str:
        """What the run has to show."""
        if not self.hidden and self.seeds is not None:
            return "a single layer does not solve XOR: no network has all four outputs right"
        if not self.hidden:
            return (
                "a single layer does not solve XOR: its loss ends at ln 2 (within 1e-3) and its "
                "accuracy is at most 0.75"
            )
        if self.seeds is not None:
            return "more than half of the networks put all four outputs on the right side of 0.5"
        return "all four outputs are on the right side of 0.5"


def build_model(hidden: Sequence[int], init: str = "torch") -> Model:
    """The network: dense layers, each followed by a sigmoid."""
    layers: list[Any] = []
    for width in (*hidden, 1):
        layers += [dense(width, w_init=INITIALIZERS[init]), sigmoid]
    return sequential(*layers)


def value_and_grad(config: Config) -> ValueAndGrad | None:
    """The gradient that ``config.backprop`` names; None stands for automatic differentiation."""
    if config.backprop == "hand":
        activations = [sigmoid] * (len(config.hidden) + 1)
        return functools.partial(backprop.value_and_grad, activations=activations, loss=losses.bce)
    return tutorial.value_and_grad if config.backprop == "tutorial" else None


def run(config: Config, *, progress: bool = False) -> Result:
    """Trains what ``config`` says and reports on it; prints nothing but a progress bar."""
    return _run_one(config, progress) if config.seeds is None else _run_many(config, config.seeds)


def _run_one(config: Config, progress: bool) -> Result:
    """One network."""
    x, y = data.xor()
    model = build_model(config.hidden, config.init)
    stacked = starting_params(model, x, config.init, range(config.seed, config.seed + 1))
    start = jax.tree.map(lambda leaf: np.asarray(leaf)[0], stacked)
    train = functools.partial(
        fit,
        model,
        losses.bce,
        make_optimizer(config.optimizer, config.lr),
        (x, y),
        key=jax.random.key(config.seed),
        params=start,
        value_and_grad=value_and_grad(config),
        record_every=config.log_every,
    )
    try:
        result = train(steps=config.steps, progress=progress)
        diverged_at = None
    except TrainingDiverged as error:
        result, diverged_at = error.result, error.step
    outputs, loss = jax.jit(functools.partial(_outputs_and_loss, model))(result.params, x, y)
    hypothesis = np.asarray(outputs)[:, 0]
    prediction = (hypothesis > 0.5).astype(int)
    accuracy = float((prediction == np.asarray(y)[:, 0]).mean())
    history = {name: result.history[name].tolist() for name in ("step", "loss")}
    table = config.published
    final_loss = float(loss)
    report = {
        "experiment": "xor",
        "config": asdict(config),
        "criterion": config.criterion,
        "metrics": {"accuracy": accuracy, "loss": final_loss},
        "history": history,
        "published": table,
        "max_relative_difference": table and largest_relative_difference(history, table),
        "hypothesis": hypothesis.tolist(),
        "prediction": prediction.tolist(),
        "accuracy": accuracy,
        "loss": final_loss,
        "diverged_at": diverged_at,
        "success": diverged_at is None and _meets_criterion(config, accuracy, final_loss),
        "seconds": result.seconds,
    }
    return Result(report, result.params, {"model": model, "start": start, "train": train})


def _outputs_and_loss(model: Model, params: Params, x: Any, y: Any) -> tuple[Any, Any]:
    outputs = model.apply(params, x)
    return outputs, losses.bce(outputs, y)


def _meets_criterion(config: Config, accuracy: float, loss: float) -> bool:
    if config.hidden:
        return accuracy == 1.0
    return accuracy <= 0.75 and abs(loss - math.log(2)) <= 1e-3


def _run_many(config: Config, seeds: int) -> Result:
    """Many networks at once, one a seed."""
    optimizer = make_optimizer(config.optimizer, config.lr)
    result, solves = _train_many(config, optimizer, _starts(config, config.init, seeds))
    solved = int(solves.sum())
    report = {
        "experiment": "xor",
        "config": asdict(config),
        "criterion": config.criterion,
        "metrics": {"share_solved": solved / seeds},
        "history": {
            "step": result.history["step"].tolist(),
            "loss": _median_loss(result),
        },
        "published": None,
        "max_relative_difference": None,
        "solved": solved,
        "members": seeds,
        "diverged": int((result.diverged_at >= 0).sum()),
        "interval": wilson_interval(solved, seeds),
        "ns_per_network_step": result.seconds["run"] / seeds / config.steps * 1e9,
        "success": solved == 0 if not config.hidden else 2 * solved > seeds,
        "seconds": result.seconds,
    }
    details = {
        "losses": result.history["loss"],
        "solves": solves,
        "shares_solved": functools.partial(shares_solved, config),
    }
    return Result(report, result.params, details)


def _starts(config: Config, init: str, seeds: int) -> Params:
    """Starting parameters of so many networks, ``[seeds, ...]``."""
    model = build_model(config.hidden, init)
    return starting_params(model, data.xor()[0], init, range(config.seed, config.seed + seeds))


def _train_many(
    config: Config, optimizer: Any, params: Params, learning_rates: Sequence[float] | None = None
) -> tuple[Sweep, np.ndarray]:
    """Trains from every start (at every learning rate); also says which networks solve XOR."""
    x, y = data.xor()
    model = build_model(config.hidden)
    starts = len(jax.tree.leaves(params)[0])
    result = sweep(
        model,
        losses.bce,
        optimizer,
        (x, y),
        # Nothing is drawn from these: the starts are given and every batch is the whole table.
        keys=jax.random.split(jax.random.key(config.seed), starts),
        hyperparameters=None if learning_rates is None else {"lr": learning_rates},
        steps=config.steps,
        params=params,
        value_and_grad=value_and_grad(config),
        record_every=config.log_every,
    )
    return result, solves_xor(model, result)


def shares_solved(
    config: Config, seeds: int, learning_rates: Sequence[float]
) -> dict[str, list[float]]:
    """The share of so many seeds that solve XOR, for every initialiser by learning rate."""

    def optimizer(lr: Any) -> Any:
        return OPTIMIZERS[config.optimizer](lr)

    starts = [_starts(config, init, seeds) for init in INITIALIZERS]
    params = jax.tree.map(lambda *leaves: jnp.concatenate(leaves), *starts)
    _, solves = _train_many(config, optimizer, params, learning_rates)
    shares = solves.reshape(len(INITIALIZERS), seeds, len(learning_rates)).mean(axis=1)
    return dict(zip(INITIALIZERS, shares.tolist(), strict=True))


def _median_loss(result: Sweep) -> list[float | None]:
    """The median over the members that stayed finite, at every record; None if none did."""
    kept = result.history["loss"][result.diverged_at < 0]
    if not len(kept):
        return [None] * len(result.history["step"])
    median: list[float | None] = np.median(kept, axis=0).tolist()
    return median


def draw(result: Result) -> Any:
    """The pictures of one network, or of many."""
    return draw_one(result) if "train" in result.details else draw_many(result)


def add_flags(parser: Parser) -> None:
    """The flags of this experiment."""
    network = parser.add_mutually_exclusive_group()
    network.add_argument(
        "--net",
        type=named_widths,
        dest="hidden",
        metavar="{" + ",".join(NETS) + "}",
        help="one of the course's networks (2-2-1)",
    )
    network.add_argument("--hidden", type=widths, help="any hidden widths, such as 10,10,10")
    parser.add_argument(
        "--init", choices=INITIALIZERS, default="torch", help="weight initialiser (%(default)s)"
    )
    add_training_flags(parser, steps=10_001, lr=1.0, optimizers=OPTIMIZERS)
    parser.add_argument(
        "--backprop",
        choices=GRADIENTS,
        default="auto",
        help="where the gradient comes from: differentiation, the chain rule by hand, or the "
        "course's own hand-written rule (%(default)s)",
    )
    add_precision_flag(parser)
    parser.add_argument(
        "--seeds", type=whole_number(1, MOST_SEEDS), metavar="N", help="train N networks at once"
    )


def named_widths(name: str) -> tuple[int, ...]:
    """An argument type: the name of one of the course's networks, as its hidden widths."""
    if name not in NETS:
        refuse(f"be one of {', '.join(NETS)}", name, "Pass 2-2-1, or --hidden 2.")
    return NETS[name]


EXPERIMENT = Experiment(
    name="xor",
    summary=(__doc__ or "").partition("\n")[0],
    config=Config,
    add_flags=add_flags,
    run=run,
    show=show,
    draw=draw,
    runs={name: ("--net", name) for name in NETS},
)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the experiment from the command line; returns the exit code."""
    return run_experiment(EXPERIMENT, argv)


if __name__ == "__main__":
    run_as_program(main)
