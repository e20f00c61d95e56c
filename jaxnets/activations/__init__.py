"""Activation functions: pure, jitted, with their conventions written down.

Each takes a floating array of any shape and returns one of the same shape and dtype. Python
floats are taken too; anything else, integers among it, is a ``TypeError``: their derivative means
nothing. Options are keyword-only. One that is a plain Python value is part of the compiled
program; a traced number, a hyperparameter of a sweep for example, is an argument of it. An option
out of range is a ``ValueError``, one of the wrong type a ``TypeError``.

Float16 and bfloat16 are computed in float32 and rounded once, at the end. NaN gives NaN. Values
and derivatives at plus and minus infinity are the limits, wherever those exist. At a kink the
derivative is PyTorch's.

Most of this is ``jax.nn``; `jaxnets.activations.exact` says where a derivative is written out,
and why.
"""

from jaxnets.activations import axis, gated, rectifiers, sigmoids, threshold
from jaxnets.activations.axis import *  # noqa: F403
from jaxnets.activations.gated import *  # noqa: F403
from jaxnets.activations.rectifiers import *  # noqa: F403
from jaxnets.activations.sigmoids import *  # noqa: F403
from jaxnets.activations.threshold import *  # noqa: F403

__all__ = sorted(
    [*axis.__all__, *gated.__all__, *rectifiers.__all__, *sigmoids.__all__, *threshold.__all__]
)


def __dir__() -> list[str]:
    """The public names alone."""
    return __all__
