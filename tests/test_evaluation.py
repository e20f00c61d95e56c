"""Validation, metrics, early stopping, divergence and what is put around an optimizer."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxnets as jn
from jaxnets.training.evaluation import predict_in_batches

KEY = jax.random.key(5)
RANDOM = np.random.default_rng(1)
X = RANDOM.normal(size=(50, 3)).astype(np.float32)
Y = (X[:, :1] * X[:, 1:2] > 0).astype(np.float32)
TRAIN, HELD_OUT = (X[:30], Y[:30]), (X[30:], Y[30:])
NET = jn.sequential(jn.dense(16), jn.tanh, jn.dropout(0.1), jn.dense(1), jn.sigmoid)
ADAM = optax.adam(3e-2)


def run(**options):
    options = {"key": KEY, "validation": HELD_OUT, **options}
    return jn.fit(NET, jn.losses.bce, ADAM, TRAIN, **options)


def test_an_evaluation_is_what_the_model_gives_on_all_data_without_randomness():
    result = run(epochs=3, batch_size=8, metrics={"accuracy": jn.metrics.accuracy})
    x, y = HELD_OUT
    predictions = NET.apply(result.params, x)
    last = {name: column[-1] for name, column in result.validation.items()}
    assert last["step"] == 12
    assert last["epoch"] == 3
    np.testing.assert_allclose(last["loss"], jn.losses.bce(predictions, y), rtol=1e-6)
    np.testing.assert_allclose(last["accuracy"], jn.metrics.accuracy(predictions, y))


@pytest.mark.parametrize("size", [1, 3, 20, 7, 64])
def test_predictions_in_batches_are_those_of_one_batch(size):
    params = NET.init(KEY, X)
    np.testing.assert_allclose(
        predict_in_batches(NET, params, jnp.asarray(HELD_OUT[0]), size),
        NET.apply(params, HELD_OUT[0]),
        rtol=1e-6,
    )


@pytest.mark.parametrize(
    ("options", "steps"),
    [
        pytest.param({"epochs": 3, "batch_size": 8}, [4, 8, 12], marks=pytest.mark.slow),
        ({"steps": 3}, [1, 2, 3]),
        ({"steps": 20, "record_every": 3, "validate_every": 2}, [6, 12, 18]),
        ({"epochs": 3, "batch_size": 8, "record_every": 5, "validate_every": 1}, [5, 10]),
    ],
)
def test_evaluations_come_when_they_are_due(options, steps):
    assert run(**options).validation["step"].tolist() == steps


def test_evaluating_does_not_change_the_run():
    plain = run(epochs=3, batch_size=8, validation=None)
    watched = run(epochs=3, batch_size=8, record_every=2)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), plain.params, watched.params
    )
    assert plain.validation == {}


def test_patience_ends_the_run_and_returns_the_best_parameters():
    result = run(steps=3000, stop=jn.Stop(patience=20))
    losses = result.validation["loss"]
    best = losses.argmin()
    assert result.status == "patience"
    assert len(losses) == best + 21
    restored = jn.losses.bce(NET.apply(result.params, HELD_OUT[0]), HELD_OUT[1])
    np.testing.assert_allclose(restored, losses[best], rtol=1e-6)
    assert int(result.state.step) == result.validation["step"][-1]


def test_a_metric_to_be_raised_is_watched_too():
    stop = jn.Stop(metric="accuracy", mode="max", target=0.75)
    result = run(steps=3000, stop=stop, metrics={"accuracy": jn.metrics.accuracy})
    accuracy = result.validation["accuracy"]
    assert result.status == "target"
    assert accuracy[-1] >= 0.75
    assert (accuracy[:-1] < 0.75).all()


def test_a_budget_of_time_ends_the_run():
    result = run(steps=2**30, stop=jn.Stop(seconds=0.3), validation=None, record_every=1000)
    assert result.status == "seconds"
    assert 0.3 <= result.seconds["run"] < 5


def test_a_run_that_diverges_keeps_what_it_had():
    linear, loss = jn.dense(1), jn.losses.mse
    options = {"key": KEY, "steps": 200, "batch_size": 8, "record_gradient_norm": True}
    with pytest.raises(jn.TrainingDiverged) as caught:
        jn.fit(linear, loss, optax.sgd(10.0), TRAIN, **options)
    error = caught.value
    returned = jn.fit(linear, loss, optax.sgd(10.0), TRAIN, on_divergence="return", **options)
    assert returned.status == error.result.status == "diverged"
    assert error.step == int(returned.state.step) == len(returned.history["loss"])
    assert error.loss == returned.history["loss"][-1]
    assert np.isfinite(returned.history["loss"]).all()
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(error.state.params))
    assert str(error.step) in str(error)


def test_divergence_names_the_first_parameter_with_a_bad_gradient():
    # The root of 0 has an infinite slope: only the gradient of "b" is not finite.
    model = jn.Model(
        lambda key, x: {"a": jnp.ones(()), "b": jnp.zeros(())},
        lambda params, x, *, key=None: x * params["a"] + jnp.sqrt(params["b"]),
    )
    with pytest.raises(
        jn.TrainingDiverged, match="the gradient of b stopped being finite at step 0"
    ):
        jn.fit(model, jn.losses.mse, ADAM, (X[:, :1], Y), key=KEY, steps=3)


def test_a_frozen_layer_stays_whatever_the_optimizer_does_to_the_rest():
    optimizer = optax.adamw(1e-2, weight_decay=0.5)
    start = NET.init(KEY, X)
    result = jn.fit(
        NET,
        jn.losses.bce,
        optimizer,
        TRAIN,
        key=KEY,
        steps=10,
        params=start,
        freeze=lambda path: path.startswith("0/"),
    )
    np.testing.assert_array_equal(result.params["0"]["w"], start["0"]["w"])
    np.testing.assert_array_equal(result.params["0"]["b"], start["0"]["b"])
    assert (result.params["3"]["w"] != start["3"]["w"]).all()


@pytest.mark.slow
def test_clipping_bounds_the_step():
    start = NET.init(KEY, X)
    result = jn.fit(
        NET,
        jn.losses.bce,
        optax.sgd(1.0),
        TRAIN,
        key=KEY,
        steps=1,
        params=start,
        clip_norm=1e-3,
        record_gradient_norm=True,
    )
    moved = optax.tree.norm(jax.tree.map(jnp.subtract, result.params, start))
    assert result.history["gradient_norm"][0] > 1e-3
    np.testing.assert_allclose(moved, 1e-3, rtol=1e-3)


def test_accumulated_gradients_of_two_halves_are_the_step_of_the_whole():
    linear = jn.dense(1)
    start = linear.init(KEY, X)
    options = {"key": KEY, "params": start}
    halves = jn.fit(
        linear,
        jn.losses.mse,
        optax.sgd(0.1),
        TRAIN,
        epochs=1,
        batch_size=15,
        accumulate=2,
        **options,
    )
    whole = jn.fit(linear, jn.losses.mse, optax.sgd(0.1), TRAIN, steps=1, **options)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), halves.params, whole.params
    )


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: jn.Stop(),
            "Stop: patience must be given, or target, or seconds; got none. Pass patience=5.",
        ),
        (
            lambda: jn.Stop(patience=0),
            "Stop: patience must be a whole number of at least 1; got 0. Pass patience=10, for "
            "example.",
        ),
        (
            lambda: jn.Stop(mode="least", patience=1),
            "Stop: mode must be one of 'min', 'max'; got 'least'. Pass mode='min'.",
        ),
        (
            lambda: run(steps=1, stop=jn.Stop(metric="f1", patience=1)),
            "fit: stop.metric must be one of 'loss'; got 'f1'. Pass stop.metric='loss'.",
        ),
        (
            lambda: run(steps=1, on_divergence="ignore"),
            "fit: on_divergence must be one of 'raise', 'return'; got 'ignore'. "
            "Pass on_divergence='raise'.",
        ),
        (
            lambda: run(steps=1, clip_norm=0.0),
            "fit: clip_norm must be a positive finite number; got 0.0. Pass clip_norm=1.0, for "
            "example.",
        ),
        (
            lambda: run(steps=1, metrics={"loss": jn.metrics.accuracy}),
            "fit: metrics must have names other than step, epoch and loss; got ['loss']. "
            "Rename them.",
        ),
    ],
)
def test_misuse_is_explained(make, message):
    with pytest.raises((ValueError, TypeError)) as caught:
        make()
    assert str(caught.value) == message
