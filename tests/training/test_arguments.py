"""Arguments that do not fit: each error's words, and its advice carried out."""

import functools
import inspect
import operator
import re
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxnets as jn
from jaxnets.errors import ArgumentTypeError, ArgumentValueError

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


def sweep(loss=jn.losses.mse, optimizer=SGD, **changed):
    """`sweep` with everything right, except what is ``changed``."""
    options = {"trial": (NET, loss, optimizer), "data": (X, Y)}
    return jn.sweep(**(options | {"keys": KEYS, "steps": 2} | changed)).params


def rates(values, make_optimizer=optax.sgd):
    def trial(*args, **named):
        return NET, jn.losses.mse, make_optimizer(*args, **named)

    trial.__signature__ = inspect.signature(make_optimizer)
    return sweep(trial=trial, hyperparameters=values)


def own(value_and_grad):
    """The objective whose gradient is one's own."""
    return jn.objective(
        lambda params, batch, *, key: jn.losses.mse(NET.apply(params, batch[0]), batch[1]),
        value_and_grad=value_and_grad,
    )


def classified(validation=(X, LABELS), **changed):
    """`fit` of class labels with validation."""
    options = {"model": CLASSES, "loss": jn.losses.cross_entropy, "data": (X, LABELS)}
    return fit(**(options | {"validation": validation} | changed))


def prf(predictions, targets):
    return jn.metrics.precision_recall_f1(predictions, targets)


def stopping(metric, **changed):
    stop = jn.Stop(metric="f1", mode="max", patience=1)
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


def own_gradient(params, batch, *, key):
    x, y = batch
    return jax.value_and_grad(lambda params: jn.losses.mse(NET.apply(params, x), y))(params)


def decayed(params, batch, *, key):
    x, y = (batch["x"], batch["y"]) if isinstance(batch, dict) else batch
    error = jn.losses.mse(NET.apply(params, x), y)
    return error + jnp.square(params["w"]).sum(), {"error": error}


def fickle(params, batch, *, key):
    return jnp.square(params["w"]).sum(), {f"of {len(batch[0])}": jnp.zeros(())}


def stacked(model=NET):
    return jax.vmap(lambda key: model.init(key, X))(KEYS)


BAD_X = np.array([[0.0, 1.0], [1e40, 1.0], [0.0, 0.0], [1.0, 1.0]])
WIDE = np.array([0, 2**32, 1, 2])
KEY_REMEDY = "Pass key=jax.random.key(0)."
KEYS_REMEDY = "Pass keys=jax.random.split(jax.random.key(0), 1000)."
STACK_REMEDY = "Stack those of all keys with jax.vmap(lambda key: model.init(key, x))(keys)."
TRACE_REMEDY = "Compute with jax.numpy, and choose with jnp.where rather than if."
RATE_REMEDY = "Pass {'rate': [0.1, 1.0]}, for example."
HASH = "must be hashable: it is part of the cache key of the compiled program; got"
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
        lambda: fit(loss=own(1.0)),
        TYPE,
        "objective: value_and_grad must be callable; got 1.0. Pass a function "
        "g(params, batch, *, key) -> (value, gradient).",
        lambda: fit(loss=own(own_gradient)),
    ),
    "value_and_grad without a loss": (
        lambda: fit(loss=own(lambda p, batch, *, key: own_gradient(p, batch, key=key)[1])),
        TYPE,
        "fit: value_and_grad must return a floating scalar and a gradient of the shapes of "
        "params; got {'b': 'float32[1]', 'w': 'float32[2,1]'}. Return (loss, gradient), as "
        "jax.value_and_grad does.",
        lambda: fit(loss=own(own_gradient)),
    ),
    "value_and_grad of one parameter": (
        lambda: sweep(loss=own(lambda p, batch, *, key: (p["b"].sum(), {"b": p["b"]}))),
        TYPE,
        "sweep: value_and_grad must return a floating scalar and a gradient of the shapes of "
        "params; got ('float32[]', {'b': 'float32[1]'}). Return (loss, gradient), as "
        "jax.value_and_grad does.",
        lambda: sweep(loss=own(own_gradient)),
    ),
    "an objective that is no function": (
        lambda: jn.objective(3),
        TYPE,
        "objective: function must be callable; got 3. Pass a function "
        "f(params, batch, *, key) -> value.",
        lambda: fit(loss=jn.objective(decayed)),
    ),
    "an objective that returns an array": (
        lambda: fit(loss=jn.objective(lambda p, batch, *, key: p["w"])),
        TYPE,
        "fit: loss must return a floating scalar, or one and a dict of scalars; got float32[2,1]. "
        "Reduce it with .mean().",
        lambda: fit(loss=jn.objective(lambda p, batch, *, key: jnp.square(p["w"]).mean())),
    ),
    "an objective whose scalars have no names": (
        lambda: sweep(loss=jn.objective(lambda p, batch, *, key: (p["b"][0] ** 2, p["b"][0]))),
        TYPE,
        "sweep: loss must return its scalars as a dict by name; got float32[]. "
        'Return (value, {"name": scalar}).',
        lambda: sweep(loss=jn.objective(decayed)),
    ),
    "an objective with an array among its scalars": (
        lambda: fit(loss=jn.objective(lambda p, batch, *, key: (p["b"][0] ** 2, {"w": p["w"]}))),
        TYPE,
        "fit: loss must return its scalars as a dict by name; got {'w': 'float32[2,1]'}. "
        'Return (value, {"name": scalar}).',
        lambda: fit(loss=jn.objective(decayed)),
    ),
    "an objective with a scalar of a name that is taken": (
        lambda: fit(loss=jn.objective(lambda p, batch, *, key: (p["b"][0] ** 2, {"step": 1.0}))),
        VALUE,
        "fit: loss must name its scalars other than step, epoch, loss and gradient_norm; "
        "got ['step']. Rename them.",
        lambda: fit(loss=jn.objective(decayed)),
    ),
    "an objective that changes its names": (
        lambda: fit(loss=jn.objective(fickle), batch_size=3),
        VALUE,
        "fit: loss must return scalars of the same names at every step; got ['of 3'] and then "
        "['of 1']. Return every scalar from every branch.",
        lambda: fit(loss=jn.objective(decayed), batch_size=3),
    ),
    "an objective handed data of unequal lengths": (
        lambda: fit(loss=jn.objective(decayed), data={"x": X, "y": Y, "z": X[:3]}, params=PARAMS),
        VALUE,
        "fit: data must have leading axes of one length; got lengths {'x': 4, 'y': 4, 'z': 3}. "
        "Cut them to the same examples.",
        lambda: fit(loss=jn.objective(decayed), data={"x": X, "y": Y, "z": X}, params=PARAMS),
    ),
    "a loss without data": (
        lambda: fit(data=None),
        TYPE,
        "fit: data must be a pair (x, y) of inputs and targets; got None. Pass data=(x, y).",
        lambda: fit(data=(X, Y)),
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
        lambda: sweep(loss=own(Unhashable())),
        TYPE,
        re.compile(rf"sweep: loss {re.escape(HASH)} .*\. {HASH_REMEDY}"),
        lambda: sweep(loss=own(own_gradient)),
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
            (["0.1", 0.1], "['0.1', 0.1]"),
            ([0.1, None], "[0.1, None]"),
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
            "the trial.",
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
            r"sweep: trial must take the hyperparameters \['learning_rte'\] and no "
            r"others; got missing a required argument: 'learning_rate'\. Pass hyperparameters=.*"
        ),
        lambda: rates({"learning_rate": [0.1]}),
    ),
    "an optimizer that branches on its rate": (
        lambda: rates({"learning_rate": [0.1, 1.0]}, branching),
        TYPE,
        "sweep: trial must be a function that jax.jit can trace; got a "
        f"TracerBoolConversionError. {TRACE_REMEDY}",
        lambda: rates({"learning_rate": [0.1, 1.0]}, chosen),
    ),
    "a builder of no optimizer": (
        lambda: rates({"learning_rate": [0.1]}, lambda learning_rate: 3),
        TYPE,
        "sweep: optimizer must be an optax transformation; got 3. Pass one such as optax.sgd(0.1).",
        lambda: rates({"learning_rate": [0.1]}, optax.sgd),
    ),
    "a trial of two parts": (
        lambda: sweep(trial=(NET, jn.losses.mse)),
        TYPE,
        re.compile(
            r"sweep: trial must be \(model, loss, optimizer\); got \(.*\)\. Pass or return a "
            r"tuple of the three\."
        ),
        lambda: sweep(trial=(NET, jn.losses.mse, SGD)),
    ),
    "a trial that returns one part": (
        lambda: sweep(trial=lambda rate: optax.sgd(rate), hyperparameters={"rate": [0.1]}),
        TYPE,
        re.compile(r"sweep: trial must be \(model, loss, optimizer\); got .*"),
        lambda: rates({"learning_rate": [0.1]}, optax.sgd),
    ),
    "a model for a trial": (
        lambda: sweep(trial=NET),
        TYPE,
        re.compile(r"sweep: trial must be .*; got .*"),
        lambda: sweep(trial=(NET, jn.losses.mse, SGD)),
    ),
    "watch a number": (
        lambda: fit(watch=3),
        TYPE,
        "fit: watch must be callable; got 3. Pass a function watch(look) -> bool.",
        lambda: fit(watch=lambda look: False),
    ),
    "eval_params a number": (
        lambda: sweep(eval_params=3),
        TYPE,
        "sweep: eval_params must be callable; got 3. Pass a function eval_params(state) -> params.",
        lambda: sweep(eval_params=lambda state: state.params),
    ),
    **{
        f"on_interrupt unknown, {function.__name__}": (
            functools.partial(function, on_interrupt="ignore"),
            VALUE,
            f"{function.__name__}: on_interrupt must be one of 'raise', 'return'; got 'ignore'. "
            "Pass on_interrupt='raise'.",
            functools.partial(function, on_interrupt="raise"),
        )
        for function in (fit, sweep)
    },
    "a mask of no function": (
        lambda: jn.mask("0/w"),
        TYPE,
        "mask: predicate must be callable; got '0/w'. Pass lambda path: path.startswith(\"0/\"), "
        "for example.",
        lambda: jn.mask(lambda path: path.startswith("0/"))({"0": 1.0}),
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


def test_an_error_inside_a_trial_is_its_own():
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


def test_a_large_array_is_checked_where_it_is(monkeypatch):
    from jaxnets.training import inputs

    x = jnp.asarray(X).at[2, 1].set(jnp.nan)
    monkeypatch.setattr(inputs, "_cheap_to_read", lambda array: False)
    assert fit(data=(jnp.asarray(X), jnp.asarray(Y)))["w"].shape == (2, 1)
    with pytest.raises(ArgumentValueError, match=r"x must be finite; got nan at index \(2, 1\)"):
        fit(data=(x, Y))


LINE = jn.dense(1)
LINE_X = np.float32([[0.0], [1.0], [2.0]])
LINE_Y = np.float32([[1.0], [3.0], [5.0]])
HALF = optax.sgd(0.5)
GOOD_PARAMS = {"w": jnp.zeros((1, 1)), "b": jnp.zeros(1)}
CUT = "Cut them to the same examples."
INIT_REMEDY = "Pass params made by this model's init for data of this width."

BAD = {
    "no steps": (
        {"steps": 0},
        VALUE,
        "fit: steps must be a whole number of at least 1; got 0. Pass steps=10, for example.",
    ),
    "half a step": (
        {"steps": 1.5},
        TYPE,
        "fit: steps must be a whole number of at least 1; got 1.5. Pass steps=10, for example.",
    ),
    "no records": (
        {"record_every": 0},
        VALUE,
        "fit: record_every must be a whole number of at least 1; got 0. "
        "Pass record_every=10, for example.",
    ),
    "a single array": (
        {"data": LINE_X},
        TYPE,
        "fit: data must be a pair (x, y) of inputs and targets; got float32[3,1]. "
        "Pass data=(x, y).",
    ),
    "three arrays": (
        {"data": (LINE_X, LINE_Y, LINE_Y)},
        TYPE,
        "fit: data must be a pair (x, y) of inputs and targets; got ",
    ),
    "lengths": (
        {"data": (LINE_X, LINE_Y[:2])},
        VALUE,
        "fit: data must have as many targets as inputs; got lengths {'x': 3, 'y': 2}. " + CUT,
    ),
    "lengths within a pytree": (
        {"data": ({"a": LINE_X, "b": LINE_X[:1]}, LINE_Y)},
        VALUE,
        "fit: data must have as many targets as inputs; got lengths {'x/a': 3, 'x/b': 1, 'y': 3}. "
        + CUT,
    ),
    "empty": (
        {"data": (LINE_X[:0], LINE_Y[:0])},
        VALUE,
        "fit: data must hold at least one example; got {'x': 0, 'y': 0}. Pass some data.",
    ),
    "a scalar": (
        {"data": (LINE_X, np.float32(3))},
        VALUE,
        "fit: y must have a leading axis of examples; got float32[]. "
        "Pass an array of shape [examples, ...].",
    ),
    "text": (
        {"data": (np.array([["a"], ["b"], ["c"]]), LINE_Y)},
        TYPE,
        "fit: x must hold numbers; got <U1[3,1]. Convert it with jnp.asarray(..., dtype=float).",
    ),
    "nan": (
        {"data": (LINE_X, np.float32([[1], [np.nan], [np.inf]]))},
        VALUE,
        "fit: y must be finite; got nan at index (1, 0). Remove or replace the examples concerned.",
    ),
    "infinity": (
        {"data": ({"a": np.float32([[1], [2], [-np.inf]])}, LINE_Y)},
        VALUE,
        "fit: x/a must be finite; got -inf at index (2, 0). "
        "Remove or replace the examples concerned.",
    ),
    "whole numbers into a dense layer": (
        {"data": (np.array([[0], [1], [2]]), LINE_Y)},
        TYPE,
        "dense(1): x must be floating; got int32[3,1]. Convert it with x.astype(jnp.float32).",
    ),
    "targets without the last axis": (
        {"data": (LINE_X, LINE_Y[:, 0])},
        VALUE,
        "mse: targets must have the shape of predictions, (3, 1); got (3,). "
        "Reshape them with targets.reshape((3, 1)).",
    ),
    "targets out of range": (
        {"model": jn.sequential(LINE, jn.sigmoid), "loss": jn.losses.bce},
        VALUE,
        "bce: targets must ",
    ),
    "a function as the model": (
        {"model": jn.relu},
        TYPE,
        "fit: model must be a Model; got ",
    ),
    "no loss": (
        {"loss": "mse"},
        TYPE,
        "fit: loss must be callable; got 'mse'. Pass a loss such as jn.losses.mse.",
    ),
    "a rate as the optimizer": (
        {"optimizer": 0.1},
        TYPE,
        "fit: optimizer must be an optax transformation; got 0.1. Pass one such as optax.sgd(0.1).",
    ),
    "an optimizer without its rate": (
        {"optimizer": optax.sgd},
        TYPE,
        "fit: optimizer must be an optax transformation; got <function sgd",
    ),
    "no key": (
        {"key": None},
        VALUE,
        "fit: key must be one PRNG key; got None. Pass key=jax.random.key(0).",
    ),
    "a seed as the key": (
        {"key": 0},
        TYPE,
        "fit: key must be one PRNG key; got 0. Pass key=jax.random.key(0).",
    ),
    "params of another width": (
        {"params": {"w": jnp.zeros((2, 1)), "b": jnp.zeros(1)}},
        VALUE,
        "fit: params must have float32[1,1] at 'w', as model.init gives; got float32[2,1]. "
        + INIT_REMEDY,
    ),
    "params with a part missing": (
        {"params": {"w": jnp.zeros((1, 1))}},
        VALUE,
        "fit: params must have float32[1] at 'b', as model.init gives; got nothing. " + INIT_REMEDY,
    ),
    "params with a part too many": (
        {"params": {**GOOD_PARAMS, "z": jnp.zeros(3)}},
        VALUE,
        "fit: params must have nothing at 'z', as model.init gives; got float32[3]. " + INIT_REMEDY,
    ),
    "params of another dtype": (
        {"params": {"w": jnp.zeros((1, 1), int), "b": jnp.zeros(1)}},
        VALUE,
        "fit: params must have float32[1,1] at 'w', as model.init gives; got int32[1,1]. "
        + INIT_REMEDY,
    ),
    "a loss that is not a scalar": (
        {"loss": lambda p, y: p - y},
        TYPE,
        "fit: loss must return a floating scalar; got float32[3,1]. "
        'Reduce it with reduction="mean", or .mean().',
    ),
    "a loss that is a whole number": (
        {"loss": lambda p, y: (p > y).sum()},
        TYPE,
        "fit: loss must return a floating scalar; got int32[]. "
        'Reduce it with reduction="mean", or .mean().',
    ),
    "a loss that returns two": (
        {"loss": lambda p, y: (p.mean(), y.mean())},
        TYPE,
        "fit: loss must return a floating scalar; got ",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_refused_before_anything_is_compiled(name, compilations):
    change, error, text = BAD[name]
    options = {
        "model": LINE,
        "loss": jn.losses.mse,
        "optimizer": HALF,
        "data": (LINE_X, LINE_Y),
        "key": KEY,
        "steps": 10,
        **change,
    }
    with (
        compilations() as compiled,
        pytest.raises((TypeError, ValueError), match=" must ") as caught,
    ):
        jn.fit(**options)
    assert str(caught.value).startswith(text)
    assert not text.endswith(".") or str(caught.value) == text
    assert caught.type is error
    assert compiled == []


def test_a_misspelt_option_is_an_error():
    with pytest.raises(TypeError, match="record_evry"):
        fit(record_evry=10)


def test_arguments_after_the_data_have_names():
    with pytest.raises(TypeError, match="positional"):
        jn.fit(NET, jn.losses.mse, SGD, (X, Y), KEY, 10)


WIDE_NET = jn.sequential(jn.dense(8), jn.tanh, jn.dropout(0.25), jn.dense(1), jn.sigmoid)


def make_data(examples):
    x = np.random.default_rng(0).normal(size=(examples, 3)).astype(np.float32)
    return x, (x[:, :1] > 0).astype(np.float32)


BAD_RUNS = {
    "lengths": (
        {"data": (np.ones((4, 3), "f4"), np.ones((5, 1), "f4"))},
        "fit: data must have as many targets as inputs; got lengths {'x': 4, 'y': 5}. "
        "Cut them to the same examples.",
    ),
    "empty": (
        {"data": (np.ones((0, 3), "f4"), np.ones((0, 1), "f4"))},
        "fit: data must hold at least one example; got {'x': 0, 'y': 0}. Pass some data.",
    ),
    "not finite": (
        {"data": (np.array([[1, 2, 3], [4, np.nan, 6]], "f4"), np.ones((2, 1), "f4"))},
        "fit: x must be finite; got nan at index (1, 1). Remove or replace the examples concerned.",
    ),
    "batch too large": (
        {"batch_size": 5},
        "fit: batch_size must be at most the number of examples, 4; got 5. Pass batch_size=4, or "
        "None for all of them.",
    ),
    "both lengths of the run": (
        {"epochs": 1},
        "fit: steps must be given, or epochs, and not both; got both. Pass steps=1000, for "
        "example.",
    ),
    "no length of the run": (
        {"steps": None},
        "fit: steps must be given, or epochs, and not both; got neither. Pass steps=1000, for "
        "example.",
    ),
    "integer inputs": (
        {"data": (np.ones((4, 3), int), np.ones((4, 1), "f4"))},
        "layer 0 > dense(8): x must be floating; got int32[4,3]. Convert it with "
        "x.astype(jnp.float32).",
    ),
    "metrics without data": (
        {"metrics": {"accuracy": jn.metrics.accuracy}},
        "fit: metrics must come with validation data to be evaluated on; got none. Pass "
        "validation=(x, y), the training data even.",
    ),
    "params of another model": (
        {"params": {"0": {"w": jnp.ones((2, 8)), "b": jnp.ones(8)}}},
        "fit: params must have float32[3,8] at '0/w', as model.init gives; got float32[2,8]. "
        "Pass params made by this model's init for data of this width.",
    ),
}


@pytest.mark.parametrize("case", BAD_RUNS)
def test_bad_batches_are_refused_before_anything_is_compiled(case, compilations):
    options, message = BAD_RUNS[case]
    arguments = {"data": make_data(4), "steps": 1, "key": KEY, **options}
    with compilations() as compiled, pytest.raises((ValueError, TypeError)) as caught:
        jn.fit(WIDE_NET, jn.losses.bce, optax.adam(1e-2), arguments.pop("data"), **arguments)
    assert str(caught.value) == message
    assert compiled == []


def test_a_label_out_of_range_is_named_at_the_start():
    x, _ = make_data(4)
    with pytest.raises(ValueError, match=r"cross_entropy: .*index \(2,\)"):
        jn.fit(
            jn.dense(3),
            jn.losses.cross_entropy,
            optax.adam(1e-2),
            (x, np.array([0, 1, 3, 0])),
            key=KEY,
            steps=1,
        )


def test_a_run_traced_through_what_it_closes_over_says_so():
    def last_loss(rate):
        options = {"key": KEY, "steps": 5}
        return jn.fit(NET, jn.losses.mse, optax.sgd(rate), (X, Y), **options).history["loss"][-1]

    for transformed in (jax.grad(last_loss), jax.jit(last_loss)):
        with pytest.raises(TypeError, match=r"^fit: .* must hold values, outside of jax\.jit"):
            transformed(0.1)


def test_a_parameter_without_a_gradient_is_named():
    model = jn.Model(
        lambda key, x: {"n": jnp.array(3), "w": jnp.ones(())},
        lambda params, x, *, key=None: params["n"] * params["w"] * x[:, :1],
    )
    with pytest.raises(TypeError) as caught:
        jn.fit(model, jn.losses.mse, optax.sgd(0.1), (X, Y), key=KEY, steps=1)
    assert str(caught.value) == (
        "fit: model must have floating parameters at 'n'; got int32[]. Leave it out of params, in "
        "a variable of the model's functions."
    )


def test_labels_that_a_metric_cannot_count_are_named_before_the_run():
    labels = jnp.array([0, 1, 2, -100])
    with pytest.raises(ValueError, match=r"^validation > accuracy: targets must .* got -100"):
        jn.fit(
            jn.dense(3),
            jn.losses.cross_entropy,
            optax.sgd(0.1),
            (X, labels),
            key=KEY,
            steps=1,
            validation=(X, labels),
            metrics={"accuracy": jn.metrics.accuracy},
        )


FIXED = (NET, jn.losses.mse, SGD)


def by_rate(learning_rate):
    return NET, jn.losses.mse, optax.sgd(learning_rate)


SWEEPS = {
    "no keys": (
        {"keys": KEYS[:0]},
        "sweep: keys must be an array of PRNG keys, one a seed; got key<fry>[0]. "
        "Pass keys=jax.random.split(jax.random.key(0), 1000).",
    ),
    "one key": (
        {"keys": KEYS[0]},
        "sweep: keys must be an array of PRNG keys, one a seed; got key<fry>[]. "
        "Pass keys=jax.random.split(jax.random.key(0), 1000).",
    ),
    "no values": (
        {"hyperparameters": {"learning_rate": []}, "trial": by_rate},
        "sweep: hyperparameters['learning_rate'] must be a list of finite numbers; got []. "
        "Pass {'learning_rate': [0.1, 1.0]}, for example.",
    ),
    "an optimizer without its rate": (
        {"trial": by_rate},
        "sweep: trial must take the hyperparameters [] and no others; got missing a "
        "required argument: 'learning_rate'. Pass hyperparameters={\"learning_rate\": "
        "[0.1]}, for example.",
    ),
    "a stop with nothing to watch": (
        {"stop": jn.Stop(patience=3)},
        "sweep: stop must come with validation data to be evaluated on; got none. "
        "Pass validation=(x, y), the training data even.",
    ),
    "a folder for a checkpoint": (
        {"checkpoint": "runs"},
        "sweep: checkpoint must be a Checkpoint; got 'runs'. Pass jn.Checkpoint(\"runs/first\").",
    ),
    "no batch": (
        {"batch_members": 0},
        "sweep: batch_members must be a whole number of at least 1; got 0. "
        "Pass batch_members=10, for example.",
    ),
}


@pytest.mark.parametrize("case", SWEEPS)
def test_misuse_of_a_sweep_is_explained(case):
    options, message = SWEEPS[case]
    arguments = {"keys": KEYS, "steps": 1, **options}
    with pytest.raises((ValueError, TypeError)) as caught:
        jn.sweep(arguments.pop("trial", FIXED), (X, Y), **arguments)
    assert str(caught.value) == message


def test_values_need_a_function_of_them():
    with pytest.raises(TypeError, match=r"trial must be a function of the hyperparameters"):
        jn.sweep(FIXED, (X, Y), keys=KEYS, hyperparameters={"learning_rate": [0.1]}, steps=1)
