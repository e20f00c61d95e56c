"""Every misuse of a loss: its exact message, and that the advice in it works."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import pytest

from jaxnets import losses
from jaxnets.errors import ArgumentTypeError, ArgumentValueError

COLUMN, ROW = jnp.full((4, 1), 0.5), jnp.ones(4)
SCORES = jnp.zeros((4, 3))
LABELS = jnp.array([0, 1, 2, 0])
LOG_P = jnp.log(jnp.full((4, 3), 1 / 3))
HALF = jnp.full((4, 3), 0.5)
NO_OPTIONS = MappingProxyType({})
ELEMENTWISE = [
    "mse",
    "mae",
    "rmse",
    "huber",
    "smooth_l1",
    "bce",
    "bce_with_logits",
    "focal",
    "hinge",
]


class Misuse(NamedTuple):
    loss: Any
    wrong: tuple[Any, ...]
    message: str
    right: tuple[Any, ...]
    wrong_options: Mapping[str, Any] = NO_OPTIONS
    right_options: Mapping[str, Any] = NO_OPTIONS
    error: type[Exception] = ArgumentValueError
    advised: Any = None
    """The loss that the message advises, if it is another one."""
    read: bool = False
    """True for a fault in the values, which `check_values` alone reads."""


LABELS_FROM_ZERO = (
    "Labels count from 0: subtract 1 if yours count from 1, or give predictions more classes."
)
SHAPE_OF_TARGETS = "targets must have the shape of predictions, (4, 1); got (4,). "
CLASS_SHAPES = "targets must have shape (4,) for class labels or (4, 3) for probabilities; got "

MISUSES = [
    *(
        Misuse(
            getattr(losses, name),
            (COLUMN, ROW),
            f"{name}: {SHAPE_OF_TARGETS}Reshape them with targets.reshape((4, 1)).",
            (COLUMN, ROW.reshape((4, 1))),
        )
        for name in ELEMENTWISE
    ),
    Misuse(
        losses.kl_divergence,
        (LOG_P, HALF[:3]),
        "kl_divergence: targets must have the shape of predictions, (4, 3); got (3, 3). "
        "Give one target for each prediction.",
        (LOG_P, HALF),
    ),
    Misuse(
        losses.mae,
        (COLUMN, COLUMN[:3]),
        "mae: targets must have the shape of predictions, (4, 1); got (3, 1). "
        "Give one target for each prediction.",
        (COLUMN, COLUMN),
    ),
    Misuse(
        losses.cross_entropy,
        (SCORES, jnp.zeros((4, 3, 1), int)),
        f"cross_entropy: {CLASS_SHAPES}(4, 3, 1). "
        "Give one label, or one row of probabilities, for each example.",
        (SCORES, LABELS),
    ),
    Misuse(
        losses.bce,
        (COLUMN, -jnp.ones((4, 1))),
        "bce: targets must be probabilities in [0, 1]; got -1.0 at index (0, 0). "
        "Give 0 and 1, or a number between for soft targets.",
        (COLUMN, jnp.zeros((4, 1))),
        read=True,
    ),
    Misuse(
        losses.mse,
        (jnp.arange(4), ROW),
        "mse: predictions must be floating; got int32[4]. "
        "Convert it with predictions.astype(jnp.float32).",
        (jnp.arange(4).astype(jnp.float32), ROW),
        error=ArgumentTypeError,
    ),
    Misuse(
        losses.cross_entropy,
        (SCORES.astype(int), LABELS),
        "cross_entropy: predictions must be floating; got int32[4,3]. "
        "Convert it with predictions.astype(jnp.float32).",
        (SCORES.astype(int).astype(jnp.float32), LABELS),
        error=ArgumentTypeError,
    ),
    Misuse(
        losses.bce,
        (COLUMN, jnp.ones((4, 1), int)),
        "bce: targets must be floating; got int32[4,1]. "
        "Convert it with targets.astype(jnp.float32).",
        (COLUMN, jnp.ones((4, 1), int).astype(jnp.float32)),
        error=ArgumentTypeError,
    ),
    Misuse(
        losses.bce,
        (jnp.array([0.5, 1.5]), jnp.ones(2)),
        "bce: predictions must be probabilities in [0, 1]; got 1.5 at index (1,). "
        "Apply jn.sigmoid to logits, or use bce_with_logits.",
        (jax.nn.sigmoid(jnp.array([0.5, 1.5])), jnp.ones(2)),
        read=True,
    ),
    Misuse(
        losses.bce,
        (jnp.array([[0.5], [-3.0]]), jnp.ones((2, 1))),
        "bce: predictions must be probabilities in [0, 1]; got -3.0 at index (1, 0). "
        "Apply jn.sigmoid to logits, or use bce_with_logits.",
        (jnp.array([[0.5], [-3.0]]), jnp.ones((2, 1))),
        advised=losses.bce_with_logits,
        read=True,
    ),
    Misuse(
        losses.bce_with_logits,
        (jnp.zeros(2), jnp.array([-1.0, 1.0])),
        "bce_with_logits: targets must be probabilities in [0, 1]; got -1.0 at index (0,). "
        "Give 0 and 1, or a number between for soft targets.",
        (jnp.zeros(2), jnp.array([0.0, 0.9])),
        read=True,
    ),
    Misuse(
        losses.focal,
        (jnp.zeros(2), jnp.array([0.0, 2.0])),
        "focal: targets must be probabilities in [0, 1]; got 2.0 at index (1,). "
        "Give 0 and 1, or a number between for soft targets.",
        (jnp.zeros(2), jnp.array([0.0, 1.0])),
        read=True,
    ),
    Misuse(
        losses.hinge,
        (jnp.zeros(2), jnp.array([1.0, 0.0])),
        "hinge: targets must be -1 or 1; got 0.0 at index (1,). "
        "Turn 0 and 1 into them with 2 * targets - 1.",
        (jnp.zeros(2), 2 * jnp.array([1.0, 0.0]) - 1),
        read=True,
    ),
    Misuse(
        losses.cross_entropy,
        (SCORES, LABELS + 1),
        "cross_entropy: targets must be class labels in [0, 3), or ignore_index -100; "
        f"got 3 at index (2,). {LABELS_FROM_ZERO}",
        (SCORES, LABELS + 1 - 1),
        read=True,
    ),
    Misuse(
        losses.nll,
        (LOG_P, LABELS - 1),
        "nll: targets must be class labels in [0, 3), or ignore_index 7; "
        f"got -1 at index (0,). {LABELS_FROM_ZERO}",
        (LOG_P, LABELS),
        wrong_options={"ignore_index": 7},
        read=True,
    ),
    Misuse(
        losses.cross_entropy,
        (SCORES, LABELS.astype(float)),
        "cross_entropy: targets must be integer labels; got float32[4]. "
        "Convert class labels with targets.astype(jnp.int32).",
        (SCORES, LABELS.astype(float).astype(jnp.int32)),
        error=ArgumentTypeError,
    ),
    Misuse(
        losses.cross_entropy,
        (SCORES, LABELS.reshape((4, 1))),
        f"cross_entropy: {CLASS_SHAPES}(4, 1). Reshape them with targets.reshape((4,)).",
        (SCORES, LABELS.reshape((4, 1)).reshape((4,))),
    ),
    Misuse(
        losses.nll,
        (LOG_P, LABELS[:3]),
        f"nll: {CLASS_SHAPES}(3,). Give one label, or one row of probabilities, for each example.",
        (LOG_P, LABELS),
    ),
    Misuse(
        losses.cross_entropy,
        (jnp.array(1.0), jnp.array(0)),
        "cross_entropy: predictions must have a last axis of at least two classes; got (). "
        "Let the model end in one output per class; bce_with_logits takes a single one.",
        (jnp.array([1.0, 0.0]), jnp.array(0)),
    ),
    Misuse(
        losses.cross_entropy,
        (SCORES, jnp.full((4, 3), 2)),
        "cross_entropy: targets must be probabilities in [0, 1]; got 2 at index (0, 0). "
        "Give probabilities over the classes, such as jax.nn.one_hot makes.",
        (SCORES, jax.nn.one_hot(LABELS, 3)),
        read=True,
    ),
    Misuse(
        losses.nll,
        (SCORES + 5, LABELS),
        "nll: predictions must be log-probabilities, at most 0; got 5.0 at index (0, 0). "
        "Apply jn.log_softmax to logits.",
        (jax.nn.log_softmax(SCORES + 5), LABELS),
        read=True,
    ),
    Misuse(
        losses.kl_divergence,
        (HALF, HALF),
        "kl_divergence: predictions must be log-probabilities, at most 0; got 0.5 at index (0, 0). "
        "Apply jn.log_softmax to logits.",
        (jax.nn.log_softmax(HALF), HALF),
        read=True,
    ),
    Misuse(
        losses.kl_divergence,
        (LOG_P, LOG_P),
        "kl_divergence: targets must be probabilities in [0, 1]; got -1.0986123 at index (0, 0). "
        "Apply jn.softmax to logits, or jnp.exp to log-probabilities.",
        (LOG_P, jnp.exp(LOG_P)),
        read=True,
    ),
    Misuse(
        losses.mse,
        (ROW, ROW),
        "mse: reduction must be one of 'mean', 'sum', 'none'; got 'average'. "
        "Pass reduction='mean'.",
        (ROW, ROW),
        wrong_options={"reduction": "average"},
        right_options={"reduction": "mean"},
    ),
    Misuse(
        losses.mse,
        (COLUMN, COLUMN),
        "mse: weights must have the shape of the values, (4, 1), or of their leading axes; "
        "got (3,). Pass one weight per example, of shape (4,).",
        (COLUMN, COLUMN),
        wrong_options={"weights": jnp.ones(3)},
        right_options={"weights": jnp.ones(4)},
    ),
    Misuse(
        losses.cross_entropy,
        (SCORES, LABELS),
        "cross_entropy: weights must have the shape of the values, (4,), or of their leading axes; "
        "got (4, 3). Pass one weight per example, of shape (4,).",
        (SCORES, LABELS),
        wrong_options={"weights": jnp.ones((4, 3))},
        right_options={"weights": jnp.ones(4)},
    ),
    Misuse(
        losses.cross_entropy,
        (SCORES, LABELS),
        "cross_entropy: class_weights must have shape (3,); got (4,). "
        "Pass one factor for each class.",
        (SCORES, LABELS),
        wrong_options={"class_weights": jnp.ones(4)},
        right_options={"class_weights": jnp.ones(3)},
    ),
    Misuse(
        losses.bce_with_logits,
        (COLUMN, COLUMN),
        "bce_with_logits: pos_weight must be one number or have the shape of the last axis, (1,); "
        "got (4,). Pass one factor for all, such as pos_weight=2.0.",
        (COLUMN, COLUMN),
        wrong_options={"pos_weight": jnp.ones(4)},
        right_options={"pos_weight": 2.0},
    ),
    Misuse(
        losses.cross_entropy,
        (SCORES, LABELS),
        "cross_entropy: label_smoothing must be a number in [0, 1); got 1.5. "
        "Pass label_smoothing=0.5, for example.",
        (SCORES, LABELS),
        wrong_options={"label_smoothing": 1.5},
        right_options={"label_smoothing": 0.5},
    ),
    Misuse(
        losses.cross_entropy,
        (SCORES, LABELS),
        "cross_entropy: ignore_index must be a whole number; got 1.5. Pass ignore_index=-100.",
        (SCORES, LABELS),
        wrong_options={"ignore_index": 1.5},
        right_options={"ignore_index": -100},
        error=ArgumentTypeError,
    ),
    Misuse(
        losses.cross_entropy,
        (SCORES, HALF),
        "cross_entropy: ignore_index must be left out without class labels; got 0. "
        "Give examples to be left out a weight of 0.",
        (SCORES, HALF),
        wrong_options={"ignore_index": 0},
        right_options={"weights": jnp.array([0.0, 1.0, 1.0, 1.0])},
    ),
    Misuse(
        losses.huber,
        (ROW, ROW),
        "huber: delta must be a positive finite number; got 0.0. Pass delta=1.0, for example.",
        (ROW, ROW),
        wrong_options={"delta": 0.0},
        right_options={"delta": 1.0},
    ),
    Misuse(
        losses.huber,
        (ROW, ROW),
        "huber: delta must be a plain Python value: it shapes the compiled program; "
        "got float32[]. Pass delta=array.item(), outside jit.",
        (ROW, ROW),
        wrong_options={"delta": jnp.array(0.5)},
        right_options={"delta": jnp.array(0.5).item()},
        error=ArgumentTypeError,
    ),
    Misuse(
        losses.smooth_l1,
        (ROW, ROW),
        "smooth_l1: beta must be a finite number of at least 0; got -1.0. "
        "Pass beta=1.0, for example.",
        (ROW, ROW),
        wrong_options={"beta": -1.0},
        right_options={"beta": 1.0},
    ),
    Misuse(
        losses.focal,
        (ROW, ROW),
        "focal: gamma must be a finite number of at least 0; got nan. Pass gamma=2.0, for example.",
        (ROW, ROW),
        wrong_options={"gamma": float("nan")},
        right_options={"gamma": 2.0},
    ),
    Misuse(
        losses.focal,
        (ROW, ROW),
        "focal: alpha must be a number in [0, 1); got '0.25'. Pass alpha=0.5, for example.",
        (ROW, ROW),
        wrong_options={"alpha": "0.25"},
        right_options={"alpha": 0.5},
        error=ArgumentTypeError,
    ),
    Misuse(
        losses.mse,
        (ROW, ROW),
        "mse() got an unexpected keyword argument 'reducton'",
        (ROW, ROW),
        wrong_options={"reducton": "sum"},
        right_options={"reduction": "sum"},
        error=TypeError,
    ),
]


def title(misuse):
    return f"{misuse.loss.__name__}-{misuse.message.split(': ')[-1][:40]}"


@pytest.mark.parametrize("misuse", MISUSES, ids=title)
def test_misuse_says_what_is_wrong(misuse):
    calls = [misuse.loss.check_values] + [misuse.loss] * (not misuse.read)
    for call in calls:
        with pytest.raises(misuse.error, match=re.escape(misuse.message)) as raised:
            call(*misuse.wrong, **misuse.wrong_options)
        assert str(raised.value) == misuse.message


@pytest.mark.parametrize("misuse", MISUSES, ids=title)
def test_the_advice_works(misuse):
    loss = misuse.advised or misuse.loss
    value = loss(*misuse.right, **misuse.right_options)
    assert value.shape == ()
    assert jnp.isfinite(value)
