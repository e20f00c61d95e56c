"""Data: built-in sets, IDX files of one's own, and which rows to learn from."""

from jaxnets.data.builtin import xor
from jaxnets.data.idx import read_idx
from jaxnets.data.images import LabelledImages, digits, mnist
from jaxnets.data.rows import Rows, bootstrap, folds, subsets

__all__ = [
    "LabelledImages",
    "Rows",
    "bootstrap",
    "digits",
    "folds",
    "mnist",
    "read_idx",
    "subsets",
    "xor",
]


def __dir__() -> list[str]:
    """The public names alone."""
    return __all__
