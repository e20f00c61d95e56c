"""Objectives: any data, scalars of their own, a gradient of their own."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxnets as jn

KEY = jax.random.key(11)
KEYS = jax.random.split(KEY, 2)
LINE = jn.dense(1)
LINE_X = np.float32([[0.0], [1.0], [2.0]])
LINE_Y = np.float32([[1.0], [3.0], [5.0]])
START = {"w": jnp.ones((1, 1)), "b": jnp.zeros(1)}


def fit_line(loss, optimizer=None, *, data=(LINE_X, LINE_Y), steps=5, **options):
    optimizer = optax.sgd(0.1) if optimizer is None else optimizer
    return jn.fit(LINE, loss, optimizer, data, key=KEY, steps=steps, **options)


@jn.objective
def decayed(params, batch, *, key):
    x, y = batch
    error = jn.losses.mse(LINE.apply(params, x, key=key), y)
    decay = jnp.square(params["w"]).sum()
    return error + 0.5 * decay, {"error": error, "decay": decay}


@jn.objective
def plain(params, batch, *, key):
    x, y = batch
    return jn.losses.mse(LINE.apply(params, x, key=key), y)


def assert_bitwise_equal(ours, theirs):
    jax.tree.map(np.testing.assert_array_equal, ours, theirs)


def test_the_objective_of_a_loss_is_the_loss():
    ours = fit_line(plain, batch_size=2, validation=(LINE_X, LINE_Y))
    theirs = fit_line(jn.losses.mse, batch_size=2, validation=(LINE_X, LINE_Y))
    assert list(ours.history) == list(theirs.history)
    np.testing.assert_array_equal(ours.history["loss"], theirs.history["loss"])
    np.testing.assert_array_equal(ours.validation["loss"], theirs.validation["loss"])
    assert_bitwise_equal(ours.params, theirs.params)


def test_its_scalars_are_recorded_and_validated():
    held_out = (LINE_X + 1, LINE_Y)
    result = fit_line(decayed, params=START, validation=held_out, record_every=2)
    assert list(result.history) == ["step", "epoch", "loss", "decay", "error"]
    assert list(result.validation) == ["step", "epoch", "loss", "decay", "error"]
    assert list(result.scores) == ["loss", "decay", "error"]
    assert result.history["error"][0] == pytest.approx(((LINE_X - LINE_Y) ** 2).mean())
    assert result.history["decay"][0] == 1.0
    for columns in (result.history, result.validation, result.scores):
        whole = columns["error"] + 0.5 * columns["decay"]
        np.testing.assert_allclose(columns["loss"], whole, rtol=1e-6)
    error = jn.losses.mse(LINE.apply(result.params, held_out[0]), LINE_Y)
    np.testing.assert_allclose(result.scores["error"], error, rtol=1e-6)


def test_its_scalars_are_columns_of_a_sweep_too():
    options = {"steps": 4, "validation": (LINE_X, LINE_Y), "validate_every": 2}
    trial = (LINE, decayed, optax.sgd(0.1))
    swept = jn.sweep(trial, (LINE_X, LINE_Y), keys=KEYS, **options)
    for number, key in enumerate(KEYS):
        single = jn.fit(*trial, (LINE_X, LINE_Y), key=key, **options)
        for name in ("loss", "error", "decay"):
            for found, expected in (
                (swept.history, single.history),
                (swept.validation, single.validation),
                (swept.scores, single.scores),
            ):
                np.testing.assert_allclose(found[name][number], expected[name], rtol=1e-5)
    assert "validation_decay" in swept.table()[0]


def test_a_run_can_end_by_a_scalar():
    stop = jn.Stop(metric="decay", mode="min", target=0.5)
    result = fit_line(decayed, steps=1000, params=START, validation=(LINE_X, LINE_Y), stop=stop)
    assert result.status in ("target", "completed")
    reached = result.validation["decay"] <= 0.5
    assert reached[-1] == (result.status == "target")
    assert not reached[:-1].any()


def test_metrics_stand_beside_the_scalars():
    result = fit_line(
        decayed, validation=(LINE_X, LINE_Y), metrics={"worst": lambda p, y: jnp.abs(p - y).max()}
    )
    assert list(result.validation) == ["step", "epoch", "loss", "decay", "error", "worst"]
    predictions = LINE.apply(result.params, LINE_X)
    worst = np.abs(predictions - LINE_Y).max()
    np.testing.assert_allclose(result.scores["worst"], worst, rtol=1e-6)


def test_it_gets_a_key_in_training_and_none_in_evaluation():
    def noisy(params, batch, *, key):
        return jnp.square(params["b"]).sum() + (0.0 if key is None else jax.random.uniform(key))

    still = optax.sgd(0.0)
    zero = {"w": jnp.zeros((1, 1)), "b": jnp.zeros(1)}
    data = (LINE_X, LINE_Y)
    result = fit_line(jn.objective(noisy), still, params=zero, validation=data, steps=4)
    run_key = jax.random.split(KEY)[1]
    drawn = [float(jax.random.uniform(jax.random.fold_in(run_key, step))) for step in range(4)]
    np.testing.assert_allclose(result.history["loss"], drawn, rtol=1e-6)
    np.testing.assert_array_equal(result.validation["loss"], np.zeros(4))


def test_data_without_targets_are_one_array():
    @jn.objective
    def reconstruction(params, batch, *, key):
        return jnp.square(LINE.apply(params, batch) - batch).mean()

    result = fit_line(reconstruction, data=LINE_X, steps=300, batch_size=2)
    assert result.history["epoch"][-1] == 149
    np.testing.assert_allclose(result.params["w"], [[1.0]], atol=1e-2)
    np.testing.assert_allclose(result.params["b"], [0.0], atol=1e-2)


def test_data_may_be_any_pytree():
    data = {"points": LINE_X, "values": {"of": LINE_Y[:, 0]}, "weights": np.ones(3, np.float32)}

    @jn.objective
    def weighted(params, batch, *, key):
        errors = LINE.apply(params, batch["points"])[:, 0] - batch["values"]["of"]
        return (batch["weights"] * errors**2).mean()

    options = {"params": START, "batch_size": 2, "steps": 7}
    result = fit_line(weighted, data=data, validation=data, **options)
    expected = fit_line(plain, validation=(LINE_X, LINE_Y), **options)
    np.testing.assert_allclose(result.history["loss"], expected.history["loss"], rtol=1e-6)
    np.testing.assert_allclose(result.scores["loss"], expected.scores["loss"], rtol=1e-6)
    trial = (LINE, weighted, optax.sgd(0.1))
    stacked = jax.tree.map(lambda leaf: jnp.stack([leaf, leaf]), START)
    options = {"batch_size": 2, "steps": 7, "params": stacked}
    swept = jn.sweep(trial, data, keys=jnp.stack([KEY, KEYS[0]]), **options)
    np.testing.assert_allclose(swept.history["loss"][0], expected.history["loss"], rtol=1e-5)


@jn.objective
def drawn(params, batch, *, key):
    """Fits y = 2 x + 1 on examples of its own."""
    assert batch is None
    x = jnp.ones((4, 1)) if key is None else jax.random.normal(key, (4, 1))
    return jnp.square(LINE.apply(params, x) - (2 * x + 1)).mean()


def test_an_objective_that_draws_what_it_needs_takes_no_data():
    result = fit_line(drawn, data=None, params=START, steps=300, record_every=100)
    np.testing.assert_allclose(result.params["w"], [[2.0]], atol=1e-2)
    np.testing.assert_allclose(result.params["b"], [1.0], atol=1e-2)
    assert result.history["epoch"].tolist() == [0, 100, 200]
    assert len(np.unique(fit_line(drawn, data=None, params=START).history["loss"])) == 5


def test_many_may_draw_what_they_need():
    trial, keys = (LINE, drawn, optax.sgd(0.1)), KEYS
    stacked = jax.tree.map(lambda leaf: jnp.stack([leaf, leaf]), START)
    swept = jn.sweep(trial, None, keys=keys, params=stacked, steps=20)
    for number, key in enumerate(keys):
        single = jn.fit(*trial, None, key=key, params=START, steps=20)
        np.testing.assert_allclose(
            swept.history["loss"][number], single.history["loss"], rtol=1e-4, atol=1e-6
        )


def test_its_step_is_the_step_of_fit():
    step = jax.jit(jn.make_step(LINE, decayed, optax.sgd(0.1)))
    state = jn.init_state(LINE, optax.sgd(0.1), KEY, LINE_X, params=START)
    losses = []
    for _ in range(5):
        state, metrics = step(state, (LINE_X, LINE_Y))
        assert metrics.keys() == {"loss", "error", "decay", "gradient_norm"}
        losses.append(float(metrics["loss"]))
    result = fit_line(decayed, params=START)
    np.testing.assert_allclose(result.history["loss"], losses, rtol=1e-6)


def test_called_on_its_own_it_gives_value_and_scalars():
    value, scalars = decayed(START, (LINE_X, LINE_Y))
    assert float(value) == pytest.approx(float(scalars["error"]) + 0.5)
    value, scalars = plain(START, (LINE_X, LINE_Y))
    assert scalars == {}
    (value, scalars), gradient = decayed.value_and_grad(START, (LINE_X, LINE_Y))
    assert scalars.keys() == {"error", "decay"}
    expected = 2 * (LINE_X * (LINE_X - LINE_Y)).mean() + 1
    np.testing.assert_allclose(gradient["w"], [[expected]], rtol=1e-6)


def by_hand(params, batch, *, key):
    """Mean squared error of y = x w + b: dL/dw = 2 x^T e / n, dL/db = 2 sum(e) / n."""
    x, y = batch
    error = x @ params["w"] + params["b"][None] - y
    gradient = {"w": 2 * x.T @ error / len(x), "b": 2 * error.sum(0) / len(x)}
    return (error**2).mean(), gradient


def test_a_gradient_derived_by_hand_gives_the_same_run():
    by_autodiff = fit_line(jn.losses.mse, steps=50)
    result = fit_line(jn.objective(plain.function, value_and_grad=by_hand), steps=50)
    np.testing.assert_allclose(
        result.history["loss"], by_autodiff.history["loss"], rtol=1e-5, atol=1e-7
    )
    for name in "wb":
        np.testing.assert_allclose(result.params[name], by_autodiff.params[name], rtol=1e-5)


def test_a_gradient_of_one_s_own_is_used():
    def uphill(params, batch, *, key):
        return jnp.zeros(()), jax.tree.map(jnp.ones_like, params)

    start = {"w": jnp.zeros((1, 1)), "b": jnp.zeros(1)}
    goal = jn.objective(plain.function, value_and_grad=uphill)
    result = fit_line(goal, optax.sgd(0.5), steps=3, params=start, validation=(LINE_X, LINE_Y))
    assert result.history["loss"].tolist() == [0, 0, 0]
    assert float(result.params["w"].item()) == -1.5
    # Evaluation uses the function.
    expected = jn.losses.mse(LINE.apply(result.params, LINE_X), LINE_Y)
    np.testing.assert_allclose(result.scores["loss"], expected, rtol=1e-6)


def test_a_gradient_of_one_s_own_gets_the_key_of_the_step():
    """Without it, dropout would be off in training."""
    net = jn.sequential(jn.dropout(0.5), jn.dense(1))

    def loss(params, batch, *, key):
        return jn.losses.mse(net.apply(params, batch[0], key=key), batch[1])

    def own(params, batch, *, key):
        assert key is not None
        return jax.value_and_grad(lambda params: loss(params, batch, key=key))(params)

    options = {"key": KEY, "steps": 6}
    goal, data = jn.objective(loss, value_and_grad=own), (LINE_X, LINE_Y)
    ours = jn.fit(net, goal, optax.sgd(0.1), data, **options)
    theirs = jn.fit(net, jn.losses.mse, optax.sgd(0.1), data, **options)
    np.testing.assert_allclose(ours.history["loss"], theirs.history["loss"], rtol=1e-6)


def test_a_gradient_of_one_s_own_may_come_with_scalars():
    def own(params, batch, *, key):
        return jax.value_and_grad(
            lambda params: decayed.function(params, batch, key=key), has_aux=True
        )(params)

    result = fit_line(jn.objective(decayed.function, value_and_grad=own), params=START)
    expected = fit_line(decayed, params=START)
    for name, column in expected.history.items():
        np.testing.assert_allclose(result.history[name], column, rtol=1e-6)


@pytest.mark.parametrize(
    ("misuse", "message"),
    [
        (
            lambda: fit_line(jn.objective(lambda params, batch, *, key: (params["b"][0], {}, 1))),
            r"fit: loss must return a floating scalar, or one and a dict of scalars; got \(",
        ),
        (
            lambda: jn.objective(lambda params, batch: params["b"][0]),
            r"objective: function must take \(params, batch, \*, key\); got ",
        ),
        (
            lambda: fit_line(
                decayed, validation=(LINE_X, LINE_Y), metrics={"decay": jn.metrics.mae}
            ),
            r"fit: metrics must have names other than the objective's scalars; got \['decay'\]",
        ),
        (
            lambda: fit_line(
                decayed, validation=(LINE_X, LINE_Y), stop=jn.Stop("energy", patience=1)
            ),
            r"fit: stop\.metric must be one of 'loss', 'decay', 'error'; got 'energy'",
        ),
        (
            lambda: fit_line(plain, eval_params=lambda state: state),
            r"fit: eval_params must have .* at 'b', as model.init gives; got nothing",
        ),
    ],
    ids=["three results", "no key", "one name twice", "a stop by another scalar", "no parameters"],
)
def test_what_an_objective_cannot_be_is_named(misuse, message):
    with pytest.raises((TypeError, ValueError), match=message):
        misuse()
