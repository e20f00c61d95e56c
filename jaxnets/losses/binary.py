"""Losses for targets with two outcomes."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets.checks import check_fraction, check_nonnegative
from jaxnets.contracts.arrays import trailing_axes
from jaxnets.contracts.calls import optional
from jaxnets.contracts.data import Domain, probabilities
from jaxnets.errors import require
from jaxnets.losses.contract import elementwise_loss

__all__ = ["bce", "bce_with_logits", "focal", "hinge"]

LEAST_VARIANCE = float(np.float32(1e-12))
"""The clamp of p (1 - p); PyTorch holds it in a float32, which shows in float64."""


PROBABILITIES = probabilities("Apply jn.sigmoid to logits, or use bce_with_logits.")

TARGETS = probabilities("Give 0 and 1, or a number between for soft targets.")

SIGNS = Domain(
    lambda targets: abs(targets) == 1, "be -1 or 1", "Turn 0 and 1 into them with 2 * targets - 1."
)


@elementwise_loss(predictions=PROBABILITIES, targets=TARGETS)
def bce(predictions: jax.Array, targets: jax.Array) -> jax.Array:
    r"""Binary cross-entropy of probabilities.

    .. math::
       L = -\frac1n \sum_i \bigl[y_i \log p_i + (1 - y_i) \log(1 - p_i)\bigr], \qquad
       \frac{\partial L}{\partial p_i} = \frac1n \frac{p_i - y_i}{p_i (1 - p_i)}

    Predictions p and targets y are in [0, 1]; the loss is in nats. As in PyTorch each logarithm
    is clamped at -100 and the denominator of the gradient at 1e-12, so that both stay finite at
    p = 0 and p = 1. Where logits are at hand, `bce_with_logits` is more exact.

    Example:
      >>> p, y = jnp.array([0.5639, 0.4057, 0.8600, 0.6237]), jnp.array([1.0, 0.0, 1.0, 0.0])
      >>> print(f"{bce(p, y):.4f}")
      0.5554

    References:
      ``torch.nn.BCELoss`` (PyTorch documentation).
    """
    return _binary_cross_entropy(predictions, targets)


@jax.custom_jvp
def _binary_cross_entropy(p: jax.Array, y: jax.Array) -> jax.Array:
    """Elementwise; its own derivative because that of a clamped log is not PyTorch's."""
    log_p, log_q = _clamped_logs(p)
    return -(y * log_p + (1 - y) * log_q)


@_binary_cross_entropy.defjvp
def _binary_cross_entropy_jvp(primals: Any, tangents: Any) -> tuple[jax.Array, jax.Array]:
    (p, y), (dp, dy) = primals, tangents
    log_p, log_q = _clamped_logs(p)
    variance = p * (1 - p)
    slope = (p - y) / jnp.maximum(variance, LEAST_VARIANCE)
    # A hard target shortens the fraction, which then is rounded once instead of three times.
    unclamped = variance > LEAST_VARIANCE
    slope = jnp.where(unclamped & (y == 1), -1 / p, slope)
    slope = jnp.where(unclamped & (y == 0), 1 / (1 - p), slope)
    return -(y * log_p + (1 - y) * log_q), slope * dp + (log_q - log_p) * dy


def _clamped_logs(p: jax.Array) -> tuple[jax.Array, jax.Array]:
    return jnp.maximum(jnp.log(p), -100), jnp.maximum(jnp.log1p(-p), -100)


@elementwise_loss(targets=TARGETS)
def bce_with_logits(
    predictions: jax.Array, targets: jax.Array, *, pos_weight: jax.Array | float | None = None
) -> jax.Array:
    r"""Binary cross-entropy of logits, exact for large ones too.

    .. math::
       L = \frac1n \sum_i \bigl[c\, y_i \log(1 + e^{-x_i}) + (1 - y_i) \log(1 + e^{x_i})\bigr],
       \qquad \frac{\partial L}{\partial x_i} =
       \frac1n \bigl[(1 - y_i) \sigma(x_i) - c\, y_i \sigma(-x_i)\bigr]

    Predictions are logits x, targets y are in [0, 1]; the loss is in nats.

    Options:
      pos_weight: Factor c of the positive outcome, 1 if None: a number, or one for each entry of
        the last axis. Above 1 it favours recall, below 1 precision.

    Example:
      >>> print(f"{bce_with_logits(jnp.array([0.0, 200.0]), jnp.array([1.0, 0.0])):.4f}")
      100.3466

    References:
      ``torch.nn.BCEWithLogitsLoss`` (PyTorch documentation).
    """
    x, y = predictions, targets
    positive = y * jax.nn.softplus(-x) * _positive_factor(pos_weight, x)
    return positive + (1 - y) * jax.nn.softplus(x)


def _positive_factor(pos_weight: Any, logits: jax.Array) -> jax.Array:
    """The factor of the positive outcome with as many axes as the logits."""
    factor = jnp.asarray(1 if pos_weight is None else pos_weight, logits.dtype)
    last = logits.shape[-1:]
    rule = f"be one number or have the shape of the last axis, {last}"
    remedy = "Pass one factor for all, such as pos_weight=2.0."
    require(factor.shape in ((), last), "pos_weight", rule, str(factor.shape), remedy)
    return trailing_axes(factor, logits.ndim)


@elementwise_loss(
    targets=TARGETS,
    gamma=functools.partial(check_nonnegative, example=2.0),
    alpha=optional(check_fraction),
)
def focal(
    predictions: jax.Array,
    targets: jax.Array,
    *,
    gamma: float = 2.0,
    alpha: float | None = 0.25,
) -> jax.Array:
    r"""Focal loss: binary cross-entropy that pays little heed to what is already right.

    .. math::
       L = -\frac1n \sum_i \alpha_i (1 - q_i)^\gamma \log q_i, \qquad
       \frac{\partial L}{\partial x_i} = \frac{s_i}{n} \alpha_i (1 - q_i)^\gamma
       (\gamma q_i \log q_i + q_i - 1)

    Here :math:`q = \sigma(x)`, :math:`s = 1` and weight :math:`\alpha` for targets of 1, and
    :math:`q = \sigma(-x)`, :math:`s = -1` and :math:`1 - \alpha` for targets of 0. For soft
    targets y the three factors are mixed with y and 1 - y each, as in torchvision. Predictions
    are logits x, targets are in [0, 1]; the loss is in nats. The paper divides the sum by the
    number of anchors assigned to an object; ``reduction="sum"`` leaves that to the caller.

    Options:
      gamma: How fast easy examples lose weight, at least 0; 0 gives cross-entropy.
      alpha: Weight of the positive outcome, in [0, 1); None weighs both alike with 1.

    Example:
      >>> x, y = jnp.array([0.0, 3.0]), jnp.array([1.0, 1.0])
      >>> [f"{value:.5f}" for value in focal(x, y, alpha=None, reduction="none").tolist()]
      ['0.17329', '0.00011']

    References:
      Lin, Goyal, Girshick, He and Dollár, "Focal loss for dense object detection", 2017;
      ``torchvision.ops.sigmoid_focal_loss``.
    """
    x, y = predictions, targets
    cross_entropy = y * jax.nn.softplus(-x) + (1 - y) * jax.nn.softplus(x)
    values = cross_entropy * _power_of_miss(x, y, gamma)
    return values if alpha is None else values * (alpha * y + (1 - alpha) * (1 - y))


def _power_of_miss(x: jax.Array, y: jax.Array, gamma: Any) -> jax.Array:
    """The probability given to the wrong outcome, to the power of gamma.

    The derivatives of a power overflow near 0, where the miss of a hard target is exp(-|x|).
    """
    tiny = float(np.finfo(x.dtype).tiny)
    miss = y * jax.nn.sigmoid(-x) + (1 - y) * jax.nn.sigmoid(x)
    tail = (miss < tiny**0.25) & ((y == 0) | (y == 1))
    power = jnp.power(jnp.where(tail, 1, jnp.maximum(miss, tiny)), gamma)
    return jnp.where(tail, jnp.exp(-gamma * jnp.abs(x)), power)


@elementwise_loss(targets=SIGNS)
def hinge(predictions: jax.Array, targets: jax.Array) -> jax.Array:
    r"""Hinge loss of the support vector machine, for targets of -1 and 1.

    .. math::
       L = \frac1n \sum_i \max(0, 1 - y_i \hat y_i), \qquad
       \frac{\partial L}{\partial \hat y_i} = -\frac{y_i}{n}
       \text{ if } y_i \hat y_i < 1 \text{ else } 0

    The sign of a prediction is the decision; the loss has no unit. The derivative at the kink, a
    margin of exactly 1, is taken as 0. What PyTorch calls ``HingeEmbeddingLoss`` is another loss,
    for distances, and its ``MultiMarginLoss`` is the hinge of several classes; this one is
    ``MarginRankingLoss`` of (predictions, 0) with margin 1, whose derivative at the kink is that
    of the left side.

    Example:
      >>> hinge(jnp.array([0.5, 3.0]), jnp.array([-1.0, 1.0]), reduction="none").tolist()
      [1.5, 0.0]

    References:
      Cortes and Vapnik, "Support-vector networks", 1995.
    """
    return jax.nn.relu(1 - targets * predictions)
