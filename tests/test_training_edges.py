"""What runs must survive that is easy to forget: odd dtypes, hidden NaN, many programs, pickles."""

import gc
import pickle
import weakref

import jax
import jax.flatten_util
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxnets as jn
from jaxnets.training.batching import make_batching
from jaxnets.training.compiled import MOST_KEPT, compiled_for
from jaxnets.training.loop import MOST_STEPS, make_schedule

X, Y = jn.data.xor()
KEY = jax.random.key(0)
KEYS = jax.random.split(KEY, 3)
NET = jn.mlp([3, 1], jn.tanh)


def spoiled_gradient(at):
    """Autodiff, but NaN for one parameter once its value has moved ``at`` times by 1."""

    def value_and_grad(params, x, y):
        bad = jnp.where(params["steps"] == at, jnp.nan, 0.0)
        return jnp.square(params["w"]).sum(), {"w": 0 * params["w"] + bad, "steps": -jnp.ones(())}

    return value_and_grad


COUNTER = jn.Model(
    lambda key, x: {"w": jnp.ones((2,)), "steps": jnp.zeros(())},
    lambda params, x, *, key=None: x @ params["w"][:, None],
)


def test_a_bad_gradient_that_only_the_optimizer_has_seen_ends_the_run():
    # With no update before the last step, the sum of the gradients is all that is NaN.
    with pytest.raises(jn.TrainingDiverged) as caught:
        jn.fit(
            COUNTER,
            jn.losses.mse,
            optax.sgd(1.0),
            (X, Y),
            key=KEY,
            steps=20,
            accumulate=20,
            value_and_grad=spoiled_gradient(0),
        )
    assert (caught.value.step, caught.value.path) == (0, "w")
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(caught.value.state.opt_state))
    swept = jn.sweep(
        COUNTER,
        jn.losses.mse,
        optax.sgd(1.0),
        (X, Y),
        keys=KEYS,
        steps=20,
        accumulate=20,
        value_and_grad=spoiled_gradient(0),
    )
    assert swept.diverged_at.tolist() == [0, 0, 0]


def test_the_loss_before_is_that_of_the_step_before_however_seldom_it_is_recorded():
    with pytest.raises(jn.TrainingDiverged) as caught:
        jn.fit(
            COUNTER,
            jn.losses.mse,
            optax.sgd(1.0),
            (X, Y),
            key=KEY,
            steps=100,
            record_every=100,
            value_and_grad=spoiled_gradient(7),
        )
    assert (caught.value.step, caught.value.path, caught.value.loss) == (7, "w", 2.0)


def test_infinities_that_an_optimizer_starts_from_are_no_divergence():
    def keep_lowest(updates, state, params=None):
        return updates, jnp.minimum(state, 1.0) + jnp.inf * (state > 1)

    patient = optax.chain(
        optax.GradientTransformation(lambda params: jnp.array(jnp.inf), keep_lowest),
        optax.sgd(0.1),
    )
    result = jn.fit(NET, jn.losses.mse, patient, (X, Y), key=KEY, steps=5)
    assert result.status == "completed"


def test_an_error_crosses_between_processes():
    with pytest.raises(jn.TrainingDiverged) as caught:
        jn.fit(jn.dense(1), jn.losses.mse, optax.sgd(1e30), (X, Y), key=KEY, steps=50)
    error = caught.value
    # Keys do not pickle; everything else of a result does.
    error.result = error.result._replace(state=error.state._replace(key=None))
    error._arguments = (error.result, *error._arguments[1:])
    again = pickle.loads(pickle.dumps(error))
    assert str(again) == str(error)
    assert (again.step, again.path, again.loss) == (error.step, error.path, error.loss)


def test_a_result_without_evaluations_prints():
    result = jn.fit(NET, jn.losses.mse, optax.sgd(0.1), (X, Y), key=KEY, steps=2)
    assert "History(step, epoch, loss; 2 records)" in repr(result)
    assert "History(empty; 0 records)" in repr(result)


def test_a_model_without_parameters_runs():
    result = jn.fit(
        jn.sequential(jn.tanh), jn.losses.mse, optax.sgd(0.1), (X[:, :1], Y), key=KEY, steps=2
    )
    assert result.history["loss"][0] == result.history["loss"][1]


def test_programs_are_forgotten_after_a_while():
    """A loop over a thousand learning rates must not keep a thousand programs."""

    def rate_of(rate):
        return lambda: rate

    added = compiled_for(lambda number, x: x + number())
    first = rate_of(0)
    held = weakref.ref(first)
    assert float(added(first)(1.0)) == 1
    for i in range(MOST_KEPT):
        added(rate_of(i))
    del first
    gc.collect()
    assert held() is None


@pytest.mark.parametrize(
    "clip_norm", [np.float32(1), pytest.param(np.float64(1), marks=pytest.mark.slow), 1]
)
def test_a_clip_norm_of_any_type_is_a_number(clip_norm):
    x, y = X.astype(jnp.bfloat16), Y.astype(jnp.bfloat16)
    options = {"key": KEY, "steps": 3}
    found = jn.fit(
        NET, jn.losses.mse, optax.sgd(0.1), (x, y), clip_norm=clip_norm, **options
    ).params
    expected = jn.fit(NET, jn.losses.mse, optax.sgd(0.1), (x, y), clip_norm=1.0, **options).params
    jax.tree.map(np.testing.assert_array_equal, found, expected)


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
            NET,
            jn.losses.mse,
            optax.sgd,
            data,
            keys=KEYS,
            hyperparameters={"learning_rate": [0.125], "momentum": [0.5]},
            steps=5,
        )
        assert {leaf.dtype for leaf in jax.tree.leaves(swept.params)} == {jnp.dtype(dtype)}
        single = jn.fit(
            NET, jn.losses.mse, optax.sgd(0.125, momentum=0.5), data, key=KEYS[1], steps=5
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


def odd_value_and_grad(params, x, y):
    """Forward differences of the derivative: a while loop cannot be differentiated backwards."""
    flat, unflatten = jax.flatten_util.ravel_pytree(params)

    def loss(flat):
        return jn.losses.mse(ODD.apply(unflatten(flat), x), y)

    return loss(flat), unflatten(jax.jacfwd(loss)(flat))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["dropped", "odd", "words"])
def test_any_model_sweeps_as_it_fits(name):
    model, data, own = {
        "odd": (ODD, (X, Y), odd_value_and_grad),
        "dropped": (DROPPED, (X, Y), None),
        "words": (WORDS, (jnp.array([0, 3, 4, 1]), Y), None),
    }[name]
    options = {"steps": 20, "value_and_grad": own}
    swept = jn.sweep(model, jn.losses.mse, optax.sgd(0.05), data, keys=KEYS, **options)
    for i, key in enumerate(KEYS):
        single = jn.fit(model, jn.losses.mse, optax.sgd(0.05), data, key=key, **options)
        np.testing.assert_allclose(
            swept.history["loss"][i], single.history["loss"], rtol=1e-5, atol=1e-6
        )


def small_sweep(**options):
    return jn.sweep(NET, jn.losses.mse, optax.sgd(0.1), (X, Y), keys=KEYS, **options)


@pytest.mark.slow
def test_metrics_of_a_sweep_may_be_arrays():
    result = small_sweep(
        steps=6,
        validation=(X, Y),
        validate_every=2,
        metrics={"predicted": lambda predictions, y: predictions},
        batch_members=2,
    )
    assert result.evaluations["predicted"].shape == (3, 3, 4, 1)
    assert result.evaluations["loss"].shape == (3, 3)
    assert result.validation["predicted"].shape == (3, 4, 1)
    for i in range(3):
        np.testing.assert_allclose(
            result.evaluations["predicted"][i, -1], NET.apply(result.member(i), X), rtol=1e-5
        )


def test_a_sweep_that_recorded_nothing_has_no_losses():
    result = small_sweep(steps=5, stop=jn.Stop(seconds=1e-9))
    assert [row["stopped_at"] for row in result.table()] == [0, 0, 0]
    assert np.isnan(result.last_losses()).all()
    with pytest.raises(
        ValueError,
        match="column 'loss' must be finite for a member that has not diverged; got none",
    ):
        result.best()


def test_the_best_by_any_column():
    result = small_sweep(
        steps=5,
        validation=(X, 1 - Y),
        metrics={"first": lambda predictions, y: predictions[0, 0]},
    )
    assert result.best("validation_loss") == int(np.argmin(result.validation["loss"]))
    assert result.best("validation_first", "max") == int(np.argmax(result.validation["first"]))
    with pytest.raises(
        ValueError, match=r"^Sweep\.best: column must be one of 'loss', .*; got 'fun'"
    ):
        result.best("fun")


def test_questions_to_a_sweep_that_make_no_sense():
    result = small_sweep(steps=1)
    with pytest.raises(
        IndexError, match=r"^Sweep\.member: index must be a whole number from -3 to 2; got 3\."
    ):
        result.member(3)
    with pytest.raises(
        TypeError, match=r"^Sweep\.success_rate: criterion must return one truth value for a member"
    ):
        result.success_rate(lambda params: NET.apply(params, X) > 0)


def doubling(record_every, **options):
    """Parameters that double at every step, until float32 cannot hold the loss."""
    model = jn.Model(
        lambda key, x: {"w": jnp.ones(())}, lambda params, x, *, key=None: params["w"] * x
    )
    with pytest.raises(jn.TrainingDiverged) as caught:
        jn.fit(
            model,
            lambda p, y: p.sum(),
            optax.sgd(1.0),
            (np.ones((1, 1), np.float32),) * 2,
            key=KEY,
            steps=1000,
            value_and_grad=lambda params, x, y: (params["w"], {"w": -params["w"]}),
            record_every=record_every,
            **options,
        )
    return caught.value


@pytest.mark.parametrize("record_every", [64, 127])
@pytest.mark.parametrize("progress", [False, True])
def test_the_loss_before_divergence_is_exact_wherever_chunks_end(record_every, progress):
    error = doubling(record_every, progress=progress)
    assert (error.step, error.loss) == (127, 2.0**126)


def test_a_resumed_run_that_diverges_at_once_says_no_loss_that_was_not_the_last(tmp_path):
    pytest.importorskip("orbax.checkpoint")
    first = doubling(100, checkpoint=jn.Checkpoint(tmp_path))
    again = doubling(100, checkpoint=jn.Checkpoint(tmp_path))
    assert (first.step, first.loss) == (127, 2.0**126)
    assert (again.step, again.loss) == (127, None)
    assert "loss before it not recorded" in str(again)


@pytest.mark.parametrize("name", ["record_every", "validate_every"])
def test_what_is_never_due_happens_as_often_as_that(name):
    options = {"key": KEY, "steps": 3, "validation": (X, Y), name: 10**12}
    result = jn.fit(NET, jn.losses.mse, optax.sgd(0.1), (X, Y), **options)
    found = result.history if name == "record_every" else result.validation
    assert found["step"].tolist() == ([0] if name == "record_every" else [])


def test_blocks_end_where_the_longest_run_does():
    batching = make_batching("fit", (X, Y), None, drop_last=False)
    schedule = make_schedule(batching, 10**12, 10**12, ())
    at = jnp.int32(MOST_STEPS - 50)
    assert int(schedule.block_end(at, MOST_STEPS)) == MOST_STEPS


def test_large_rows_are_held_one_by_one():
    """A metric of a megabyte: 4,096 rows of it would take four gigabytes."""
    large = jax.ShapeDtypeStruct((2**18,), "float32")
    batching = make_batching("fit", (X, Y), None, drop_last=False)
    assert make_schedule(batching, 1, 1, {"m": large}).capacity == 64
    assert make_schedule(batching, 1, 1, {"m": large}, members=1000).capacity == 1
    assert make_schedule(batching, 1, 1, {}).capacity == 4096


@pytest.mark.slow
def test_a_run_of_large_rows_is_whole():
    def spread(p, y):
        return jnp.broadcast_to(p.mean(), 2**22)

    options = {"key": KEY, "steps": 9, "validation": (X, Y)}
    plain = jn.fit(NET, jn.losses.mse, optax.sgd(0.1), (X, Y), **options)
    large = jn.fit(NET, jn.losses.mse, optax.sgd(0.1), (X, Y), metrics={"m": spread}, **options)
    np.testing.assert_array_equal(large.validation["loss"], plain.validation["loss"])
    assert large.validation["m"].shape == (9, 2**22)


@pytest.mark.parametrize("dtype", [">f4", ">f8"])
def test_data_of_another_byte_order_are_the_same_numbers(dtype):
    options = {"key": KEY, "steps": 5}
    found = jn.fit(NET, jn.losses.mse, optax.sgd(0.1), (np.asarray(X).astype(dtype), Y), **options)
    expected = jn.fit(NET, jn.losses.mse, optax.sgd(0.1), (X, Y), **options)
    jax.tree.map(np.testing.assert_array_equal, found.params, expected.params)


def test_a_run_traced_through_what_it_closes_over_says_so():
    def last_loss(rate):
        options = {"key": KEY, "steps": 5}
        return jn.fit(NET, jn.losses.mse, optax.sgd(rate), (X, Y), **options).history["loss"][-1]

    for transformed in (jax.grad(last_loss), jax.jit(last_loss)):
        with pytest.raises(TypeError, match=r"^fit: .* must hold values, outside of jax\.jit"):
            transformed(0.1)


def test_a_parameter_without_a_gradient_is_named():
    model = jn.Model(
        lambda key, x: {"n": jnp.array(3), "w": jnp.ones(())},
        lambda params, x, *, key=None: params["n"] * params["w"] * x[:, :1],
    )
    with pytest.raises(TypeError) as caught:
        jn.fit(model, jn.losses.mse, optax.sgd(0.1), (X, Y), key=KEY, steps=1)
    assert str(caught.value) == (
        "fit: model must have floating parameters at 'n'; got int32[]. Leave it out of params, in "
        "a variable of the model's functions."
    )


@pytest.mark.parametrize("function", ["fit", "sweep"])
def test_more_to_accumulate_than_there_are_steps_would_train_nothing(function):
    options = {"fit": {"key": KEY}, "sweep": {"keys": KEY[None]}}[function]
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        getattr(jn, function)(
            NET, jn.losses.mse, optax.sgd(0.1), (X, Y), steps=5, accumulate=6, **options
        )
    assert str(caught.value) == (
        f"{function}: accumulate must be at most the number of steps, 5; got 6. Accumulate less, "
        "or make more steps."
    )


def test_labels_that_a_metric_cannot_count_are_named_before_the_run():
    labels = jnp.array([0, 1, 2, -100])
    with pytest.raises(ValueError, match=r"^validation > accuracy: targets must .* got -100"):
        jn.fit(
            jn.dense(3),
            jn.losses.cross_entropy,
            optax.sgd(0.1),
            (X, labels),
            key=KEY,
            steps=1,
            validation=(X, labels),
            metrics={"accuracy": jn.metrics.accuracy},
        )


def test_what_is_bad_before_any_update_is_not_laid_to_the_rate():
    with pytest.raises(jn.TrainingDiverged, match=r"step 0 .*Look at loss\(model\.apply"):
        jn.fit(
            jn.dense(1),
            jn.losses.bce,
            optax.sgd(0.1),
            (100 * X, Y),
            key=KEY,
            steps=1,
        )
