"""Losses for real-valued targets."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets.checks import check_nonnegative, check_positive
from jaxnets.contracts.arrays import absolute, power_of_two
from jaxnets.contracts.reduction import reduced
from jaxnets.losses.contract import elementwise_loss, loss_function, prepared

__all__ = ["huber", "mae", "mse", "rmse", "smooth_l1"]


@elementwise_loss()
def mse(predictions: jax.Array, targets: jax.Array) -> jax.Array:
    r"""Mean squared error, without a half.

    .. math::
       L = \frac1n \sum_i (\hat y_i - y_i)^2, \qquad
       \frac{\partial L}{\partial \hat y_i} = \frac{2}{n} (\hat y_i - y_i)

    It is in the squared unit of the targets.

    Example:
      >>> float(mse(jnp.array([[1.0]]), jnp.array([[3.0]])))
      4.0

    References:
      ``torch.nn.MSELoss`` (PyTorch documentation).
    """
    return jnp.square(predictions - targets)


@elementwise_loss()
def mae(predictions: jax.Array, targets: jax.Array) -> jax.Array:
    r"""Mean absolute error.

    .. math::
       L = \frac1n \sum_i |\hat y_i - y_i|, \qquad
       \frac{\partial L}{\partial \hat y_i} = \frac1n \operatorname{sign}(\hat y_i - y_i)

    It is in the unit of the targets. The derivative at the kink, an error of 0, is taken as 0.

    Example:
      >>> float(mae(jnp.array([1.0, 2.0]), jnp.array([3.0, 2.0])))
      1.0

    References:
      ``torch.nn.L1Loss`` (PyTorch documentation).
    """
    return absolute(predictions - targets)


@loss_function()
def rmse(
    predictions: jax.Array,
    targets: jax.Array,
    *,
    weights: jax.Array | None = None,
    reduction: str = "mean",
) -> jax.Array:
    r"""Root of the mean squared error.

    .. math::
       L = \sqrt{\frac1n \sum_i (\hat y_i - y_i)^2}, \qquad
       \frac{\partial L}{\partial \hat y_i} = \frac{\hat y_i - y_i}{n L}

    It is in the unit of the targets. The weights and the reduction are those of the squares; the
    root is taken after it, of their mean, of their sum, or of each. The derivative at L = 0, a
    kink, is taken as 0.

    Example:
      >>> float(rmse(jnp.array([1.0, 2.0, 3.0, 4.0]), jnp.array([1.0, 2.0, 3.0, 0.0])))
      2.0
    """
    predictions, targets, weights = prepared(predictions, targets, weights)
    errors = predictions - targets
    sizes = jnp.abs(errors)
    # Squares of errors as large as this scale neither overflow nor vanish.
    scale = power_of_two(sizes if reduction == "none" else sizes.max(initial=0))
    return scale * _root(reduced(jnp.square(errors / scale), weights, reduction))


def _root(squares: jax.Array) -> jax.Array:
    """The square root, with derivative 0 at 0, where the true one is infinite."""
    zero = squares == 0
    return jnp.where(zero, 0, jnp.sqrt(jnp.where(zero, 1, squares)))


@elementwise_loss(delta=functools.partial(check_positive, example=1.0))
def huber(predictions: jax.Array, targets: jax.Array, *, delta: float = 1.0) -> jax.Array:
    r"""Huber's loss: half the squared error near 0, linear with slope delta beyond.

    .. math::
       L = \frac1n \sum_i \ell(\hat y_i - y_i), \quad
       \ell(e) = \begin{cases} e^2/2 & |e| \le \delta \\
       \delta (|e| - \delta/2) & |e| > \delta \end{cases}, \quad
       \ell'(e) = \max(-\delta, \min(\delta, e))

    It is in the squared unit of the targets.

    Options:
      delta: Where the parabola ends, positive, in the unit of the targets.

    Example:
      >>> huber(jnp.array([0.5, 3.0]), jnp.array([0.0, 0.0]), reduction="none").tolist()
      [0.125, 2.5]

    References:
      Huber, "Robust estimation of a location parameter", 1964; ``torch.nn.HuberLoss``.
    """
    near, small, large = _pieces(predictions - targets, delta)
    return jnp.where(near, small * (small / 2), delta * (large - delta / 2))


@elementwise_loss(beta=functools.partial(check_nonnegative, example=1.0))
def smooth_l1(predictions: jax.Array, targets: jax.Array, *, beta: float = 1.0) -> jax.Array:
    r"""Absolute error with a parabola in place of the kink: `huber` with delta = beta, over beta.

    .. math::
       L = \frac1n \sum_i \ell(\hat y_i - y_i), \quad
       \ell(e) = \begin{cases} e^2/(2\beta) & |e| \le \beta \\
       |e| - \beta/2 & |e| > \beta \end{cases}, \quad
       \ell'(e) = \max(-1, \min(1, e/\beta))

    It is in the unit of the targets.

    Options:
      beta: Where the parabola ends, in the unit of the targets; 0 gives `mae`.

    Example:
      >>> smooth_l1(jnp.array([0.5, 3.0]), jnp.array([0.0, 0.0]), reduction="none").tolist()
      [0.125, 2.5]

    References:
      Girshick, "Fast R-CNN", 2015; ``torch.nn.SmoothL1Loss`` (PyTorch documentation).
    """
    errors = predictions - targets
    no_parabola = beta < np.finfo(errors.dtype).tiny
    width = jnp.where(no_parabola, 1, beta)
    near, small, large = _pieces(errors, width)
    curved = jnp.where(near, small * (small / width) / 2, large - width / 2)
    return jnp.where(no_parabola, absolute(errors), curved)


def _pieces(errors: jax.Array, width: Any) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Whether each error is within the parabola, and the argument of either piece.

    The piece not taken gets a harmless argument: its overflow would reach the gradient as NaN.
    """
    sizes = absolute(errors)
    near = sizes <= width
    return near, jnp.where(near, errors, 0), jnp.where(near, width, sizes)
