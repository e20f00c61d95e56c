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
from jaxnets import initializers, losses, metrics
from jaxnets.combinators import mlp, parallel, perceptron, residual, sequential
from jaxnets.layers import (
    dense,
    dropout,
    embedding,
    flatten,
    layer_norm,
    parametric_relu,
    rms_norm,
)
from jaxnets.precision import with_precision
from jaxnets.summary import summary
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


LAYERS = [
    Misuse(
        "width 0",
        lambda: dense(0),
        ValueError,
        "dense: features must be a whole number of at least 1; got 0. Pass features=10, for "
        "example.",
        lambda: dense(10),
    ),
    Misuse(
        "negative width",
        lambda: dense(-3),
        ValueError,
        "dense: features must be a whole number of at least 1; got -3. Pass features=10, for "
        "example.",
        lambda: dense(10),
    ),
    Misuse(
        "width a float",
        lambda: dense(10.0),
        TypeError,
        "dense: features must be a whole number of at least 1; got 10.0. Pass features=10, "
        "for example.",
        lambda: dense(10),
    ),
    Misuse(
        "width a bool",
        lambda: dense(True),
        TypeError,
        "dense: features must be a whole number of at least 1; got True. Pass features=10, "
        "for example.",
        lambda: dense(10),
    ),
    Misuse(
        "width a text",
        lambda: dense("10"),
        TypeError,
        "dense: features must be a whole number of at least 1; got '10'. Pass features=10, "
        "for example.",
        lambda: dense(10),
    ),
    Misuse(
        "use_bias a text",
        lambda: dense(2, use_bias="no"),
        TypeError,
        "dense: use_bias must be True or False; got 'no'. Pass use_bias=True, for example.",
        lambda: dense(2, use_bias=True),
    ),
    Misuse(
        "initialiser a number",
        lambda: dense(2, w_init=0.1),
        TypeError,
        "dense: w_init must be callable; got 0.1. Pass w_init=jn.initializers.normal(0.1), "
        "for example.",
        lambda: dense(2, w_init=initializers.normal(0.1)).init(KEY, X),
    ),
    Misuse(
        "initialiser of a wrong shape",
        lambda: dense(2, w_init=lambda key, shape, dtype: jnp.ones(shape[::-1])).init(KEY, X),
        ValueError,
        "dense(2): w_init must return an array of the shape that it is given, (3, 2); got "
        "(2, 3). Pass w_init=jn.initializers.normal(0.1), for example.",
        lambda: dense(2, w_init=initializers.normal(0.1)).init(KEY, X),
    ),
    Misuse(
        "integer input",
        lambda: dense(2).init(KEY, INTEGERS),
        TypeError,
        "dense(2): x must be floating; got int32[1,3]. Convert it with x.astype(jnp.float32).",
        lambda: dense(2).init(KEY, INTEGERS.astype(jnp.float32)),
    ),
    Misuse(
        "input a list",
        lambda: dense(2).apply(DENSE, [1.0, 2.0, 3.0]),
        TypeError,
        "dense(2): x must be an array or a jax.ShapeDtypeStruct; got [1.0, 2.0, 3.0]. "
        "Convert it with jnp.asarray(x).",
        lambda: dense(2).apply(DENSE, jnp.asarray([1.0, 2.0, 3.0])),
    ),
    Misuse(
        "input a scalar",
        lambda: dense(2).init(KEY, jnp.array(1.0)),
        ValueError,
        "dense(2): x must have a last axis of at least one feature; got float32[]. Pass one "
        "of shape [..., features].",
        lambda: dense(2).init(KEY, jnp.array([1.0])),
    ),
    Misuse(
        "input without features",
        lambda: dense(2).init(KEY, jnp.zeros((4, 0))),
        ValueError,
        "dense(2): x must have a last axis of at least one feature; got float32[4,0]. Pass "
        "one of shape [..., features].",
        lambda: dense(2).init(KEY, X),
    ),
    Misuse(
        "input of another width",
        lambda: dense(2).apply(DENSE, X[:, :2]),
        ValueError,
        "dense(2): x must have 3 features on its last axis, as the parameters do; got "
        "float32[4,2]. Pass such an x, or make the parameters with model.init(key, x) for "
        "this one.",
        lambda: dense(2).apply(dense(2).init(KEY, X[:, :2]), X[:, :2]),
    ),
    Misuse(
        "missing key",
        lambda: dense(2).init(None, X),
        ValueError,
        "dense(2): key must be one PRNG key; got None. Pass key=jax.random.key(0).",
        lambda: dense(2).init(key=jax.random.key(0), x=X),
    ),
    Misuse(
        "seed for a key",
        lambda: dense(2).init(0, X),
        TypeError,
        "dense(2): key must be one PRNG key; got 0. Pass key=jax.random.key(0).",
        lambda: dense(2).init(key=jax.random.key(0), x=X),
    ),
    Misuse(
        "several keys",
        lambda: dense(2).init(jax.random.split(KEY, 3), X),
        TypeError,
        "dense(2): key must be one PRNG key; got key<fry>[3]. Pass key=jax.random.key(0).",
        lambda: dense(2).init(key=jax.random.key(0), x=X),
    ),
    Misuse(
        "parameters of another layer",
        lambda: dense(2).apply({"table": DENSE["w"]}, X),
        ValueError,
        "dense(2): params must be a dict with the entries 'w', 'b'; got ['table']. Make them "
        "with model.init(key, x).",
        lambda: dense(2).apply(dense(2).init(KEY, X), X),
    ),
    Misuse(
        "arguments of apply swapped",
        lambda: dense(2).apply(X, {}),
        TypeError,
        "dense(2): x must be an array or a jax.ShapeDtypeStruct; got {}. Parameters come "
        "before the input: model.apply(params, x).",
        lambda: dense(2).apply(DENSE, X),
    ),
    Misuse(
        "rate above 1",
        lambda: dropout(1.5),
        ValueError,
        "dropout: rate must be a number in [0, 1); got 1.5. Pass rate=0.5, for example.",
        lambda: dropout(0.5),
    ),
    Misuse(
        "rate 1",
        lambda: dropout(1),
        ValueError,
        "dropout: rate must be a number in [0, 1); got 1. Pass rate=0.5, for example.",
        lambda: dropout(0.5),
    ),
    Misuse(
        "negative rate",
        lambda: dropout(-0.1),
        ValueError,
        "dropout: rate must be a number in [0, 1); got -0.1. Pass rate=0.5, for example.",
        lambda: dropout(0.5),
    ),
    Misuse(
        "rate a text",
        lambda: dropout("half"),
        TypeError,
        "dropout: rate must be a number in [0, 1); got 'half'. Pass rate=0.5, for example.",
        lambda: dropout(0.5),
    ),
    Misuse(
        "dropout with a seed for a key",
        lambda: dropout(0.5).apply({}, X, key=3),
        TypeError,
        "dropout(0.5): key must be one PRNG key; got 3. Pass key=jax.random.key(0).",
        lambda: dropout(0.5).apply({}, X, key=jax.random.key(0)),
    ),
    Misuse(
        "dropout of integers",
        lambda: dropout(0.5).apply({}, INTEGERS),
        TypeError,
        "dropout(0.5): x must be floating; got int32[1,3]. Convert it with x.astype(jnp.float32).",
        lambda: dropout(0.5).apply({}, INTEGERS.astype(jnp.float32)),
    ),
    Misuse(
        "flatten a scalar",
        lambda: flatten().apply({}, jnp.array(1.0)),
        ValueError,
        "flatten: x must have a last axis of at least one feature; got float32[]. Pass one "
        "of shape [..., features].",
        lambda: flatten().apply({}, jnp.array([1.0])),
    ),
    Misuse(
        "eps 0",
        lambda: layer_norm(eps=0),
        ValueError,
        "layer_norm: eps must be a positive finite number; got 0. Pass eps=1e-05, for example.",
        lambda: layer_norm(eps=1e-5),
    ),
    Misuse(
        "eps a text",
        lambda: layer_norm(eps="small"),
        TypeError,
        "layer_norm: eps must be a positive finite number; got 'small'. Pass eps=1e-05, for "
        "example.",
        lambda: layer_norm(eps=1e-5),
    ),
    Misuse(
        "negative eps",
        lambda: rms_norm(eps=-1),
        ValueError,
        "rms_norm: eps must be a positive finite number; got -1. Pass eps=1e-06, for example.",
        lambda: rms_norm(eps=1e-6),
    ),
    Misuse(
        "normalise another width",
        lambda: rms_norm().apply({"scale": jnp.ones(5)}, X),
        ValueError,
        "rms_norm: x must have 5 features on its last axis, as the parameters do; got "
        "float32[4,3]. Pass such an x, or make the parameters with model.init(key, x) for "
        "this one.",
        lambda: rms_norm().apply(rms_norm().init(KEY, X), X),
    ),
    Misuse(
        "empty vocabulary",
        lambda: embedding(0, 2),
        ValueError,
        "embedding: vocabulary must be a whole number of at least 1; got 0. Pass "
        "vocabulary=10, for example.",
        lambda: embedding(vocabulary=10, features=2),
    ),
    Misuse(
        "embedding of a fractional width",
        lambda: embedding(5, 2.5),
        TypeError,
        "embedding: features must be a whole number of at least 1; got 2.5. Pass "
        "features=10, for example.",
        lambda: embedding(5, features=10),
    ),
    Misuse(
        "table of integers",
        lambda: embedding(5, 2, dtype=int),
        TypeError,
        "embedding: dtype must be a floating dtype; got int64. Pass dtype=jnp.float32, for "
        "example.",
        lambda: embedding(5, 2, dtype=jnp.float32),
    ),
    Misuse(
        "indices as floats",
        lambda: embedding(5, 2).apply(TABLE, jnp.array([1.0, 2.0])),
        TypeError,
        "embedding(5, 2): x must be an array of integers; got float32[2]. Convert it with "
        "jnp.asarray(x, dtype=jnp.int32).",
        lambda: embedding(5, 2).apply(TABLE, jnp.asarray(jnp.array([1.0, 2.0]), dtype=jnp.int32)),
    ),
    Misuse(
        "index beyond the vocabulary",
        lambda: embedding(5, 2).apply(TABLE, TOKENS),
        ValueError,
        "embedding(5, 2): x must hold indices in [0, 5); got 5 at index (1, 0). Correct it, "
        "or make the vocabulary larger.",
        lambda: embedding(6, 2).apply(embedding(6, 2).init(KEY, TOKENS), TOKENS),
    ),
    Misuse(
        "negative index",
        lambda: embedding(5, 2).apply(TABLE, jnp.array([0, -1])),
        ValueError,
        "embedding(5, 2): x must hold indices in [0, 5); got -1 at index (1,). Correct it, "
        "or make the vocabulary larger.",
        lambda: embedding(5, 2).apply(TABLE, jnp.array([0, 4])),
    ),
    Misuse(
        "embedding without a key",
        lambda: embedding(5, 2).init(None, TOKENS),
        ValueError,
        "embedding(5, 2): key must be one PRNG key; got None. Pass key=jax.random.key(0).",
        lambda: embedding(5, 2).init(key=jax.random.key(0), x=TOKENS),
    ),
    Misuse(
        "slope a number",
        lambda: parametric_relu(alpha_init=0.25),
        TypeError,
        "parametric_relu: alpha_init must be callable; got 0.25. Pass "
        "alpha_init=jn.initializers.normal(0.1), for example.",
        lambda: parametric_relu(alpha_init=initializers.normal(0.1)).init(KEY, X),
    ),
    Misuse(
        "slopes of another width",
        lambda: parametric_relu(per_feature=True).apply({"alpha": jnp.ones(2)}, X),
        ValueError,
        "parametric_relu: x must have 2 features on its last axis, as the parameters do; got "
        "float32[4,3]. Pass such an x, or make the parameters with model.init(key, x) for "
        "this one.",
        lambda: parametric_relu(per_feature=True).apply({"alpha": jnp.ones(3)}, X),
    ),
]

COMBINATORS = [
    Misuse(
        "no layer",
        lambda: sequential(),
        ValueError,
        "sequential: layers must be passed by position or by keyword, at least one; got 0 by "
        "position and 0 by keyword. Write jn.sequential(jn.dense(10), jn.relu), for example.",
        lambda: sequential(dense(10), act.relu),
    ),
    Misuse(
        "layers both ways",
        lambda: sequential(dense(2), out=dense(1)),
        ValueError,
        "sequential: layers must be passed by position or by keyword, at least one; got 1 by "
        "position and 1 by keyword. Write jn.sequential(jn.dense(10), jn.relu), for example.",
        lambda: sequential(dense(10), act.relu),
    ),
    Misuse(
        "layer not callable",
        lambda: sequential(dense(2), 5),
        TypeError,
        "sequential: every layer must be a Model or a function x -> y; got 5. Pass a layer "
        "such as jn.dense(10) or jn.relu.",
        lambda: sequential(dense(2), dense(10), act.relu),
    ),
    Misuse(
        "layers as a list",
        lambda: sequential([dense(10), act.relu]),
        TypeError,
        "sequential: layers must be passed one by one; got a list. Write jn.sequential(*layers).",
        lambda: sequential(*[dense(10), act.relu]),
    ),
    Misuse(
        "duplicate names",
        lambda: sequential(**{"hidden": dense(2)}, **{"hidden": dense(1)}),
        TypeError,
        "jaxnets.combinators.sequential() got multiple values for keyword argument 'hidden'",
        lambda: sequential(**{"hidden": dense(2)}, **{"out": dense(1)}),
    ),
    Misuse(
        "missing key, nested",
        lambda: NESTED.init(None, X),
        ValueError,
        "layer 1 > layer hidden > dense(2): key must be one PRNG key; got None. Pass "
        "key=jax.random.key(0).",
        lambda: NESTED.init(key=jax.random.key(0), x=X),
    ),
    Misuse(
        "width, nested",
        lambda: NESTED.apply({"1": {"hidden": DENSE}}, X[:, :2]),
        ValueError,
        "layer 1 > layer hidden > dense(2): x must have 3 features on its last axis, as the "
        "parameters do; got float32[4,2]. Pass such an x, or make the parameters with "
        "model.init(key, x) for this one.",
        lambda: NESTED.apply(NESTED.init(KEY, X[:, :2]), X[:, :2]),
    ),
    Misuse(
        "arguments of init swapped",
        lambda: NESTED.init(X, KEY),
        TypeError,
        "sequential: key must be one PRNG key; got float32[4,3]. Pass key=jax.random.key(0).",
        lambda: NESTED.init(key=jax.random.key(0), x=X),
    ),
    Misuse(
        "arguments of a nested apply swapped",
        lambda: NESTED.apply(X, {}),
        TypeError,
        "sequential: params must be a dict of its layers' parameters; got float32[4,3]. Make "
        "them with model.init(key, x).",
        lambda: NESTED.apply(NESTED.init(KEY, X), X),
    ),
    Misuse(
        "residual changes the width",
        lambda: residual(dense(2)).apply(DENSE, X),
        ValueError,
        "residual: model must return the shape of its input, (4, 3); got (4, 2). Let it end "
        "in jn.dense(3), for example.",
        lambda: residual(dense(3)).apply(dense(3).init(KEY, X), X),
    ),
    Misuse(
        "residual around no layer",
        lambda: residual("dense"),
        TypeError,
        "residual: model must be a Model or a function x -> y; got 'dense'. Pass a layer "
        "such as jn.dense(10) or jn.relu.",
        lambda: residual(dense(10)),
    ),
    Misuse(
        "outputs of different widths added",
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
    ),
    Misuse(
        "combine not callable",
        lambda: parallel(dense(2), combine="add"),
        TypeError,
        "parallel: combine must be callable; got 'add'. Pass combine=jnp.add, for example.",
        lambda: parallel(dense(2), combine=jnp.add),
    ),
    Misuse(
        "widths a number",
        lambda: mlp(10),
        TypeError,
        "mlp: widths must be a list or a tuple; got 10. Pass widths=[10, 1], for example.",
        lambda: mlp([10, 1]),
    ),
    Misuse(
        "no widths",
        lambda: mlp([]),
        ValueError,
        "mlp: widths must hold at least one width; got []. Pass widths=[10, 1], for example.",
        lambda: mlp(widths=[10, 1]),
    ),
    Misuse(
        "a width of 0",
        lambda: mlp([10, 0]),
        ValueError,
        "mlp: widths[1] must be a whole number of at least 1; got 0. Pass widths[1]=10, for "
        "example.",
        lambda: mlp([10, 10]),
    ),
    Misuse(
        "a float width",
        lambda: mlp([1.5, 1]),
        TypeError,
        "mlp: widths[0] must be a whole number of at least 1; got 1.5. Pass widths[0]=10, "
        "for example.",
        lambda: mlp([10, 1]),
    ),
    Misuse(
        "activation by name",
        lambda: mlp([10, 1], "relu"),
        TypeError,
        "mlp: activation must be callable; got 'relu'. Pass activation=jn.relu, for example.",
        lambda: mlp([10, 1], activation=act.relu),
    ),
    Misuse(
        "output activation by name",
        lambda: mlp([10, 1], output_activation="sigmoid"),
        TypeError,
        "mlp: output_activation must be callable; got 'sigmoid'. Pass "
        "output_activation=jn.relu, for example.",
        lambda: mlp([10, 1], output_activation=act.relu),
    ),
    Misuse(
        "mlp with a rate above 1",
        lambda: mlp([10, 1], dropout_rate=1.5),
        ValueError,
        "mlp: dropout_rate must be a number in [0, 1); got 1.5. Pass dropout_rate=0.5, for "
        "example.",
        lambda: mlp([10, 1], dropout_rate=0.5),
    ),
    Misuse(
        "perceptron of integers",
        lambda: perceptron().init(KEY, INTEGERS),
        TypeError,
        "dense(1): x must be floating; got int32[1,3]. Convert it with x.astype(jnp.float32).",
        lambda: perceptron().init(KEY, INTEGERS.astype(jnp.float32)),
    ),
    Misuse(
        "precision of an integer type",
        lambda: with_precision(dense(2), compute=jnp.int8),
        TypeError,
        "with_precision: compute must be a floating dtype; got int8. Pass "
        "compute=jnp.bfloat16, for example.",
        lambda: with_precision(dense(2), compute=jnp.bfloat16),
    ),
    Misuse(
        "summary of no model",
        lambda: summary(5, X),
        TypeError,
        "summary: model must be a Model or a function x -> y; got 5. Pass a layer such as "
        "jn.dense(10) or jn.relu.",
        lambda: summary(dense(10), X).total.parameters,
    ),
]

ACTIVATIONS = [
    Misuse(
        "activation of integers",
        lambda: act.relu(INTEGERS),
        TypeError,
        "relu: x must be floating; got int32[1,3]. Convert it with x.astype(jnp.float32).",
        lambda: act.relu(INTEGERS.astype(jnp.float32)),
    ),
    Misuse(
        "axis out of range",
        lambda: act.softmax(X, axis=2),
        ValueError,
        "softmax: axis must name an axis of x, from -2 to 1; got 2. Pass axis=-1, the last one.",
        lambda: act.softmax(X, axis=-1),
    ),
    Misuse(
        "axis a float",
        lambda: act.log_softmax(X, axis=1.0),
        TypeError,
        "log_softmax: axis must name an axis of x, from -2 to 1; got 1.0. Pass axis=-1, the "
        "last one.",
        lambda: act.log_softmax(X, axis=-1),
    ),
    Misuse(
        "softmax of a scalar",
        lambda: act.softmax(jnp.array(1.0)),
        ValueError,
        "softmax: axis must name an axis of x, which has none; got -1. Add an axis with "
        "x.reshape(1).",
        lambda: act.softmax(jnp.array(1.0).reshape(1)),
    ),
    Misuse(
        "alpha of a wrong shape",
        lambda: act.prelu(X, jnp.ones((3, 1))),
        ValueError,
        "prelu: alpha must have the shape () or that of the last axis of x, (3,); got (3, "
        "1). Pass one slope, or one a feature.",
        lambda: (act.prelu(X, jnp.array(0.25)), act.prelu(X, jnp.full(3, 0.25))),
    ),
    Misuse(
        "alpha an integer",
        lambda: act.prelu(X, jnp.array(1)),
        TypeError,
        "prelu: alpha must be floating; got int32[]. Convert it with alpha.astype(jnp.float32).",
        lambda: act.prelu(X, jnp.array(1).astype(jnp.float32)),
    ),
    Misuse(
        "slope not finite",
        lambda: act.leaky_relu(X, negative_slope=float("inf")),
        ValueError,
        "leaky_relu: negative_slope must be a finite number; got inf. Pass "
        "negative_slope=0.01, for example.",
        lambda: act.leaky_relu(X, negative_slope=0.01),
    ),
    Misuse(
        "alpha 0",
        lambda: act.celu(X, alpha=0),
        ValueError,
        "celu: alpha must be a positive finite number; got 0. Pass alpha=1.0, for example.",
        lambda: act.celu(X, alpha=1.0),
    ),
    Misuse(
        "gelu by name",
        lambda: act.gelu(X, approximate="tanh"),
        TypeError,
        "gelu: approximate must be True or False; got 'tanh'. Pass approximate=True, for example.",
        lambda: act.gelu(X, approximate=True),
    ),
]

LOSSES = [
    Misuse(
        "(4, 1) against (4,)",
        lambda: losses.mse(P, Y[:, 0]),
        ValueError,
        "mse: targets must have the shape of predictions, (4, 1); got (4,). Reshape them "
        "with targets.reshape((4, 1)).",
        lambda: losses.mse(P, Y[:, 0].reshape((4, 1))),
    ),
    Misuse(
        "fewer targets",
        lambda: losses.mae(P, Y[:3]),
        ValueError,
        "mae: targets must have the shape of predictions, (4, 1); got (3, 1). Give one "
        "target for each prediction.",
        lambda: losses.mae(P, Y),
    ),
    Misuse(
        "integer predictions",
        lambda: losses.mse(jnp.array([1, 0]), jnp.array([1.0, 0.0])),
        TypeError,
        "mse: predictions must be floating; got int32[2]. Convert it with "
        "predictions.astype(jnp.float32).",
        lambda: losses.mse(jnp.array([1, 0]).astype(jnp.float32), jnp.array([1.0, 0.0])),
    ),
    Misuse(
        "integer targets",
        lambda: losses.bce(P, Y.astype(jnp.int32)),
        TypeError,
        "bce: targets must be floating; got int32[4,1]. Convert it with "
        "targets.astype(jnp.float32).",
        lambda: losses.bce(P, Y.astype(jnp.int32).astype(jnp.float32)),
    ),
    Misuse(
        "unknown reduction",
        lambda: losses.mse(P, Y, reduction="average"),
        ValueError,
        "mse: reduction must be one of 'mean', 'sum', 'none'; got 'average'. Pass "
        "reduction='mean'.",
        lambda: losses.mse(P, Y, reduction="mean"),
    ),
    Misuse(
        "misspelt option",
        lambda: losses.mse(P, Y, weigths=jnp.ones(4)),
        TypeError,
        "mse() got an unexpected keyword argument 'weigths'",
        lambda: losses.mse(P, Y, weights=jnp.ones(4)),
    ),
    Misuse(
        "weights of a wrong shape",
        lambda: losses.mse(P, Y, weights=jnp.ones(3)),
        ValueError,
        "mse: weights must have the shape of the values, (4, 1), or of their leading axes; "
        "got (3,). Pass one weight an example, of shape (4,).",
        lambda: losses.mse(P, Y, weights=jnp.ones((4,))),
    ),
    Misuse(
        "logits for probabilities",
        lambda: losses.bce(3 * P - 1, Y),
        ValueError,
        "bce: predictions must be probabilities in [0, 1]; got -0.7 at index (0, 0). Apply "
        "jn.sigmoid to logits, or use bce_with_logits.",
        lambda: (losses.bce(act.sigmoid(3 * P - 1), Y), losses.bce_with_logits(3 * P - 1, Y)),
    ),
    Misuse(
        "targets of -1 and 1",
        lambda: losses.bce(P, 2 * Y - 1),
        ValueError,
        "bce: targets must be probabilities in [0, 1]; got -1.0 at index (0, 0). Give 0 and "
        "1, or a number between for soft targets.",
        lambda: losses.bce(P, Y),
    ),
    Misuse(
        "factor of a wrong shape",
        lambda: losses.bce_with_logits(P, Y, pos_weight=jnp.ones(4)),
        ValueError,
        "bce_with_logits: pos_weight must be one number or have the shape of the last axis, "
        "(1,); got (4,). Pass one factor for all, such as pos_weight=2.0.",
        lambda: losses.bce_with_logits(P, Y, pos_weight=2.0),
    ),
    Misuse(
        "hinge targets of 0 and 1",
        lambda: losses.hinge(P, Y),
        ValueError,
        "hinge: targets must be -1 or 1; got 0.0 at index (0, 0). Turn 0 and 1 into them "
        "with 2 * targets - 1.",
        lambda: losses.hinge(P, 2 * Y - 1),
    ),
    Misuse(
        "negative gamma",
        lambda: losses.focal(P, Y, gamma=-1),
        ValueError,
        "focal: gamma must be a finite number of at least 0; got -1. Pass gamma=2.0, for example.",
        lambda: losses.focal(P, Y, gamma=2.0),
    ),
    Misuse(
        "delta 0",
        lambda: losses.huber(P, Y, delta=0),
        ValueError,
        "huber: delta must be a positive finite number; got 0. Pass delta=1.0, for example.",
        lambda: losses.huber(P, Y, delta=1.0),
    ),
    Misuse(
        "option as an array",
        lambda: losses.smooth_l1(P, Y, beta=jnp.array(1.0)),
        TypeError,
        "smooth_l1: beta must be a plain Python value, for it shapes the compiled program; "
        "got float32[]. Pass beta=array.item(), outside jit.",
        lambda: losses.smooth_l1(P, Y, beta=jnp.array(1.0).item()),
    ),
    Misuse(
        "class labels as floats",
        lambda: losses.cross_entropy(X, LABELS.astype(jnp.float32)),
        TypeError,
        "cross_entropy: targets must be integer labels; got float32[4]. Convert class labels "
        "with targets.astype(jnp.int32).",
        lambda: losses.cross_entropy(X, LABELS.astype(jnp.float32).astype(jnp.int32)),
    ),
    Misuse(
        "class labels with an axis too many",
        lambda: losses.cross_entropy(X, LABELS[:, None]),
        ValueError,
        "cross_entropy: targets must have shape (4,) for class labels or (4, 3) for "
        "probabilities; got (4, 1). Reshape them with targets.reshape((4,)).",
        lambda: losses.cross_entropy(X, LABELS[:, None].reshape((4,))),
    ),
    Misuse(
        "class labels of another rank",
        lambda: losses.cross_entropy(X, jnp.zeros((4, 3, 1), int)),
        ValueError,
        "cross_entropy: targets must have shape (4,) for class labels or (4, 3) for "
        "probabilities; got (4, 3, 1). Give one label, or one row of probabilities, for each "
        "example.",
        lambda: (losses.cross_entropy(X, LABELS), losses.cross_entropy(X, SOFT)),
    ),
    Misuse(
        "logits without classes",
        lambda: losses.cross_entropy(jnp.array(1.0), jnp.array(0)),
        ValueError,
        "cross_entropy: predictions must have a last axis of classes; got (). Give them one "
        "with predictions.reshape((1,)).",
        lambda: losses.cross_entropy(jnp.array(1.0).reshape((1,)), jnp.array(0)),
    ),
    Misuse(
        "class label out of range",
        lambda: losses.cross_entropy(X, LABELS + 1),
        ValueError,
        "cross_entropy: targets must be class labels in [0, 3), or ignore_index -100; got 3 "
        "at index (1,). Labels count from 0: subtract 1 if yours count from 1, or give "
        "predictions more classes.",
        lambda: losses.cross_entropy(X, LABELS + 1 - 1),
    ),
    Misuse(
        "soft targets that are no probabilities",
        lambda: losses.cross_entropy(X, X * 2),
        ValueError,
        "cross_entropy: targets must be probabilities in [0, 1]; got 1.2 at index (1, 2). "
        "Give probabilities over the classes, such as jax.nn.one_hot makes.",
        lambda: losses.cross_entropy(X, jax.nn.one_hot(LABELS, 3)),
    ),
    Misuse(
        "label smoothing of 1",
        lambda: losses.cross_entropy(X, LABELS, label_smoothing=1.0),
        ValueError,
        "cross_entropy: label_smoothing must be a number in [0, 1); got 1.0. Pass "
        "label_smoothing=0.5, for example.",
        lambda: losses.cross_entropy(X, LABELS, label_smoothing=0.5),
    ),
    Misuse(
        "class weights of a wrong shape",
        lambda: losses.cross_entropy(X, LABELS, class_weights=jnp.ones(4)),
        ValueError,
        "cross_entropy: class_weights must have shape (3,); got (4,). Pass one factor for "
        "each class.",
        lambda: losses.cross_entropy(X, LABELS, class_weights=jnp.ones(3)),
    ),
    Misuse(
        "label to ignore among soft targets",
        lambda: losses.cross_entropy(X, SOFT, ignore_index=0),
        ValueError,
        "cross_entropy: ignore_index must be left out without class labels; got 0. Give "
        "examples to be left out a weight of 0.",
        lambda: losses.cross_entropy(X, SOFT, weights=jnp.array([0.0, 1.0, 1.0, 1.0])),
    ),
    Misuse(
        "logits for log-probabilities",
        lambda: losses.nll(X, LABELS),
        ValueError,
        "nll: predictions must be log-probabilities, at most 0; got 0.1 at index (0, 0). "
        "Apply jn.log_softmax to logits.",
        lambda: losses.nll(act.log_softmax(X), LABELS),
    ),
    Misuse(
        "log-probabilities for both",
        lambda: losses.kl_divergence(act.log_softmax(X), act.log_softmax(X)),
        ValueError,
        "kl_divergence: targets must be probabilities in [0, 1]; got -1.2019429 at index (0, "
        "0). Apply jn.softmax to logits, or jnp.exp to log-probabilities.",
        lambda: losses.kl_divergence(act.log_softmax(X), jnp.exp(act.log_softmax(X))),
    ),
]

METRICS = [
    Misuse(
        "top_k above the number of classes",
        lambda: metrics.accuracy(X, LABELS, top_k=4),
        ValueError,
        "accuracy: top_k must be at most 3 for these predictions; got 4. Pass top_k=3.",
        lambda: metrics.accuracy(X, LABELS, top_k=3),
    ),
    Misuse(
        "accuracy of logits",
        lambda: metrics.accuracy(9 * P, Y),
        ValueError,
        "accuracy: predictions must be probabilities in [0, 1]; got 6.2999997 at index (1, "
        "0). Apply jn.sigmoid to logits.",
        lambda: metrics.accuracy(act.sigmoid(9 * P), Y),
    ),
    Misuse(
        "scores against one label too few",
        lambda: metrics.accuracy(X, LABELS[:3]),
        ValueError,
        "accuracy: targets must have shape (4,) for class labels or (4, 3) for "
        "probabilities; got (3,). Give one label, or one row of probabilities, for each "
        "example.",
        lambda: metrics.accuracy(X, LABELS),
    ),
    Misuse(
        "labels without a number of classes",
        lambda: metrics.confusion_matrix(LABELS, LABELS),
        ValueError,
        "confusion_matrix: classes must be given with integer predictions; got None. Pass "
        "classes=10, for example.",
        lambda: metrics.confusion_matrix(LABELS, LABELS, classes=10),
    ),
    Misuse(
        "another number of classes",
        lambda: metrics.confusion_matrix(X, LABELS, classes=4),
        ValueError,
        "confusion_matrix: classes must be 3, as the predictions have it; got 4. Pass "
        "classes=3 or leave it out.",
        lambda: (
            metrics.confusion_matrix(X, LABELS, classes=3),
            metrics.confusion_matrix(X, LABELS),
        ),
    ),
    Misuse(
        "unknown average",
        lambda: metrics.precision_recall_f1(X, LABELS, average="weighted"),
        ValueError,
        "precision_recall_f1: average must be one of 'macro', 'micro'; got 'weighted'. Pass "
        "average='macro'.",
        lambda: metrics.precision_recall_f1(X, LABELS, average="macro"),
    ),
    Misuse(
        "r2 of different shapes",
        lambda: metrics.r2(P, Y[:, 0]),
        ValueError,
        "r2: targets must have the shape of predictions, (4, 1); got (4,). Reshape them with "
        "targets.reshape((4, 1)).",
        lambda: metrics.r2(P, Y[:, 0].reshape((4, 1))),
    ),
]

INITIALIZERS = [
    Misuse(
        "interval of length 0",
        lambda: initializers.uniform(0),
        ValueError,
        "initializers.uniform: scale must be a positive finite number; got 0. Pass "
        "scale=0.1, for example.",
        lambda: initializers.uniform(scale=0.1),
    ),
    Misuse(
        "negative deviation",
        lambda: initializers.normal(-1.0),
        ValueError,
        "initializers.normal: stddev must be a positive finite number; got -1.0. Pass "
        "stddev=0.1, for example.",
        lambda: initializers.normal(stddev=0.1),
    ),
    Misuse(
        "gain a text",
        lambda: initializers.orthogonal("relu"),
        TypeError,
        "initializers.orthogonal: scale must be a positive finite number; got 'relu'. Pass "
        "scale=0.1, for example.",
        lambda: initializers.orthogonal(scale=0.1),
    ),
]

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

ALL = [*LAYERS, *COMBINATORS, *ACTIVATIONS, *LOSSES, *METRICS, *INITIALIZERS, *TRAINING]


def test_there_are_many_cases_each_with_a_label_of_its_own():
    assert len({case.label for case in ALL}) == len(ALL) >= 60


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
