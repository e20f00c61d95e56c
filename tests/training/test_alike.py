"""Functions made anew, and which of them are one."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxnets as jn
from jaxnets.training.alike import MOST_KEPT, first_alike
from jaxnets.training.prepare import _plan


def scaled(factor):
    def loss(predictions, targets):
        return factor * ((predictions - targets) ** 2).mean()

    return loss


MAKERS = {
    "sgd": lambda: optax.sgd(0.1),
    "adam": lambda: optax.adam(0.1, b2=0.99),
    "chain": lambda: optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(1e-3)),
    "partial": lambda: functools.partial(jn.losses.huber, delta=2.0),
    "closure": lambda: scaled(3.0),
    "lambda": lambda: lambda predictions, targets: (predictions - targets).mean(),
    "objective": lambda: jn.objective(lambda params, batch, *, key: 2.0 * params["w"].sum()),
    "NaN": lambda: scaled(float("nan")),
}


@pytest.mark.parametrize("name", MAKERS)
def test_what_is_made_alike_is_one(name):
    assert first_alike(MAKERS[name]()) is first_alike(MAKERS[name]())


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (optax.sgd(0.1), optax.sgd(0.2)),
        (optax.sgd(0.1), optax.sgd(0.1, momentum=0.9)),
        (scaled(1), scaled(1.0)),
        (scaled(0.0), scaled(-0.0)),
        (scaled(True), scaled(1)),
        (scaled(np.float32(1)), scaled(1.0)),
        (functools.partial(jn.losses.huber, delta=1.0), functools.partial(jn.losses.huber)),
        (jn.losses.mse, jn.losses.mae),
        (lambda p, t: (p - t).mean(), lambda p, t: (p + t).mean()),
    ],
)
def test_what_differs_stays_apart(one, other):
    assert first_alike(one) is not first_alike(other)


def test_a_function_of_an_array_or_a_list_is_itself():
    for kept in (jnp.ones(3), [1.0], {"a": []}):
        one, other = scaled(kept), scaled(kept)
        assert first_alike(one) is one
        assert first_alike(other) is other


def test_a_function_whose_variable_has_changed_stands_for_nothing_it_was():
    factor = 12.5

    def loss(predictions, targets):
        return factor * (predictions - targets).mean()

    assert first_alike(loss) is loss
    copies = [first_alike(scaled(12.5)) for _ in range(2)]
    assert copies[0] is copies[1]
    copies[0].__closure__[0].cell_contents = 99.0
    fresh = scaled(12.5)
    assert first_alike(fresh) is fresh
    factor = 1.0


def test_defaults_count():
    def make(weight):
        return lambda predictions, targets, weight=weight: weight * (predictions - targets).mean()

    assert first_alike(make(1.5)) is first_alike(make(1.5))
    assert first_alike(make(1.5)) is not first_alike(make(2.5))


def test_the_oldest_are_forgotten():
    first = scaled(-1.5)
    assert first_alike(first) is first
    for number in range(MOST_KEPT):
        first_alike(scaled(number + 0.25))
    again = scaled(-1.5)
    assert first_alike(again) is again


def test_a_run_of_what_is_made_anew_compiles_nothing():
    x, y = jn.data.xor()

    def run(rate):
        net = jn.mlp([2, 1], jn.tanh)
        loss = functools.partial(jn.losses.huber, delta=0.5)
        return jn.fit(net, loss, optax.adam(rate), (x, y), key=jax.random.key(0), steps=3)

    before = _plan.cache_info().misses
    first, second, third = run(0.1), run(0.1), run(0.2)
    assert _plan.cache_info().misses == before + 2
    np.testing.assert_array_equal(first.history["loss"], second.history["loss"])
    assert first.history["loss"][-1] != third.history["loss"][-1]
