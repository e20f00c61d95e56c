"""Trials: model, loss and optimizer that depend on the hyperparameters of a sweep."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxnets as jn

X, Y = jn.data.xor()
KEYS = jax.random.split(jax.random.key(4), 2)
NET = jn.mlp([3, 1], jn.tanh)


def assert_members_are_single_runs(trial, grid, *, steps=12, data=(X, Y), rtol=1e-5, **options):
    """Every member is ``jn.fit(*trial(**its hyperparameters), ...)``."""
    swept = jn.sweep(trial, data, keys=KEYS, hyperparameters=grid, steps=steps, **options)
    for number, row in enumerate(swept.table()):
        own = {name: row[name] for name in grid}
        single = jn.fit(*trial(**own), data, key=KEYS[row["seed"]], steps=steps, **options)
        np.testing.assert_allclose(
            swept.history["loss"][number], single.history["loss"], rtol=rtol, atol=1e-6
        )
        jax.tree.map(
            lambda a, b: np.testing.assert_allclose(a, b, rtol=10 * rtol, atol=1e-5),
            swept.member(number),
            single.params,
        )
        for name, score in single.scores.items():
            np.testing.assert_allclose(swept.scores[name][number], score, rtol=rtol, atol=1e-6)
    return swept


def test_model_loss_and_optimizer_may_all_depend_on_hyperparameters():
    def trial(scale, power, learning_rate):
        def init(key, x):
            return jax.tree.map(lambda leaf: scale * leaf, NET.init(key, x))

        model = jn.Model(init, lambda params, x, *, key=None: scale * NET.apply(params, x))
        loss = lambda p, y: (jnp.abs(p - y) ** power).mean()  # noqa: E731
        return model, loss, optax.adam(learning_rate)

    grid = {"scale": [0.5, 2.0], "power": [2.0], "learning_rate": [0.01, 0.1]}
    swept = assert_members_are_single_runs(trial, grid, validation=(X, 1 - Y))
    # The start depends on it too, so no two members of a seed are alike.
    assert len(np.unique(swept.history["loss"][:4, 0])) == 2
    assert len(np.unique(swept.history["loss"][:4, 1])) == 4


def test_an_objective_may_depend_on_a_hyperparameter():
    def trial(decay):
        @jn.objective
        def decayed(params, batch, *, key):
            x, y = batch
            size = sum(jnp.square(leaf).sum() for leaf in jax.tree.leaves(params))
            return jn.losses.mse(NET.apply(params, x), y) + decay * size, {"size": size}

        return NET, decayed, optax.sgd(0.1)

    swept = assert_members_are_single_runs(trial, {"decay": [0.0, 0.1]}, validation=(X, Y))
    sizes = swept.history["size"][:, -1]
    assert sizes[1] < sizes[0]
    assert sizes[3] < sizes[2]


@pytest.mark.parametrize("dtype", ["bfloat16", "float32"])
def test_hyperparameters_are_not_rounded_to_the_type_of_the_parameters(dtype):
    """In bfloat16 0.999 is 1, and Adam with b2 = 1 divides by zero."""

    def trial(b2):
        return jn.dense(1), jn.losses.mse, optax.adam(0.1, b2=b2)

    data = (X.astype(dtype), Y.astype(dtype))
    swept = jn.sweep(trial, data, keys=KEYS, hyperparameters={"b2": [0.9, 0.999]}, steps=20)
    assert {leaf.dtype for leaf in jax.tree.leaves(swept.params)} == {jnp.dtype(dtype)}
    assert swept.status.tolist() == ["completed"] * 4
    single = jn.fit(*trial(0.999), data, key=KEYS[1], steps=20)
    tolerance = 1e-5 if dtype == "float32" else 4e-2
    losses = np.float32(swept.history["loss"])
    np.testing.assert_allclose(losses[3], np.float32(single.history["loss"]), rtol=tolerance)
    assert not np.array_equal(losses[2], losses[3])


def test_hyperparameters_reach_a_trial_in_float32_at_least_and_weakly_typed():
    seen = []

    def trial(rate):
        if isinstance(rate, jax.Array):
            seen.append((rate.dtype, rate.weak_type))
        return jn.dense(1), jn.losses.mse, optax.sgd(rate)

    narrow = (X.astype(jnp.float16), Y.astype(jnp.float16))
    swept = jn.sweep(trial, narrow, keys=KEYS, hyperparameters={"rate": [0.1]}, steps=2)
    assert set(seen) == {(jnp.dtype("float32"), True)}
    assert swept.params["w"].dtype == jnp.float16


def test_in_float64_hyperparameters_are_as_exact_as_python_numbers(x64):
    def trial(rate):
        return jn.dense(1), jn.losses.mse, optax.sgd(rate)

    data = (np.float64(X), np.float64(Y))
    swept = jn.sweep(trial, data, keys=KEYS, hyperparameters={"rate": [0.1]}, steps=30)
    single = jn.fit(*trial(0.1), data, key=KEYS[0], steps=30)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-13), swept.member(0), single.params
    )


def test_a_large_network_takes_hyperparameters_too():
    large = jn.mlp([64, 64, 1], jn.tanh)

    def trial(scale, learning_rate):
        model = jn.Model(large.init, lambda params, x, *, key=None: scale * large.apply(params, x))
        return model, jn.losses.mse, optax.sgd(learning_rate)

    assert_members_are_single_runs(
        trial, {"scale": [0.5, 1.0], "learning_rate": [0.05]}, steps=4, rtol=1e-4
    )


def test_a_trial_without_hyperparameters_may_be_a_function_too():
    swept = jn.sweep(lambda: (NET, jn.losses.mse, optax.sgd(0.1)), (X, Y), keys=KEYS, steps=3)
    fixed = jn.sweep((NET, jn.losses.mse, optax.sgd(0.1)), (X, Y), keys=KEYS, steps=3)
    np.testing.assert_array_equal(swept.history["loss"], fixed.history["loss"])


def test_models_of_members_are_those_of_their_hyperparameters():
    def trial(scale):
        model = jn.Model(NET.init, lambda params, x, *, key=None: scale * NET.apply(params, x))
        return model, jn.losses.mse, optax.sgd(0.1)

    swept = jn.sweep(trial, (X, Y), keys=KEYS[:1], hyperparameters={"scale": [1.0, 3.0]}, steps=1)
    outputs = [swept.models(number).apply(swept.member(0), X) for number in range(2)]
    np.testing.assert_allclose(outputs[1], 3 * outputs[0], rtol=1e-6)


# The parts of the library that take a traced number.
TRACED = {
    "dropout": lambda rate: (
        jn.sequential(jn.dense(4), jn.tanh, jn.dropout(rate), jn.dense(1)),
        jn.losses.mse,
    ),
    "initializers.normal": lambda rate: (
        jn.sequential(jn.dense(4, w_init=jn.initializers.normal(rate)), jn.tanh, jn.dense(1)),
        jn.losses.mse,
    ),
    "huber": lambda rate: (NET, lambda p, y: jn.losses.huber(p, y, delta=rate)),
    "bce label smoothing": lambda rate: (
        NET,
        lambda p, y: jn.losses.bce_with_logits(p, y * (1 - rate) + rate / 2),
    ),
    "leaky_relu": lambda rate: (
        jn.sequential(jn.dense(4), lambda x: jn.leaky_relu(x, negative_slope=rate), jn.dense(1)),
        jn.losses.mse,
    ),
}


@pytest.mark.parametrize(
    "name",
    [name if name == "huber" else pytest.param(name, marks=pytest.mark.slow) for name in TRACED],
)
def test_parts_of_the_library_take_hyperparameters(name):
    def trial(rate):
        return *TRACED[name](rate), optax.sgd(0.1)

    assert_members_are_single_runs(trial, {"rate": [0.1, 0.3]}, steps=4)
