"""The records of a run as plain NumPy arrays, and tables of them."""

import csv
import io
from collections.abc import Mapping
from os import PathLike
from typing import Any

import numpy as np

from jaxnets.errors import named
from jaxnets.files.whole import write_whole
from jaxnets.training.columns import Columns, own_columns

__all__ = ["History", "html_table", "of_members", "rows_of", "write_csv"]

LEADING = ("step", "epoch", "loss")
"""The columns that stand first."""


class History(dict[str, np.ndarray]):
    """Records of a run by name: ``history["loss"]`` has one entry per record.

    A dict of NumPy arrays that ``pandas.DataFrame(history)`` reads as it stands. ``"step"``,
    ``"epoch"`` and ``"loss"`` come first; the loss of a step is the one before that step's update.
    Of a sweep, ``"loss"`` and all other measures are ``[members, records]``.

    Example:
      >>> history = History({"step": np.array([0, 100]), "loss": np.array([0.7, 0.6])})
      >>> history["loss"].tolist(), len(history["step"])
      ([0.7, 0.6], 2)
    """

    def __init__(self, columns: Mapping[str, Any]) -> None:
        names = [name for name in LEADING if name in columns]
        names += [name for name in columns if name not in LEADING]
        super().__init__({name: np.asarray(columns[name]) for name in names})

    def __reduce__(self) -> Any:
        return History, (dict(self),)

    def __repr__(self) -> str:
        names = ", ".join(self)
        return f"History({names or 'empty'}; {len(self.get('step', ()))} records)"

    def _repr_html_(self) -> str:
        if any(column.ndim > 1 for column in self.values()):
            return f"<code>{self!r}</code>"
        return html_table(self)

    @named("History.to_csv")
    def to_csv(self, path: str | PathLike[str]) -> None:
        """Write one row per record under a header of the names.

        Of a sweep, one row per member and record, with the member's number in front. Floats are
        written so that reading them back gives the same number.
        """
        many = [name for name, column in self.items() if column.ndim > 1]
        columns: Mapping[str, np.ndarray] = self
        if many:
            members, records = self[many[0]].shape[:2]
            wide = {
                name: column if name in many else np.broadcast_to(column, (members, records))
                for name, column in self.items()
            }
            numbers = np.broadcast_to(np.arange(members)[:, None], (members, records))
            columns = {
                name: column.reshape(members * records, *column.shape[2:])
                for name, column in {"member": numbers, **wide}.items()
            }
        write_csv(path, columns)


def of_members(columns: Columns, last: np.ndarray) -> History:
    """Records with the members first, and NaN beyond the last step of each."""
    if not columns:
        return History({})
    beyond = columns["step"] > last[:, None]

    def masked(column: np.ndarray) -> np.ndarray:
        own = np.moveaxis(column[:, : len(last)], 1, 0)
        if not beyond.any():  # then the dtype stays
            return own
        return np.where(beyond.reshape(*beyond.shape, *(1,) * (own.ndim - 2)), np.nan, own)

    return History(own_columns(masked, columns))


def rows_of(columns: Mapping[str, np.ndarray]) -> list[tuple[Any, ...]]:
    """The rows of a table as Python's numbers and texts."""
    return list(zip(*(column.tolist() for column in columns.values()), strict=True))


def write_csv(path: str | PathLike[str], columns: Mapping[str, np.ndarray]) -> None:
    """Write a header and rows, whole or not at all."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(columns)
    writer.writerows(rows_of(columns))
    content = text.getvalue().encode()
    write_whole(path, lambda file: file.write(content), example="history.csv")


MOST_ROWS = 10
"""Rows that a notebook shows at the beginning, and again at the end."""


def html_table(columns: Mapping[str, np.ndarray]) -> str:
    """A table for a notebook, without its middle if it is long."""
    head = "".join(f"<th>{name}</th>" for name in columns)
    body = ["".join(f"<td>{_shown(cell)}</td>" for cell in row) for row in rows_of(columns)]
    if len(body) > 2 * MOST_ROWS:
        body = [*body[:MOST_ROWS], f"<td>... {len(body)} rows</td>", *body[-MOST_ROWS:]]
    lines = "".join(f"<tr>{row}</tr>" for row in body)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table>"


def _shown(cell: Any) -> str:
    return f"{cell:.6g}" if isinstance(cell, float) else str(cell)
