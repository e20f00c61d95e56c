"""Misuse, case by case: the error, its exact message, and its advice carried out."""

import operator
import re
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxnets
from jaxnets import activations as act
from jaxnets import losses
from jaxnets.combinators import mlp, perceptron, sequential
from jaxnets.layers import (
    dense,
)
from jaxnets.training import fit

KEY = jax.random.key(0)
X = jnp.array([[0.1, 0.2, 0.3], [0.4, 0.5, 0.6], [0.7, 0.8, 0.9], [0.2, 0.4, 0.8]])
Y = jnp.array([[0.0], [1.0], [1.0], [0.0]])
P = jnp.array([[0.1], [0.7], [0.6], [0.2]])
INTEGERS = jnp.array([[1, 2, 3]])
LABELS = jnp.array([0, 2, 1, 1])
SOFT = jnp.array([[0.5, 0.5, 0.0]] * 4)
DENSE = {"w": jnp.ones((3, 2)), "b": jnp.ones(2)}
NESTED = sequential(act.relu, sequential(hidden=dense(2)))
TOKENS = jnp.array([[0, 4], [5, 1]])
TABLE = {"table": jnp.ones((5, 2))}
TEXTS = np.array([["0"], ["1"], ["1"], ["0"]])
NAN_X = X.at[2, 1].set(jnp.nan)


class Misuse(NamedTuple):
    label: str
    misuse: Callable[[], Any]
    error: type[Exception]
    message: str
    advice: Callable[[], Any]


UNIT, SGD = dense(1), optax.sgd(0.1)  # the same objects each time, so that `fit` compiles once


def train(**changed: Any) -> Any:
    """`fit` with everything right, except what is ``changed``."""
    options = {
        "model": UNIT,
        "loss": losses.mse,
        "optimizer": SGD,
        "data": (X, Y),
        "key": KEY,
        "steps": 1,
    }
    return fit(**(options | changed)).params


TRAINING = [
    Misuse(
        "no steps",
        lambda: train(steps=0),
        ValueError,
        "fit: steps must be a whole number of at least 1; got 0. Pass steps=10, for example.",
        lambda: train(steps=10),
    ),
    Misuse(
        "steps a float",
        lambda: train(steps=1e3),
        TypeError,
        "fit: steps must be a whole number of at least 1; got 1000.0. Pass steps=10, for example.",
        lambda: train(steps=10),
    ),
    Misuse(
        "records never",
        lambda: train(record_every=0),
        ValueError,
        "fit: record_every must be a whole number of at least 1; got 0. Pass "
        "record_every=10, for example.",
        lambda: train(record_every=10),
    ),
    Misuse(
        "inputs without targets",
        lambda: train(data=X),
        TypeError,
        "fit: data must be a pair (x, y) of inputs and targets; got float32[4,3]. Pass "
        "data=(x, y).",
        lambda: train(data=(X, Y)),
    ),
    Misuse(
        "fewer targets than inputs",
        lambda: train(data=(X, Y[:3])),
        ValueError,
        "fit: data must have as many targets as inputs; got lengths {'x': 4, 'y': 3}. Cut "
        "them to the same examples.",
        lambda: train(data=(X[:3], Y[:3])),
    ),
    Misuse(
        "no examples",
        lambda: train(data=(X[:0], Y[:0])),
        ValueError,
        "fit: data must hold at least one example; got {'x': 0, 'y': 0}. Pass some data.",
        lambda: train(data=(X, Y)),
    ),
    Misuse(
        "an input that is not a number",
        lambda: train(data=(NAN_X, Y)),
        ValueError,
        "fit: x must be finite; got nan at index (2, 1). Remove or replace the examples concerned.",
        lambda: train(data=(jnp.delete(NAN_X, 2, axis=0), jnp.delete(Y, 2, axis=0))),
    ),
    Misuse(
        "texts for targets",
        lambda: train(data=(X, TEXTS)),
        TypeError,
        "fit: y must hold numbers; got <U1[4,1]. Convert it with jnp.asarray(..., dtype=float).",
        lambda: train(data=(X, jnp.asarray(TEXTS, dtype=float))),
    ),
    Misuse(
        "model by name",
        lambda: train(model="mlp"),
        TypeError,
        "fit: model must be a Model; got 'mlp'. Wrap layers with jn.sequential(...), or two "
        "functions with jn.Model(init, apply).",
        lambda: train(model=sequential(mlp([10, 1]))),
    ),
    Misuse(
        "loss by name",
        lambda: train(loss="mse"),
        TypeError,
        "fit: loss must be callable; got 'mse'. Pass a loss such as jn.losses.mse.",
        lambda: train(loss=losses.mse),
    ),
    Misuse(
        "loss not a scalar",
        lambda: train(loss=lambda p, y: (p - y) ** 2),
        TypeError,
        "fit: loss must return a floating scalar; got float32[4,1]. Reduce it with "
        'reduction="mean", or .mean().',
        lambda: train(loss=lambda p, y: ((p - y) ** 2).mean()),
    ),
    Misuse(
        "optimizer by name",
        lambda: train(optimizer="sgd"),
        TypeError,
        "fit: optimizer must be an optax transformation; got 'sgd'. Pass one such as "
        "optax.sgd(0.1).",
        lambda: train(optimizer=SGD),
    ),
    Misuse(
        "fit with a seed for a key",
        lambda: train(key=777),
        TypeError,
        "fit: key must be one PRNG key; got 777. Pass key=jax.random.key(0).",
        lambda: train(key=jax.random.key(0)),
    ),
    Misuse(
        "parameters of another width",
        lambda: train(params=dense(2).init(KEY, X)),
        ValueError,
        "fit: params must have float32[1] at 'b', as model.init gives; got float32[2]. Pass "
        "params made by this model's init for data of this width.",
        lambda: train(params=UNIT.init(KEY, X)),
    ),
    Misuse(
        "predictions of another shape than the targets",
        lambda: train(model=perceptron()),
        ValueError,
        "mse: targets must have the shape of predictions, (4,); got (4, 1). Reshape them "
        "with targets.reshape((4,)).",
        lambda: train(model=perceptron(), data=(X, Y.reshape((4,)))),
    ),
    Misuse(
        "class label out of range, in training",
        lambda: train(model=dense(2), loss=losses.cross_entropy, data=(X, LABELS)),
        ValueError,
        "cross_entropy: targets must be class labels in [0, 2), or ignore_index -100; got 2 "
        "at index (1,). Labels count from 0: subtract 1 if yours count from 1, or give "
        "predictions more classes.",
        lambda: train(model=dense(3), loss=losses.cross_entropy, data=(X, LABELS)),
    ),
    Misuse(
        "width 0, nested",
        lambda: sequential(act.relu, mlp([3, 0])),
        ValueError,
        "mlp: widths[1] must be a whole number of at least 1; got 0. Pass widths[1]=10, for "
        "example.",
        lambda: sequential(act.relu, mlp([3, 1])),
    ),
]

ALL = TRAINING


def test_there_are_many_cases_each_with_a_label_of_its_own():
    assert len({case.label for case in ALL}) == len(ALL)


def test_every_name_that_messages_recommend_is_public():
    names = {name for case in ALL for name in re.findall(r"\bjn\.([\w.]*\w)", case.message)}
    assert "losses.mse" in names
    for name in names:
        operator.attrgetter(name)(jaxnets)


@pytest.mark.parametrize("case", ALL, ids=lambda case: case.label)
def test_misuse(case):
    with pytest.raises(case.error) as caught:
        case.misuse()
    assert str(caught.value) == case.message


@pytest.mark.slow
@pytest.mark.parametrize("case", ALL, ids=lambda case: case.label)
def test_the_advice_works(case):
    for leaf in jax.tree.leaves(case.advice()):
        if isinstance(leaf, jax.Array):
            assert jnp.isfinite(leaf).all()
