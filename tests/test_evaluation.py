"""Prediction and evaluation, against ``model.apply`` on everything and ``Fit.scores``."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxnets as jn
from jaxnets.errors import ArgumentTypeError, ArgumentValueError

KEY = jax.random.key(0)
NET = jn.mlp([8, 3], jn.tanh)
X = np.random.default_rng(0).standard_normal((37, 5)).astype(np.float32)
LABELS = np.arange(37, dtype=np.int32) % 3
PARAMS = NET.init(KEY, X)
CROSS_ENTROPY = jn.losses.cross_entropy
ACCURACY = {"accuracy": jn.metrics.accuracy}


def close(got, want):
    return np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("batch_size", [None, 1, 10, 37, 100])
@pytest.mark.parametrize("place", [np.asarray, jnp.asarray])
def test_outputs_are_those_of_all_at_once_and_stay_where_the_inputs_are(place, batch_size):
    outputs = jn.predict(NET, PARAMS, place(X), batch_size=batch_size)
    close(outputs, NET.apply(PARAMS, X))
    assert isinstance(outputs, np.ndarray if place is np.asarray else jax.Array)


def test_a_memory_map_is_read_a_batch_at_a_time(tmp_path):
    """The model notes what it is traced for: no array of all examples ever reaches the device."""
    np.save(tmp_path / "x.npy", X)
    seen = set()

    def apply(params, x, *, key=None):
        seen.add(x.shape)
        return NET.apply(params, x)

    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    outputs = jn.predict(jn.Model(NET.init, apply), PARAMS, mapped, batch_size=10)
    close(outputs, NET.apply(PARAMS, X))
    assert seen == {(10, 5), (7, 5)}


def test_pytrees_go_in_and_come_out():
    def apply(params, x, *, key=None):
        hidden = NET.apply(params, x["a"])
        return {"sum": hidden.sum(-1), "both": (hidden, x["b"])}

    two = jn.Model(lambda key, x: NET.init(key, x["a"]), apply)
    outputs = jn.predict(two, PARAMS, {"a": X, "b": LABELS}, batch_size=10)
    close(outputs["sum"], NET.apply(PARAMS, X).sum(-1))
    assert outputs["both"][1].tolist() == LABELS.tolist()


def test_a_model_of_all_examples_together_sees_them_all():
    def apply(params, x, *, key=None):
        return NET.apply(params, x).mean(0)

    mean = jn.Model(NET.init, apply)
    many = np.tile(X, (60, 1))
    close(jn.predict(mean, PARAMS, many), NET.apply(PARAMS, many).mean(0))
    with pytest.raises(ArgumentValueError) as caught:
        jn.predict(mean, PARAMS, X, batch_size=10)
    assert str(caught.value) == (
        "predict: batch_size must be None for a model whose outputs are not one row per example; "
        "got 10. Leave it out."
    )


@pytest.mark.parametrize("place", [np.asarray, jnp.asarray])
@pytest.mark.parametrize("batch_size", [None, 10])
def test_evaluation_gives_the_scores_of_a_fit(place, batch_size):
    data = (place(X), place(LABELS))
    metrics = {**ACCURACY, "matrix": jn.metrics.confusion_matrix}
    result = jn.fit(
        NET, CROSS_ENTROPY, optax.sgd(0.1), data, key=KEY, steps=3, validation=data, metrics=metrics
    )
    scores = jn.evaluate(
        NET, result.params, CROSS_ENTROPY, data, metrics=metrics, batch_size=batch_size
    )
    assert list(scores) == ["loss", *metrics]
    for name, score in scores.items():
        close(score, result.scores[name])
        assert isinstance(score, np.ndarray)


def test_an_objective_is_evaluated_whole_or_by_the_mean_over_the_examples():
    def squares(params, batch, *, key):
        assert key is None
        outputs = NET.apply(params, batch[0])
        return jnp.mean(outputs**2), {"largest": jnp.abs(outputs).max()}

    goal, outputs = jn.objective(squares), np.asarray(NET.apply(PARAMS, X))
    whole = jn.evaluate(NET, PARAMS, goal, (X, LABELS), metrics=ACCURACY)
    close(whole["loss"], np.mean(outputs**2))
    close(whole["largest"], np.abs(outputs).max())
    close(whole["accuracy"], np.mean(outputs.argmax(1) == LABELS))
    batched = jn.evaluate(NET, PARAMS, goal, (X, LABELS), batch_size=30)
    close(batched["loss"], np.mean(outputs**2))
    parts = [np.abs(outputs[:30]).max(), np.abs(outputs[30:]).max()]
    close(batched["largest"], np.average(parts, weights=[30, 7]))


def test_an_objective_may_take_other_data_than_pairs():
    goal = jn.objective(lambda params, batch, *, key: jnp.mean(NET.apply(params, batch) ** 2))
    scores = jn.evaluate(NET, PARAMS, goal, X)
    close(scores["loss"], np.mean(np.asarray(NET.apply(PARAMS, X)) ** 2))


def test_a_diverged_model_is_evaluated_to_nan():
    params = jax.tree.map(lambda leaf: leaf * jnp.nan, PARAMS)
    assert np.isnan(jn.evaluate(NET, params, CROSS_ENTROPY, (X, LABELS))["loss"])


evaluate = functools.partial(jn.evaluate, NET, PARAMS, CROSS_ENTROPY)
predict = functools.partial(jn.predict, NET, PARAMS)
BAD = X.copy()
BAD[23, 1] = np.nan


@pytest.mark.parametrize(
    ("misuse", "error", "message"),
    [
        (
            lambda: predict(X[:, :4]),
            ArgumentValueError,
            "predict: params must have float32[4,8] at '0/w', as model.init gives; got "
            "float32[5,8]. Pass x of the width that params were made for.",
        ),
        (
            lambda: predict(X[:0]),
            ArgumentValueError,
            "predict: x must hold at least one example; got {'': 0}. Pass some data.",
        ),
        (
            lambda: predict(BAD, batch_size=10),
            ArgumentValueError,
            "examples 20 to 29 > predict: x must be finite; got nan at index (3, 1). Remove or "
            "replace the examples concerned.",
        ),
        (
            lambda: predict(X, batch_size=0),
            ArgumentValueError,
            "predict: batch_size must be a whole number of at least 1; got 0. Pass batch_size=10, "
            "for example.",
        ),
        (
            lambda: jax.jit(predict)(X),
            ArgumentTypeError,
            "predict: x must hold values, outside of jax.jit; got a traced array. Call "
            "model.apply(params, x) there.",
        ),
        (
            lambda: jn.predict(NET.apply, PARAMS, X),
            ArgumentTypeError,
            None,
        ),
        (
            lambda: evaluate(X),
            ArgumentTypeError,
            "evaluate: data must be a pair (x, y) of inputs and targets; got float32[37,5]. Pass "
            "data=(x, y).",
        ),
        (
            lambda: evaluate((X, LABELS[:30])),
            ArgumentValueError,
            "evaluate: data must have as many targets as inputs; got lengths {'x': 37, 'y': 30}. "
            "Cut them to the same examples.",
        ),
        (
            lambda: evaluate((X, LABELS + 1)),
            ArgumentValueError,
            None,
        ),
        (
            lambda: evaluate((X, LABELS), metrics={"rates": jn.metrics.precision_recall_f1}),
            ArgumentTypeError,
            "evaluate: metrics['rates'] must return one array; got a PrecisionRecallF1. Pick one "
            "with lambda predictions, targets: metric(predictions, targets)[0].",
        ),
    ],
)
def test_misuse_is_named(misuse, error, message):
    with pytest.raises(error) as caught:
        misuse()
    assert message is None or str(caught.value) == message


def test_labels_out_of_range_are_refused_in_the_words_of_fit():
    data = (X, LABELS + 1)
    messages = []
    for call in (
        lambda: evaluate(data),
        lambda: jn.fit(NET, CROSS_ENTROPY, optax.sgd(0.1), data, key=KEY, steps=1),
    ):
        with pytest.raises(ArgumentValueError) as caught:
            call()
        messages.append(str(caught.value).partition(": ")[2])
    assert messages[0] == messages[1]
