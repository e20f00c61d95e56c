"""Losses for real-valued targets."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets.checks import check_nonnegative, check_positive
from jaxnets.losses.contract import elementwise, loss_function, reduced

__all__ = ["huber", "mae", "mse", "rmse", "smooth_l1"]


@loss_function()
def mse(
    predictions: jax.Array,
    targets: jax.Array,
    *,
    weights: jax.Array | None = None,
    reduction: str = "mean",
) -> jax.Array:
    r"""Mean squared error, without a half.

    .. math::
       L = \frac1n \sum_i (\hat y_i - y_i)^2, \qquad
       \frac{\partial L}{\partial \hat y_i} = \frac{2}{n} (\hat y_i - y_i)

    Args:
      predictions: Outputs y-hat, floating, any shape; n is the number of their elements.
      targets: Same shape, floating.
      weights: One an example or element; a weighted mean divides by their sum.
      reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Returns:
      Scalar, or the values with ``"none"``, in the squared unit of the targets.

    Raises:
      ValueError: If the shapes differ or the reduction is unknown.
      TypeError: If predictions or targets are not floating.

    Example:
      >>> float(mse(jnp.array([[1.0]]), jnp.array([[3.0]])))
      4.0

    References:
      ``torch.nn.MSELoss`` (PyTorch documentation).
    """
    predictions, targets, weights = elementwise("mse", predictions, targets, weights)
    return reduced("mse", jnp.square(predictions - targets), weights, reduction)


@loss_function()
def mae(
    predictions: jax.Array,
    targets: jax.Array,
    *,
    weights: jax.Array | None = None,
    reduction: str = "mean",
) -> jax.Array:
    r"""Mean absolute error.

    .. math::
       L = \frac1n \sum_i |\hat y_i - y_i|, \qquad
       \frac{\partial L}{\partial \hat y_i} = \frac1n \operatorname{sign}(\hat y_i - y_i)

    The derivative at the kink, an error of 0, is taken as 0.

    Args:
      predictions: Outputs y-hat, floating, any shape; n is the number of their elements.
      targets: Same shape, floating.
      weights: One an example or element; a weighted mean divides by their sum.
      reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Returns:
      Scalar, or the values with ``"none"``, in the unit of the targets.

    Raises:
      ValueError: If the shapes differ or the reduction is unknown.
      TypeError: If predictions or targets are not floating.

    Example:
      >>> float(mae(jnp.array([1.0, 2.0]), jnp.array([3.0, 2.0])))
      1.0

    References:
      ``torch.nn.L1Loss`` (PyTorch documentation).
    """
    predictions, targets, weights = elementwise("mae", predictions, targets, weights)
    return reduced("mae", _absolute(predictions - targets), weights, reduction)


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

    The reduction is that of the squares; the root is taken after it, of their mean, of their
    sum, or of each. The derivative at L = 0, a kink, is taken as 0.

    Args:
      predictions: Outputs y-hat, floating, any shape; n is the number of their elements.
      targets: Same shape, floating.
      weights: One an example or element, for its square; a weighted mean divides by their sum.
      reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Returns:
      Scalar, or the values with ``"none"``, in the unit of the targets.

    Raises:
      ValueError: If the shapes differ or the reduction is unknown.
      TypeError: If predictions or targets are not floating.

    Example:
      >>> float(rmse(jnp.array([1.0, 2.0, 3.0, 4.0]), jnp.array([1.0, 2.0, 3.0, 0.0])))
      2.0
    """
    predictions, targets, weights = elementwise("rmse", predictions, targets, weights)
    return _root(reduced("rmse", jnp.square(predictions - targets), weights, reduction))


@loss_function("delta")
def huber(
    predictions: jax.Array,
    targets: jax.Array,
    *,
    delta: float = 1.0,
    weights: jax.Array | None = None,
    reduction: str = "mean",
) -> jax.Array:
    r"""Huber's loss: half the squared error near 0, linear with slope delta beyond.

    .. math::
       L = \frac1n \sum_i \ell(\hat y_i - y_i), \quad
       \ell(e) = \begin{cases} e^2/2 & |e| \le \delta \\
       \delta (|e| - \delta/2) & |e| > \delta \end{cases}, \quad
       \ell'(e) = \max(-\delta, \min(\delta, e))

    Args:
      predictions: Outputs y-hat, floating, any shape; n is the number of their elements.
      targets: Same shape, floating.
      delta: Where the parabola ends, positive, in the unit of the targets.
      weights: One an example or element; a weighted mean divides by their sum.
      reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Returns:
      Scalar, or the values with ``"none"``, in the squared unit of the targets.

    Raises:
      ValueError: If the shapes differ, delta is not positive or the reduction is unknown.
      TypeError: If predictions or targets are not floating.

    Example:
      >>> huber(jnp.array([0.5, 3.0]), jnp.array([0.0, 0.0]), reduction="none").tolist()
      [0.125, 2.5]

    References:
      Huber, "Robust estimation of a location parameter", 1964; ``torch.nn.HuberLoss``.
    """
    delta = check_positive("huber", "delta", delta, example=1.0)
    predictions, targets, weights = elementwise("huber", predictions, targets, weights)
    return reduced("huber", _huber(predictions - targets, delta), weights, reduction)


@loss_function("beta")
def smooth_l1(
    predictions: jax.Array,
    targets: jax.Array,
    *,
    beta: float = 1.0,
    weights: jax.Array | None = None,
    reduction: str = "mean",
) -> jax.Array:
    r"""Absolute error with a parabola in place of the kink: `huber` with delta = beta, over beta.

    .. math::
       L = \frac1n \sum_i \ell(\hat y_i - y_i), \quad
       \ell(e) = \begin{cases} e^2/(2\beta) & |e| \le \beta \\
       |e| - \beta/2 & |e| > \beta \end{cases}, \quad
       \ell'(e) = \max(-1, \min(1, e/\beta))

    Args:
      predictions: Outputs y-hat, floating, any shape; n is the number of their elements.
      targets: Same shape, floating.
      beta: Where the parabola ends, in the unit of the targets; 0 gives `mae`.
      weights: One an example or element; a weighted mean divides by their sum.
      reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Returns:
      Scalar, or the values with ``"none"``, in the unit of the targets.

    Raises:
      ValueError: If the shapes differ, beta is negative or the reduction is unknown.
      TypeError: If predictions or targets are not floating.

    Example:
      >>> smooth_l1(jnp.array([0.5, 3.0]), jnp.array([0.0, 0.0]), reduction="none").tolist()
      [0.125, 2.5]

    References:
      Girshick, "Fast R-CNN", 2015; ``torch.nn.SmoothL1Loss`` (PyTorch documentation).
    """
    beta = check_nonnegative("smooth_l1", "beta", beta, example=1.0)
    predictions, targets, weights = elementwise("smooth_l1", predictions, targets, weights)
    errors = predictions - targets
    no_parabola = beta < np.finfo(errors.dtype).tiny
    values = _absolute(errors) if no_parabola else _huber(errors, beta) / beta
    return reduced("smooth_l1", values, weights, reduction)


def _absolute(errors: jax.Array) -> jax.Array:
    """The absolute value, with derivative 0 at 0, where ``jnp.abs`` has 1."""
    return errors * jnp.sign(errors)


def _huber(errors: jax.Array, delta: float) -> jax.Array:
    sizes = jnp.abs(errors)
    return jnp.where(sizes <= delta, jnp.square(errors) / 2, delta * (sizes - delta / 2))


def _root(squares: jax.Array) -> jax.Array:
    """The square root, with derivative 0 at 0, where the true one is infinite."""
    zero = squares == 0
    return jnp.where(zero, 0, jnp.sqrt(jnp.where(zero, 1, squares)))
