"""Whatever a public function is given: what comes of it is a result, or an error of the library.

Arguments are drawn with a seed from values of every kind that people hand over by mistake. Each
function is called with good arguments of which some are exchanged.
"""

import collections
import functools
import inspect
import random
import resource
import time
import types
import warnings
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxnets as jn
from jaxnets.errors import ArgumentError

KEY = jax.random.key(0)
KEYS = jax.random.split(KEY, 2)
X = np.linspace(-1, 1, 8, dtype=np.float32).reshape(4, 2)
Y = np.float32([[0.0], [1.0], [1.0], [0.0]])
LABELS = np.array([0, 1, 1, 0])
SCORES = jax.nn.softmax(X)
NET, SGD = jn.dense(1), optax.sgd(0.1)
SECONDS = 10
MEGABYTES = 100


class Thing:
    """An object of no meaning."""


VALUES: list[Any] = [
    *(None, True, False, 0, 1, -1, 2, 7, 2**63, -(2**63), 10**100, -(10**100)),
    *(0.0, -0.5, 0.3, 1.0, 1e-320, 1e300, float("nan"), float("inf"), -float("inf"), 1j),
    *("", "mean", "mse", "\ud800", b"x", ..., Thing, Thing(), object(), types, range(3)),
    *((), [], {}, set(), (2,), [1, [2, 3]], {"w": 1}, {1: 2, "a": 3}, {"x": X}, [None], (X, Y)),
    *(len, print, jnp.sin, lambda x: x, lambda: None, jn.dense, jn.relu, jn.losses.mse, NET, SGD),
    *(np.float32, np.float32(1), np.int8(3), np.bool_(1), np.array(2), np.array(0.5), jnp.ones(())),
    *(
        X,
        Y,
        LABELS,
        SCORES,
        X[:0],
        X[:, :0],
        X.T,
        X[0],
        X[None],
        X.astype(int),
        X > 0,
        -X,
        1e30 * X,
    ),
    *(X.astype(np.float16), X.astype(np.longdouble), X.astype(complex), X.astype(object), X * 1j),
    *(np.array(["a", "b"]), np.array([None, 1]), np.array("2020", "M8[D]"), np.zeros(2, "i4,f4")),
    np.ma.masked_array(X, X > 0.5),
    np.ma.masked_array(X, False),
    np.full((4, 2), np.nan, np.float32),
    np.asfortranarray(X)[::-1],
    np.arange(4, dtype=np.uint64) + 2**63,
    jnp.asarray(X, jnp.bfloat16),
    jax.ShapeDtypeStruct((4, 2), jnp.float32),
    jax.ShapeDtypeStruct((4, 2), jnp.int32),
    KEY,
    KEYS,
    jax.random.PRNGKey(0),
    np.zeros((3, 3), np.uint32),
    iter([1]),
    jn.Stop(patience=1),
    jn.data.xor(),
]

THEIRS = [one for one in VALUES if callable(one)]
"""Functions of the user: an error inside one of them is the user's."""

Call = tuple[str, Callable[..., Any], list[Any], dict[str, Any]]
"""A name, a function, good arguments by position and by keyword."""


def options_of(function: Callable[..., Any]) -> dict[str, Any]:
    """The keyword arguments of a function, with what they are if they are not given."""
    parameters = inspect.signature(function).parameters.values()
    return {one.name: one.default for one in parameters if one.kind is one.KEYWORD_ONLY}


def activations() -> list[Call]:
    found = []
    for name, function in inspect.getmembers(jn, callable):
        if getattr(function, "__module__", "").startswith("jaxnets.activations"):
            given = {"alpha": 0.1} if name == "prelu" else {}
            found.append((name, function, [X], {**options_of(function), **given}))
    return found


OF_LABELS = {"cross_entropy", "nll", "accuracy", "confusion_matrix", "precision_recall_f1"}


def comparisons() -> list[Call]:
    found = []
    for group in (jn.losses, jn.metrics):
        for name in group.__all__:
            function = getattr(group, name)
            if isinstance(function, type):
                continue
            data = [SCORES, LABELS if name in OF_LABELS else np.asarray(SCORES)]
            found.append((name, function, data, options_of(function)))
            found.append((name, function.check_values, data, options_of(function)))
    return found


FACTORIES: list[tuple[Any, list[Any], dict[str, Any]]] = [
    (jn.dense, [3], {"use_bias": True, "w_init": None, "b_init": None}),
    (jn.dropout, [0.5], {}),
    (jn.flatten, [], {}),
    (jn.embedding, [5, 2], {"table_init": None, "dtype": float}),
    (jn.layer_norm, [], {"eps": 1e-5}),
    (jn.rms_norm, [], {"eps": None}),
    (jn.parametric_relu, [], {"per_feature": False, "alpha_init": None}),
    (jn.sequential, [NET, jn.relu], {}),
    (jn.sequential, [], {"a": NET, "b": jn.relu}),
    (jn.parallel, [NET, NET], options_of(jn.parallel)),
    (jn.residual, [jn.dense(2)], {}),
    (jn.mlp, [[3, 1]], {"activation": jn.relu, **options_of(jn.mlp)}),
    (jn.with_precision, [NET, jnp.bfloat16], {}),
    (jn.perceptron, [], {}),
]


def used(factory: Callable[..., Any]) -> Callable[..., Any]:
    """A factory whose model is then made, applied and summed up."""

    @functools.wraps(factory)
    def use(inputs: Any, key: Any, *args: Any, **kwargs: Any) -> Any:
        net = factory(*args, **kwargs)
        params = net.init(key, inputs)
        jn.summary(net, inputs)
        return net.apply(params, inputs), net.apply(params, inputs, key=key)

    return use


def models() -> list[Call]:
    return [
        (factory.__name__, used(factory), [inputs, KEY, *args], kwargs)
        for factory, args, kwargs in FACTORIES
        for inputs in (LABELS if factory is jn.embedding else X,)
    ]


def applications() -> list[Call]:
    found: list[Call] = []
    for factory, args, kwargs in FACTORIES:
        net, inputs = factory(*args, **kwargs), LABELS if factory is jn.embedding else X
        params = net.init(KEY, inputs)
        found.append((factory.__name__, net.apply, [params, inputs], {"key": KEY}))
        found.append((factory.__name__, net.init, [KEY, inputs], {}))
    return found


def initialisers() -> list[Call]:
    found = []
    for name in jn.initializers.__all__:
        if name in {"zeros", "ones"}:  # JAX's own
            continue

        def draw(key: Any, shape: Any, dtype: Any, *args: Any, name: str = name) -> Any:
            return getattr(jn.initializers, name)(*args)(key, shape, dtype)

        numbers = {"uniform": [0.1], "constant": [0.1], "normal": [0.1], "orthogonal": [1.0]}
        more = {"variance_scaling": [1.0, "fan_in", "normal"], "truncated_normal": [0.1]}
        args = [KEY, (2, 3), jnp.float32, *(numbers | more).get(name, [])]
        found.append((name, draw, args, {}))
    return found


def trainings() -> list[Call]:
    fit = options_of(jn.fit) | {"key": KEY, "steps": 2}
    sweep = options_of(jn.sweep) | {"keys": KEYS, "steps": 2}
    step = options_of(jn.init_state)

    def begun(model: Any, loss: Any, optimizer: Any, key: Any, x: Any, **kwargs: Any) -> Any:
        jn.make_step(model, loss, optimizer)
        return jn.init_state(model, optimizer, key, x, **kwargs)

    return [
        ("fit", jn.fit, [NET, jn.losses.mse, SGD, (X, Y)], fit),
        ("fit", jn.fit, [NET, jn.losses.mse, SGD, (X, Y)], {**fit, "validation": (X, Y)}),
        ("sweep", jn.sweep, [(NET, jn.losses.mse, SGD), (X, Y)], sweep),
        ("make_step", begun, [NET, jn.losses.mse, SGD, KEY, X], step),
        ("Stop", jn.Stop, [], {"metric": "loss", "mode": None, "patience": 1, "target": None}),
        ("Checkpoint", jn.Checkpoint, ["here"], {}),
        ("objective", jn.objective, [lambda params, batch, *, key: 0.0], {"value_and_grad": None}),
    ]


def exchanged(call: Call, moments: random.Random) -> Call:
    """The call with one, two or three arguments that are drawn."""
    name, function, args, kwargs = call
    args, kwargs = list(args), dict(kwargs)
    places: list[Any] = [*range(len(args)), *kwargs]
    for place in moments.sample(places, min(len(places), moments.choice([1, 1, 2, 3]))):
        (args if isinstance(place, int) else kwargs)[place] = moments.choice(VALUES)
    return name, function, args, kwargs


def shown(call: Call) -> str:
    name, _, args, kwargs = call
    return f"{name}(*{args!r}, **{kwargs!r})".replace("\n", " ")[:600]


def outcome(call: Call) -> str:
    """What came of a call: nothing worth a word, or the foreign error or the time that it took."""
    _, function, args, kwargs = call
    started = time.perf_counter()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            jax.block_until_ready(function(*args, **kwargs))
    except (ArgumentError, jn.TrainingDiverged):
        pass
    except Exception as error:
        if any(value is one for value in (*args, *kwargs.values()) for one in THEIRS):
            return ""
        first = (str(error).splitlines() or [""])[0]
        return f"{type(error).__name__}: {first[:160]}"
    seconds = time.perf_counter() - started
    return f"{seconds:.0f} s" if seconds > SECONDS else ""


def fuzz(calls: list[Call], count: int, seed: int) -> dict[str, str]:
    """The foreign errors of so many calls, each with one call that raised it."""
    moments, found = random.Random(seed), collections.OrderedDict[str, str]()
    for _ in range(count):
        call = exchanged(moments.choice(calls), moments)
        said = outcome(call)
        if said:
            found.setdefault(f"{call[0]}: {said}", shown(call))
    return found


KINDS = {
    "activations": (activations, 5000),
    "comparisons": (comparisons, 7000),
    "models": (models, 3000),
    "applications": (applications, 2000),
    "initialisers": (initialisers, 2000),
    "trainings": (trainings, 1000),
}


def test_there_are_twenty_thousand_calls():
    assert sum(count for _, count in KINDS.values()) >= 20_000


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_nothing_but_a_result_or_an_error_of_the_library_comes_of_any_call(kind):
    make, count = KINDS[kind]
    calls = make()
    assert fuzz(calls, count, seed=0) == {}
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    fuzz(calls, count // 2, seed=0)  # what JAX keeps for these calls is there already
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < MEGABYTES * 1024
