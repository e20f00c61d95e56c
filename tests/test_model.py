"""`Model` and `as_model`: what counts as a layer, and what does not."""

import jax
import jax.numpy as jnp
import pytest

import jaxnets as jn
from jaxnets.errors import ArgumentTypeError
from jaxnets.model import Model, as_model

X = jnp.ones((4, 2))


def test_a_model_is_taken_as_it_is():
    model = jn.dense(2)
    assert as_model(model) is model


def test_a_function_becomes_a_model_without_parameters():
    model = as_model(jnp.sin)
    assert model.init(None, X) == {}
    assert model.apply({}, X).tolist() == jnp.sin(X).tolist()
    assert model.apply({}, X, key=jax.random.key(0)).tolist() == jnp.sin(X).tolist()


def test_two_functions_are_a_model():
    init, apply = Model(len, abs)
    assert (init, apply) == (len, abs)


FACTORIES = {
    "jn.layer_norm()": lambda: jn.sequential(jn.layer_norm),
    "jn.dropout(rate)": lambda: jn.sequential(jn.dense(2), jn.dropout),
    "jn.dense(features)": lambda: jn.sequential(out=jn.dense),
    "jn.flatten()": lambda: jn.parallel(jn.flatten),
    "jn.perceptron()": lambda: jn.with_precision(jn.perceptron),
    "jn.sequential(*layers)": lambda: jn.residual(jn.sequential),
    "jn.parametric_relu()": lambda: jn.mlp([2, 1], jn.parametric_relu),
    "jn.rms_norm()": lambda: jn.mlp([1], output_activation=jn.rms_norm),
    "jn.embedding(vocabulary, features)": lambda: jn.summary(jn.embedding, X),
}


@pytest.mark.parametrize("call", FACTORIES)
def test_a_factory_is_no_layer_but_is_to_be_called(call):
    name = call[3 : call.index("(")]
    with pytest.raises(ArgumentTypeError) as caught:
        FACTORIES[call]()
    text = str(caught.value)
    assert text.endswith(f"; got the function {name} that makes one. Call it: {call}.")
    assert "must be a Model or a function x -> y" in text
