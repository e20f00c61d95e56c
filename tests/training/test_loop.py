"""The compiled loop: what is due when, and how much of it is held on the device."""

import jax
import jax.numpy as jnp
import optax
import pytest

import jaxnets as jn
from jaxnets.training.batching import make_batching
from jaxnets.training.loop import MOST_STEPS, make_schedule

X, Y = jn.data.xor()
KEY = jax.random.key(0)
NET = jn.mlp([3, 1], jn.tanh)


@pytest.mark.parametrize("name", ["record_every", "validate_every"])
def test_what_is_never_due_happens_as_often_as_that(name):
    options = {"key": KEY, "steps": 3, "validation": (X, Y), name: 10**12}
    result = jn.fit(NET, jn.losses.mse, optax.sgd(0.1), (X, Y), **options)
    found = result.history if name == "record_every" else result.validation
    assert found["step"].tolist() == ([0] if name == "record_every" else [])


def test_pages_end_where_the_longest_run_does():
    batching = make_batching((X, Y), None, drop_last=False)
    schedule = make_schedule(batching, 10**12, 10**12, ())
    at = jnp.int32(MOST_STEPS - 50)
    assert int(schedule.page_end(at, MOST_STEPS)) == MOST_STEPS


def test_large_rows_are_held_one_by_one():
    """A metric of a megabyte: 4,096 rows of it would take four gigabytes."""
    large = jax.ShapeDtypeStruct((2**18,), "float32")
    batching = make_batching((X, Y), None, drop_last=False)
    assert make_schedule(batching, 1, 1, {"m": large}).capacity == 64
    assert make_schedule(batching, 1, 1, {"m": large}, members=1000).capacity == 1
    assert make_schedule(batching, 1, 1, {}).capacity == 4096
