"""Ready watchers: ``fit(..., watch=jn.watch.csv("run.csv"))`` looks in on a run as it goes.

A watcher is any function of a `Look`, called between chunks, about twice per second; a true answer
ends the run. These are made before the run, so that a place that cannot be written is refused
before anything is trained. A run that begins at step 0 begins its files anew; one that goes on,
from a checkpoint or from ``start=``, adds to them, and repeats what it had recorded after its
checkpoint. For Weights & Biases and MLflow five lines do::

    def wandb_watch(look):
        for i, step in enumerate(look.history["step"]):
            wandb.log({name: column[i] for name, column in look.history.items()}, step=int(step))

    def mlflow_watch(look):
        for i, step in enumerate(look.history["step"]):
            mlflow.log_metric("loss", float(look.history["loss"][i]), step=int(step))
"""

from jaxnets.watch.files import csv, jsonl
from jaxnets.watch.looks import Watcher
from jaxnets.watch.pacing import every, together
from jaxnets.watch.pictures import MissingTensorboardExtraError, plot, tensorboard

__all__ = [
    "MissingTensorboardExtraError",
    "Watcher",
    "csv",
    "every",
    "jsonl",
    "plot",
    "tensorboard",
    "together",
]


def __dir__() -> list[str]:
    """The public names alone."""
    return __all__
