"""PyTorch's random stream and initial parameters, against values that PyTorch drew.

The fixture is made by tests/fixtures/make_torch_streams.py; PyTorch itself is not needed here.
"""

import json
import math
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets.combinators import mlp, sequential
from jaxnets.errors import ArgumentTypeError, ArgumentValueError
from jaxnets.layers import dense
from jaxnets.model import Model
from jaxnets.torch_compat import TorchGenerator, torch_init

FIXTURE = np.load(Path(__file__).parents[1] / "fixtures" / "torch_streams.npz")
INDEX = json.loads(str(FIXTURE["index"]))


class Reader:
    """Reads the stored values one draw after the other."""

    def __init__(self):
        self.data, self.at = FIXTURE["values"].tobytes(), 0

    def read(self, count, dtype):
        values = np.frombuffer(self.data, dtype, count, self.at)
        self.at += values.nbytes
        return values


def read_fixture():
    """The stored draws: sessions as (seed, [call, values]), networks as (seed, dtype, layers)."""
    reader, sessions, networks = Reader(), {}, {}
    for name, session in INDEX["sessions"].items():
        calls = []
        for method, arguments, options, keep in session["calls"]:
            stored = len(range(0, size_of(method, arguments), keep))
            values = reader.read(
                stored, options.get("dtype", "int64" if is_whole(method) else "f4")
            )
            calls.append((method, arguments, options, keep, values))
        sessions[name] = (session["seed"], calls)
    for name, network in INDEX["networks"].items():
        layers = [
            (kind, read_layer(reader, kind, rows, columns, network["dtype"]))
            for kind, rows, columns in network["layers"]
        ]
        networks[name] = (network["seed"], network["dtype"], layers)
    assert reader.at == len(reader.data)
    return sessions, networks


def is_whole(method):
    return method in ("randperm", "random_int64")


def size_of(method, arguments):
    if is_whole(method):
        return arguments[0] if arguments else 1
    return math.prod(arguments[0])


def read_layer(reader, kind, rows, columns, dtype):
    if kind == "embedding":
        return {"table": reader.read(rows * columns, dtype).reshape(rows, columns)}
    layer = {"w": reader.read(columns * rows, dtype).reshape(columns, rows).T}
    if kind == "dense":
        layer["b"] = reader.read(columns, dtype)
    return layer


SESSIONS, NETWORKS = read_fixture()


def max_ulps(drawn, expected, mean):
    """The largest difference in units of the last place of the larger term of the sum."""
    size = np.maximum(np.abs(expected), np.abs(expected.dtype.type(mean)))
    return np.max(np.abs(drawn - expected) / np.spacing(size), initial=0)


@pytest.mark.parametrize("name", SESSIONS)
def test_a_session_draws_what_pytorch_draws(name):
    seed, calls = SESSIONS[name]
    generator = TorchGenerator(seed)
    for method, arguments, options, keep, expected in calls:
        drawn = getattr(generator, method)(*arguments, **options)
        if not is_whole(method):
            assert drawn.shape == tuple(arguments[0])
            assert drawn.dtype == expected.dtype
        kept = np.reshape(drawn, -1)[::keep]
        if method == "normal":
            mean = arguments[1] if len(arguments) > 1 else 0.0
            assert max_ulps(kept, expected, mean) <= 3, (arguments, options)
        else:
            np.testing.assert_array_equal(kept, expected, err_msg=f"{method}{arguments}{options}")


def test_few_normals_are_as_close_as_stated():
    for name in ("normal sizes float32", "normal sizes float64"):
        seed, calls = SESSIONS[name]
        generator = TorchGenerator(seed)
        for _, arguments, options, _, expected in calls[:16]:
            drawn = generator.normal(*arguments, **options)
            assert max_ulps(drawn, expected, 0.0) <= 1


@pytest.mark.parametrize("shape", [4, np.int64(4), [4], (4,), (2, 2)])
def test_the_form_of_the_shape_does_not_change_the_values(shape):
    expected = TorchGenerator(1).uniform((4,))
    np.testing.assert_array_equal(TorchGenerator(1).uniform(shape).reshape(-1), expected)


def test_the_upper_end_is_never_drawn():
    # float32 has only every second number there, so a quarter of the sums round to the end.
    values = TorchGenerator(1).uniform(1000, 2**24, 2**24 + 4)
    assert set(values.tolist()) == {2**24, 2**24 + 2}


def test_the_spare_normal_survives_other_draws():
    generator = TorchGenerator(3)
    first = generator.normal(1)
    generator.uniform(5)
    generator.normal(32)
    generator.randperm(4)
    spare = generator.normal(())
    pair = TorchGenerator(3).normal(2)
    np.testing.assert_array_equal([first[0], spare], pair)


def test_randperm_is_a_permutation():
    order = TorchGenerator(11).randperm(1000)
    assert order.dtype == np.int64
    np.testing.assert_array_equal(np.sort(order), np.arange(1000))


BAD_CALLS = [
    ("uniform", [(2, -1)], {}, r"shape\[1\] must be a whole number of at least 0; got -1\. Pass"),
    ("normal", [2.5], {}, r"shape must be a whole number of at least 0; got 2\.5"),
    (
        "uniform",
        [2, 1, 0],
        {},
        r"high must be at least low, 1\.0; got 0\.0\. Exchange low and high",
    ),
    ("uniform", [2, math.nan], {}, r"low must be a number from -1e\+37 to 1e\+37; got nan"),
    ("uniform", [2, 0, 3e38], {}, r"high must be a number from -1e\+37 to 1e\+37; got 3e\+38"),
    ("uniform", [2, "0"], {}, r"low must be a number .*; got '0'\. Pass low=1\.0"),
    ("normal", [2, True], {}, "mean must be a number .*; got True"),
    ("normal", [2, 10**400], {}, r"mean must be a number from -1e\+37 to 1e\+37; got 1000"),
    ("normal", [2], {"std": -1}, r"std must be at least 0; got -1\.0\. Pass std=1\.0"),
    ("uniform", [2], {"dtype": "int32"}, "dtype must be float32 or float64; got 'int32'"),
    ("uniform", [2], {"dtype": jnp.bfloat16}, r"dtype must .*bfloat16.*\. Pass dtype=np\.float32"),
    ("normal", [2], {"dtype": "real"}, "dtype must be float32 or float64; got 'real'"),
    ("normal", [2], {"dtype": None}, "dtype must be float32 or float64; got None"),
    ("randperm", [-1], {}, "n must be a whole number of at least 0; got -1"),
    ("randperm", [214_748_364], {}, "n must be at most 214748363; got 214748364. Shuffle longer"),
]


@pytest.mark.parametrize(("method", "arguments", "options", "message"), BAD_CALLS)
def test_bad_arguments_of_the_generator(method, arguments, options, message):
    with pytest.raises((TypeError, ValueError), match=rf"^TorchGenerator\.{method}: {message}"):
        getattr(TorchGenerator(0), method)(*arguments, **options)


BAD_SEEDS = [
    ("7", ArgumentTypeError, "seed must be a whole number of at least -9223372036854775808; got"),
    (1.0, ArgumentTypeError, r"seed must be a whole number .*; got 1\.0\. Pass seed=10"),
    (True, ArgumentTypeError, "seed must be a whole number .*; got True"),
    (2**64, ArgumentValueError, r"seed must be at most 2\*\*64 - 1; got 18446744073709551616"),
    (-(2**63) - 1, ArgumentValueError, "seed must be a whole number .*; got -9223372036854775809"),
]


@pytest.mark.parametrize(("seed", "error", "message"), BAD_SEEDS)
def test_bad_seeds(seed, error, message):
    with pytest.raises(error, match=f"^TorchGenerator: {message}"):
        TorchGenerator(seed)
    with pytest.raises(error, match=f"^torch_init: {message}"):
        torch_init(dense(1), jnp.zeros((1, 3)), seed)


def embedding(vocabulary, features):
    """An embedding made by hand; its own numbers are zeros, so that none can pass for drawn."""
    return Model(
        init=lambda key, x: {"table": jnp.zeros((vocabulary, features), float)},
        apply=lambda params, x, *, key=None: params["table"][x],
    )


def model_of(layers):
    """The Model that makes the layers of a stored network, and an example input for it."""
    made = []
    for kind, params in layers:
        if kind == "embedding":
            made.append(embedding(*params["table"].shape))
        else:
            made.append(dense(params["w"].shape[1], use_bias=kind == "dense"))
    if layers[0][0] == "embedding":
        return sequential(*made), jax.ShapeDtypeStruct((4,), jnp.int32)
    return sequential(*made), jnp.zeros((4, layers[0][1]["w"].shape[0]), float)


def assert_drawn_as(params, layers):
    """The parameters are those of the stored network: exactly, or to 3 ulps where normal."""
    assert len(params) == len(layers)
    for drawn, (_, expected) in zip(params.values(), layers, strict=True):
        assert drawn.keys() == expected.keys()
        for name, values in expected.items():
            assert isinstance(drawn[name], jax.Array)
            assert drawn[name].dtype == values.dtype
            if name == "table":
                assert max_ulps(np.asarray(drawn[name]), values, 0.0) <= 3
            else:
                np.testing.assert_array_equal(drawn[name], values)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_gets_the_parameters_that_pytorch_draws(name):
    seed, dtype, layers = NETWORKS[name]
    with jax.enable_x64(dtype == "float64"):
        model, x = model_of(layers)
        assert_drawn_as(torch_init(model, x, seed), layers)


def test_the_published_network_with_activations_between():
    seed, _, layers = NETWORKS["2-10-10-10-1"]
    net = mlp([10, 10, 10, 1], jnp.tanh)
    params = torch_init(net, jax.ShapeDtypeStruct((4, 2), jnp.float32), seed)
    assert list(params) == ["0", "2", "4", "6"]
    assert_drawn_as(params, layers)


def hand_made(params):
    """A Model whose init makes these parameters."""
    return Model(init=lambda key, x: params(key), apply=lambda params, x, *, key=None: x)


def layer_3_3():
    return {"w": jnp.zeros((3, 3)), "b": jnp.zeros(3)}


X = jnp.zeros((1, 3))
LAYERS = NETWORKS["seven layers"][2]


def test_named_layers_are_drawn_in_the_order_of_init_not_of_the_alphabet():
    net = hand_made(lambda key: {name: layer_3_3() for name in ("out", "hidden", "b", "w")})
    params = torch_init(net, X, 3)
    assert list(params) == ["out", "hidden", "b", "w"]
    assert_drawn_as(params, LAYERS[:4])


def test_numbered_layers_are_drawn_by_number_where_init_lost_their_order():
    names = [str(i) for i in range(4, 11)]
    net = hand_made(jax.jit(lambda key: {name: layer_3_3() for name in names}))
    assert list(net.init(0, X)) == sorted(names)
    params = torch_init(net, X, 3)
    assert_drawn_as({name: params[name] for name in names}, LAYERS)


def test_nested_layers_are_drawn_where_they_stand():
    net = hand_made(
        lambda key: {
            "encoder": {"0": layer_3_3(), "1": {"w": layer_3_3(), "b": layer_3_3()}},
            "decoder": layer_3_3(),
        }
    )
    params = torch_init(net, X, 3)
    flat = [params["encoder"]["0"], *params["encoder"]["1"].values(), params["decoder"]]
    assert_drawn_as(dict(enumerate(flat)), LAYERS[:4])


def test_the_bias_is_drawn_last_wherever_it_stands():
    net = hand_made(lambda key: {"b": jnp.zeros(3), "w": jnp.zeros((3, 3))})
    assert_drawn_as({"0": torch_init(net, X, 3)}, LAYERS[:1])


@pytest.mark.parametrize(
    "other",
    [
        {"scale": jnp.ones(3), "b": jnp.full(3, 0.5)},
        {"w": jnp.ones((2, 2, 3, 4)), "b": jnp.ones(4)},
        {"w": jnp.ones((3, 3)), "b": jnp.ones(4)},
        {"w": jnp.ones((3, 3)), "gain": jnp.ones(3)},
        {"w": jnp.ones(3)},
        {"table": jnp.ones((2, 3)), "b": jnp.ones(3)},
        {"table": jnp.ones((2, 3, 4))},
    ],
    ids=lambda params: f"{[f'{name}{array.shape}' for name, array in params.items()]}",
)
def test_other_parameters_stay_as_init_makes_them_and_draw_nothing(other):
    net = hand_made(lambda key: {"first": layer_3_3(), "other": other, "last": layer_3_3()})
    params = torch_init(net, X, 3)
    assert list(params) == ["first", "other", "last"]
    jax.tree.map(np.testing.assert_array_equal, params.pop("other"), other)
    assert_drawn_as(params, LAYERS[:2])


@pytest.mark.parametrize("seed", [3, -1, 2**32 + 3, TorchGenerator(2**64 - 1)])
def test_other_random_parameters_come_from_the_seed_as_a_key(seed):
    net = hand_made(lambda key: {"noise": jax.random.normal(key, (5,))})
    number = seed.seed if isinstance(seed, TorchGenerator) else seed
    expected = jax.random.normal(jax.random.key(number % 2**32), (5,))
    np.testing.assert_array_equal(torch_init(net, X, seed)["noise"], expected)


def test_several_models_from_one_stream():
    generator = TorchGenerator(3)
    drawn = [torch_init(dense(3), X, generator) for _ in range(7)]
    assert_drawn_as(dict(enumerate(drawn)), LAYERS)


def test_a_model_without_parameters_gets_none():
    assert torch_init(jnp.tanh, X, 0) == {}


def test_no_random_number_of_jax_is_computed_for_dense_layers():
    def init(key, x):
        assert isinstance(x, jax.core.Tracer), "init was run, not only traced"
        return layer_3_3()

    torch_init(Model(init, apply=lambda params, x, *, key=None: x), X, 3)


BAD_MODELS = [
    (3, X, "torch_init: every layer must be a Model or a function x -> y; got 3"),
    (dense(1), [[0.0]], r"torch_init: x must be an array or a jax.ShapeDtypeStruct; got \[\[0\.0"),
    (sequential(dense(1)), X.astype(int), r"layer 0 > dense\(1\): x must be floating; got int32"),
    (
        dense(1),
        X.astype(jnp.bfloat16),
        r"torch_init: x must give float32 or float64 parameters; got bfloat16\[3,1\]\. Pass x\.as",
    ),
    (
        hand_made(lambda key: {"0": [jnp.zeros(3)]}),
        X,
        r"torch_init: model must have parameters that are a nested dict of arrays; got \[",
    ),
]


@pytest.mark.parametrize(("model", "x", "message"), BAD_MODELS)
def test_bad_models_and_inputs(model, x, message):
    with pytest.raises((TypeError, ValueError), match=f"^{message}"):
        torch_init(model, x, 0)
