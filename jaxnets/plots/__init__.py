"""Pictures of results, one line each: ``jn.plots.history(result).savefig("history.png")``.

Each function returns a matplotlib figure, which a notebook shows. They need the extra ``plot``:
``pip install 'jaxnets[plot]'``. Lines differ in dash and marker as well as in shade, so that they
can be told apart in grey.
"""

from jaxnets.plots.drawing import *  # noqa: F403
from jaxnets.plots.functions import predictions, surface
from jaxnets.plots.results import history, sweep

__all__ = ["history", "predictions", "surface", "sweep"]


def __dir__() -> list[str]:
    """The public names alone."""
    return __all__
