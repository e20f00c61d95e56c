"""The calibration error, against the definition of Guo et al. in float64, bin by bin."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnets as jn
from jaxnets.errors import ArgumentTypeError, ArgumentValueError

ECE = jn.metrics.expected_calibration_error
RANDOM = np.random.default_rng(0)
LOGITS = 2 * RANDOM.standard_normal((500, 4)).astype(np.float32)
WEIGHTS = RANDOM.uniform(size=500).astype(np.float32)


def softmax(logits):
    exponentials = np.exp(logits.astype(np.float64))
    return exponentials / exponentials.sum(-1, keepdims=True)


# Right in every second of fifteen bins, so that the gaps of neighbours have opposite signs.
WRONG = np.ceil(softmax(LOGITS).max(1) * 15).astype(int) % 2
LABELS = (LOGITS.argmax(1) + WRONG) % 4


def by_definition(confidence, right, bins, weights=None):
    """Equation 3: bins (l, u], the gap between accuracy and mean confidence, weighted by size."""
    weights = np.ones(len(confidence)) if weights is None else weights.astype(np.float64)
    edges, error = np.linspace(0, 1, bins + 1), 0.0
    for low, high in itertools.pairwise(edges):
        inside = (confidence > low) & (confidence <= high)
        if weights[inside].sum():
            accuracy = np.average(right[inside], weights=weights[inside])
            sureness = np.average(confidence[inside], weights=weights[inside])
            error += weights[inside].sum() / weights.sum() * abs(accuracy - sureness)
    return error


@pytest.mark.parametrize("bins", [1, 10, 15])
@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_it_is_the_definition_in_every_number_of_bins(bins, weights):
    probabilities = softmax(LOGITS)
    right = probabilities.argmax(1) == LABELS
    expected = by_definition(probabilities.max(1), right, bins, weights)
    found = ECE(LOGITS, LABELS, bins=bins, weights=weights)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    one_hot = np.eye(4, dtype=np.float32)[LABELS]
    np.testing.assert_allclose(ECE(LOGITS, one_hot, bins=bins, weights=weights), found, rtol=1e-6)


@pytest.mark.parametrize("shape", [(500,), (500, 1)])
def test_probabilities_of_two_classes_are_as_sure_of_the_likelier_one(shape):
    probabilities = RANDOM.uniform(size=500).astype(np.float32)
    outcomes = (RANDOM.uniform(size=500) < 0.7).astype(np.float32)
    sureness = np.maximum(probabilities, 1 - probabilities.astype(np.float64))
    expected = by_definition(sureness, (probabilities > 0.5) == outcomes, 15)
    found = ECE(probabilities.reshape(shape), outcomes.reshape(shape))
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_a_calibrated_model_is_near_zero_and_a_sharper_one_is_not():
    """Labels drawn from the model's own probabilities; 20,000 of them leave at most 1.5%."""
    logits = 2 * RANDOM.standard_normal((20_000, 3)).astype(np.float32)
    draws = RANDOM.uniform(size=(20_000, 1))
    labels = (softmax(logits).cumsum(1) < draws).sum(1)
    assert ECE(logits, labels) <= 0.015
    assert ECE(3 * logits, labels) >= 0.1


def test_an_example_of_weight_zero_may_hold_anything():
    logits, labels = LOGITS.copy(), LABELS.copy()
    logits[7], labels[9] = np.nan, 99
    weights = np.ones(500, np.float32)
    weights[[7, 9]] = 0
    kept = np.delete(np.arange(500), [7, 9])
    expected = ECE(LOGITS[kept], LABELS[kept])
    np.testing.assert_allclose(ECE(logits, labels, weights=weights), expected, rtol=1e-5)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_has_no_meaning_gives_nan_under_jit(value):
    logits = LOGITS.copy()
    logits[3, 1] = value
    assert jnp.isnan(jax.jit(ECE)(logits, LABELS))
    assert jnp.isnan(jax.jit(ECE)(LOGITS, LABELS + 1))


def test_fit_can_watch_it_and_knows_which_way_is_better():
    assert ECE.better == "min"


@pytest.mark.parametrize(
    ("misuse", "error", "message"),
    [
        (
            lambda: ECE(softmax(LOGITS).astype(np.float32), LABELS),
            ArgumentValueError,
            "expected_calibration_error: predictions must be logits; got probabilities that sum to "
            "1 in each example. Leave out jn.softmax: cross_entropy applies it; nll takes "
            "jn.log_softmax.",
        ),
        (
            lambda: ECE(LOGITS, LABELS, bins=0),
            ArgumentValueError,
            "expected_calibration_error: bins must be a whole number of at least 1; got 0. Pass "
            "bins=10, for example.",
        ),
        (
            lambda: ECE(LOGITS, LABELS.astype(np.float32)),
            ArgumentTypeError,
            "expected_calibration_error: targets must be integer labels; got float32[500]. "
            "Convert class labels with targets.astype(jnp.int32).",
        ),
    ],
)
def test_misuse_is_named(misuse, error, message):
    with pytest.raises(error) as caught:
        misuse()
    assert str(caught.value) == message
