"""Runs that stop being finite: where they end, what they say, what they keep."""

import pickle

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxnets as jn

KEY = jax.random.key(11)
KEYS = jax.random.split(KEY, 3)
X, Y = jn.data.xor()
LINE = jn.dense(1)
LINE_X = np.float32([[0.0], [1.0], [2.0]])
LINE_Y = np.float32([[1.0], [3.0], [5.0]])
SGD = optax.sgd(0.5)


def fit_line(optimizer=SGD, *, loss=jn.losses.mse, steps=10, **options):
    return jn.fit(LINE, loss, optimizer, (LINE_X, LINE_Y), key=KEY, steps=steps, **options)


def assert_bitwise_equal(ours, theirs):
    jax.tree.map(np.testing.assert_array_equal, ours, theirs)


EXPLODING = optax.sgd(1e5)


def first_bad_step(optimizer, params):
    """The step of a plain loop whose loss, gradient or update is not finite, its path, losses."""
    value_and_grad = jax.value_and_grad(
        lambda params: jn.losses.mse(LINE.apply(params, jnp.asarray(LINE_X)), jnp.asarray(LINE_Y))
    )
    opt_state, losses = optimizer.init(params), []
    for step in range(1000):
        loss, gradient = value_and_grad(params)
        updates, opt_state = optimizer.update(gradient, opt_state, params)
        updated = optax.apply_updates(params, updates)
        bad = [
            name
            for tree in (gradient, updated)
            for name in tree
            if not np.isfinite(tree[name]).all()
        ]
        if bad or not np.isfinite(loss):
            return step, (bad or [None])[0], losses
        losses.append(float(loss))
        params = updated
    raise AssertionError("it did not diverge")


@pytest.mark.parametrize("record_every", [1, 3, 100])
def test_divergence_stops_at_the_step_of_a_plain_loop(record_every):
    params = {"b": jnp.zeros(1), "w": jnp.ones((1, 1))}
    step, path, losses = first_bad_step(EXPLODING, params)
    assert step > 3
    with pytest.raises(
        jn.TrainingDiverged, match=f"stopped being finite at step {step} "
    ) as caught:
        fit_line(EXPLODING, params=params, steps=1000, record_every=record_every)
    error = caught.value
    assert (error.step, error.path) == (step, path)
    recorded = losses[::record_every]
    assert error.loss == pytest.approx(losses[-1], rel=1e-5)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(error.state.params))
    assert error.state is error.result.state
    assert int(error.state.step) == step
    assert error.result.status == "diverged"
    np.testing.assert_allclose(error.result.history["loss"], recorded, rtol=1e-5)
    np.testing.assert_array_equal(error.result.history["step"], np.arange(step)[::record_every])


def test_divergence_says_where_and_what_to_do():
    params = {"b": jnp.zeros(1), "w": jnp.ones((1, 1))}
    with pytest.raises(
        jn.TrainingDiverged,
        match=r"^fit: the loss stopped being finite at step \d+ \(loss before [\d.e+]+\)\. "
        r"Lower the learning rate or check the data; "
        r"error\.result holds the run up to there\.$",
    ):
        fit_line(EXPLODING, params=params, steps=1000)


def test_divergence_at_the_first_step_has_nothing_recorded():
    params = {"b": jnp.zeros(1), "w": jnp.full((1, 1), 3e38)}
    with pytest.raises(jn.TrainingDiverged, match=r"at step 0 \(no loss before\)") as caught:
        fit_line(params=params)
    assert (caught.value.step, caught.value.loss) == (0, None)
    assert len(caught.value.result.history["loss"]) == 0
    assert_bitwise_equal(caught.value.state.params, params)


def test_divergence_of_the_loss_alone():
    def loss(predictions, targets):
        error = ((predictions - targets) ** 2).mean()
        return error + jax.lax.stop_gradient(jnp.where(error < 1, jnp.nan, 0.0))

    with pytest.raises(jn.TrainingDiverged, match=r"^fit: the loss stopped being") as caught:
        fit_line(optax.sgd(0.1), loss=loss, steps=1000)
    assert caught.value.path is None
    assert caught.value.loss > 1


def test_the_last_finite_state_is_finite():
    params = {"b": jnp.zeros(1), "w": jnp.ones((1, 1))}
    with pytest.raises(jn.TrainingDiverged, match="stopped being finite") as caught:
        fit_line(optax.sgd(1.0), params=params, steps=1000)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(caught.value.state.params))


def test_a_run_that_diverges_keeps_what_it_had():
    random = np.random.default_rng(1).normal(size=(30, 3)).astype(np.float32)
    data = (random, (random[:, :1] * random[:, 1:2] > 0).astype(np.float32))
    options = {"key": KEY, "steps": 200, "batch_size": 8, "record_gradient_norm": True}
    with pytest.raises(jn.TrainingDiverged) as caught:
        jn.fit(LINE, jn.losses.mse, optax.sgd(10.0), data, **options)
    error = caught.value
    returned = jn.fit(LINE, jn.losses.mse, optax.sgd(10.0), data, on_divergence="return", **options)
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
        jn.fit(model, jn.losses.mse, optax.adam(3e-2), (X[:, :1], Y), key=KEY, steps=3)


def spoiled_gradient(at):
    """Autodiff, but NaN for one parameter once its value has moved ``at`` times by 1."""

    def value_and_grad(params, batch, *, key):
        bad = jnp.where(params["steps"] == at, jnp.nan, 0.0)
        return jnp.square(params["w"]).sum(), {"w": 0 * params["w"] + bad, "steps": -jnp.ones(())}

    return jn.objective(
        lambda params, batch, *, key: jnp.square(params["w"]).sum(), value_and_grad=value_and_grad
    )


COUNTER = jn.Model(
    lambda key, x: {"w": jnp.ones((2,)), "steps": jnp.zeros(())},
    lambda params, x, *, key=None: x @ params["w"][:, None],
)


def test_a_bad_gradient_that_only_the_optimizer_has_seen_ends_the_run():
    # With no update before the last step, the sum of the gradients is all that is NaN.
    late = optax.MultiSteps(optax.sgd(1.0), 20).gradient_transformation()
    trial = (COUNTER, spoiled_gradient(0), late)
    with pytest.raises(jn.TrainingDiverged) as caught:
        jn.fit(*trial, (X, Y), key=KEY, steps=20)
    assert (caught.value.step, caught.value.path) == (0, "w")
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(caught.value.state.opt_state))
    swept = jn.sweep(trial, (X, Y), keys=KEYS, steps=20)
    assert swept.diverged_at.tolist() == [0, 0, 0]


def test_the_loss_before_is_that_of_the_step_before_however_seldom_it_is_recorded():
    with pytest.raises(jn.TrainingDiverged) as caught:
        jn.fit(
            COUNTER,
            spoiled_gradient(7),
            optax.sgd(1.0),
            (X, Y),
            key=KEY,
            steps=100,
            record_every=100,
        )
    assert (caught.value.step, caught.value.path, caught.value.loss) == (7, "w", 2.0)


def test_infinities_that_an_optimizer_starts_from_are_no_divergence():
    def keep_lowest(updates, state, params=None):
        return updates, jnp.minimum(state, 1.0) + jnp.inf * (state > 1)

    patient = optax.chain(
        optax.GradientTransformation(lambda params: jnp.array(jnp.inf), keep_lowest),
        optax.sgd(0.1),
    )
    net = jn.mlp([3, 1], jn.tanh)
    result = jn.fit(net, jn.losses.mse, patient, (X, Y), key=KEY, steps=5)
    assert result.status == "completed"


def spoiled(at, optimizer):
    """A trial whose gradient is NaN at one step alone, by the optimizer's own count."""

    def objective(params, batch, *, key):
        return jnp.square(params["w"]).sum() + 0 * params["steps"], {"steps": params["steps"]}

    def value_and_grad(params, batch, *, key):
        # The examples say which step it is: the gradient is bad for one batch of them.
        bad = jnp.where(batch[0, 0] == at, jnp.nan, 0.0)
        gradient = {"w": 2 * params["w"] + bad, "steps": -jnp.ones(())}
        return objective(params, batch, key=key), gradient

    return COUNTER, jn.objective(objective, value_and_grad=value_and_grad), optimizer


def test_an_optimizer_that_skips_bad_steps_is_allowed_to():
    patient = optax.apply_if_finite(optax.sgd(0.1), max_consecutive_errors=3)
    examples = np.arange(6, dtype=np.float32)[:, None]
    options = {"epochs": 2, "batch_size": 1}
    result = jn.fit(*spoiled(4, patient), examples, key=KEY, **options)
    assert result.status == "completed"
    assert int(result.opt_state.total_notfinite) == 2
    np.testing.assert_allclose(result.params["steps"], 0.1 * 10, rtol=1e-6)
    swept = jn.sweep(spoiled(4, patient), examples, keys=KEYS, **options)
    assert swept.diverged_at.tolist() == [-1, -1, -1]
    np.testing.assert_allclose(swept.params["steps"], [1.0] * 3, rtol=1e-6)
    with pytest.raises(jn.TrainingDiverged, match="the gradient of w stopped being finite"):
        jn.fit(*spoiled(4, optax.sgd(0.1)), examples, key=KEY, **options)


def test_a_loss_that_is_not_finite_in_a_skipped_step_ends_nothing():
    patient = optax.apply_if_finite(optax.sgd(0.1), max_consecutive_errors=3)

    def loss(params, batch, *, key):
        return jnp.square(params["w"]).sum() / jnp.where(batch[0, 0] == 2, 0.0, 1.0)

    examples = np.arange(5, dtype=np.float32)[:, None]
    trial = (COUNTER, jn.objective(loss), patient)
    result = jn.fit(*trial, examples, key=KEY, epochs=1, batch_size=1)
    assert result.status == "completed"
    assert np.isinf(result.history["loss"]).sum() == 1
    assert np.isfinite(result.params["w"]).all()


def test_an_error_crosses_between_processes():
    with pytest.raises(jn.TrainingDiverged) as caught:
        jn.fit(LINE, jn.losses.mse, optax.sgd(1e30), (X, Y), key=KEY, steps=50)
    error = caught.value
    # Keys do not pickle; everything else of a result does.
    error.result = error.result._replace(state=error.state._replace(key=None))
    error._arguments = (error.result, *error._arguments[1:])
    again = pickle.loads(pickle.dumps(error))
    assert str(again) == str(error)
    assert (again.step, again.path, again.loss) == (error.step, error.path, error.loss)


def doubling(record_every, **options):
    """Parameters that double at every step, until float32 cannot hold the loss."""
    model = jn.Model(
        lambda key, x: {"w": jnp.ones(())}, lambda params, x, *, key=None: params["w"] * x
    )
    goal = jn.objective(
        lambda params, batch, *, key: params["w"],
        value_and_grad=lambda params, batch, *, key: (params["w"], {"w": -params["w"]}),
    )
    with pytest.raises(jn.TrainingDiverged) as caught:
        jn.fit(
            model,
            goal,
            optax.sgd(1.0),
            (np.ones((1, 1), np.float32),) * 2,
            key=KEY,
            steps=1000,
            record_every=record_every,
            **options,
        )
    return caught.value


@pytest.mark.parametrize("record_every", [64, 127])
@pytest.mark.parametrize("progress", [False, True])
def test_the_loss_before_divergence_is_exact_wherever_chunks_end(record_every, progress):
    error = doubling(record_every, progress=progress)
    assert (error.step, error.loss) == (127, 2.0**126)


def test_a_resumed_run_that_diverges_at_once_knows_the_loss_before(tmp_path):
    first = doubling(100, checkpoint=jn.Checkpoint(tmp_path))
    again = doubling(100, checkpoint=jn.Checkpoint(tmp_path))
    assert (first.step, first.loss) == (again.step, again.loss) == (127, 2.0**126)
    assert str(first) == str(again)


def test_what_is_bad_before_any_update_is_not_laid_to_the_rate():
    def loss(predictions, targets):
        return jn.losses.bce(predictions, targets)

    with pytest.raises(jn.TrainingDiverged, match=r"step 0 .*Look at loss\(model\.apply"):
        jn.fit(LINE, loss, optax.sgd(0.1), (100 * X, Y), key=KEY, steps=1)
