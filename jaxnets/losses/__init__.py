"""Losses under one contract: ``loss(predictions, targets, *, weights=None, reduction="mean")``.

A loss first makes its values, one for each example (or element), then multiplies them by
``weights``, then reduces:

- ``"mean"``: the sum of the weighted values divided by the sum of the weights;
- ``"sum"``: the sum of the weighted values;
- ``"none"``: the weighted values themselves.

``weights`` have the shape of the values or of their leading axes, so that one weight an example
serves values of any rank. A weight of 0 removes an example, whatever it holds: padding may be
NaN. Weights that sum to 0 give a mean of NaN, with a gradient of 0. Shapes of predictions and
targets must fit: nothing is broadcast.

Arithmetic is in the type of the predictions, in float32 for narrower ones, and the result has the
type of the predictions.

Shapes and dtypes are checked while tracing. Data given outside ``jax.jit`` are also read: a
label out of range or a probability outside [0, 1] is an error there that names the first one, and
NaN under ``jit``. ``loss.check_values(predictions, targets, ...)`` makes all these checks alone;
its predictions may be a ``jax.ShapeDtypeStruct``.
"""

from jaxnets.losses.binary import bce, bce_with_logits, focal, hinge
from jaxnets.losses.multiclass import cross_entropy, kl_divergence, nll
from jaxnets.losses.regression import huber, mae, mse, rmse, smooth_l1

__all__ = [
    "bce",
    "bce_with_logits",
    "cross_entropy",
    "focal",
    "hinge",
    "huber",
    "kl_divergence",
    "mae",
    "mse",
    "nll",
    "rmse",
    "smooth_l1",
]
