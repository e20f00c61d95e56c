"""Going on from where a run ended: two runs are one longer one, bit for bit."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxnets as jn

RANDOM = np.random.default_rng(0)
X = RANDOM.standard_normal((20, 3), np.float32)
Y = (X[:, :1] > 0).astype(np.float32)
KEY = jax.random.key(3)
KEYS = jax.random.split(KEY, 3)
NET = jn.sequential(jn.dense(4), jn.relu, jn.dropout(0.5), jn.dense(1))
RATES = {"learning_rate": [0.01, 0.03]}
SHUFFLED = {"batch_size": 6, "record_every": 3, "record_gradient_norm": True}
JUDGED = {"validation": (X, Y), "validate_every": 1}


def trial(learning_rate=0.02):
    schedule = optax.cosine_decay_schedule(1.0, 40)
    adam = optax.chain(optax.adam(learning_rate), optax.scale_by_schedule(schedule))
    return NET, jn.losses.bce_with_logits, adam


def fit(**options):
    return jn.fit(*trial(), (X, Y), **options)


def sweep(**options):
    return jn.sweep(trial, (X, Y), **options)


def assert_same(found, expected):
    """Equal to the bit in all but the time they took."""
    found, expected = (result._replace(seconds={}) for result in (found, expected))
    for name in ("history", "validation"):
        assert list(getattr(found, name)) == list(getattr(expected, name))
    for name in ("params", "history", "validation", "scores", "state", "status", "judged"):
        parts = [getattr(end, name) for end in (found, expected)]
        leaves = [jax.tree.leaves(dict(p) if isinstance(p, dict) else p) for p in parts]
        for leaf, other in zip(*leaves, strict=True):
            if hasattr(leaf, "dtype") and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
                leaf, other = jax.random.key_data(leaf), jax.random.key_data(other)
            np.testing.assert_array_equal(leaf, other)


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({**SHUFFLED, **JUDGED, "stop": jn.Stop(patience=100)}, id="patience"),
        pytest.param({**SHUFFLED, "drop_last": True}, id="shuffled", marks=pytest.mark.slow),
        pytest.param({"record_every": 3}, id="whole batches", marks=pytest.mark.slow),
    ],
)
def test_two_runs_of_four_epochs_are_one_of_eight(options):
    half = fit(key=KEY, epochs=4, **options)
    found = fit(start=half, epochs=4, **options)
    assert_same(found, fit(key=KEY, epochs=8, **options))
    assert found.history["step"][0] == 0


def test_it_goes_on_within_an_epoch_too():
    half = fit(key=KEY, steps=5, **SHUFFLED)
    assert_same(fit(start=half, steps=6, **SHUFFLED), fit(key=KEY, steps=11, **SHUFFLED))


def test_a_state_is_gone_on_from_without_the_history_before():
    half, whole = (fit(key=KEY, epochs=epochs, **SHUFFLED) for epochs in (4, 8))
    found = fit(start=half.state, epochs=4, **SHUFFLED)
    for name, column in found.history.items():
        np.testing.assert_array_equal(column, whole.history[name][-len(column) :])
    assert found.history["step"][0] == 18
    jax.tree.map(np.testing.assert_array_equal, found.params, whole.params)


def test_a_state_of_a_loop_of_one_s_own_is_gone_on_from():
    optimizer = optax.adam(0.02)
    step = jax.jit(jn.make_step(NET, jn.losses.bce_with_logits, optimizer))
    state = jn.init_state(NET, optimizer, KEY, X)
    for _ in range(5):
        state, _ = step(state, (X, Y))
    parts = (NET, jn.losses.bce_with_logits, optimizer, (X, Y))
    found = jn.fit(*parts, start=state, steps=5)
    whole = jn.fit(*parts, key=KEY, steps=10)
    assert found.history["step"].tolist() == [5, 6, 7, 8, 9]
    np.testing.assert_allclose(found.history["loss"], whole.history["loss"][5:], rtol=1e-5)


def test_patience_counts_on_over_the_seam():
    """The evaluations since the best one are counted before and after the end of the first."""
    options = {**JUDGED, "validation": (X, 1 - Y), "stop": jn.Stop(patience=7)}
    whole = fit(key=KEY, steps=40, **options)
    assert whole.status == "patience"
    ended = int(whole.state.step)
    half = fit(key=KEY, steps=ended - 3, **options)
    assert half.status == "completed"
    assert_same(fit(start=half, steps=30, **options), whole)


@pytest.mark.slow
def test_a_sweep_goes_on_bit_for_bit():
    options = {**SHUFFLED, **JUDGED, "hyperparameters": RATES, "stop": jn.Stop(patience=100)}
    half = sweep(keys=KEYS, epochs=2, **options)
    found = sweep(start=half, epochs=2, **options)
    whole = sweep(keys=KEYS, epochs=4, **options)
    assert_same(found, whole)
    for name in ("diverged_at", "stopped_at"):
        np.testing.assert_array_equal(getattr(found, name), getattr(whole, name))
    assert found.labels["learning_rate"].tolist() == whole.labels["learning_rate"].tolist()


def test_members_in_pieces_go_on_as_they_do_at_once():
    options = {**SHUFFLED, "hyperparameters": RATES}
    half = sweep(keys=KEYS, epochs=2, batch_members=4, **options)
    found = sweep(start=half, epochs=2, batch_members=4, **options)
    assert_same(found, sweep(keys=KEYS, epochs=4, batch_members=4, **options))


def test_members_that_have_ended_stay_as_they_were():
    def line(learning_rate):
        return jn.dense(1), jn.losses.mse, optax.sgd(learning_rate)

    options = {"hyperparameters": {"learning_rate": [0.1, 1e4]}}
    half = jn.sweep(line, (X, Y), keys=KEYS[:2], steps=60, **options)
    assert half.status.tolist() == ["completed", "diverged"] * 2
    found = jn.sweep(line, (X, Y), start=half, steps=20, **options)
    whole = jn.sweep(line, (X, Y), keys=KEYS[:2], steps=80, **options)
    assert_same(found, whole)
    np.testing.assert_array_equal(found.diverged_at, whole.diverged_at)
    assert (found.diverged_at[1::2] >= 0).all()


def test_a_run_that_a_watch_has_ended_goes_on(tmp_path):
    often = jn.Checkpoint(tmp_path, every_steps=10)
    ended = fit(key=KEY, steps=40, watch=lambda look: True, checkpoint=often, **SHUFFLED)
    assert (ended.status, int(ended.state.step)) == ("watch", 10)
    assert_same(fit(start=ended, steps=30, **SHUFFLED), fit(key=KEY, steps=40, **SHUFFLED))


LINE = jn.dense(1)


def line(optimizer, **options):
    return jn.fit(LINE, jn.losses.mse, optimizer, (X, Y), **options)


def test_metrics_of_several_values_go_on():
    options = {"validation": (X, Y), "metrics": {"predicted": lambda p, y: p[:, 0]}}
    options["optimizer"] = optax.sgd(0.1)
    half = line(key=KEY, steps=3, **options)
    assert_same(line(start=half, steps=2, **options), line(key=KEY, steps=5, **options))


@pytest.mark.parametrize(
    "optimizer",
    [
        pytest.param(
            optax.chain(optax.sgd(0.1), optax.contrib.reduce_on_plateau(accumulation_size=10)),
            id="infinities",
        ),
        pytest.param(optax.chain(optax.add_noise(0.1, 0.5, KEY), optax.sgd(0.1)), id="keys"),
    ],
)
def test_whatever_an_optimizer_keeps_is_gone_on_from(optimizer):
    half = line(optimizer, key=KEY, steps=3)
    assert_same(line(optimizer, start=half, steps=2), line(optimizer, key=KEY, steps=5))


def test_a_state_with_a_raw_key_is_gone_on_from():
    optimizer = optax.sgd(0.1)
    state = jn.init_state(LINE, optimizer, jax.random.PRNGKey(3), X)
    found = line(optimizer, start=state, steps=4, batch_size=6)
    expected = line(optimizer, key=jax.random.key(3), steps=4, batch_size=6)
    np.testing.assert_allclose(found.history["loss"], expected.history["loss"], rtol=1e-6)


def test_a_run_may_be_judged_from_there_on():
    half = line(optax.sgd(0.1), key=KEY, steps=3)
    options = {"validation": (X, 1 - Y), "stop": jn.Stop(patience=2)}
    found = line(optax.sgd(0.1), start=half, steps=50, **options)
    assert found.status == "patience"
    assert found.history["step"][:4].tolist() == [0, 1, 2, 3]
    assert found.validation["step"][0] == 4


def test_a_run_that_has_ended_by_itself_does_not_go_on():
    options = {"validation": (X, 1 - Y), "stop": jn.Stop(patience=2)}
    ended = line(optax.sgd(0.1), key=KEY, steps=50, **options)
    assert ended.status == "patience"
    assert_same(line(optax.sgd(0.1), start=ended, steps=50, **options), ended)


def test_a_run_records_what_the_one_before_did():
    half = line(optax.sgd(0.1), key=KEY, steps=3)
    options = {"start": half, "steps": 3, "record_gradient_norm": True}
    message = (
        "fit: start must have recorded what this run does, ['gradient_norm', 'loss']; got "
        "['loss']. Record the same, or go on from its state alone: start=result.state."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        line(optax.sgd(0.1), **options)
    found = line(optax.sgd(0.1), **{**options, "start": half.state})  # the advice
    assert found.history["step"].tolist() == [3, 4, 5]


OTHER = jn.sequential(jn.dense(5), jn.relu, jn.dropout(0.5), jn.dense(1))
REMEDY = "Pass a result of the same model and optimizer, or only its params."
MEMBERS = "Pass the hyperparameters of the sweep that it is the result of."


@pytest.fixture(scope="module")
def single():
    return fit(key=KEY, steps=1)


@pytest.fixture(scope="module")
def many():
    return sweep(keys=KEYS[:2], hyperparameters=RATES, steps=1)


LOSS, DATA = jn.losses.bce_with_logits, (X, Y)
REFUSED = {
    "another model": (
        lambda single, many: jn.fit(OTHER, LOSS, trial()[2], DATA, start=single, steps=1),
        ValueError,
        re.compile(
            rf"fit: start must have float32\[5\] at '.*0/b', .*; got float32\[4\]\. {REMEDY}"
        ),
    ),
    "another optimizer": (
        lambda single, many: jn.fit(NET, LOSS, optax.sgd(0.1), DATA, start=single, steps=1),
        ValueError,
        re.compile(rf"fit: start must have nothing at 'opt_state/.*; got int32\[\]\. {REMEDY}"),
    ),
    "a sweep for a fit": (
        lambda single, many: fit(start=many, steps=1),
        TypeError,
        re.compile(
            r"fit: start must be a Fit or a TrainState; got .*\. Pass what jn\.fit returned, or "
            r"its state\."
        ),
    ),
    "a fit for a sweep": (
        lambda single, many: sweep(start=single, hyperparameters=RATES, steps=1),
        TypeError,
        re.compile(
            r"sweep: start must be a Sweep or a TrainState; got .*\. Pass what jn\.sweep "
            r"returned, or its state\."
        ),
    ),
    "parameters": (
        lambda single, many: fit(start=single.params, steps=1),
        TypeError,
        re.compile(r"fit: start must be a Fit or a TrainState; got .*"),
    ),
    "a key beside it": (
        lambda single, many: fit(start=single, key=KEY, steps=1),
        ValueError,
        "fit: key must be left out beside start; got both. Leave key out: a run that goes on has "
        "its own.",
    ),
    "parameters beside it": (
        lambda single, many: fit(start=single, params=single.params, steps=1),
        ValueError,
        "fit: params must be left out beside start; got both. Leave params out: a run that goes "
        "on has its own.",
    ),
    "another number of members": (
        lambda single, many: sweep(
            start=many, hyperparameters={"learning_rate": [0.1, 0.2, 0.3]}, steps=1
        ),
        ValueError,
        f"sweep: start must have the 3 members of the keys and hyperparameters; got 4. {MEMBERS}",
    ),
    "one network for many": (
        lambda single, many: sweep(start=single.state, hyperparameters=RATES, steps=1),
        ValueError,
        f"sweep: start must have the 2 members of the keys and hyperparameters; got 1. {MEMBERS}",
    ),
    "half a step": (
        lambda single, many: fit(start=single.state._replace(step=2.5), steps=1),
        ValueError,
        f"fit: start must have a whole number of at least 0 as its step; got 2.5. {REMEDY}",
    ),
    "more steps than can be counted": (
        lambda single, many: fit(start=single.state._replace(step=2**30), steps=1),
        ValueError,
        "fit: steps must end by step 1073741824; got 1 after step 1073741824. Go on from the "
        "params alone.",
    ),
    "many for one network": (
        lambda single, many: fit(start=many.state, steps=1),
        ValueError,
        "fit: start must be of one network; got key<fry>[4]. Go on with all of them with jn.sweep.",
    ),
}


def test_the_hyperparameters_of_a_sweep_need_not_be_given_again(many):
    again = sweep(start=many, hyperparameters=RATES, steps=1)
    result = sweep(start=many, steps=1)
    assert result.table() == again.table()


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_fit_is_refused(name, single, many):
    misuse, error, message = REFUSED[name]
    with pytest.raises(error) as caught:
        misuse(single, many)
    if isinstance(message, re.Pattern):
        assert message.fullmatch(str(caught.value)), str(caught.value)
    else:
        assert str(caught.value) == message
