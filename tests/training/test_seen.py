"""Data on the device are looked at once; whatever may have changed is looked at again."""

import gc

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxnets as jn
from jaxnets.training import inputs, prepare

TRIAL = (jn.mlp([2, 1], jn.tanh), jn.losses.mse, optax.sgd(0.1))
OPTIONS = {"key": jax.random.key(0), "steps": 2}


def pair():
    """Inputs and targets that nothing has seen yet."""
    return jnp.linspace(0, 1, 8).reshape(4, 2), jnp.linspace(1, 2, 4).reshape(4, 1)


@pytest.fixture
def looks(monkeypatch):
    """Grows by an entry for every array and every pair of targets that is read."""
    found = []

    def noting(name, function):
        def noted(*args, **kwargs):
            found.append(name)
            return function(*args, **kwargs)

        return noted

    monkeypatch.setattr(inputs, "_narrowed", noting("array", inputs._narrowed))
    monkeypatch.setattr(prepare, "check_targets", noting("targets", prepare.check_targets))
    return found


def test_a_second_run_on_the_same_arrays_reads_nothing(looks):
    data = pair()
    first = jn.fit(*TRIAL, data, validation=data, **OPTIONS)
    # The validation data are those of the training, and known by then.
    assert looks == ["array", "array", "targets", "targets"]
    second = jn.fit(*TRIAL, data, validation=data, **OPTIONS)
    assert len(looks) == 4
    np.testing.assert_array_equal(first.history["loss"], second.history["loss"])


def test_a_known_array_in_another_pair_is_looked_at_again(looks):
    x, y = pair()
    jn.fit(*TRIAL, (x, y), **OPTIONS)
    with pytest.raises(ValueError, match="have as many targets as inputs"):
        jn.fit(*TRIAL, (x, y[:3]), **OPTIONS)
    assert looks.count("array") == 4


def test_known_targets_are_held_against_another_loss():
    x, y = pair()
    jn.fit(*TRIAL, (x, y), **OPTIONS)
    net = jn.sequential(jn.dense(1), jn.sigmoid)
    with pytest.raises(ValueError, match=r"targets must be probabilities in \[0, 1\]"):
        jn.fit(net, jn.losses.bce, optax.sgd(0.1), (x, y), **OPTIONS)


def test_arrays_of_the_host_may_change_between_runs():
    x, y = (np.array(leaf) for leaf in pair())
    jn.fit(*TRIAL, (x, y), **OPTIONS)
    x[2, 1] = np.nan
    with pytest.raises(ValueError, match=r"x must be finite; got nan at index \(2, 1\)"):
        jn.fit(*TRIAL, (x, y), **OPTIONS)


def test_arrays_are_forgotten_with_their_owner():
    seen, leaves = inputs.Seen(), list(pair())
    seen.add(leaves, "purpose")
    assert seen.holds(leaves, "purpose")
    assert not seen.holds(leaves, "another")
    assert not seen.holds(leaves[:1], "purpose")
    del leaves[0]
    gc.collect()
    assert not seen._found


def test_nothing_is_known_of_no_arrays():
    seen = inputs.Seen()
    seen.add([])
    assert not seen.holds([])
