"""What compiled runs cost beside the loop that one would write by hand.

Times are ratios of the shortest of many, taken in turns: whatever else the machine does only adds.
"""

import time

import jax
import numpy as np
import optax
import pytest

import jaxnets as jn

ROUNDS = 50

XOR = np.float32([[0, 0], [0, 1], [1, 0], [1, 1]]), np.float32([[0], [1], [1], [0]])
DRAWN = np.random.default_rng(0).standard_normal((64, 8), np.float32)
ROWS = DRAWN, np.float32(DRAWN[:, :1] > 0)


def seconds(function):
    started = time.perf_counter()
    jax.block_until_ready(function())
    return time.perf_counter() - started


@pytest.mark.slow
@pytest.mark.parametrize(
    ("widths", "data", "steps"),
    [([2, 1], XOR, 10_001), ([64, 64, 1], ROWS, 1000)],
    ids=["2-2-1", "8-64-64-1"],
)
def test_a_second_fit_takes_no_longer_than_a_scan_of_its_step(widths, data, steps):
    net, optimizer = jn.mlp(widths, jn.sigmoid, output_activation=jn.sigmoid), optax.sgd(1.0)
    step = jn.make_step(net, jn.losses.bce, optimizer)

    @jax.jit
    def scanned(key, data):
        def body(state, _):
            state, metrics = step(state, data)
            return state, metrics["loss"]

        return jax.lax.scan(body, jn.init_state(net, optimizer, key, data[0]), length=steps)

    def by_hand():
        return scanned(jax.random.key(0), data)

    def fitted():
        key = jax.random.key(0)
        return jn.fit(net, jn.losses.bce, optimizer, data, key=key, steps=steps).params

    by_hand(), fitted()  # compiled from here on
    pairs = [(seconds(fitted), seconds(by_hand)) for _ in range(ROUNDS)]
    fit_seconds, scan_seconds = (min(times) for times in zip(*pairs, strict=True))
    assert fit_seconds <= 1.2 * scan_seconds
