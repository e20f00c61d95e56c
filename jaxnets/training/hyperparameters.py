"""The hyperparameters of a sweep: numbers, which are data, and structure, which is not.

Floats are data of one compiled program. Whatever else has a hash is structure: integers, truth
values, texts, functions, models, tuples of those. Each combination of structure is a program.
"""

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets.checks import check_text
from jaxnets.errors import ArgumentTypeError, describe, fail, require
from jaxnets.search import check_samples
from jaxnets.written import Written

__all__ = ["Varied", "check_hyperparameters", "shown"]

RESERVED = ("seed", "step", "loss", "diverged_at", "stopped_at", "status")
"""Columns of a sweep's table that are there already, as is what starts with ``validation_``."""

Column = np.ndarray | list[Any]
"""The values of one name: an array of floats, or a list of structure."""


class Varied(NamedTuple):
    """The hyperparameters of a sweep, a row for each combination.

    Attributes:
      columns: By name, in the order in which they were given, the values of all rows.
    """

    columns: dict[str, Column]

    @property
    def rows(self) -> int:
        """The number of combinations; one where nothing varies."""
        return len(next(iter(self.columns.values()), (None,)))

    @property
    def numbers(self) -> dict[str, np.ndarray]:
        """The columns of floats."""
        return {
            name: column for name, column in self.columns.items() if isinstance(column, np.ndarray)
        }

    @property
    def structure(self) -> dict[str, list[Any]]:
        """The columns of anything else."""
        return {name: column for name, column in self.columns.items() if isinstance(column, list)}

    def parts(self) -> list[tuple[dict[str, Any], np.ndarray]]:
        """The combinations of structure, each with the numbers of the rows that have it."""
        structure, found = self.structure, dict[tuple[Any, ...], list[int]]()
        for row, values in enumerate(zip(*structure.values(), strict=True)):
            found.setdefault(values, []).append(row)
        return [
            (dict(zip(structure, values, strict=True)), np.array(rows))
            for values, rows in found.items()
        ]

    def labels(self, seeds: int) -> dict[str, np.ndarray]:
        """The columns of a table with every row for every seed, the seeds outermost."""
        columns = {"seed": np.repeat(np.arange(seeds), self.rows)}
        for name, column in self.columns.items():
            columns[name] = np.tile(shown(column) if isinstance(column, list) else column, seeds)
        return columns


def check_hyperparameters(hyperparameters: Any) -> Varied:
    """The combinations of a dict of lists, or those that a list of dicts names."""
    if hyperparameters is None:
        return Varied({})
    if _is_sampled(hyperparameters):
        samples = check_samples("hyperparameters", hyperparameters)
        _check_names(samples[0])
        return Varied({name: _column(name, [row[name] for row in samples]) for name in samples[0]})
    if not isinstance(hyperparameters, Mapping):
        rule = "be a dict of lists of numbers by name"
        remedy = 'Pass hyperparameters={"learning_rate": [0.1, 1.0]}, for example.'
        fail("hyperparameters", rule, describe(hyperparameters), remedy, error=ArgumentTypeError)
    _check_names(hyperparameters)
    lists = {name: _column(name, column) for name, column in hyperparameters.items()}
    places = np.meshgrid(*(np.arange(len(column)) for column in lists.values()), indexing="ij")
    return Varied(
        {
            name: _taken(column, place.reshape(-1))
            for (name, column), place in zip(lists.items(), places, strict=True)
        }
    )


def shown(values: list[Any]) -> np.ndarray:
    """Structure as a column of a table: integers and truth values as they are, else names.

    Different values of one name are numbered.
    """
    if {type(value) for value in values} in ({int}, {bool}):
        return np.array(values)
    names, count = dict[Hashable, str](), Counter[str]()
    for value in values:
        if value not in names:
            name = _name(value)
            count[name] += 1
            names[value] = name if count[name] == 1 else f"{name} ({count[name]})"
    return np.array([names[value] for value in values])


def _name(value: Any) -> str:
    """What to call a value: a function by its name, what the library made as it was written."""
    own = None if isinstance(value, Written) else getattr(value, "__name__", None)
    return own if isinstance(own, str) else str(value)


def _is_sampled(hyperparameters: Any) -> bool:
    """Whether they are meant to be a list of dicts."""
    if not isinstance(hyperparameters, Sequence) or isinstance(hyperparameters, str):
        return False
    return not hyperparameters or any(isinstance(row, Mapping) for row in hyperparameters)


def _check_names(names: Mapping[str, Any]) -> None:
    """Raise if a name is no text, or that of a column that is there already."""
    for name in names:
        argument = f"the name {name!r} in hyperparameters"
        check_text(argument, name, example="learning_rate")
        if name in RESERVED or name.startswith("validation_"):
            rule = "be other than those of the columns of Sweep.table()"
            fail(argument, rule, repr(name), "Rename it in the trial.")


def _taken(column: Column, places: np.ndarray) -> Column:
    """The values at these places."""
    if isinstance(column, np.ndarray):
        return np.take(column, places)
    return [column[place] for place in places]


def _column(name: str, values: Any) -> Column:
    """The values of one name: floats in an array, structure in a list."""
    is_array = isinstance(values, np.ndarray | jax.Array) and values.ndim == 1
    is_list = isinstance(values, Sequence) and not isinstance(values, str | bytes)
    listed = [_plain(value) for value in values] if is_array or is_list else []
    if not listed or any(isinstance(part, float) for value in listed for part in _parts(value)):
        return _numbers(name, values)
    argument = f"hyperparameters[{name!r}]"
    for value in listed:
        try:
            hash(value)
        except TypeError:
            rule, remedy = "hold values that have a hash", "Pass a tuple instead of a list."
            fail(argument, rule, describe(value), remedy, error=ArgumentTypeError)
    kinds = {_kind(value) for value in listed} - {type(None)}
    rule, remedy = "hold values of one kind", "Give each kind a name of its own in the trial."
    require(len(kinds) < 2, argument, rule, describe(values), remedy, error=ArgumentTypeError)
    return listed


def _plain(value: Any) -> Any:
    """Python's number where it is one of an array."""
    is_number = isinstance(value, np.generic | jax.Array) and value.ndim == 0
    known = is_number and not jnp.issubdtype(value.dtype, jax.dtypes.extended)
    return value.item() if known else value


def _parts(value: Any) -> list[Any]:
    """A value, or what a list that was taken for one holds."""
    return jax.tree.leaves(value) if isinstance(value, list) else [value]


def _kind(value: Any) -> Any:
    """The kind of a value; functions are one, whatever they are made of."""
    return "function" if callable(value) else type(value)


def _numbers(name: str, column: Any) -> np.ndarray:
    """A list of numbers as an array, once all are finite in the dtype that members see."""
    try:
        numbers = np.asarray(column)
    except ValueError:  # lists of unequal lengths
        numbers = np.empty(0)
    kinds = (jnp.integer, jnp.floating)
    good = numbers.ndim == 1 and any(jnp.issubdtype(numbers.dtype, kind) for kind in kinds)
    if good:
        with np.errstate(over="ignore"):
            computed = numbers.astype(jax.dtypes.canonicalize_dtype(float))
        good = numbers.size > 0 and bool(np.isfinite(computed).all())
    rule, remedy = "be a list of finite numbers", f"Pass {{{name!r}: [0.1, 1.0]}}, for example."
    require(good, f"hyperparameters[{name!r}]", rule, describe(column), remedy)
    return numbers.astype(float)
