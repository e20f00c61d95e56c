"""One protocol for everything public: each Model, activation and loss is put through it.

The names come from the modules themselves, so what is added to one of them fails here until it
has an example below.
"""

import functools
import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets import activations, combinators, layers, losses, precision
from jaxnets.activations import log_softmax, sigmoid, softmax, tanh
from jaxnets.combinators import mlp, parallel, perceptron, residual, sequential
from jaxnets.layers import (
    dense,
    dropout,
    embedding,
    flatten,
    layer_norm,
    parametric_relu,
    rms_norm,
)
from jaxnets.model import Model
from jaxnets.precision import with_precision

KEY = jax.random.key(0)
FLOATING = ("float16", "bfloat16", "float32", "float64")
X = np.random.default_rng(0).standard_normal((2, 4, 3)).astype(np.float32)
"""Ordinary points, none at a kink: two examples of four rows of three features."""

LABELS = np.array([[0, 2, 1, 1], [2, 2, 0, 1]], np.int32)

MODELS = {
    "dense": lambda: (dense(5), X),
    "dropout": lambda: (dropout(0.5), X),
    "embedding": lambda: (embedding(3, 5), LABELS),
    "flatten": lambda: (flatten(), X),
    "layer_norm": lambda: (layer_norm(), X),
    "mlp": lambda: (mlp([5, 2], tanh, dropout_rate=0.5), X),
    "parallel": lambda: (parallel(dense(3), dropout(0.5)), X),
    "parametric_relu": lambda: (parametric_relu(), X),
    "perceptron": lambda: (perceptron(), X),
    "residual": lambda: (residual(sequential(dense(3), tanh)), X),
    "rms_norm": lambda: (rms_norm(), X),
    "sequential": lambda: (sequential(dense(5), dropout(0.5), hidden_in_a_user_model()), X),
    "with_precision": lambda: (with_precision(dense(5), compute=jnp.float32), X),
}

ACTIVATION_ARGUMENTS = {"prelu": (np.float32([0.25, 0.5, -0.1]),)}
"""What an activation needs besides x."""

PROBABILITIES = np.asarray(sigmoid(X))
DISTRIBUTIONS = np.asarray(softmax(X[::-1]))
OUTCOMES = (X[::-1] > 0).astype(np.float32)

LOSSES = {
    "bce": (PROBABILITIES, OUTCOMES),
    "bce_with_logits": (X, OUTCOMES),
    "cross_entropy": (X, LABELS),
    "focal": (X, OUTCOMES),
    "hinge": (X, 2 * OUTCOMES - 1),
    "huber": (X, OUTCOMES),
    "kl_divergence": (np.asarray(log_softmax(X)), DISTRIBUTIONS),
    "mae": (X, OUTCOMES),
    "mse": (X, OUTCOMES),
    "nll": (np.asarray(log_softmax(X)), LABELS),
    "rmse": (X, OUTCOMES),
    "smooth_l1": (X, OUTCOMES),
}
"""Predictions and targets."""

MODEL_NAMES = sorted({*layers.__all__, *combinators.__all__, *precision.__all__})
ACTIVATION_NAMES = sorted(activations.__all__)
LOSS_NAMES = sorted(losses.__all__)

ROUNDING = "with_precision"
"""Its purpose is another dtype than that of its input; see test_precision.py."""


def hidden_in_a_user_model():
    inner = dense(2)
    return Model(
        init=lambda key, x: {"mine": inner.init(key, x)},
        apply=lambda params, x, *, key=None: inner.apply(params["mine"], x),
    )


@functools.cache
def model_example(name):
    """A Model of this factory, its parameters and an input."""
    if name not in MODELS:
        pytest.fail(f"{name} has no example: add one to MODELS in {__file__}")
    model, x = MODELS[name]()
    return model, model.init(KEY, x), jnp.asarray(x)


def activation_example(name):
    """A function of x alone."""
    function, arguments = getattr(activations, name), ACTIVATION_ARGUMENTS.get(name, ())
    needed = [
        parameter
        for parameter in list(inspect.signature(function).parameters.values())[1:]
        if parameter.default is inspect.Parameter.empty
    ]
    if len(needed) != len(arguments):
        pytest.fail(f"{name} needs {needed}: add it to ACTIVATION_ARGUMENTS in {__file__}")
    return lambda x: function(x, *arguments)


def loss_example(name):
    if name not in LOSSES:
        pytest.fail(f"{name} has no example: add one to LOSSES in {__file__}")
    predictions, targets = map(jnp.asarray, LOSSES[name])
    return getattr(losses, name), predictions, targets


def assert_trees_close(actual, expected, tolerance=1e-6):
    """Relative to the largest element of each leaf."""
    assert jax.tree.structure(actual) == jax.tree.structure(expected)
    for a, b in zip(jax.tree.leaves(actual), jax.tree.leaves(expected), strict=True):
        a, b = np.asarray(a), np.asarray(b)
        assert (a.shape, a.dtype) == (b.shape, b.dtype)
        np.testing.assert_allclose(a, b, rtol=0, atol=tolerance * np.abs(b).max(initial=1e-30))


def shapes_of(tree):
    return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), tree)


def cast(tree, dtype):
    """Every floating leaf in another type."""
    return jax.tree.map(
        lambda a: a.astype(dtype) if jnp.issubdtype(a.dtype, jnp.floating) else a, tree
    )


def parameters_of(function):
    return list(inspect.signature(function).parameters.values())


def check_transformations(function, x, *, gradient=True):
    """jit and vmap agree with plain calls, and grad with the slope of plain calls."""
    assert_trees_close(jax.jit(function)(x), function(x))
    assert_trees_close(
        jax.jit(jax.vmap(function))(x), jnp.stack([function(example) for example in x])
    )
    if gradient and jnp.issubdtype(x.dtype, jnp.floating):
        check_gradient(function, x)


def check_gradient(function, tree):
    """Along a random direction, against a central difference of plain calls, in float64."""
    with jax.enable_x64(True):
        tree = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float64), tree)
        rng = np.random.default_rng(1)
        direction = jax.tree.map(lambda leaf: jnp.asarray(rng.standard_normal(leaf.shape)), tree)

        def along(t):
            moved = jax.tree.map(lambda leaf, step: leaf + t * step, tree, direction)
            # The cosine makes a weighted sum of the outputs, or else softmax always sums to 1.
            y = function(moved)
            return (y * jnp.cos(jnp.arange(y.size)).reshape(y.shape)).sum()

        def slope_and_difference():
            return jax.grad(along)(0.0), (along(1e-5) - along(-1e-5)) / 2e-5

        slope, difference = jax.jit(slope_and_difference)()
        np.testing.assert_allclose(slope, difference, rtol=1e-6, atol=1e-8)


def apply_with_key(model):
    return lambda params, x: model.apply(params, x, key=KEY)


class TestModels:
    @pytest.mark.parametrize("name", MODEL_NAMES)
    def test_argument_names(self, name):
        model, _, _ = model_example(name)
        assert [p.name for p in parameters_of(model.init)] == ["key", "x"]
        params, x, key = parameters_of(model.apply)
        assert (params.name, x.name, key.name) == ("params", "x", "key")
        assert (key.kind, key.default) == (inspect.Parameter.KEYWORD_ONLY, None)

    @pytest.mark.parametrize("name", MODEL_NAMES)
    def test_init_and_apply_agree_on_shapes(self, name):
        model, params, x = model_example(name)
        example = jax.ShapeDtypeStruct(x.shape, x.dtype)
        abstract = jax.eval_shape(model.init, KEY, example)
        assert abstract == shapes_of(params)
        output = jax.eval_shape(model.apply, abstract, example)
        assert output == shapes_of(model.apply(params, x))

    @pytest.mark.parametrize("name", MODEL_NAMES)
    def test_parameters_are_nested_dicts_of_arrays_that_the_key_decides(self, name):
        model, params, x = model_example(name)

        def walk(node):
            if isinstance(node, dict):
                assert all(isinstance(key, str) for key in node)
                return [leaf for child in node.values() for leaf in walk(child)]
            return [node]

        assert all(isinstance(leaf, jax.Array) for leaf in walk(params))
        struct = jax.ShapeDtypeStruct(x.shape, x.dtype)
        assert_trees_close(jax.jit(model.init, static_argnums=1)(KEY, struct), params)

    @pytest.mark.parametrize("name", MODEL_NAMES)
    def test_transformations(self, name):
        model, params, x = model_example(name)
        check_transformations(functools.partial(model.apply, params), x, gradient=name != ROUNDING)
        if params and name != ROUNDING:
            check_gradient(lambda params: model.apply(params, x), params)

    @pytest.mark.parametrize("name", MODEL_NAMES)
    def test_a_key_gives_the_same_draw_under_jit(self, name):
        model, params, x = model_example(name)
        drawn = model.apply(params, x, key=KEY)
        assert_trees_close(jax.jit(model.apply)(params, x, key=KEY), drawn)
        assert shapes_of(drawn) == shapes_of(model.apply(params, x))

    @pytest.mark.parametrize("dtype", FLOATING)
    @pytest.mark.parametrize("name", [name for name in MODEL_NAMES if name != ROUNDING])
    @pytest.mark.usefixtures("x64")
    def test_dtype_in_is_dtype_out(self, name, dtype):
        model, x = (embedding(3, 5, dtype=dtype), LABELS) if name == "embedding" else MODELS[name]()
        x = cast(jnp.asarray(x), dtype)
        params = jax.eval_shape(model.init, KEY, x)
        assert {leaf.dtype for leaf in jax.tree.leaves(params)} <= {jnp.dtype(dtype)}
        assert jax.eval_shape(model.apply, params, x).dtype == dtype
        assert jax.eval_shape(apply_with_key(model), params, x).dtype == dtype


class TestActivations:
    @pytest.mark.parametrize("name", ACTIVATION_NAMES)
    def test_argument_names(self, name):
        first, *others = parameters_of(getattr(activations, name))
        assert first.name == "x"
        for parameter in others:
            optional = parameter.default is not inspect.Parameter.empty
            assert (parameter.kind is inspect.Parameter.KEYWORD_ONLY) == optional

    @pytest.mark.parametrize("name", ACTIVATION_NAMES)
    def test_transformations(self, name):
        check_transformations(activation_example(name), jnp.asarray(X))

    @pytest.mark.parametrize("name", ACTIVATION_NAMES)
    def test_is_a_layer(self, name):
        function = activation_example(name)
        net = sequential(dense(3), function)
        params = net.init(KEY, X)
        assert list(params) == ["0"]
        assert jax.eval_shape(net.apply, params, X).shape == X.shape

    @pytest.mark.parametrize("dtype", FLOATING)
    @pytest.mark.parametrize("name", ACTIVATION_NAMES)
    @pytest.mark.usefixtures("x64")
    def test_dtype_in_is_dtype_out(self, name, dtype):
        y = jax.eval_shape(activation_example(name), jnp.asarray(X, dtype))
        assert (y.shape, y.dtype) == (X.shape, jnp.dtype(dtype))


class TestLosses:
    @pytest.mark.parametrize("name", LOSS_NAMES)
    def test_argument_names(self, name):
        predictions, targets, *options = parameters_of(getattr(losses, name))
        assert (predictions.name, targets.name) == ("predictions", "targets")
        assert all(option.kind is inspect.Parameter.KEYWORD_ONLY for option in options)
        defaults = {option.name: option.default for option in options}
        assert (defaults["weights"], defaults["reduction"]) == (None, "mean")
        assert inspect.Parameter.empty not in defaults.values()

    @pytest.mark.parametrize("name", LOSS_NAMES)
    def test_transformations(self, name):
        loss, predictions, targets = loss_example(name)
        value = loss(predictions, targets)
        assert value.shape == ()
        assert_trees_close(jax.jit(loss)(predictions, targets), value)
        singly = jnp.stack([loss(p, t) for p, t in zip(predictions, targets, strict=True)])
        assert_trees_close(jax.jit(jax.vmap(loss))(predictions, targets), singly)
        check_gradient(lambda predictions: loss(predictions, targets), predictions)

    @pytest.mark.parametrize("dtype", FLOATING)
    @pytest.mark.parametrize("name", LOSS_NAMES)
    @pytest.mark.usefixtures("x64")
    def test_dtype_in_is_dtype_out(self, name, dtype):
        loss, predictions, targets = loss_example(name)
        for reduction in ("mean", "sum", "none"):
            compute = functools.partial(loss, reduction=reduction)
            value = jax.eval_shape(compute, *cast((predictions, targets), dtype))
            assert value.dtype == dtype
