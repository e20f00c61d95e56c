"""Sweeps beside what one would write by hand."""

import jax
import optax
from timing import medians, xor_trial

import jaxnets as jn

__all__ = ["few_members", "large_members", "sweeps"]

SMALL, DEEP = [2, 1], [10, 10, 10, 1]


def sweeps(rounds):
    """Nanoseconds per network and step, beside plain ``vmap(scan)`` without losses."""
    return {
        "2-2-1 x 1,000": beside_vmap(SMALL, 1000, 10_001, rounds),
        "2-2-1 x 10,000": beside_vmap(SMALL, 10_000, 2001, rounds),
        "2-2-1 x 100,000": beside_vmap(SMALL, 100_000, 1001, rounds),
        "2-10-10-10-1 x 1,000": beside_vmap(DEEP, 1000, 1001, rounds),
    }


def beside_vmap(widths, members, steps, rounds):
    """A sweep and plain ``vmap`` over a scan that keeps no losses, in turn."""
    x, y = jn.data.xor()
    keys = jax.random.split(jax.random.key(0), members)
    net, loss, optimizer = xor_trial(widths)
    step = jn.make_step(net, loss, optimizer)

    @jax.jit
    @jax.vmap
    def plain(key):
        state = jn.init_state(net, optimizer, key, x)
        return jax.lax.scan(lambda s, _: (step(s, (x, y))[0], None), state, length=steps)[0].params

    def swept():
        trial = (net, loss, optimizer)
        return jn.sweep(trial, (x, y), keys=keys, steps=steps, record_every=100).params

    found = medians(rounds, sweep=swept, vmap=lambda: plain(keys))
    scale = 1e9 / members / steps
    return {
        "sweep_ns": found["sweep"] * scale,
        "vmap_ns": found["vmap"] * scale,
        "sweep_over_vmap": found["sweep"] / found["vmap"],
    }


def few_members(rounds):
    """A sweep of ten 2-10-10-10-1 networks, and ten fits in turn."""
    trial, data, steps = xor_trial(DEEP), jn.data.xor(), 2001
    keys = jax.random.split(jax.random.key(0), 10)

    def swept():
        return jn.sweep(trial, data, keys=keys, steps=steps, record_every=100).params

    def fitted():
        return [jn.fit(*trial, data, key=k, steps=steps, record_every=100).params for k in keys]

    found = medians(rounds, sweep=swept, fits=fitted)
    return {name + "_ms": value * 1e3 for name, value in found.items()} | {
        "sweep_over_fits": found["sweep"] / found["fits"]
    }


def large_members(rounds):
    """A hundred 8-64-64-1 networks, 1,000 rows, batches of 64, Adam, beside ``lax.map(scan)``."""
    x = jax.random.normal(jax.random.key(1), (1000, 8))
    y = x[:, :1] * x[:, 1:2]
    net, optimizer = jn.mlp([64, 64, 1], jn.relu), optax.adam(1e-3)
    keys, epochs, full = jax.random.split(jax.random.key(0), 100), 10, 1000 // 64
    step = jn.make_step(net, jn.losses.mse, optimizer)

    @jax.jit
    def plain(keys):
        def one(key):
            def epoch(state, number):
                order = jax.random.permutation(jax.random.fold_in(key, number), 1000)
                batches = order[: full * 64].reshape(full, 64)
                return jax.lax.scan(lambda s, b: (step(s, (x[b], y[b]))[0], None), state, batches)

            state = jn.init_state(net, optimizer, key, x)
            return jax.lax.scan(epoch, state, jax.numpy.arange(epochs))[0].params

        return jax.lax.map(one, keys)

    def swept():
        task = {"epochs": epochs, "batch_size": 64, "drop_last": True, "record_every": 100}
        return jn.sweep((net, jn.losses.mse, optimizer), (x, y), keys=keys, **task).params

    found = medians(rounds, sweep=swept, mapped=lambda: plain(keys))
    scale = 1e6 / len(keys) / epochs / full
    return {
        "sweep_us": found["sweep"] * scale,
        "lax_map_us": found["mapped"] * scale,
        "sweep_over_lax_map": found["sweep"] / found["mapped"],
    }
