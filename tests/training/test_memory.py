"""What stays of runs: little, however many there were, and from however many threads."""

import gc
import threading
import weakref

import jax
import numpy as np
import optax
import pytest

import jaxnets as jn
from jaxnets.training.compiled import MOST_KEPT

X, Y = jn.data.xor()


def fresh(factor, loss=None):
    """The first loss of a run of functions that no other run has."""
    net = jn.sequential(jn.dense(3), jn.tanh, jn.dense(1))
    result = jn.fit(
        net,
        loss or (lambda p, y: factor * jn.losses.mse(p, y)),
        optax.sgd(0.1),
        (X, Y),
        key=jax.random.key(0),
        steps=2,
    )
    return float(result.history["loss"][0])


@pytest.mark.slow
def test_runs_of_fresh_functions_keep_no_more_than_the_last_few():
    one, kept = fresh(1.0), []

    def run(factor):
        def loss(p, y):
            return factor * jn.losses.mse(p, y)

        kept.append(weakref.ref(loss))
        return fresh(factor, loss)

    for number in range(MOST_KEPT + 16):
        assert run(number + 2.0) == pytest.approx((number + 2) * one, rel=1e-5)
    gc.collect()
    alive = [number for number, loss in enumerate(kept) if loss() is not None]
    assert len(alive) <= MOST_KEPT
    assert min(alive) >= 16


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
