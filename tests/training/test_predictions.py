"""The first predictions are held against the loss, before anything is trained."""

import functools
import re

import jax
import numpy as np
import optax
import pytest

import jaxnets as jn

KEY = jax.random.key(3)
X = 10 * np.float32([[0, 0], [0, 1], [1, 0], [1, 1]])
LABELS = np.array([0, 1, 1, 0])
OUTCOMES = LABELS[:, None].astype(np.float32)
SGD = optax.sgd(0.1)

MISTAKES = {
    "softmax before cross_entropy": (
        (jn.sequential(jn.dense(2), jn.softmax), jn.losses.cross_entropy),
        LABELS,
        "cross_entropy: predictions must be logits; got probabilities that sum to 1 in each "
        "example. Leave out jn.softmax: cross_entropy applies it; nll takes jn.log_softmax.",
        (jn.dense(2), jn.losses.cross_entropy),
    ),
    "softmax of one's own before cross_entropy": (
        (jn.sequential(jn.dense(2), lambda x: jax.nn.softmax(x)), jn.losses.cross_entropy),
        LABELS,
        "cross_entropy: predictions must be logits; got probabilities that sum to 1 in each "
        "example. Leave out jn.softmax: cross_entropy applies it; nll takes jn.log_softmax.",
        (jn.dense(2), jn.losses.cross_entropy),
    ),
    "logits before nll": (
        (jn.dense(2), jn.losses.nll),
        LABELS,
        r"nll: predictions must be log-probabilities, at most 0; got \S+ at index \S+ \S+\. "
        r"Apply jn\.log_softmax to logits\.",
        (jn.sequential(jn.dense(2), jn.log_softmax), jn.losses.nll),
    ),
    "logits before bce": (
        (jn.dense(1), jn.losses.bce),
        OUTCOMES,
        r"bce: predictions must be probabilities in \[0, 1\]; got \S+ at index \S+ \S+\. Apply "
        r"jn\.sigmoid to logits, or use bce_with_logits\.",
        (jn.dense(1), jn.losses.bce_with_logits),
    ),
}


def fit(trial, data, **options):
    return jn.fit(*trial, SGD, data, key=KEY, steps=2, **options)


def sweep(trial, data, **options):
    return jn.sweep((*trial, SGD), data, keys=jax.random.split(KEY, 3), steps=2, **options)


@pytest.mark.parametrize("train", [fit, sweep])
@pytest.mark.parametrize("mistake", MISTAKES)
def test_predictions_that_a_loss_cannot_take_are_refused_before_training(mistake, train):
    trial, targets, message, right = MISTAKES[mistake]
    pattern = message if "\\" in message else re.escape(message)
    with pytest.raises(ValueError, match=f"^{pattern}$"):
        train(trial, (X, targets))
    assert np.isfinite(train(right, (X, targets)).history["loss"]).all()


def test_the_weights_of_many_examples_are_left_to_training():
    x, y = np.tile(X, (500, 1)), np.tile(OUTCOMES, (500, 1))
    weighted = functools.partial(jn.losses.bce_with_logits, weights=np.ones(2000, np.float32))
    assert fit((jn.dense(1), weighted), (x, y)).status == "completed"


def test_some_of_many_examples_are_enough():
    trial, targets, message, _ = MISTAKES["logits before bce"]
    with pytest.raises(ValueError, match=f"^{message}$"):
        fit(trial, (np.tile(X, (500, 1)), np.tile(targets, (500, 1))))


def test_a_second_run_is_not_looked_at_again(compilations):
    trial, data = (jn.dense(2), jn.losses.cross_entropy), (X, LABELS)
    fit(trial, data)
    with compilations() as compiled:
        fit(trial, data)
    assert compiled == []
