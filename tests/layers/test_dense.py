"""`dense`: shapes, draws and misuse."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets import initializers
from jaxnets.layers import dense

KEY = jax.random.key(0)
X = jnp.array([[0.1, 0.2, 0.3], [0.4, 0.5, 0.6], [0.7, 0.8, 0.9], [0.2, 0.4, 0.8]])
INTEGERS = jnp.array([[1, 2, 3]])
PARAMS = {"w": jnp.ones((3, 2)), "b": jnp.ones(2)}


class TestDense:
    @pytest.mark.parametrize("leading", [(), (4,), (3, 4), (2, 3, 4), (0,)])
    def test_takes_any_leading_axes(self, leading):
        layer, x = dense(3), jax.ShapeDtypeStruct((*leading, 2), "float32")
        params = jax.eval_shape(layer.init, KEY, x)
        assert jax.tree.map(jnp.shape, params) == {"w": (2, 3), "b": (3,)}
        assert jax.eval_shape(layer.apply, params, x).shape == (*leading, 3)

    def test_without_bias_has_no_b(self):
        params = dense(3, use_bias=False).init(KEY, jnp.ones((4, 2)))
        assert list(params) == ["w"]
        y = dense(3, use_bias=False).apply(params, jnp.ones((4, 2)))
        np.testing.assert_allclose(y[0], params["w"].sum(axis=0), rtol=1e-6)

    def test_initialisers_are_asked_for_the_right_shapes(self):
        layer = dense(
            3, w_init=initializers.constant(2.0), b_init=jax.nn.initializers.constant(0.5)
        )
        params = layer.init(KEY, jnp.ones((4, 2)))
        assert params["w"].tolist() == [[2.0] * 3] * 2
        assert params["b"].tolist() == [0.5] * 3

    def test_default_draws_have_pytorchs_bound(self):
        params = dense(1000).init(KEY, jnp.ones((1, 16)))
        for array in params.values():
            assert 0.24 < float(jnp.abs(array).max()) <= 0.25

    def test_w_and_b_are_drawn_apart(self):
        params = dense(4).init(KEY, jnp.ones((1, 1)))
        assert not jnp.allclose(params["w"][0], params["b"])


MISUSE = [
    pytest.param(
        lambda: dense(0),
        ValueError,
        "dense: features must be a whole number of at least 1; got 0. Pass features=10, for "
        "example.",
        lambda: dense(10),
        id="width 0",
    ),
    pytest.param(
        lambda: dense(-3),
        ValueError,
        "dense: features must be a whole number of at least 1; got -3. Pass features=10, for "
        "example.",
        lambda: dense(10),
        id="negative width",
    ),
    pytest.param(
        lambda: dense(10.0),
        TypeError,
        "dense: features must be a whole number of at least 1; got 10.0. Pass features=10, "
        "for example.",
        lambda: dense(10),
        id="width a float",
    ),
    pytest.param(
        lambda: dense(True),
        TypeError,
        "dense: features must be a whole number of at least 1; got True. Pass features=10, "
        "for example.",
        lambda: dense(10),
        id="width a bool",
    ),
    pytest.param(
        lambda: dense("10"),
        TypeError,
        "dense: features must be a whole number of at least 1; got '10'. Pass features=10, "
        "for example.",
        lambda: dense(10),
        id="width a text",
    ),
    pytest.param(
        lambda: dense(2, use_bias="no"),
        TypeError,
        "dense: use_bias must be True or False; got 'no'. Pass use_bias=True, for example.",
        lambda: dense(2, use_bias=True),
        id="use_bias a text",
    ),
    pytest.param(
        lambda: dense(2, w_init=0.1),
        TypeError,
        "dense: w_init must be callable; got 0.1. Pass w_init=jn.initializers.normal(0.1), "
        "for example.",
        lambda: dense(2, w_init=initializers.normal(0.1)).init(KEY, X),
        id="initialiser a number",
    ),
    pytest.param(
        lambda: dense(2, w_init=lambda key, shape, dtype: jnp.ones(shape[::-1])).init(KEY, X),
        ValueError,
        "dense(2): w_init must return an array of the shape that it is given, (3, 2); got "
        "(2, 3). Pass w_init=jn.initializers.normal(0.1), for example.",
        lambda: dense(2, w_init=initializers.normal(0.1)).init(KEY, X),
        id="initialiser of a wrong shape",
    ),
    pytest.param(
        lambda: dense(2).init(KEY, INTEGERS),
        TypeError,
        "dense(2): x must be floating; got int32[1,3]. Convert it with x.astype(jnp.float32).",
        lambda: dense(2).init(KEY, INTEGERS.astype(jnp.float32)),
        id="integer input",
    ),
    pytest.param(
        lambda: dense(2).apply(PARAMS, [1.0, 2.0, 3.0]),
        TypeError,
        "dense(2): x must be an array or a jax.ShapeDtypeStruct; got [1.0, 2.0, 3.0]. "
        "Convert it with jnp.asarray(x).",
        lambda: dense(2).apply(PARAMS, jnp.asarray([1.0, 2.0, 3.0])),
        id="input a list",
    ),
    pytest.param(
        lambda: dense(2).init(KEY, jnp.array(1.0)),
        ValueError,
        "dense(2): x must have a last axis of at least one feature; got float32[]. Pass one "
        "of shape [..., features].",
        lambda: dense(2).init(KEY, jnp.array([1.0])),
        id="input a scalar",
    ),
    pytest.param(
        lambda: dense(2).init(KEY, jnp.zeros((4, 0))),
        ValueError,
        "dense(2): x must have a last axis of at least one feature; got float32[4,0]. Pass "
        "one of shape [..., features].",
        lambda: dense(2).init(KEY, X),
        id="input without features",
    ),
    pytest.param(
        lambda: dense(2).apply(PARAMS, X[:, :2]),
        ValueError,
        "dense(2): x must have 3 features on its last axis, as the parameters do; got "
        "float32[4,2]. Pass such an x, or make the parameters with model.init(key, x) for "
        "this one.",
        lambda: dense(2).apply(dense(2).init(KEY, X[:, :2]), X[:, :2]),
        id="input of another width",
    ),
    pytest.param(
        lambda: dense(2).init(None, X),
        ValueError,
        "dense(2): key must be one PRNG key; got None. Pass key=jax.random.key(0).",
        lambda: dense(2).init(key=jax.random.key(0), x=X),
        id="missing key",
    ),
    pytest.param(
        lambda: dense(2).init(0, X),
        TypeError,
        "dense(2): key must be one PRNG key; got 0. Pass key=jax.random.key(0).",
        lambda: dense(2).init(key=jax.random.key(0), x=X),
        id="seed for a key",
    ),
    pytest.param(
        lambda: dense(2).init(jax.random.split(KEY, 3), X),
        TypeError,
        "dense(2): key must be one PRNG key; got key<fry>[3]. Pass key=jax.random.key(0).",
        lambda: dense(2).init(key=jax.random.key(0), x=X),
        id="several keys",
    ),
    pytest.param(
        lambda: dense(2).apply({"table": PARAMS["w"]}, X),
        ValueError,
        "dense(2): params must be a dict with the entries 'w', 'b'; got ['table']. Make them "
        "with model.init(key, x).",
        lambda: dense(2).apply(dense(2).init(KEY, X), X),
        id="parameters of another layer",
    ),
    pytest.param(
        lambda: dense(2).apply(X, {}),
        TypeError,
        "dense(2): x must be an array or a jax.ShapeDtypeStruct; got {}. Parameters come "
        "before the input: model.apply(params, x).",
        lambda: dense(2).apply(PARAMS, X),
        id="arguments of apply swapped",
    ),
]


@pytest.mark.parametrize(("misuse", "error", "message", "advice"), MISUSE)
def test_misuse_is_refused_with_a_remedy_that_works(misuse, error, message, advice, assert_refused):
    assert_refused(misuse, error, message, advice)
