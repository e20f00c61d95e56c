"""Calibration: whether what a model is sure of comes true as often as it says."""

from typing import Any

import jax
import jax.numpy as jnp

from jaxnets.checks import check_integer
from jaxnets.contracts.arrays import as_array, as_floating
from jaxnets.contracts.calls import checked
from jaxnets.contracts.data import check_logits, is_probability, poisoned
from jaxnets.contracts.decisions import check_decisions, class_labels, is_outcome
from jaxnets.contracts.reduction import reduced, spread_weights
from jaxnets.dtypes import at_least_float32
from jaxnets.errors import require

__all__ = ["expected_calibration_error"]


MOST_BINS = 2**20


def _check_bins(argument: str, value: Any) -> int:
    """Return a number of bins that fit into memory."""
    bins = check_integer(argument, value, minimum=1)
    require(bins <= MOST_BINS, argument, f"be at most {MOST_BINS}", str(bins), "Pass bins=15.")
    return bins


def _check_calibrated(predictions: Any, targets: Any, options: dict[str, Any]) -> None:
    """Read concrete data: decisions, and logits where there is an axis of classes."""
    check_decisions(predictions, targets, options)
    if predictions.ndim > 1 and predictions.shape[-1] > 1:
        check_logits(predictions, options["weights"])


@checked(
    {"bins": _check_bins},
    check=_check_calibrated,
    reads=True,
    better="min",
)
def expected_calibration_error(
    predictions: jax.Array,
    targets: jax.Array,
    *,
    bins: int = 15,
    weights: jax.Array | None = None,
) -> jax.Array:
    r"""How far confidence and accuracy are apart, over bins of equal width of the confidence.

    .. math::
       \mathrm{ECE} = \sum_b \frac{|B_b|}{n}
       \Bigl| \frac{1}{|B_b|} \sum_{i \in B_b} [\hat c_i = y_i] - p_i \Bigr|, \qquad
       B_b = \Bigl\{ i : p_i \in \Bigl(\tfrac{b - 1}{m}, \tfrac{b}{m}\Bigr] \Bigr\}

    where p is the largest probability of an example: a model that is 80% sure should be right
    four times in five.

    Args:
      predictions: Logits ``[..., classes]``, to which the softmax is applied, or probabilities of
        class 1, ``[examples]`` or ``[..., 1]``. Floating.
      targets: As for `metrics.accuracy`.
      bins: Their number, m.
      weights: As for `metrics.accuracy`.

    Returns:
      Scalar in [0, 1], float32 at least; 0 is perfect.

    Example:
      >>> sure = jnp.log(jnp.array([[0.8, 0.2]] * 5))
      >>> round(float(expected_calibration_error(sure, jnp.array([0, 0, 0, 0, 1]))), 6)
      0.0
      >>> round(float(expected_calibration_error(sure, jnp.array([0, 0, 1, 1, 1]))), 6)
      0.4

    References:
      Guo et al., "On calibration of modern neural networks", 2017, equation 3.
    """
    predictions = as_floating("predictions", predictions)
    predictions = predictions.astype(at_least_float32(predictions.dtype))
    targets = jnp.asarray(as_array("targets", targets))
    if (decided := class_labels(predictions, targets)) is not None:
        labels, valid = decided
        right = predictions.argmax(-1) == labels
        confidence = jax.nn.softmax(predictions, -1).max(-1)
    else:
        right = (predictions > 0.5) == (targets > 0.5)
        valid = is_probability(predictions) & is_outcome(targets)
        confidence = jnp.maximum(predictions, 1 - predictions)
    weights = spread_weights(weights, right.shape, confidence.dtype)
    total = right.size if weights is None else weights.sum()
    gaps = reduced(poisoned(right - confidence, valid, weights), weights, "none")
    # What is no number goes into the first bin, so that it is not lost: the index would be none.
    bin_of = jnp.nan_to_num(jnp.clip(jnp.ceil(confidence * bins) - 1, 0, bins - 1)).astype(int)
    sums = jnp.zeros(bins, gaps.dtype).at[bin_of].add(gaps)
    return jnp.abs(sums).sum() / total
