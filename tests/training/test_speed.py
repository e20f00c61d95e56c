"""What compiled runs cost beside the loop that one would write by hand.

Times are ratios of the shortest of many, taken in turns: whatever else the machine does only adds.
"""

import time

import jax
import optax
import pytest

import jaxnets as jn

STEPS, ROUNDS = 10_001, 50


def seconds(function):
    started = time.perf_counter()
    jax.block_until_ready(function())
    return time.perf_counter() - started


@pytest.mark.slow
def test_a_second_fit_takes_no_longer_than_a_scan_of_its_step():
    x, y = jn.data.xor()
    net, optimizer = jn.mlp([2, 1], jn.sigmoid, output_activation=jn.sigmoid), optax.sgd(1.0)
    step = jn.make_step(net, jn.losses.bce, optimizer)

    @jax.jit
    def scanned(key, x, y):
        def body(state, _):
            state, metrics = step(state, (x, y))
            return state, metrics["loss"]

        return jax.lax.scan(body, jn.init_state(net, optimizer, key, x), length=STEPS)

    def by_hand():
        return scanned(jax.random.key(0), x, y)

    def fitted():
        key = jax.random.key(0)
        return jn.fit(net, jn.losses.bce, optimizer, (x, y), key=key, steps=STEPS).params

    by_hand(), fitted()  # compiled from here on
    pairs = [(seconds(fitted), seconds(by_hand)) for _ in range(ROUNDS)]
    fit_seconds, scan_seconds = (min(times) for times in zip(*pairs, strict=True))
    assert fit_seconds <= 1.2 * scan_seconds
