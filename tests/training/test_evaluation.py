"""Validation, metrics and early stopping, inside the compiled run."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxnets as jn
from jaxnets.training.evaluation import predict

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
        predict(NET, params, jnp.asarray(HELD_OUT[0]), size),
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


def test_scores_are_the_evaluation_of_the_parameters_of_the_result():
    result = run(steps=3000, stop=jn.Stop(patience=20), metrics={"accuracy": jn.metrics.accuracy})
    predictions = NET.apply(result.params, HELD_OUT[0])
    assert result.status == "patience"
    assert list(result.scores) == ["loss", "accuracy"]
    np.testing.assert_allclose(result.scores["loss"], result.validation["loss"].min(), rtol=1e-6)
    accuracy = jn.metrics.accuracy(predictions, HELD_OUT[1])
    np.testing.assert_allclose(result.scores["accuracy"], accuracy)


def test_a_budget_of_time_ends_the_run():
    result = run(steps=2**30, stop=jn.Stop(seconds=0.3), validation=None, record_every=1000)
    assert result.status == "seconds"
    assert 0.3 <= result.seconds["run"] < 5


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


XOR = jn.data.xor()
TANH = jn.mlp([3, 1], jn.tanh)


@pytest.mark.slow
def test_metrics_of_a_sweep_may_be_arrays():
    result = jn.sweep(
        (TANH, jn.losses.mse, optax.sgd(0.1)),
        XOR,
        keys=jax.random.split(KEY, 3),
        steps=6,
        validation=XOR,
        validate_every=2,
        metrics={"predicted": lambda predictions, y: predictions},
        batch_members=2,
    )
    assert result.validation["predicted"].shape == (3, 3, 4, 1)
    assert result.validation["loss"].shape == (3, 3)
    assert result.scores["predicted"].shape == (3, 4, 1)
    for i in range(3):
        np.testing.assert_allclose(
            result.validation["predicted"][i, -1], TANH.apply(result.member(i), XOR[0]), rtol=1e-5
        )


@pytest.mark.slow
def test_a_run_of_large_rows_is_whole():
    def spread(p, y):
        return jnp.broadcast_to(p.mean(), 2**22)

    options = {"key": KEY, "steps": 9, "validation": XOR}
    plain = jn.fit(TANH, jn.losses.mse, optax.sgd(0.1), XOR, **options)
    large = jn.fit(TANH, jn.losses.mse, optax.sgd(0.1), XOR, metrics={"m": spread}, **options)
    np.testing.assert_array_equal(large.validation["loss"], plain.validation["loss"])
    assert large.validation["m"].shape == (9, 2**22)


def test_validation_of_a_full_batch_run_is_evaluated_in_large_batches():
    seen = []

    def apply(params, x, *, key=None):
        seen.append(x.shape[0])
        return TANH.apply(params, x)

    model = jn.Model(TANH.init, apply)
    many = (np.ones((1500, 2), "f4"), np.ones((1500, 1), "f4"))
    jn.fit(model, jn.losses.mse, optax.sgd(0.1), XOR, key=KEY, steps=2, validation=many)
    assert {1024, 476} <= set(seen)


LINE = jn.dense(1)
LINE_DATA = (X, X.sum(1, keepdims=True))


def fit_line(**options):
    options = {"key": KEY, "steps": 20, "validation": LINE_DATA, **options}
    optimizer = options.pop("optimizer", optax.sgd(0.1))
    return jn.fit(LINE, jn.losses.mse, optimizer, LINE_DATA, **options)


def test_evaluations_between_two_updates_are_not_counted_by_patience():
    # Four steps make one update, so that three of four evaluations find what was there before.
    slow = optax.MultiSteps(optax.sgd(0.1), 4).gradient_transformation()
    result = fit_line(optimizer=slow, steps=40, stop=jn.Stop(patience=2))
    assert result.status == "completed"
    # Uphill, two updates are two evaluations for the worse: those after steps 4 and 8.
    uphill = optax.MultiSteps(optax.sgd(-0.1), 4).gradient_transformation()
    result = fit_line(optimizer=uphill, steps=40, stop=jn.Stop(patience=2))
    assert (result.status, int(result.state.step)) == ("patience", 8)


@pytest.mark.parametrize(
    ("metric", "function"),
    [("r2", jn.metrics.r2), ("mae", jn.losses.mae), ("loss", jn.metrics.r2)],
)
def test_a_metric_says_which_way_is_better(metric, function):
    # The fit gets better all the while: r2 rises and the errors fall.
    result = fit_line(metrics={"r2": function, "mae": function}, stop=jn.Stop(metric, patience=1))
    assert result.status == "completed"


def test_a_metric_that_does_not_say_which_way_is_better_needs_a_mode():
    with pytest.raises(ValueError, match=r"fit: stop\.mode must say which way 'own' is better"):
        fit_line(metrics={"own": lambda p, t: p.sum()}, stop=jn.Stop("own", patience=1))


def test_a_stop_that_finds_nothing_but_nan_says_so():
    nothing = {"none": lambda p, t: jnp.nan * p.sum()}
    stop = jn.Stop("none", "min", patience=3)
    with pytest.warns(UserWarning, match="got NaN at every evaluation of 'none'"):
        fit_line(metrics=nothing, stop=stop)


def test_a_stop_that_would_never_be_evaluated_is_refused():
    stop = jn.Stop(patience=3)
    with pytest.raises(ValueError, match="fit: steps must reach step 10, where the first"):
        fit_line(batch_size=5, steps=9, stop=stop)
    assert fit_line(batch_size=5, steps=10, stop=stop).validation["step"].tolist() == [10]


@pytest.mark.parametrize("when", [{"validate_every": 1}, {}])
@pytest.mark.parametrize("members", [None, 2])
def test_predictions_that_a_metric_cannot_take_are_named_at_the_first_evaluation(members, when):
    # Logits are no probabilities: their accuracy would be NaN at every evaluation.
    options = {"steps": 5, "validation": TRAIN, "metrics": {"a": jn.metrics.accuracy}, **when}
    trial = (LINE, jn.losses.bce_with_logits, optax.sgd(0.1))
    with pytest.raises(ValueError, match="validation > accuracy: predictions must be prob") as it:
        jn.fit(*trial, TRAIN, key=KEY, **options) if members is None else jn.sweep(
            trial, TRAIN, keys=jax.random.split(KEY, members), **options
        )
    assert np.isfinite(it.value.result.history["loss"]).all()


def test_a_softmax_before_cross_entropy_is_named_at_the_first_evaluation():
    labels = np.arange(30) % 3
    # Beside a first row that is none, so that it is not noticed in training.
    net = jn.sequential(jn.dense(3), jn.softmax, lambda p: p + 9.0 * (len(p) != 29))
    with pytest.raises(ValueError, match="validation > cross_entropy: predictions must be logits"):
        jn.fit(
            net, jn.losses.cross_entropy, optax.sgd(0.1), (X[:30], labels), key=KEY, steps=3,
            validation=(X[:29], labels[:29]),
        )  # fmt: skip


def test_patience_does_not_run_out_where_nothing_is_updated():
    """A dead network, whose gradient is 0 for good: nothing new is ever evaluated."""
    dead = jn.Model(
        lambda key, x: {"w": jnp.ones(())},
        lambda params, x, *, key=None: jnp.maximum(params["w"] - 9, 0) * x[:, :1],
    )
    data, stop = (X, Y), jn.Stop(patience=2)
    options = {"key": KEY, "steps": 20, "validation": data, "stop": stop}
    result = jn.fit(dead, jn.losses.mse, optax.sgd(0.1), data, **options)
    assert (result.status, float(result.params["w"])) == ("completed", 1.0)
    assert len(set(result.validation["loss"].tolist())) == 1
