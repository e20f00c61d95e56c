"""Small functional neural networks on JAX.

A model is a pair of pure functions, a training run is one compiled program, and every gradient
is compared with a formula derived by hand. A complete program::

    import jax, jaxnets as jn, optax

    x, y = jn.data.xor()
    net = jn.sequential(jn.dense(10), jn.sigmoid, jn.dense(1), jn.sigmoid)
    result = jn.fit(net, jn.losses.bce, optax.sgd(1.0), (x, y), key=jax.random.key(0), steps=10_001)
    print(net.apply(result.params, x))

``python -m jaxnets.experiments`` lists the course's systems, and ``python -m jaxnets.parity``
prints the table that compares every gradient.
"""

from jaxnets import data, initializers, losses, metrics, plots, schedules, torch_compat, watch
from jaxnets.activations import *  # noqa: F403
from jaxnets.combinators import *  # noqa: F403
from jaxnets.contents import contents as _contents
from jaxnets.contents import exported as _exported
from jaxnets.evaluation import evaluate, predict
from jaxnets.layers import *  # noqa: F403
from jaxnets.model import Activation, Initializer, Layer, Loss, Model, Params
from jaxnets.precision import with_precision
from jaxnets.search import choice, grid, integers, log_uniform, sample, uniform
from jaxnets.summary import summary
from jaxnets.training import *  # noqa: F403

__version__ = "0.1.0"

_GROUPS = {
    "Models": {
        "Model": Model,
        **_exported("layers", "combinators"),
        "with_precision": with_precision,
        "summary": summary,
    },
    "Activations": _exported("activations"),
    "Training": {**_exported("training"), "predict": predict, "evaluate": evaluate},
    "Hyperparameters to try": {
        "grid": grid,
        "sample": sample,
        "log_uniform": log_uniform,
        "uniform": uniform,
        "integers": integers,
        "choice": choice,
    },
    "Types": {
        "Activation": Activation,
        "Initializer": Initializer,
        "Layer": Layer,
        "Loss": Loss,
        "Params": Params,
    },
    "Modules": {
        "data": data,
        "initializers": initializers,
        "losses": losses,
        "metrics": metrics,
        "plots": plots,
        "schedules": schedules,
        "torch_compat": torch_compat,
        "watch": watch,
    },
}

__all__ = sorted(name for group in _GROUPS.values() for name in group)
__doc__ = f"{__doc__}\n{_contents(_GROUPS)}\n"


def __dir__() -> list[str]:
    """The public names alone."""
    return [*__all__, "__version__"]
