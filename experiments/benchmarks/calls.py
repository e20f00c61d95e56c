"""Calls rather than steps: warm ones, first ones, and ones that are looked into."""

import tempfile
import time

import jax
import jax.numpy as jnp
import numpy as np
import optax
from timing import medians, xor_trial

import jaxnets as jn

__all__ = ["first_calls", "looking_in", "warm_calls"]


def warm_calls(rounds):
    """Milliseconds of a ``fit`` of one step that compiles nothing: 2-2-1, and on 60,000 x 784."""
    trial, data = xor_trial([2, 1]), jn.data.xor()
    random = np.random.default_rng(0)
    x = jnp.asarray(random.random((60_000, 784), np.float32))
    y = jnp.asarray(random.integers(0, 10, 60_000))
    large = jn.mlp([16, 10], jn.relu), jn.losses.cross_entropy, optax.sgd(0.1)

    def small():
        return jn.fit(*trial, data, key=jax.random.key(0), steps=1).params

    def on_large_data():
        return jn.fit(*large, (x, y), key=jax.random.key(0), steps=1, batch_size=10).params

    found = medians(10 * rounds, small=small, large=on_large_data)
    return {"fit_of_one_step_ms": found["small"] * 1e3, "on_large_data_ms": found["large"] * 1e3}


def first_calls():
    """Seconds of the first ``fit`` of a deep network, over a plain scan and its beginning."""
    return {f"depth {depth}": first_call(depth) for depth in (50, 200)}


def first_call(depth):
    x, y = jnp.ones((64, 8)), jnp.zeros((64, 1))
    net, optimizer, key = jn.mlp([32] * depth + [1], jn.tanh), optax.sgd(1e-3), jax.random.key(0)
    times = []
    for first in (plain_scan, lambda *task: jn.fit(*task, key=key, steps=10).params):
        jax.clear_caches()
        started = time.perf_counter()
        jax.block_until_ready(first(net, jn.losses.mse, optimizer, (x, y)))
        times.append(time.perf_counter() - started)
    return {"fit_s": times[1], "plain_scan_s": times[0], "fit_over_scan": times[1] / times[0]}


def plain_scan(net, loss, optimizer, data):
    """Ten steps in a scan, compiled; the parameters are drawn by the model itself."""
    step = jn.make_step(net, loss, optimizer)
    state = jn.init_state(net, optimizer, jax.random.key(0), data[0])

    def run(state, data):
        def body(state, _):
            state, metrics = step(state, data)
            return state, metrics["loss"]

        return jax.lax.scan(body, state, length=10)

    return jax.jit(run)(state, data)


def looking_in(rounds):
    """What a bar and checkpoints cost: 1,200 steps of 784-256-256-10, over a plain run of them."""
    random = np.random.default_rng(0)
    x = jnp.asarray(random.random((60_000, 784), np.float32))
    y = jnp.asarray(random.integers(0, 10, 60_000))
    task = (jn.mlp([256, 256, 10], jn.relu), jn.losses.cross_entropy, optax.adam(1e-3), (x, y))

    def run(**options):
        key = jax.random.key(0)
        return jn.fit(*task, key=key, epochs=2, batch_size=100, **options).params

    def saved(**options):
        with tempfile.TemporaryDirectory() as folder:
            return run(checkpoint=jn.Checkpoint(folder, **options))

    found = medians(
        rounds,
        plain=run,
        bar=lambda: run(progress=True),
        checkpoint=saved,
        every_100=lambda: saved(every_steps=100),
    )
    return {name: value / found["plain"] for name, value in found.items() if name != "plain"}
