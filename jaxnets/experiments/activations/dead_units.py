"""Units that are off on every example, counted as networks train at several learning rates."""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxnets import losses
from jaxnets.combinators import sequential
from jaxnets.layers import dense
from jaxnets.model import Layer, Params
from jaxnets.training import init_state, make_step

__all__ = ["DeadUnits", "count_dead_units"]

WIDTH, EXAMPLES = 32, 128


class DeadUnits(NamedTuple):
    """Counts, ``[learning rates, records]``, as means over the seeds.

    Attributes:
      share: Of hidden units whose input is at most 0 on every example; NaN once one of the
        networks has diverged.
      loss: Cross-entropy in nats; not finite from then on.
      seconds: Wall time by part: ``"compile"`` and ``"run"``.
    """

    share: np.ndarray
    loss: np.ndarray
    seconds: dict[str, float]


def count_dead_units(
    activation: Layer,
    make_optimizer: Callable[[Any], optax.GradientTransformation],
    learning_rates: Any,
    *,
    seed: int,
    seeds: int,
    records: int,
    every: int,
) -> DeadUnits:
    """Trains 2-32-32-1 networks to tell the inside of a circle from its outside, and counts.

    Args:
      activation: After both hidden layers.
      make_optimizer: ``make_optimizer(learning_rate)``.
      learning_rates: Every one is tried with every seed.
      seed: The first seed of the weights, and the seed of the data.
      seeds: Networks for each learning rate.
      records: Times to count, the first before any update.
      every: Updates between them.
    """
    data = _circle(seed)
    records_of = _recorder(activation, data, records, every)

    def train(learning_rate: jax.Array, key: jax.Array) -> tuple[jax.Array, jax.Array]:
        return records_of(make_optimizer(learning_rate), key)

    over_seeds = jax.vmap(train, in_axes=(None, 0))
    keys = jax.vmap(jax.random.key)(seed + jnp.arange(seeds))
    rates = jnp.asarray(learning_rates, data[0].dtype)
    started = time.perf_counter()
    program = jax.jit(jax.vmap(over_seeds, in_axes=(0, None))).lower(rates, keys).compile()
    compiled = time.perf_counter()
    share, loss = jax.tree.map(np.asarray, program(rates, keys))
    seconds = {"compile": compiled - started, "run": time.perf_counter() - compiled}
    # A network of NaN has no unit that is off; it must not count as one where all are on.
    share = np.where(np.isfinite(loss), share, np.nan)
    return DeadUnits(share.mean(axis=1, dtype=float), loss.mean(axis=1, dtype=float), seconds)


def _circle(seed: int) -> tuple[jax.Array, jax.Array]:
    """Points of a square, and whether they are inside a circle."""
    x = jax.random.uniform(jax.random.key(seed), (EXAMPLES, 2), minval=-1, maxval=1)
    return x, (jnp.square(x).sum(axis=1, keepdims=True) < 0.6).astype(x.dtype)


def _recorder(
    activation: Layer, data: tuple[jax.Array, jax.Array], records: int, every: int
) -> Callable[[optax.GradientTransformation, jax.Array], tuple[jax.Array, jax.Array]]:
    """A function that trains a network by an optimizer and counts on the way."""
    x, y = data
    first = {"first": dense(WIDTH)}
    second = {**first, "first_activation": activation, "second": dense(WIDTH)}
    net = sequential(**second, second_activation=activation, output=dense(1))

    def share_off(params: Params) -> jax.Array:
        hidden = (sequential(**first), sequential(**second))
        return jnp.concatenate([(part.apply(params, x) <= 0).all(axis=0) for part in hidden]).mean()

    def train(
        optimizer: optax.GradientTransformation, key: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        step = make_step(net, losses.bce_with_logits, optimizer)

        def record(state: Any, _: None) -> tuple[Any, tuple[jax.Array, jax.Array]]:
            loss = losses.bce_with_logits(net.apply(state.params, x), y)
            after, _ = jax.lax.scan(lambda s, _: (step(s, data)[0], None), state, length=every)
            return after, (share_off(state.params), loss)

        state = init_state(net, optimizer, key, x)
        recorded: tuple[jax.Array, jax.Array]
        _, recorded = jax.lax.scan(record, state, length=records)
        return recorded

    return train
