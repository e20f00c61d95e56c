"""Losses of classes: confident answers, logits made in one program with their loss, distributions.

The value of label 0 with logits (x, 0, 0) is log(1 + 2 e^-x), and its derivative by x is
-2 / (e^x + 2); both are taken in float64.
"""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets import losses
from jaxnets.errors import ArgumentValueError

ONE_HOT = jnp.array([[1.0, 0.0, 0.0]])
LOGITS = jnp.array([[1.0, -0.5, 0.3]])
VALUE = ArgumentValueError


@pytest.mark.parametrize("targets", [jnp.array([0]), ONE_HOT], ids=["label", "one-hot"])
@pytest.mark.parametrize("x", [1.0, 10.0, 20.0, 60.0, 87.0])
def test_confident_right_answers_keep_their_digits(x, targets):
    value, slopes = jax.value_and_grad(losses.cross_entropy)(jnp.array([[x, 0.0, 0.0]]), targets)
    other = 1 / (math.exp(x) + 2)
    np.testing.assert_allclose(value, math.log1p(2 * math.exp(-x)), rtol=1e-6)
    np.testing.assert_allclose(slopes, [[-2 * other, other, other]], rtol=1e-6)


def test_a_certain_answer_costs_nothing_and_no_minus():
    value = losses.cross_entropy(jnp.array([[1000.0, 0.0]]), jnp.array([0]))
    assert f"{value:.1f}" == "0.0"


def test_hessian_is_that_of_the_softmax():
    """diag(p) - p p^T, whatever the label, and among ties too."""
    for logits in (LOGITS, jnp.zeros((1, 3)), jnp.array([[2.0, 2.0, -1.0]])):
        p = np.asarray(jax.nn.softmax(logits[0]), np.float64)
        hessian = jax.hessian(losses.cross_entropy)(logits, jnp.array([1]))[0, :, 0]
        np.testing.assert_allclose(hessian, np.diag(p) - np.outer(p, p), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("scale", [1e3, 1e12, 1e30, 1e38])
def test_scaled_logits_in_one_program_with_the_loss(scale):
    """XLA makes the product again inside of the exponentials, with another rounding."""

    def loss(logits, label):
        return losses.cross_entropy(logits / jnp.float32(0.7), jnp.array([label]))

    logits = LOGITS * jnp.float32(scale)
    value, slopes = jax.jit(jax.value_and_grad(loss))(logits, 0)
    assert value == 0
    assert slopes.tolist() == [[0, 0, 0]]
    value, slopes = jax.jit(jax.value_and_grad(loss))(logits, 1)
    np.testing.assert_allclose(value, 1.5 / 0.7 * scale, rtol=1e-6)
    np.testing.assert_allclose(slopes, [[1 / 0.7, -1 / 0.7, 0]], rtol=1e-6)


def test_label_smoothing_may_be_traced_and_zero():
    impossible = jnp.array([[1.0, 2.0, -jnp.inf]])

    def loss(logits, share):
        return losses.cross_entropy(logits, jnp.array([0]), label_smoothing=share)

    plain = losses.cross_entropy(LOGITS, jnp.array([0]), label_smoothing=0.1)
    np.testing.assert_allclose(jax.jit(loss)(LOGITS, 0.1), plain, rtol=1e-6)
    value, slopes = jax.jit(jax.value_and_grad(loss))(impossible, 0.0)
    np.testing.assert_allclose(value, math.log1p(math.e), rtol=1e-6)
    assert jnp.isfinite(slopes).all()


@pytest.mark.parametrize("loss", [losses.cross_entropy, losses.nll, losses.kl_divergence])
def test_a_single_class_is_refused(loss):
    """Its loss and its gradient would be 0 for ever."""
    targets = jnp.ones((4, 1)) if loss is losses.kl_divergence else jnp.zeros(4, int)
    message = (
        rf"^{loss.__name__}: predictions must have a last axis of at least two classes; "
        r"got \(4, 1\)\. Let the model end in one output per class; bce_with_logits takes a "
        r"single one\.(\n|$)"
    )
    for call in (loss, jax.jit(loss), loss.check_values):
        with pytest.raises(VALUE, match=message):
            call(jnp.zeros((4, 1)), targets)


def test_a_softmax_before_cross_entropy_is_noticed():
    x = jnp.array([[0.2, 1.0, -1.0], [3.0, 0.0, 0.0]])
    message = r"^cross_entropy: predictions must be logits; got probabilities that sum to 1 in each"
    with pytest.raises(VALUE, match=message):
        losses.cross_entropy.check_values(jax.nn.softmax(x), jnp.array([0, 1]))
    losses.cross_entropy.check_values(x, jnp.array([0, 1]))
    losses.cross_entropy.check_values(jnp.zeros((2, 3)), jnp.array([0, 1]))
    weights = jnp.array([0.0, 1.0])
    padded = jax.nn.softmax(x).at[0].set(5)
    with pytest.raises(VALUE, match=message):
        losses.cross_entropy.check_values(padded, jnp.array([0, 1]), weights=weights)


@pytest.mark.parametrize("loss", [losses.nll, losses.kl_divergence])
def test_probabilities_without_a_logarithm_give_nan(loss):
    """They would make a loss below 0 that falls for ever."""
    p = jax.nn.softmax(LOGITS)
    targets = ONE_HOT if loss is losses.kl_divergence else jnp.array([0])
    assert jnp.isnan(jax.jit(loss)(p, targets))
    assert jnp.isfinite(loss(jnp.log(p), targets))


@pytest.mark.parametrize(
    "loss", [losses.cross_entropy, losses.nll, losses.kl_divergence], ids=lambda f: f.__name__
)
def test_targets_that_are_no_distribution_are_named(loss):
    predictions = jnp.log(jnp.full((2, 3), 1 / 3))
    targets = np.float32([[0.2, 0.3, 0.5], [0.5, 0.5, 0.5]])
    message = (
        rf"^{loss.__name__}: targets must be distributions, which sum to 1 over the classes; "
        r"got \[0\.5 0\.5 0\.5\] at index \(1,\)\. Divide each by its sum; leave an example out "
        r"with a weight of 0\.$"
    )
    check = functools.partial(loss.check_values, predictions)
    with pytest.raises(VALUE, match=message):
        check(targets)
    check(targets / targets.sum(-1, keepdims=True))
    check(targets, weights=jnp.array([1.0, 0.0]))
    check(jnp.asarray(targets[:1].repeat(2, 0), jnp.bfloat16))
