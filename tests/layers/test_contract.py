"""What all layers ask of inputs, parameters and initialisers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets import initializers
from jaxnets.errors import ArgumentTypeError, ArgumentValueError
from jaxnets.layers import dense, layer_norm, parametric_relu, rms_norm
from jaxnets.layers.contract import check_example, check_params, drawn, example_of

KEY = jax.random.key(0)

WRONG_SHAPES = {
    "dense w": (dense(5), "dense(5)", "w", (2, 3), "[any, 5]"),
    "dense b": (dense(3), "dense(3)", "b", (1,), "[3]"),
    "layer_norm": (layer_norm(), "layer_norm", "shift", (), "[2]"),
    "rms_norm": (rms_norm(), "rms_norm", "scale", (1, 2), "[any]"),
    "parametric_relu": (parametric_relu(), "parametric_relu", "alpha", (2,), "[]"),
}


@pytest.mark.parametrize("name", WRONG_SHAPES)
def test_parameters_of_another_shape_are_not_broadcast(name):
    layer, called, entry, shape, wanted = WRONG_SHAPES[name]
    params = {**layer.init(KEY, jnp.ones((4, 2))), entry: jnp.ones(shape)}
    with pytest.raises(ArgumentValueError) as caught:
        layer.apply(params, jnp.ones((4, 2)))
    assert str(caught.value) == (
        f"{called}: params must have {entry!r} of shape {wanted}; got {list(shape)}. Make them "
        "with model.init(key, x)."
    )


def test_a_shift_of_another_width_is_not_broadcast():
    params = {"scale": jnp.ones(2), "shift": jnp.ones(1)}
    with pytest.raises(
        ValueError, match=r"^layer_norm: params must have 'shift' of shape \[2\]; got \[1\]"
    ):
        layer_norm().apply(params, jnp.ones((4, 2)))


@pytest.mark.parametrize(
    ("x", "error", "text"),
    [
        (
            [[1.0, 2.0]],
            ArgumentTypeError,
            "be an array or a jax.ShapeDtypeStruct; got [[1.0, 2.0]]. "
            "Convert it with jnp.asarray(x).",
        ),
        (
            jnp.zeros((2, 3), int),
            ArgumentTypeError,
            "be floating; got int32[2,3]. Convert it with x.astype(jnp.float32).",
        ),
        (
            jnp.zeros(()),
            ArgumentValueError,
            "have a last axis of at least one feature; got float32[]. "
            "Pass one of shape [..., features].",
        ),
        (
            jnp.zeros((4, 0)),
            ArgumentValueError,
            "have a last axis of at least one feature; got float32[4,0]. "
            "Pass one of shape [..., features].",
        ),
    ],
    ids=["list", "integers", "scalar", "no features"],
)
def test_check_example_refuses(x, error, text):
    with pytest.raises(error) as caught:
        check_example(x)
    assert str(caught.value) == f"x must {text}"


def test_check_example_takes_shapes_and_gives_the_dtype_that_jax_computes_in():
    example = example_of(np.zeros((4, 2), np.float64))
    assert (example.shape, example.dtype) == ((4, 2), jnp.float32)
    with jax.enable_x64(True):
        assert example_of(np.zeros((4, 2))).dtype == jnp.float64
    check_example(jax.ShapeDtypeStruct((4, 2), "int32"), floating=False)


def test_a_width_that_does_not_fit_says_what_to_do():
    text = (
        "x must have 3 features on its last axis, as the parameters do; got float32[4,2]. Pass "
        "such an x, or make the parameters with model.init(key, x) for this one."
    )
    with pytest.raises(ArgumentValueError) as caught:
        check_params({"w": jnp.ones((3, 5))}, jnp.zeros((4, 2)), {"w": (None, 5)})
    assert str(caught.value) == text
    check_params({"w": jnp.ones((2, 5))}, jnp.zeros((4, 2)), {"w": (None, 5)})


@pytest.mark.parametrize(
    ("params", "shown"), [({"b": 1, "a": 2}, "['a', 'b']"), ({}, "[]"), (3, "3"), (None, "None")]
)
def test_parameters_that_lack_an_entry_are_refused(params, shown):
    with pytest.raises(ArgumentValueError) as caught:
        check_params(params, jnp.zeros((4, 2)), {"w": (None, 1), "b": (1,)})
    assert str(caught.value) == (
        f"params must be a dict with the entries 'w', 'b'; got {shown}. "
        "Make them with model.init(key, x)."
    )


def test_shapes_are_checked_while_tracing():
    net = dense(1)
    params = net.init(KEY, jnp.zeros((4, 2)))
    with pytest.raises(ArgumentValueError, match=r"dense\(1\): x must have 2 features"):
        jax.eval_shape(net.apply, params, jax.ShapeDtypeStruct((4, 3), "float32"))


def test_a_drawn_parameter_has_the_shape_and_the_dtype_asked_for():
    array = drawn("w_init", lambda key, shape, dtype: np.ones(shape), None, (2, 3), jnp.float16)
    assert (array.shape, array.dtype) == ((2, 3), jnp.float16)


INITIALIZERS = {
    "ours": (initializers.he_normal, "jn.initializers.he_normal()"),
    "with an option": (initializers.normal, "jn.initializers.normal()"),
    "with a number": (initializers.uniform, "jn.initializers.uniform(scale)"),
}


@pytest.mark.parametrize("name", INITIALIZERS)
@pytest.mark.parametrize("argument", ["w_init", "b_init"])
def test_a_factory_of_initialisers_is_to_be_called(name, argument):
    initializer, call = INITIALIZERS[name]
    with pytest.raises(ArgumentTypeError) as caught:
        dense(3, **{argument: initializer})
    assert str(caught.value) == (
        f"dense: {argument} must be an initialiser (key, shape, dtype) -> array; got the function "
        f"that makes one. Call it: {call}."
    )


def test_a_factory_of_others_is_found_out_when_it_draws():
    with pytest.raises(ArgumentTypeError) as caught:
        dense(3, w_init=jax.nn.initializers.he_normal).init(KEY, jnp.ones((4, 2)))
    assert str(caught.value) == (
        "dense(3): w_init must return an array of the shape that it is given, (2, 3); got a "
        "function. Call it, as in w_init=jn.initializers.he_normal()."
    )
