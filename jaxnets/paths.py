"""Names of the leaves of a pytree."""

from typing import Any

import jax

from jaxnets.errors import describe

__all__ = ["described", "named_leaves", "path_name"]


def path_name(path: Any) -> str:
    """A pytree path as text.

    Example:
      >>> [path_name(path) for path, _ in jax.tree_util.tree_leaves_with_path({"0": {"w": 1.0}})]
      ['0/w']
    """
    return jax.tree_util.keystr(path, simple=True, separator="/")


def named_leaves(tree: Any) -> dict[str, Any]:
    """The leaves of a pytree by the name of their path, in its order."""
    return {path_name(path): leaf for path, leaf in jax.tree_util.tree_leaves_with_path(tree)}


def described(tree: Any) -> dict[str, str]:
    """Dtype and shape of every leaf by the name of its path, such as ``"float32[2,1]"``."""
    return {name: describe(leaf) for name, leaf in named_leaves(tree).items()}
