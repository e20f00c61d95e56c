"""What holds for every activation: its arguments, its options, its errors, its docstring."""

import inspect
import pickle
import re
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets import activations as act
from jaxnets.errors import ArgumentTypeError, ArgumentValueError

INF, NAN = float("inf"), float("nan")
NO_ARRAYS = [
    None,
    len,
    {},
    10**100,
    np.float32,
    "text",
    b"bytes",
    [1, [2]],
    np.array([None]),
    np.longdouble(1),
    object,
]
X = jnp.array([[-1.0, 0.5, 2.0]])
TYPE, VALUE = ArgumentTypeError, ArgumentValueError
MISUSE = [  # the call, the error, its message, and a call that follows its advice
    (
        lambda: act.relu(jnp.array([1, 2])),
        TYPE,
        "relu: x must be floating; got int32[2]. Convert it with x.astype(jnp.float32).",
        lambda: act.relu(jnp.array([1, 2]).astype(jnp.float32)),
    ),
    (
        lambda: act.softmax(jnp.array([1, 2])),
        TYPE,
        "softmax: x must be floating; got int32[2]. Convert it with x.astype(jnp.float32).",
        lambda: act.softmax(jnp.array([1, 2]).astype(jnp.float32)),
    ),
    (
        lambda: act.leaky_relu(X, negative_slope=INF),
        VALUE,
        "leaky_relu: negative_slope must be a finite number; got inf. "
        "Pass negative_slope=0.01, for example.",
        lambda: act.leaky_relu(X, negative_slope=0.01),
    ),
    (
        lambda: act.leaky_relu(X, negative_slope=NAN),
        VALUE,
        "leaky_relu: negative_slope must be a finite number; got nan. "
        "Pass negative_slope=0.01, for example.",
        lambda: act.leaky_relu(X, negative_slope=0.01),
    ),
    (
        lambda: act.leaky_relu(X, negative_slope="0.1"),
        TYPE,
        "leaky_relu: negative_slope must be a finite number; got '0.1'. "
        "Pass negative_slope=0.01, for example.",
        lambda: act.leaky_relu(X, negative_slope=0.01),
    ),
    (
        lambda: act.leaky_relu(X, negative_slope=jnp.array([0.1])),
        TYPE,
        "leaky_relu: negative_slope must be a finite number; got float32[1]. "
        "Pass negative_slope=0.01, for example.",
        lambda: act.leaky_relu(X, negative_slope=0.01),
    ),
    (
        lambda: act.elu(X, alpha=0.0),
        VALUE,
        "elu: alpha must be a positive finite number; got 0.0. Pass alpha=1.0, for example.",
        lambda: act.elu(X, alpha=1.0),
    ),
    (
        lambda: act.celu(X, alpha=-1),
        VALUE,
        "celu: alpha must be a positive finite number; got -1. Pass alpha=1.0, for example.",
        lambda: act.celu(X, alpha=1.0),
    ),
    (
        lambda: act.softplus(X, beta=None),
        TYPE,
        "softplus: beta must be a positive finite number; got None. Pass beta=1.0, for example.",
        lambda: act.softplus(X, beta=1.0),
    ),
    (
        lambda: act.gelu(X, approximate="tanh"),
        TYPE,
        "gelu: approximate must be True or False; got 'tanh'. Pass approximate=True, for example.",
        lambda: act.gelu(X, approximate=True),
    ),
    (
        lambda: act.prelu(X, jnp.ones(4)),
        VALUE,
        "prelu: alpha must have the shape () or that of the last axis of x, (3,); got (4,). "
        "Pass one slope, or one per feature.",
        lambda: (act.prelu(X, jnp.ones(())), act.prelu(X, jnp.ones(3))),
    ),
    (
        lambda: act.prelu(X, jnp.ones((1, 3))),
        VALUE,
        "prelu: alpha must have the shape () or that of the last axis of x, (3,); got (1, 3). "
        "Pass one slope, or one per feature.",
        lambda: act.prelu(X, jnp.ones((1, 3))[0]),
    ),
    (
        lambda: act.prelu(X, 1),
        TYPE,
        "prelu: alpha must be floating; got int32[]. Convert it with alpha.astype(jnp.float32).",
        lambda: act.prelu(X, jnp.array(1).astype(jnp.float32)),
    ),
    (
        lambda: act.softmax(X, axis=2),
        VALUE,
        "softmax: axis must name an axis of x, from -2 to 1; got 2. Pass axis=-1, the last one.",
        lambda: act.softmax(X, axis=-1),
    ),
    (
        lambda: act.log_softmax(X, axis=-3),
        VALUE,
        "log_softmax: axis must name an axis of x, from -2 to 1; got -3. "
        "Pass axis=-1, the last one.",
        lambda: act.log_softmax(X, axis=-1),
    ),
    (
        lambda: act.softmax(X, axis=[0]),
        TYPE,
        "softmax: axis must name an axis of x, from -2 to 1; got [0]. Pass axis=-1, the last one.",
        lambda: act.softmax(X, axis=-1),
    ),
    (
        lambda: act.softmax(X, axis=True),
        TYPE,
        "softmax: axis must name an axis of x, from -2 to 1; got True. Pass axis=-1, the last one.",
        lambda: act.softmax(X, axis=-1),
    ),
    (
        lambda: act.softmax(1.0),
        VALUE,
        "softmax: axis must name an axis of x, which has none; got -1. "
        "Add an axis with x.reshape(1).",
        lambda: act.softmax(jnp.array(1.0).reshape(1)),
    ),
]


@pytest.mark.parametrize(
    ("misuse", "error", "message", "advice"),
    MISUSE,
    ids=[message.split(" must ")[0] for _, _, message, _ in MISUSE],
)
def test_misuse_is_an_error_whose_advice_works(misuse, error, message, advice):
    # Anything on a further line is a note of JAX about its traceback.
    with pytest.raises(error, match=rf"^{re.escape(message)}(\n|$)"):
        misuse()
    advice()


def test_misuse_is_an_error_under_jit_too():
    with pytest.raises(VALUE, match=r"leaky_relu: negative_slope must be a finite number; got inf"):
        jax.jit(partial(act.leaky_relu, negative_slope=INF))(X)


def test_a_concrete_array_is_no_option():
    message = r"^elu: alpha must be a plain Python value: it shapes the compiled program; got float"
    with pytest.raises(TYPE, match=message):
        act.elu(X, alpha=jnp.array(0.5))
    assert act.elu(X, alpha=jnp.array(0.5).item()).shape == X.shape


@pytest.mark.parametrize("name", ["sigmoid", "leaky_relu", "softmax"])
def test_unknown_options_are_errors(name):
    message = rf"^{name}\(\) got an unexpected keyword argument 'slope'$"
    with pytest.raises(TypeError, match=message):
        getattr(act, name)(X, slope=0.1)


@pytest.mark.parametrize("name", act.__all__)
def test_a_call_without_an_input_is_answered_with_the_function_itself(name):
    with pytest.raises(TYPE) as caught:
        getattr(act, name)()
    assert str(caught.value) == (
        f"{name}: x must be given; got nothing. In a model pass the function itself: "
        f"jn.sequential(jn.dense(1), jn.{name})."
    )


@pytest.mark.parametrize("value", NO_ARRAYS, ids=str)
@pytest.mark.parametrize("name", sorted(set(act.__all__) - {"prelu"}))
def test_what_is_no_array_of_numbers_is_refused_in_the_words_of_the_library(name, value):
    with pytest.raises(TYPE, match=rf"^{name}: x must be (an array of numbers|floating); got "):
        getattr(act, name)(value)


def test_masked_values_are_refused():
    masked = np.ma.masked_values(np.float32([1.0, 1e20]), 1e20)
    message = r"^relu: x must hold no masked values; got float32\[2\]. Fill them with x.filled\(0\)"
    with pytest.raises(TYPE, match=message):
        act.relu(masked)
    assert act.relu(masked.filled(0)).tolist() == [1, 0]


OPTIONS = {
    "leaky_relu": {"negative_slope": 0.25},
    "elu": {"alpha": 1.5},
    "celu": {"alpha": 2.0},
    "softplus": {"beta": 2.0},
}


@pytest.mark.parametrize("name", OPTIONS)
def test_a_traced_option_gives_what_a_plain_one_gives_and_has_a_derivative(name):
    """The derivative against a central difference of plain calls in float64."""
    function, [(option, value)] = getattr(act, name), OPTIONS[name].items()
    x = jnp.array([-3.0, -0.7, 0.4, 2.0])

    def call(number, x=x):
        return function(x, **{option: number})

    np.testing.assert_allclose(jax.jit(call)(value), call(value), rtol=1e-6)
    mapped = jax.vmap(call)(jnp.array([0.5, value]))
    np.testing.assert_allclose(mapped, jnp.stack([call(0.5), call(value)]), rtol=1e-6)
    with jax.enable_x64(True):
        wide = jnp.asarray(x, jnp.float64)
        slope = jax.jacobian(lambda number: call(number, wide))(value)
        difference = (call(value + 1e-6, wide) - call(value - 1e-6, wide)) / 2e-6
    np.testing.assert_allclose(slope, difference, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("name", OPTIONS)
def test_a_traced_option_is_not_rounded_to_a_narrow_input(name):
    function, [(option, _)] = getattr(act, name), OPTIONS[name].items()
    x = jnp.array([-3.0, -0.7, 0.4, 2.0], jnp.bfloat16)
    traced = jax.jit(lambda number: function(x, **{option: number}))(0.9990001)
    assert traced.dtype == jnp.bfloat16
    np.testing.assert_array_equal(traced, function(x, **{option: 0.9990001}))


def test_a_traced_slope_of_zero_has_a_limit_and_a_derivative():
    def call(slope):
        return act.leaky_relu(jnp.array([-INF, -2.0]), negative_slope=slope)

    assert jax.jit(call)(0.0).tolist() == [0, 0]
    assert jax.jacobian(call)(0.0).tolist() == [0, -2]


@pytest.mark.parametrize("name", act.__all__)
def test_activations_can_be_hashed_and_pickled(name):
    function = getattr(act, name)
    assert pickle.loads(pickle.dumps(function)) is function
    assert {function: 1}[function] == 1
    assert function.__name__ == name


def test_tab_completion_shows_what_is_public():
    assert dir(act) == act.__all__


@pytest.mark.parametrize("name", act.__all__)
def test_the_docstring_shows_the_formula_the_derivative_its_options_and_an_example(name):
    function = getattr(act, name)
    doc = inspect.getdoc(function)
    assert ".. math::" in doc
    assert "'(x)" in doc or r"\partial f" in doc
    assert "derivative" in doc or name in ("identity", "softmax", "log_softmax")
    assert "The range is" in " ".join(doc.split())
    assert "Example:\n  >>> " in doc
    for option in list(inspect.signature(function).parameters)[1:]:
        assert f"  {option}: " in doc
