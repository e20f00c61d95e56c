"""What is put around an optimizer: freezing and decay by masks, clipping, accumulation."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxnets as jn

KEY = jax.random.key(5)
RANDOM = np.random.default_rng(1)
X = RANDOM.normal(size=(30, 3)).astype(np.float32)
Y = (X[:, :1] * X[:, 1:2] > 0).astype(np.float32)
NET = jn.sequential(jn.dense(16), jn.tanh, jn.dropout(0.1), jn.dense(1), jn.sigmoid)
FIRST = jn.mask(lambda path: path.startswith("0/"))
WEIGHTS = jn.mask(lambda path: path.endswith("w"))


def test_a_mask_is_true_where_its_predicate_is():
    params = NET.init(KEY, X)
    assert FIRST(params) == {"0": {"w": True, "b": True}, "3": {"w": False, "b": False}}
    assert jax.tree.leaves(WEIGHTS(params)) == [False, True, False, True]


def test_a_frozen_layer_stays_whatever_the_optimizer_does_to_the_rest():
    decaying = optax.adamw(1e-2, weight_decay=0.5)
    optimizer = optax.chain(decaying, optax.transforms.freeze(FIRST))
    start = NET.init(KEY, X)
    options = {"key": KEY, "steps": 10, "params": start}
    result = jn.fit(NET, jn.losses.bce, optimizer, (X, Y), **options)
    np.testing.assert_array_equal(result.params["0"]["w"], start["0"]["w"])
    np.testing.assert_array_equal(result.params["0"]["b"], start["0"]["b"])
    assert (result.params["3"]["w"] != start["3"]["w"]).all()


def test_biases_that_a_mask_leaves_out_do_not_decay():
    optimizer = optax.chain(
        optax.scale(0.0), optax.add_decayed_weights(0.5, mask=WEIGHTS), optax.scale(-1.0)
    )
    start = {"w": jnp.ones((3, 1)), "b": jnp.ones(1)}
    options = {"key": KEY, "steps": 2, "params": start}
    result = jn.fit(jn.dense(1), jn.losses.mse, optimizer, (X, Y), **options)
    np.testing.assert_array_equal(result.params["w"], np.full((3, 1), 0.25))
    np.testing.assert_array_equal(result.params["b"], [1.0])


@pytest.mark.slow
def test_clipping_bounds_the_step():
    start = NET.init(KEY, X)
    result = jn.fit(
        NET,
        jn.losses.bce,
        optax.chain(optax.clip_by_global_norm(1e-3), optax.sgd(1.0)),
        (X, Y),
        key=KEY,
        steps=1,
        params=start,
        record_gradient_norm=True,
    )
    moved = optax.tree.norm(jax.tree.map(jnp.subtract, result.params, start))
    assert result.history["gradient_norm"][0] > 1e-3
    np.testing.assert_allclose(moved, 1e-3, rtol=1e-3)


@pytest.mark.slow
def test_clipping_keeps_narrow_parameters_narrow():
    x, y = jnp.asarray(X, jnp.bfloat16), jnp.asarray(Y, jnp.bfloat16)
    optimizer = optax.chain(optax.clip_by_global_norm(1.0), optax.sgd(0.1))
    found = jn.fit(jn.dense(1), jn.losses.mse, optimizer, (x, y), key=KEY, steps=3).params
    assert {leaf.dtype for leaf in jax.tree.leaves(found)} == {jnp.dtype(jnp.bfloat16)}


def accumulating(optimizer, steps):
    return optax.MultiSteps(optimizer, steps).gradient_transformation()


def test_accumulated_gradients_of_two_halves_are_the_step_of_the_whole():
    linear = jn.dense(1)
    start = linear.init(KEY, X)
    options = {"key": KEY, "params": start}
    halves = jn.fit(
        linear,
        jn.losses.mse,
        accumulating(optax.sgd(0.1), 2),
        (X, Y),
        epochs=1,
        batch_size=15,
        **options,
    )
    whole = jn.fit(linear, jn.losses.mse, optax.sgd(0.1), (X, Y), steps=1, **options)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), halves.params, whole.params
    )


def test_masks_and_accumulation_work_for_members_as_for_one():
    optimizer = accumulating(optax.chain(optax.adam(0.1), optax.transforms.freeze(WEIGHTS)), 2)
    trial, options = (jn.dense(1), jn.losses.mse, optimizer), {"epochs": 2, "batch_size": 10}
    keys = jax.random.split(KEY, 2)
    swept = jn.sweep(trial, (X, Y), keys=keys, **options)
    for number, key in enumerate(keys):
        single = jn.fit(*trial, (X, Y), key=key, **options)
        for name in "wb":
            np.testing.assert_allclose(
                swept.member(number)[name], single.params[name], rtol=1e-5, atol=1e-6
            )
