"""Misuse of `fit`, `sweep` and their parts: each error's words, and its advice carried out."""

import functools
import operator
import re
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxnets as jn
from jaxnets.checks import ArgumentTypeError, ArgumentValueError

KEY = jax.random.key(0)
KEYS = jax.random.split(KEY, 2)
X = np.float32([[0, 0], [0, 1], [1, 0], [1, 1]])
Y = np.float32([[0], [1], [1], [0]])
LABELS = np.array([0, 1, 2, 1])
NET, SGD = jn.dense(1), optax.sgd(0.1)
CLASSES = jn.dense(3)
PARAMS = NET.init(KEY, X)
TYPE, VALUE = ArgumentTypeError, ArgumentValueError
STEP_OR_SWEEP = "Use jn.make_step for a loop of one's own, or jn.sweep for many runs."


def fit(**changed):
    """`fit` with everything right, except what is ``changed``."""
    options = {"model": NET, "loss": jn.losses.mse, "optimizer": SGD, "data": (X, Y), "key": KEY}
    return jn.fit(**(options | {"steps": 2} | changed)).params


def sweep(**changed):
    """`sweep` with everything right, except what is ``changed``."""
    options = {"model": NET, "loss": jn.losses.mse, "make_optimizer": SGD, "data": (X, Y)}
    return jn.sweep(**(options | {"keys": KEYS, "steps": 2} | changed)).params


def rates(values, make_optimizer=optax.sgd):
    return sweep(make_optimizer=make_optimizer, hyperparameters=values)


def classified(validation=(X, LABELS), **changed):
    """`fit` of class labels with validation."""
    options = {"model": CLASSES, "loss": jn.losses.cross_entropy, "data": (X, LABELS)}
    return fit(**(options | {"validation": validation} | changed))


def prf(predictions, targets):
    return jn.metrics.precision_recall_f1(predictions, targets)


def stopping(metric, **changed):
    stop = jn.Stop(metric="f1", patience=1)
    return classified(metrics={"f1": metric}, stop=stop, **changed)


@dataclass
class Unhashable:
    """A callable with fields, which therefore has no hash."""

    factor: float = 1.0

    def __call__(self, predictions, targets):
        return self.factor * ((predictions - targets) ** 2).mean()


def branching(learning_rate):
    return optax.sgd(learning_rate) if learning_rate > 0.5 else optax.adam(learning_rate)


def chosen(learning_rate):
    return optax.sgd(jnp.where(learning_rate > 0.5, 1.0, learning_rate))


def own_gradient(params, x, y):
    return jax.value_and_grad(lambda params: jn.losses.mse(NET.apply(params, x), y))(params)


def stacked(model=NET):
    return jax.vmap(lambda key: model.init(key, X))(KEYS)


BAD_X = np.array([[0.0, 1.0], [1e40, 1.0], [0.0, 0.0], [1.0, 1.0]])
WIDE = np.array([0, 2**32, 1, 2])
KEY_REMEDY = "Pass key=jax.random.key(0)."
KEYS_REMEDY = "Pass keys=jax.random.split(jax.random.key(0), 1000)."
STACK_REMEDY = "Stack those of all keys with jax.vmap(lambda key: model.init(key, x))(keys)."
TRACE_REMEDY = "Compute with jax.numpy, and choose with jnp.where rather than if."
RATE_REMEDY = "Pass {'rate': [0.1, 1.0]}, for example."
HASH = "must be hashable, for its compiled program is found again by it; got"
HASH_REMEDY = "Pass a function that calls it."
VALIDATE = "must come with validation data to be evaluated on; got none. Pass validation=(x, y), "
COLUMNS = "must be other than those of the columns of Sweep.table(); got"


def in_x64(call):
    with jax.enable_x64(True):
        return call()


CASES = {
    "raw key of a wrong length": (
        lambda: fit(key=np.zeros(3, np.uint32)),
        TYPE,
        f"fit: key must be one PRNG key; got uint32[3]. {KEY_REMEDY}",
        lambda: fit(key=jax.random.key(0)),
    ),
    "several keys": (
        lambda: fit(key=KEYS),
        TYPE,
        f"fit: key must be one PRNG key; got key<fry>[2]. {KEY_REMEDY}",
        lambda: fit(key=jax.random.key(0)),
    ),
    "one raw key for a sweep": (
        lambda: sweep(keys=jax.random.PRNGKey(0)),
        TYPE,
        f"sweep: keys must be an array of PRNG keys, one a seed; got uint32[2]. {KEYS_REMEDY}",
        lambda: sweep(keys=jax.random.split(jax.random.key(0), 1000)),
    ),
    "raw keys of a wrong length": (
        lambda: sweep(keys=np.zeros((2, 3), np.uint32)),
        TYPE,
        f"sweep: keys must be an array of PRNG keys, one a seed; got uint32[2,3]. {KEYS_REMEDY}",
        lambda: sweep(keys=KEYS),
    ),
    "seeds for keys": (
        lambda: sweep(keys=[0, 1]),
        TYPE,
        f"sweep: keys must be an array of PRNG keys, one a seed; got [0, 1]. {KEYS_REMEDY}",
        lambda: sweep(keys=KEYS),
    ),
    "params of one network for all": (
        lambda: sweep(params=PARAMS),
        VALUE,
        "sweep: params must have float32[2,1] at 'b', as model.init gives; got float32[1]. "
        + STACK_REMEDY,
        lambda: sweep(params=stacked()),
    ),
    "params of more keys": (
        lambda: sweep(params=jax.tree.map(lambda leaf: jnp.stack([leaf] * 3), PARAMS)),
        VALUE,
        "sweep: params must have float32[2,1] at 'b', as model.init gives; got float32[3,1]. "
        + STACK_REMEDY,
        lambda: sweep(params=stacked()),
    ),
    "params of one number": (
        lambda: sweep(params={"b": stacked()["b"], "w": 1.0}),
        VALUE,
        "sweep: params must have float32[2,2,1] at 'w', as model.init gives; got 1.0. "
        + STACK_REMEDY,
        lambda: sweep(params=stacked()),
    ),
    "params not finite": (
        lambda: fit(params={"b": np.float32([np.nan]), "w": PARAMS["w"]}),
        VALUE,
        "fit: params/b must be finite; got nan at index (0,). Start from finite ones, such as "
        "model.init(key, x) gives.",
        lambda: fit(params=NET.init(KEY, X)),
    ),
    "params a text": (
        lambda: fit(params={"b": "zero", "w": PARAMS["w"]}),
        VALUE,
        "fit: params must have float32[1] at 'b', as model.init gives; got 'zero'. Pass params "
        "made by this model's init for data of this width.",
        lambda: fit(params=NET.init(KEY, X)),
    ),
    "data too large for float32": (
        lambda: fit(data=(BAD_X, Y)),
        VALUE,
        "fit: x must fit into float32; got 1e+40 at index (1, 0). Make it smaller, or train "
        "under jax.enable_x64(True).",
        lambda: (fit(data=(BAD_X / 1e40, Y)), in_x64(lambda: fit(data=(BAD_X, Y), steps=1))),
    ),
    "labels too large for int32": (
        lambda: classified(data=(X, WIDE)),
        VALUE,
        "fit: y must fit into int32; got 4294967296 at index (1,). Make it smaller, or train "
        "under jax.enable_x64(True).",
        lambda: classified(data=(X, WIDE % 2**32)),
    ),
    "no targets": (
        lambda: fit(data=(X, None)),
        TYPE,
        "fit: y must be an array or a pytree of arrays; got None. Pass data=(x, x) if there are "
        "no targets.",
        lambda: fit(data=(X, X), loss=lambda p, _: (p**2).mean()),
    ),
    "keys for data": (
        lambda: fit(data=(jax.random.split(KEY, 4), Y)),
        TYPE,
        "fit: x must hold numbers; got key<fry>[4]. Draw numbers first, with "
        "jax.random.normal(key, shape) for example.",
        lambda: fit(data=(jax.random.normal(KEY, (4, 2)), Y)),
    ),
    "validation not finite": (
        lambda: fit(validation=(np.full_like(X, np.nan), Y)),
        VALUE,
        "fit: x of validation must be finite; got nan at index (0, 0). Remove or replace the "
        "examples concerned.",
        lambda: fit(validation=(X, Y)),
    ),
    "validation of another width": (
        lambda: fit(validation=(X[:, :1], Y)),
        VALUE,
        "validation > dense(1): x must have 2 features on its last axis, as the parameters do; "
        "got float32[4,1]. Pass such an x, or make the parameters with model.init(key, x) for "
        "this one.",
        lambda: fit(validation=(X, Y)),
    ),
    "validation labels out of range": (
        lambda: classified((X, LABELS + 1)),
        VALUE,
        "validation > cross_entropy: targets must be class labels in [0, 3), or ignore_index "
        "-100; got 3 at index (2,). Labels count from 0: subtract 1 if yours count from 1, or "
        "give predictions more classes.",
        lambda: classified((X, LABELS + 1 - 1)),
    ),
    "a metric of several values": (
        lambda: classified(metrics={"prf": prf}),
        TYPE,
        "fit: metrics['prf'] must return one array; got a PrecisionRecallF1. Pick one with "
        "lambda predictions, targets: metric(predictions, targets)[0].",
        lambda: classified(metrics={"prf": lambda p, y: prf(p, y)[0]}),
    ),
    "a metric in NumPy": (
        lambda: fit(validation=(X, Y), metrics={"mean": lambda p, y: np.asarray(p).mean()}),
        TYPE,
        "fit: metrics['mean'] must be a function that jax.jit can trace; got a "
        f"TracerArrayConversionError. {TRACE_REMEDY}",
        lambda: fit(validation=(X, Y), metrics={"mean": lambda p, y: jnp.asarray(p).mean()}),
    ),
    "a metric without a text for a name": (
        lambda: fit(validation=(X, Y), metrics={1: jn.losses.mse}),
        TYPE,
        "fit: the name 1 in metrics must be a text; got 1. Pass 'accuracy', for example.",
        lambda: fit(validation=(X, Y), metrics={"accuracy": jn.losses.mse}),
    ),
    "a watched metric of one value a class": (
        lambda: stopping(lambda p, y: prf(p, y)[2]),
        VALUE,
        "fit: stop.metric must name a metric that returns a scalar; got float32[3] from 'f1'. "
        "Reduce it with lambda predictions, targets: metric(predictions, targets).mean().",
        lambda: stopping(lambda p, y: prf(p, y)[2].mean()),
    ),
    "validate_every without validation": (
        lambda: fit(validate_every=1),
        VALUE,
        f"fit: validate_every {VALIDATE}the training data even.",
        lambda: fit(validate_every=1, validation=(X, Y)),
    ),
    "an unknown metric beside seconds": (
        lambda: fit(validation=(X, Y), stop=jn.Stop(metric="f1", seconds=60)),
        VALUE,
        "fit: stop.metric must be one of 'loss'; got 'f1'. Pass stop.metric='loss'.",
        lambda: fit(validation=(X, Y), stop=jn.Stop(metric="loss", seconds=60)),
    ),
    "a metric to stop by that is no text": (
        lambda: jn.Stop(metric=jn.losses.mse, patience=1) and None,
        TYPE,
        re.compile(r"Stop: metric must be a text; got <.*\. Pass 'loss', for example\."),
        lambda: jn.Stop(metric="loss", patience=1) and None,
    ),
    "a target of True": (
        lambda: jn.Stop(target=True) and None,
        TYPE,
        "Stop: target must be a finite number; got True. Pass target=0.1, for example.",
        lambda: jn.Stop(target=0.1) and None,
    ),
    "a target that is not finite": (
        lambda: jn.Stop(target=jnp.array(jnp.nan)) and None,
        VALUE,
        "Stop: target must be a finite number; got nan. Pass target=0.1, for example.",
        lambda: jn.Stop(target=0.1) and None,
    ),
    "value_and_grad a number": (
        lambda: fit(value_and_grad=1.0),
        TYPE,
        "fit: value_and_grad must be callable; got 1.0. Pass a function (params, x, y) -> "
        "(loss, gradient).",
        lambda: fit(value_and_grad=own_gradient),
    ),
    "value_and_grad without a loss": (
        lambda: fit(value_and_grad=lambda *batch: own_gradient(*batch)[1]),
        TYPE,
        "fit: value_and_grad must return a floating scalar and a gradient of the shapes of "
        "params; got {'b': 'float32[1]', 'w': 'float32[2,1]'}. Return (loss, gradient), as "
        "jax.value_and_grad does.",
        lambda: fit(value_and_grad=own_gradient),
    ),
    "value_and_grad of one parameter": (
        lambda: sweep(value_and_grad=lambda p, x, y: (p["b"].sum(), {"b": p["b"]})),
        TYPE,
        "sweep: value_and_grad must return a floating scalar and a gradient of the shapes of "
        "params; got ('float32[]', {'b': 'float32[1]'}). Return (loss, gradient), as "
        "jax.value_and_grad does.",
        lambda: sweep(value_and_grad=own_gradient),
    ),
    **{
        f"{option} a text, {function.__name__}": (
            functools.partial(function, **{option: "no"}),
            TYPE,
            f"{function.__name__}: {option} must be True or False; got 'no'. Pass {option}=True, "
            "for example.",
            functools.partial(function, **{option: True}),
        )
        for function in (fit, sweep)
        for option in ("drop_last", "progress", "record_gradient_norm")
    },
    "an unhashable loss": (
        lambda: fit(loss=Unhashable()),
        TYPE,
        f"fit: loss {HASH} Unhashable(factor=1.0). {HASH_REMEDY}",
        lambda: fit(loss=lambda p, y: Unhashable()(p, y)),
    ),
    "an unhashable metric": (
        lambda: fit(validation=(X, Y), metrics={"error": Unhashable()}),
        TYPE,
        f"fit: metrics['error'] {HASH} Unhashable(factor=1.0). {HASH_REMEDY}",
        lambda: fit(validation=(X, Y), metrics={"error": lambda p, y: Unhashable()(p, y)}),
    ),
    "an unhashable gradient": (
        lambda: sweep(value_and_grad=Unhashable()),
        TYPE,
        f"sweep: value_and_grad {HASH} Unhashable(factor=1.0). {HASH_REMEDY}",
        lambda: sweep(value_and_grad=lambda *batch: own_gradient(*batch)),
    ),
    "an unhashable model": (
        lambda: fit(model=jn.Model(NET.init, Unhashable())),
        TYPE,
        f"fit: model.apply {HASH} Unhashable(factor=1.0). {HASH_REMEDY}",
        lambda: fit(model=jn.Model(NET.init, lambda p, x, *, key=None: NET.apply(p, x))),
    ),
    "a model of one function": (
        lambda: fit(model=jn.Model(NET.init, None)),
        TYPE,
        "fit: model.apply must be callable; got None. Pass jn.Model(init, apply).",
        lambda: fit(model=jn.Model(NET.init, NET.apply)),
    ),
    "data traced": (
        lambda: jax.jit(lambda x: fit(data=(x, Y)))(X),
        TYPE,
        "fit: data must hold values, outside of jax.jit, jax.vmap and jax.grad; got a traced "
        f"float32[4,2]. {STEP_OR_SWEEP}",
        lambda: (looped(), sweep()),
    ),
    "everything traced": (
        lambda: jax.jit(lambda: fit(data=(jnp.asarray(X), jnp.asarray(Y))))(),
        TYPE,
        re.compile(r"fit: data must hold values, outside of jax\.jit, .*; got a traced .*"),
        lambda: (looped(), sweep()),
    ),
    "a key mapped": (
        lambda: jax.vmap(lambda key: fit(key=key))(KEYS),
        TYPE,
        "fit: key must hold values, outside of jax.jit, jax.vmap and jax.grad; got a traced "
        f"key<fry>[]. {STEP_OR_SWEEP}",
        lambda: (looped(), sweep(keys=KEYS)),
    ),
    "params differentiated": (
        lambda: jax.grad(lambda w: fit(params={"w": w, "b": PARAMS["b"]})["w"].sum())(PARAMS["w"]),
        TYPE,
        "fit: params must hold values, outside of jax.jit, jax.vmap and jax.grad; got a traced "
        f"float32[2,1]. {STEP_OR_SWEEP}",
        lambda: (looped(), sweep()),
    ),
    "a sweep's rates traced": (
        lambda: jax.jit(lambda rate: rates({"learning_rate": rate}))(jnp.ones(2)),
        TYPE,
        "sweep: hyperparameters must hold values, outside of jax.jit, jax.vmap and jax.grad; "
        f"got a traced float32[2]. {STEP_OR_SWEEP}",
        lambda: (looped(), rates({"learning_rate": [1.0, 1.0]})),
    ),
    "hyperparameters a list": (
        lambda: rates([0.1, 1.0]),
        TYPE,
        "sweep: hyperparameters must be a dict of lists of numbers by name; got [0.1, 1.0]. Pass "
        'hyperparameters={"learning_rate": [0.1, 1.0]}, for example.',
        lambda: rates({"learning_rate": [0.1, 1.0]}),
    ),
    **{
        f"rates {shown}": (
            functools.partial(rates, {"rate": column}, lambda rate: optax.sgd(rate)),
            VALUE,
            f"sweep: hyperparameters['rate'] must be a list of finite numbers; got {shown}. "
            + RATE_REMEDY,
            functools.partial(rates, {"rate": [0.1, 1.0]}, lambda rate: optax.sgd(rate)),
        )
        for column, shown in [
            (0.1, "0.1"),
            ("0.1", "'0.1'"),
            (["0.1"], "['0.1']"),
            ([0.1, None], "[0.1, None]"),
            ([True], "[True]"),
            ([[0.1], [0.1, 1.0]], "[[0.1], [0.1, 1.0]]"),
            ([1e300], "[1e+300]"),
            ({0.1}, "{0.1}"),
        ]
    },
    **{
        f"a hyperparameter called {name}": (
            functools.partial(rates, {name: [0.1]}, lambda **values: optax.sgd(0.1)),
            VALUE,
            f"sweep: the name {name!r} in hyperparameters {COLUMNS} {name!r}. Rename it in "
            "make_optimizer.",
            functools.partial(rates, {"rate": [0.1]}, lambda rate: optax.sgd(rate)),
        )
        for name in ("seed", "loss", "diverged_at", "stopped_at", "step", "validation_loss")
    },
    "a hyperparameter without a text for a name": (
        lambda: rates({1: [0.1]}),
        TYPE,
        "sweep: the name 1 in hyperparameters must be a text; got 1. Pass 'learning_rate', for "
        "example.",
        lambda: rates({"learning_rate": [0.1]}),
    ),
    "an unknown hyperparameter": (
        lambda: rates({"learning_rte": [0.1]}, lambda learning_rate: SGD),
        TYPE,
        re.compile(
            r"sweep: make_optimizer must take the hyperparameters \['learning_rte'\] and no "
            r"others; got .*unexpected keyword argument 'learning_rte'.*\. Pass hyperparameters=.*"
        ),
        lambda: rates({"learning_rate": [0.1]}),
    ),
    "an optimizer that branches on its rate": (
        lambda: rates({"learning_rate": [0.1, 1.0]}, branching),
        TYPE,
        "sweep: make_optimizer must be a function that jax.jit can trace; got a "
        f"TracerBoolConversionError. {TRACE_REMEDY}",
        lambda: rates({"learning_rate": [0.1, 1.0]}, chosen),
    ),
    "a builder of no optimizer": (
        lambda: rates({"learning_rate": [0.1]}, lambda learning_rate: 3),
        TYPE,
        "sweep: make_optimizer must return an optax transformation; got 3. Pass optax.sgd, for "
        "example.",
        lambda: rates({"learning_rate": [0.1]}, optax.sgd),
    ),
    "an optimizer that needs the value": (
        lambda: fit(optimizer=optax.contrib.reduce_on_plateau()),
        TYPE,
        re.compile(
            r"fit: optimizer must update parameters from their gradient alone; got .*missing 1 "
            r"required keyword-only argument: 'value'\. Pass one such as optax\.adam\(0\.001\)\."
        ),
        lambda: fit(optimizer=optax.adam(0.001)),
    ),
    "a sweep of line searches": (
        lambda: sweep(make_optimizer=optax.lbfgs()),
        TYPE,
        re.compile(
            r"sweep: make_optimizer must update parameters from their gradient alone; got .*"
            r"missing 3 required keyword-only arguments: .*\. Pass one such as optax\.adam.*"
        ),
        lambda: sweep(make_optimizer=optax.adam(0.001)),
    ),
    "a loss that returns a text": (
        lambda: fit(loss=lambda p, y: "small"),
        TYPE,
        "fit: loss must return arrays; got 'small'. Return arrays of numbers.",
        lambda: fit(loss=lambda p, y: (p**2).mean()),
    ),
    "a loss that returns nothing": (
        lambda: fit(loss=lambda p, y: None),
        TYPE,
        'fit: loss must return a floating scalar; got None. Reduce it with reduction="mean", or '
        ".mean().",
        lambda: fit(loss=lambda p, y: (p - y).mean()),
    ),
    "a loss that branches on values": (
        lambda: fit(loss=lambda p, y: p.mean() if p.sum() > 0 else -p.mean()),
        TYPE,
        "fit: loss must be a function that jax.jit can trace; got a TracerBoolConversionError. "
        + TRACE_REMEDY,
        lambda: fit(loss=lambda p, y: jnp.where(p.sum() > 0, p.mean(), -p.mean())),
    ),
    "a step of no model": (
        lambda: jn.make_step(jn.relu, jn.losses.mse, SGD),
        TYPE,
        re.compile(r"make_step: model must be a Model; got .*\. Wrap layers with jn\.sequent.*"),
        lambda: looped(),
    ),
    "a step of no loss": (
        lambda: jn.make_step(NET, "mse", SGD),
        TYPE,
        "make_step: loss must be callable; got 'mse'. Pass a loss such as jn.losses.mse.",
        lambda: looped(),
    ),
    "a step of no optimizer": (
        lambda: jn.make_step(NET, jn.losses.mse, 0.1),
        TYPE,
        "make_step: optimizer must be an optax transformation; got 0.1. Pass one such as "
        "optax.sgd(0.1).",
        lambda: looped(),
    ),
    "a state without a key": (
        lambda: jn.init_state(NET, SGD, 0, X),
        TYPE,
        f"init_state: key must be one PRNG key; got 0. {KEY_REMEDY}",
        lambda: looped(),
    ),
    "a state of no optimizer": (
        lambda: jn.init_state(NET, optax.sgd, KEY, X),
        TYPE,
        re.compile(r"init_state: optimizer must be an optax transformation; got <function sgd.*"),
        lambda: looped(),
    ),
}


def looped():
    """One step of a loop of one's own, compiled."""
    step = jax.jit(jn.make_step(NET, jn.losses.mse, SGD))
    return step(jn.init_state(NET, SGD, jax.random.key(0), X), (X, Y))[0].params


@pytest.mark.parametrize("name", CASES)
def test_misuse(name):
    misuse, error, message, _ = CASES[name]
    with pytest.raises(error) as caught:
        misuse()
    text = str(caught.value)
    assert "\n" not in text
    if isinstance(message, re.Pattern):
        assert message.fullmatch(text), text
    else:
        assert text == message


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_the_advice_works(name):
    for leaf in jax.tree.leaves(CASES[name][3]()):
        assert np.isfinite(leaf).all()


def test_the_names_that_messages_recommend_are_public():
    texts = [getattr(case[2], "pattern", case[2]) for case in CASES.values()]
    for name in {name for text in texts for name in re.findall(r"\bjn\.(\w+(?:\.\w+)*)", text)}:
        assert operator.attrgetter(name)(jn) is not None


def test_a_generator_of_rates_is_refused():
    with pytest.raises(ArgumentValueError, match=r"'rate'\] must be a list of finite numbers; got"):
        rates({"rate": (rate for rate in [0.1])}, lambda rate: optax.sgd(rate))


def test_an_error_inside_make_optimizer_is_its_own():
    def make_optimizer(learning_rate):
        raise TypeError("mine")

    with pytest.raises(TypeError, match="mine"):
        rates({"learning_rate": [0.1]}, make_optimizer)


@pytest.mark.parametrize("raw", [np.asarray, jnp.asarray], ids=["NumPy", "JAX"])
def test_raw_keys_train_as_typed_ones_do(raw):
    def assert_equal(ours, theirs):
        jax.tree.map(np.testing.assert_array_equal, ours, theirs)

    old = raw(jax.random.split(jax.random.PRNGKey(0), 2))
    assert_equal(sweep(keys=old), sweep(keys=KEYS))
    assert_equal(fit(key=raw(jax.random.PRNGKey(0))), fit(key=KEY))


@pytest.mark.parametrize("target", [np.array(0.5), jnp.array(0.5), np.float32(0.5), 0.5])
def test_a_target_is_a_plain_number(target):
    stop = jn.Stop(target=target, seconds=np.array(2))
    assert (type(stop.target), stop.target, type(stop.seconds)) == (float, 0.5, float)
    assert hash(stop) == hash(jn.Stop(target=0.5, seconds=2.0))


@pytest.mark.parametrize(
    "optimizer", [optax.adam(0.1), optax.adamw(0.1), optax.rmsprop(0.1), optax.lion(0.1)]
)
def test_optimizers_that_take_more_but_need_none_are_accepted(optimizer):
    assert jnp.isfinite(fit(optimizer=optimizer)["w"]).all()


def test_a_large_array_is_checked_where_it_is(monkeypatch):
    from jaxnets.training import inputs

    x = jnp.asarray(X).at[2, 1].set(jnp.nan)
    monkeypatch.setattr(inputs, "_cheap_to_read", lambda array: False)
    assert fit(data=(jnp.asarray(X), jnp.asarray(Y)))["w"].shape == (2, 1)
    with pytest.raises(ArgumentValueError, match=r"x must be finite; got nan at index \(2, 1\)"):
        fit(data=(x, Y))


def test_validation_of_a_full_batch_run_is_evaluated_in_large_batches():
    seen = []

    def apply(params, x, *, key=None):
        seen.append(x.shape[0])
        return NET.apply(params, x)

    model = jn.Model(NET.init, apply)
    fit(model=model, validation=(np.ones((1500, 2), "f4"), np.ones((1500, 1), "f4")))
    assert {1024, 476} <= set(seen)
