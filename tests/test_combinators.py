"""Combinators: what they compute, how they name parameters, and where errors come from."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets import initializers
from jaxnets.activations import relu, sigmoid, tanh
from jaxnets.combinators import mlp, parallel, perceptron, residual, sequential
from jaxnets.layers import dense, dropout, embedding, layer_norm, parametric_relu
from jaxnets.model import Model

KEY = jax.random.key(0)
X = jax.random.normal(jax.random.key(1), (4, 3))
INTEGERS = jnp.array([[1, 2, 3]])
DENSE = {"w": jnp.ones((3, 2)), "b": jnp.ones(2)}
NESTED = sequential(relu, sequential(hidden=dense(2)))


def shapes(params):
    return jax.tree.map(jnp.shape, params)


class TestSequential:
    def test_applies_from_left_to_right(self):
        assert sequential(lambda x: x + 1, lambda x: x * 2).apply({}, jnp.array([1.0])).item() == 4

    def test_children_are_keyed_by_position_or_by_name(self):
        by_position = sequential(dense(5), relu, dense(2)).init(KEY, X)
        by_name = sequential(hidden=dense(5), bend=relu, out=dense(2)).init(KEY, X)
        assert list(by_position) == ["0", "2"]
        assert list(by_name) == ["hidden", "out"]
        np.testing.assert_array_equal(by_position["2"]["w"], by_name["out"]["w"])

    def test_equals_the_same_by_hand(self):
        net = sequential(dense(5), tanh, dense(2))
        params = net.init(KEY, X)
        hidden = jnp.tanh(X @ params["0"]["w"] + jnp.broadcast_to(params["0"]["b"], (4, 5)))
        expected = hidden @ params["2"]["w"] + jnp.broadcast_to(params["2"]["b"], (4, 2))
        np.testing.assert_allclose(net.apply(params, X), expected, rtol=1e-6)

    def test_a_layer_passed_twice_is_two_layers(self):
        layer = dense(3)
        params = sequential(layer, layer).init(KEY, X)
        assert not jnp.array_equal(params["0"]["w"], params["1"]["w"])

    def test_each_child_has_a_key_of_its_own(self):
        net = parallel(dropout(0.5), dropout(0.5), combine=jnp.stack)
        first, second = net.apply({}, jnp.ones(100), key=KEY)
        assert not jnp.array_equal(first, second)

    def test_child_i_gets_the_key_folded_with_i(self):
        params = sequential(relu, dense(2)).init(KEY, X)
        expected = dense(2).init(jax.random.fold_in(KEY, 1), X)
        np.testing.assert_array_equal(params["1"]["w"], expected["w"])

    def test_no_key_is_evaluation_for_all(self):
        net = sequential(dropout(0.9), sequential(dropout(0.9), residual(dropout(0.9))))
        np.testing.assert_array_equal(net.apply({}, X), 2 * X)

    def test_takes_a_model_of_ones_own(self):
        scale = Model(
            init=lambda key, x: {"a": jnp.full((), 3.0)},
            apply=lambda params, x, *, key=None: params["a"] * x,
        )
        net = sequential(scale, relu)
        assert net.apply(net.init(KEY, X), jnp.array([1.0])).item() == 3

    def test_integers_may_come_in(self):
        net = sequential(embedding(7, 4), layer_norm(), dense(2))
        tokens = jnp.array([[0, 6, 3]])
        assert net.apply(net.init(KEY, tokens), tokens).shape == (1, 3, 2)


class TestParallel:
    def test_adds_by_default(self):
        net = parallel(jnp.sin, jnp.cos, jnp.square)
        np.testing.assert_allclose(net.apply({}, X), jnp.sin(X) + jnp.cos(X) + X**2, rtol=1e-6)

    @pytest.mark.parametrize("ufunc", [jnp.multiply, jnp.maximum, jnp.subtract])
    def test_folds_a_ufunc_from_left_to_right(self, ufunc):
        net = parallel(jnp.sin, jnp.cos, jnp.square, combine=ufunc)
        expected = ufunc(ufunc(jnp.sin(X), jnp.cos(X)), jnp.square(X))
        np.testing.assert_array_equal(net.apply({}, X), expected)

    def test_takes_a_function_of_the_list(self):
        net = parallel(dense(2), dense(5), combine=lambda ys: jnp.concatenate(ys, axis=-1))
        params = net.init(KEY, X)
        y = net.apply(params, X)
        assert y.shape == (4, 7)
        np.testing.assert_array_equal(y[:, 2:], dense(5).apply(params["1"], X))

    def test_children_can_have_names(self):
        net = parallel(gate=sequential(dense(3), sigmoid), way=relu, combine=jnp.multiply)
        assert shapes(net.init(KEY, X)) == {"gate": {"0": {"w": (3, 3), "b": (3,)}}}

    def test_one_layer_is_that_layer(self):
        np.testing.assert_array_equal(parallel(jnp.sin).apply({}, X), jnp.sin(X))


class TestResidual:
    def test_adds_the_input(self):
        inner = sequential(dense(3), relu)
        params = inner.init(KEY, X)
        expected = X + inner.apply(params, X)
        np.testing.assert_array_equal(residual(inner).apply(params, X), expected)

    def test_has_the_parameters_of_its_model(self):
        inner = sequential(dense(3), relu)
        assert shapes(residual(inner).init(KEY, X)) == shapes(inner.init(KEY, X))

    def test_the_gradient_passes_by(self):
        net = sequential(*[residual(lambda x: 0 * x)] * 20)
        assert jax.grad(lambda x: net.apply({}, x).sum())(X).tolist() == jnp.ones_like(X).tolist()

    def test_its_key_goes_to_its_model(self):
        x = jnp.ones(100)
        y = residual(dropout(0.5)).apply({}, x, key=KEY)
        np.testing.assert_array_equal(y, x + dropout(0.5).apply({}, x, key=KEY))


class TestMlp:
    def test_is_dense_layers_with_activations_between(self):
        net = mlp([5, 6, 2], tanh, output_activation=sigmoid)
        same = sequential(dense(5), tanh, dense(6), tanh, dense(2), sigmoid)
        params = net.init(KEY, X)
        assert shapes(params) == shapes(same.init(KEY, X))
        np.testing.assert_array_equal(net.apply(params, X), same.apply(params, X))

    def test_dropout_comes_after_each_activation_but_not_at_the_end(self):
        net = mlp([50, 50, 2], dropout_rate=0.5)
        same = sequential(dense(50), relu, dropout(0.5), dense(50), relu, dropout(0.5), dense(2))
        params = jax.jit(net.init)(KEY, X)
        assert list(params) == ["0", "3", "6"]
        drawn = jax.jit(net.apply)(params, X, key=KEY)
        np.testing.assert_array_equal(drawn, jax.jit(same.apply)(params, X, key=KEY))
        assert not jnp.array_equal(drawn, net.apply(params, X))

    def test_rate_0_changes_no_position(self):
        assert list(mlp([5, 2], dropout_rate=0.0).init(KEY, X)) == ["0", "2"]

    def test_an_activation_may_be_a_model(self):
        params = mlp([5, 5, 2], parametric_relu(per_feature=True)).init(KEY, X)
        assert shapes(params)["1"] == {"alpha": (5,)}
        assert shapes(params)["3"] == {"alpha": (5,)}

    def test_a_traced_rate_has_dropout_layers(self):
        def drawn(rate):
            net = mlp([50, 2], dropout_rate=rate)
            return net.apply(net.init(KEY, X), X, key=KEY)

        np.testing.assert_allclose(jax.jit(drawn)(0.5), drawn(0.5), rtol=1e-5)

    def test_one_width_is_a_dense_layer(self):
        assert list(mlp([1], output_activation=sigmoid).init(KEY, X)) == ["0"]


class TestPerceptron:
    @pytest.mark.parametrize("leading", [(), (4,), (2, 4)])
    def test_has_no_axis_of_features(self, leading):
        unit = perceptron()
        x = jnp.ones((*leading, 3))
        params = unit.init(KEY, x)
        assert shapes(params) == {"w": (3, 1), "b": (1,)}
        assert unit.apply(params, x).shape == leading

    def test_is_the_sigmoid_of_a_weighted_sum(self):
        params = {"w": jnp.array([[1.0], [2.0], [0.0]]), "b": jnp.array([-1.0])}
        y = perceptron().apply(params, jnp.array([[1.0, 1.0, 5.0]]))
        np.testing.assert_allclose(y, [1 / (1 + np.exp(-2.0))], rtol=1e-6)


def failing(x):
    raise RuntimeError("out of paper")


class TestInit:
    def test_no_layer_is_traced_again_at_each_depth(self):
        traced = []

        def noted(x):
            traced.append(x.shape)
            return x

        net = noted
        for _ in range(20):
            net = residual(sequential(net, relu))
        net.init(KEY, X)
        assert len(traced) == 1

    def test_a_deep_model_has_the_parameters_of_its_layers(self):
        net = dense(3)
        for _ in range(5):
            net = sequential(dense(3), net)
        params, key = net.init(KEY, X), KEY
        for _ in range(5):
            first = dense(3).init(jax.random.fold_in(key, 0), X)
            np.testing.assert_array_equal(params["0"]["w"], first["w"])
            params, key = params["1"], jax.random.fold_in(key, 1)

    def test_an_only_child_has_the_key_of_its_parent(self):
        for around, inner in ((perceptron(), dense(1)), (residual(dense(3)), dense(3))):
            expected = inner.init(KEY, X)["w"]
            np.testing.assert_array_equal(around.init(KEY, X)["w"], expected)


class TestNestedErrors:
    nested = sequential(dense(3), residual(sequential(relu, parallel(skip=relu, wide=dense(3)))))
    where = "layer 1 > layer 1 > layer wide > dense(3): "

    def test_a_missing_key_names_the_layer(self):
        inner = sequential(relu, sequential(first=relu, second=dense(3)))
        message = "^layer 1 > layer second > dense\\(3\\): key must be one PRNG key; got None\\."
        with pytest.raises(ValueError, match=message):
            inner.init(None, X)

    @pytest.mark.parametrize("wrap", [lambda apply: apply, jax.jit], ids=["plain", "jit"])
    def test_a_width_that_does_not_fit_names_the_layer(self, wrap):
        params = self.nested.init(KEY, X)
        params["1"]["1"]["wide"]["w"] = jnp.zeros((7, 3))
        with pytest.raises(
            ValueError, match="^" + self.where.replace("(", r"\(").replace(")", r"\)")
        ):
            wrap(self.nested.apply)(params, X)

    def test_a_missing_entry_names_the_layer(self):
        params = self.nested.init(KEY, X)
        del params["1"]["1"]["wide"]
        with pytest.raises(ValueError, match=r"^layer 1 > .*must be a dict with the entries"):
            self.nested.apply(params, X)

    def test_an_error_of_the_users_gets_notes(self):
        net = sequential(relu, sequential(bend=failing))
        with pytest.raises(RuntimeError, match=r"^out of paper") as caught:
            net.apply({}, X)
        assert caught.value.__notes__ == [
            "raised inside layer bend",
            "raised inside layer 1",
        ]


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_a_deep_stack_keeps_its_dtype(dtype):
    net = sequential(
        dense(8, w_init=initializers.he_normal()),
        residual(sequential(layer_norm(), dense(8), parametric_relu(), dropout(0.1))),
        parallel(dense(2), dense(2)),
    )
    x = X.astype(dtype)
    params = jax.eval_shape(net.init, KEY, x)
    assert {leaf.dtype for leaf in jax.tree.leaves(params)} == {jnp.dtype(dtype)}
    drawn = jax.eval_shape(lambda params: net.apply(params, x, key=KEY), params)
    assert drawn.dtype == dtype


MISUSE = [
    pytest.param(
        lambda: sequential(),
        ValueError,
        "sequential: layers must be passed by position or by keyword, at least one; got 0 by "
        "position and 0 by keyword. Write jn.sequential(jn.dense(10), jn.relu), for example.",
        lambda: sequential(dense(10), relu),
        id="no layer",
    ),
    pytest.param(
        lambda: sequential(dense(2), out=dense(1)),
        ValueError,
        "sequential: layers must be passed by position or by keyword, at least one; got 1 by "
        "position and 1 by keyword. Write jn.sequential(jn.dense(10), jn.relu), for example.",
        lambda: sequential(dense(10), relu),
        id="layers both ways",
    ),
    pytest.param(
        lambda: sequential(dense(2), 5),
        TypeError,
        "sequential: every layer must be a Model or a function x -> y; got 5. Pass a layer "
        "such as jn.dense(10) or jn.relu.",
        lambda: sequential(dense(2), dense(10), relu),
        id="layer not callable",
    ),
    pytest.param(
        lambda: sequential([dense(10), relu]),
        TypeError,
        "sequential: layers must be passed one by one; got a list. Write jn.sequential(*layers).",
        lambda: sequential(*[dense(10), relu]),
        id="layers as a list",
    ),
    pytest.param(
        lambda: sequential(**{"hidden": dense(2)}, **{"hidden": dense(1)}),
        TypeError,
        "jaxnets.combinators.sequential() got multiple values for keyword argument 'hidden'",
        lambda: sequential(**{"hidden": dense(2)}, **{"out": dense(1)}),
        id="duplicate names",
    ),
    pytest.param(
        lambda: NESTED.init(None, X),
        ValueError,
        "layer 1 > layer hidden > dense(2): key must be one PRNG key; got None. Pass "
        "key=jax.random.key(0).",
        lambda: NESTED.init(key=jax.random.key(0), x=X),
        id="missing key, nested",
    ),
    pytest.param(
        lambda: NESTED.apply({"1": {"hidden": DENSE}}, X[:, :2]),
        ValueError,
        "layer 1 > layer hidden > dense(2): x must have 3 features on its last axis, as the "
        "parameters do; got float32[4,2]. Pass such an x, or make the parameters with "
        "model.init(key, x) for this one.",
        lambda: NESTED.apply(NESTED.init(KEY, X[:, :2]), X[:, :2]),
        id="width, nested",
    ),
    pytest.param(
        lambda: NESTED.init(X, KEY),
        TypeError,
        "sequential: key must be one PRNG key; got float32[4,3]. Pass key=jax.random.key(0).",
        lambda: NESTED.init(key=jax.random.key(0), x=X),
        id="arguments of init swapped",
    ),
    pytest.param(
        lambda: NESTED.apply(X, {}),
        TypeError,
        "sequential: params must be a dict of its layers' parameters; got float32[4,3]. Make "
        "them with model.init(key, x).",
        lambda: NESTED.apply(NESTED.init(KEY, X), X),
        id="arguments of a nested apply swapped",
    ),
    pytest.param(
        lambda: residual(dense(2)).apply(DENSE, X),
        ValueError,
        "residual: model must return the shape of its input, (4, 3); got (4, 2). Let it end "
        "in jn.dense(3), for example.",
        lambda: residual(dense(3)).apply(dense(3).init(KEY, X), X),
        id="residual changes the width",
    ),
    pytest.param(
        lambda: residual("dense"),
        TypeError,
        "residual: model must be a Model or a function x -> y; got 'dense'. Pass a layer "
        "such as jn.dense(10) or jn.relu.",
        lambda: residual(dense(10)),
        id="residual around no layer",
    ),
    pytest.param(
        lambda: parallel(jnp.sin, lambda x: x[:, :1]).apply({}, X),
        ValueError,
        "parallel: outputs must have one shape to be combined by a ufunc; got (4, 3) from "
        "layer 0, (4, 1) from layer 1. Give the layers equal widths, or pass combine=lambda "
        "outputs: jnp.concatenate(outputs, axis=-1).",
        lambda: parallel(
            jnp.sin,
            lambda x: x[:, :1],
            combine=lambda outputs: jnp.concatenate(outputs, axis=-1),
        ).apply({}, X),
        id="outputs of different widths added",
    ),
    pytest.param(
        lambda: parallel(dense(2), combine="add"),
        TypeError,
        "parallel: combine must be callable; got 'add'. Pass combine=jnp.add, for example.",
        lambda: parallel(dense(2), combine=jnp.add),
        id="combine not callable",
    ),
    pytest.param(
        lambda: mlp(10),
        TypeError,
        "mlp: widths must be a list or a tuple; got 10. Pass widths=[10, 1], for example.",
        lambda: mlp([10, 1]),
        id="widths a number",
    ),
    pytest.param(
        lambda: mlp([]),
        ValueError,
        "mlp: widths must hold at least one width; got []. Pass widths=[10, 1], for example.",
        lambda: mlp(widths=[10, 1]),
        id="no widths",
    ),
    pytest.param(
        lambda: mlp([10, 0]),
        ValueError,
        "mlp: widths[1] must be a whole number of at least 1; got 0. Pass widths[1]=10, for "
        "example.",
        lambda: mlp([10, 10]),
        id="a width of 0",
    ),
    pytest.param(
        lambda: mlp([1.5, 1]),
        TypeError,
        "mlp: widths[0] must be a whole number of at least 1; got 1.5. Pass widths[0]=10, "
        "for example.",
        lambda: mlp([10, 1]),
        id="a float width",
    ),
    pytest.param(
        lambda: mlp([10, 1], "relu"),
        TypeError,
        "mlp: activation must be callable; got 'relu'. Pass activation=jn.relu, for example.",
        lambda: mlp([10, 1], activation=relu),
        id="activation by name",
    ),
    pytest.param(
        lambda: mlp([10, 1], output_activation="sigmoid"),
        TypeError,
        "mlp: output_activation must be callable; got 'sigmoid'. Pass "
        "output_activation=jn.relu, for example.",
        lambda: mlp([10, 1], output_activation=relu),
        id="output activation by name",
    ),
    pytest.param(
        lambda: mlp([10, 1], dropout_rate=1.5),
        ValueError,
        "mlp: dropout_rate must be a number in [0, 1); got 1.5. Pass dropout_rate=0.5, for "
        "example.",
        lambda: mlp([10, 1], dropout_rate=0.5),
        id="mlp with a rate above 1",
    ),
    pytest.param(
        lambda: perceptron().init(KEY, INTEGERS),
        TypeError,
        "dense(1): x must be floating; got int32[1,3]. Convert it with x.astype(jnp.float32).",
        lambda: perceptron().init(KEY, INTEGERS.astype(jnp.float32)),
        id="perceptron of integers",
    ),
]


@pytest.mark.parametrize(("misuse", "error", "message", "advice"), MISUSE)
def test_misuse_is_refused_with_a_remedy_that_works(misuse, error, message, advice, assert_refused):
    assert_refused(misuse, error, message, advice)
