"""Hyperparameters to try: grids and random samples, lists of dicts by name.

Each dict holds the arguments of a trial, ``trial(**row)``, as does whatever an optimiser of
hyperparameters proposes. A distribution is any function ``draw(key, n)`` of n values, such as
``lambda key, n: jax.random.beta(key, 2.0, 5.0, (n,))``.
"""

import itertools
import math
import zlib
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets.checks import check_callable, check_finite, check_integer, check_key, check_positive
from jaxnets.errors import ArgumentTypeError, describe, fail, public, require

__all__ = [
    "Distribution",
    "check_samples",
    "choice",
    "grid",
    "integers",
    "log_uniform",
    "sample",
    "uniform",
]

Distribution = Callable[[jax.Array, int], Sequence[Any]]
"""``draw(key, n) -> n values``."""


@public
def grid(**values: Sequence[Any]) -> list[dict[str, Any]]:
    """Every combination of values; the last name varies fastest.

    Args:
      values: By name, the values to combine, of any type.

    Returns:
      A dict by name for each combination.

    Raises:
      ValueError: If no name is given, or a list is empty.
      TypeError: If the values of a name are no list.

    Example:
      >>> grid(width=[16, 64], learning_rate=[0.1])
      [{'width': 16, 'learning_rate': 0.1}, {'width': 64, 'learning_rate': 0.1}]
    """
    remedy = "Pass grid(learning_rate=[0.01, 0.1]), for example."
    require(values, "values", "be given by name", "none", remedy)
    columns = [_listed(name, column) for name, column in values.items()]
    return [dict(zip(values, row, strict=True)) for row in itertools.product(*columns)]


@public
def sample(key: jax.Array, n: int, /, **distributions: Distribution) -> list[dict[str, Any]]:
    """Random search: n dicts, each name drawn by itself.

    What is drawn for a name depends on the key, on n and on that name alone: other names may be
    added or left out, in any order.

    Args:
      key: PRNG key.
      n: The number of dicts.
      distributions: By name, `log_uniform`, `uniform`, `integers`, `choice`, or any function
        ``draw(key, n)`` that returns n values.

    Returns:
      A dict by name for each draw, of Python's numbers and of the very objects to choose from.

    Raises:
      ValueError: If no name is given, n is less than 1, or a distribution draws other than n
        values.
      TypeError: If a distribution is no function.

    Example:
      >>> drawn = sample(
      ...     jax.random.key(0), 3, learning_rate=log_uniform(1e-4, 1e-1), width=choice([16, 64])
      ... )
      >>> [(1e-4 <= row["learning_rate"] < 1e-1, row["width"] in (16, 64)) for row in drawn]
      [(True, True), (True, True), (True, True)]

    References:
      Bergstra and Bengio, "Random search for hyper-parameter optimization", 2012.
    """
    check_key(key)
    n = check_integer("n", n, minimum=1)
    remedy = "Pass learning_rate=jn.log_uniform(1e-4, 1e-1), for example."
    require(distributions, "distributions", "be given by name", "none", remedy)
    columns = [_drawn(key, n, name, draw) for name, draw in distributions.items()]
    return [dict(zip(distributions, row, strict=True)) for row in zip(*columns, strict=True)]


@public
def uniform(low: float, high: float) -> Distribution:
    """Floats that are uniform in [low, high).

    Args:
      low: The least value.
      high: The end, which is larger.

    Returns:
      A distribution for `sample`.

    Example:
      >>> (value,) = uniform(0.0, 0.5)(jax.random.key(0), 1)
      >>> 0.0 <= value < 0.5
      True
    """
    low, high = check_finite("low", low), check_finite("high", high)
    _check_order(low, high)
    return lambda key, n: [low + (high - low) * u for u in _shares(key, n)]


@public
def log_uniform(low: float, high: float) -> Distribution:
    """Floats in [low, high) whose logarithm is uniform: as many per decade everywhere.

    Args:
      low: The least value, positive.
      high: The end, which is larger.

    Returns:
      A distribution for `sample`.

    Example:
      >>> (value,) = log_uniform(1e-4, 1e-1)(jax.random.key(0), 1)
      >>> 1e-4 <= value < 1e-1
      True
    """
    low, high = check_positive("low", low, example=1e-4), check_positive("high", high)
    _check_order(low, high)
    return lambda key, n: [low * math.exp(math.log(high / low) * u) for u in _shares(key, n)]


@public
def integers(low: int, high: int) -> Distribution:
    """Whole numbers of ``range(low, high)``, each as likely as the others.

    Args:
      low: The least value.
      high: The end, which is larger and is not drawn.

    Returns:
      A distribution for `sample`.

    Example:
      >>> (value,) = integers(1, 5)(jax.random.key(0), 1)
      >>> value in (1, 2, 3, 4)
      True
    """
    least, most = (int(np.iinfo(np.int32).min), int(np.iinfo(np.int32).max))
    low = check_integer("low", low, minimum=least)
    high = check_integer("high", high, minimum=least)
    require(high <= most, "high", f"be at most {most}", high, f"Pass high={most}.")
    _check_order(low, high)
    return lambda key, n: np.asarray(jax.random.randint(key, (n,), low, high, jnp.int32)).tolist()


@public
def choice(values: Sequence[Any]) -> Distribution:
    """One of the values, each as likely as the others.

    Args:
      values: What to choose from, of any type: numbers, texts, functions, models.

    Returns:
      A distribution for `sample`.

    Example:
      >>> (activation,) = choice([jn.relu, jn.tanh])(jax.random.key(0), 1)
      >>> activation in (jn.relu, jn.tanh)
      True
    """
    listed = _listed("values", values)
    position = integers(0, len(listed))
    return lambda key, n: [listed[index] for index in position(key, n)]


def check_samples(argument: str, samples: Any) -> list[dict[str, Any]]:
    """A list of dicts with the same names, or an error that names the first that differs."""
    example = 'Pass [{"learning_rate": 0.1}, {"learning_rate": 0.01}], for example.'
    rows = list(samples) if isinstance(samples, Sequence) else []
    require(rows, argument, "hold at least one dict by name", describe(samples), example)
    for number, row in enumerate(rows):
        at = f"{argument}[{number}]"
        named = isinstance(row, dict) and row and all(isinstance(name, str) for name in row)
        require(named, at, "be a dict by name", describe(row), example, error=ArgumentTypeError)
        rule, got = f"have the names of the others, {list(rows[0])}", f"{list(row)}"
        require(row.keys() == rows[0].keys(), at, rule, got, "Give every one a value of each name.")
    return rows


def _listed(name: str, values: Any) -> list[Any]:
    """The values of a name as a list, of Python's numbers where they are those of an array."""
    good = isinstance(values, Sequence | np.ndarray | jax.Array) and not isinstance(values, str)
    good = good and getattr(values, "ndim", 1) == 1
    remedy = f"Pass {name}=[0.01, 0.1], for example."
    require(good, name, "be a list of values", describe(values), remedy, error=ArgumentTypeError)
    listed: list[Any] = values.tolist() if hasattr(values, "tolist") else list(values)
    require(listed, name, "hold at least one value", "none", remedy)
    return listed


def _drawn(key: jax.Array, n: int, name: str, draw: Distribution) -> list[Any]:
    """The values of a name, from a stream of its own."""
    check_callable(name, draw, f"Pass {name}=jn.log_uniform(1e-4, 1e-1), for example.")
    # The checksum of a name is the same in every process, as its hash is not.
    values = _listed(name, draw(jax.random.fold_in(key, zlib.crc32(name.encode())), n))
    rule, remedy = f"draw {n} values", "Return n values from draw(key, n)."
    require(len(values) == n, name, rule, len(values), remedy)
    return values


def _shares(key: jax.Array, n: int) -> list[float]:
    """Numbers in [0, 1), the same whether JAX computes in 32 or 64 bits."""
    shares: list[float] = np.asarray(jax.random.uniform(key, (n,), jnp.float32)).tolist()
    return shares


def _check_order(low: float, high: float) -> None:
    if not low < high:
        remedy = f"Pass low={high} and high={low}." if high < low else "Pass a larger high."
        fail("low", "be smaller than high", f"low={low} and high={high}", remedy)
