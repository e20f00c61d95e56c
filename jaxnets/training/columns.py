"""Columns of records on the host: of one network ``[records]``, of many ``[records, members]``."""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

__all__ = [
    "SHARED",
    "Columns",
    "added_rows",
    "beside",
    "filled_up",
    "joined",
    "no_rows",
    "own_columns",
    "table_rows",
]

Columns = dict[str, np.ndarray]
"""Columns of a history by name."""

SHARED = ("step", "epoch")
"""The columns that all members have in common."""


def no_rows(table: Mapping[str, Any], axes: str | None, members: int | None) -> Columns:
    """The columns of a compiled table of shapes, without a row.

    Args:
      table: Shapes, ``[rows, ...]`` or, for a block of members, ``[rows, members, ...]``.
      axes: None where the table is of one network.
      members: Members of the whole run; None for one network.
    """
    none, each = np.zeros(0, np.int64), 1 if axes is None else 2
    many = () if members is None else (members,)
    return {"step": none, "epoch": none} | {
        name: np.zeros((0, *many, *leaf.shape[each:]), leaf.dtype) for name, leaf in table.items()
    }


def table_rows(
    table: Mapping[str, Any], start: int, end: int, every: int, per_epoch: int
) -> Columns:
    """The filled rows of a compiled table, which are of every n-th step from start to end."""
    steps = np.arange(-(-start // every) * every, end, every, dtype=np.int64)
    filled = {name: np.asarray(column)[: len(steps)] for name, column in table.items()}
    return {"step": steps, "epoch": steps // per_epoch, **filled}


def added_rows(columns: Columns, rows: Columns) -> Columns:
    """The columns with rows added, if there are any."""
    if not rows:
        return columns
    if not columns:
        return rows
    return {name: np.concatenate([column, rows[name]]) for name, column in columns.items()}


def beside(blocks: list[Columns], like: Columns) -> Columns:
    """Blocks of members side by side; NaN for those that ended before the others.

    Args:
      blocks: The rows of each, empty where it made no steps.
      like: Columns of all members, for their types.
    """
    longest = max(blocks, key=lambda block: len(block.get("step", ())))
    if not longest:
        return {}
    rows, columns = len(longest["step"]), {name: longest[name] for name in SHARED}
    for name in (name for name in like if name not in SHARED):
        size = like[name].shape[1] // len(blocks)
        filled = [_filled(block.get(name), rows, size, like[name]) for block in blocks]
        columns[name] = np.concatenate(filled, axis=1)
    return columns


def _filled(column: np.ndarray | None, rows: int, members: int, like: np.ndarray) -> np.ndarray:
    """A block's column with an axis of members and this many rows."""
    shape = (-1, members, *like.shape[2:])
    column = np.zeros((0, *shape[1:]), like.dtype) if column is None else column.reshape(shape)
    if len(column) == rows:
        return column
    # NaN turns integers into floats, here as everywhere that a member has ended.
    missing = np.full((rows - len(column), *shape[1:]), np.nan)
    return np.concatenate([column, missing]).astype(np.promote_types(column.dtype, np.float32))


def filled_up(columns: Columns, size: int) -> Columns:
    """The columns with members repeated, as many as there are in blocks of this size."""
    if not columns:
        return columns
    members = next(column.shape[1] for name, column in columns.items() if name not in SHARED)
    chosen = np.arange(-(-members // size) * size) % members
    return own_columns(lambda column: column[:, chosen], columns)


def own_columns(
    function: Callable[[np.ndarray], np.ndarray], columns: Mapping[str, np.ndarray]
) -> Columns:
    """The columns, with a function of those that members have for themselves."""
    return {
        name: column if name in SHARED else function(column) for name, column in columns.items()
    }


def joined(blocks: list[Any], axes: list[int], size: int | None = None) -> Any:
    """Pytrees of blocks of members as one of all, ``[members, ...]``.

    Args:
      blocks: One pytree per block, with the members first, or of one network.
      axes: Per block 1 if it has an axis of members, else 0.
      size: Members to keep: the last block may be filled up.
    """
    result: Any = _joined(blocks, tuple(axes), size)
    return result


@functools.partial(jax.jit, static_argnums=(1, 2))
def _joined(blocks: list[Any], axes: tuple[int, ...], size: int | None) -> Any:
    """`joined`, in one program: as many small ones as there are leaves take long to compile."""
    wide = [
        block if axis else jax.tree.map(lambda leaf: leaf[None], block)
        for block, axis in zip(blocks, axes, strict=True)
    ]
    return jax.tree.map(lambda *leaves: _concatenated(leaves)[:size], *wide)


def _concatenated(leaves: tuple[Any, ...]) -> Any:
    """Arrays one after the other; keys by their numbers, for none is drawn from here."""
    if len(leaves) == 1:
        return leaves[0]
    if not jnp.issubdtype(leaves[0].dtype, jax.dtypes.prng_key):
        return jnp.concatenate(leaves)
    numbers = jnp.concatenate([jax.random.key_data(leaf) for leaf in leaves])
    return jax.random.wrap_key_data(numbers, impl=jax.random.key_impl(leaves[0]))
