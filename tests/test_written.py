"""What the library makes reads as it was written, equals its like, and can be pickled."""

import copy
import functools
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnets as jn
from jaxnets import activations

KEY = jax.random.key(0)
X = jnp.array([[0.1, 0.2], [0.3, 0.4]])

WRITTEN = {
    "dense(10)": lambda: jn.dense(10),
    "dense(features=10)": lambda: jn.dense(features=10),
    "dense(3, use_bias=False)": lambda: jn.dense(3, use_bias=False),
    "dropout(0.5)": lambda: jn.dropout(0.5),
    "layer_norm()": lambda: jn.layer_norm(),
    "embedding(5, 3, dtype=bfloat16)": lambda: jn.embedding(5, 3, dtype=jnp.bfloat16),
    "sequential(dense(10), sigmoid, dense(1), sigmoid)": lambda: jn.sequential(
        jn.dense(10), jn.sigmoid, jn.dense(1), jn.sigmoid
    ),
    "sequential(hidden=dense(3), bend=tanh)": lambda: jn.sequential(
        hidden=jn.dense(3), bend=jnp.tanh
    ),
    "parallel(sin, dense(2), combine=multiply)": lambda: jn.parallel(
        jnp.sin, jn.dense(2), combine=jnp.multiply
    ),
    "residual(sequential(layer_norm(), dense(2)))": lambda: jn.residual(
        jn.sequential(jn.layer_norm(), jn.dense(2))
    ),
    "with_precision(dense(2), float16)": lambda: jn.with_precision(jn.dense(2), jnp.float16),
    "perceptron()": lambda: jn.perceptron(),
    "sequential(dense(5), relu, dense(2))": lambda: jn.mlp([5, 2]),
    "dense(3, w_init=initializers.he_normal(), b_init=zeros)": lambda: jn.dense(
        3, w_init=jn.initializers.he_normal(), b_init=jn.initializers.zeros
    ),
    "parametric_relu(per_feature=True, alpha_init=initializers.constant(0.1))": lambda: (
        jn.parametric_relu(per_feature=True, alpha_init=jn.initializers.constant(0.1))
    ),
}


class Unhashable:
    """A layer of a user's without a hash."""

    __hash__ = None

    def __call__(self, x):
        return x


@pytest.mark.parametrize("text", WRITTEN)
def test_reads_as_it_was_written(text):
    model = WRITTEN[text]()
    assert repr(model) == text
    assert repr(model.init) == f"{text}.init"
    assert repr(model.apply) == f"{text}.apply"


@pytest.mark.parametrize("text", WRITTEN)
def test_written_twice_is_the_same(text):
    model, again = WRITTEN[text](), WRITTEN[text]()
    assert model == again
    assert hash(model) == hash(again)
    assert model.init != model.apply


@pytest.mark.parametrize("text", WRITTEN)
def test_survives_pickling_and_copying(text):
    model = WRITTEN[text]()
    for again in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        assert again == model
    x = jnp.array([[0, 4]]) if text.startswith("embedding") else X
    again = pickle.loads(pickle.dumps(model))
    params = again.init(KEY, x)
    jax.tree.map(np.testing.assert_array_equal, params, model.init(KEY, x))
    np.testing.assert_array_equal(again.apply(params, x), model.apply(params, x))


def test_models_written_otherwise_differ():
    models = [WRITTEN[text]() for text in WRITTEN if text != "dense(features=10)"]
    assert len(set(models)) == len(models)
    assert jn.sequential(a=jnp.sin, b=jnp.cos) != jn.sequential(b=jnp.cos, a=jnp.sin)


def test_defaults_and_names_of_arguments_make_no_difference():
    assert jn.dense(10) == jn.dense(features=10, use_bias=True)
    assert hash(jn.dense(10)) == hash(jn.dense(features=10, use_bias=True))


def test_an_argument_without_a_hash_makes_a_model_equal_to_itself_alone():
    layer = Unhashable()
    net = jn.sequential(layer, jn.dense(2))
    assert net == net
    assert hash(net) == hash(net)
    assert net != jn.sequential(layer, jn.dense(2))


def test_an_equal_model_is_not_compiled_again():
    traced = []

    def noted(x):
        traced.append(x)
        return x

    params = jn.sequential(jnp.sin, jn.dense(2)).init(KEY, X)
    # All are kept: JAX lets go of a program with the function that it was compiled for.
    models = [jn.sequential(noted, jn.dense(2)) for _ in range(3)]
    for model in models:
        jax.jit(model.apply)(params, X)
    assert len(traced) == 1


def test_a_function_that_cannot_be_pickled_is_pythons_own_error():
    with pytest.raises((pickle.PicklingError, AttributeError), match="lambda"):
        pickle.dumps(jn.sequential(jn.dense(2), lambda x: x))


@pytest.mark.parametrize("name", activations.__all__)
def test_every_activation_can_be_pickled_within_a_model(name):
    activation = getattr(activations, name)
    net = jn.sequential(jn.dense(2), activation)
    assert pickle.loads(pickle.dumps(net)) == net
    assert repr(net) == f"sequential(dense(2), {name})"


def test_a_long_model_is_shown_in_part():
    text = repr(jn.sequential(*[jn.dense(i) for i in range(1, 101)]))
    assert text.startswith("sequential(dense(1), dense(2), ")
    assert "... 88 more ..." in text
    assert text.endswith("dense(99), dense(100))")
    assert len(text) < 200


def test_a_deep_model_is_shown_in_part():
    net = jn.dense(2)
    for _ in range(100):
        net = jn.sequential(net, jn.dense(2))
    assert "sequential(...)" in repr(net)
    assert len(repr(net)) < 200


def test_partial_functions_and_callable_objects_are_shown_in_short():
    clip = functools.partial(jnp.clip, min=0)
    assert len(repr(jn.sequential(clip, Unhashable()))) < 200


@pytest.mark.parametrize("name", ["he_normal", "normal", "torch_linear", "orthogonal"])
def test_an_initialiser_is_written_too(name):
    make = getattr(jn.initializers, name)
    initializer = make()
    assert repr(initializer) == f"initializers.{name}()"
    assert initializer == make()
    assert pickle.loads(pickle.dumps(initializer)) == initializer
