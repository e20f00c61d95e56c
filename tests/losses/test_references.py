"""Values and gradients of every loss against independent references."""

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special

from jaxnets import losses

FIXTURE = np.load(Path(__file__).parents[1] / "fixtures" / "torch_losses.npz")
CASES = json.loads(str(FIXTURE["cases"]))
ARRAY_OPTIONS = ("class_weights", "pos_weight")
TOLERANCE = {"float32": 1e-6, "float64": 1e-12}
UNDERFLOW = 1e-30
CANCELLING = ("bce_with_logits", "cross_entropy", "kl_divergence")
"""Sums of logarithms that cancel where they are small: exact to the tolerance times at least 1."""


def case_name(number):
    options = [f"{name}={value}" for name, value in CASES[number]["options"].items()]
    return "-".join([CASES[number]["loss"], str(number), *options])


def case_inputs(number, dtype):
    """The loss with its options, predictions and targets."""
    targets = FIXTURE[f"{number}/targets"]
    if not np.issubdtype(targets.dtype, np.integer):
        targets = targets.astype(dtype)
    options = {
        name: np.asarray(value, dtype) if name in ARRAY_OPTIONS else value
        for name, value in CASES[number]["options"].items()
    }
    loss = getattr(losses, CASES[number]["loss"])
    predictions = jnp.asarray(FIXTURE[f"{number}/predictions"], dtype)

    def call(predictions, reduction):
        return loss(predictions, targets, reduction=reduction, **options)

    return call, predictions


def assert_within(actual, expected, tolerance, floor):
    """|actual - expected| <= tolerance max(|expected|, floor), and NaN where NaN is expected."""
    actual = np.asarray(actual, np.float64)
    np.testing.assert_array_equal(np.isnan(actual), np.isnan(expected))
    allowed = tolerance * np.maximum(np.abs(expected), floor)
    excess = np.nan_to_num(np.abs(actual - expected) - allowed)
    assert (excess <= 0).all(), f"off by {excess.max()} at {np.argmax(excess)}"


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("number", range(len(CASES)), ids=case_name)
def test_values_and_gradients_are_those_of_pytorch(number, dtype):
    tolerance, cancelling = TOLERANCE[dtype], CASES[number]["loss"] in CANCELLING
    with jax.enable_x64(dtype == "float64"):
        call, predictions = case_inputs(number, dtype)

        @jax.jit
        def everything(predictions):
            mean, gradient = jax.value_and_grad(call)(predictions, "mean")
            return {"none": call(predictions, "none"), "mean": mean, "gradient": gradient}

        for name, actual in everything(predictions).items():
            expected = FIXTURE[f"{number}/{name}"]
            scale = np.abs(expected).max() if name == "gradient" else 1.0
            assert actual.dtype == dtype
            assert_within(actual, expected, tolerance, scale if cancelling else 0.0)


def test_the_fixture_has_every_loss_of_pytorch_and_hundreds_of_points():
    points = dict.fromkeys(losses.__all__, 0)
    for number, case in enumerate(CASES):
        points[case["loss"]] += FIXTURE[f"{number}/predictions"].size
    assert {name for name, count in points.items() if count < 300} == {"rmse", "focal"}
    assert str(FIXTURE["torch_version"]) == "2.13.0+cpu"


def test_a_gradient_wrong_by_five_percent_is_caught():
    expected = FIXTURE["0/gradient"]
    with pytest.raises(AssertionError, match="off by"):
        assert_within(1.05 * expected, expected, TOLERANCE["float32"], 0.0)


def test_bce_of_the_course_example():
    p, y = jnp.array([0.5639, 0.4057, 0.8600, 0.6237]), jnp.array([1.0, 0.0, 1.0, 0.0])
    assert f"{losses.bce(p, y):.4f}" == "0.5554"


def test_cross_entropy_of_the_course_example():
    """Lab 6 of the course prints these scores, labels and cost; checked with PyTorch 2.13."""
    scores = jnp.array(
        [
            [0.7576, 0.2793, 0.4031, 0.7347, 0.0293],
            [0.7999, 0.3971, 0.7544, 0.5695, 0.4388],
            [0.6387, 0.5247, 0.6826, 0.3051, 0.4635],
        ]
    )
    assert f"{losses.cross_entropy(scores, jnp.array([0, 2, 1])):.4f}" == "1.4689"
    log_p = jax.nn.log_softmax(scores)
    assert f"{losses.nll(log_p, jnp.array([0, 2, 1])):.4f}" == "1.4689"


def test_mse_of_the_course_example():
    """The first cost of the course's linear regression: y = 2, 4, 6 and all-zero outputs."""
    assert f"{losses.mse(jnp.zeros(3), jnp.array([2.0, 4.0, 6.0])):.6f}" == "18.666666"


def focal_reference(x, y, gamma, alpha):
    """Lin et al., equations 3 to 5 and appendix B, in float64: values and derivatives."""
    sign = 2 * y - 1
    log_q = scipy.special.log_expit(sign * x)
    q, miss = np.exp(log_q), scipy.special.expit(-sign * x)
    weight = 1.0 if alpha is None else np.where(y == 1, alpha, 1 - alpha)
    slope = sign * weight * miss**gamma * (gamma * q * log_q - miss)
    return -weight * miss**gamma * log_q, slope


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("gamma", "alpha"), [(2.0, 0.25), (0.0, None), (0.5, 0.75), (5.0, None)])
def test_focal_is_the_formula_of_the_paper(gamma, alpha, dtype):
    random = np.random.default_rng(3)
    edges = np.array([0, 1e-30, 1e-3, 1, 10, 20])
    x = np.concatenate([edges, -edges, random.normal(0, 3, 288)]).astype(np.float32)
    y = random.integers(0, 2, 300).astype(np.float64)
    values, slopes = focal_reference(x.astype(np.float64), y, gamma, alpha)
    # The relative error of a power grows with its exponent, and with that of e^-20.
    tolerance = TOLERANCE[dtype] * max(1, gamma)
    with jax.enable_x64(dtype == "float64"):
        x, y = jnp.asarray(x, dtype), jnp.asarray(y, dtype)

        def total(x):
            return losses.focal(x, y, gamma=gamma, alpha=alpha, reduction="sum")

        actual = losses.focal(x, y, gamma=gamma, alpha=alpha, reduction="none")
        assert_within(actual, values, tolerance, UNDERFLOW)
        assert_within(jax.grad(total)(x), slopes, tolerance, UNDERFLOW)


def test_focal_of_soft_targets_mixes_as_torchvision_does():
    random = np.random.default_rng(4)
    x, y = random.normal(0, 2, 300), random.uniform(0, 1, 300)
    p = scipy.special.expit(x)
    cross_entropy = -(y * np.log(p) + (1 - y) * np.log(1 - p))
    q = p * y + (1 - p) * (1 - y)
    expected = (0.25 * y + 0.75 * (1 - y)) * cross_entropy * (1 - q) ** 2
    with jax.enable_x64(True):
        actual = losses.focal(jnp.asarray(x), jnp.asarray(y), reduction="none")
    np.testing.assert_allclose(actual, expected, rtol=1e-12)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_rmse_is_the_root_of_the_reduced_squares(reduction):
    random = np.random.default_rng(5)
    predictions, targets, weights = random.normal(0, 3, (3, 300)).astype(np.float32)
    weights = np.abs(weights)
    squares = (predictions.astype(np.float64) - targets) ** 2 * weights
    reduced = {"mean": squares.sum() / weights.sum(), "sum": squares.sum(), "none": squares}
    actual = losses.rmse(predictions, targets, weights=weights, reduction=reduction)
    np.testing.assert_allclose(actual, np.sqrt(reduced[reduction]), rtol=1e-6)


def test_gradient_of_rmse_is_error_over_count_and_loss():
    random = np.random.default_rng(6)
    predictions, targets = random.normal(0, 3, (2, 300)).astype(np.float32)
    errors = predictions.astype(np.float64) - targets
    expected = errors / (300 * np.sqrt(np.mean(errors**2)))
    actual = jax.grad(losses.rmse)(predictions, targets)
    np.testing.assert_allclose(actual, expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "options", "prediction", "target", "derivative"),
    [
        ("mae", {}, 2.0, 2.0, 0.0),
        ("rmse", {}, 2.0, 2.0, 0.0),
        ("huber", {"delta": 0.5}, 0.0, 0.0, 0.0),
        ("huber", {"delta": 0.5}, 0.5, 0.0, 0.5),
        ("huber", {"delta": 0.5}, -0.5, 0.0, -0.5),
        ("smooth_l1", {"beta": 0.5}, 0.5, 0.0, 1.0),
        ("smooth_l1", {"beta": 0.5}, -0.5, 0.0, -1.0),
        ("smooth_l1", {"beta": 0.0}, 0.0, 0.0, 0.0),
        ("hinge", {}, 1.0, 1.0, 0.0),
        ("hinge", {}, -1.0, -1.0, 0.0),
        ("hinge", {}, 0.0, -1.0, 1.0),
        ("bce", {}, 0.0, 0.0, 0.0),
        ("bce", {}, 1.0, 1.0, 0.0),
        ("bce", {}, 0.0, 1.0, -1e12),
        ("bce", {}, 1.0, 0.0, 1e12),
        ("bce_with_logits", {}, 0.0, 1.0, -0.5),
        ("bce_with_logits", {}, 1e4, 0.0, 1.0),
        ("bce_with_logits", {}, -1e4, 0.0, 0.0),
        ("focal", {"gamma": 0.5, "alpha": None}, 1e4, 1.0, 0.0),
        ("focal", {"gamma": 0.5, "alpha": None}, 1e4, 0.0, 1.0),
    ],
)
def test_derivative_at_kinks_and_far_out(name, options, prediction, target, derivative):
    loss = getattr(losses, name)
    actual = jax.grad(lambda p: loss(p, jnp.array(target), **options))(jnp.array(prediction))
    np.testing.assert_allclose(actual, derivative, rtol=1e-6)


def test_bce_with_logits_keeps_its_relative_accuracy_far_out():
    """Reference: NumPy in float64. The usual form (1 - y) x - log sigmoid(x) cancels here."""
    x = np.linspace(-60, 60, 241, dtype=np.float32)
    for target in (0.0, 1.0):
        expected = np.logaddexp(0, (1 - 2 * target) * x.astype(np.float64))
        actual = losses.bce_with_logits(x, np.full_like(x, target), reduction="none")
        np.testing.assert_allclose(actual, expected, rtol=1e-6)


def test_kl_divergence_is_that_of_scipy():
    random = np.random.default_rng(7)
    p, q = random.dirichlet(np.ones(6), 300), random.dirichlet(np.ones(6), 300)
    q[0] = [0, 0, 1, 0, 0, 0]
    with jax.enable_x64(True):
        actual = losses.kl_divergence(jnp.log(p), jnp.asarray(q), reduction="none")
    np.testing.assert_allclose(actual, scipy.special.rel_entr(q, p).sum(-1), rtol=1e-11, atol=1e-14)


def test_impossible_classes_cost_nothing_where_their_target_is_zero():
    logits = jnp.array([[1.0, 2.0, -jnp.inf]])
    expected = jax.nn.logsumexp(logits[0, :2]) - 1.0
    for targets in (jnp.array([0]), jnp.array([[1.0, 0.0, 0.0]])):
        value, gradient = jax.value_and_grad(losses.cross_entropy)(logits, targets)
        np.testing.assert_allclose(value, expected, rtol=1e-6)
        assert jnp.isfinite(gradient).all()
    log_p, q = jnp.array([[0.0, -jnp.inf]]), jnp.array([[1.0, 0.0]])
    value, gradient = jax.value_and_grad(losses.kl_divergence)(log_p, q)
    assert value == 0
    assert gradient.tolist() == [[-1.0, 0.0]]


def test_derivative_by_soft_targets_holds_at_zero_too():
    logits, q = jnp.array([[0.3, -1.0, 2.0]]), jnp.array([[0.0, 1.0, 0.0]])
    slope = jax.grad(losses.cross_entropy, argnums=1)(logits, q)
    np.testing.assert_allclose(slope, -jax.nn.log_softmax(logits), rtol=1e-6)
