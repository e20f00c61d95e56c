"""Looking in on a run between its chunks: what a watch sees, and that it may end the run."""

import functools
import time

import jax
import numpy as np
import optax
import pytest

import jaxnets as jn

XOR = jn.data.xor()
KEY = jax.random.key(0)
KEYS = jax.random.split(KEY, 3)
NET = jn.mlp([3, 1], jn.tanh, output_activation=jn.sigmoid)
TRIAL = (NET, jn.losses.bce, optax.sgd(0.5))
# So few steps in a chunk that there are several of them.
SAVED = {"steps": 40, "validation": XOR, "validate_every": 2}


def one(data, **options):
    return jn.fit(*TRIAL, data, key=KEY, **options)


def assert_same_columns(found, expected):
    assert list(found) == list(expected)
    for name, column in expected.items():
        np.testing.assert_array_equal(found[name], column)


def joined(looks, name):
    columns = [getattr(look, name) for look in looks]
    return {
        column: np.concatenate([each[column] for each in columns], axis=-1) for column in columns[0]
    }


@pytest.mark.parametrize("many", [False, True], ids=["fit", "sweep"])
def test_a_watch_sees_what_happened_since_it_was_called_last(many, tmp_path):
    looks = []
    options = {**SAVED, "checkpoint": jn.Checkpoint(tmp_path, every_steps=10)}
    options["watch"] = looks.append
    if many:
        result = jn.sweep(TRIAL, XOR, keys=KEYS, **options)
    else:
        result = jn.fit(*TRIAL, XOR, key=KEY, **options)
    assert result.status.tolist() == ["completed"] * 3 if many else result.status == "completed"
    steps = [look.step for look in looks]
    assert steps == sorted(set(steps))
    assert {10, 20, 30, 40} <= set(steps)
    assert {look.steps for look in looks} == {40}
    seconds = [look.seconds for look in looks]
    assert seconds == sorted(seconds)
    assert_same_columns(joined(looks, "history"), result.history)
    assert_same_columns(joined(looks, "validation"), result.validation)
    ends = np.cumsum([len(look.history["step"]) for look in looks])
    assert ends.tolist() == steps
    jax.tree.map(np.testing.assert_array_equal, looks[-1].params, result.params)
    first = looks[0].params["0"]["w"]
    assert not np.array_equal(first, looks[-1].params["0"]["w"])


def test_looking_changes_nothing():
    watched = jn.fit(*TRIAL, XOR, key=KEY, watch=lambda look: None, **SAVED)
    plain = jn.fit(*TRIAL, XOR, key=KEY, **SAVED)
    assert_same_columns(watched.history, plain.history)
    jax.tree.map(np.testing.assert_array_equal, watched.params, plain.params)


@pytest.mark.parametrize("many", [False, True], ids=["fit", "sweep"])
def test_a_watch_may_end_the_run(many, tmp_path):
    def enough(look):
        return look.step >= 20

    options = {"steps": 10**6, "watch": enough}
    options["checkpoint"] = jn.Checkpoint(tmp_path, every_steps=10)
    if many:
        result = jn.sweep(TRIAL, XOR, keys=KEYS, **options)
        assert result.status.tolist() == ["watch"] * 3
        assert result.stopped_at.tolist() == [20] * 3
    else:
        result = jn.fit(*TRIAL, XOR, key=KEY, **options)
        assert result.status == "watch"
    assert int(result.state.step) == 20
    assert len(result.history["step"]) == 20


@pytest.mark.parametrize("many", [False, True], ids=["fit", "sweep"])
def test_what_a_watch_raises_carries_the_run_so_far(many, tmp_path):
    class MineError(Exception):
        pass

    def broken(look):
        if look.step >= 20:
            raise MineError("mine")

    options = {"steps": 100, "watch": broken}
    options["checkpoint"] = jn.Checkpoint(tmp_path, every_steps=10)
    train = functools.partial(jn.sweep, TRIAL, keys=KEYS) if many else one
    with pytest.raises(MineError, match="mine") as caught:
        train(data=XOR, **options)
    result = caught.value.result
    assert isinstance(result, jn.Sweep if many else jn.Fit)
    assert int(result.state.step) == 20
    assert len(result.history["step"]) == 20
    assert any("error.result" in note for note in caught.value.__notes__)


def test_a_watch_looks_about_every_half_second_however_seldom_records_are():
    looked = []

    def look_in(look):
        looked.append(time.perf_counter())
        return len(looked) >= 4

    result = jn.fit(*TRIAL, XOR, key=KEY, steps=10**9, record_every=10**8, watch=look_in)
    assert result.status == "watch"
    assert np.median(np.diff(looked)) < 3  # the machine may have other things to do


def test_a_watch_sees_the_parameters_that_the_result_would_have():
    looks = []
    stop = jn.Stop(patience=5)
    validation = (XOR[0], 1 - XOR[1])
    result = jn.fit(
        *TRIAL, XOR, key=KEY, steps=100, validation=validation, stop=stop, watch=looks.append
    )
    assert result.status == "patience"
    jax.tree.map(np.testing.assert_array_equal, looks[-1].params, result.params)
    loss = jn.losses.bce(NET.apply(looks[-1].params, XOR[0]), validation[1])
    np.testing.assert_allclose(loss, result.validation["loss"].min(), rtol=1e-5)


@pytest.mark.parametrize("raised", [KeyboardInterrupt, SystemExit, RuntimeError])
def test_whatever_is_raised_while_looking_in_carries_the_result(raised):
    def watch(look):
        raise raised

    with pytest.raises(raised) as caught:
        one(XOR, steps=9, watch=watch)
    assert len(caught.value.result.history["loss"]) == int(caught.value.result.state.step)


def test_what_fails_within_a_chunk_leaves_the_run_up_to_there():
    calls = []

    def fail_in_the_end(value):
        calls.append(value)
        if len(calls) > 100:
            raise RuntimeError
        return value

    def loss(predictions, targets):
        value = jn.losses.mse(predictions, targets)
        shape = jax.ShapeDtypeStruct((), value.dtype)
        return value + 0 * jax.pure_callback(fail_in_the_end, shape, jax.lax.stop_gradient(value))

    with pytest.raises(Exception, match="RuntimeError") as caught:
        jn.fit(NET, loss, optax.sgd(0.5), XOR, key=KEY, steps=10**6, record_every=1000)
    assert int(caught.value.result.state.step) < 101


def test_a_look_can_be_changed_without_changing_the_result():
    def watch(look):
        look.history["loss"][:] = 0

    assert (one(XOR, steps=9, watch=watch).history["loss"] > 0).all()


def test_an_answer_that_is_neither_true_nor_false_is_named():
    with pytest.raises(TypeError, match=r"fit: watch must return True or False; got"):
        one(XOR, steps=9, watch=lambda look: np.array([True, False]))


def test_a_run_whose_steps_are_made_is_completed_whatever_watch_says():
    assert one(XOR, steps=9, watch=lambda look: look.step == look.steps).status == "completed"
