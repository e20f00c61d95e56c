"""Optimizers that ask for more than a gradient, skip steps, or hide the parameters that count."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxnets as jn

KEY = jax.random.key(2)
KEYS = jax.random.split(KEY, 2)
LINE = jn.dense(1)
X = np.float32([[0.0], [1.0], [2.0]])
Y = np.float32([[1.0], [3.0], [5.0]])

ASKING = {
    "lbfgs": optax.lbfgs(),
    "polyak_sgd": optax.polyak_sgd(max_learning_rate=0.1),
    "momo": optax.contrib.momo(0.1),
    "reduce_on_plateau": optax.chain(
        optax.sgd(0.1), optax.contrib.reduce_on_plateau(factor=0.5, patience=2)
    ),
    "apply_if_finite": optax.apply_if_finite(optax.sgd(0.1), max_consecutive_errors=3),
    "schedule_free": optax.contrib.schedule_free_sgd(0.1, warmup_steps=2),
}


def evaluated(state):
    """The parameters of a schedule-free optimizer that evaluation is meant for."""
    return optax.contrib.schedule_free_eval_params(state.opt_state, state.params)


@pytest.mark.parametrize("name", ASKING)
def test_they_run_in_a_step_of_one_s_own_in_fit_and_in_a_sweep(name):
    trial = (LINE, jn.losses.mse, ASKING[name])
    step = jax.jit(jn.make_step(*trial))
    state, losses = jn.init_state(LINE, ASKING[name], KEYS[0], X), []
    for _ in range(15):
        state, metrics = step(state, (X, Y))
        losses.append(float(metrics["loss"]))
    single = jn.fit(*trial, (X, Y), key=KEYS[0], steps=15)
    np.testing.assert_allclose(single.history["loss"], losses, rtol=1e-4, atol=1e-6)
    assert losses[-1] < 0.5 * losses[0]
    swept = jn.sweep(trial, (X, Y), keys=KEYS, steps=15)
    np.testing.assert_allclose(swept.history["loss"][0], losses, rtol=1e-4, atol=1e-6)
    assert swept.status.tolist() == ["completed"] * 2


def test_a_line_search_sees_the_batch_and_the_key_of_its_step():
    """One step of L-BFGS without a search is a Newton step only if value_fn is the loss of it."""
    seen = []

    def update(gradient, state, params, *, value, grad, value_fn, **_):
        again = value_fn(params)
        seen.append(again.shape)
        return jax.tree.map(lambda g: -0.1 * g, gradient), jnp.stack([value, again])

    noting = optax.GradientTransformationExtraArgs(lambda params: jnp.zeros(2), update)
    net = jn.sequential(jn.dense(4), jn.dropout(0.5), jn.dense(1))
    result = jn.fit(net, jn.losses.mse, noting, (X, Y), key=KEY, steps=5, batch_size=2)
    value, again = result.opt_state.tolist()
    assert seen
    assert value == pytest.approx(result.history["loss"][-1])
    assert again == pytest.approx(value, rel=1e-6)


def test_lbfgs_solves_a_least_squares_problem_in_a_few_steps():
    result = jn.fit(LINE, jn.losses.mse, optax.lbfgs(), (X, Y), key=KEY, steps=20)
    np.testing.assert_allclose(result.params["w"], [[2.0]], atol=1e-4)
    np.testing.assert_allclose(result.params["b"], [1.0], atol=1e-4)


def test_a_plateau_of_the_loss_lowers_the_rate():
    plateau = optax.contrib.reduce_on_plateau(factor=0.5, patience=2, rtol=0.5)
    optimizer = optax.chain(optax.sgd(1e-6), plateau)
    result = jn.fit(LINE, jn.losses.mse, optimizer, (X, Y), key=KEY, steps=12)
    assert float(result.opt_state[-1].scale) < 0.5


@pytest.mark.parametrize("many", [False, True], ids=["fit", "sweep"])
def test_hidden_parameters_are_what_evaluation_and_the_result_use(many):
    optimizer = ASKING["schedule_free"]
    trial, options = (LINE, jn.losses.mse, optimizer), {"steps": 10, "validation": (X, Y)}
    if many:
        swept = jn.sweep(
            trial, (X, Y), keys=KEYS, eval_params=evaluated, validate_every=1, **options
        )
        params, state = swept.member(1), jax.tree.map(lambda leaf: leaf[1], swept.state[:2])
        state = jn.TrainState(*state, None, None)
        loss, last = swept.scores["loss"][1], swept.validation["loss"][1, -1]
    else:
        single = jn.fit(*trial, (X, Y), key=KEY, eval_params=evaluated, **options)
        params, state = single.params, single.state
        loss, last = single.scores["loss"], single.validation["loss"][-1]
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5), params, evaluated(state))
    assert not np.allclose(params["w"], state.params["w"], rtol=1e-5)
    expected = jn.losses.mse(LINE.apply(params, X), Y)
    np.testing.assert_allclose(loss, expected, rtol=1e-4, atol=1e-7)
    np.testing.assert_allclose(last, expected, rtol=1e-4, atol=1e-7)


def test_patience_keeps_the_best_of_the_hidden_parameters():
    stop = jn.Stop(patience=3)
    result = jn.fit(
        LINE,
        jn.losses.mse,
        ASKING["schedule_free"],
        (X, Y),
        key=KEY,
        steps=200,
        validation=(X[:1], Y[:1] - 1),
        eval_params=evaluated,
        stop=stop,
    )
    assert result.status == "patience"
    best = result.validation["loss"].min()
    np.testing.assert_allclose(result.scores["loss"], best, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(
    "optimizer", [optax.adam(0.1), optax.adamw(0.1), optax.rmsprop(0.1), optax.lion(0.1)]
)
def test_optimizers_that_take_more_but_need_none_are_accepted(optimizer):
    result = jn.fit(LINE, jn.losses.mse, optimizer, (X, Y), key=KEY, steps=2)
    assert jnp.isfinite(result.params["w"]).all()


@pytest.mark.slow
def test_adam_and_then_lbfgs_solve_a_boundary_value_problem():
    """u'' = -pi^2 sin(pi x) with u(0) = u(1) = 0, whose solution is sin(pi x)."""
    net, points = jn.mlp([16, 16, 1], jn.tanh), jnp.linspace(0, 1, 64)[:, None]

    def solution(params, x):
        return x * (1 - x) * net.apply(params, x.reshape(1, 1))[0, 0]

    @jn.objective
    def residual(params, batch, *, key):
        x = batch[:, 0]
        curvature = jax.vmap(jax.grad(jax.grad(solution, 1), 1), (None, 0))(params, x)
        return jnp.square(curvature + jnp.pi**2 * jnp.sin(jnp.pi * x)).mean()

    near = jn.fit(net, residual, optax.adam(1e-2), points, key=KEY, steps=1000)
    there = jn.fit(net, residual, optax.lbfgs(), points, key=KEY, steps=500, params=near.params)
    found = jax.vmap(solution, (None, 0))(there.params, points[:, 0])
    exact = np.sin(np.pi * points[:, 0])
    assert np.linalg.norm(found - exact) <= 1e-4 * np.linalg.norm(exact)
    assert there.history["loss"][-1] < 0.1 * near.history["loss"][-1]
