"""The systems of the course as experiments: ``python -m jaxnets.experiments`` lists them."""

import importlib

__all__ = ["COURSE", "summary_of"]

COURSE = (
    "perceptron",
    "xor",
    "activations",
    "losses",
    "two_layer",
    "linear_regression",
    "initialization",
    "digits",
)
"""The experiments in the order in which they build on each other."""


def summary_of(name: str) -> str:
    """The first line of what the folder of an experiment says of it; runs and imports nothing else.

    Example:
      >>> summary_of("losses").partition(":")[0]
      'Losses'
    """
    about = importlib.import_module(f"jaxnets.experiments.{name}").__doc__ or ""
    return about.partition("\n")[0]
