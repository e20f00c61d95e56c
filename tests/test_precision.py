"""`with_precision`: narrow inside, float32 outside."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxnets import losses
from jaxnets.activations import relu, sigmoid
from jaxnets.combinators import mlp, sequential
from jaxnets.layers import dense, dropout, embedding, layer_norm
from jaxnets.model import Model
from jaxnets.precision import with_precision
from jaxnets.training import fit

KEY = jax.random.key(0)
X = jax.random.normal(jax.random.key(1), (16, 3))
NET = sequential(dense(8), layer_norm(), relu, dense(2))
COMPUTE = (jnp.bfloat16, jnp.float16)


def dtypes(tree):
    return {leaf.dtype.name for leaf in jax.tree.leaves(tree)}


def seen_by(compute):
    """A model that notes the dtypes it is called with, and the notes."""
    seen = []

    def apply(params, x, *, key=None):
        seen.append((params["a"].dtype, x.dtype))
        return params["a"] * x

    inner = Model(lambda key, x: {"a": jnp.ones((), x.dtype)}, apply)
    return with_precision(inner, compute=compute), seen


@pytest.mark.parametrize("compute", COMPUTE)
def test_the_model_inside_sees_the_narrow_type(compute):
    net, seen = seen_by(compute)
    params = net.init(KEY, X)
    assert dtypes(params) == {"float32"}
    assert dtypes(net.apply(params, X)) == {"float32"}
    assert seen == [(jnp.dtype(compute), jnp.dtype(compute))]


@pytest.mark.parametrize("compute", COMPUTE)
def test_equals_casting_by_hand(compute):
    net = with_precision(NET, compute=compute)
    params = net.init(KEY, X)
    narrow = jax.tree.map(lambda leaf: leaf.astype(compute), params)
    expected = NET.apply(narrow, X.astype(compute)).astype(jnp.float32)
    np.testing.assert_array_equal(net.apply(params, X), expected)


def test_parameters_are_those_of_the_model_itself():
    jax.tree.map(np.testing.assert_array_equal, with_precision(NET).init(KEY, X), NET.init(KEY, X))


def test_a_narrow_example_still_gives_float32_parameters():
    net = with_precision(NET)
    params = net.init(KEY, X.astype(jnp.bfloat16))
    assert dtypes(params) == {"float32"}
    assert dtypes(net.apply(params, X.astype(jnp.bfloat16))) == {"float32"}


@pytest.mark.parametrize("compute", COMPUTE)
def test_gradients_arrive_in_float32_and_are_nearly_right(compute):
    net = with_precision(NET, compute=compute)
    params = net.init(KEY, X)

    def gradient(model):
        return jax.jit(jax.grad(lambda params: jnp.square(model.apply(params, X)).mean()))(params)

    narrow, exact = gradient(net), gradient(NET)
    assert dtypes(narrow) == {"float32"}
    # The layers add up a few hundred roundings, each of at most half an eps.
    for a, b in zip(jax.tree.leaves(narrow), jax.tree.leaves(exact), strict=True):
        assert float(jnp.abs(a - b).max()) <= 4 * jnp.finfo(compute).eps * float(jnp.abs(b).max())
    assert any(
        (a != b).any() for a, b in zip(jax.tree.leaves(narrow), jax.tree.leaves(exact), strict=True)
    )


def test_integers_and_keys_are_left_alone():
    net = with_precision(sequential(embedding(300, 4), dropout(0.5), dense(2)))
    # 257 is not a bfloat16: a cast would look up row 256.
    tokens = jnp.array([[257, 0]])
    params = net.init(KEY, tokens)
    assert dtypes(params) == {"float32"}
    assert dtypes(net.apply(params, tokens, key=KEY)) == {"float32"}
    others = jax.tree.map(lambda leaf: leaf, params)
    others["0"]["table"] = others["0"]["table"].at[256].set(9.0)
    np.testing.assert_array_equal(net.apply(params, tokens), net.apply(others, tokens))


@pytest.mark.usefixtures("x64")
def test_float64_stays_the_outer_type():
    x = X.astype(jnp.float64)
    net = with_precision(dense(2))
    params = net.init(KEY, x)
    assert dtypes((params, net.apply(params, x))) == {"float64"}


def test_wraps_a_part_of_a_model():
    net = sequential(dense(4), with_precision(sequential(relu, dense(3))), dense(1))
    params = net.init(KEY, X)
    assert jax.tree.map(jnp.shape, params["1"]) == {"1": {"w": (4, 3), "b": (3,)}}
    assert dtypes((params, net.apply(params, X))) == {"float32"}


def test_trains():
    x = jnp.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    y = jnp.array([[0.0], [1.0], [1.0], [0.0]])
    net = with_precision(mlp([16, 1], output_activation=sigmoid))
    result = fit(net, losses.mse, optax.adam(0.05), (x, y), key=KEY, steps=500)
    assert dtypes(result.params) == {"float32"}
    assert result.history["loss"][-1] < 1e-3


@pytest.mark.parametrize("compute", [jnp.int32, "narrow", 16])
def test_compute_must_be_a_floating_dtype(compute):
    with pytest.raises(TypeError, match=r"^with_precision: compute must be a floating dtype; got"):
        with_precision(NET, compute=compute)


MISUSE = [
    pytest.param(
        lambda: with_precision(dense(2), compute=jnp.int8),
        TypeError,
        "with_precision: compute must be a floating dtype; got int8. Pass "
        "compute=jnp.bfloat16, for example.",
        lambda: with_precision(dense(2), compute=jnp.bfloat16),
        id="precision of an integer type",
    ),
]


@pytest.mark.parametrize(("misuse", "error", "message", "advice"), MISUSE)
def test_misuse_is_refused_with_a_remedy_that_works(misuse, error, message, advice, assert_refused):
    assert_refused(misuse, error, message, advice)
