"""What holds for every loss: weights, reductions, types, transformations and data checks."""

import functools
import inspect
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxnets import losses
from jaxnets.contracts import data
from jaxnets.errors import ArgumentTypeError, ArgumentValueError
from jaxnets.losses.contract import check_values

BATCH, CLASSES = 6, 4
LOSSES = [getattr(losses, name) for name in losses.__all__]
LABEL_LOSSES = [losses.cross_entropy, losses.nll]
SEEDS = st.integers(0, 2**32 - 1)

each_loss = pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.__name__)
each_label_loss = pytest.mark.parametrize("loss", LABEL_LOSSES, ids=lambda loss: loss.__name__)


def example(loss, seed=0):
    """Float64 predictions and targets fit for ``loss``, one row an example."""
    random = np.random.default_rng(seed)
    x = random.normal(0, 2, (BATCH, CLASSES))
    log_p = scipy.special.log_softmax(x, -1)
    outcomes = random.integers(0, 2, x.shape).astype(float)
    labels = random.integers(0, CLASSES, BATCH)
    return {
        "bce": (random.uniform(0, 1, x.shape), outcomes),
        "bce_with_logits": (x, outcomes),
        "focal": (x, outcomes),
        "hinge": (x, 2 * outcomes - 1),
        "nll": (log_p, labels),
        "cross_entropy": (x, labels),
        "kl_divergence": (log_p, random.dirichlet(np.ones(CLASSES), BATCH)),
    }.get(loss.__name__, (x, random.normal(0, 2, x.shape)))


def in_dtype(example, dtype):
    return tuple(
        jnp.asarray(array, dtype if array.dtype == np.float64 else None) for array in example
    )


@functools.cache
def compiled_gradient(loss):
    return jax.jit(jax.value_and_grad(loss))


def per_example(weights, values):
    return weights.reshape(weights.shape + (1,) * (values.ndim - weights.ndim))


@each_loss
def test_arguments_have_the_names_of_the_contract(loss):
    parameters = inspect.signature(loss).parameters
    assert list(parameters)[:2] == ["predictions", "targets"]
    assert list(parameters)[-2:] == ["weights", "reduction"]
    options = list(parameters.values())[2:]
    assert {option.kind for option in options} == {inspect.Parameter.KEYWORD_ONLY}
    assert parameters["weights"].default is None
    assert parameters["reduction"].default == "mean"


@pytest.mark.slow
@each_loss
def test_jit_and_vmap_agree_with_plain_calls(loss):
    predictions, targets = in_dtype(example(loss), "float32")
    plain = loss(predictions, targets, reduction="none")
    compiled = jax.jit(loss, static_argnames="reduction")(predictions, targets, reduction="none")
    np.testing.assert_array_equal(compiled, plain)
    rows = jax.vmap(functools.partial(loss, reduction="none"))(predictions, targets)
    np.testing.assert_allclose(rows, plain, rtol=1e-6)


@each_loss
def test_dtype_of_the_predictions_is_that_of_the_result_and_the_gradient(loss):
    with jax.enable_x64(True):
        for dtype in ("float16", "bfloat16", "float32", "float64"):
            predictions, targets = in_dtype(example(loss), dtype)
            value, gradient = jax.eval_shape(jax.value_and_grad(loss), predictions, targets)
            assert value.dtype == gradient.dtype == dtype


@each_loss
def test_bfloat16_differs_by_the_rounding_of_the_inputs_only(loss):
    predictions, targets = in_dtype(example(loss), "bfloat16")
    widened = targets if targets.dtype == jnp.int32 else targets.astype(jnp.float32)
    exact = loss(predictions.astype(jnp.float32), widened)
    assert loss(predictions, targets) == exact.astype(jnp.bfloat16)


@pytest.mark.parametrize(("dtype", "size"), [("float16", 60_000), ("bfloat16", 1000)])
def test_narrow_types_neither_overflow_nor_stall_in_the_sum(dtype, size):
    twos = jnp.full(size, 2, dtype)
    assert losses.mse(twos, jnp.zeros_like(twos)) == 4
    assert losses.rmse(twos, jnp.zeros_like(twos)) == 2
    if dtype == "bfloat16":
        assert losses.mse(twos, jnp.zeros_like(twos), reduction="sum") == 4000


@each_loss
@settings(max_examples=10)
@given(seed=SEEDS)
def test_reductions_agree_with_each_other(loss, seed):
    predictions, targets = in_dtype(example(loss, seed), "float32")
    weights = np.random.default_rng(seed).uniform(0, 3, BATCH).astype(np.float32)
    call = functools.partial(loss, predictions, targets, weights=weights)
    power = 2 if loss is losses.rmse else 1
    values = np.asarray(call(reduction="none"), np.float64) ** power
    divisor = (per_example(weights, values) * np.ones(values.shape)).sum()
    np.testing.assert_allclose(call(reduction="sum") ** power, values.sum(), rtol=1e-5)
    np.testing.assert_allclose(call() ** power, values.sum() / divisor, rtol=1e-5)


@each_loss
@settings(max_examples=10)
@given(seed=SEEDS)
def test_weights_of_ones_change_nothing(loss, seed):
    """Not one bit of the values; their sum may be formed in another order."""
    predictions, targets = in_dtype(example(loss, seed), "float32")
    for reduction, tolerance in (("none", 0), ("sum", 5e-7), ("mean", 5e-7)):
        plain = loss(predictions, targets, reduction=reduction)
        weighted = loss(predictions, targets, weights=jnp.ones(BATCH), reduction=reduction)
        np.testing.assert_allclose(weighted, plain, rtol=tolerance)


@each_loss
@settings(max_examples=10)
@given(seed=SEEDS)
def test_permuting_a_batch_permutes_the_values(loss, seed):
    predictions, targets = in_dtype(example(loss, seed), "float32")
    order = np.random.default_rng(seed).permutation(BATCH)
    values = loss(predictions, targets, reduction="none")
    permuted = loss(predictions[order], targets[order], reduction="none")
    np.testing.assert_array_equal(permuted, values[order])


@each_loss
@settings(max_examples=10)
@given(seed=SEEDS)
def test_a_whole_weight_counts_as_so_many_copies(loss, seed):
    predictions, targets = in_dtype(example(loss, seed), "float32")
    times = np.random.default_rng(seed).permutation([0, 0, 1, 1, 1, 3])
    copies = np.repeat(np.arange(BATCH), times)
    for reduction in ("mean", "sum"):
        weighted = loss(predictions, targets, weights=times.astype(np.float32), reduction=reduction)
        repeated = loss(predictions[copies], targets[copies], reduction=reduction)
        np.testing.assert_allclose(weighted, repeated, rtol=1e-5)


@settings(max_examples=30)
@given(seed=SEEDS, shift=st.floats(-1e3, 1e3))
def test_cross_entropy_does_not_change_when_all_logits_shift(seed, shift):
    logits, labels = example(losses.cross_entropy, seed)
    with jax.enable_x64(True):
        value, gradient = jax.value_and_grad(losses.cross_entropy)(jnp.asarray(logits), labels)
        shifted = jax.value_and_grad(losses.cross_entropy)(jnp.asarray(logits + shift), labels)
    np.testing.assert_allclose(shifted[0], value, rtol=1e-10)
    np.testing.assert_allclose(shifted[1], gradient, rtol=1e-9, atol=1e-12)


@each_loss
def test_padding_of_weight_zero_can_hold_anything(loss):
    predictions, targets = (np.array(array) for array in in_dtype(example(loss), "float32"))
    weights = jnp.array([0, 1, 1, 1, 1, 0])
    expected = jax.value_and_grad(loss)(predictions, targets, weights=weights)
    predictions[0], predictions[-1] = np.nan, np.inf
    targets[[0, -1]] = -1 if targets.dtype == np.int32 else np.nan
    value, gradient = jax.value_and_grad(loss)(predictions, targets, weights=weights)
    assert value == expected[0]
    np.testing.assert_array_equal(gradient, expected[1])
    assert (gradient[jnp.array([0, -1])] == 0).all()


@pytest.mark.parametrize("loss", [losses.mse, losses.bce, losses.cross_entropy])
def test_derivatives_by_weights_hold_at_weight_zero_too(loss):
    """Learning to weight examples starts from 0, where nothing may be cut off."""
    predictions, targets = in_dtype(example(loss), "float32")
    total = functools.partial(loss, targets=targets, reduction="sum")
    weights = jnp.zeros(BATCH)
    values = loss(predictions, targets, reduction="none").reshape(BATCH, -1).sum(-1)
    slopes = jax.grad(lambda w: total(predictions, weights=w))(weights)
    np.testing.assert_allclose(slopes, values, rtol=1e-5)
    mixed = jax.jacobian(jax.grad(lambda p, w: total(p, weights=w)), argnums=1)(
        predictions, weights
    )
    plain = jax.grad(total)(predictions)
    np.testing.assert_allclose(mixed.sum(-1), plain, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("loss", [losses.mse, losses.rmse, losses.bce, losses.cross_entropy])
def test_weights_that_sum_to_zero_give_a_mean_of_nan_and_no_gradient(loss):
    predictions, targets = in_dtype(example(loss), "float32")
    value, gradient = jax.value_and_grad(loss)(predictions, targets, weights=jnp.zeros(BATCH))
    assert jnp.isnan(value)
    assert (gradient == 0).all()
    assert loss(predictions, targets, weights=jnp.zeros(BATCH), reduction="sum") == 0


@each_label_loss
def test_ignored_examples_are_as_if_they_were_not_there(loss):
    predictions, labels = in_dtype(example(loss), "float32")
    labels = labels.at[:2].set(-100)
    value, gradient = jax.value_and_grad(loss)(predictions.at[0].set(jnp.nan), labels)
    expected = jax.value_and_grad(loss)(predictions[2:], labels[2:])
    np.testing.assert_allclose(value, expected[0], rtol=1e-6)
    np.testing.assert_allclose(gradient[2:], expected[1], rtol=1e-6)
    assert (gradient[:2] == 0).all()
    everything = jnp.full(BATCH, -100)
    assert jnp.isnan(loss(predictions, everything))
    assert loss(predictions, everything, reduction="sum") == 0


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "int32", "uint32", "int64", "uint64"])
def test_labels_may_have_any_integer_type(dtype):
    loss = losses.cross_entropy
    predictions, labels = example(loss)
    with jax.enable_x64(True):
        typed = jax.jit(loss)(jnp.asarray(predictions), jnp.asarray(labels, dtype))
        plain = loss(jnp.asarray(predictions), jnp.asarray(labels))
    assert typed == plain


@pytest.mark.parametrize("dtype", ["int8", "uint8"])
def test_more_classes_than_a_narrow_label_type_can_count(dtype):
    """A comparison in that type would wrap, and take class 300 for class 44."""
    logits = np.random.default_rng(0).normal(size=(2, 301)).astype(np.float32)
    narrow = jax.jit(losses.cross_entropy)(logits, jnp.array([44, 1], dtype))
    assert narrow == losses.cross_entropy(logits, jnp.array([44, 1]))


@each_label_loss
@pytest.mark.parametrize(
    ("dtype", "label"),
    [
        ("int32", CLASSES),
        ("int32", -1),
        ("int32", -101),
        ("int32", 2**31 - 1),
        ("int32", -(2**31)),
        ("int8", -128),
        ("uint8", 255),
        ("uint32", 2**32 - 1),
        ("uint32", 2**32 - 100),
        ("int64", 2**32 + 1),
        ("int64", -(2**63)),
        ("uint64", 2**64 - 1),
    ],
)
def test_a_label_out_of_range_gives_nan_under_jit(loss, dtype, label):
    predictions, labels = example(loss)
    labels = labels.astype(dtype)
    labels[1] = np.array(label).astype(dtype)
    with jax.enable_x64(True):
        value, gradient = compiled_gradient(loss)(jnp.asarray(predictions), labels)
    assert jnp.isnan(value)
    assert jnp.isnan(gradient).any(-1).all()


@pytest.mark.parametrize(
    ("loss", "prediction", "target"),
    [
        (losses.bce, 1.5, 1.0),
        (losses.bce, -0.5, 0.0),
        (losses.bce, 0.5, 2.0),
        (losses.bce_with_logits, 0.5, -1.0),
        (losses.focal, 0.5, 2.0),
        (losses.hinge, 0.5, 0.0),
    ],
)
def test_data_without_a_meaning_give_nan_under_jit(loss, prediction, target):
    value, gradient = jax.jit(jax.value_and_grad(loss))(jnp.array(prediction), jnp.array(target))
    assert jnp.isnan(value)
    assert jnp.isnan(gradient)


@pytest.mark.parametrize("loss", [losses.cross_entropy, losses.kl_divergence])
def test_probabilities_out_of_range_give_nan_under_jit(loss):
    log_p = jnp.log(jnp.full((2, 2), 0.5))
    values = jax.jit(functools.partial(loss, reduction="none"))(
        log_p, jnp.array([[0.5, 0.5], [-0.5, 1.5]])
    )
    assert jnp.isnan(values).tolist() == [False, True]


@each_label_loss
def test_one_hot_integers_and_probabilities_give_what_labels_give(loss):
    predictions, labels = in_dtype(example(loss), "float32")
    one_hot = jax.nn.one_hot(labels, CLASSES, dtype=int)
    expected = loss(predictions, labels)
    assert loss(predictions, one_hot) == expected
    assert loss(predictions, one_hot.astype(jnp.float32)) == expected


def test_nll_of_log_softmax_is_cross_entropy():
    logits, labels = in_dtype(example(losses.cross_entropy), "float32")
    options = {"class_weights": jnp.array([1.0, 2.0, 3.0, 4.0]), "ignore_index": 2}
    nll = losses.nll(jax.nn.log_softmax(logits), labels, **options)
    assert nll == losses.cross_entropy(logits, labels, **options)


@each_loss
def test_check_values_passes_good_data_without_predictions(loss):
    predictions, targets = in_dtype(example(loss), "float32")
    shape = jax.ShapeDtypeStruct(predictions.shape, predictions.dtype)
    assert loss.check_values(shape, targets) is None
    assert check_values(loss, shape, targets) is None


@pytest.mark.parametrize("wrapped", [False, True])
def test_check_values_names_the_first_bad_label_without_predictions(wrapped):
    shape = jax.ShapeDtypeStruct((3, 4), jnp.float32)
    loss = losses.cross_entropy
    if wrapped:
        loss = functools.partial(loss, label_smoothing=0.1, ignore_index=7)
    message = r"targets must be class labels in \[0, 4\).*; got 4 at index \(1,\)"
    with pytest.raises(ArgumentValueError, match=message):
        check_values(loss, shape, jnp.array([7 if wrapped else 0, 4, 5]))


def test_check_values_looks_at_shapes_and_types_first():
    shape = jax.ShapeDtypeStruct((3, 4), jnp.float32)
    with pytest.raises(ArgumentTypeError, match=r"cross_entropy: targets must be integer labels"):
        losses.cross_entropy.check_values(shape, jnp.array([0.0, 1.0, 9.0]))


def test_check_values_lets_any_other_function_pass():
    assert check_values(lambda predictions, targets: 0.0, jnp.ones(3), jnp.ones(4)) is None


def test_a_label_that_would_wrap_into_range_is_seen_before_it_is_converted():
    """Without float64 enabled JAX makes 2^32 + 1 into 1."""
    with pytest.raises(ArgumentValueError, match=r"got 4294967297 at index \(0,\)"):
        losses.cross_entropy.check_values(jnp.zeros((1, 3)), np.array([2**32 + 1]))


def test_concrete_targets_are_checked_while_predictions_are_traced():
    def checked(predictions, targets):
        losses.bce.check_values(predictions, targets)
        return losses.bce(predictions, targets)

    with pytest.raises(ArgumentValueError, match=r"bce: targets must be probabilities in \[0, 1\]"):
        jax.grad(checked)(jnp.array([0.5]), jnp.array([2.0]))


def test_rounding_above_probability_one_is_no_error():
    assert losses.nll(jnp.log(jnp.array([[1.0000001, 0.0]])), jnp.array([0])) < 0


NO_ARRAYS = [None, len, {}, 10**100, np.float32, "text", [1, [2]], np.array([None]), object]
COMMON = {"predictions", "targets", "weights", "reduction"}


@pytest.mark.parametrize("value", NO_ARRAYS, ids=str)
@each_loss
def test_what_is_no_array_of_numbers_is_refused_in_the_words_of_the_library(loss, value):
    predictions, targets = in_dtype(example(loss), "float32")
    for call in (loss, loss.check_values):
        message = rf"^{loss.__name__}: predictions must be (an array of numbers|floating); got "
        with pytest.raises(ArgumentTypeError, match=message):
            call(value, targets)
        with pytest.raises(ArgumentTypeError, match=rf"^{loss.__name__}: targets must be an array"):
            call(predictions, value)
        if value is not None:
            with pytest.raises(ArgumentTypeError, match=rf"^{loss.__name__}: weights must be an a"):
                call(predictions, targets, weights=value)


@each_loss
def test_missing_arguments_are_named(loss):
    message = (
        rf"^{loss.__name__}: predictions must be given; got nothing\. Call it with predictions and "
        r"targets, or pass the function itself to jn\.fit\.$"
    )
    with pytest.raises(ArgumentTypeError, match=message):
        loss()
    with pytest.raises(ArgumentTypeError, match=rf"^{loss.__name__}: targets must be given"):
        loss(jnp.ones(3))
    with pytest.raises(TypeError, match=rf"^{loss.__name__}\(\) too many positional arguments$"):
        loss(jnp.ones(3), jnp.ones(3), jnp.ones(3))


@each_loss
def test_a_call_reads_no_value(loss, monkeypatch):
    """Of a device array NumPy would make a copy on the host, and wait for it."""
    predictions, targets = in_dtype(example(loss), "float32")
    read = []
    monkeypatch.setattr(data, "np", Watched(read))
    loss(predictions, targets)
    assert not read
    loss.check_values(predictions, targets)
    assert bool(read) == (loss.__name__ not in {"mse", "mae", "rmse", "huber", "smooth_l1"})


class Watched:
    """NumPy, but noting what is made a NumPy array."""

    def __init__(self, read):
        self.read = read

    def __getattr__(self, name):
        if name == "asarray":
            self.read.append(name)
        return getattr(np, name)


@each_loss
def test_losses_can_be_hashed_and_pickled(loss):
    assert pickle.loads(pickle.dumps(loss)) is loss
    assert {loss: 1}[loss] == 1


def test_tab_completion_shows_what_is_public():
    assert dir(losses) == losses.__all__


@each_loss
def test_the_docstring_shows_the_formula_the_derivative_its_options_and_an_example(loss):
    doc = inspect.getdoc(loss)
    assert ".. math::" in doc
    assert r"\partial" in doc or r"\ell'(e)" in doc
    assert "Example:\n  >>> " in doc
    kinked = {"mae", "rmse", "hinge", "bce", "kl_divergence"}
    assert ("derivative" in doc or "gradient" in doc) or loss.__name__ not in kinked
    for option in set(inspect.signature(loss).parameters) - COMMON:
        assert f"  {option}: " in doc


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_a_traced_option_is_not_rounded_to_narrow_predictions(dtype):
    """0.9990001 would be 1 in bfloat16."""
    x = jnp.array([0.5, 3.0], dtype)

    def call(delta):
        return losses.huber(x, jnp.zeros_like(x), delta=delta, reduction="none")

    np.testing.assert_array_equal(jax.jit(call)(0.9990001), call(0.9990001))


def test_options_may_be_an_axis_of_a_sweep():
    x, y = jnp.array([0.5, 3.0]), jnp.zeros(2)
    swept = jax.vmap(lambda delta: losses.huber(x, y, delta=delta))(jnp.array([0.5, 1.0]))
    plain = [losses.huber(x, y, delta=delta) for delta in (0.5, 1.0)]
    np.testing.assert_allclose(swept, plain, rtol=1e-6)
