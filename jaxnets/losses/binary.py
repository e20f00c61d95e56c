"""Losses for targets with two outcomes."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets.checks import check_fraction, check_nonnegative, fail
from jaxnets.losses.contract import elementwise, loss_function, reduced
from jaxnets.losses.data import check_each, check_probabilities, is_probability, poisoned

__all__ = ["bce", "bce_with_logits", "focal", "hinge"]

LEAST_VARIANCE = float(np.float32(1e-12))
"""The clamp of p (1 - p); PyTorch holds it in a float32, which shows in float64."""


def _check_targets(name: str, predictions: Any, targets: Any, options: dict[str, Any]) -> None:
    remedy = "Give 0 and 1, or a number between for soft targets."
    check_probabilities(name, "targets", targets, remedy, options["weights"])


def _check_both(name: str, predictions: Any, targets: Any, options: dict[str, Any]) -> None:
    remedy = "Apply jn.sigmoid to logits, or use bce_with_logits."
    check_probabilities(name, "predictions", predictions, remedy, options["weights"])
    _check_targets(name, predictions, targets, options)


def _check_signs(name: str, predictions: Any, targets: Any, options: dict[str, Any]) -> None:
    check_each(
        name,
        "targets",
        targets,
        lambda values: abs(values) == 1,
        "be -1 or 1",
        "Turn 0 and 1 into them with 2 * targets - 1.",
        weights=options["weights"],
    )


@loss_function(check=_check_both)
def bce(
    predictions: jax.Array,
    targets: jax.Array,
    *,
    weights: jax.Array | None = None,
    reduction: str = "mean",
) -> jax.Array:
    r"""Binary cross-entropy of probabilities.

    .. math::
       L = -\frac1n \sum_i \bigl[y_i \log p_i + (1 - y_i) \log(1 - p_i)\bigr], \qquad
       \frac{\partial L}{\partial p_i} = \frac1n \frac{p_i - y_i}{p_i (1 - p_i)}

    As in PyTorch each logarithm is clamped at -100 and the denominator of the gradient at 1e-12,
    so that both stay finite at p = 0 and p = 1. Where logits are at hand, `bce_with_logits` is
    more exact.

    Args:
      predictions: Probabilities p in [0, 1], floating, any shape.
      targets: Same shape, floating, in [0, 1].
      weights: One an example or element; a weighted mean divides by their sum.
      reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Returns:
      Scalar, or the values with ``"none"``, in nats.

    Raises:
      ValueError: If the shapes differ, or a probability or target given outside ``jit`` is not in
        [0, 1]; under ``jit`` it gives NaN.
      TypeError: If predictions or targets are not floating.

    Example:
      >>> p, y = jnp.array([0.5639, 0.4057, 0.8600, 0.6237]), jnp.array([1.0, 0.0, 1.0, 0.0])
      >>> print(f"{bce(p, y):.4f}")
      0.5554

    References:
      ``torch.nn.BCELoss`` (PyTorch documentation).
    """
    p, y, weights = elementwise("bce", predictions, targets, weights)
    y = poisoned(y, is_probability(p) & is_probability(y), weights)
    return reduced("bce", _binary_cross_entropy(p, y), weights, reduction)


@loss_function(check=_check_targets)
def bce_with_logits(
    predictions: jax.Array,
    targets: jax.Array,
    *,
    pos_weight: jax.Array | float | None = None,
    weights: jax.Array | None = None,
    reduction: str = "mean",
) -> jax.Array:
    r"""Binary cross-entropy of logits, exact for large ones too.

    .. math::
       L = \frac1n \sum_i \bigl[c\, y_i \log(1 + e^{-x_i}) + (1 - y_i) \log(1 + e^{x_i})\bigr],
       \qquad \frac{\partial L}{\partial x_i} =
       \frac1n \bigl[(1 - y_i) \sigma(x_i) - c\, y_i \sigma(-x_i)\bigr]

    Args:
      predictions: Logits x, floating, any shape.
      targets: Same shape, floating, in [0, 1].
      pos_weight: Factor c of the positive outcome, 1 if None: a number, or one for each entry of
        the last axis. Above 1 it favours recall, below 1 precision.
      weights: One an example or element; a weighted mean divides by their sum.
      reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Returns:
      Scalar, or the values with ``"none"``, in nats.

    Raises:
      ValueError: If the shapes differ, or a target given outside ``jit`` is not in [0, 1]; under
        ``jit`` it gives NaN.
      TypeError: If predictions or targets are not floating.

    Example:
      >>> print(f"{bce_with_logits(jnp.array([0.0, 200.0]), jnp.array([1.0, 0.0])):.4f}")
      100.3466

    References:
      ``torch.nn.BCEWithLogitsLoss`` (PyTorch documentation).
    """
    x, y, weights = elementwise("bce_with_logits", predictions, targets, weights)
    y = poisoned(y, is_probability(y), weights)
    positive = y * jax.nn.softplus(-x) * _positive_factor(pos_weight, x)
    return reduced("bce_with_logits", positive + (1 - y) * jax.nn.softplus(x), weights, reduction)


@loss_function("gamma", "alpha", check=_check_targets)
def focal(
    predictions: jax.Array,
    targets: jax.Array,
    *,
    gamma: float = 2.0,
    alpha: float | None = 0.25,
    weights: jax.Array | None = None,
    reduction: str = "mean",
) -> jax.Array:
    r"""Focal loss: binary cross-entropy that pays little heed to what is already right.

    .. math::
       L = -\frac1n \sum_i \alpha_i (1 - q_i)^\gamma \log q_i, \qquad
       \frac{\partial L}{\partial x_i} = \frac{s_i}{n} \alpha_i (1 - q_i)^\gamma
       (\gamma q_i \log q_i + q_i - 1)

    Here :math:`q = \sigma(x)`, :math:`s = 1` and weight :math:`\alpha` for targets of 1, and
    :math:`q = \sigma(-x)`, :math:`s = -1` and :math:`1 - \alpha` for targets of 0. For soft
    targets y the three factors are mixed with y and 1 - y each, as in torchvision.

    Args:
      predictions: Logits x, floating, any shape.
      targets: Same shape, floating, in [0, 1].
      gamma: How fast easy examples lose weight, at least 0; 0 gives cross-entropy.
      alpha: Weight of the positive outcome, in [0, 1); None weighs both alike with 1.
      weights: One an example or element; a weighted mean divides by their sum.
      reduction: ``"mean"``, ``"sum"`` or ``"none"``. The paper divides the sum by the number of
        anchors assigned to an object instead.

    Returns:
      Scalar, or the values with ``"none"``, in nats.

    Raises:
      ValueError: If the shapes differ, an option is out of range, or a target given outside
        ``jit`` is not in [0, 1]; under ``jit`` it gives NaN.
      TypeError: If predictions or targets are not floating.

    Example:
      >>> x, y = jnp.array([0.0, 3.0]), jnp.array([1.0, 1.0])
      >>> [f"{value:.5f}" for value in focal(x, y, alpha=None, reduction="none").tolist()]
      ['0.17329', '0.00011']

    References:
      Lin, Goyal, Girshick, He and Dollár, "Focal loss for dense object detection", 2017;
      ``torchvision.ops.sigmoid_focal_loss``.
    """
    gamma = check_nonnegative("focal", "gamma", gamma, example=2.0)
    x, y, weights = elementwise("focal", predictions, targets, weights)
    y = poisoned(y, is_probability(y), weights)
    cross_entropy = y * jax.nn.softplus(-x) + (1 - y) * jax.nn.softplus(x)
    miss = y * jax.nn.sigmoid(-x) + (1 - y) * jax.nn.sigmoid(x)
    # The derivative of a power below 1 is infinite at 0, which the miss reaches by underflow.
    values = cross_entropy * jnp.power(jnp.maximum(miss, np.finfo(miss.dtype).tiny), gamma)
    if alpha is not None:
        alpha = check_fraction("focal", "alpha", alpha)
        values = values * (alpha * y + (1 - alpha) * (1 - y))
    return reduced("focal", values, weights, reduction)


@loss_function(check=_check_signs)
def hinge(
    predictions: jax.Array,
    targets: jax.Array,
    *,
    weights: jax.Array | None = None,
    reduction: str = "mean",
) -> jax.Array:
    r"""Hinge loss of the support vector machine, for targets of -1 and 1.

    .. math::
       L = \frac1n \sum_i \max(0, 1 - y_i \hat y_i), \qquad
       \frac{\partial L}{\partial \hat y_i} = -\frac{y_i}{n}
       \text{ if } y_i \hat y_i < 1 \text{ else } 0

    The derivative at the kink, a margin of exactly 1, is taken as 0. What PyTorch calls
    ``HingeEmbeddingLoss`` is another loss, for distances, and its ``MultiMarginLoss`` is the hinge
    of several classes; this one is ``MarginRankingLoss`` of (predictions, 0) with margin 1, whose
    derivative at the kink is that of the left side.

    Args:
      predictions: Scores y-hat, floating, any shape; their sign is the decision.
      targets: Same shape, floating, -1 or 1.
      weights: One an example or element; a weighted mean divides by their sum.
      reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Returns:
      Scalar, or the values with ``"none"``, without a unit.

    Raises:
      ValueError: If the shapes differ, or a target given outside ``jit`` is neither -1 nor 1;
        under ``jit`` it gives NaN.
      TypeError: If predictions or targets are not floating.

    Example:
      >>> hinge(jnp.array([0.5, 3.0]), jnp.array([-1.0, 1.0]), reduction="none").tolist()
      [1.5, 0.0]

    References:
      Cortes and Vapnik, "Support-vector networks", 1995.
    """
    predictions, y, weights = elementwise("hinge", predictions, targets, weights)
    y = poisoned(y, jnp.abs(y) == 1, weights)
    return reduced("hinge", jax.nn.relu(1 - y * predictions), weights, reduction)


def _positive_factor(pos_weight: Any, logits: jax.Array) -> jax.Array:
    """The factor of the positive outcome with as many axes as the logits."""
    factor = jnp.asarray(1 if pos_weight is None else pos_weight, logits.dtype)
    if factor.shape not in ((), logits.shape[-1:]):
        fail(
            "bce_with_logits",
            "pos_weight",
            f"be one number or have the shape of the last axis, {logits.shape[-1:]}",
            str(factor.shape),
            "Pass one factor for all, such as pos_weight=2.0.",
        )
    return factor.reshape((1,) * (logits.ndim - factor.ndim) + factor.shape)


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
