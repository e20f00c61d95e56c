"""One step: the update that the formulas give, the key of each step, the loss before the update."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxnets as jn

KEY = jax.random.key(3)
X = np.float32([[0.0, 1.0], [2.0, -1.0], [0.5, 0.5]])
Y = np.float32([[1.0], [0.0], [2.0]])
NET = jn.dense(1)
PARAMS = {"w": np.float32([[0.5], [-0.25]]), "b": np.float32([0.1])}


def hand_derived(params, batch, *, key=None):
    """The mean squared error of y = x w + b and its gradient, by hand."""
    x, y = batch
    error = x @ params["w"] + params["b"][None] - y
    return (error**2).mean(), {"w": 2 * x.T @ error / len(x), "b": 2 * error.sum(0) / len(x)}


def started(optimizer, params=PARAMS, model=NET):
    params = None if params is None else jax.tree.map(jnp.asarray, params)
    return jn.init_state(model, optimizer, KEY, X, params=params)


def test_init_state_starts_at_step_0_with_the_model_and_optimizer_s_own_start():
    optimizer = optax.adam(0.1)
    state = started(optimizer, params=None)
    assert (int(state.step), state.step.dtype) == (0, jnp.int32)
    assert jax.tree.map(jnp.shape, state.params) == {"w": (2, 1), "b": (1,)}
    expected = optimizer.init(state.params)
    assert jax.tree.structure(state.opt_state) == jax.tree.structure(expected)


def test_init_state_draws_weights_and_run_from_different_keys():
    state = started(optax.sgd(0.1), params=None)
    init_key, run_key = jax.random.split(KEY)
    assert jnp.array_equal(state.params["w"], NET.init(init_key, X)["w"])
    assert jnp.array_equal(jax.random.key_data(state.key), jax.random.key_data(run_key))
    assert not jnp.array_equal(jax.random.key_data(state.key), jax.random.key_data(KEY))


def test_init_state_takes_params_as_they_are():
    state = started(optax.sgd(0.1))
    assert jax.tree.map(np.ndarray.tolist, jax.tree.map(np.asarray, state.params)) == {
        "w": [[0.5], [-0.25]],
        "b": [np.float32(0.1)],
    }


def test_a_step_of_gradient_descent_is_the_formula():
    loss, gradient = hand_derived(PARAMS, (X, Y))
    step = jn.make_step(NET, jn.losses.mse, optax.sgd(0.5))
    state, metrics = step(started(optax.sgd(0.5)), (X, Y))
    np.testing.assert_allclose(metrics["loss"], loss, rtol=1e-6)
    for name in PARAMS:
        np.testing.assert_allclose(
            state.params[name], PARAMS[name] - 0.5 * gradient[name], rtol=1e-5
        )
    assert int(state.step) == 1


def test_a_step_with_momentum_carries_the_velocity():
    optimizer = optax.sgd(0.1, momentum=0.9)
    step = jn.make_step(NET, jn.losses.mse, optimizer)
    state = started(optimizer)
    params, velocity = PARAMS, {"w": 0.0, "b": 0.0}
    for _ in range(3):
        state, _ = step(state, (X, Y))
        _, gradient = hand_derived(params, (X, Y))
        velocity = {name: 0.9 * velocity[name] + gradient[name] for name in params}
        params = {name: params[name] - 0.1 * velocity[name] for name in params}
    for name in params:
        np.testing.assert_allclose(state.params[name], params[name], rtol=1e-5)


def test_a_gradient_of_one_s_own_takes_the_place_of_autodiff():
    optimizer = optax.sgd(0.5)
    goal = jn.objective(
        lambda params, batch, *, key: hand_derived(params, batch)[0], value_and_grad=hand_derived
    )
    own = jn.make_step(NET, goal, optimizer)
    auto = jn.make_step(NET, jn.losses.mse, optimizer)
    (ours, our_metrics), (theirs, their_metrics) = (
        step(started(optimizer), (X, Y)) for step in (own, auto)
    )
    np.testing.assert_allclose(our_metrics["loss"], their_metrics["loss"], rtol=1e-6)
    for name in PARAMS:
        np.testing.assert_allclose(ours.params[name], theirs.params[name], rtol=1e-6)


def test_the_run_s_key_stays_and_each_step_draws_its_own():
    seen = []

    def apply(params, x, *, key=None):
        seen.append(jax.random.key_data(key).tolist())
        return NET.apply(params, x)

    model = jn.Model(NET.init, apply)
    step = jn.make_step(model, jn.losses.mse, optax.sgd(0.1))
    state = start = started(optax.sgd(0.1), model=model)
    for _ in range(3):
        state, _ = step(state, (X, Y))
    expected = [jax.random.key_data(jax.random.fold_in(start.key, k)).tolist() for k in range(3)]
    assert seen == expected
    assert jnp.array_equal(jax.random.key_data(state.key), jax.random.key_data(start.key))


def test_a_step_is_pure():
    step = jax.jit(jn.make_step(NET, jn.losses.mse, optax.adam(0.1)))
    state = started(optax.adam(0.1))
    once, again = step(state, (X, Y)), step(state, (X, Y))
    for ours, theirs in zip(jax.tree.leaves(once), jax.tree.leaves(again), strict=True):
        if not jnp.issubdtype(ours.dtype, jax.dtypes.prng_key):
            np.testing.assert_array_equal(ours, theirs)
    assert int(state.step) == 0


def test_inputs_and_targets_may_be_pytrees():
    net = jn.Model(
        lambda key, x: {"w": jnp.ones(())},
        lambda params, x, *, key=None: {"sum": params["w"] * (x["a"] + x["b"]), "a": x["a"]},
    )
    step = jn.make_step(net, lambda p, y: ((p["sum"] - y["sum"]) ** 2).mean(), optax.sgd(0.1))
    x, y = {"a": X[:, 0], "b": X[:, 1]}, {"sum": Y[:, 0]}
    state, metrics = step(jn.init_state(net, optax.sgd(0.1), KEY, x), (x, y))
    assert float(metrics["loss"]) == pytest.approx(((X.sum(1) - Y[:, 0]) ** 2).mean())
    gradient = (2 * (X.sum(1) - Y[:, 0]) * X.sum(1)).mean()
    assert float(state.params["w"]) == pytest.approx(1 - 0.1 * gradient)


def test_it_can_be_scanned_and_mapped_over_seeds():
    step = jn.make_step(NET, jn.losses.mse, optax.sgd(0.1))

    def final_loss(key):
        state = jn.init_state(NET, optax.sgd(0.1), key, X)
        return jax.lax.scan(lambda state, _: step(state, (X, Y)), state, length=5)[1]["loss"]

    losses = jax.vmap(final_loss)(jax.random.split(KEY, 3))
    assert losses.shape == (3, 5)
    assert (np.diff(losses, axis=1) < 0).all()
    np.testing.assert_allclose(losses[1], final_loss(jax.random.split(KEY, 3)[1]), rtol=1e-6)


NARROW = ("float16", "bfloat16")


@pytest.mark.parametrize("dtype", NARROW)
def test_a_clipped_gradient_whose_squares_overflow_is_not_zero(dtype):
    """The gradient is (600, 600, 1), of norm 848.5; of length 1 it is (0.7071, 0.7071, 0.0012)."""
    data = (np.full((4, 2), 600, dtype), np.full((4, 1), -3000, dtype))
    start = {"w": jnp.zeros((2, 1), dtype), "b": jnp.zeros(1, dtype)}
    clipped = optax.chain(optax.clip_by_global_norm(1.0), optax.sgd(0.01))
    options = {"key": KEY, "params": start, "steps": 3, "record_gradient_norm": True}
    found = jn.fit(NET, jn.losses.mae, clipped, data, **options)
    assert found.params["w"].dtype == dtype
    np.testing.assert_allclose(found.params["w"].astype("float32"), -0.0212132, rtol=0.01)
    np.testing.assert_allclose(found.history["gradient_norm"], [848.52873] * 3, rtol=1e-6)


@pytest.mark.parametrize("dtype", NARROW)
@pytest.mark.parametrize("size", [1e-4, 1.0, 300.0])
def test_adam_steps_by_its_rate_whatever_the_type_and_the_size_of_gradients(dtype, size):
    """Its steps along a steady gradient are the learning rate: eps, b2 and squares hold."""
    data = (np.full((4, 2), size, dtype), np.zeros((4, 1), dtype))
    start = {"w": jnp.zeros((2, 1), dtype), "b": jnp.zeros(1, dtype)}
    steady, adam = (lambda p, y: p.mean()), optax.adam(0.01)
    found = jn.fit(NET, steady, adam, data, key=KEY, params=start, steps=20)
    np.testing.assert_allclose(found.params["w"].astype("float32"), -0.2, rtol=0.02)


@pytest.mark.parametrize("dtype", NARROW)
def test_the_state_of_an_optimizer_is_wide_and_the_line_it_searches_narrow(dtype):
    seen = []

    def goal(params, batch, *, key):
        seen.append(params["w"].dtype)
        return jn.losses.mse(NET.apply(params, batch[0]), batch[1])

    data, optimizer = (X.astype(dtype), Y.astype(dtype)), optax.lbfgs()
    found = jn.fit(NET, jn.objective(goal), optimizer, data, key=KEY, steps=20)
    assert set(seen) == {jnp.dtype(dtype)}
    least = np.linalg.lstsq(np.c_[X, np.ones(3)], Y)[0]
    expected = np.square(np.c_[X, np.ones(3)] @ least - Y).mean()
    np.testing.assert_allclose(np.float32(found.history["loss"][-1]), expected, atol=1e-3)
    floating = [leaf for leaf in jax.tree.leaves(found.opt_state) if leaf.dtype.kind != "i"]
    assert {leaf.dtype for leaf in floating} <= {jnp.dtype("float32"), jnp.dtype(bool)}
    again = jn.fit(NET, jn.objective(goal), optimizer, data, start=found, steps=2)
    assert int(again.state.step) == 22
