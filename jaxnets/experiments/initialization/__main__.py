"""The first weights: what they do to the spread of a signal, and whether XOR is learned."""

from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets import data, initializers, losses
from jaxnets.activations import relu, sigmoid, tanh
from jaxnets.combinators import sequential
from jaxnets.experiments.harness import choices, flags
from jaxnets.experiments.harness.experiment import Experiment
from jaxnets.experiments.harness.report import Report, number, total_seconds
from jaxnets.experiments.initialization.layer_spread import layer_spread
from jaxnets.experiments.xor.networks import train_many
from jaxnets.layers import dense
from jaxnets.model import Initializer, Model, Params
from jaxnets.process import run_as_program

__all__ = ["EXPERIMENT", "INITIALIZERS", "Config", "First", "main", "run", "show"]

INITIALIZERS = {
    "random": choices.INITIALIZERS["normal"](),
    "constant": choices.INITIALIZERS["constant"](),
    "fan_in": choices.INITIALIZERS["torch"](),
    **{name: choices.INITIALIZERS[name]() for name in ("xavier", "he", "lecun", "orthogonal")},
}
"""The course's three first; its scaling by fan-in is uniform on +-1/sqrt(fan-in)."""

OPTIMIZERS = {name: choices.OPTIMIZERS[name] for name in ("sgd", "momentum", "adam")}
"""One compiled program each, because their states differ; a learning rate is data of it."""

RATES = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0)

ACTIVATIONS = {"relu": relu, "tanh": tanh}


@dataclass(frozen=True)
class Config:
    """One run, whole: equal configurations give equal numbers on the same platform.

    Attributes:
      seeds: Networks for every initialiser, optimizer and learning rate.
      seed: The first seed.
      steps: Full-batch updates of each.
      lr: Learning rates to compare.
      optimizer: Update rule to compare alone, in place of all of them.
      depth: Layers of the network whose spread is measured.
    """

    seeds: Annotated[int, flags.Flag(flags.whole_number(1, 1_000_000), "N")] = 200
    seed: flags.Seed = 777
    steps: flags.Steps = 5000
    lr: Annotated[tuple[float, ...], flags.Flag(flags.positive_numbers, "A,B,...")] = RATES
    optimizer: Annotated[str | None, flags.choice(OPTIMIZERS)] = None
    log_every: flags.LogEvery = 100
    depth: Annotated[int, flags.Flag(flags.whole_number(1))] = 10


class Outcome(NamedTuple):
    """The networks of one optimizer after training; axes: initialisers, seeds, learning rates.

    Attributes:
      solved: Whether all four outputs are on the right side of 0.5.
      difference: The largest difference between weights of the two hidden units.
      loss: The recorded losses, with one axis more.
      step: Of each record.
      params: Of all networks, on one leading axis.
      seconds: Wall time by part.
    """

    solved: np.ndarray
    difference: np.ndarray
    loss: np.ndarray
    step: np.ndarray
    params: Params
    seconds: dict[str, float]


def two_unit_net(initializer: Initializer) -> Model:
    """The 2-2-1 network of the course, with biases of 0."""
    zeros = initializers.zeros
    hidden, output = (dense(width, w_init=initializer, b_init=zeros) for width in (2, 1))
    return sequential(hidden, sigmoid, output, sigmoid)


def train(config: Config, optimizer: str, *, progress: bool = False) -> Outcome:
    """XOR's network and data, and training from all initialisers with one optimizer at once.

    Initialisers differ only in the parameters that the members start from.
    """
    seeds = jnp.asarray(range(config.seed, config.seed + config.seeds))
    keys, (x, _) = jax.vmap(jax.random.key)(seeds), data.xor()
    models = map(two_unit_net, INITIALIZERS.values())
    starts = [jax.vmap(lambda key, m=model: m.init(key, x))(keys) for model in models]
    params = jax.tree.map(lambda *leaves: jnp.concatenate(leaves), *starts)
    network = two_unit_net(initializers.zeros), losses.bce
    make, rates = OPTIMIZERS[optimizer], config.lr
    result, solves = train_many(config, network, make, params, rates, progress=progress)
    shape = (len(INITIALIZERS), config.seeds, len(rates))
    return Outcome(
        solves.reshape(shape),
        _difference_of_units(result.params).reshape(shape),
        result.history["loss"].reshape(*shape, -1),
        result.history["step"],
        result.params,
        result.seconds,
    )


def _difference_of_units(params: Params) -> np.ndarray:
    """The largest difference between weights of the two hidden units, for each network."""
    hidden, output = params["0"], params["2"]
    # The hidden units are the columns of w, the entries of b, and the rows of the next w.
    of_units = (hidden["w"], hidden["b"][:, None], jnp.swapaxes(output["w"], 1, 2))
    gaps = [jnp.abs(weights[..., 0] - weights[..., 1]).max(axis=1) for weights in of_units]
    return np.asarray(jnp.stack(gaps).max(axis=0))


CRITERION = (
    "constant weights solve XOR for no seed, their hidden units differing by exactly 0 after "
    "training, while every other initialiser solves it for more than half of the seeds at its "
    "best optimizer and learning rate; and He's weights keep the spread of ReLU layers within a "
    "factor of 3, where unscaled random ones change it more than a thousandfold"
)


WHY = (
    "Why constant weights fail: units that start equal get equal gradients, so they stay equal, "
    "and a hidden layer of equal units is one unit."
)


Spreads = dict[str, dict[str, dict[str, list[float]]]]


@dataclass(frozen=True, kw_only=True)
class First(Report):
    """The report of a run.

    Attributes:
      share_solved: Shares of the seeds, by optimizer, initialiser and learning rate.
      best: By initialiser the optimizer and learning rate with the largest share.
      difference_of_units: By initialiser the largest difference between the hidden units.
      spread: By activation, initialiser and direction, one number per layer.
      networks: How many were trained.
    """

    experiment: str = "initialization"
    share_solved: dict[str, dict[str, list[float]]]
    best: dict[str, dict[str, Any]]
    difference_of_units: dict[str, float]
    spread: Spreads
    networks: int


def run(config: Config, *, progress: bool = False) -> First:
    """Measure the spread and train all networks; prints nothing but a progress bar."""
    names = [config.optimizer] if config.optimizer else OPTIMIZERS
    outcomes = {name: train(config, name, progress=progress) for name in names}
    share = {name: _of_inits(outcome.solved.mean(axis=1)) for name, outcome in outcomes.items()}
    best = {init: _best(init, share, config.lr) for init in INITIALIZERS}
    gaps = [outcome.difference.max(axis=(1, 2)) for outcome in outcomes.values()]
    difference, spread = _of_inits(np.max(gaps, axis=0)), _spread(config)
    metrics = _metrics(best, difference, spread["relu"])
    networks = sum(outcome.solved.size for outcome in outcomes.values())
    return First(
        config=config,
        criterion=CRITERION,
        success=_meets_criterion(metrics),
        metrics=metrics,
        history=_history(config, outcomes, best),
        seconds=total_seconds(outcome.seconds for outcome in outcomes.values()),
        params={name: outcome.params for name, outcome in outcomes.items()},
        timed=f"{networks} networks, {len(outcomes)} compiled programs; wall time",
        why=WHY,
        share_solved=share,
        best=best,
        difference_of_units=difference,
        spread=spread,
        networks=networks,
    )


def _of_inits(values: np.ndarray) -> dict[str, Any]:
    """The rows of an array by the names of the initialisers."""
    return dict(zip(INITIALIZERS, values.tolist(), strict=True))


def _spread(config: Config) -> Spreads:
    key = jax.random.key(config.seed)
    return {
        name: {
            init: {direction: part.tolist() for direction, part in spread._asdict().items()}
            for init, spread in layer_spread(activation, INITIALIZERS, key, config.depth).items()
        }
        for name, activation in ACTIVATIONS.items()
    }


def _best(
    init: str, share: dict[str, dict[str, list[float]]], lr: tuple[float, ...]
) -> dict[str, Any]:
    """The optimizer and learning rate at which an initialiser solves XOR most often."""
    settings = [
        {"optimizer": name, "lr": rate, "share": value}
        for name, rows in share.items()
        for rate, value in zip(lr, rows[init], strict=True)
    ]
    return max(settings, key=lambda setting: setting["share"])


def _metrics(
    best: dict[str, dict[str, Any]],
    difference: dict[str, float],
    spread: dict[str, dict[str, list[float]]],
) -> dict[str, float]:
    """The numbers that the criterion is about.

    A spread changes by the factor by which it has been away from that of the input, 1, at most.
    """
    # Deep enough, a spread is 0 or more than can be held, and so is its change.
    with np.errstate(all="ignore"):
        change = {
            f"spread_change_{init}": float(np.exp(np.abs(np.log(layers)).max()))
            for init, layers in ((init, spread[init]["activations"]) for init in ("he", "random"))
        }
    shares = {f"share_solved_{init}": found["share"] for init, found in best.items()}
    return {**shares, "difference_of_constant_units": difference["constant"], **change}


def _meets_criterion(metrics: dict[str, float]) -> bool:
    others = [metrics[f"share_solved_{init}"] for init in INITIALIZERS if init != "constant"]
    return (
        metrics["share_solved_constant"] == 0
        and metrics["difference_of_constant_units"] == 0
        and min(others) > 0.5
        and metrics["spread_change_he"] <= 3
        and metrics["spread_change_random"] > 1000
    )


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


def show(report: First) -> list[str]:
    """The report as a person reads it: the spreads, the shares, and the differences of units."""
    config, spread, pad = report.config, report.spread, " " * 12
    ends = {
        init: [
            number(end, ".2g", 12)
            for part in (by_init[init] for by_init in spread.values())
            for end in (part["activations"][-1], part["gradients"][0])
        ]
        for init in INITIALIZERS
    }
    seeds = f"{config.seeds} seeds ({config.seed} to {config.seed + config.seeds - 1})"
    lines = [
        f"Spread after {config.depth} layers (input 1), and of the gradient at the first",
        "",
        pad + "".join(f"{name:>12}{'gradient':>12}" for name in spread),
        *(f"{init:12}" + "".join(cells) for init, cells in ends.items()),
    ]
    for optimizer, share in report.share_solved.items():
        lines += ["", f"Share of {seeds} that solve XOR, {optimizer}, by learning rate", ""]
        lines.append(pad + "".join(f"{rate:>8g}" for rate in config.lr))
        rows = share.items()
        lines += [f"{init:12}" + "".join(f"{part:8.1%}" for part in row) for init, row in rows]
    lines += ["", "Largest difference between weights of the two hidden units after training", ""]
    differences = report.difference_of_units.items()
    return [*lines, *(f"{init:12}{number(value, 'g', 12)}" for init, value in differences), ""]


EXPERIMENT = Experiment("initialization", Config, run, show, progress=True)
main = EXPERIMENT.main

if __name__ == "__main__":
    run_as_program(main)
