"""What stays of runs: little, however many there were, and from however many threads."""

import gc
import threading
from pathlib import Path

import jax
import numpy as np
import optax
import pytest

import jaxnets as jn

X, Y = jn.data.xor()
MEGABYTES = 100


def resident():
    """Megabytes of this process."""
    gc.collect()
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def fresh(factor):
    """The loss of a run whose loss no other run has."""
    net = jn.sequential(jn.dense(3), jn.tanh, jn.dense(1))
    result = jn.fit(
        net,
        lambda p, y: factor * jn.losses.mse(p, y),
        optax.sgd(0.1),
        (X, Y),
        key=jax.random.key(0),
        steps=2,
    )
    return float(result.history["loss"][0])


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
def test_two_hundred_runs_of_fresh_functions_keep_no_more_than_the_last_few():
    one = fresh(1.0)
    for number in range(64):  # as many programs as are kept
        fresh(number + 2.0)
    before = resident()
    for number in range(200):
        assert fresh(number + 100.0) == pytest.approx((number + 100) * one, rel=1e-5)
    assert resident() - before < MEGABYTES


@pytest.mark.slow
def test_eight_threads_that_fit_new_models_at_once_are_right_and_end():
    expected = {number: fresh(number + 1.0) for number in range(2)}
    found, errors = {}, []

    def work(number):
        try:
            found[number] = fresh(number + 1.0)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,), daemon=True) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert errors == []
    assert not any(thread.is_alive() for thread in threads)
    one = expected[0]
    np.testing.assert_allclose([found[n] for n in range(8)], [one * (n + 1) for n in range(8)])
