"""Vectors for indices."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets import initializers
from jaxnets.checks import check_floating_dtype, check_integer, check_key
from jaxnets.errors import ArgumentTypeError, concrete, describe, fail
from jaxnets.layers.contract import check_initializer, check_params, drawn
from jaxnets.making import factory
from jaxnets.model import Example, Initializer, Model, Params

__all__ = ["embedding"]


@factory()
def embedding(
    vocabulary: int,
    features: int,
    *,
    table_init: Initializer | None = None,
    dtype: Any = float,
) -> Model:
    r"""A table of vectors, one per index, in which those of the input are looked up.

    .. math:: y = e_x, \qquad \partial L/\partial e_i = \sum_{x = i} \partial L/\partial y

    Args:
      vocabulary: The number of indices, 0 to vocabulary - 1.
      features: The width of each vector.
      table_init: Initialiser of the table e, shape ``[vocabulary, features]``. The default is
        PyTorch's, normal with mean 0 and standard deviation 1.
      dtype: The floating dtype of the table, because the input has none; ``float`` is the one
        that JAX takes by default.

    Returns:
      A Model from integers ``[...]`` to ``[..., features]`` with the parameter ``table``. An
      index out of range is a ``ValueError``. Under ``jit``, where values cannot be read, its
      vector is NaN, never another's, so that `fit` raises `TrainingDiverged` at the step that
      meets it.

    Example:
      >>> layer = embedding(10, 3)
      >>> params = layer.init(jax.random.key(0), jnp.array([0, 9]))
      >>> layer.apply(params, jnp.array([[0, 9, 4]])).shape
      (1, 3, 3)

    References:
      ``torch.nn.Embedding`` (PyTorch documentation).
    """
    vocabulary = check_integer("vocabulary", vocabulary, minimum=1)
    features = check_integer("features", features, minimum=1)
    check_initializer("table_init", table_init)
    check_floating_dtype("dtype", dtype, example="jnp.float32")
    draw = table_init or initializers.normal()
    shape = (vocabulary, features)

    def init(key: jax.Array, x: Example) -> Params:
        _check_integers(x)
        check_key(key)
        table_dtype = jax.dtypes.canonicalize_dtype(dtype)
        return {"table": drawn("table_init", draw, key, shape, table_dtype)}

    def apply(params: Params, x: jax.Array, *, key: jax.Array | None = None) -> jax.Array:
        _check_integers(x)
        check_params(params, x, {"table": shape})
        _check_in_range(x, vocabulary)
        rows = jnp.asarray(params["table"]).at[jnp.asarray(x)]
        return rows.get(mode="fill", fill_value=jnp.nan, wrap_negative_indices=False)

    return Model(init, apply)


def _check_integers(x: Example) -> None:
    if not (hasattr(x, "dtype") and jnp.issubdtype(x.dtype, jnp.integer)):
        remedy = "Convert it with jnp.asarray(x, dtype=jnp.int32)."
        fail("x", "be an array of integers", describe(x), remedy, error=ArgumentTypeError)


def _check_in_range(x: jax.Array, count: int) -> None:
    """Raise at the first concrete index that is not in the table."""
    if not concrete(x):
        return
    indices = np.asarray(x)
    bad = np.argwhere((indices < 0) | (indices >= count))
    if len(bad):
        at = tuple(bad[0].tolist())
        rule, got = f"hold indices in [0, {count})", f"{indices[at]} at index {at}"
        fail("x", rule, got, "Correct it, or make the vocabulary larger.")
