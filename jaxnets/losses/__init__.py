"""Losses under one contract: ``loss(predictions, targets, *, weights=None, reduction="mean")``.

Predictions and targets are floating arrays of any one shape: nothing is broadcast. The losses of
classes take predictions ``[..., classes]`` and say what their targets may be. A loss first makes
its values, one per element (per example for classes), then multiplies them by ``weights``, then
reduces:

- ``"mean"``: the sum of the weighted values divided by the sum of the weights;
- ``"sum"``: the sum of the weighted values;
- ``"none"``: the weighted values themselves.

``weights`` have the shape of the values or of their leading axes, so that one weight per example
serves values of any rank. A weight of 0 removes an example, whatever it holds: padding may be
NaN. Weights that sum to 0 give a mean of NaN, with a gradient of 0.

Arithmetic is in the type of the predictions, in float32 for narrower ones, and the result has the
type of the predictions. Options that are numbers, such as ``delta``, are plain Python numbers and
part of the compiled program, or traced ones, such as a hyperparameter of a sweep.

Shapes, types and options that do not fit are a ``ValueError`` or a ``TypeError``, while tracing
too. Calling a loss reads no value: a label out of range or a probability outside [0, 1] gives
NaN. ``loss.check_values(predictions, targets, ...)`` does read the data and names the first bad
value in a ``ValueError``; its predictions may be a ``jax.ShapeDtypeStruct``. `fit` calls it once.
"""

from jaxnets.losses import binary, multiclass, regression
from jaxnets.losses.binary import *  # noqa: F403
from jaxnets.losses.multiclass import *  # noqa: F403
from jaxnets.losses.regression import *  # noqa: F403

__all__ = sorted([*binary.__all__, *multiclass.__all__, *regression.__all__])


def __dir__() -> list[str]:
    """The public names alone."""
    return __all__
