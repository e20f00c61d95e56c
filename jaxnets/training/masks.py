"""Masks over parameters by the names of their paths, as optax asks for them."""

from collections.abc import Callable
from typing import Any

import jax

from jaxnets.checks import check_callable
from jaxnets.errors import public
from jaxnets.paths import path_name

__all__ = ["mask"]


@public
def mask(predicate: Callable[[str], bool]) -> Callable[[Any], Any]:
    """Choose parameters by the names of their paths.

    Args:
      predicate: ``predicate(path) -> bool``; a path reads ``"0/w"``.

    Returns:
      ``mask(params)``, a pytree of booleans like ``params``: what ``optax.masked``,
      ``optax.adamw(mask=)`` and ``optax.transforms.freeze`` take.

    Raises:
      TypeError: If ``predicate`` is no function.

    Example:
      >>> import optax
      >>> weights = jn.mask(lambda path: path.endswith("w"))
      >>> weights({"0": {"w": jnp.ones((2, 1)), "b": jnp.ones(1)}})
      {'0': {'b': False, 'w': True}}
      >>> optimizer = optax.adamw(1e-3, mask=weights)  # biases do not decay
      >>> first = jn.mask(lambda path: path.startswith("0/"))
      >>> frozen = optax.chain(optax.sgd(0.1), optax.transforms.freeze(first))  # nor do layers move
    """
    check_callable("predicate", predicate, 'Pass lambda path: path.startswith("0/"), for example.')

    def chosen(params: Any) -> Any:
        return jax.tree_util.tree_map_with_path(
            lambda path, _: bool(predicate(path_name(path))), params
        )

    return chosen
