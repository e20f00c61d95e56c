"""Calls that do not fit, in the library's words, and factories of one's own."""

import inspect
import pickle

import jax
import jax.numpy as jnp
import pytest

import jaxnets as jn
from jaxnets.errors import ArgumentTypeError, ArgumentValueError, fail
from jaxnets.making import factory
from jaxnets.model import Model

KEY = jax.random.key(0)
X = jnp.ones((4, 2))
DENSE = jn.dense(3)
PARAMS = DENSE.init(KEY, X)

MISUSE = [
    pytest.param(
        lambda: jn.dense(2, 2),
        "dense: arguments must fit dense(features, *, use_bias=True, w_init=None, b_init=None); "
        "got dense(2, 2): too many positional arguments. Pass the number of outputs alone: that "
        "of inputs comes from the data.",
        lambda: jn.dense(2).init(KEY, X),
        id="inputs and outputs",
    ),
    pytest.param(
        lambda: jn.dense(2, bias=False),
        "dense: arguments must fit dense(features, *, use_bias=True, w_init=None, b_init=None); "
        "got dense(2, bias=False): got an unexpected keyword argument 'bias'. See help(jn.dense).",
        lambda: help(jn.dense),
        id="another library's option",
    ),
    pytest.param(
        lambda: jn.dropout(),
        "dropout: arguments must fit dropout(rate); got dropout(): missing a required argument: "
        "'rate'. See help(jn.dropout).",
        lambda: help(jn.dropout),
        id="nothing",
    ),
    pytest.param(
        lambda: jn.mlp(2, 2, 1),
        "mlp: arguments must fit mlp(widths, activation=relu, *, output_activation=None, "
        "dropout_rate=0.0); got mlp(2, 2, 1): too many positional arguments. Pass the widths in "
        "one list: jn.mlp([10, 1]).",
        lambda: jn.mlp([10, 1]),
        id="widths one by one",
    ),
    pytest.param(
        lambda: jn.residual(DENSE, jn.relu),
        "residual: arguments must fit residual(model); got residual(dense(3), relu): too many "
        "positional arguments. See help(jn.residual).",
        lambda: help(jn.residual),
        id="two models",
    ),
    pytest.param(
        lambda: jn.initializers.uniform(),
        "initializers.uniform: arguments must fit initializers.uniform(scale); got "
        "initializers.uniform(): missing a required argument: 'scale'. See "
        "help(jn.initializers.uniform).",
        lambda: help(jn.initializers.uniform),
        id="an initialiser without its scale",
    ),
    pytest.param(
        lambda: DENSE(X),
        "dense(3): a model must be called by one of its two functions; got a call of the model "
        "itself. Make params = model.init(key, x), then y = model.apply(params, x).",
        lambda: DENSE.apply(DENSE.init(KEY, X), X),
        id="the model itself",
    ),
    pytest.param(
        lambda: Model(len, len)(X),
        "Model: a model must be called by one of its two functions; got a call of the model "
        "itself. Make params = model.init(key, x), then y = model.apply(params, x).",
        lambda: DENSE.apply(DENSE.init(KEY, X), X),
        id="a model of one's own itself",
    ),
    pytest.param(
        lambda: DENSE.apply(X),
        "dense(3): arguments must fit apply(params, x, *, key=None); got apply(float32[4,2]): "
        "missing a required argument: 'x'. Parameters come before the input: "
        "model.apply(params, x).",
        lambda: DENSE.apply(PARAMS, X),
        id="apply without parameters",
    ),
    pytest.param(
        lambda: DENSE.apply(PARAMS, X, KEY),
        "dense(3): arguments must fit apply(params, x, *, key=None); got apply({...}, "
        "float32[4,2], key<fry>[]): too many positional arguments. Parameters come before the "
        "input: model.apply(params, x).",
        lambda: DENSE.apply(PARAMS, X, key=KEY),
        id="apply with a key by position",
    ),
    pytest.param(
        lambda: DENSE.init(X),
        "dense(3): arguments must fit init(key, x); got init(float32[4,2]): missing a required "
        "argument: 'x'. A key comes before an example of the input: model.init(key, x).",
        lambda: DENSE.init(KEY, X),
        id="init without a key",
    ),
]


@pytest.mark.parametrize(("misuse", "message", "advice"), MISUSE)
def test_misuse_is_refused_with_a_remedy_that_works(misuse, message, advice, assert_refused):
    assert_refused(misuse, ArgumentTypeError, message, advice)


def test_a_type_error_of_the_users_comes_through_as_it_is():
    net = jn.sequential(lambda x: x + "1")
    with pytest.raises(TypeError) as caught:
        net.apply({}, X)
    assert not isinstance(caught.value, ArgumentTypeError)
    assert caught.value.__notes__ == ["raised inside layer 0"]


@pytest.mark.parametrize("name", ["dense", "sequential", "mlp", "with_precision"])
def test_a_factory_looks_like_the_function_that_it_is(name):
    function = getattr(jn, name)
    assert inspect.isfunction(function)
    assert function.__name__ == name
    assert "Example:" in function.__doc__


@factory()
def scaled(size):
    """A Model of one's own, made by a factory of one's own."""
    if size < 0:
        fail("size", "be positive", size, "Pass size=1.")

    def apply(params, x, *, key=None):
        if x.shape[-1] == 0:
            fail("x", "have features", x, "Pass some.")
        return params["a"] * x

    return Model(lambda key, x: {"a": jnp.full((), float(size))}, apply)


class TestAFactoryOfOnesOwn:
    def test_makes_models_that_read_as_they_were_written(self):
        assert repr(jn.sequential(scaled(3), jn.relu)) == "sequential(scaled(3), relu)"
        assert scaled(3) == scaled(size=3) != scaled(4)

    def test_names_the_errors_raised_inside(self):
        with pytest.raises(ArgumentValueError, match=r"^scaled: size must be positive; got -1\."):
            scaled(-1)
        with pytest.raises(ArgumentValueError, match=r"^layer 0 > scaled\(3\): x must have"):
            jn.sequential(scaled(3)).apply({"0": {"a": 1.0}}, jnp.ones((4, 0)))

    def test_makes_models_that_compute(self):
        net = jn.sequential(scaled(3), jn.relu)
        assert net.apply(net.init(KEY, X), X).tolist() == [[3.0, 3.0]] * 4

    def test_names_its_layers_in_a_summary(self):
        table = jn.summary(jn.sequential(scaled(3)), X)
        assert [row.kind for row in table.rows] == ["scaled"]

    def test_is_to_be_called_as_well(self):
        with pytest.raises(ArgumentTypeError, match=r"Call it: scaled\(size\)\.$"):
            jn.sequential(scaled)
        with pytest.raises(ArgumentTypeError, match=r"^scaled: arguments must fit scaled\(size\)"):
            scaled()

    def test_has_to_be_where_pickle_finds_it(self):
        with pytest.raises((pickle.PicklingError, ModuleNotFoundError, AttributeError)):
            pickle.loads(pickle.dumps(factory()(lambda: Model(abs, abs))()))
