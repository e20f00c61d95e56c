"""Weights of examples: by what they count, who is handed them, and what is refused."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxnets as jn
from jaxnets.training.evaluation import EVALUATION_BATCH

KEY = jax.random.key(3)
RANDOM = np.random.default_rng(2)
X = RANDOM.normal(size=(30, 3)).astype(np.float32)
Y = RANDOM.normal(size=(30, 1)).astype(np.float32)
COUNTS = RANDOM.integers(0, 4, 30)
LINE = jn.dense(1)
SGD = optax.sgd(0.1)


def fit(x=X, y=Y, loss=jn.losses.mse, **options):
    return jn.fit(LINE, loss, SGD, (x, y), **{"key": KEY, "steps": 20, **options})


def test_whole_weights_count_as_so_many_examples():
    weighted = fit(weights=COUNTS)
    repeated = fit(np.repeat(X, COUNTS, 0), np.repeat(Y, COUNTS, 0))
    np.testing.assert_allclose(weighted.params["w"], repeated.params["w"], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(weighted.history["loss"], repeated.history["loss"], rtol=1e-5)
    assert abs(weighted.history["loss"] - fit().history["loss"]).max() > 0.01


def by_hand(params, order, weights):
    """Gradient descent in float64 over batches of the examples in this order."""
    w, b = (np.asarray(params[name], np.float64) for name in "wb")
    losses = []
    for chosen in order:
        x, y = X[chosen].astype(np.float64), Y[chosen]
        share = (weights[chosen] / weights[chosen].sum())[:, None]
        error = x @ w + b - y
        losses.append((share * error**2).sum())
        w, b = w - 0.1 * x.T @ (2 * share * error), b - 0.1 * (2 * share * error).sum(0)
    return w, losses


def test_batches_take_their_weights_with_them():
    weights, seen = RANDOM.uniform(0.1, 3, 30), []
    start = LINE.init(KEY, X)

    def spied(predictions, targets, *, weights):
        jax.debug.callback(lambda w: seen.append(np.asarray(w)), weights)
        return jn.losses.mse(predictions, targets, weights=weights)

    result = fit(loss=spied, weights=weights, params=start, steps=None, epochs=2, batch_size=8)
    jax.effects_barrier()
    # Every weight is of another example: by it, the batch is known.
    order = [abs(weights[:, None] - batch).argmin(0) for batch in seen]
    assert [len(batch) for batch in order] == [8, 8, 8, 6] * 2
    assert sorted(np.concatenate(order[:4])) == [*range(30)]
    w, losses = by_hand(start, order, weights)
    np.testing.assert_allclose(result.history["loss"], losses, rtol=1e-5)
    np.testing.assert_allclose(result.params["w"], w, rtol=1e-4, atol=1e-6)


def test_members_of_a_sweep_have_the_weights_too():
    weights = RANDOM.uniform(0, 3, 30)
    options = {"steps": 9, "batch_size": 8, "weights": weights, "validation": (X, Y, weights)}
    keys = jax.random.split(KEY, 2)
    result = jn.sweep((LINE, jn.losses.mse, SGD), (X, Y), keys=keys, **options)
    for member, key in enumerate(keys):
        one = fit(key=key, **options)
        np.testing.assert_allclose(result.params["w"][member], one.params["w"], rtol=1e-4)
        np.testing.assert_allclose(result.scores["loss"][member], one.scores["loss"], rtol=1e-4)


def test_a_weighted_validation_in_slices_is_that_of_numpy():
    many = 2 * EVALUATION_BATCH + 77
    x = RANDOM.normal(size=(many, 3)).astype(np.float32)
    y = (x[:, :1] > 0.3).astype(np.float32)
    weights = RANDOM.uniform(0, 5, many) * (RANDOM.random(many) > 0.3)
    net = jn.sequential(jn.dense(1), jn.sigmoid)
    result = jn.fit(
        net, jn.losses.bce, SGD, (X, (Y > 0) * 1.0), key=KEY, steps=3,
        validation=(x, y, weights), metrics={"accuracy": jn.metrics.accuracy},
    )  # fmt: skip
    w, b = (np.asarray(result.params["0"][name], np.float64) for name in "wb")
    p = 1 / (1 + np.exp(-(x @ w + b)))
    loss = np.average(-np.log(np.where(y == 1, p, 1 - p))[:, 0], weights=weights)
    accuracy = np.average(((p > 0.5) == y)[:, 0], weights=weights)
    np.testing.assert_allclose(result.scores["loss"], loss, rtol=1e-5)
    np.testing.assert_allclose(result.validation["loss"][-1], loss, rtol=1e-5)
    np.testing.assert_allclose(result.scores["accuracy"], accuracy, rtol=1e-5)


def test_targets_of_examples_that_do_not_count_may_mean_nothing():
    labels = np.array([0, 1, 2, 7] * 5)
    weights = (labels < 3) * 1.0
    x = RANDOM.normal(size=(20, 3)).astype(np.float32)
    data = (x, labels)
    trial = (jn.dense(3), jn.losses.cross_entropy, SGD, data)
    result = jn.fit(*trial, key=KEY, steps=5, weights=weights, validation=(*data, weights))
    assert np.isfinite(result.history["loss"]).all()
    with pytest.raises(ValueError, match=r"7 at index \(3,\)"):
        jn.fit(*trial, key=KEY, steps=5, weights=weights, validation=data)


def test_a_batch_without_weight_moves_nothing_and_ends_nothing():
    weights = np.zeros(30)
    weights[4] = 1.0
    result = fit(weights=weights, steps=None, epochs=2, batch_size=5)
    assert (result.status, np.isnan(result.history["loss"]).sum()) == ("completed", 10)
    assert np.isfinite(result.params["w"]).all()


def test_the_step_of_a_loop_of_one_s_own_takes_weights():
    state = jn.init_state(LINE, SGD, KEY, X)
    step = jax.jit(jn.make_step(LINE, jn.losses.mse, SGD))
    values = jn.losses.mse(LINE.apply(state.params, X), Y, reduction="none")[:, 0]
    _, metrics = step(state, (X, Y, jnp.asarray(COUNTS, float)))
    np.testing.assert_allclose(metrics["loss"], np.average(values, weights=COUNTS), rtol=1e-5)


def test_a_run_with_other_weights_is_another_run(tmp_path):
    options = {"checkpoint": jn.Checkpoint(tmp_path / "run"), "batch_size": 5}
    fit(weights=COUNTS, **options)
    with pytest.raises(ValueError, match=re.escape("data/weights: float32[30] crc32")):
        fit(weights=COUNTS + 1, **options)


def plain(predictions, targets):
    return jnp.square(predictions - targets).mean()


NEEDS = "Pass a function of (predictions, targets, *, weights)."


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"weights": COUNTS[:29]},
            "weights must be one number per example, of shape (30,); got (29,). "
            "Pass an array of shape (30,).",
        ),
        (
            {"weights": COUNTS[:, None]},
            "weights must be one number per example, of shape (30,); got (30, 1). "
            "Pass an array of shape (30,).",
        ),
        (
            {"weights": {"w": COUNTS}},
            "weights must be one array; got a dict. Pass an array of shape (30,).",
        ),
        (
            {"weights": COUNTS - 1.5 * (np.arange(30) == 3)},
            f"weights must be at least 0; got {COUNTS[3] - 1.5} at index (3,). "
            "Pass 0 to leave an example out.",
        ),
        (
            {"weights": 0 * COUNTS},
            "weights must be above 0 for some example; got zeros alone. "
            "Leave weights out to count every example alike.",
        ),
        (
            {"weights": np.where(np.arange(30) == 2, np.inf, COUNTS)},
            "weights must be finite; got inf at index (2,). "
            "Remove or replace the examples concerned.",
        ),
        (
            {"validation": (X, Y, -COUNTS - 1.0)},
            f"weights of validation must be at least 0; got {-COUNTS[0] - 1.0} at index (0,). "
            "Pass 0 to leave an example out.",
        ),
        (
            {"validation": (X, Y, COUNTS[:3])},
            "weights of validation must be one number per example, of shape (30,); got (3,). "
            "Pass an array of shape (30,).",
        ),
        (
            {"weights": COUNTS, "loss": plain},
            "loss must take weights=, where examples have weights; got (predictions, targets). "
            + NEEDS,
        ),
        (
            {"validation": (X, Y, COUNTS), "loss": plain},
            "loss must take weights=, where examples have weights; "
            "got (predictions, targets). " + NEEDS,
        ),
        (
            {"validation": (X, Y, COUNTS), "metrics": {"r2": jn.metrics.r2}},
            "metrics['r2'] must take weights=, where examples have weights; "
            "got (predictions, targets). " + NEEDS,
        ),
        (
            {"weights": COUNTS, "loss": jn.objective(lambda params, batch, *, key: 0.0)},
            "weights must be left out beside an objective; got both. Make them a part of its data.",
        ),
    ],
)
def test_what_does_not_fit_is_refused(options, message):
    with pytest.raises((ValueError, TypeError)) as caught:
        fit(**options)
    assert str(caught.value).removeprefix("validation > ") == f"fit: {message}"
