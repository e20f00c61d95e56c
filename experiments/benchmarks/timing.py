"""Timing side by side, and the networks that are timed."""

import statistics
import time

import jax
import optax

import jaxnets as jn

__all__ = ["medians", "timed", "xor_trial"]


def timed(function):
    """Seconds that one call takes, its results included."""
    started = time.perf_counter()
    jax.block_until_ready(function())
    return time.perf_counter() - started


def medians(rounds, **functions):
    """The median time of each function, called in turn after one call that is not counted."""
    for function in functions.values():
        timed(function)
    times = {name: [] for name in functions}
    for _ in range(rounds):
        for name, function in functions.items():
            times[name].append(timed(function))
    return {name: statistics.median(values) for name, values in times.items()}


def xor_trial(widths):
    """Model, loss and optimizer of a network of sigmoid units on XOR."""
    net = jn.mlp(widths, jn.sigmoid, output_activation=jn.sigmoid)
    return net, jn.losses.bce, optax.sgd(1.0)
