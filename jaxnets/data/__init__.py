"""Data: built-in sets, and IDX files of one's own."""

from jaxnets.data.builtin import xor
from jaxnets.data.idx import read_idx
from jaxnets.data.images import LabelledImages, digits, mnist

__all__ = ["LabelledImages", "digits", "mnist", "read_idx", "xor"]


def __dir__() -> list[str]:
    """The public names alone."""
    return __all__
