"""Sweeps against the single runs that they stand for."""

import jax
import jax.flatten_util
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxnets as jn

X, Y = jn.data.xor()
KEYS = jax.random.split(jax.random.key(0), 5)
NET = jn.mlp([3, 1], jn.tanh, output_activation=jn.sigmoid)
OWN = jn.Model(
    lambda key, x: {"w": jax.random.normal(key, (x.shape[-1], 1)), "c": jnp.zeros(())},
    lambda params, x, *, key=None: jn.sigmoid(jnp.sin(x @ params["w"]) + params["c"]),
)
TANH = jn.mlp([3, 1], jn.tanh)
LARGE = jn.mlp([64, 64, 1], jn.relu, output_activation=jn.sigmoid)


def assert_like_single_run(result, member, key, model, optimizer, **options):
    single = jn.fit(model, jn.losses.bce, optimizer, (X, Y), key=key, **options)
    np.testing.assert_allclose(
        result.history["loss"][member], single.history["loss"], rtol=1e-5, atol=1e-6
    )
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5),
        result.member(member),
        single.params,
    )


@pytest.mark.parametrize(
    "model",
    [
        pytest.param(NET, id="mlp"),
        pytest.param(OWN, id="own", marks=pytest.mark.slow),
        pytest.param(LARGE, id="large"),
    ],
)
def test_members_are_single_runs(model):
    options = {"steps": 60, "record_every": 7}
    result = jn.sweep((model, jn.losses.bce, optax.sgd(0.5)), (X, Y), keys=KEYS, **options)
    np.testing.assert_array_equal(result.history["step"], np.arange(0, 60, 7))
    for i in (0, 4):
        assert_like_single_run(result, i, KEYS[i], model, optax.sgd(0.5), **options)


def test_hyperparameters_are_combined_with_every_key():
    rates = [0.003, 0.03]
    result = jn.sweep(
        lambda learning_rate: (NET, jn.losses.bce, optax.adam(learning_rate)),
        (X, Y),
        keys=KEYS,
        hyperparameters={"learning_rate": rates},
        steps=40,
        batch_members=3,
    )
    assert result.labels["seed"].tolist() == [i for i in range(5) for _ in rates]
    np.testing.assert_allclose(result.labels["learning_rate"], rates * 5)
    for i in (1, 6, 9):
        rate = rates[i % 2]
        assert_like_single_run(result, i, KEYS[i // 2], NET, optax.adam(rate), steps=40)
    table = result.table()
    assert len(table) == 10
    assert result.best() == min(range(10), key=lambda i: table[i]["loss"])


@pytest.mark.parametrize("model", [NET, pytest.param(LARGE, marks=pytest.mark.slow)])
def test_epochs_and_gradient_norms_are_recorded_as_in_single_runs(model):
    options = {"epochs": 6, "batch_size": 2, "record_every": 2, "record_gradient_norm": True}
    result = jn.sweep(
        (model, jn.losses.bce, optax.sgd(0.5)), (X, Y), keys=KEYS[:2], batch_members=1, **options
    )
    for i, key in enumerate(KEYS[:2]):
        single = jn.fit(model, jn.losses.bce, optax.sgd(0.5), (X, Y), key=key, **options)
        assert result.history.keys() == single.history.keys()
        for name in ("step", "epoch"):
            np.testing.assert_array_equal(result.history[name], single.history[name])
        norms = single.history["gradient_norm"]
        np.testing.assert_allclose(result.history["gradient_norm"][i], norms, rtol=1e-4)


def test_given_parameters_are_where_members_start():
    params = jax.vmap(lambda key: NET.init(key, X))(KEYS)
    result = jn.sweep(
        (NET, jn.losses.bce, optax.sgd(0.5)), (X, Y), keys=KEYS, steps=1, params=params
    )
    for i in range(len(KEYS)):
        start = jax.tree.map(lambda leaf, i=i: leaf[i], params)
        loss = jn.losses.bce(NET.apply(start, X), Y)
        np.testing.assert_allclose(result.history["loss"][i, 0], loss, rtol=1e-6)


def test_a_member_that_diverges_is_frozen_and_hurts_no_other():
    linear = jn.dense(1)
    options = {"keys": KEYS[:3], "steps": 100, "record_every": 10}
    rates = {"learning_rate": [0.1, 100.0]}
    mixed = jn.sweep(
        lambda learning_rate: (linear, jn.losses.mse, optax.sgd(learning_rate)),
        (X, Y),
        hyperparameters=rates,
        **options,
    )
    assert (mixed.diverged_at[1::2] >= 0).all()
    assert (mixed.diverged_at[0::2] == -1).all()
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(mixed.params))
    alone = jn.sweep((linear, jn.losses.mse, optax.sgd(0.1)), (X, Y), **options)
    np.testing.assert_allclose(mixed.history["loss"][0::2], alone.history["loss"], rtol=1e-5)
    assert mixed.best() % 2 == 0
    with pytest.raises(jn.TrainingDiverged) as single:
        jn.fit(linear, jn.losses.mse, optax.sgd(100.0), (X, Y), key=KEYS[0], steps=100)
    assert single.value.step == mixed.diverged_at[1]


def test_new_values_of_a_hyperparameter_compile_nothing():
    traced = []

    def trial(learning_rate):
        traced.append(learning_rate)
        return NET, jn.losses.bce, optax.sgd(learning_rate)

    counts = []
    for rates in ([0.1, 0.2], [0.3, 0.4]):
        jn.sweep(trial, (X, Y), keys=KEYS, hyperparameters={"learning_rate": rates}, steps=5)
        counts.append(sum(isinstance(rate, jax.core.Tracer) for rate in traced))
    assert counts[0] == counts[1] > 0


def wave(predictions, targets):
    return jnp.sin(40 * predictions[0, 0])


STOPS = {
    "patience": (jn.Stop(patience=3), 0.9),
    "target": (jn.Stop(target=0.7), 0.5),
    # Goes up and down, so that a member that has stopped would come to better values later.
    "wave": (jn.Stop(metric="wave", mode="min", patience=1), 0.9),
    "metric": (jn.Stop(metric="accuracy", mode="max", target=0.75), 0.5),
}


@pytest.mark.parametrize(
    ("name", "batch_members"),
    [
        pytest.param("wave", None, marks=pytest.mark.slow),
        ("target", 3),
        pytest.param("patience", None, marks=pytest.mark.slow),
        pytest.param("patience", 3, marks=pytest.mark.slow),
        pytest.param("target", None, marks=pytest.mark.slow),
        pytest.param("metric", None, marks=pytest.mark.slow),
    ],
)
def test_members_stop_where_their_single_runs_do(name, batch_members):
    stop, rate = STOPS[name]
    # Validated on the wrong answers to one question, so that patience runs out.
    validation = (X, jnp.abs(Y - jnp.array([[1.0], [0], [0], [0]])))
    options = {
        "steps": 400,
        "record_every": 3,
        "validate_every": 2,
        "validation": validation,
        "metrics": {"accuracy": jn.metrics.accuracy, "wave": wave},
        "stop": stop,
    }
    result = jn.sweep(
        (NET, jn.losses.bce, optax.sgd(rate)),
        (X, Y),
        keys=KEYS,
        batch_members=batch_members,
        **options,
    )
    stopped = 0
    for i, key in enumerate(KEYS):
        single = jn.fit(NET, jn.losses.bce, optax.sgd(rate), (X, Y), key=key, **options)
        early = single.status != "completed"
        stopped += early
        assert result.stopped_at[i] == (single.state.step if early else -1)
        for found, expected in (
            (result.history["loss"][i], single.history["loss"]),
            (result.validation["loss"][i], single.validation["loss"]),
            (result.validation["accuracy"][i], single.validation["accuracy"]),
        ):
            np.testing.assert_allclose(found[: len(expected)], expected, rtol=1e-5, atol=1e-6)
            assert np.isnan(found[len(expected) :]).all()
        np.testing.assert_allclose(result.last_losses()[i], single.history["loss"][-1], rtol=1e-5)
        jax.tree.map(
            lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5),
            result.member(i),
            single.params,
        )
        at_the_end = jn.losses.bce(NET.apply(single.params, X), validation[1])
        np.testing.assert_allclose(result.scores["loss"][i], at_the_end, rtol=1e-5)
    assert stopped


def test_a_sweep_ends_when_all_members_have_stopped():
    result = jn.sweep(
        (NET, jn.losses.bce, optax.sgd(0.1)),
        (X, Y),
        keys=KEYS,
        steps=10**8,
        record_every=10,
        validation=(X, Y),
        stop=jn.Stop(target=10.0),
    )
    assert result.stopped_at.tolist() == [10] * 5
    assert result.history["step"].tolist() == [0]


def test_a_budget_of_time_stops_all_members():
    result = jn.sweep(
        (NET, jn.losses.bce, optax.sgd(0.1)),
        (X, Y),
        keys=KEYS,
        steps=10**8,
        record_every=100,
        stop=jn.Stop(seconds=0.1),
    )
    assert len(set(result.stopped_at.tolist())) == 1
    assert result.stopped_at[0] > 0
    assert np.isfinite(result.history["loss"]).all()


def test_a_member_that_diverges_before_it_stops_counts_as_diverged():
    result = jn.sweep(
        lambda learning_rate: (jn.dense(1), jn.losses.mse, optax.sgd(learning_rate)),
        (X, Y),
        keys=KEYS[:1],
        hyperparameters={"learning_rate": [0.1, 100.0]},
        steps=500,
        validation=(X, Y),
        stop=jn.Stop(patience=200),
    )
    assert result.diverged_at[0] == -1
    assert result.diverged_at[1] >= 0
    assert result.stopped_at[1] == -1


def test_a_bar_shows_how_far_it_is(capsys):
    jn.sweep((NET, jn.losses.bce, optax.sgd(0.1)), (X, Y), keys=KEYS, steps=50, progress=True)
    assert "50/50" in capsys.readouterr().err


@pytest.mark.slow
def test_hyperparameters_are_as_wide_as_the_parameters_given(x64):
    x, y = X.astype(jnp.float32), Y.astype(jnp.float32)
    params = jax.tree.map(lambda leaf: leaf.astype(jnp.float64), NET.init(KEYS[0], x))
    options = {"steps": 400, "record_every": 400}
    single = jn.fit(
        NET, jn.losses.bce, optax.adam(0.1), (x, y), key=KEYS[0], params=params, **options
    )
    result = jn.sweep(
        lambda learning_rate: (NET, jn.losses.bce, optax.adam(learning_rate)),
        (x, y),
        keys=KEYS[:1],
        hyperparameters={"learning_rate": [0.1]},
        params=jax.tree.map(lambda leaf: leaf[None], params),
        **options,
    )
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-12), result.member(0), single.params
    )


def test_a_member_that_diverged_ends_where_its_single_run_does():
    options = {"steps": 40, "record_every": 3, "validation": (X, Y), "validate_every": 2}
    result = jn.sweep(
        lambda learning_rate: (jn.dense(1), jn.losses.mse, optax.sgd(learning_rate)),
        (X, Y),
        keys=KEYS[:1],
        hyperparameters={"learning_rate": [0.1, 1e4]},
        **options,
    )
    single = jn.fit(
        jn.dense(1),
        jn.losses.mse,
        optax.sgd(1e4),
        (X, Y),
        key=KEYS[0],
        on_divergence="return",
        **options,
    )
    for found, expected in (
        (result.history, single.history),
        (result.validation, single.validation),
    ):
        kept = len(expected["loss"])
        np.testing.assert_allclose(found["loss"][1, :kept], expected["loss"], rtol=1e-5)
        assert np.isnan(found["loss"][1, kept:]).all()
        assert np.isfinite(found["loss"][0]).all()
    assert result.table()[1]["loss"] == pytest.approx(float(single.history["loss"][-1]))


def test_a_model_without_parameters_can_be_stopped():
    result = jn.sweep(
        (jn.sequential(jn.sigmoid), jn.losses.mse, optax.sgd(0.1)),
        (Y, Y),
        keys=KEYS[:3],
        steps=10,
        validation=(Y, Y),
        stop=jn.Stop(patience=2),
    )
    assert result.stopped_at.tolist() == [3, 3, 3]


def test_the_bar_shows_the_median_of_the_members_that_are_finite(capsys):
    jn.sweep(
        (jn.dense(1), lambda p, y: jnp.where(p.sum() > 0, jnp.nan, 0.25), optax.sgd(0.1)),
        (X, Y),
        keys=jax.random.split(jax.random.key(0), 20),
        steps=50,
        progress=True,
    )
    assert "loss=0.25" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize(
    "wide",
    [
        pytest.param(False, id="bfloat16", marks=pytest.mark.slow),
        pytest.param(True, id="float32 beside float64"),
    ],
)
def test_hyperparameters_take_the_dtype_of_the_parameters(wide):
    with jax.enable_x64(wide):
        dtype = jnp.float32 if wide else jnp.bfloat16
        data = (X.astype(dtype), Y.astype(dtype))
        swept = jn.sweep(
            lambda learning_rate, momentum: (
                TANH,
                jn.losses.mse,
                optax.sgd(learning_rate, momentum),
            ),
            data,
            keys=KEYS[:3],
            hyperparameters={"learning_rate": [0.125], "momentum": [0.5]},
            steps=5,
        )
        assert {leaf.dtype for leaf in jax.tree.leaves(swept.params)} == {jnp.dtype(dtype)}
        single = jn.fit(
            TANH, jn.losses.mse, optax.sgd(0.125, momentum=0.5), data, key=KEYS[1], steps=5
        )
        tolerance = 1e-5 if wide else 4e-2
        np.testing.assert_allclose(swept.history["loss"][1], single.history["loss"], rtol=tolerance)


def with_ops(params, x):
    """Operations that ``jax.vmap`` has rules for and small dense networks do not use."""
    h = x @ params["w"]
    h = jnp.sort(h, axis=-1)
    h = jnp.convolve(h.reshape(-1), params["kernel"], mode="same").reshape(h.shape)
    h, _ = jax.lax.scan(lambda c, _: (jnp.tanh(c + params["b"][None]), None), h, length=3)
    h = jax.lax.cond(params["b"][0] > 0, lambda h: h * 1.5, lambda h: h * 0.5, h)
    h = jax.lax.while_loop(lambda c: c[0] < 2, lambda c: (c[0] + 1, c[1] * 0.9), (0, h))[1]
    return h.cumsum(axis=-1)[:, -1:]


ODD = jn.Model(
    lambda key, x: {
        "w": jax.random.normal(key, (x.shape[-1], 3)),
        "kernel": jnp.array([0.25, 0.5, 0.25]),
        "b": jnp.array([0.1, -0.1, 0.2]),
    },
    lambda params, x, *, key=None: with_ops(params, x),
)
DROPPED = jn.sequential(jn.dense(8), jn.tanh, jn.dropout(0.5), jn.layer_norm(), jn.dense(1))
WORDS = jn.sequential(jn.embedding(5, 3), jn.dense(1))


def odd_value_and_grad(params, batch, *, key):
    """Forward differences of the derivative: a while loop cannot be differentiated backwards."""
    x, y = batch
    flat, unflatten = jax.flatten_util.ravel_pytree(params)

    def loss(flat):
        return jn.losses.mse(ODD.apply(unflatten(flat), x), y)

    return loss(flat), unflatten(jax.jacfwd(loss)(flat))


def odd_loss(params, batch, *, key):
    return jn.losses.mse(ODD.apply(params, batch[0]), batch[1])


ODD_GOAL = jn.objective(odd_loss, value_and_grad=odd_value_and_grad)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["dropped", "odd", "words"])
def test_any_model_sweeps_as_it_fits(name):
    model, data, loss = {
        "odd": (ODD, (X, Y), ODD_GOAL),
        "dropped": (DROPPED, (X, Y), jn.losses.mse),
        "words": (WORDS, (jnp.array([0, 3, 4, 1]), Y), jn.losses.mse),
    }[name]
    trial, keys = (model, loss, optax.sgd(0.05)), KEYS[:3]
    swept = jn.sweep(trial, data, keys=keys, steps=20)
    for i, key in enumerate(keys):
        single = jn.fit(*trial, data, key=key, steps=20)
        np.testing.assert_allclose(
            swept.history["loss"][i], single.history["loss"], rtol=1e-5, atol=1e-6
        )
