"""Metrics against counts made with plain Python and NumPy, and their conventions."""

import functools
import pickle
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxnets import losses, metrics
from jaxnets.errors import ArgumentTypeError, ArgumentValueError

CLASSES = 4
SEEDS = st.integers(0, 2**32 - 1)
SCORES = jnp.array([[0.1, 0.7, 0.2], [0.5, 0.2, 0.3], [0.2, 0.3, 0.5], [0.6, 0.3, 0.1]])
LABELS = jnp.array([1, 2, 2, 1])
COLUMN, ROW = jnp.array([[0.9], [0.2], [0.6], [0.4]]), jnp.array([1.0, 0.0, 0.0, 1.0])


def scored(seed, size=50):
    random = np.random.default_rng(seed)
    scores = random.normal(size=(size, CLASSES)).astype(np.float32)
    return scores, random.integers(0, CLASSES, size)


def counted(predicted, true, classes):
    """The confusion matrix, one example after the other."""
    matrix = np.zeros((classes, classes), int)
    for p, t in zip(np.ravel(predicted), np.ravel(true), strict=True):
        matrix[int(t), int(p)] += 1
    return matrix


def ratio(part, whole):
    return part / whole if whole else 0.0


def rates(matrix):
    """Precision, recall and F1 of each class, by their definitions."""
    rows = []
    for c in range(len(matrix)):
        hits, called, true = matrix[c, c], matrix[:, c].sum(), matrix[c].sum()
        precision, recall = ratio(hits, called), ratio(hits, true)
        rows.append((precision, recall, ratio(2 * precision * recall, precision + recall)))
    return np.array(rows).T


@settings(max_examples=30)
@given(seed=SEEDS)
def test_accuracy_is_the_share_of_labels_among_the_k_largest_scores(seed):
    scores, labels = scored(seed)
    order = np.argsort(-scores, axis=-1)
    for k in range(1, CLASSES + 1):
        expected = np.mean([label in row[:k] for label, row in zip(labels, order, strict=True)])
        np.testing.assert_allclose(metrics.accuracy(scores, labels, top_k=k), expected, rtol=1e-6)


def test_of_equal_scores_the_first_counts_as_larger():
    equal = jnp.zeros((3, 3))
    labels = jnp.array([0, 1, 2])
    shares = [float(metrics.accuracy(equal, labels, top_k=k)) for k in (1, 2, 3)]
    np.testing.assert_allclose(shares, [1 / 3, 2 / 3, 1], rtol=1e-6)
    assert metrics.confusion_matrix(equal, labels).tolist() == [[1, 0, 0], [1, 0, 0], [1, 0, 0]]


def test_binary_accuracy_takes_one_half_as_class_zero():
    """The course's XOR with one layer ends at 0.5 for all four rows: accuracy 0.5."""
    half, xor = jnp.full((4, 1), 0.5), jnp.array([[0.0], [1.0], [1.0], [0.0]])
    assert metrics.accuracy(half, xor) == 0.5
    assert metrics.confusion_matrix(half, xor).tolist() == [[2, 0], [2, 0]]


@pytest.mark.parametrize("dtype", [bool, "int32", "float32"])
def test_binary_targets_may_have_any_type(dtype):
    assert metrics.accuracy(COLUMN[:, 0], ROW.astype(dtype)) == 0.5


def test_accuracy_with_weights_leaves_out_what_pads_a_batch():
    padded = jnp.concatenate([SCORES, jnp.full((2, 3), jnp.nan)])
    labels = jnp.concatenate([LABELS, jnp.array([-1, 99])])
    weights = jnp.array([1, 1, 1, 1, 0, 0])
    assert metrics.accuracy(padded, labels, weights=weights) == metrics.accuracy(SCORES, LABELS)
    assert metrics.accuracy(SCORES, LABELS, weights=jnp.array([3.0, 1.0, 0.0, 0.0])) == 0.75


@settings(max_examples=30)
@given(seed=SEEDS)
def test_confusion_matrix_and_rates_are_those_counted_one_by_one(seed):
    scores, labels = scored(seed)
    predicted = scores.argmax(-1)
    matrix = counted(predicted, labels, CLASSES)
    np.testing.assert_array_equal(metrics.confusion_matrix(scores, labels), matrix)
    from_labels = metrics.confusion_matrix(predicted, labels, classes=CLASSES)
    np.testing.assert_array_equal(from_labels, matrix)
    expected = rates(matrix)
    result = metrics.precision_recall_f1(scores, labels)
    np.testing.assert_allclose(jnp.stack(result), expected, rtol=1e-6)
    macro = metrics.precision_recall_f1(scores, labels, average="macro")
    np.testing.assert_allclose(jnp.stack(macro), expected.mean(-1), rtol=1e-6)
    micro = metrics.precision_recall_f1(scores, labels, average="micro")
    np.testing.assert_allclose(jnp.stack(micro), metrics.accuracy(scores, labels), rtol=1e-6)


def test_rates_of_two_classes_by_hand():
    """3 true positives, 1 false positive, 2 false negatives, 4 true negatives."""
    predicted = jnp.array([1, 1, 1, 1, 0, 0, 0, 0, 0, 0]) * 0.8 + 0.1
    true = jnp.array([1, 1, 1, 0, 1, 1, 0, 0, 0, 0])
    result = metrics.precision_recall_f1(predicted, true)
    np.testing.assert_allclose(result.precision, [4 / 6, 3 / 4], rtol=1e-6)
    np.testing.assert_allclose(result.recall, [4 / 5, 3 / 5], rtol=1e-6)
    np.testing.assert_allclose(result.f1, [8 / 11, 6 / 9], rtol=1e-6)


def test_nothing_over_nothing_is_zero():
    result = metrics.precision_recall_f1(jnp.array([0, 0]), jnp.array([0, 1]), classes=3)
    assert result.precision.tolist() == [0.5, 0, 0]
    assert result.recall.tolist() == [1, 0, 0]
    np.testing.assert_allclose(result.f1, [2 / 3, 0, 0], rtol=1e-6)


@pytest.mark.parametrize("shape", [(30,), (30, 3)])
def test_r2_is_one_minus_the_unexplained_share_of_each_output(shape):
    random = np.random.default_rng(1)
    targets = random.normal(5, 2, shape).astype(np.float32)
    predictions = (targets + random.normal(0, 1, shape)).astype(np.float32)
    p, y = predictions.astype(np.float64), targets.astype(np.float64)
    expected = np.mean(1 - np.mean((y - p) ** 2, 0) / np.var(y, 0))
    np.testing.assert_allclose(metrics.r2(predictions, targets), expected, rtol=1e-5)


def test_r2_of_constant_targets_is_one_or_zero():
    constant = jnp.full(3, 2.0)
    assert metrics.r2(constant, constant) == 1
    assert metrics.r2(jnp.array([2.0, 2.0, 2.1]), constant) == 0
    assert jnp.isnan(metrics.r2(jnp.array([2.0, 2.0, jnp.nan]), constant))


def test_regression_losses_are_metrics_by_name():
    for name in ("mse", "mae", "rmse"):
        assert getattr(metrics, name) is getattr(losses, name)


@pytest.mark.parametrize(
    "metric",
    [
        metrics.accuracy,
        functools.partial(metrics.accuracy, top_k=2),
        metrics.confusion_matrix,
        metrics.precision_recall_f1,
        functools.partial(metrics.precision_recall_f1, average="macro"),
    ],
)
def test_jit_and_vmap_agree_with_plain_calls(metric):
    batches = [scored(seed) for seed in range(3)]
    scores, labels = (jnp.stack(arrays) for arrays in zip(*batches, strict=True))
    plain = [metric(*batch) for batch in batches]
    stacked = jax.tree.map(lambda *rows: jnp.stack(rows), *plain)
    mapped = jax.jit(jax.vmap(metric))(scores, labels)
    jax.tree.map(functools.partial(np.testing.assert_allclose, rtol=1e-6), mapped, stacked)


def test_axes_before_the_classes_are_all_examples():
    scores, labels = scored(2, 24)
    folded = scores.reshape(2, 3, 4, CLASSES), labels.reshape(2, 3, 4)
    assert metrics.accuracy(*folded) == metrics.accuracy(scores, labels)
    np.testing.assert_array_equal(
        metrics.confusion_matrix(*folded), metrics.confusion_matrix(scores, labels)
    )


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_shares_of_narrow_predictions_are_float32(dtype):
    scores, labels = scored(3, 1000)
    share = metrics.accuracy(jnp.asarray(scores, dtype), labels)
    expected = metrics.accuracy(jnp.asarray(scores, dtype).astype(jnp.float32), labels)
    assert share.dtype == jnp.float32
    assert share == expected


@pytest.mark.parametrize("label", [3, -1, 2**31 - 1])
def test_a_label_out_of_range_gives_nan_under_jit_and_is_not_counted(label):
    labels = LABELS.at[0].set(label)
    assert jnp.isnan(jax.jit(metrics.accuracy)(SCORES, labels))
    assert jnp.isnan(jax.jit(metrics.precision_recall_f1)(SCORES, labels).f1).all()
    assert jax.jit(metrics.confusion_matrix)(SCORES, labels).sum() == 3


def test_scores_and_probabilities_without_a_meaning_give_nan_under_jit():
    assert jnp.isnan(metrics.accuracy(SCORES.at[0, 2].set(jnp.nan), LABELS))
    assert jnp.isnan(jax.jit(metrics.accuracy)(5 * COLUMN, ROW.reshape((4, 1))))
    assert jnp.isnan(jax.jit(metrics.accuracy)(COLUMN, 2 * ROW.reshape((4, 1))))


@pytest.mark.parametrize("dtype", [bool, "int32", "float32"])
def test_one_hot_targets_give_what_labels_give(dtype):
    scores, labels = scored(4)
    one_hot = jax.nn.one_hot(labels, CLASSES).astype(dtype)
    for k in (1, 2):
        expected = metrics.accuracy(scores, labels, top_k=k)
        assert metrics.accuracy(scores, one_hot, top_k=k) == expected
        assert jax.jit(functools.partial(metrics.accuracy, top_k=k))(scores, one_hot) == expected
    np.testing.assert_array_equal(
        metrics.confusion_matrix(scores, one_hot), metrics.confusion_matrix(scores, labels)
    )
    f1 = metrics.precision_recall_f1(scores, one_hot, average="micro").f1
    np.testing.assert_allclose(f1, metrics.accuracy(scores, labels), rtol=1e-6)


def test_targets_with_a_class_axis_that_are_not_one_hot_give_nan_under_jit():
    several = jnp.array([[1.0, 1.0, 0.0]] * 4)
    assert jnp.isnan(jax.jit(metrics.accuracy)(SCORES, several))
    assert jax.jit(metrics.confusion_matrix)(SCORES, several).sum() == 0


@pytest.mark.parametrize("constant", [1 / 3, 0.1, 1e-30, 1e30])
def test_r2_of_constant_targets_that_rounding_moves_from_their_mean(constant):
    """0 by its definition here; by the formula it was the inverse of a rounding error."""
    targets = jnp.full(7, constant, jnp.float32)
    assert metrics.r2(1.1 * targets, targets) == 0
    assert metrics.r2(targets, targets) == 1
    columns = jnp.stack([targets, jnp.arange(7.0)], axis=1)
    assert metrics.r2(columns * jnp.array([[1.1, 1.0]]), columns) == 0.5


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_r2_of_targets_whose_squares_are_beyond_the_type(scale):
    """1 - (0 + 0 + 1) / (14/3), whatever the unit."""
    targets = jnp.array([1.0, 2.0, 4.0]) * jnp.float32(scale)
    predictions = jnp.array([1.0, 2.0, 3.0]) * jnp.float32(scale)
    np.testing.assert_allclose(metrics.r2(predictions, targets), 1 - 3 / 14, rtol=1e-6)


NO_ARRAYS = [None, len, {}, 10**100, np.float32, "text", [1, [2]], np.array([None])]
DECIDING = [metrics.accuracy, metrics.confusion_matrix, metrics.precision_recall_f1, metrics.r2]


@pytest.mark.parametrize("value", NO_ARRAYS, ids=str)
@pytest.mark.parametrize("metric", DECIDING, ids=lambda metric: metric.__name__)
def test_what_is_no_array_of_numbers_is_refused_in_the_words_of_the_library(metric, value):
    for call in (metric, metric.check_values):
        message = rf"^{metric.__name__}: predictions must be (an array of numbers|floating); got "
        with pytest.raises(ArgumentTypeError, match=message):
            call(value, LABELS)
        with pytest.raises(ArgumentTypeError, match=rf"^{metric.__name__}: targets must be an arr"):
            call(SCORES, value)
    with pytest.raises(ArgumentTypeError, match=rf"^{metric.__name__}: predictions must be given"):
        metric()


def test_check_values_reads_targets_while_predictions_are_shapes():
    shape = jax.ShapeDtypeStruct((4, 3), jnp.float32)
    assert metrics.accuracy.check_values(shape, LABELS) is None
    with pytest.raises(
        ArgumentValueError, match=r"class labels in \[0, 3\); got 3 at index \(1,\)"
    ):
        metrics.accuracy.check_values(shape, LABELS + 1)
    with pytest.raises(ArgumentValueError, match=r"be probabilities in \[0, 1\]; got 4.5"):
        metrics.accuracy.check_values(5 * COLUMN, ROW.reshape((4, 1)))


def test_metrics_can_be_pickled_and_tab_completion_shows_what_is_public():
    for metric in DECIDING:
        assert pickle.loads(pickle.dumps(metric)) is metric
    assert dir(metrics) == metrics.__all__


CLASS_SHAPES = "targets must have shape (4,) for class labels or (4, 3) for probabilities; got "
FROM_ZERO = (
    "Labels count from 0: subtract 1 if yours count from 1, or give predictions more classes."
)
MISUSES = {
    "column against row": (
        lambda: metrics.accuracy(COLUMN, ROW),
        "accuracy: targets must have the shape of predictions, (4, 1); got (4,). "
        "Reshape them with targets.reshape((4, 1)).",
        lambda: metrics.accuracy(COLUMN, ROW.reshape((4, 1))),
    ),
    "labels as a column": (
        lambda: metrics.accuracy(SCORES, LABELS.reshape((4, 1))),
        f"accuracy: {CLASS_SHAPES}(4, 1). Reshape them with targets.reshape((4,)).",
        lambda: metrics.accuracy(SCORES, LABELS.reshape((4, 1)).reshape((4,))),
    ),
    "float labels": (
        lambda: metrics.accuracy(SCORES, LABELS.astype(float)),
        "accuracy: targets must be integer labels; got float32[4]. "
        "Convert class labels with targets.astype(jnp.int32).",
        lambda: metrics.accuracy(SCORES, LABELS.astype(float).astype(jnp.int32)),
    ),
    "integer predictions": (
        lambda: metrics.accuracy(LABELS, LABELS),
        "accuracy: predictions must be floating; got int32[4]. "
        "Convert it with predictions.astype(jnp.float32).",
        lambda: metrics.accuracy((LABELS > 1).astype(jnp.float32), LABELS > 1),
    ),
    "label out of range": (
        lambda: metrics.accuracy(SCORES, LABELS + 1),
        f"accuracy: targets must be class labels in [0, 3); got 3 at index (1,). {FROM_ZERO}",
        lambda: metrics.accuracy(SCORES, LABELS + 1 - 1),
    ),
    "logits against 0 and 1": (
        lambda: metrics.accuracy(4 * ROW, ROW),
        "accuracy: predictions must be probabilities in [0, 1]; got 4.0 at index (0,). "
        "Apply jn.sigmoid to logits.",
        lambda: metrics.accuracy(jax.nn.sigmoid(4 * ROW), ROW),
    ),
    "several classes at once": (
        lambda: metrics.accuracy(SCORES, jnp.ones((4, 3))),
        "accuracy: targets must be one-hot, a single 1 in each example; got [1. 1. 1.] at index "
        "(0,). Compare independent outcomes one by one, both sides with .reshape(-1).",
        lambda: metrics.accuracy(SCORES.reshape(-1), jnp.ones((4, 3)).reshape(-1)),
    ),
    "scores against one label too few": (
        lambda: metrics.accuracy(SCORES, LABELS[:3]),
        f"accuracy: {CLASS_SHAPES}(3,). Give one label, or one row of probabilities, for each "
        "example.",
        lambda: metrics.accuracy(SCORES, LABELS),
    ),
    "neither 0 nor 1": (
        lambda: metrics.accuracy(ROW, 2 * ROW),
        "accuracy: targets must be 0 or 1; got 2.0 at index (0,). "
        "Give class labels one axis fewer than the scores of their classes.",
        lambda: metrics.accuracy(SCORES, 2 * ROW.astype(int)),
    ),
    "more than all classes": (
        lambda: metrics.accuracy(SCORES, LABELS, top_k=4),
        "accuracy: top_k must be at most 3 for these predictions; got 4. Pass top_k=3.",
        lambda: metrics.accuracy(SCORES, LABELS, top_k=3),
    ),
    "none of the classes": (
        lambda: metrics.accuracy(SCORES, LABELS, top_k=0),
        "accuracy: top_k must be a whole number of at least 1; got 0. Pass top_k=10, for example.",
        lambda: metrics.accuracy(jnp.zeros((4, 10)), LABELS, top_k=10),
    ),
    "top 2 of probabilities": (
        lambda: metrics.accuracy(ROW, ROW, top_k=2),
        "accuracy: top_k must be at most 1 for these predictions; got 2. Pass top_k=1.",
        lambda: metrics.accuracy(ROW, ROW, top_k=1),
    ),
    "classes unknown": (
        lambda: metrics.confusion_matrix(LABELS, LABELS),
        "confusion_matrix: classes must be given with integer predictions; got None. "
        "Pass classes=10, for example.",
        lambda: metrics.confusion_matrix(LABELS, LABELS, classes=10),
    ),
    "classes contradicted": (
        lambda: metrics.confusion_matrix(SCORES, LABELS, classes=4),
        "confusion_matrix: classes must be 3, as the predictions have it; got 4. "
        "Pass classes=3 or leave it out.",
        lambda: metrics.confusion_matrix(SCORES, LABELS, classes=3),
    ),
    "float labels against labels": (
        lambda: metrics.confusion_matrix(LABELS, LABELS.astype(float), classes=3),
        "confusion_matrix: targets must be integer labels; got float32[4]. "
        "Convert class labels with targets.astype(jnp.int32).",
        lambda: metrics.confusion_matrix(LABELS, LABELS.astype(float).astype(jnp.int32), classes=3),
    ),
    "predicted label out of range": (
        lambda: metrics.confusion_matrix(LABELS, LABELS, classes=2),
        "confusion_matrix: predictions must be class labels in [0, 2); got 2 at index (1,). "
        f"{FROM_ZERO}",
        lambda: metrics.confusion_matrix(LABELS, LABELS, classes=3),
    ),
    "true label out of range": (
        lambda: metrics.precision_recall_f1(SCORES, LABELS - 2),
        "precision_recall_f1: targets must be class labels in [0, 3); got -1 at index (0,). "
        f"{FROM_ZERO}",
        lambda: metrics.precision_recall_f1(SCORES, LABELS),
    ),
    "unknown average": (
        lambda: metrics.precision_recall_f1(SCORES, LABELS, average="weighted"),
        "precision_recall_f1: average must be one of 'macro', 'micro'; got 'weighted'. "
        "Pass average='macro'.",
        lambda: metrics.precision_recall_f1(SCORES, LABELS, average="macro"),
    ),
    "r2 of column and row": (
        lambda: metrics.r2(COLUMN, ROW),
        "r2: targets must have the shape of predictions, (4, 1); got (4,). "
        "Reshape them with targets.reshape((4, 1)).",
        lambda: metrics.r2(COLUMN, ROW.reshape((4, 1))),
    ),
    "r2 of one number": (
        lambda: metrics.r2(jnp.array(1.0), jnp.array(1.0)),
        "r2: predictions must have a batch axis; got (). "
        "Give them one with predictions.reshape((1,)).",
        lambda: metrics.r2(jnp.array(1.0).reshape((1,)), jnp.array([1.0])),
    ),
}


@pytest.mark.parametrize(("wrong", "message", "right"), MISUSES.values(), ids=MISUSES)
def test_misuse_says_what_is_wrong_and_the_advice_works(wrong, message, right):
    with pytest.raises((ArgumentValueError, ArgumentTypeError), match=re.escape(message)) as raised:
        wrong()
    assert str(raised.value) == message
    assert jax.tree.all(jax.tree.map(lambda array: jnp.isfinite(array).all(), right()))
