"""Runs under the debugging switches of JAX."""

import contextlib

import jax
import numpy as np
import optax
import pytest

import jaxnets as jn

X = np.linspace(-1, 1, 8, dtype=np.float32)[:, None]
NUMBERS = jax.random.key_data(jax.random.split(jax.random.key(0), 3))
TRIAL = (jn.dense(1), jn.losses.mse, optax.sgd(0.01))
JUDGED = {"validation": (X, 2 * X), "stop": jn.Stop(patience=9), "batch_size": 3, "steps": 6}


def new_keys(numbers):
    """Keys that nothing has drawn from yet: the same numbers, as new keys."""
    return jax.random.wrap_key_data(numbers)


def trained(key):
    first = jn.fit(*TRIAL, (X, 2 * X), key=key, **JUDGED)
    return jn.fit(*TRIAL, (X, 2 * X), start=first, **JUDGED)


def swept(keys):
    # One member per block, so that there are blocks to put together.
    return jn.sweep(TRIAL, (X, 2 * X), keys=keys, batch_members=1, **JUDGED)


@contextlib.contextmanager
def switched(name, value):
    before = getattr(jax.config, name)
    jax.config.update(name, value)
    try:
        yield
    finally:
        jax.config.update(name, before)


@pytest.mark.parametrize(
    ("switch", "value"),
    [
        ("jax_debug_key_reuse", True),
        ("jax_transfer_guard", "disallow"),
        ("jax_debug_nans", True),
        ("jax_debug_infs", True),
    ],
)
def test_runs_are_the_same_under_a_debugging_switch(switch, value):
    for run, numbers in ((trained, NUMBERS[0]), (swept, NUMBERS)):
        plain, keys = run(new_keys(numbers)), new_keys(numbers)
        with switched(switch, value):
            result = run(keys)
        np.testing.assert_array_equal(result.history["loss"], plain.history["loss"])
        np.testing.assert_array_equal(result.scores["loss"], plain.scores["loss"])
