"""The experiments in the order in which they build on each other, found without running one."""

from jaxnets.experiments.harness.experiment import summary_of

__all__ = ["COURSE", "summaries"]

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


def summaries() -> dict[str, str]:
    """The summary of every experiment by name."""
    return {name: summary_of(name) for name in COURSE}
