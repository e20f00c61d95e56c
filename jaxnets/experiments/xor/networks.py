"""The networks of XOR, and many at once: how many solve it, by seed, initialiser and rate."""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxnets import data, losses
from jaxnets.activations import sigmoid
from jaxnets.combinators import sequential
from jaxnets.experiments.harness import choices
from jaxnets.experiments.harness.report import UNPRINTED, Report
from jaxnets.layers import dense
from jaxnets.model import Model, Params
from jaxnets.training import Objective, Supervised, Sweep, objective, sweep
from jaxnets.training.intervals import wilson_interval

__all__ = [
    "COMPARED",
    "GRADIENTS",
    "WHY",
    "Many",
    "build_model",
    "goal",
    "run_many",
    "shares_solved",
    "train_many",
]

GRADIENTS = {
    "auto": "",
    "hand": ", gradient: the chain rule by hand",
    "tutorial": ", gradient: the course's own hand-written rule",
}
"""The origins of a gradient, and the words of a report for them."""


@functools.lru_cache(maxsize=64)
def build_model(hidden: tuple[int, ...], init: str = "torch") -> Model:
    """The network: dense layers, each followed by a sigmoid.

    Equal arguments give the same object, so that a second run compiles nothing.
    """
    w_init = choices.INITIALIZERS[init]()
    layers = [dense(width, w_init=w_init) for width in (*hidden, 1)]
    return sequential(*[part for layer in layers for part in (layer, sigmoid)])


def goal(model: Model, backprop: str, hidden: tuple[int, ...]) -> Objective:
    """What a model minimises, with the gradient of a name of `GRADIENTS`."""
    supervised = Supervised(model, losses.bce)
    if backprop == "auto":
        return objective(supervised)
    # Imported here, because differentiation needs no formula.
    from jaxnets.parity import backprop as by_hand
    from jaxnets.parity import tutorial

    layers = [sigmoid] * (len(hidden) + 1)

    def value_and_grad(params: Params, batch: Any, *, key: Any) -> Any:
        if backprop == "tutorial":
            return tutorial.value_and_grad(params, *batch)
        return by_hand.value_and_grad(params, *batch, activations=layers, loss=losses.bce)

    return objective(supervised, value_and_grad=value_and_grad)


WHY = (
    "Why: one layer is one straight line, and no line parts (0,1), (1,0) from (0,0), (1,1); the "
    "best it can do is to answer 0.5 everywhere, which costs ln 2."
)
"""What a report says of a single layer."""

COMPARED = ("torch", "normal", "uniform", "constant", "xavier_uniform", "he")
"""The initialisers whose shares the picture shows."""


@dataclass(frozen=True, kw_only=True)
class Many(Report):
    """The report of many networks.

    Attributes:
      solved: Networks with all four outputs on the right side of 0.5.
      members: All networks.
      diverged: Networks that stopped being finite.
      interval: Wilson's 95% interval of the share solved.
      ns_per_network_step: Wall time in nanoseconds.
      published: None, as ``max_relative_difference`` is: the tables are of one network.
      losses: The recorded losses, ``[members, records]``.
      solves: Which networks solve it, ``[members]``.
    """

    experiment: str = "xor"
    solved: int
    members: int
    diverged: int
    interval: tuple[float, float]
    ns_per_network_step: float
    published: None = None
    max_relative_difference: None = None
    losses: np.ndarray = field(metadata=UNPRINTED)
    solves: np.ndarray = field(metadata=UNPRINTED)

    def show(self) -> list[str]:
        """The share solved and the time per network and step."""
        low, high = self.interval
        share, first = self.solved / self.members, self.config.seed
        last = first + self.members - 1
        seeds = f"seed {first}" if first == last else f"seeds {first} to {last}"
        return [
            f"solved: {self.solved} of {self.members} networks = {share:.1%} "
            f"(95% interval {low:.1%} to {high:.1%}), {self.diverged} diverged; {seeds}",
            f"time per network and step: {self.ns_per_network_step:.1f} ns",
            "",
        ]


def run_many(config: Any, seeds: int, *, progress: bool = False) -> Many:
    """Train so many networks, one per seed, and report on them."""
    optimizer = choices.make_optimizer(config.optimizer, config.lr)
    starts = _starts(config, config.init, seeds)
    result, solves = train_many(config, _network(config), optimizer, starts, progress=progress)
    solved = int(solves.sum())
    criterion = "more than half of the networks put all four outputs on the right side of 0.5"
    if not config.hidden:
        criterion = "a single layer does not solve XOR: no network has all four outputs right"
    return Many(
        config=config,
        criterion=criterion,
        success=2 * solved > seeds if config.hidden else solved == 0,
        metrics={"share_solved": solved / seeds},
        history={"step": result.history["step"].tolist(), "loss": _median_loss(result)},
        seconds=result.seconds,
        params=result.params,
        why=None if config.hidden else WHY,
        solved=solved,
        members=seeds,
        diverged=int((result.diverged_at >= 0).sum()),
        interval=wilson_interval(solved, seeds),
        ns_per_network_step=result.seconds["run"] / seeds / config.steps * 1e9,
        losses=result.history["loss"],
        solves=solves,
    )


def shares_solved(
    config: Any, seeds: int, learning_rates: Sequence[float]
) -> dict[str, list[float]]:
    """The share of so many seeds that solve XOR, for every initialiser by learning rate."""
    starts = [_starts(config, init, seeds) for init in COMPARED]
    params = jax.tree.map(lambda *leaves: jnp.concatenate(leaves), *starts)
    optimizer = choices.OPTIMIZERS[config.optimizer]
    _, solves = train_many(config, _network(config), optimizer, params, learning_rates)
    shares = solves.reshape(len(COMPARED), seeds, len(learning_rates)).mean(axis=1)
    return dict(zip(COMPARED, shares.tolist(), strict=True))


def _starts(config: Any, init: str, seeds: int) -> Params:
    """Starting parameters of so many networks, ``[seeds, ...]``."""
    model = build_model(config.hidden, init)
    return choices.starting_params(
        model, data.xor()[0], init, range(config.seed, config.seed + seeds)
    )


def _network(config: Any) -> tuple[Model, Objective]:
    """The network to train, and what it minimises."""
    model = build_model(config.hidden)
    return model, goal(model, config.backprop, config.hidden)


def train_many(
    config: Any,
    network: tuple[Model, Any],
    optimizer: optax.GradientTransformation | Callable[..., optax.GradientTransformation],
    params: Params,
    learning_rates: Sequence[float] | None = None,
    *,
    progress: bool = False,
) -> tuple[Sweep, np.ndarray]:
    """Train from every start (at every learning rate); also says which networks solve XOR.

    Those that do have stayed finite and put all four outputs on the right side of 0.5.
    """
    x, y = data.xor()

    def trial(learning_rate: Any) -> tuple[Any, ...]:
        return *network, optimizer(learning_rate)

    result = sweep(
        trial if callable(optimizer) else (*network, optimizer),
        (x, y),
        # Nothing is drawn from these: the starts are given and every batch is the whole table.
        keys=jax.random.split(jax.random.key(config.seed), len(jax.tree.leaves(params)[0])),
        hyperparameters=None if learning_rates is None else {"learning_rate": learning_rates},
        steps=config.steps,
        params=params,
        record_every=config.log_every,
        progress=progress,
    )
    outputs = jax.vmap(network[0].apply, in_axes=(0, None))(result.params, x)
    right = np.asarray(((outputs > 0.5) == (y > 0.5)[None]).all(axis=(1, 2)))
    return result, right & (result.diverged_at < 0)


def _median_loss(result: Sweep) -> list[float | None]:
    """The median over the members that stayed finite, at every record; None if none did."""
    kept = result.history["loss"][result.diverged_at < 0]
    if not len(kept):
        return [None] * len(result.history["step"])
    median: list[float | None] = np.median(kept, axis=0).tolist()
    return median
