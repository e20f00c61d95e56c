"""Data: built-in sets."""

from jaxnets.data.builtin import xor

__all__ = ["xor"]
